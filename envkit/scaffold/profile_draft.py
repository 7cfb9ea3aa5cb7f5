"""Draft the text of a project's first profiles. Pure.

A variable of a `.env` file becomes a lookup of its own name, `NAME = "{{ NAME }}"`, because
profiles are committed and values are not. Settings are looked up too, so that the file stays the
one place to change them, and are declared with `secret = false`. Variables that all environments
have go to `base`, which the others extend. These are the variables of `.env.example`; without that
file, those that all `.env` files have in common.
"""

from __future__ import annotations

from typing import NamedTuple

from envkit.dotenv.file import LOCAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

BASE = "base"
ENVIRONMENTS = ("dev", "staging", "prod")
ALIASES = {"dev": "development", "prod": "production"}

EXAMPLES = (".env.example", ".env.sample", ".env.template", ".env.dist")
PLAIN = (".env", ".env.local")
# environments that read a plain .env, so that production never runs on a laptop's values
OWN_MACHINE = ("dev", "development", "local")
# endings after `.env.` that do not name an environment: keys, archives, copies
_COPIES = ("bak", "backup", "old", "orig", "save", "tmp")
_OTHER = ("local", "keys", "vault", "me", BASE, *_COPIES)
COPIES = tuple(f".{ending}" for ending in _COPIES)


class Lookup(NamedTuple):
    """The places where the variables of one environment are looked up.

    Attributes:
        files: the names of `.env` files.
        absent: the variables that are in none of the files yet.
    """

    environment: str
    files: tuple[str, ...]
    absent: tuple[str, ...]


class Draft(NamedTuple):
    """One profile; `lookup` is None if the profile looks nothing up itself."""

    text: str
    lookup: Lookup | None = None


def environments(files: Iterable[str]) -> list[str]:
    """Return the environments of a project: the usual ones, and one per `.env.NAME` file."""
    usual = {*ENVIRONMENTS, *ALIASES.values()}
    names = (
        file.removeprefix(".env.").removesuffix(LOCAL)
        for file in files
        if file not in (*EXAMPLES, *PLAIN)
    )
    return [*ENVIRONMENTS, *sorted({name for name in names if name not in usual})]


def is_dotenv_name(file: str) -> bool:
    """Return whether a file of this name contains variables of an environment or a project."""
    suffix = file.removeprefix(".env.").removesuffix(LOCAL)
    return file in (*EXAMPLES, *PLAIN) or (
        file.startswith(".env.")
        and suffix.replace("-", "_").isidentifier()
        and suffix not in _OTHER
    )


def drafts(
    names: Sequence[str],
    found: Mapping[str, Sequence[str]],
    *,
    settings: Collection[str] = (),
    shared: bool = False,
) -> dict[str, Draft]:
    """Return the profiles of a project, `base` first.

    Args:
        names: the names of the environments.
        found: per `.env` file, the variables that it sets.
        settings: the variables that are not secret.
        shared: whether `.env` has the defaults of all environments, or values of this machine.
    """
    if not found:
        return _samples(names)
    files = {name: _files(name, found, shared=shared) for name in names}
    sets = {name: _union(found.get(file, ()) for file in files[name]) for name in names}
    common = _union(found.get(file, ()) for file in EXAMPLES) or _shared(sets.values())
    result = {BASE: Draft(_BASE + _table(_line(name, settings) for name in common))}
    for name in names:
        own = [variable for variable in sets[name] if variable not in common]
        text = _head(name) + _where(name, files[name])
        if files[name] not in [(own,) for own in _own_files(name)]:
            text += f"\n[sources.dotenv]\npath = {_toml(files[name])}\n"
        if own:
            text += "\n" + _table(_line(variable, settings) for variable in own)
        absent = tuple(variable for variable in common if variable not in sets[name])
        result[name] = Draft(text, Lookup(name, files[name], absent))
    return result


def _samples(names: Sequence[str]) -> dict[str, Draft]:
    """Return sample profiles; one of their environments can run immediately."""
    base = _table(
        (
            f'APP_ENV = {{ type = "enum", choices = {_toml(names)} }}',
            'DATABASE_URL = { type = "url", description = "PostgreSQL, with user and password" }',
        )
    )
    result = {BASE: Draft(_BASE + base)}
    for name in names:
        if name in OWN_MACHINE:
            url, where, lookup = "postgresql://localhost:5432/app", "", None
        else:
            files = _files(name, {})
            url, where = "{{ DATABASE_URL }}", _where(name, files)
            lookup = Lookup(name, files, ("DATABASE_URL",))
        table = _table((f'APP_ENV = "{name}"', f'DATABASE_URL = "{url}"'))
        result[name] = Draft(f"{_head(name)}{where}\n{table}", lookup)
    return result


def missing_somewhere(
    names: Iterable[str], found: Mapping[str, Sequence[str]], *, shared: bool = False
) -> set[str]:
    """Return the variables that the files of one of the environments do not set."""
    sets = [
        set(_union(found.get(file, ()) for file in _files(name, found, shared=shared)))
        for name in names
    ]
    everywhere = set.intersection(*sets) if sets else set()
    return set(_union(sets)) - everywhere


def unused(found: Iterable[str], drafted: Iterable[str], *, shared: bool = False) -> dict[str, str]:
    """Return the `.env` files that none of the drafted environments reads, each with the reason.

    Args:
        found: the names of the files.
        drafted: the names of the environments.
        shared: as for `drafts`.
    """
    files, names = list(found), list(drafted)
    used = {
        file for name in names for file in _files(name, dict.fromkeys(files, ()), shared=shared)
    }
    return {
        file: "it belongs to this machine, and there is no environment for it"
        if file in PLAIN
        else f"there is no environment {file.removeprefix('.env.').removesuffix(LOCAL)}"
        for file in files
        if file not in used and file not in EXAMPLES
    }


def _own_files(name: str) -> list[str]:
    """Return the files that a source looks for by default; it uses the first that exists."""
    return [f".env.{each}" for each in (name, ALIASES.get(name)) if each]


def _files(
    name: str, found: Mapping[str, Sequence[str]], *, shared: bool = False
) -> tuple[str, ...]:
    """Return the files that an environment reads; the last one wins.

    These are its own files. On a developer's machine, the plain files come first, which is the
    order in which web frameworks read them. Elsewhere, only a shared `.env` does.
    """
    names = _own_files(name)
    own = next((file for file in names if file in found or file + LOCAL in found), names[0])
    plain = PLAIN if name in OWN_MACHINE else PLAIN[:1] if shared else ()
    cascade = [*plain, own, own + LOCAL]
    return tuple(file for file in cascade if file in found) or (own,)


def _union(lists: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for names in lists for name in names))


def _shared(lists: Iterable[Sequence[str]]) -> list[str]:
    """Return the names that are in every non-empty list."""
    full = [names for names in lists if names]
    return [name for name in full[0] if all(name in names for names in full)] if full else []


_BASE = """\
# The variables that every environment has in common, and what each must look like:
#   PORT = { type = "port", description = "where the app listens" }

"""
_ELSEWHERE = """\
# To read them from Vault instead:
#
#   lookup = ["vault"]
#
#   [sources.vault]
#   address = "https://vault.example.com:8200"
#   mount = "secret"
#   prefix = "myapp/{name}"
"""


def _head(name: str) -> str:
    alias = f'aliases = ["{ALIASES[name]}"]\n' if name in ALIASES else ""
    return f'extends = "{BASE}"\n{alias}'


def _where(name: str, files: Sequence[str]) -> str:
    places = f"{', '.join(files)}, then in the process environment"
    elsewhere = "" if name in OWN_MACHINE else _ELSEWHERE.format(name=name)
    return f"\n# {{{{ NAME }}}} is looked up in {places}.\n{elsewhere}"


def _toml(texts: Sequence[str]) -> str:
    """Return a list in TOML, or its only item."""
    quoted = [f'"{text}"' for text in texts]
    return quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"


def _line(name: str, settings: Collection[str]) -> str:
    value = f'"{{{{ {name} }}}}"'
    return (
        f"{name} = {{ value = {value}, secret = false }}"
        if name in settings
        else f"{name} = {value}"
    )


def _table(lines: Iterable[str]) -> str:
    return "[variables]\n" + "".join(f"{line}\n" for line in lines)
