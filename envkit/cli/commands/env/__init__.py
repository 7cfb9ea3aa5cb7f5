"""The commands `envkit env`: encrypted `.env` files that a team shares in git.

Each module has one command, and `group` puts them together.
"""
