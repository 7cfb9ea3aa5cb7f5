"""The syntax of `.env` files: parse one, expand `${NAME}`, edit a line. Pure: no file is opened.

What belongs here is the text of a `.env` file and nothing else. The source that reads such
files as a store is `envkit.sources.dotenv`.
"""
