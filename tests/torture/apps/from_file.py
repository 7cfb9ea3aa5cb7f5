"""Reads its login from a file for each request, as a server that checks a token file does."""

import os
from pathlib import Path

import psycopg
from answer import wsgi

FILE = Path(os.environ["DATABASE_URL"])


def ask():
    with psycopg.connect(FILE.read_text()) as connection:
        connection.execute("SELECT pg_sleep(0.06)")


app = wsgi(ask)
