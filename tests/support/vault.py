"""The source for Vault on a real server, without the environment of this process."""

import traceback

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import EnvkitError
from envkit.profile.placeholder import parse
from envkit.secret import Secret
from envkit.sources.model import Absent, Reading, SourceContext
from envkit.sources.vault.source import VaultSource

CANARY = "canary-7d1e44ab"  # a part of values and of answers; no error may show it
TIMEOUT_SECONDS = 20.0  # far beyond what any test needs
BRIEF_SECONDS = 2  # only the deadline ends the request


def vault(
    address,
    token="no-token",
    *,
    timeout_seconds=TIMEOUT_SECONDS,
    environ=None,
    root=".",
    **settings,
):
    """Build a source, by default with a token and nothing from the environment."""
    settings = {"address": address, "auth": {"token": token}, **settings}
    return VaultSource(
        SourceContext(
            "vault",
            settings={name: given for name, given in settings.items() if given is not None},
            deadline=Deadline(timeout_seconds),
            environ=environ or {},
            root=str(root),
        )
    )


def ref(text):
    return parse("{{ vault:" + text + " }}").placeholders[0].operand


def fetch_one(source, text="db#password"):
    return source.fetch([ref(text)]).get(ref(text), Absent())


def value_at(source, text="db#password"):
    outcome = fetch_one(source, text)
    assert isinstance(outcome, Reading), outcome
    return outcome.value.reveal()


def values_at(source, *texts):
    """Return the values of several references, fetched at once."""
    outcomes = source.fetch([ref(text) for text in texts])
    return [outcomes[ref(text)].value.reveal() for text in texts]


def write(source, text, value, expected="1"):
    secret = value if isinstance(value, Secret) else Secret(value)
    return source.write(ref(text), secret, expected=expected)


def assert_clean(error, *hidden):
    """Check that an error shows no value, token or body to a person or in a log."""
    assert isinstance(error, EnvkitError)
    shown = "".join([repr(vars(error)), *traceback.format_exception(error)])
    assert not [secret for secret in (CANARY, "no-token", *hidden) if secret in shown]


def refused(source, kind, *hidden, text="db#password"):
    """Return the error of one reference, and check that it shows nothing hidden."""
    outcome = fetch_one(source, text)
    assert isinstance(outcome, kind), outcome
    assert_clean(outcome, *hidden)
    return outcome


def failing(source, kind, match=None, *hidden, text="secret/db#password"):
    """Return the error of a whole fetch, and check that it shows nothing hidden."""
    with pytest.raises(kind, match=match) as caught:
        fetch_one(source, text)
    assert_clean(caught.value, *hidden)
    return caught.value


def unwritten(source, kind, match=None, *hidden, text="db#password", value=CANARY, expected="1"):
    """Return the error of a write, and check that it shows nothing hidden."""
    with pytest.raises(kind, match=match) as caught:
        write(source, text, value, expected)
    assert_clean(caught.value, *hidden)
    return caught.value
