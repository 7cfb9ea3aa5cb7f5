"""Who can read what an environment uses, as far as its stores tell. Reads no value.

    found = find_readers(prepare(["prod"], environ=os.environ, deadline=deadline))
    for one in found.secrets: print(one.readers.place, one.variables, one.readers.readers)

An answer never claims to be complete: what a store does not tell is listed beside it.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit._internal.paths import display_path
from envkit.access.files import file_readers
from envkit.errors import EnvkitError
from envkit.sources.dotenv import DotenvSource
from envkit.sources.protocols import ReaderList
from envkit.sources.readers import Readers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envkit.profile.placeholder import Reference
    from envkit.resolution.prepare import PreparedProfile
    from envkit.sources.protocols import Source

_PROCESS = "the environment of the process: other processes of the same user and root can read it"


class StoredSecret(NamedTuple):
    """A secret or file that an environment reads.

    Attributes:
        profile: the name of the profile.
        variables: the variables that are built from it.
        readers: who can read it.
    """

    profile: str
    variables: tuple[str, ...]
    readers: Readers


class Found(NamedTuple):
    """The secrets of environments, and the stores that failed."""

    secrets: list[StoredSecret]
    errors: list[EnvkitError]


def find_readers(prepared: Sequence[PreparedProfile]) -> Found:
    """Return who can read the secrets behind the variables of profiles."""
    found = Found([], [])
    for one in prepared:
        for name, references in one.plan.references.items():
            source = one.sources[name]
            kind = one.profile.sources[name].type
            try:
                told = list(_told(source, references, kind))
            except EnvkitError as error:
                found.errors.append(error)
                told = [Readers(name, (), (error.message,))]
            for readers in told:
                variables = tuple(_variables(one, source, readers.place))
                found.secrets.append(StoredSecret(one.profile.name, variables, readers))
    return found


def _told(source: Source, references: Sequence[Reference], kind: str) -> Iterator[Readers]:
    if isinstance(source, DotenvSource):
        for path in dict.fromkeys(path for ref in references for path in source.files(ref)):
            yield file_readers(path)
    elif isinstance(source, ReaderList):
        yield from source.readers(references)
    elif kind == "env":
        yield Readers(source.name, (), (_PROCESS,))
    else:
        yield Readers(
            source.name, (), (f"sources of type '{kind}' do not reveal who can read them",)
        )


def _variables(one: PreparedProfile, source: Source, place: str) -> Iterator[str]:
    """Yield the selected variables that are built from a secret."""
    for variable in one.plan.order:
        if variable.name not in one.plan.selected:
            continue
        for references in variable.references.values():
            mine = [ref for ref in references if ref.source == source.name]
            if any(_is_at(source, ref, place) for ref in mine):
                yield variable.name
                break


def _is_at(source: Source, ref: Reference, place: str) -> bool:
    if isinstance(source, DotenvSource):
        return any(display_path(path) == place for path in source.files(ref))
    where = source.locate(ref).partition("#")[0].partition("?")[0]
    return place in (source.name, where)
