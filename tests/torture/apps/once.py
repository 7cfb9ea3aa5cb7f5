"""Reads its environment once, as most apps do, and logs in for each request."""

import os

import psycopg
from answer import wsgi

URL = os.environ["DATABASE_URL"]


def ask():
    with psycopg.connect(URL) as connection:
        connection.execute("SELECT pg_sleep(0.06)")


app = wsgi(ask)
