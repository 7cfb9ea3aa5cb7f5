"""Which values of an environment are ordinary or common, and which may be secrets."""

import pytest

from envkit.detection.ordinary_values import is_common, is_ordinary

ORDINARY = {
    "NODE_ENV": "production",
    "AWS_REGION": "us-east-1",
    "MAIL_FROM": "Shop <noreply@shop.io>",
    "ADMIN": "admin@shop.io",
    "API_URL": "https://api.shop.io/v2",
    "REDIS": "redis://cache.internal:6379/0",
    "DB_HOST": "db-7.internal.shop.io",
    "LISTEN": "0.0.0.0:8080",
    "STARTED": "2026-11-30T01:02:03Z",
    "TTL": "86400s",
    "UPLOADS": "/var/lib/shop/uploads",
    "ALLOWED_HOSTS": "shop.io,www.shop.io",
    "MODEL": "gpt-4o-mini",
    "VERSION": "1.42.0-rc1",
    "SENTRY_DSN": "https://0f8a7c3d5b1e4a69@o1.ingest.sentry.io/42",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_aB3dE5fG7h",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "FEATURES": "new checkout, dark mode",
}
SECRETS = {
    "DB_PASSWORD": "production",
    "API_TOKEN": "sunshine",
    "ANYTHING": "aB3dE5fG7hJ9kL1m",
    "DATABASE_URL": "postgresql://app:s3cr3t-pw@db.internal/shop",
    "SETTINGS": '{"host": "db", "password": "s3cr3t-pw"}',
    "APP_KEY": "horse battery",
    "LICENSE_KEY": "AAAA-BBBB-1234",
    "SLACK_URL": "https://hooks.slack.com/services/T0/B0/aB3dE5fG7hJ9kL1mN2pQ4r",
    "UPLOAD_URL": "https://store.shop.io/up?sig=aB3dE5fG7hJ9kL1mN2pQ4r",
    "UNKNOWN": "9f8b1c7e52d04a6b",
    "GREETING": "p@ss!w0rd#Zq",
    "PGPASSWORD": "s3cr3t-pw",
    "DBPASS": "s3cr3t-pw",
    "AUTHTOKENS": "s3cr3t-pw",
}


@pytest.mark.parametrize(("name", "text"), ORDINARY.items())
def test_a_setting_is_ordinary_by_its_name_or_value(name, text):
    assert is_ordinary(name, text)


@pytest.mark.parametrize(("name", "text"), SECRETS.items())
def test_a_value_that_may_be_secret_is_not_ordinary(name, text):
    assert not is_ordinary(name, text)


@pytest.mark.parametrize(
    "text",
    ["postgres", "change-me", "********", "password123", "aaaa", "Sunshine", "authentication"],
)
def test_a_value_that_stands_in_many_files_is_common(text):
    assert is_common(text)


@pytest.mark.parametrize(
    "text", ["$ecretPass", "aB3dE5fG7h", "correct-horse", "[4,8,15,16]", "qwzkxvbnmpldrtgh"]
)
def test_an_unusual_value_is_not_common(text):
    assert not is_common(text)
