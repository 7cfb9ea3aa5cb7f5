"""Every export format, read back by its real reader, preserves every byte.

bash, sh, python-dotenv, envkit's own `.env` reader, `json` and PyYAML read for themselves.
Docker, systemd and the GitHub runner are not Python packages: for them stand readers
that follow their sources, written apart from the code under test.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import tempfile
from typing import TYPE_CHECKING

import dotenv
import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from envkit.dotenv import file as dotenv_file
from envkit.errors import InvalidValueError, UsageError
from envkit.launch.export import FORMATS, render
from envkit.secret import Secret
from support.hard_values import NASTY, hard_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Bytes = dict[str, bytes]


# ---------------------------------------------------------------- the readers


def read_with(shell: str, before: str, text: str) -> Bytes:
    """What a program sees that a shell starts after sourcing the text."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(text.encode("utf-8", "surrogateescape"))
        file.flush()
        done = subprocess.run(
            [shell, "-c", f'{before} . "$1"; exec env -0', shell, file.name],
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            capture_output=True,
            check=True,
        )
    assert done.stderr == b""
    pairs = (entry.split(b"=", 1) for entry in done.stdout.split(b"\0") if entry)
    shells_own = {"PATH", "LANG", "PWD", "SHLVL", "_", "OLDPWD"}
    return {k.decode(): v for k, v in pairs if k.decode() not in shells_own}


def read_shell(text: str) -> Bytes:
    seen = read_with("bash", "", text)
    assert read_with("sh", "", text) == seen
    return seen


def read_dotenv(text: str) -> Bytes:
    with tempfile.NamedTemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        values = dotenv.dotenv_values(file.name, interpolate=True)
    return {name: (value or "").encode() for name, value in values.items()}


def read_json(text: str) -> Bytes:
    return {name: value.encode() for name, value in json.loads(text).items()}


def read_yaml(text: str) -> Bytes:
    loaded = yaml.safe_load(text)
    assert all(type(name) is type(value) is str for name, value in loaded.items())
    return {name: value.encode() for name, value in loaded.items()}


def read_docker(text: str) -> Bytes:
    """docker/cli, pkg/kvfile: bufio.ScanLines, TrimLeft, '#', then cut at the first '='."""
    result = {}
    for number, line in enumerate(text.encode("utf-8", "surrogateescape").split(b"\n")):
        assert len(line) < 64 * 1024, "bufio.Scanner: token too long"
        decoded = line.removesuffix(b"\r").decode("utf-8")
        decoded = (decoded.removeprefix("\ufeff") if number == 0 else decoded).lstrip()
        if decoded and not decoded.startswith("#"):
            name, equals, value = decoded.partition("=")
            assert equals
            assert not set(name) & set(" \t")
            result[name] = value.encode()
    return result


def read_github(text: str) -> Bytes:
    """actions/runner, FileCommandManager.cs on Linux: NAME<<DELIMITER, lines end at LF."""
    result = {}
    lines = text.encode("utf-8").decode("utf-8").split("\n")
    assert lines.pop() == "", "the last line has no end"
    queue = iter(lines)
    for line in queue:
        if not line:
            continue
        assert "=" not in line.partition("<<")[0], f"NAME=VALUE style: {line}"
        name, heredoc, delimiter = line.partition("<<")
        assert name, "no name"
        assert heredoc
        assert delimiter, "no delimiter"
        value = []
        for inner in queue:
            if inner == delimiter:
                break
            value.append(inner)
        else:
            pytest.fail("no matching delimiter")
        result[name] = "\n".join(value).encode()
    return result


def read_systemd(text: str) -> Bytes:
    """systemd, src/basic/env-file.c (v239 and later), without what env-util.c then drops."""
    assert "\0" not in text
    result: dict[str, str] = {}
    state, key, value, keep = "pre_key", "", "", 0  # the length without trailing blanks

    def push() -> None:
        nonlocal key, value, keep, state
        result[key.strip()] = value[:keep]
        key, value, keep, state = "", "", 0, "pre_key"

    def add(chars: str, *, blank: bool = False) -> None:
        nonlocal value, keep
        value += chars
        keep = keep if blank else len(value)

    for char in text:
        newline, blank = char in "\n\r", char in " \t\n\r"
        if state == "pre_key":
            if char in "#;":
                state = "comment"
            elif not blank:
                state, key = "key", char
        elif state == "key":
            if newline:
                state, key = "pre_key", ""
            elif char == "=":
                state = "pre_value"
            else:
                key += char
        elif state in ("pre_value", "value"):
            if newline:
                push()
            elif char == "\\":
                state = "value_escape"
            elif state == "pre_value" and char in "'\"":
                state = "single" if char == "'" else "double"
            elif state == "value" or not blank:
                state = "value"
                add(char, blank=blank)
        elif state == "value_escape":
            state = "value"
            if not newline:
                add(char)
        elif state == "single":
            if char == "'":
                state = "pre_value"
            else:
                add(char)
        elif state == "double":
            if char == '"':
                state = "pre_value"
            elif char == "\\":
                state = "double_escape"
            else:
                add(char)
        elif state == "double_escape":
            state = "double"
            if char in '"\\`$':
                add(char)
            elif char != "\n":
                add("\\" + char)
        elif state == "comment" and newline:
            state = "pre_key"
    if state not in ("pre_key", "key", "comment"):
        push()

    def is_kept(value: str) -> bool:
        points = [ord(char) for char in value]
        control = any((p < 32 and p not in (9, 10)) or p == 127 for p in points)
        unicode = not any(
            0xD800 <= p <= 0xDFFF or 0xFDD0 <= p <= 0xFDEF or p & 0xFFFF >= 0xFFFE for p in points
        )
        return unicode and not control

    return {name: value.encode() for name, value in result.items() if is_kept(value)}


def read_k8s(text: str) -> Bytes:
    manifest = yaml.safe_load(text)
    data = manifest.pop("data")
    assert manifest == {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": "app"},
    }
    assert all(type(name) is type(value) is str for name, value in data.items())
    return {name: base64.b64decode(value, validate=True) for name, value in data.items()}


READERS: dict[str, Callable[[str], Bytes]] = {
    "dotenv": read_dotenv,
    "shell": read_shell,
    "json": read_json,
    "yaml": read_yaml,
    "docker": read_docker,
    "github": read_github,
    "systemd": read_systemd,
    "k8s": read_k8s,
}


# ---------------------------------------------------------------- refusals


def not_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return True
    return False


def in_environment_file(value: bytes) -> bool:
    return not_utf8(value) or b"\0" in value


REFUSED: dict[str, Callable[[bytes], bool]] = {
    "shell": lambda v: b"\0" in v,
    "json": not_utf8,
    "yaml": not_utf8,
    "k8s": lambda _: False,
    "dotenv": lambda v: in_environment_file(v) or b"${" in v or v.startswith(b"encrypted:"),
    "docker": lambda v: in_environment_file(v) or b"\n" in v or v.endswith(b"\r"),
    "github": in_environment_file,
    "systemd": lambda v: (
        in_environment_file(v)
        or re.search(rb"[\x01-\x08\x0b-\x1f\x7f]", v) is not None
        or re.search("[\ufdd0-\ufdef]|[\ufffe\uffff\U0001fffe\U0010ffff]", v.decode()) is not None
    ),
}

BYTES = st.one_of(
    st.lists(
        st.sampled_from([*"'\"\\$`{}#=;%!<>&*:~-@|\n\r\t 0aZé😀\u2028\x7f", "${", "\\\\", "\r\n"]),
        max_size=12,
    ).map(lambda parts: "".join(parts).encode()),
    st.text(max_size=8).map(str.encode),
    st.binary(max_size=8),
)
NAMES = st.from_regex(r"V_[A-Za-z0-9_]{0,6}", fullmatch=True)
ENVIRONMENTS = st.dictionaries(NAMES, BYTES, max_size=6)


def secrets(values: Mapping[str, bytes]) -> dict[str, Secret]:
    return {name: Secret.from_bytes(value) for name, value in values.items()}


def refused_by(format_name: str, values: Mapping[str, bytes]) -> set[str]:
    with pytest.raises(InvalidValueError) as caught:
        render(format_name, secrets(values))
    listed = caught.value.message.partition(": ")[2].split("; ")
    return {problem.split()[0] for problem in listed}


# ---------------------------------------------------------------- the tests


@pytest.mark.parametrize("format_name", FORMATS)
@given(values=ENVIRONMENTS)
@example(values=NASTY)
@example(values=hard_values())
def test_every_format_preserves_every_byte(format_name: str, values: Bytes) -> None:
    lost = {name for name, value in values.items() if REFUSED[format_name](value)}
    if lost:
        assert refused_by(format_name, values) == lost
    carried = {name: value for name, value in values.items() if name not in lost}
    assert READERS[format_name](render(format_name, secrets(carried))) == carried


@given(values=ENVIRONMENTS)
def test_envkit_reads_the_dotenv_format_that_it_writes(values: Bytes) -> None:
    carried = {name: value for name, value in values.items() if not REFUSED["dotenv"](value)}
    text = render("dotenv", secrets(carried))
    read = dotenv_file.parse(text, path=".env", expand=True)
    assert {name: entry.value.encode() for name, entry in read.entries.items()} == carried


@given(values=ENVIRONMENTS)
def test_a_shell_reads_the_dotenv_format_when_no_dotenv_escape_is_needed(values: Bytes) -> None:
    def alike(value: bytes) -> bool:
        escaped = b"'" in value or b"\\\\" in value or value.endswith(b"\\")
        return b"\r" not in value and not (escaped and (b"$" in value or b"`" in value))

    carried = {n: v for n, v in values.items() if not REFUSED["dotenv"](v) and alike(v)}
    assume(carried)
    assert read_with("bash", "set -a;", render("dotenv", secrets(carried))) == carried


@pytest.mark.parametrize("format_name", FORMATS)
def test_an_empty_environment_is_exported_in_every_format(format_name: str) -> None:
    assert READERS[format_name](render(format_name, {})) == {}


@pytest.mark.parametrize("format_name", ["yaml", "k8s", "json", "docker", "systemd", "github"])
def test_names_with_a_meaning_to_a_reader_are_exported(format_name: str) -> None:
    values = dict.fromkeys(("NO", "ON", "Y", "NULL", "TRUE", "export", "_", "E1", "UID"), b"1")
    assert READERS[format_name](render(format_name, secrets(values))) == values


def test_a_kubernetes_secret_accepts_keys_up_to_its_limit() -> None:
    longest = {"V" * 253: b"1"}
    assert read_k8s(render("k8s", secrets(longest))) == longest
    with pytest.raises(InvalidValueError, match="V is longer than the 253 characters"):
        render("k8s", secrets({"V" * 254: b"1"}))


@pytest.mark.parametrize("format_name", FORMATS)
def test_variables_are_exported_in_their_order(format_name: str) -> None:
    values = dict.fromkeys(("V_B", "V_C", "V_A"), b"1")
    text = render(format_name, secrets(values))
    assert sorted(values, key=text.index) == list(values)


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_name_that_would_break_out_of_the_format_is_refused(format_name: str) -> None:
    with pytest.raises(InvalidValueError, match="is not the name of a variable"):
        render(format_name, {"A=1\nB": Secret("x")})


def test_docker_format_refuses_a_line_over_its_limit() -> None:
    longest = {"V": b"x" * 65_533}
    assert read_docker(render("docker", secrets(longest))) == longest
    with pytest.raises(InvalidValueError, match="V is longer than docker's limit of 65,535"):
        render("docker", secrets({"V": b"x" * 65_534}))


@given(values=ENVIRONMENTS)
def test_the_hint_names_a_format_that_can_represent_the_refused_value(values: Bytes) -> None:
    for format_name in FORMATS:
        lost = {name: value for name, value in values.items() if REFUSED[format_name](value)}
        if not lost:
            continue
        with pytest.raises(InvalidValueError) as caught:
            render(format_name, secrets(values))
        hinted = re.search(r"--format (\w+)", str(caught.value.hint))
        assert hinted, caught.value.hint
        assert READERS[hinted[1]](render(hinted[1], secrets(lost))) == lost


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_refusal_shows_no_value(format_name: str) -> None:
    canary = b"c4nary"
    values = {
        f"V{i}": canary + end + canary
        for i, end in enumerate((b"\0", b"\xff", b"${", b"\n", b"\r"))
    }
    if any(map(REFUSED[format_name], values.values())):
        with pytest.raises(InvalidValueError) as caught:
            render(format_name, secrets(values))
        error = caught.value
        assert canary.decode() not in f"{error!r} {error.hint} {error.__cause__}"


def test_a_refusal_names_every_variable_and_its_reason() -> None:
    values = {"A": b"fine", "TLS_KEY": b"a\nb", "BLOB": b"\xff", "CERT": b"x\r"}
    with pytest.raises(InvalidValueError) as caught:
        render("docker", secrets(values))
    assert caught.value.message == (
        "the format 'docker' cannot represent 3 variables: TLS_KEY has a line break; "
        "BLOB is not UTF-8; CERT ends with a carriage return"
    )
    assert caught.value.hint == "use --format shell, or leave them out with --except"


def test_an_unknown_format_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="no export format 'jsn'") as caught:
        render("jsn", {})
    assert caught.value.hint == "did you mean 'json'?"


# ---------------------------------------------------------------- GitHub Actions


def test_github_delimiter_cannot_be_guessed() -> None:
    values = secrets({"A": b"1"})
    assert len({render("github", values) for _ in range(20)}) == 20


# ---------------------------------------------------------------- Kubernetes


@pytest.mark.parametrize("name", ["app", "my-app.prod", "0", "1e3", "true", "a" * 253])
def test_kubernetes_secret_has_the_given_name(name: str) -> None:
    manifest = yaml.safe_load(render("k8s", secrets({"A": b"1"}), name=name))
    assert manifest["metadata"]["name"] == name


@pytest.mark.parametrize(
    "name", ["", "App", "my_app", "-a", "a-", "a..b", ".a", "a\n", "é", "a b", "a" * 254]
)
def test_an_invalid_name_of_a_kubernetes_secret_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no Kubernetes Secret can be called") as caught:
        render("k8s", {}, name=name)
    assert "--name" in str(caught.value.hint)
