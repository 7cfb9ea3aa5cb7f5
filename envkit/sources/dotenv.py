"""`.env` files as a store.

    [sources.dotenv]
    type = "dotenv"
    path = [".env.shared", ".env.staging"]   # a later one wins; default: `.env.<environment>`

Without `path`, the file is `.env.<environment>` beside the `profiles/` folder or, if that does
not exist, `.env.<alias>`. envkit never reads another file: not `.env`, and not one in a parent
folder. If a file does not exist, its variables are absent, not failed.

    dotenv:NAME         a variable in the source's files, like a bare name
    dotenv:FILE#NAME    a variable in another file, relative to the same folder

The version of a value is that of its file: time, size and inode, but nothing of the content.
A write changes one variable under a lock and replaces the file atomically. It saves the old
file beside it (`.env.staging.envkit-previous`, 0600), where it can be read:

    dotenv:?version=previous#NAME

A file with a public key is encrypted, see `envkit.encryption`. A value is decrypted when it is
needed, and one that is written is encrypted. So is the saved copy.

A file may be a link to another file in the project. A link that leads out of the project is
followed only if the user trusts that. The saved copy is never a link.
"""

from __future__ import annotations

import os
import stat

from envkit._internal.files import read_in_project, read_own, real_path, resolved, version_of
from envkit._internal.named_tuple import NamedTuple
from envkit._internal.names import is_name
from envkit._internal.paths import has_loose_link
from envkit.dotenv.file import LIMIT_BYTES, DotenvFile, main_file, parse
from envkit.dotenv.parser import ENCRYPTED, decode
from envkit.errors import ProfileError, SourceError
from envkit.secret import Secret
from envkit.sources.model import WHOLE, Absent, Reading, values_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import ClassVar

    from envkit.dotenv.parser import Definition
    from envkit.encryption.reading import Decrypter
    from envkit.errors import EnvkitError
    from envkit.profile.placeholder import Reference
    from envkit.sources.model import Outcome, SourceContext, Version

PREVIOUS = "previous"  # the name of the saved copy
PREVIOUS_SUFFIX = ".envkit-previous"


class Read(NamedTuple):
    """The result of reading a file."""

    name: str  # as written in the profile
    text: str
    version: str | None  # None if the file does not exist
    content: DotenvFile
    modified_ns: int = 0

    def __repr__(self) -> str:
        return f"Read({self.name})"


class DotenvSource:
    """Reads and writes the `.env` files of one environment.

    Attributes:
        warnings: problems that the owner of the files should fix, without values; set by `fetch`.
        write_warnings: the same, about written values.
        root: the folder that file names are relative to.
    """

    settings: ClassVar[Mapping[str, type | tuple[type, ...]]] = {"path": (str, list)}
    remote = False

    def __init__(self, context: SourceContext) -> None:
        self.name = context.name
        self.warnings: list[str] = []
        self.write_warnings: list[str] = []
        self.root = context.root
        self._environ = values_of(context.environ)
        self._deadline = context.deadline
        shared = context.already_read
        self._known = None if shared is None else shared.setdefault("dotenv", {})
        self._paths = _paths(context)
        self._candidates = [f".env.{name}" for name in (context.environment, *context.aliases)]

    def check(self, ref: Reference) -> None:
        """Refuse a version that files do not have, and an invalid variable name."""
        if ref.is_looked_up:
            return
        variable = _variable(ref)
        plain = is_name(variable) or variable == WHOLE
        plain = plain and "\0" not in ref.path and not _is_of_shell(ref.path)
        if not plain or ref.version or ref.stage:
            from envkit.sources.dotenv_files.errors import check_reference

            check_reference(ref, variable, self.name)

    def locate(self, ref: Reference) -> str:
        """Return `FILE#NAME`, with all files if the source has several."""
        return f"{', '.join(self._names(ref))}#{_variable(ref)}"

    def files(self, ref: Reference) -> list[str]:
        """Return the absolute paths of the files that a reference is looked up in."""
        return [self._path(name) for name in self._names(ref)]

    def fetch(self, refs: Collection[Reference]) -> Mapping[Reference, Outcome]:
        """Read each distinct file once."""
        known = {} if self._known is None else self._known
        usual: list[Read] | None = None  # for references without a file and a version
        outcomes: dict[Reference, Outcome] = {}
        for ref in refs:
            _, path, variable, version, _ = ref
            if path or version is not None or variable is None:
                outcomes[ref] = self._outcome(ref, known)
                continue
            try:
                usual = usual or self._read_all(ref, known)
                outcomes[ref] = _reading(usual, variable) or self._outcome(ref, known)
            except SourceError as error:
                outcomes[ref] = error
        return outcomes

    def write(self, ref: Reference, value: Secret | None, *, expected: str | None) -> str:
        """Set or remove one variable in the file that has it, or in `main_file`."""
        return self.write_group({ref: value}, expected=expected)

    def group(self, ref: Reference) -> str:
        """Return the path of its file; see `GroupWrite`."""
        return self.places(self.file_with(ref))[0]

    def write_group(
        self, values: Mapping[Reference, Secret | None], *, expected: str | None
    ) -> str:
        """Set or remove variables of one file in one write."""
        from envkit.sources.dotenv_files.write import variables_of, write_variables

        variables = variables_of(values, self.check)
        return write_variables(
            self.file_with(next(iter(values))),
            variables,
            places=self.places,
            decrypter=self.decrypter,
            warnings=self.write_warnings,
            expected=expected,
            timeout_seconds=self._deadline.remaining_seconds(),
        )

    def public_keys(self, ref: Reference) -> Sequence[Definition]:
        """Return the public keys of the file that has a variable; usually one or none."""
        return self._file_with(ref).content.public_keys

    def read_variables(
        self, ref: Reference, variables: Iterable[str]
    ) -> tuple[str, str | None, dict[str, Secret]]:
        """Return the file that has a variable, its version, and its values of the variables."""
        read = self._file_with(ref)
        entries = {name: read.content.get(name) for name in variables}
        values = {name: Secret(entry.value) for name, entry in entries.items() if entry is not None}
        return read.name, read.version, values

    def file_with(self, ref: Reference) -> str:
        """Return the path of the file that has a variable, or that a write would add it to."""
        return self._file_with(ref).name

    def place(self, ref: Reference) -> str:
        """Return `FILE#NAME` for the file that has it, or that a write would add it to."""
        return f"{self._file_with(ref).name}#{_variable(ref)}"

    def check_write(self, refs: Collection[Reference]) -> Mapping[Reference, EnvkitError]:
        """Return why files cannot be replaced; see `WriteCheck`."""
        from envkit.sources.dotenv_files.write import refusals

        return refusals({ref: self.file_with(ref) for ref in refs}, self.places)

    def versions(self, refs: Collection[Reference]) -> Mapping[Reference, str | EnvkitError]:
        """Return texts that change with the files of each reference; see `VersionCheck`."""
        from envkit.sources.dotenv_files.versions import versions

        return versions(refs, self._names, self.root, PREVIOUS_SUFFIX)

    def history(self, ref: Reference) -> Sequence[Version]:
        """Return the current version and the copy that the last write saved."""
        from envkit.sources.dotenv_files.history import history

        self.check(ref)
        current = self._file_with(ref)
        copy = self._load(current.name, previous=True)
        return history(current.version, current.modified_ns, copy.version, copy.modified_ns)

    def restore(self, ref: Reference, version: str, *, expected: str | None) -> str:
        """Set one variable to its value before the last write to its file."""
        from envkit.sources.dotenv_files.history import earlier_value

        outcome = self._outcome(ref._replace(version=version), {})
        value = earlier_value(outcome, self.locate(ref), version)
        return self.write(ref, value, expected=expected)

    def _file_with(self, ref: Reference) -> Read:
        """Return the file that has a variable, or the one that a write would add it to."""
        reads = self._read_all(ref, {} if self._known is None else self._known)
        variable = _variable(ref)
        having = (read for read in reversed(reads) if read.content.get(variable) is not None)
        return next(having, _main(reads))

    def _outcome(self, ref: Reference, known: dict[str, Read | SourceError]) -> Outcome:
        try:
            reads = self._read_version(ref, known)
            variable = _variable(ref)
            there = {read.name: read.content for read in reads if read.version is not None}
            if variable == WHOLE and there:
                from envkit.sources.dotenv_files.whole import whole

                return whole(ref, there, reads[-1].version)
            if reading := _reading(reads, variable):
                return reading
        except SourceError as error:
            return error
        reason = f"not in {', '.join(there)}" if there else f"no file {', '.join(self._names(ref))}"
        names = dict.fromkeys(name for read in reads for name in read.content.entries)
        return Absent(reason, _main(reads).version, known=tuple(names))

    def _read_version(self, ref: Reference, known: dict[str, Read | SourceError]) -> list[Read]:
        """Return the files of a reference in the version that it pins."""
        reads = self._read_all(ref, known)
        if ref.version is None:
            return reads
        if ref.version != PREVIOUS:
            return [read if read.version == ref.version else _nothing(read.name) for read in reads]
        previous = [self._read(read.name, known, previous=True) for read in reads]
        return [
            read._replace(version=read.version and PREVIOUS)
            for read in self._expanded(previous, known)
        ]

    def _names(self, ref: Reference) -> list[str]:
        if ref.path and ref.field is not None:
            return [ref.path]
        return self._paths or self._candidates

    def _read_all(self, ref: Reference, known: dict[str, Read | SourceError]) -> list[Read]:
        """Return the files of a reference, the one with precedence last; never empty."""
        names = self._names(ref)
        if names is not self._candidates:
            return self._expanded([self._read(name, known) for name in names], known)
        reads = (self._read(name, known) for name in names)
        first = next((read for read in reads if read.version is not None), None)
        return [first or self._read(names[0], known)]

    def _expanded(self, reads: list[Read], known: dict[str, Read | SourceError]) -> list[Read]:
        """Return files in which `${NAME}` can refer to a variable of an earlier file."""
        found = reads[:1]
        for read in reads[1:]:
            if "${" in read.text:
                key = "\0".join(each.name for each in (*found, read))
                again = known.get(key)
                if not isinstance(again, Read) or again.version != read.version:
                    before = [each.content for each in found]
                    content = self._parsed(read.text, read.name, read.version, before)
                    again = known[key] = read._replace(content=content)
                read = again  # noqa: PLW2901 - the same file
            found.append(read)
        return found

    def _parsed(
        self, text: str, name: str, version: str | None, earlier: Sequence[DotenvFile] = ()
    ) -> DotenvFile:
        encrypted = ENCRYPTED in text or any(file.public_keys for file in earlier)
        return parse(
            text,
            path=name,
            expand=True,
            environ=self._environ,
            earlier=earlier,
            decrypt=self.decrypter(name, version).value if encrypted else None,
        )

    def decrypter(self, name: str, version: str | None = None) -> Decrypter:
        """Return what decrypts the values of a file or of its saved copy."""
        from envkit.encryption.reading import Decrypter

        path, environ = self._path(name), self._environ
        return Decrypter(name, path=path, root=self.root, environ=environ, version=version)

    def _read(
        self, name: str, known: dict[str, Read | SourceError], *, previous: bool = False
    ) -> Read:
        path = self._path(name) + (PREVIOUS_SUFFIX if previous else "")
        if path not in known:
            try:
                known[path] = self._load(name, previous=previous)
            except SourceError as error:
                known[path] = error
        read = known[path]
        if isinstance(read, SourceError):
            raise read
        return read

    def _load(self, name: str, *, previous: bool = False) -> Read:
        """Read a file or its saved copy."""
        path = self._path(name)
        try:
            if previous:
                name += PREVIOUS_SUFFIX
                data, state = read_own(self.places(path)[1], LIMIT_BYTES)
            else:
                until = self._deadline
                data, state = read_in_project(path, self.root, LIMIT_BYTES, pipe_until=until)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not has_loose_link(path, self.root):
                return _nothing(name)
            from envkit.sources.dotenv_files.errors import failure

            raise failure("read", name, error) from None
        text = decode(data, path=name)
        version = version_of(state)
        content = self._parsed(text, name, version)
        if state.st_mode & (stat.S_IRGRP | stat.S_IROTH) and not content.sealed:
            self._warn(f"{name} can be read by other users: run 'chmod 600 {name}'")
        for warning in content.warnings:
            self._warn(f"{name}: {warning}")
        return Read(name, text, version, content, state.st_mtime_ns)

    def places(self, name: str) -> tuple[str, str]:
        """Return the paths of a file, with its link resolved, and of its saved copy.

        The copy is beside the link, which may be in another folder than the file.

        Raises:
            UntrustedError: a path is outside the project, and the user has not allowed that.
        """
        path = self._path(name)
        real = real_path(path, self.root)
        folder = resolved(os.path.dirname(path))
        if folder != os.path.dirname(real):  # otherwise allowed with the file
            folder = real_path(folder, self.root)
        return real, os.path.join(folder, os.path.basename(path) + PREVIOUS_SUFFIX)

    def _path(self, name: str) -> str:
        return os.path.join(self.root, name)

    def _warn(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)


def _paths(context: SourceContext) -> list[str]:
    setting = context.settings.get("path", [])
    names = [setting] if isinstance(setting, str) else setting
    if not isinstance(names, list) or not all(map(_is_file_name, names)):
        raise ProfileError(f"[sources.{context.name}] 'path' must be a file or a list of files")
    for name in filter(_is_of_shell, names):
        from envkit.sources.dotenv_files.errors import refuse_shell_path

        refuse_shell_path(name, f"[sources.{context.name}] 'path'", ProfileError)
    return names


def _is_of_shell(path: str) -> bool:
    """Return whether a path may contain shell syntax, or be several paths."""
    odd = path != path.strip() or any(mark in path for mark in ("*", ",", "?", "%", "://"))
    return path.startswith(("~", "$")) or (odd and not path.startswith(("/", "./", "../")))


def _is_file_name(name: object) -> bool:
    return isinstance(name, str) and name != "" and "\0" not in name


def _variable(ref: Reference) -> str:
    return ref.path if ref.field is None else ref.field


def _reading(reads: Sequence[Read], variable: str) -> Reading | None:
    """Return the value of a variable from the last file that has it.

    Raises:
        DotenvError: the variable has no value in that file.
    """
    for read in reversed(reads):
        entry = read.content.get(variable)
        if entry is not None:
            place = f"{read.name}:{entry.line}"
            return Reading._make((Secret(entry.value), read.version, place, False))
    return None


def _main(reads: Sequence[Read]) -> Read:
    return reads[main_file([read.name for read in reads])]


def _nothing(name: str) -> Read:
    """Return the result for a file or version that does not exist."""
    return Read(name, "", None, DotenvFile({}, ()))
