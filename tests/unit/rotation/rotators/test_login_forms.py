"""Each form of a login: reading, writing and reading back, refusals."""

import json

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from envkit.errors import RotationError
from envkit.rotation.rotators.login import Login, StoredLogin, login_of, with_login
from envkit.rotation.rotators.login_forms.hosts import Host, hosts_of, share_a_server
from envkit.rotation.rotators.login_forms.parts import FORMS
from envkit.secret import Secret

# a text with the user {u} and the password {p}, as spelled for `old` and `first`
TEXTS = [
    "postgresql://{u}:{p}@db:5432/app?sslmode=require&options=-c%20x%3Dy",
    "postgres://{u}:{p}@h1:5432,h2:5433/app?target_session_attrs=read-write",
    "redis://{u}:{p}@cache:6379/0#fragment@x",
    "rediss://{u}:{p}@[::1]:6379",
    "mongodb+srv://{u}:{p}@cluster.example/?retryWrites=true",
    "x://{u}:{p}@",
    "postgresql://{u}@db/app?password={p}",
    "postgresql:///app?user={u}&password={p}&host=h1,h2&port=1,2",
    "jdbc:postgresql://db:5432/app?user={u}&password={p}&ssl=true",
    "jdbc:postgresql:app?password={p}&user={u}",
    "host=db port=5432 user={u} password={p} sslmode=require",
    "  host = 'a b'  user={u}\tpassword = {p}\n",
    "Host=db;Port=5432;Username={u};Password={p};SSL Mode=Require",
    "Server=tcp:db,1433; User ID = {u} ; pwd={p} ;Encrypt=yes;",
    'Host="a;b";Uid={u};PWD={p}',
]
JSON = '{{ "engine": "pg", "host": "db",\n "port": 5432, "username": "{u}", "password": "{p}"}}\n'
STACKEXCHANGE = "cache:6379,cache2:6380,password={p},user={u},ssl=true"

HARD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
hard_values = (
    *(" ", "  x ", "a'b\"c", "a;b", "a,b", "%41", "a@b", "pässwörd 密码", "a=b", "\\", "a\\", "''"),
    *('"', "a&b", "+", "#?/:", "{", "}", "\n", "\t", "password=x", "a://b", "=", ";;", "=="),
)


def hard(test):
    for value in hard_values:
        test = example(user=value, password=value)(test)
    return settings(max_examples=25)(given(user=HARD, password=HARD)(test))


def round_trip(text, user, password):
    old = text.format(u="old", p="first")
    assert login_of(old)[:2] == ("old", Secret("first"))
    new = with_login(old, Login(user, Secret(password))).reveal()
    assert login_of(new)[:2] == (user, Secret(password))
    assert login_of(new).hosts == login_of(old).hosts
    for rest in text.replace("{p}", "{u}").split("{u}"):
        assert rest.format() in new
    assert with_login(new, Login("old", Secret("first"))).reveal() == old
    assert with_login(old, Login("old", Secret("first"))).reveal() == old


@pytest.mark.parametrize("text", [*TEXTS, JSON])
@hard
def test_a_written_login_is_read_back_and_the_rest_is_preserved(text, user, password):
    assume(user)
    round_trip(text, user, password)


@hard
def test_a_form_without_quoting_refuses_what_it_cannot_contain(user, password):
    assume(user)
    if any("," in one or one != one.strip() for one in (user, password)):
        with pytest.raises(RotationError, match="cannot represent this login"):
            round_trip(STACKEXCHANGE, user, password)
    else:
        round_trip(STACKEXCHANGE, user, password)


@pytest.mark.parametrize(
    ("text", "user", "password", "hosts"),
    [
        ("redis://:p%40ss@cache", "", "p@ss", [Host("cache")]),
        ("postgresql://app:p:a:ss@db/x", "app", "p:a:ss", [Host("db")]),
        ("postgresql://app:p@ss@db/x", "app", "p@ss", [Host("db")]),  # as people write it
        ("postgresql://a%2Fb:%2B+@db:1/x", "a/b", "++", [Host("db", 1)]),
        ("postgresql://u:p@%2Frun%2Fpg/x", "u", "p", [Host("/run/pg")]),
        ("postgresql://u:p@ignored/x?host=a,b&port=7", "u", "p", [Host("a", 7), Host("b", 7)]),
        ("x://u:p@h/path?to=me@example.com", "u", "p", [Host("h")]),
        (
            "jdbc:postgresql://[::1]:1,b/x?user=a&password=c+d%2B",
            "a",
            "c d+",
            [Host("::1", 1), Host("b")],
        ),
        ('{"password":"p","user":"","username":"u"}', "u", "p", []),
        (r"user=a password='it\'s \\ ' host=/run", "a", r"it's \ ", [Host("/run")]),
        (r"password=a\ b\'c user=u hostaddr=::1", "u", "a b'c", [Host("::1")]),
        ("host=a,b port=1,2 user=u password=a;b,c", "u", "a;b,c", [Host("a", 1), Host("b", 2)]),
        ("host=a user=u password=", "u", "", [Host("a")]),
        ("host=a hostaddr=::1 port=7 user=u password=p", "u", "p", [Host("::1", 7)]),
        ("postgresql://u:p@a:7/x?hostaddr=10.0.0.1", "u", "p", [Host("10.0.0.1")]),
        ("service=a user=u password=p", "u", "p", [Host("service a")]),
        ("postgresql://u:p@/x?service=a", "u", "p", [Host("service a")]),
        ('{"password":"p","user":"u","port":7,"endpoint":"h"}', "u", "p", [Host("h", 7)]),
        ('{"password":"p","user":"u","hostname":"h:1"}', "u", "p", [Host("h", 1)]),
        ('Data Source=a,1433;User Id=u;Password="a;""b"', "u", 'a;"b', [Host("a", 1433)]),
        ("SERVER=a:1,b;uid=u;Pwd='it''s';Port=2", "u", "it's", [Host("a", 1), Host("b", 2)]),
        ("Host=a;User=u;Password= a b ;", "u", "a b", [Host("a")]),
        ("cache,user=u,password=a=b", "u", "a=b", [Host("cache")]),
        (
            '{"password":"\\u00e4\\"","user":"u","port":"6379","host":"h"}',
            "u",
            'ä"',
            [Host("h", 6379)],
        ),
    ],
)
def test_login_of_finds_user_password_and_hosts(text, user, password, hosts):
    assert login_of(text) == Login(user, Secret(password), tuple(hosts))


@pytest.mark.parametrize(
    "text",
    [
        "redis://cache:6379",
        "redis://canary@cache",
        "postgresql://app:can/ary@db/x",
        "postgresql://app:1/canary@db/x",
        "postgresql://app:a@db/x?password=canary",
        "https://example.com/?u=a:canary@c",
        "jdbc:postgresql://u:canary@db/x",
        "jdbc:sqlserver://db:1433;user=a;password=canary",
        "jdbc:postgresql://db/x",
        "before postgresql://a:canary@db",
        "password=canary",
        "password=canary;user=a sslmode=require",
        "host=db user=a",
        "host=db user=a password='canary",
        "host=db user=a password=x password=canary",
        "host=a,b port=1,2,3 user=u password=canary",
        "Host=db;Username=a",
        'Host=db;Password="canary',
        "Host=db;Port=x;Password=canary;Uid=a",
        "host:6379,user=canary",
        "host:6379,canary",
        "Server=db",
        "DSN=canary",
        "PGPASSWORD=canary psql",
        "password: canary",
        "app:canary@tcp(db:3306)/x",
        "app:canary@db:5432/x",
        "<add name='x' connectionString='canary'/>",
        '{"password": 5}',
        '{"Password": "canary"}',
        '{"password": "canary"',
        '{"password": "canary"} x',
        '{"password": "canary", "password": "other"}',
        '{"password": "canary", "port": "x", "host": "h"}',
        '{"password": "canary", "url": "postgresql://a:canary@db/x"}',
        '{"password": "canary", "username": "a", "user": "b"}',
        "{}",
        '["canary"]',
        '"canary"',
        "(DESCRIPTION=(ADDRESS=(HOST=db))(CONNECT_DATA=(PASSWORD=canary)))",
        "db:5432:x:app:canary",
        "*:*:*:other:canary",
        "app:canary",
        "app/canary@db:1521/x",
        "other/canary@//db/x",
        "app canary",
        "//other:canary@db/x",
        "export REDIS_AUTH=canary",
        "DB_PASS=canary",
        "Basic canary",
        "psql -h canary",
    ],
)
def test_a_connection_that_envkit_does_not_understand_is_refused(text):
    stored = StoredLogin("value", user="app")
    fields = {"value": Secret(text)}
    for call in (
        lambda: stored.read(fields),
        lambda: stored.write(fields, Login("a", Secret("b"))),
    ):
        with pytest.raises(RotationError) as caught:
            call()
        assert "canary" not in f"{caught.value.message} {caught.value.hint}"
        assert all(form in caught.value.hint for form in FORMS)


@pytest.mark.parametrize("text", ["hunter2", "a=b", "x;y=z", "a,b", "[x", "p@ss:w/rd", " x "])
def test_a_password_without_a_form_is_a_login(text):
    stored = StoredLogin("value", user="app")
    assert stored.read({"value": Secret(text)}) == Login("app", Secret(text))
    assert stored.write({"value": Secret(text)}, Login("app", Secret("new")))["value"] == Secret(
        "new"
    )


def test_deeply_nested_json_does_not_crash():
    with pytest.raises(RotationError):
        login_of('{"a":' * 100_000)


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=4))
def test_other_members_of_a_json_login_are_preserved(members):
    assume(members.keys().isdisjoint({"user", "host", "port"}))
    members = {**members, "username": "old", "password": "the first one"}
    new = with_login(json.dumps(members), Login("old", Secret("the next one"))).reveal()
    assert json.loads(new) == {**members, "password": "the next one"}


@pytest.mark.parametrize(
    ("ones", "others", "same"),
    [
        ("db", "DB:5432", True),
        ("db.", "db", True),
        ("a,b", "c,b:5432", True),
        ("localhost", "127.0.0.1", True),
        ("[::1]:5432", "localhost", True),
        ("/run/postgresql", "localhost", True),
        ("db", "db:5433", False),
        ("db", "db.internal", False),
        ("a", "b,c", False),
    ],
)
def test_servers_are_compared_as_they_are_written(ones, others, same):
    assert share_a_server(hosts_of(ones), hosts_of(others), 5432) is same
    assert share_a_server(hosts_of(others), hosts_of(ones), 5432) is same
