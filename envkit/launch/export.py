r"""Write an environment in a format that another program reads. Pure: opens nothing.

Guarantees: the format's own reader returns each value byte for byte (see `FORMATS`). If a
format cannot represent some values, that is an error that names all of their variables. No value
is ever dropped, trimmed or expanded.

    >>> from envkit.secret import Secret
    >>> print(render("shell", {"GREETING": Secret("it's me")}), end="")
    export GREETING='it'\''s me'

GitHub Actions needs two texts. `render("github", ...)` is the text that a step appends to the file
`$GITHUB_ENV`. `github_masks:github_masks` is the text that it logs *before* that, so that the
runner hides the values from then on. They must never go to the same place: in that file a mask
is a syntax error, and the runner shows the line with the value. The command line writes the masks
to stderr, where the runner looks for commands as on stdout, and the rest to stdout:

    envkit export --env prod --format github >> "$GITHUB_ENV"

The result may contain lone surrogates for bytes that are not UTF-8: write it with
`surrogateescape`.
"""

from __future__ import annotations

from envkit._internal.names import is_name
from envkit.errors import InvalidValueError, UsageError
from envkit.launch.reserved_names import github_problem, shell_problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from envkit.secret import Secret

FORMATS = (
    "dotenv",  # python-dotenv, Compose's env_file, envkit; a shell would expand some values
    "shell",  # sh, bash, dash, zsh, fish: `. FILE` or `eval "$(...)"`
    "json",
    "yaml",
    "docker",  # docker run --env-file
    "github",  # $GITHUB_ENV of a step
    "systemd",  # EnvironmentFile=
    "k8s",  # kubectl apply: a Secret
)

# other names of the formats; Compose reads `dotenv`
_SYNONYMS = {
    **dict.fromkeys(("bash", "sh", "zsh", "fish", "dash", "posix", "eval", "source"), "shell"),
    **dict.fromkeys(("env", ".env", "compose", "docker-compose", "dotenvx", "node"), "dotenv"),
    **dict.fromkeys(("kubernetes", "kube", "kubectl", "secret"), "k8s"),
    **dict.fromkeys(("gha", "actions", "github-actions", "github_env"), "github"),
    **dict.fromkeys(("env-file", "envfile", "docker-env-file", "podman"), "docker"),
    **dict.fromkeys(("environmentfile", "service", "unit"), "systemd"),
    "yml": "yaml",
}
# shells that read none of the formats
_OTHERS = ("powershell", "pwsh", "ps1", "cmd", "bat", "csh", "tcsh", "nushell", "nu", "elvish")
DOCKER_LINE_BYTES = 65_535
K8S_KEY_CHARACTERS = 253
_CONTROL = frozenset(map(chr, (*range(32), 127)))


def check_format(format_name: str) -> None:
    """Refuse an unknown format before anything is read for it.

    Raises:
        UsageError: the hint suggests the closest format.
    """
    if format_name not in FORMATS:
        from envkit._internal.suggestions import Meant

        meant = meant_format(format_name)
        listed = f"use one of: {', '.join(sorted(FORMATS))}"
        raise UsageError(
            f"no export format '{format_name}'",
            hint=listed if meant is None else Meant(format_name, meant),
        )


def meant_format(word: str) -> str | None:
    """Return the format that a word means or probably means; None if it is unclear."""
    from envkit._internal.suggestions import closest

    folded = word.casefold()
    if word in FORMATS or folded in _OTHERS:
        return word if word in FORMATS else None
    return _SYNONYMS.get(folded) or closest(word, FORMATS)


def render(format_name: str, values: Mapping[str, Secret], *, name: str = "app") -> str:
    """Return the text of an environment in one of the FORMATS.

    Args:
        format_name: one of FORMATS.
        values: variables by name, written in this order.
        name: the name of the Kubernetes Secret; other formats ignore it.

    Raises:
        UsageError: the format is unknown, or the name is not valid for a Secret.
        InvalidValueError: the format cannot represent some of the values.
    """
    check_format(format_name)
    texts = {variable: _text(value) for variable, value in values.items()}
    _refuse_unrepresentable(format_name, texts)
    if format_name == "k8s":
        return _k8s(texts, name)
    return {
        "dotenv": _dotenv,
        "shell": _shell,
        "json": _json,
        "yaml": _yaml,
        "docker": _docker,
        "github": _github,
        "systemd": _systemd,
    }[format_name](texts)


def _text(value: Secret) -> str:
    return value.to_bytes().decode("utf-8", "surrogateescape")


# ---------------------------------------------------------------- values a format cannot represent


def _refuse_unrepresentable(format_name: str, texts: Mapping[str, str]) -> None:
    problems = {
        name: problem
        for name, text in texts.items()
        if (problem := _problem(format_name, name, text)) is not None
    }
    if not problems:
        return
    count = "1 variable" if len(problems) == 1 else f"{len(problems)} variables"
    listed = "; ".join(f"{name} {problem}" for name, problem in problems.items())
    raise InvalidValueError(
        f"the format '{format_name}' cannot represent {count}: {listed}",
        hint=_hint(format_name, problems, texts),
    )


def _hint(format_name: str, refused: Collection[str], texts: Mapping[str, str]) -> str | None:
    """Return the hint for refused variables; None if there is none."""
    # here the format refuses the names, not the values
    if all(_problem(format_name, "V", texts[name]) is None for name in refused):
        instead = "; programs get them from 'envkit exec'" if format_name == "shell" else ""
        return f"leave them out with --except{instead}"
    able = next(
        (f for f in ("shell", *FORMATS) if all(_problem(f, n, texts[n]) is None for n in refused)),
        None,
    )
    return f"use --format {able}, or leave them out with --except" if able else None


def _problem(format_name: str, name: str, text: str) -> str | None:
    """Return why a variable cannot be written, as the predicate of a sentence, or None."""
    if not is_name(name):
        return "is not the name of a variable"
    if format_name not in ("shell", "k8s") and not _is_utf8(text):
        return "is not UTF-8"
    if format_name not in ("json", "yaml", "k8s") and "\0" in text:
        return "has a NUL byte"
    of_its_own = {
        "dotenv": _dotenv_problem,
        "shell": shell_problem,
        "docker": _docker_problem,
        "github": _github_problem,
        "systemd": _systemd_problem,
        "k8s": _k8s_problem,
    }.get(format_name)
    return None if of_its_own is None else of_its_own(name, text)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _dotenv_problem(_: str, text: str) -> str | None:
    if "${" in text:
        # python-dotenv expands it even in single quotes and has no escape for it
        return "has '${', which some readers expand"
    from envkit.dotenv.parser import ENCRYPTED

    if text.startswith(ENCRYPTED):
        return f"begins with '{ENCRYPTED}', which readers take for ciphertext"
    return None


def _docker_problem(name: str, text: str) -> str | None:
    if "\n" in text:
        return "has a line break"
    if text.endswith("\r"):
        return "ends with a carriage return"
    if len(f"{name}={text}".encode()) > DOCKER_LINE_BYTES:
        return f"is longer than docker's limit of {DOCKER_LINE_BYTES:,} bytes for a line"
    return None


def _github_problem(name: str, _: str) -> str | None:
    return github_problem(name)


def _k8s_problem(name: str, _: str) -> str | None:
    if len(name) > K8S_KEY_CHARACTERS:
        return f"is longer than the {K8S_KEY_CHARACTERS} characters of a Secret's key"
    return None


def _systemd_problem(_: str, text: str) -> str | None:
    if not _CONTROL.isdisjoint(text.replace("\t", "").replace("\n", "")):
        return "has a control character, with which systemd before 248 ignores a variable"
    if any("\ufdd0" <= char <= "\ufdef" or ord(char) & 0xFFFE == 0xFFFE for char in text):
        return "has a Unicode noncharacter, with which systemd ignores a variable"
    return None


# ---------------------------------------------------------------- how a format writes a value


def _dotenv(texts: Mapping[str, str]) -> str:
    from envkit.dotenv.editor import quote

    return "".join(f"{k}={quote(v, name=k)}\n" for k, v in texts.items())


def _shell(texts: Mapping[str, str]) -> str:
    """Write backslashes outside the single quotes: inside them, fish reads two as one."""
    escapes = {ord(char): f"'\\{char}'" for char in "'\\"}
    quoted = {name: text.translate(escapes) for name, text in texts.items()}
    return "".join(f"export {k}='{v}'\n" for k, v in quoted.items())


def failing_shell_line(status: int) -> str:
    """Return the line that replaces a failed export for a shell: it ends a script.

    At a prompt the shell must not close, so there the line only fails. fish cannot parse
    `case`, and other shells have no `status is-interactive`. The line distinguishes them by the
    value of two backslashes in single quotes.

    Args:
        status: the exit status of the script.
    """
    return (
        "echo 'envkit: export failed, and no variable was set' >&2; "
        rf"test '\\' = \\ && eval 'status is-interactive || exit {status}'; "
        rf"test '\\' = \\ || eval 'case $- in *i*) ;; *) exit {status} ;; esac'; "
        "false\n"
    )


def _json(texts: Mapping[str, str]) -> str:
    import json

    return json.dumps(texts, indent=2) + "\n"


def _yaml(texts: Mapping[str, str]) -> str:
    return "".join(f"{_scalar(k)}: {_scalar(v)}\n" for k, v in texts.items()) or "{}\n"


def _scalar(text: str) -> str:
    """Write a double-quoted scalar in ASCII, which YAML 1.1 and 1.2 read alike.

    Unquoted, `NO` would be a truth value and `1e3` a number. JSON's escapes do not work,
    because YAML does not join surrogate pairs.
    """
    escapes = {ord(char): f"\\x{ord(char):02x}" for char in _CONTROL}
    escapes |= {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\t"): "\\t"}
    return '"' + text.translate(escapes).encode("ascii", "backslashreplace").decode() + '"'


def _docker(texts: Mapping[str, str]) -> str:
    return "".join(f"{k}={v}\n" for k, v in texts.items())  # it has no quotes or escapes


def _systemd(texts: Mapping[str, str]) -> str:
    """Reference: systemd.exec(5), EnvironmentFile=."""
    escapes = {ord(char): "\\" + char for char in '\\"$`'}
    return "".join(f'{k}="{v.translate(escapes)}"\n' for k, v in texts.items())


def _github(texts: Mapping[str, str]) -> str:
    import os

    delimiter = f"envkit-{os.urandom(16).hex()}"
    while any(delimiter in text for text in texts.values()):
        delimiter = f"envkit-{os.urandom(16).hex()}"
    return "".join(f"{k}<<{delimiter}\n{v}\n{delimiter}\n" for k, v in texts.items())


def _k8s(texts: Mapping[str, str], name: str) -> str:
    """Reference: https://kubernetes.io/docs/concepts/configuration/secret/."""
    from binascii import b2a_base64

    if not _is_dns_subdomain(name):
        raise UsageError(
            f"no Kubernetes Secret can be called '{name}'",
            hint="use --name with lower-case letters, digits, '-' and '.'",
        )
    lines = ["apiVersion: v1", "kind: Secret", "metadata:", f"  name: {_scalar(name)}"]
    lines += ["type: Opaque", "data:" if texts else "data: {}"]
    for variable, text in texts.items():
        raw = text.encode("utf-8", "surrogateescape")
        encoded = b2a_base64(raw, newline=False).decode("ascii")
        lines.append(f'  "{variable}": "{encoded}"')
    return "\n".join(lines) + "\n"


def _is_dns_subdomain(name: str) -> bool:
    """Reference: RFC 1123, as Kubernetes reads it."""
    inside = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
    return len(name) <= 253 and all(
        label and inside.issuperset(label) and label[0] != "-" and label[-1] != "-"
        for label in name.split(".")
    )
