"""Which errors of a connection are refusals of the login: only those are worth asking a store."""

from types import SimpleNamespace

import pytest

from envkit.integrations.refusals import is_refusal, is_refusal_text

# as PostgreSQL's translations have them
REFUSALS = [
    'FATAL:  password authentication failed for user "app"',
    'FATAL:  role "app" is not permitted to log in',
    'FATAL:  role "app" does not exist',
    "FATAL:  Passwort-Authentifizierung für Benutzer »app« fehlgeschlagen",
    "FATAL:  authentification par mot de passe échouée pour l'utilisateur « app »",
    "FATAL:  la autentificación password falló para el usuario «app»",
    'ВАЖНО:  пользователь "app" не прошёл проверку подлинности (по паролю)',
    'FATAL:  ユーザー"app"のパスワード認証に失敗しました',
    '致命错误:  用户 "app" Password 认证失败',
    "FATAL:  SASL authentication failed",  # PgBouncer
]
OTHERS = [
    'FATAL:  database "shop" does not exist',
    "FATAL:  sorry, too many clients already",
    "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
    "FATAL:  the database system is starting up",
    "FATAL:  das Datenbanksystem startet",
    "server closed the connection unexpectedly",
    "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
    'could not translate host name "app" to address: Name or service not known',
    'FATAL:  database "application" does not exist',
]
AT = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: '


@pytest.mark.parametrize("message", REFUSALS)
def test_a_message_that_names_the_user_is_a_refusal_in_every_language(message):
    assert is_refusal_text(AT + message, "app")


@pytest.mark.parametrize("message", OTHERS)
def test_a_message_about_anything_but_the_login_is_no_refusal(message):
    assert not is_refusal_text(AT + message, "app")


def error(text=REFUSALS[0], *, used_password=True, **attributes):
    raised = OSError(AT + text)
    raised.pgconn = SimpleNamespace(used_password=used_password, user=b"app")
    vars(raised).update(attributes)
    return raised


@pytest.mark.parametrize(
    ("sqlstate", "refused"),
    [("28P01", True), ("28000", True), ("3D000", False), ("53300", False), ("57P03", False)],
)
def test_a_code_decides_where_there_is_one(sqlstate, refused):
    assert is_refusal(error(OTHERS[0], sqlstate=sqlstate)) is refused
    assert is_refusal(error(REFUSALS[0], sqlstate=sqlstate)) is refused


def test_without_a_code_the_server_must_have_asked_for_the_password():
    assert is_refusal(error())
    assert not is_refusal(error(used_password=False))


def test_a_refusal_by_one_of_several_hosts_is_a_refusal():
    lines = [
        f"{AT}Connection refused",
        "Multiple connection attempts failed. All failures were:",
        f"- host: 'a', port: '5432', hostaddr: None: {AT}{REFUSALS[0]}",
        f"- host: 'b', port: '5432', hostaddr: None: {AT}Connection refused",
    ]
    assert is_refusal(error("\n".join(lines), used_password=False))


@pytest.mark.parametrize("other", [OSError("refused"), TimeoutError(), error(pgconn=None)])
def test_an_error_without_a_connection_is_no_refusal(other):
    assert not is_refusal(other)
