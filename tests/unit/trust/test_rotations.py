"""What rotations would run and send, as the text of their profile says."""

from __future__ import annotations

import pytest

from envkit.profile.loader import load
from envkit.trust.rotations import of_rotation, of_secret


@pytest.fixture
def sentences(project):
    def told(*lines, rotator="random", secret="dotenv:X", top="", of=of_rotation):
        table = f'secret = "{secret}"\nrotator = "{rotator}"\nevery = "30d"'
        project.profile("prod.toml", "\n".join([top, "[rotation.db]", table, *lines]) + "\n")
        profile = load("prod", str(project.profiles))
        return [one.sentence for one in of(profile, "db", {})]

    return told


def test_a_rotation_that_runs_and_sends_nothing_needs_no_trust(sentences):
    assert sentences() == []
    hook = 'notify = { webhook = "http://127.0.0.1:8080/x", key = "{{ dotenv:K }}" }'
    assert sentences(hook) == []
    assert sentences('target = { user = "deploy" }', rotator="aws-iam-key") == []
    assert sentences('target = { cache_age = "1m" }', rotator="keyring") == []


def test_the_programs_of_a_rotation_need_trust(sentences):
    found = sentences(
        'before = [["./stop", "a b"]]',
        'after = [["systemctl", "reload", "shop"]]',
        'notify = [{ command = ["./tell"] }]',
        'environment = ["TOKEN"]',
        "[rotation.db.target]",
        'command = ["./rotate"]\nsettings = { a = "{{ env:A }}" }\nenvironment = ["B"]',
        rotator="command",
    )
    assert found == [
        "runs ./stop 'a b' with $TOKEN before db is rotated",
        "runs systemctl reload shop with $TOKEN after db is rotated",
        "runs ./rotate with the pending value of db, {{ env:A }} and $B",
        "runs ./tell with notifications about db and $TOKEN",
    ]


@pytest.mark.parametrize(
    ("rotator", "target", "sent", "where"),
    [
        (
            "postgres",
            'dsn = "postgresql://admin:{{ vault:a#p | urlencode }}@db:5432/app"',
            "{{ vault:a#p }} and ",
            "postgresql://db:5432",
        ),
        ("postgres", 'dsn = "postgresql://admin@db/app"', "$PGPASSWORD and ", "postgresql://db"),
        ("postgres", 'dsn = "{{ env:DSN }}"', "{{ env:DSN }} and ", "{{ env:DSN }}"),
        (
            "redis",
            'url = ["redis://cache-1", "redis://127.0.0.1", "redis://u:secret@cache-2?x=y"]',
            "",
            "redis://cache-1",
        ),
        ("vendor", 'api = "https://api.dev"', "https://api.dev and ", "the plug-in 'vendor'"),
    ],
)
def test_a_rotation_target_needs_trust(sentences, rotator, target, sent, where):
    found = sentences(f"target = {{ {target} }}", rotator=rotator)[0]
    found = found.removesuffix(", in target of [rotation.db]")
    assert found == f"{sent}the new value of db to {where}"


@pytest.mark.parametrize(
    ("dsn", "needs_trust"),
    [
        ("postgresql://admin:{{ dotenv:P | urlencode }}@127.0.0.1/app", False),
        (
            "postgresql://{{ dotenv:U | urlencode }}:x@localhost:5432/{{ dotenv:D | urlencode }}",
            False,
        ),
        ("postgresql:///app", False),
        # each of these may be another host, depending on the file
        ("postgresql://admin:{{ dotenv:P }}@127.0.0.1/app", True),
        ("postgresql://admin:x@127.0.0.1/{{ dotenv:D }}", True),
        ("postgresql://admin:x@127.0.0.1/app?sslmode={{ dotenv:M | urlencode }}", True),
        ("postgresql://admin:x@127.0.0.1{{ dotenv:H | urlencode }}/app", True),
        ("postgresql://admin:x@{{ dotenv:H | urlencode }}/app", True),
        ("host=127.0.0.1 password={{ dotenv:P }}", True),
    ],
)
def test_only_a_target_that_may_be_elsewhere_needs_trust(sentences, dsn, needs_trust):
    found = sentences(f'target = {{ dsn = "{dsn}" }}', rotator="postgres")
    assert (found != []) is needs_trust


def test_a_notice_needs_trust_in_everything_that_it_sends(sentences):
    found = sentences(
        'notify = [{ webhook = "https://hooks.example.com/{{ env:A }}", key = "{{ env:B }}" }, '
        '{ slack = "{{ vault:hooks#slack }}" }]'
    )
    hook = "https://hooks.example.com/{{ env:A }}"
    sent = "notifications about db, {{ env:A }} and a signature made with {{ env:B }}"
    assert found == [
        f"{sent} to {hook}",
        "notifications about db and {{ vault:hooks#slack }} to {{ vault:hooks#slack }}",
    ]


def test_the_sources_of_a_target_need_trust(sentences):
    top = (
        '[sources.vault]\naddress = "https://vault.example.com"\n'
        '[variables]\nDSN = "{{ vault:a#dsn }}"\n'
    )
    found = sentences('target = { dsn = "{{ DSN }}" }', rotator="postgres", top=top)
    assert "$VAULT_TOKEN to https://vault.example.com" in found


def test_status_of_a_rotation_needs_trust_only_in_its_store(sentences):
    top = '[sources.vault]\naddress = "https://vault.example.com"\n'
    hook = 'before = [["./stop"]]'
    found = sentences(hook, secret="vault:a#b", top=top, of=of_secret)
    assert found == ["$VAULT_TOKEN to https://vault.example.com"]


def test_an_invalid_table_is_left_to_its_parser(sentences):
    assert sentences("before = [1]", "notify = 3", 'target = "x"', secret="???", top="") == []


# ---------------------------------------------------------------- meaning of a name

ADMIN = "{{ vault:pg#admin | urlencode }}"


@pytest.mark.parametrize(
    ("variables", "dsn", "sent", "where"),
    [
        (
            [f'DSN = "postgresql://admin:{ADMIN}@db.example.com/x"'],
            "{{ DSN }}",
            "{{ vault:pg#admin }}",
            "postgresql://db.example.com",
        ),
        (
            ['HOST = "db.example.com"'],
            f"postgresql://admin:{ADMIN}@{{{{ HOST }}}}/x",
            "{{ vault:pg#admin }}",
            "postgresql://db.example.com",
        ),
        (
            ['DSN = { value = "{{ env:DSN }}", default = "postgresql://a:b@db/x" }'],
            "{{ DSN }}",
            "$PGPASSWORD, {{ env:DSN }}",
            "{{ DSN }} with DSN = {{ env:DSN }} or postgresql://a:***@db/x",
        ),
        (
            ['DSN = "  postgresql://a:b@{{ H }}/x"', 'H = "{{ dotenv:H }}"'],
            "{{ DSN | trim }}",
            "$PGPASSWORD, {{ dotenv:H }}",
            "{{ DSN | trim }} with DSN =   postgresql://a:***@{{ dotenv:H }}/x",
        ),
    ],
)
def test_a_target_is_described_with_its_variables_resolved_to_references(
    sentences, variables, dsn, sent, where
):
    top = "\n".join(["[variables]", *variables])
    found = sentences(f'target = {{ dsn = "{dsn}" }}', rotator="postgres", top=top)
    assert found == [f"{sent} and the new value of db to {where}"]


def test_a_webhook_is_described_with_its_variables_resolved_to_references(sentences):
    top = '[variables]\nHOOK = "https://{{ HOST }}/{{ env:A }}"\nHOST = "hooks.example.com"\n'
    found = sentences('notify = { webhook = "{{ HOOK }}", key = "{{ HOOK }}" }', top=top)
    hook = "https://hooks.example.com/{{ env:A }}"
    sent = "notifications about db, {{ env:A }} and a signature made with {{ env:A }}"
    assert found == [f"{sent} to {hook}"]


@pytest.mark.parametrize(
    ("top", "reference", "shown"),
    [
        ('lookup = ["vault"]\n', "TOKEN", "{{ vault:#TOKEN }}"),
        ('[sources.vault]\nmount = "kv"\nprefix = "p"\n', "vault:a#b", "{{ vault:/kv/p/a#b }}"),
        ('[sources.aws]\nprefix = "prod/"\n', "aws:a#b", "{{ aws:/prod/a#b }}"),
        ('[sources.aws]\nprefix = "prod/"\n', "aws:/a#b", "{{ aws:/a#b }}"),
    ],
)
def test_a_credential_is_described_by_its_reference(sentences, top, reference, shown):
    target = f"[rotation.db.target]\ncommand = ['x']\nsettings = {{ a = '{{{{ {reference} }}}}' }}"
    found = sentences(target, rotator="command", top=top)
    assert found == [f"runs x with the pending value of db and {shown}"]


def test_variables_that_double_each_other_are_limited(sentences):
    doubling = [f'V{n} = "{{{{ V{n + 1} }}}}{{{{ V{n + 1} }}}}"' for n in range(40)]
    top = "\n".join(["[variables]", *doubling, 'V40 = ""'])
    assert sentences('target = { dsn = "{{ V0 }}" }', rotator="postgres", top=top)


def test_variables_that_need_each_other_are_limited(sentences):
    top = '[variables]\nA = "{{ B }}{{ A }}"\nB = "{{ A | trim }}"\n'
    assert sentences('target = { dsn = "{{ A }}" }', rotator="postgres", top=top)
