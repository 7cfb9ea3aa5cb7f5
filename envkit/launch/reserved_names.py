"""Names that the reader of an export reserves. Pure.

A reader drops the value of such a name, replaces it with its own, or stops reading. The tables of
the shells were measured with bash 5.2, also with `--posix`, dash 0.5.12, zsh 5.9 and fish 3.6;
`make test-extra` measures again.
"""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BASH = _names(
    "BASHOPTS BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_CMDS BASH_COMMAND "
    "BASH_COMPAT BASH_LINENO BASH_SOURCE BASH_SUBSHELL BASH_VERSINFO BASH_XTRACEFD "
    "DIRSTACK EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME GROUPS HISTCMD "
    "LINENO OPTIND PPID RANDOM SECONDS SHELLOPTS SHLVL SRANDOM UID _"
)
# zsh's arrays, and numbers that zsh counts or takes from the process. With UID, GID, EUID, EGID and
# USERNAME, a zsh of root becomes another user. ARGV0 names the next program and is then removed.
_ZSH = _names(
    "ARGC ARGV0 EGID ERRNO EUID GID HISTCHARS HISTCMD KEYBOARD_HACK LINENO OPTIND PPID RANDOM "
    "SECONDS SHLVL TRY_BLOCK_ERROR TRY_BLOCK_INTERRUPT TTYIDLE UID USERNAME WATCH "
    "ZLE_RPROMPT_INDENT ZSH_EVAL_CONTEXT ZSH_SUBSHELL _ aliases argv builtins cdpath commands "
    "compstate dirstack dis_aliases dis_builtins dis_functions dis_functions_source "
    "dis_galiases dis_patchars dis_reswords dis_saliases epochtime errnos fignore fpath "
    "funcfiletrace funcsourcetrace funcstack functions functions_source functrace galiases "
    "histchars history historywords jobdirs jobstates jobtexts keymaps langinfo mailpath "
    "manpath mapfile module_path modules nameddirs options parameters patchars path pipestatus "
    "psvar reswords saliases signals status sysparams termcap terminfo userdirs usergroups "
    "watch widgets zsh_eval_context zsh_scheduled_events"
)
_FISH = _names(
    "CDPATH FISH_VERSION MANPATH PWD SHLVL _ history hostname pipestatus status status_generation "
    "umask version"
)
_FISH_PREFIXES = ("fish_", "__fish_")
# zsh evaluates these as arithmetic: a number is unchanged, any other text is not
_ZSH_NUMBERS = _names("COLUMNS FUNCNEST HISTSIZE KEYTIMEOUT LINES LISTMAX MAILCHECK SAVEHIST")
_LARGEST_NUMBER = 2**31 - 1

# Reference: actions/runner, GitHubContext.cs, JobContext.cs and NodeScriptActionHandler.cs
_GITHUB_CONTEXT = _names(
    "ACTION ACTIONS ACTION_PATH ACTION_REF ACTION_REPOSITORY ACTOR ACTOR_ID API_URL ARTIFACTS "
    "ARTIFACTS_LIST BASE_REF ENV EVENT_NAME EVENT_PATH GRAPHQL_URL HEAD_REF JOB JOB_NAME OUTPUT "
    "PATH REF REF_NAME REF_PROTECTED REF_TYPE REPOSITORY REPOSITORY_ID REPOSITORY_OWNER "
    "REPOSITORY_OWNER_ID RETENTION_DAYS RUN_ATTEMPT RUN_ID RUN_NUMBER SERVER_URL SHA STATE "
    "STEP_SUMMARY TRIGGERING_ACTOR WORKFLOW WORKFLOW_REF WORKFLOW_SHA WORKSPACE"
)
_GITHUB_ACTIONS = _names(
    "ACTIONS_CACHE_SERVICE_V2 ACTIONS_CACHE_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN "
    "ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_ORCHESTRATION_ID ACTIONS_RESULTS_URL "
    "ACTIONS_RUNTIME_TOKEN ACTIONS_RUNTIME_URL JOB_CHECK_RUN_ID JOB_STATUS"
)


def shell_problem(name: str, text: str) -> str | None:
    """Return why a shell would not read a variable, as the predicate of a sentence, or None."""
    if name == "IFS":
        return "is how a shell splits words, and would change how later commands run"
    tables = (("bash", _BASH), ("zsh", _ZSH), ("fish", _FISH))
    shells = [shell for shell, names in tables if name in names]
    if name.startswith(_FISH_PREFIXES):
        shells = ["fish"]
    if shells:
        listed = " and ".join([", ".join(shells[:-1]), shells[-1]] if shells[1:] else shells)
        verb = "reserve" if shells[1:] else "reserves"
        return f"is a variable that {listed} {verb}"
    if name == "PATH" and (not text or "\n" in text):
        return "is empty or has a line break, which fish turns into a different list of folders"
    if name in _ZSH_NUMBERS and not _is_number(text):
        return "is not a whole number above 0, and zsh would change it into one"
    return None


def github_problem(name: str) -> str | None:
    """Return why GitHub's runner would not pass a variable to later steps, or None."""
    if name.upper() == "NODE_OPTIONS":
        return "is a variable that the runner does not accept from a step"
    of_context = name.startswith("GITHUB_") and name[len("GITHUB_") :] in _GITHUB_CONTEXT
    if of_context or name.startswith("RUNNER_") or name in _GITHUB_ACTIONS:
        return "is a variable that the runner sets itself"
    return None


def _is_number(text: str) -> bool:
    """Return whether a text is a number in a shell's notation."""
    digits = text.isascii() and text.isdigit() and not text.startswith("0")
    return digits and len(text) <= 10 and int(text) <= _LARGEST_NUMBER
