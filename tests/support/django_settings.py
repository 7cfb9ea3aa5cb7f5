"""Django's settings for a test process: they can be set once."""

from __future__ import annotations


def configured() -> None:
    """Set Django up, without a database."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(USE_TZ=True, SECRET_KEY="made up")
        django.setup()
