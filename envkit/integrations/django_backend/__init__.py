"""The database backend that `envkit.integrations.django.database` names in Django's settings."""
