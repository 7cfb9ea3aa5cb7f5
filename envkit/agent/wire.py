"""What a client and the agent send each other: frames, each a kind and a list of byte strings.

    magic (3), version (1), kind (1), length of the rest (4), then the items, each with its length

Nothing that a peer has sent is unmarshalled or evaluated. A frame that is too long, or of another
version, is refused before its content is read. A question has everything that a command line
says about an environment, and those of the USUAL variables that exist. Others are sent later, and
only if the agent names them.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAGIC, VERSION = b"EKA", 2
HEADER_BYTES = 9
MAX_QUESTION_BYTES = 4 * 1024 * 1024
MAX_ANSWER_BYTES = 8 * 1024 * 1024  # the kernel passes 6 MB to a program
MIN_PATTERN_BYTES = 5
_IN_NAMES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
# variables that a client sends with its question, because most answers depend on them
USUAL = (
    *(b"ENVKIT_AUDIT", b"ENVKIT_ENV", b"ENVKIT_PROFILES", b"ENVKIT_TRUST"),
    *(b"HOME", b"XDG_CONFIG_HOME", b"XDG_STATE_HOME"),
    *(b"VAULT_*", b"BAO_*", b"AWS_*", b"BOTO_*"),
    *(b"*_PROXY", b"REQUESTS_CA_BUNDLE", b"CURL_CA_BUNDLE", b"SSL_CERT_FILE", b"SSL_CERT_DIR"),
    *(b"NETRC", b"HOSTALIASES", b"LOCALDOMAIN", b"RES_OPTIONS", b"OPENSSL_CONF"),
)

# from a client
ASK, VARIABLES, STATUS, CLEAR, STOP = range(1, 6)
# from the agent
NEED, WAIT, ANSWER, DECLINED, OTHER_VERSION, DONE = range(65, 71)


class WireError(Exception):
    """A peer has sent something that is not of this protocol; the message is for a log."""


def frame(kind: int, items: "Iterable[bytes]" = ()) -> bytes:
    """Return one frame."""
    return frame_of(kind, pack(items))


def frame_of(kind: int, body: bytes) -> bytes:
    """Return one frame with items that were packed before."""
    return head_of(kind, len(body)) + body


def head_of(kind: int, length: int) -> bytes:
    """Return the head of a frame whose body has so many bytes."""
    return MAGIC + bytes((VERSION, kind)) + length.to_bytes(4, "big")


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


def pack(items: "Iterable[bytes]") -> bytes:
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


class Answer:
    """One resolved environment.

    Attributes:
        bootstrap: the variables that only envkit itself needs.
        names: its variables.
        values: theirs, in the same order.
        files: those that the values come from, for the shell hook; else none.
        unrecorded: what the client has to add to the audit log; empty if the agent has done that.
    """

    __slots__ = ("bootstrap", "files", "names", "unrecorded", "values")

    def __init__(
        self,
        bootstrap: "Sequence[bytes]",
        names: "Sequence[bytes]",
        values: "Sequence[bytes]",
        files: "Sequence[bytes]",
        unrecorded: bytes,
    ) -> None:
        self.bootstrap = bootstrap
        self.names = names
        self.values = values
        self.files = files
        self.unrecorded = unrecorded

    def __repr__(self) -> str:
        return f"Answer({len(self.names)} variables)"

    def body(self) -> bytes:
        """Return the body of a frame, without its last item, which differs between clients."""
        return pack(map(pack, (self.bootstrap, self.names, self.values, self.files)))


def read_answer(items: "Sequence[bytes]") -> Answer:
    """Return the answer of a frame.

    Raises:
        WireError: it is not an answer.
    """
    if len(items) != len(Answer.__slots__):
        raise WireError("an answer has other items")
    bootstrap, names, values, files = map(unpack, items[:-1])
    answer = Answer(bootstrap, names, values, files, items[-1])
    if len(answer.names) != len(answer.values):
        raise WireError("an answer has other items")
    odd = b"".join(answer.names).translate(None, _IN_NAMES)
    if odd or not all(answer.names) or b"\0" in b"".join(answer.values):
        raise WireError("not a variable")
    return answer


def question_items(
    release: str, folder: str, lists: "Iterable[Sequence[str]]", *last: str
) -> list[bytes]:
    """Return the items of a question.

    Args:
        release: of envkit.
        folder: the working folder.
        lists: the other fields of `envkit.agent.question:Question`, each as a list.
        last: its last fields, as texts.
    """
    return [
        release.encode(),
        os_encode(folder),
        *[pack(map(os_encode, texts)) for texts in lists],
        *map(os_encode, last),
    ]


def packed_pairs(pairs: "Mapping[bytes, bytes]") -> bytes:
    """Return variables as one byte string."""
    return pack([one for pair in pairs.items() for one in pair])


def selected(environ: "Mapping[bytes, bytes]", wanted: "Iterable[bytes]") -> dict[bytes, bytes]:
    """Return the variables that the agent names; see `patterns`."""
    exact, beginnings, endings = patterns(wanted)
    return {
        name: value
        for name, value in environ.items()
        if name in exact or name.startswith(beginnings) or name.lower().endswith(endings)
    }


def patterns(
    wanted: "Iterable[bytes]",
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
