"""Django with envkit's backend; a new connection for each request, as Django does by default."""

import django
from answer import wsgi
from django.conf import settings

import envkit
from envkit.integrations.django import database

settings.configure(DATABASES={"default": database(envkit.live("prod"), "DATABASE_URL")})
django.setup()


def ask():
    from django.db import close_old_connections, connection

    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.06)")
    finally:
        close_old_connections()  # what Django does at the end of a request


app = wsgi(ask)
