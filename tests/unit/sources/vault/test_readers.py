"""Policies of Vault: their text, and what they allow; `tests/live/test_access.py` asks a server."""

from __future__ import annotations

import json

import pytest

from envkit.sources.vault.readers.policy_text import Rule, parse_policy
from envkit.sources.vault.readers.rights import ON_SECRET, capabilities, may_match, rights

READ = frozenset({"read"})


@pytest.mark.parametrize(
    "text",
    [
        'path "kv/data/shop" { capabilities = ["read"] }',
        'path "/kv/data/shop" {\n  capabilities = [\n    "read", # why\n  ]\n}\n',
        '// why\n/* path */ path "kv/data/shop" { capabilities : ["read"] }',
        'name = "x"\npath "kv/data/shop" { capabilities = ["read"], comment = "why" }',
        'path "kv/data/shop" { capabilities = ["read"] pagination_limit = 7 }',
        json.dumps({"path": {"kv/data/shop": {"capabilities": ["read"]}}}),
        json.dumps({"path": [{"kv/data/shop": [{"capabilities": ["read"]}]}]}),
    ],
)
def test_a_policy_is_parsed_in_each_form_that_the_server_accepts(text):
    assert parse_policy(text) == [Rule("kv/data/shop", READ)]


@pytest.mark.parametrize(
    "written",
    [
        'min_wrapping_ttl = "1s"',
        'allowed_parameters = { "*" = [] }',
        'denied_parameters { "a" = ["}"] }',
        'required_parameters = ["version"]',
        'expiration = "2030-01-01T00:00:00Z"',
        'of_a_later_release = "x"',
    ],
)
def test_the_conditions_of_a_rule_are_named(written):
    (rule,) = parse_policy(f'path "kv/data/shop" {{ capabilities = ["read"] {written} }}')
    assert rule == Rule("kv/data/shop", READ, (written.split()[0],))


def on_secret(found):
    return rights({"kv/a": ON_SECRET}, lambda _: found)


def test_the_older_form_of_a_policy_means_its_capabilities():
    (rule,) = parse_policy('path "a" { policy = "write" }')
    assert on_secret(rule.capabilities) == ("read", "write", "delete")
    assert parse_policy('path "a" { policy = "deny" }') == [Rule("a", frozenset({"deny"}))]


def test_an_empty_policy_has_no_rules():
    assert parse_policy("") == parse_policy("# nothing\n") == []


@pytest.mark.parametrize(
    "text",
    [
        'path "a" { capabilities = ["read"]',
        'path "a" { capabilities = "read" }',
        'path { capabilities = ["read"] }',
        'path "a" ["read"]',
        'path "a" { capabilities = [1; 2] }',
        '{"path": "a"}',
        "{",
    ],
)
def test_text_that_is_not_a_policy_is_an_error(text):
    with pytest.raises(ValueError, match=r"."):
        parse_policy(text)


def rules(**patterns):
    return [Rule(path, frozenset(found.split())) for path, found in patterns.items()]


@pytest.mark.parametrize(
    ("patterns", "allowed"),
    [
        ({}, ""),
        ({"kv/data/shop/db": "read"}, "read"),
        ({"kv/data/*": "read"}, "read"),
        ({"kv/data/shop/+": "read"}, "read"),
        ({"kv/+/shop/db": "read"}, "read"),
        ({"kv/data/shop/d*": "read"}, "read"),
        ({"+/+/+/+": "read"}, "read"),
        ({"kv/data/shop": "read"}, ""),
        ({"kv/data/shop/": "read"}, ""),
        ({"kv/data/+": "read"}, ""),
        ({"kv/data/shop/d+": "read"}, ""),
        ({"kv/data/*/db": "read"}, ""),  # a glob is a glob only at the end
        ({"*": "read", "kv/data/shop/db": "deny"}, ""),
        ({"*": "deny", "kv/data/shop/db": "read"}, "read"),
        ({"kv/data/*": "read", "kv/data/shop/*": "update"}, "update"),
        ({"kv/+/shop/*": "read", "kv/data/*": "update"}, "update"),
        ({"kv/data/{{identity.entity.name}}/db": "read"}, ""),
        ({"*": "read deny"}, ""),
    ],
)
def test_the_most_specific_rule_decides(patterns, allowed):
    assert capabilities(rules(**patterns), "kv/data/shop/db") == frozenset(allowed.split())


def test_rules_of_several_policies_for_one_pattern_add_up_and_deny_wins():
    both = [*rules(**{"kv/*": "read"}), *rules(**{"kv/*": "update"})]
    assert on_secret(capabilities(both, "kv/a")) == ("read", "write")
    assert capabilities([*both, *rules(**{"kv/*": "deny"})], "kv/a") == frozenset()


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("kv/data/{{identity.entity.name}}/db", True),
        ("kv/data/{{identity.entity.name}}/*", True),
        ("{{identity.entity.id}}*", True),
        ("kv/data/{{identity.entity.name}}/cache", False),
    ],
)
def test_a_rule_with_a_template_may_match_for_someone(pattern, matches):
    assert may_match(pattern, "kv/data/shop/db") is matches


def test_root_may_do_everything():
    assert on_secret(["root"]) == ("read", "write", "delete")
