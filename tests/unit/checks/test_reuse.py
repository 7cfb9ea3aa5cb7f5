"""Secrets that two environments share."""

from envkit.checks.run import check


def test_a_secret_in_two_environments_is_reused(store):
    store.put("a", {"key": "a-long-secret"})
    store.put("b", {"key": "a-long-secret"})
    store.profile("dev", 'KEY = "{{ store:a#key }}"\n')
    store.profile("prod", 'KEY = "{{ store:b#key }}"\n')
    assert store.lines("reused") == [
        "profiles/dev.toml:4: KEY is the same secret in dev and prod [reused, dev and prod]"
    ]
    [problem] = check(environ={}, sources={"store": store.source}).problems
    assert problem.hint == "give dev its own value: envkit set KEY --env dev"


def test_a_secret_under_another_name_or_inside_a_url_is_reused(store):
    store.put("a", {"key": "a-long-secret"})
    store.profile("dev", 'KEY = "{{ store:a#key }}"\n')
    store.profile("prod", 'URL = "redis://:{{ store:a#key }}@cache/0"\n')
    told = "the same secret is KEY in dev and the password of URL in prod [reused, dev and prod]"
    assert store.lines("reused") == [f"profiles/dev.toml:4: {told}"]


def test_a_single_environment_reuses_nothing(store):
    store.put("a", {"key": "a-long-secret"})
    store.profile("dev", 'KEY = "{{ store:a#key }}"\nSAME = "{{ store:a#key }}"\n')
    assert store.lines("reused") == []
