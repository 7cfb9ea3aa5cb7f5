"""What a client and the agent send each other: frames, each a kind and a list of byte strings.

    magic (3), version (1), kind (1), length of the rest (4), then the items, each with its length

Nothing that a peer has sent is unmarshalled or evaluated. A frame that is too long, or of another
version, is refused before its content is read. A question names everything that a command line
says about an environment; variables of the process are sent later, and only those that the agent
names.
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAGIC, VERSION = b"EKA", 1
HEADER_BYTES = 9
MAX_QUESTION_BYTES = 4 * 1024 * 1024
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MIN_PATTERN_BYTES = 5

# from a client
ASK, VARIABLES, STATUS, CLEAR, STOP = range(1, 6)
# from the agent
NEED, WAIT, ANSWER, DECLINED, OTHER_VERSION, DONE = range(65, 71)


class WireError(Exception):
    """A peer has sent something that is not of this protocol; the message is for a log."""


def frame(kind: int, items: Iterable[bytes] = ()) -> bytes:
    """Return one frame."""
    body = pack(items)
    return MAGIC + bytes((VERSION, kind)) + len(body).to_bytes(4, "big") + body


def read_header(header: bytes, limit: int) -> tuple[int, int]:
    """Return the kind of a frame and the length of its body.

    Args:
        header: HEADER_BYTES bytes.
        limit: the longest body that is read.

    Raises:
        WireError: it is not a frame of this version, or it is too long.
    """
    if header[:3] != MAGIC:
        raise WireError("not a frame")
    if header[3] != VERSION:
        raise WireError("another version")
    length = int.from_bytes(header[5:9], "big")
    if length > limit:
        raise WireError("too long")
    return header[4], length


def pack(items: Iterable[bytes]) -> bytes:
    """Return byte strings as one."""
    parts = []
    for item in items:
        parts.append(len(item).to_bytes(4, "big"))
        parts.append(item)
    return b"".join(parts)


def unpack(body: bytes) -> list[bytes]:
    """Return the byte strings that `pack` was given.

    Raises:
        WireError: it is not what `pack` returns.
    """
    items = []
    at, end = 0, len(body)
    while at < end:
        begin = at + 4
        at = begin + int.from_bytes(body[at:begin], "big")
        if at > end or begin > end:
            raise WireError("an item is cut off")
        items.append(body[begin:at])
    return items


class Question(NamedTuple):
    """One selection of variables.

    Attributes:
        release: of envkit; an agent of another one does not answer.
        folder: the working folder.
        profiles: the value of `--profiles`, or None.
        environments: the values of `--env`.
        only: the values of `--only`.
        exclude: the values of `--except`.
        names: the variable of `get`; empty for all.
        overrides: name and value of each `--set`, alternately.
        timeout_seconds: for all stores together.
    """

    release: str
    folder: str
    profiles: str | None
    environments: Sequence[str]
    only: Sequence[str]
    exclude: Sequence[str]
    names: Sequence[str]
    overrides: Sequence[str]
    timeout_seconds: float

    def items(self) -> list[bytes]:
        """Return the items of a frame."""
        profiles = () if self.profiles is None else (self.profiles,)
        lists = (profiles, *self[3:8])
        return [
            self.release.encode(),
            os_encode(self.folder),
            *(pack(map(os_encode, texts)) for texts in lists),
            str(self.timeout_seconds).encode(),
        ]


class Answer(NamedTuple):
    """One resolved environment.

    Attributes:
        profiles: the names of its profiles, for the audit log.
        bootstrap: the variables that only envkit itself needs.
        names: its variables.
        values: theirs, in the same order.
        versions: the versions that each value was made from, in the same order.
        logins: each source that has told its login method, followed by the method.
    """

    profiles: Sequence[bytes]
    bootstrap: Sequence[bytes]
    names: Sequence[bytes]
    values: Sequence[bytes]
    versions: Sequence[bytes]
    logins: Sequence[bytes]

    def __repr__(self) -> str:
        return f"Answer({self.profiles!r}, {len(self.names)} variables)"

    def items(self) -> list[bytes]:
        """Return the items of a frame."""
        return [pack(part) for part in self]


def read_question(items: Sequence[bytes]) -> Question:
    """Return the question of a frame.

    Raises:
        WireError: it is not a question.
    """
    if len(items) != len(Question._fields):
        raise WireError("a question has other items")
    release, folder, profiles, *lists, timeout = items
    texts = [[os_decode(one) for one in unpack(part)] for part in lists]
    of_profiles = [os_decode(one) for one in unpack(profiles)]
    if len(of_profiles) > 1 or len(texts[4]) % 2:
        raise WireError("a question has other items")
    try:
        seconds = float(timeout)
    except ValueError:
        raise WireError("a question has no timeout") from None
    if not 0 < seconds < 86_400:  # also not a NaN
        raise WireError("a question has no timeout")
    given = of_profiles[0] if of_profiles else None
    return Question._make((os_decode(release), os_decode(folder), given, *texts, seconds))


def read_answer(items: Sequence[bytes]) -> Answer:
    """Return the answer of a frame.

    Raises:
        WireError: it is not an answer.
    """
    if len(items) != len(Answer._fields):
        raise WireError("an answer has other items")
    answer = Answer._make(map(unpack, items))
    counts = {len(answer.names), len(answer.values), len(answer.versions)}
    if len(counts) > 1 or len(answer.logins) % 2:
        raise WireError("an answer has other items")
    return answer


def selected(environ: Mapping[bytes, bytes], wanted: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the variables that the agent names; see `patterns`."""
    exact, beginnings, endings = patterns(wanted)
    return {
        name: value
        for name, value in environ.items()
        if name in exact or name.startswith(beginnings) or name.lower().endswith(endings)
    }


def patterns(
    wanted: Iterable[bytes],
) -> tuple[set[bytes], tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the names, the beginnings and the endings in lower case of variables.

    Args:
        wanted: each is `NAME`, `PREFIX_*` or, in any case, `*_SUFFIX`. A pattern that would match
            nearly everything matches nothing.
    """
    exact, beginnings, endings = set(), [], []
    for one in wanted:
        if b"*" not in one:
            exact.add(one)
        elif len(one) < MIN_PATTERN_BYTES:
            continue
        elif one.endswith(b"*"):
            beginnings.append(one[:-1])
        elif one.startswith(b"*"):
            endings.append(one[1:].lower())
    return exact, tuple(beginnings), tuple(endings)


def os_encode(text: str) -> bytes:
    """Return the bytes of a word of the command line."""
    return text.encode("utf-8", "surrogateescape")


def os_decode(data: bytes) -> str:
    """Return the text that `os_encode` was given."""
    return data.decode("utf-8", "surrogateescape")
