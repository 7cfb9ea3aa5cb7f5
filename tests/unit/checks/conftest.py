"""Fixtures of several checks: a store that the profiles of a test read."""

from types import SimpleNamespace

import pytest

from envkit._internal.clock import Deadline
from envkit.sources.memory import MemorySource
from envkit.sources.model import SourceContext
from support.checking import found


@pytest.fixture
def store(project):
    """A store that two environments read, with separate secrets `a` and `b`."""
    source = MemorySource(SourceContext("store", deadline=Deadline(5)))
    declared = '[sources.store]\ntype = "memory"\n[variables]\n'

    def profile(name, variables):
        project.profile(f"{name}.toml", declared + variables)

    def lines(*codes, **arguments):
        return found(*codes, sources={"store": source}, **arguments)

    return SimpleNamespace(put=source.put, profile=profile, lines=lines, source=source)
