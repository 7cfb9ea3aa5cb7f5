"""Versions that are no longer the newest."""


def test_a_pin_that_is_not_the_newest_is_stale(store):
    for password in ("one-password", "two-password", "three-password"):
        store.put("db", {"password": password})
    store.profile(
        "prod",
        'OLD = "{{ store:db?version=2#password }}"\nNEW = "{{ store:db?version=3#password }}"\n'
        'NONE = "{{ store:db#password }}"\n',
    )
    told = "OLD reads store:db?version=2#password, but the store has version 3 [stale-pin, prod]"
    assert store.lines() == [f"profiles/prod.toml:4: {told}"]
    assert store.source.reads == 3, "each version once, and the newest"


def test_a_pin_whose_secret_is_gone_is_not_stale(store):
    store.put("db", {"password": "one-password"})
    store.put("db", {})
    store.profile("prod", 'OLD = "{{ store:db?version=1#password }}"\n')
    assert store.lines() == []


def test_an_offline_check_finds_no_stale_pins(store):
    store.profile("prod", 'OLD = "{{ store:db?version=1#password }}"\n')
    assert store.lines(offline=True) == []
    assert store.source.reads == 0
