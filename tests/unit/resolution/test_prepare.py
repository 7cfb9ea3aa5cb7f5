"""What happens before a store is asked: names and references are checked, sources opened."""

import pytest

from envkit._internal.clock import Deadline
from envkit.errors import AbsentError, AuthError, UsageError
from envkit.profile.loader import load
from envkit.resolution.failing_source import open_or_fail
from envkit.resolution.fetch import ask
from envkit.resolution.prepare import prepare, prepare_profile
from support.shelf import Shelf, reference

CLOSED = """
[sources.vault]
address = "{{ env:NOT_SET }}"
[variables]
A = "{{ vault:db#a }}"
B = "b"
"""


class Counting(Shelf):
    """A shelf that remembers which references it was asked to check."""

    def __init__(self):
        super().__init__()
        self.checked = []

    def check(self, ref):
        self.checked.append(str(ref))
        super().check(ref)


def prepared(*environments, **options):
    options = {"profiles": None, "environ": {}, "deadline": Deadline(15), **options}
    return prepare(environments, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"only": ["AA"]},
        {"exclude": ["AA"]},
        {"only": ["A,AA"]},
        {"names": ["AA"]},
        {"only": ["Q*"]},
    ],
)
def test_an_unknown_name_is_refused_before_a_source_is_opened(project, options):
    project.profile("prod.toml", CLOSED)
    with pytest.raises(AbsentError, match="NOT_SET"):
        prepared("prod")
    with pytest.raises(UsageError, match=r"no variable .* prod"):
        prepared("prod", **options)


def test_a_reference_that_several_variables_share_is_checked_once(project):
    project.profile(
        "prod.toml",
        '[sources.shelf]\ntype = "memory"\n[variables]\n'
        'A = "{{ shelf:a }}{{ shelf:b }}"\nB = "{{ shelf:a }}"\n',
    )
    shelf = Counting()
    prepared("prod", sources={"shelf": shelf})
    assert shelf.checked == ["shelf:a", "shelf:b"]


def test_open_or_fail_replaces_a_source_that_cannot_be_opened_with_a_failing_one(project):
    profile = load("prod", str(project.profile("prod.toml", CLOSED).parent))
    options = {"environ": {}, "deadline": Deadline(15)}
    with pytest.raises(AbsentError, match="NOT_SET"):
        prepare_profile(profile, ["A", "B"], **options)
    one = prepare_profile(profile, ["A", "B"], **options, open_=open_or_fail)
    ref = reference("vault:db#a")
    assert one.locate(ref) == "vault:db#a"
    outcome = ask(one.sources["vault"], [ref])[ref]
    assert isinstance(outcome, AuthError)
    assert "NOT_SET" in outcome.message
