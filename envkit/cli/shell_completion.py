"""Completion for bash, zsh and fish: typer's own, with three fixes.

- zsh loads a file of `fpath` based on its first line, and must complete on the first use as well.
- `--env=d` is one word in zsh and fish and three in bash; a completion must start with
  the typed text, or the shell drops it.
- `-ed` means `-e d`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from typer import _completion_classes, _completion_shared

from envkit.arguments import OPTIONAL, TAKES, flags_of
from envkit.errors import EnvkitError

if TYPE_CHECKING:
    from collections.abc import Iterable

# depending on its version, typer has its own registry or click's
_registry: Any = sys.modules[_completion_classes.ZshComplete.__mro__[1].__module__]

_ZSH = """\
#compdef %(prog_name)s

%(complete_func)s() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" %(autocomplete_var)s=complete_zsh \
%(prog_name)s)
}

if [[ "$funcstack[1]" = "_%(prog_name)s" ]]; then
  %(complete_func)s "$@"
else
  compdef %(complete_func)s %(prog_name)s
fi
"""
_SHORT_WITH_VALUE = ("-e", "-f", "-o")
_OPTIONAL_VALUE = frozenset(
    flag for key, (kind, _) in TAKES.items() if kind == OPTIONAL for flag in flags_of(key)
)


def complete_words(args: list[str], incomplete: str) -> tuple[list[str], str, str]:
    """Return the words of a command line with options and values separated.

    Args:
        args: the words before the cursor, as the shell splits them.
        incomplete: the word at the cursor.

    Returns:
        the words; the word at the cursor; the prefix that each completion needs.
    """
    words = list(_without_equals(args))
    if args and args[-1] == "=":  # bash splits `--env=d` here
        return words, incomplete, ""
    if incomplete == "=" and words and words[-1].startswith("--"):
        return words, "", ""
    name, equals, value = incomplete.partition("=")
    if equals and name.startswith("--"):
        return [*words, name], value, f"{name}="
    if incomplete[:2] in _SHORT_WITH_VALUE and incomplete[2:]:
        return [*words, incomplete[:2]], incomplete[2:], incomplete[:2]
    return words, incomplete, ""


def _without_equals(args: list[str]) -> Iterable[str]:
    before = ""
    for word, after in zip(args, [*args[1:], ""], strict=False):
        # typer would take the next word for the value of one that is not followed by `=`
        alone = word in _OPTIONAL_VALUE and after != "="
        if not alone and (word != "=" or not before.startswith("--")):
            yield word
        before = word


def completion_item(word: str, summary: str) -> Any:
    """Return a completion as typer has it."""
    return _registry.CompletionItem(word, help=summary)


class _WholeWords:
    """Mixin for a shell's class: completes words as the shell splits them."""

    def get_completions(self, args: list[str], incomplete: str) -> list[Any]:
        if "--" in args:  # the rest belongs to the app
            return []
        words, rest, prefix = complete_words(args, incomplete)
        try:
            found: list[Any] = super().get_completions(words, rest)  # type: ignore[misc]
        except EnvkitError:  # there is no such command
            return []
        for item in found:
            item.value = prefix + item.value
        return found


class _Bash(_WholeWords, _completion_classes.BashComplete):
    pass


class _Zsh(_WholeWords, _completion_classes.ZshComplete):
    source_template = _ZSH


class _Fish(_WholeWords, _completion_classes.FishComplete):
    pass


def register() -> None:
    """Register these classes with typer for completion and its installation."""
    for one in (_Bash, _Zsh, _Fish):
        _registry.add_completion_class(one, one.name)
    _completion_shared._completion_scripts["zsh"] = _ZSH  # noqa: SLF001 - it has no other way
