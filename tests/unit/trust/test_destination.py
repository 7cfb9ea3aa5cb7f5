"""Destinations: what is asked for, in a sentence, and what of it is new."""

from __future__ import annotations

from envkit.trust.destination import LOAD, READ, RUN, SEND, Destination, left_over, merged

VAULT = "https://vault.example.com:8200"


def test_a_destination_is_described_in_a_sentence():
    sentences = [
        Destination(SEND, VAULT, ("$VAULT_TOKEN",)).sentence,
        Destination(SEND, "http://vault:8200", ("a", "b", "c"), plain=True).sentence,
        Destination(SEND, VAULT).sentence,
        Destination(READ, "/etc/ca.pem", (), "for ca_cert of [sources.vault]").sentence,
        Destination(RUN, "./rotate.sh", ("the pending value of db-password",)).sentence,
        Destination(LOAD, "PATH", ("/bin",), "shells look for programs in it").sentence,
    ]
    assert sentences == [
        f"$VAULT_TOKEN to {VAULT}",
        "a, b and c to http://vault:8200 (unencrypted)",
        f"requests to {VAULT}",
        "reads /etc/ca.pem, outside the project, for ca_cert of [sources.vault]",
        "runs ./rotate.sh with the pending value of db-password",
        "sets PATH to /bin (shells look for programs in it)",
    ]


def test_a_summary_shows_no_more_of_an_address_than_necessary():
    hook = Destination(SEND, "https://hooks.example.com/T0/secret", ("x",), shown="the webhook")
    assert hook.summary == "x to the webhook"
    assert "secret" in hook.sentence


def test_lookalike_letters_are_distinguished():
    assert "v\\u0430ult" in Destination(SEND, "https://v\u0430ult.example.com").sentence


def test_merged_destinations_list_everything_that_goes_there():
    both = merged(
        [
            Destination(SEND, VAULT, ("a",), "first"),
            Destination(READ, VAULT),
            Destination(SEND, VAULT, ("b", "a"), "second"),
        ]
    )
    assert both == [
        Destination(SEND, VAULT, ("a", "b"), "first; second"),
        Destination(READ, VAULT),
    ]


def test_only_destinations_that_were_not_allowed_are_left_over():
    wanted = Destination(SEND, VAULT, ("a", "b"))
    assert left_over(wanted, []) == wanted
    assert left_over(wanted, [Destination(RUN, VAULT, ("a", "b"))]) == wanted
    assert left_over(wanted, [Destination(SEND, VAULT, ("b", "c"))]) == wanted._replace(gets=("a",))
    assert left_over(wanted, [Destination(SEND, VAULT, ("a", "b"))]) is None
    assert left_over(Destination(SEND, VAULT), [wanted]) is None
