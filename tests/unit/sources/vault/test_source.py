"""What the Vault source says before it asks a server; everything else is in tests/live."""

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import EnvkitError, InvalidReferenceError
from envkit.profile.placeholder import parse
from envkit.sources.model import Absent, SourceContext
from envkit.sources.vault.source import VaultSource
from support.process import run_python
from support.vectors import vectors

VECTORS = vectors("unit/sources/vault/source")

TIMEOUT_SECONDS = 20.0  # far longer than any of these needs


def ref(text):
    return parse("{{ vault:" + text + " }}").placeholders[0].operand


def vault(address, **settings):
    """Build a source with a token, and nothing from the environment."""
    settings = {"address": address, "auth": {"token": "no-token"}, **settings}
    return VaultSource(
        SourceContext("vault", settings=settings, deadline=Deadline(TIMEOUT_SECONDS), environ={})
    )


def fetch_one(source, text):
    reference = ref(text)
    return source.fetch([reference]).get(reference, Absent())


def test_hvac_is_not_imported_before_the_first_read():
    program = (
        "import sys\n"
        "from envkit.sources.vault.source import VaultSource\n"
        "from envkit.sources.base import SourceContext\n"
        "from envkit._internal.clock import Deadline\n"
        "from envkit.profile.placeholder import Reference\n"
        "source = VaultSource(SourceContext('vault', deadline=Deadline(1)))\n"
        "source.check(Reference('vault', 'secret/db', 'password'))\n"
        "source.locate(Reference('vault', 'secret/db', 'password'))\n"
        "print({'hvac', 'requests', 'urllib3', 'ssl', 'json'} & set(sys.modules))\n"
    )
    done = run_python(program)
    assert done.stdout == "set()\n"


def test_concurrency_must_be_positive():
    with pytest.raises(EnvkitError, match="1 or more"):
        vault("http://127.0.0.1:1", concurrency=0)


def test_locate_names_mount_path_and_field_without_a_request():
    source = vault("http://127.0.0.1:1", mount="secret", prefix="myapp/prod")
    assert source.locate(ref("db#password")) == "vault:secret/myapp/prod/db#password"
    assert source.locate(ref("/kv/x?version=3#a")) == "vault:kv/x?version=3#a"


@pytest.mark.parametrize(("reference", "message"), VECTORS["references_that_no_vault_could_hold"])
def test_references_that_no_vault_could_have_are_refused(reference, message):
    source = vault("http://127.0.0.1:1")  # nothing is asked
    with pytest.raises(InvalidReferenceError, match=message) as caught:
        source.check(ref(reference))
    assert caught.value.hint
    assert isinstance(fetch_one(source, reference), InvalidReferenceError)
