"""The syntax of `.env` files: parse a file, expand `${NAME}`, edit a line. Pure: opens no file.

The source that reads these files as a store is `envkit.sources.dotenv`.
"""
