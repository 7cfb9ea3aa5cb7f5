"""Settings are recognised by name and form; in doubt, a variable is a secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envkit.detection.ordinary_values import is_ordinary
from envkit.detection.secret_literal import suspect
from envkit.detection.settings import is_setting, is_setting_everywhere

SETTINGS = [
    ("NODE_ENV", "production"),
    ("MAIL_FROM", "Shop <hello@shop.example.com>"),
    ("PORT", "3000"),
    ("LOG_LEVEL", "info"),
    ("API_URL", "https://api.example.com/v1"),
    ("API_URL", ""),
    ("DEBUG", "true"),
    ("AWS_REGION", "eu-west-1"),
    ("S3_BUCKET", "shop-uploads"),
    ("DB_HOST", "db.internal"),
    ("DB_USER", "app"),
    ("REDIS_URL", "redis://localhost:6379/0"),
    ("DATABASE_URL", "postgresql://localhost/new"),
    ("WORKERS", "2"),
    ("RATIO", "0.25"),
    ("NEW_CHECKOUT", "false"),
    ("CACHE_FOR", "30s"),
    ("SUPPORT", "help@shop.example.com"),
    ("TOKEN_URL", "https://login.example.com/oauth/token"),
    ("PASSWORD_MIN_LENGTH", "12"),
    ("NEXT_PUBLIC_SITE", "shop"),
    ("logLevel", "debug"),
    ("SENTRY_DSN", "https://0f8a7c3d5b1e4a69@o1.ingest.sentry.io/42"),
    ("NEXT_PUBLIC_SENTRY_DSN", "https://0f8a7c3d5b1e4a69@o1.ingest.sentry.io/42"),
    ("STRIPE_PUBLISHABLE_KEY", "pk_live_51Habcdefg012345678"),
    ("NEXT_PUBLIC_POSTHOG_KEY", "phc_abcdEFG0123456789"),
    ("NEXT_PUBLIC_GA_ID", "G-ABC123DEF4"),
    ("GOOGLE_CLIENT_ID", "123456789012-abcdefghijklmnop012345.apps.googleusercontent.com"),
    ("AWS_ACCOUNT_ID", "123456789012"),
    ("S3_BUCKET", "uploads-123456789012"),
    ("JWT_EXPIRES_IN", "15m"),
    ("QUEUE_CONNECTION", "database"),
    ("PGHOST", "db.internal"),
]
SECRETS = [
    ("DB_PASSWORD", "postgres"),
    ("DB_PASSWORD", ""),
    ("STRIPE_KEY", "sk_test_made_up"),
    ("API_KEY", "made-up"),
    ("FOO", "hunter2"),
    ("FOO", ""),
    ("DATABASE_URL", ""),
    ("MONGODB_URI", ""),
    ("CELERY_BROKER_URL", ""),
    ("HTTP_PROXY_URL", ""),
    ("DATABASE_URL", "postgresql://app:made-up@localhost:5432/shop"),
    ("SENTRY_DSN", "https://abc:def@o0.ingest.example.com/1"),
    ("SENTRY_URL", "https://abc@o0.ingest.example.com/1"),
    ("SLACK_WEBHOOK_URL", "https://hooks.example.com/services/a/b/c"),
    ("CALLBACK_URL", "https://example.org/hook/9f8b1c7e52d04a6b"),
    ("CALLBACK_URL", "https://example.org/?token=abc"),
    ("ADMIN_PIN", "4821"),
    ("ACCOUNT", "15551234567"),
    ("APP_KEY", "base64:abcdefghi"),
    ("APP_NAME", "-----BEGIN RSA PRIVATE KEY-----\nabc"),
    ("APP_NAME", "aB3dE5gH7jK9mN1p"),
    ("MAIL_USER", "AKIA" + "ABCDEFGHIJKLMNOP"),
    ("CONFIG_FILE", '{"password": "x"}'),
    ("DB_SERVER", "Server=db;Password=x"),
    ("NEXT_PUBLIC_SECRET", "abc"),
    ("LICENSE", "A-B"),
    ("APP_CREDS", "true"),
    ("PGPASSWORD", "12345"),
    ("DBPASS", "true"),
    ("NEXT_PUBLIC_APITOKEN", "abc"),
    ("VITE_STRIPE_SECRET_KEY", "abc"),
    ("NEXT_PUBLIC_SUPABASE_SERVICE_ROLE_KEY", "abc"),
    ("NEXT_PUBLIC_X", "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"),
    ("S3_PUBLIC_ACCESS_KEY", "0123456789abcdef"),
    ("AWS_ACCESS_KEY_ID", "AKIA" + "ABCDEFGHIJKLMNOP"),
    ("VAULT_ROLE_ID", "0123456789abcdef"),
    ("SESSION_ID", "0123456789abcdef"),
    ("DATABASE_URL", "app:hunter2@tcp(db:3306)/app"),
    ("DATABASE_URL", "host=db user=app password=hunter2"),
    ("DB_USER", "scott/tiger"),
    ("DB_USER", "root:hunter2"),
    ("SLACK_URL", "https://hooks.example.com/services/a/b/c"),
    ("DISCORD_URL", "https://example.com/api/webhooks/1/a"),
    ("JWT_TOKEN", "15m"),
]


@pytest.mark.parametrize(("name", "text"), SETTINGS)
def test_a_variable_with_the_name_or_form_of_a_setting_is_a_setting(name, text):
    assert is_setting(name, text)


@pytest.mark.parametrize(("name", "text"), SECRETS)
def test_every_other_variable_is_a_secret(name, text):
    assert not is_setting(name, text)


@given(
    st.sampled_from(["PORT", "LOG_LEVEL", "FOO", "API_URL", "DB_PASSWORD", "NEXT_PUBLIC_X"]),
    st.text(max_size=60),
)
def test_what_check_reports_as_a_secret_is_never_a_setting(name, text):
    assert not (is_setting(name, text) and suspect(name, text) is not None)


@pytest.mark.parametrize(("name", "text"), SETTINGS)
def test_a_setting_is_not_searched_for(name, text):
    assert is_ordinary(name, text)


@pytest.mark.parametrize(
    ("texts", "setting"),
    [
        (["redis://localhost/0", "redis://:pw@cache/0"], False),
        (["redis://localhost/0", "", "redis://cache/0"], True),
        (["", ""], False),  # by its name
    ],
)
def test_a_setting_is_one_with_each_of_its_values(texts, setting):
    assert is_setting_everywhere("REDIS_URL", texts) is setting
