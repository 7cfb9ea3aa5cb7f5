"""The code that `envkit hook` gives to a shell: the hook itself, and what it evaluates. Pure.

The hook runs before each prompt. It starts envkit only if another project is entered or left,
or if one of the files is newer than the stamp, which is the time of the last load. What was
loaded, and the values from before, are in the exported variable STATE, so that a shell started
inside a project can also unload, and so that other commands of envkit can leave it out.

A load that Ctrl-C ends is not repeated: at the next prompt, the hook only unloads.
"""

from __future__ import annotations

from envkit._internal.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping

STATE = "ENVKIT_HOOK_STATE"
_ESCAPES = (("%", "%25"), (";", "%3B"), ("\n", "%0A"))
SHELLS = ("bash", "zsh", "fish")

# `find` finds the folder of the project, with a slash; `changed` says whether a file has changed.
# With `set -e`, the exit status of a hook would end the shell.
_POSIX = """\
_envkit_here='?' _envkit_how=--step _envkit_stamp= _envkit_files=() _envkit_absent=()
_envkit_find() {
  _envkit_found=$PWD
  while [[ ! -d $_envkit_found/profiles ]]; do
    [[ -n $_envkit_found ]] || return 0
    _envkit_found=${_envkit_found%/*}
  done
  _envkit_found=$_envkit_found/
}
_envkit_changed() {
  local file
  for file in "${_envkit_files[@]}"; do
    [[ $file -nt $_envkit_stamp || ! -e $file ]] && return 0
  done
  for file in "${_envkit_absent[@]}"; do
    [[ -e $file ]] && return 0
  done
  return 1
}
_envkit_hook() {
  local envkit_status=$? envkit_code envkit_how=$_envkit_how
  _envkit_find
  if [[ $_envkit_found != "$_envkit_here" ]] || _envkit_changed; then
    _envkit_here='?' _envkit_how=--unload _envkit_files=() _envkit_absent=()
    if [[ -n $_envkit_found${ENVKIT_HOOK_STATE:-} ]]; then
      if envkit_code=$(command envkit hook @SHELL@ $envkit_how $$); then
        eval "$envkit_code" || :
      fi
    fi
    _envkit_here=$_envkit_found _envkit_how=--step
  fi
  [[ $- != *e* ]] || return 0
  return $envkit_status
}
"""
_BASH = (
    _POSIX
    + """\
if [[ ";${PROMPT_COMMAND[*]:-};" != *_envkit_hook* ]]; then
  PROMPT_COMMAND="_envkit_hook${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
fi
"""
)
_ZSH = (
    _POSIX
    + """\
typeset -ag precmd_functions
if (( ! ${precmd_functions[(I)_envkit_hook]} )); then
  precmd_functions=(_envkit_hook $precmd_functions)
fi
"""
)
_FISH = """\
set -g _envkit_here '?'; set -g _envkit_how --step
set -g _envkit_stamp; set -g _envkit_files; set -g _envkit_absent
function _envkit_find
    set -g _envkit_found $PWD
    while not test -d "$_envkit_found/profiles"
        test -n "$_envkit_found"; or return 0
        set _envkit_found (string replace -r '/[^/]*$' '' -- $_envkit_found | string collect)
    end
    set _envkit_found $_envkit_found/
end
function _envkit_changed
    for file in $_envkit_files
        test "$file" -nt "$_envkit_stamp"; and return 0
        test -e "$file"; or return 0
    end
    for file in $_envkit_absent
        test -e "$file"; and return 0
    end
    return 1
end
function _envkit_hook --on-event fish_prompt
    set -l envkit_status $status
    set -l envkit_how $_envkit_how
    _envkit_find
    if test "$_envkit_found" != "$_envkit_here"; or _envkit_changed
        set -g _envkit_here '?'; set -g _envkit_how --unload
        set -g _envkit_files; set -g _envkit_absent
        if test -n "$_envkit_found$ENVKIT_HOOK_STATE"
            set -g _envkit_code (command envkit hook fish $envkit_how $fish_pid | string collect)
            test -n "$_envkit_code"; and eval $_envkit_code
            set -e _envkit_code
        end
        set -g _envkit_here $_envkit_found; set -g _envkit_how --step
    end
    return $envkit_status
end
"""


class Loaded(NamedTuple):
    """What the hook has loaded.

    Attributes:
        profiles: the folder of profiles of the project.
        environment: its name.
        before: the loaded variables -> the values that they had before; None if they were not set.
    """

    profiles: str
    environment: str
    before: Mapping[str, str | None]


def hook(shell: str) -> str:
    """Return the code that a shell evaluates at its start."""
    if shell == "fish":
        return _FISH
    return (_BASH if shell == "bash" else _ZSH).replace("@SHELL@", shell)


def decoded(text: str | None) -> Loaded | None:
    """Return what STATE says; None if nothing is loaded, or if it says nothing."""
    profiles, mark, rest = (text or "").partition(";")
    if not mark:
        return None
    environment, *pairs = [_unescaped(item) for item in rest.split(";")]
    split = [pair.partition("=") for pair in pairs]
    before = {name: value if equals else None for name, equals, value in split}
    return Loaded(_unescaped(profiles), environment, before)


def take_out(environ: MutableMapping[str, str]) -> Loaded | None:
    """Give an environment the values that it had before; return what was loaded, if anything.

    So the variables of one environment are never those of another one, or of its app.
    """
    loaded = decoded(environ.pop(STATE, None))
    for name, value in () if loaded is None else loaded.before.items():
        if value is None:
            environ.pop(name, None)
        else:
            environ[name] = value
    return loaded


def encoded(loaded: Loaded) -> str:
    """Return the value of STATE: no JSON, because importing it takes as long as a prompt may."""
    pairs = [name if value is None else f"{name}={value}" for name, value in loaded.before.items()]
    items = [loaded.profiles, loaded.environment, *pairs]
    for char, code in _ESCAPES:
        items = [item.replace(char, code) for item in items]
    return ";".join(items)


def _unescaped(item: str) -> str:
    for char, code in reversed(_ESCAPES):
        item = item.replace(code, char)
    return item


def restoring(shell: str, loaded: Loaded) -> str:
    """Return the code that gives the loaded variables the values that they had before."""
    lines = [
        _unset(shell, name) if value is None else _export(name, value)
        for name, value in loaded.before.items()
        if name.isidentifier() and name.isascii()
    ]
    return "".join([*lines, _unset(shell, STATE)])


def loading(text: str, loaded: Loaded) -> str:
    """Return the code that sets variables.

    Args:
        text: that of `export.render` for a shell.
        loaded: what a later `restoring` needs.
    """
    return text + _export(STATE, encoded(loaded))


def watching(shell: str, stamp: str, present: Iterable[str], absent: Iterable[str]) -> str:
    """Return the code that tells the hook which files to look at, with the time of this load."""
    lists = (("_envkit_files", present), ("_envkit_absent", absent))
    if shell == "fish":
        lines = [f"set -g _envkit_stamp {_quoted(stamp)}\n"]
        lines += [f"set -g {name} {' '.join(map(_quoted, files))}\n" for name, files in lists]
    else:
        lines = [f"_envkit_stamp={_quoted(stamp)}\n"]
        lines += [f"{name}=({' '.join(map(_quoted, files))})\n" for name, files in lists]
    return "".join(lines)


def _export(name: str, value: str) -> str:
    return f"export {name}={_quoted(value)}\n"


def _unset(shell: str, name: str) -> str:
    return f"set -e {name}\n" if shell == "fish" else f"unset {name}\n"


def _quoted(text: str) -> str:
    """Quote for all three shells: inside single quotes, fish reads two backslashes as one."""
    return "'" + text.translate({39: "'\\''", 92: "'\\\\'"}) + "'"
