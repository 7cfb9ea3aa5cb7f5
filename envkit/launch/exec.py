"""Replace this process with the app.

The app gets the process id, the terminal and every signal: no process of envkit stays
between. What the kernel would refuse is refused first, with the name of the variable.

Reference: execve(2), "Limits on size of arguments and environment"
"""

from __future__ import annotations

import os
import sys
from errno import ENOEXEC

from envkit.errors import CommandNotFoundError, LimitError, NotExecutableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import ModuleType
    from typing import NoReturn

    from envkit.resolution.environment import Environment

MAX_VARIABLE_BYTES = 131_071  # `K=V`: MAX_ARG_STRLEN is 32 pages with the final NUL
POINTER_BYTES = 8
COERCED_LOCALES = (b"C.UTF-8", b"C.utf8", b"UTF-8")
# what a program needs to find itself at home, and carries no secret
PRISTINE = (b"PATH", b"HOME", b"USER", b"LOGNAME", b"SHELL", b"TERM", b"LANG", b"TZ", b"TMPDIR")
# what makes other programs load code or run programs, and why; a name that ends with `*` means
# all that begin so. A profile sets one of these only where its user trusts it
LOADERS = {
    "LD_*": "the dynamic linker loads libraries from it",
    "DYLD_*": "the dynamic linker of macOS loads libraries from it",
    "GCONV_PATH": "the C library loads character sets, which are code, from it",
    "GLIBC_TUNABLES": "it changes the C library",
    "OPENSSL_CONF": "OpenSSL loads engines that it names",
    "OPENSSL_ENGINES": "OpenSSL loads engines from it",
    "OPENSSL_MODULES": "OpenSSL loads providers from it",
    "GTK_MODULES": "GTK loads modules that it names",
    "QT_PLUGIN_PATH": "Qt loads plug-ins from it",
    "QT_QPA_PLATFORM_PLUGIN_PATH": "Qt loads plug-ins from it",
    "GTK_PATH": "GTK loads modules from it",
    "GIO_EXTRA_MODULES": "GLib loads modules from it",
    "GIO_MODULE_DIR": "GLib loads modules from it",
    "GST_PLUGIN_*": "GStreamer loads plug-ins from it",
    "KRB5_CONFIG": "Kerberos loads plug-ins that the file names",
    "SASL_PATH": "SASL loads plug-ins from it",
    "PATH": "programs are looked for in it",
    "HOME": "programs read their configuration, and shells their startup files, in it",
    "XDG_CONFIG_HOME": "programs read their configuration in it",
    "XDG_CONFIG_DIRS": "programs read their configuration in it",
    "XDG_DATA_HOME": "programs load scripts and plug-ins from it",
    "XDG_DATA_DIRS": "programs load scripts and plug-ins from it",
    "XDG_STATE_HOME": "envkit stores in it what you trust",
    "ENVKIT_TRUST": "envkit trusts what it says",
    "ENVKIT_PROFILES": "envkit takes profiles from it",
    "BASH_ENV": "bash runs the file before each script",
    "ENV": "sh runs the file when it starts",
    "BASH_FUNC_*": "bash takes it for a function",
    "PROMPT_COMMAND": "bash runs it before each prompt",
    "PS0": "bash runs the commands in it",
    "PS1": "shells run the commands in it",
    "PS4": "bash runs the commands in it when it traces",
    "ZDOTDIR": "zsh runs the startup files in it",
    "FPATH": "shells load functions from it",
    "INPUTRC": "shells bind keys to commands in it",
    "FCEDIT": "shells run it as your editor",
    "SHELL": "programs start it as your shell",
    "EDITOR": "programs run it as your editor",
    "VISUAL": "programs run it as your editor",
    "SUDO_EDITOR": "sudo runs it as your editor",
    "SYSTEMD_EDITOR": "systemctl runs it as your editor",
    "SYSTEMD_PAGER": "systemctl runs it to show text",
    "PSQL_EDITOR": "psql runs it as your editor",
    "PSQL_PAGER": "psql runs it to show text",
    "PSQLRC": "psql runs the commands in the file",
    "PAGER": "programs run it to show text",
    "MANPAGER": "man runs it to show text",
    "BROWSER": "programs run it to show pages",
    "LESSOPEN": "less runs it on each file",
    "LESS": "less runs commands in it",
    "LESSCLOSE": "less runs it after each file",
    "SSH_ASKPASS": "ssh runs it to ask for a password",
    "SUDO_ASKPASS": "sudo runs it to ask for a password",
    "SSH_SK_PROVIDER": "ssh loads the library",
    "VIMINIT": "vim runs the commands in it",
    "EXINIT": "vi runs the commands in it",
    "GVIMINIT": "vim runs the commands in it",
    "MYVIMRC": "vim runs the commands in the file",
    "VIMRUNTIME": "vim runs scripts from it",
    "EMACSLOADPATH": "Emacs loads code from it",
    "PYTHONPATH": "Python imports modules from it",
    "PYTHONHOME": "Python takes its own modules from it",
    "PYTHONSTARTUP": "an interactive Python runs the file",
    "PYTHONUSERBASE": "Python imports modules from it",
    "PYTHONBREAKPOINT": "Python imports and calls what it names",
    "PYTHONWARNINGS": "Python imports what it names",
    "PYTHONPYCACHEPREFIX": "Python runs compiled modules from it",
    "PYTEST_ADDOPTS": "pytest takes options, which load code, from it",
    "PYTEST_PLUGINS": "pytest loads modules that it names",
    "IPYTHONDIR": "IPython runs startup files in it",
    "JUPYTER_CONFIG_DIR": "Jupyter runs configuration in it",
    "PIP_*": "pip installs from where it says",
    "UV_INDEX*": "uv installs from where it says",
    "UV_DEFAULT_INDEX": "uv installs from where it says",
    "UV_EXTRA_INDEX_URL": "uv installs from where it says",
    "NODE_OPTIONS": "Node.js loads modules that it names",
    "NODE_PATH": "Node.js loads modules from it",
    "NODE_REPL_EXTERNAL_MODULE": "Node.js loads the module",
    "BUN_OPTIONS": "Bun loads modules that it names",
    "YARN_*": "yarn takes programs and options from it",
    "NPM_CONFIG_*": "npm takes programs and options from it",
    "RUBYOPT": "Ruby loads files that it names",
    "RUBYLIB": "Ruby loads files from it",
    "GEM_HOME": "Ruby loads gems from it",
    "GEM_PATH": "Ruby loads gems from it",
    "BUNDLE_*": "Bundler runs files and installs from where it says",
    "IRBRC": "an interactive Ruby runs the file",
    "PERL5OPT": "Perl loads modules that it names",
    "PERL5LIB": "Perl loads modules from it",
    "PERLLIB": "Perl loads modules from it",
    "PERL5DB": "Perl runs it in the debugger",
    "PHPRC": "PHP reads settings, which name code, in it",
    "PHP_INI_SCAN_DIR": "PHP reads settings, which name code, in it",
    "LUA_INIT*": "Lua runs it",
    "LUA_PATH*": "Lua loads modules from it",
    "LUA_CPATH*": "Lua loads libraries from it",
    "TCLLIBPATH": "Tcl loads packages from it",
    "GUILE_LOAD_*": "Guile loads code from it",
    "R_PROFILE*": "R runs the file",
    "R_ENVIRON*": "R takes settings, which name code, from the file",
    "R_LIBS*": "R loads packages from it",
    "JULIA_LOAD_PATH": "Julia loads modules from it",
    "JULIA_DEPOT_PATH": "Julia loads modules from it",
    "JULIA_PROJECT": "Julia loads modules from it",
    "ERL_AFLAGS": "Erlang takes options, which run code, from it",
    "ERL_FLAGS": "Erlang takes options, which run code, from it",
    "ERL_ZFLAGS": "Erlang takes options, which run code, from it",
    "ERL_LIBS": "Erlang loads modules from it",
    "ELIXIR_ERL_OPTIONS": "Elixir takes options, which run code, from it",
    "JAVA_TOOL_OPTIONS": "Java loads agents that it names",
    "_JAVA_OPTIONS": "Java loads agents that it names",
    "JDK_JAVA_OPTIONS": "Java loads agents that it names",
    "JAVA_OPTS": "start scripts pass it to Java, which loads agents that it names",
    "MAVEN_OPTS": "Maven passes it to Java, which loads agents that it names",
    "MAVEN_ARGS": "Maven takes options, which name code, from it",
    "CATALINA_OPTS": "Tomcat passes it to Java, which loads agents that it names",
    "SBT_OPTS": "sbt passes it to Java, which loads agents that it names",
    "ANT_OPTS": "Ant passes it to Java, which loads agents that it names",
    "GRADLE_OPTS": "Gradle passes it to Java, which loads agents that it names",
    "CLASSPATH": "Java loads classes from it",
    "JAVA_HOME": "programs run the Java in it",
    "GRADLE_USER_HOME": "Gradle runs scripts in it",
    "DOTNET_STARTUP_HOOKS": ".NET loads it before the program",
    "DOTNET_ADDITIONAL_DEPS": ".NET loads libraries that it names",
    "DOTNET_SHARED_STORE": ".NET loads libraries from it",
    "DOTNET_ROOT*": "programs run the .NET in it",
    "PSModulePath": "PowerShell loads modules from it",
    "CORECLR_PROFILER*": ".NET loads profilers that it names",
    "COR_PROFILER*": ".NET loads profilers that it names",
    "GIT_SSH": "git runs it to reach a server",
    "GIT_SSH_COMMAND": "git runs it to reach a server",
    "GIT_PROXY_COMMAND": "git runs it to reach a server",
    "SVN_SSH": "svn runs it to reach a server",
    "RSYNC_RSH": "rsync runs it to reach a server",
    "RSYNC_CONNECT_PROG": "rsync runs it to reach a server",
    "CVS_RSH": "cvs runs it to reach a server",
    "HGRCPATH": "Mercurial takes settings, which name programs, from it",
    "HGEDITOR": "Mercurial runs it as your editor",
    "GIT_ASKPASS": "git runs it to ask for a password",
    "GIT_EDITOR": "git runs it as your editor",
    "GIT_SEQUENCE_EDITOR": "git runs it as your editor",
    "GIT_PAGER": "git runs it to show text",
    "GIT_EXTERNAL_DIFF": "git runs it to compare files",
    "GIT_EXEC_PATH": "git looks for its programs in it",
    "GIT_TEMPLATE_DIR": "git copies hooks, which it runs, from it",
    "GIT_DIR": "git takes settings and hooks, which name programs, from it",
    "GIT_COMMON_DIR": "git takes settings and hooks, which name programs, from it",
    "GIT_ALLOW_PROTOCOL": "git runs programs that an address names",
    "GIT_CONFIG*": "git takes settings, which name programs, from it",
    "MAKEFILES": "make runs the files",
    "MAKEFLAGS": "make takes options, which run code, from it",
    "GNUMAKEFLAGS": "make takes options, which run code, from it",
    "GOFLAGS": "go takes options, which run programs, from it",
    "GOENV": "go takes options, which run programs, from the file",
    "GOROOT": "go runs its tools from it",
    "GOPROXY": "go installs from where it says",
    "CC": "compilers of programs run it",
    "CXX": "compilers of programs run it",
    "GCC_EXEC_PREFIX": "gcc runs its parts from it",
    "COMPILER_PATH": "gcc runs its parts from it",
    "RUSTC*": "cargo runs it",
    "RUSTFLAGS": "cargo passes options, which name programs, from it",
    "CARGO_*": "cargo takes programs and options from it",
    "KUBECONFIG": "kubectl runs programs that the file names",
    "KUBECTL_EXTERNAL_DIFF": "kubectl runs it to compare",
    "HELM_PLUGINS": "helm runs plug-ins from it",
    "ANSIBLE_*": "Ansible loads plug-ins from where it says",
    "TF_CLI_*": "Terraform takes options, which name plug-ins, from it",
    "VAULT_CONFIG_PATH": "vault runs the program that the file names",
    "CLOUDSDK_PYTHON*": "gcloud runs the Python that it names",
    "CLOUDSDK_CONFIG": "gcloud takes settings, which name programs, from it",
    "AWS_CONFIG_FILE": "AWS tools run programs that the file names",
    "AWS_SHARED_CREDENTIALS_FILE": "AWS tools run programs that the file names",
    "DOCKER_CONFIG": "docker runs programs that its files name",
    "CONTAINERS_CONF*": "podman runs programs that the file names",
    "CURL_HOME": "curl takes options, which write files, from it",
    "WGETRC": "wget takes options, which write files, from it",
}
# what every later envkit in a shell, or in a job of GitHub, takes for its user's own server
OWN_SERVERS = {
    "VAULT_ADDR": "envkit and vault send your token there",
    "BAO_ADDR": "envkit and bao send your token there",
    "AWS_ENDPOINT_URL*": "envkit and AWS tools send your credentials there",
}
_LOADER_PREFIXES = tuple(name[:-1] for name in LOADERS if name.endswith("*"))
_BOOTSTRAP_PREFIXES = (b"ENVKIT_", b"DOTENV_PRIVATE_KEY")


def parent_environment() -> dict[bytes, bytes]:
    """Return the variables that this process was started with.

    In the locale C, which is that of most containers, Python sets LC_CTYPE for itself. It
    would be the app's too, and change how that sorts and reads text.

    Reference: PEP 538
    """
    parent = dict(os.environb)
    if parent.get(b"LC_CTYPE") in COERCED_LOCALES:
        try:
            with open("/proc/self/environ", "rb") as file:
                given = file.read().split(b"\0")
        except OSError:  # no Linux, or not allowed
            return parent
        del parent[b"LC_CTYPE"]
        for variable in given:
            if variable.startswith(b"LC_CTYPE="):
                parent[b"LC_CTYPE"] = variable.removeprefix(b"LC_CTYPE=")
    return parent


def loading_variables(names: Iterable[str], *, lasting: bool = False) -> dict[str, str]:
    """Return which of these variables make other programs load code, each with the reason.

    Args:
        names: of variables.
        lasting: whether they stay for later commands; those that name servers count then.
    """
    found = {}
    for name in names:
        if name in LOADERS:
            found[name] = LOADERS[name]
        elif name.upper().startswith(_LOADER_PREFIXES):  # npm takes either case, and more do
            prefix = next(one for one in _LOADER_PREFIXES if name.upper().startswith(one))
            found[name] = LOADERS[f"{prefix}*"]
        elif lasting and (name in OWN_SERVERS or name.startswith("AWS_ENDPOINT_URL")):
            found[name] = OWN_SERVERS.get(name) or OWN_SERVERS["AWS_ENDPOINT_URL*"]
    return found


def overlay(
    environment: Environment, parent: Mapping[bytes, bytes], *, pristine: bool = False
) -> dict[bytes, bytes]:
    """Return what a program is started with: the parent's variables, under the environment's.

    Args:
        environment: wins over the parent.
        parent: as in `os.environb`.
        pristine: keep of the parent only PRISTINE and `LC_*`.

    Returns:
        the parent's variables without envkit's own bootstrap, and the environment's.
    """
    strip = {name.encode() for name in environment.bootstrap}
    result = {
        name: value
        for name, value in parent.items()
        if name not in strip
        and not name.startswith(_BOOTSTRAP_PREFIXES)
        and (not pristine or name in PRISTINE or name.startswith(b"LC_"))
    }
    for name, value in environment.items():
        result[name.encode()] = value.to_bytes()
    return result


def check_limits(arguments: Sequence[bytes], environ: Mapping[bytes, bytes]) -> None:
    """Refuse what the kernel would refuse.

    Raises:
        LimitError: names the variable, or the largest ones where the total is too large.
    """
    sizes = {name: len(name) + 1 + len(value) for name, value in environ.items()}
    if sys.platform == "linux":
        for name, size in sizes.items():
            if size > MAX_VARIABLE_BYTES:
                raise LimitError(
                    f"{name.decode()} has {size:,} bytes with its name; "
                    f"the kernel passes at most {MAX_VARIABLE_BYTES:,}",
                    hint="put it into a file and pass the file's path",
                )
    strings = sum(sizes.values()) + sum(map(len, arguments)) + len(arguments) + len(sizes)
    total = strings + POINTER_BYTES * (len(arguments) + len(sizes))
    limit = os.sysconf("SC_ARG_MAX")
    if 0 < limit < total:
        largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:3]
        names = ", ".join(f"{name.decode()} ({sizes[name]:,})" for name in largest)
        raise LimitError(
            f"arguments and variables have {total:,} bytes; the kernel passes at most {limit:,}; "
            f"the largest are {names}",
            hint="leave some out with --except, or raise the stack limit (ulimit -s)",
        )


def replace_process(command: Sequence[str], environ: Mapping[bytes, bytes]) -> NoReturn:
    """Become `command`, which is looked for in the PATH of its own environment.

    Args:
        command: the program and its arguments.
        environ: all that it will see.

    Raises:
        LimitError: before anything runs.
        CommandNotFoundError: there is no such program.
        NotExecutableError: there is one, and it cannot be run.
    """
    arguments = [os.fsencode(argument) for argument in command]
    check_limits(arguments, environ)
    _restore_signals()
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(arguments[0], arguments, dict(environ))  # noqa: S606 - it is the point
    except FileNotFoundError:
        if os.sep in command[0] and os.path.exists(command[0]):
            raise NotExecutableError(
                f"cannot run {command[0]}: its interpreter is not there",
                hint="look at its first line (#!)",
            ) from None
        raise _not_found(command[0]) from None
    except OSError as error:
        if isinstance(error, NotADirectoryError) and os.sep not in command[0]:
            raise _not_found(command[0]) from None  # an entry of PATH is no folder
        from envkit._internal.os_errors import reason_of

        reason = reason_of(error, "error")
        hint = "if it is a script, begin it with #!/bin/sh" if error.errno == ENOEXEC else None
        raise NotExecutableError(f"cannot run {command[0]}: {reason}", hint=hint) from None


def _not_found(program: str) -> CommandNotFoundError:
    return CommandNotFoundError(
        f"no program '{program}'", hint="check its name, or the PATH of the environment"
    )


def end_on_signals() -> None:
    """Let SIGTERM and SIGINT end this process also where it is the first of its container.

    For process 1 the kernel ignores a signal that has no handler, so that a container
    which still waits for a store could not be stopped. The app gets the default handlers
    back when it takes this process over.
    """
    signals = _signals()
    for number in (signals.SIGTERM, signals.SIGINT):
        signals.signal(number, lambda number, _: os._exit(128 + number))


def _restore_signals() -> None:
    """Undo what Python did at its start, as `subprocess` does for its children."""
    signals = _signals()
    for name in ("SIGPIPE", "SIGXFSZ"):
        number = getattr(signals, name, None)
        if number is not None:
            signals.signal(number, signals.SIG_DFL)


def _signals() -> ModuleType:
    try:  # without the enums of `signal`, which cost 3 ms
        import _signal as module  # type: ignore[import-not-found]
    except ImportError:
        import signal as module
    return module  # type: ignore[no-any-return]
