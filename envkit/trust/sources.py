"""What the sources of a profile would do with credentials and files, according to its text.

A source without settings connects to the server of the user's own environment. It needs no trust.
"""

from __future__ import annotations

import os
import re
from shlex import quote

from envkit._internal.files import project_of, resolved
from envkit.errors import UntrustedError
from envkit.profile.discovery import FORMS
from envkit.profile.placeholder import OPEN, Reference
from envkit.trust.address import http_server, redacted
from envkit.trust.destination import READ, SEND, Destination
from envkit.trust.written import (
    alone,
    credentials,
    fixed,
    in_environment,
    references,
    spelled,
    variable_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from envkit.profile.model import Profile, SourceSpec

VAULT, AWS, DOTENV = "vault", "aws-secrets-manager", "dotenv"
# type -> the setting that is an address, and the variables that name it in the user's own tools
ADDRESSES = {
    VAULT: ("address", ("VAULT_ADDR", "BAO_ADDR")),
    AWS: ("endpoint_url", ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER")),
}
WITHOUT_TRUST = frozenset({"env", "memory", DOTENV, *ADDRESSES})
_KEY_FILE = ".env.keys"  # has the private keys of the encrypted files beside it
MFA_CODE = "ENVKIT_MFA_CODE"
# method -> the variables that its name alone in a list of methods uses
_BY_NAME = {"approle": ("$VAULT_ROLE_ID", "$VAULT_SECRET_ID"), "kubernetes": ("$VAULT_ROLE",)}
_FILES = ("ca_cert", "client_cert", "client_key")
_OF_A_ROLE = ("role_arn", "role_session_name", "external_id", "mfa_serial")
_REGION = re.compile(r"[a-z]{2,5}(-[a-z]{2,5})?-(central|(north|south)?(east|west)|north|south)-\d")
# text that no plug-in can read as a remote server: a word, or words with slashes
_PLAIN_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9 _/-]*", re.ASCII)


def of_source(
    profile: Profile, name: str, asked: Iterable[Reference], environ: Mapping[str, str]
) -> list[Destination]:
    """Return what a source would do that needs trust.

    Args:
        profile: a loaded profile.
        name: one of its sources.
        asked: the references that are looked up in it.
        environ: the process environment.

    Raises:
        UntrustedError: an address is not encrypted, and the profile does not allow that.
    """
    return list(_of_source(profile, name, asked, environ, frozenset()))


def _of_source(
    profile: Profile,
    name: str,
    asked: Iterable[Reference],
    environ: Mapping[str, str],
    above: frozenset[str],
) -> Iterator[Destination]:
    spec = profile.sources[name]
    above |= {name}
    for reference in references(profile, spec.settings):
        if reference.source in profile.sources and reference.source not in above:
            yield from _of_source(profile, reference.source, [reference], environ, above)
    if spec.type == DOTENV:
        yield from _files(profile, spec, asked, environ)
    elif spec.type == VAULT:
        yield from _vault_files(profile, spec, environ)
        yield from _addressed(profile, spec, environ)
    elif spec.type == AWS:
        yield from _addressed(profile, spec, environ)
        yield from _role(profile, spec, environ)
    elif spec.type not in WITHOUT_TRUST:
        yield from of_plug_in(profile, spec.type, spec.title, spec.settings)


def all_of_sources(profile: Profile, environ: Mapping[str, str]) -> list[Destination]:
    """Return everything that the sources of a profile would do for all of its variables."""
    asked: dict[str, list[Reference]] = {
        # a source with its own files reads them even if no variable refers to it
        name: [Reference(name, "", name)] if "path" in spec.settings else []
        for name, spec in profile.sources.items()
    }
    for variable in profile.variables.values():
        for reference in references(profile, str(variable.template)):
            if reference.source in asked:
                asked[reference.source].append(reference)
    return [one for name in asked for one in of_source(profile, name, asked[name], environ)]


def linked_profiles(folder: str) -> list[Destination]:
    """Return the profiles in a folder that a link places outside the project."""
    root = os.path.dirname(folder)
    names = sorted(name for name in os.listdir(folder) if name.endswith(FORMS))
    paths = [os.path.join(folder, name) for name in names]
    linked = os.path.islink(folder)
    reals = [outside(root, path) for path in paths if linked or os.path.islink(path)]
    return [Destination(READ, real, (), "as a profile") for real in reals if real is not None]


def refuse_unencrypted(profile: Profile, name: str, address: str) -> None:
    """Refuse an address from the repository that others on the network could read.

    Args:
        profile: a loaded profile.
        name: one of its sources.
        address: as it is written, or with the values of its placeholders filled in.

    Raises:
        UntrustedError: it is http to another machine, and the profile does not allow that.
    """
    spec = profile.sources[name]
    key, own = ADDRESSES[spec.type]
    if spec.settings.get("allow_http") is True or not address.lower().lstrip().startswith("http:"):
        return
    only = alone(spec.settings[key])
    if only is not None and only.fallback is None and variable_of(profile, only) in own:
        return  # the user's own address; `doctor` warns about it
    server = http_server(address)
    if server is None or not server.is_loopback:
        raise UntrustedError(
            f"{spec.place_of(key)}: {spec.title}: '{key}' is http: envkit does not send "
            "credentials over an unencrypted connection",
            hint=f"write https, or allow_http = true in {spec.title} if you trust that network",
        )


def own_address_warning(profile: Profile, name: str, environ: Mapping[str, str]) -> str:
    """Return a warning if the user's own address is not encrypted; empty otherwise."""
    spec = profile.sources[name]
    if spec.type not in ADDRESSES:
        return ""
    key, own = ADDRESSES[spec.type]
    only = alone(spec.settings[key]) if spec.settings.get(key) else None
    if spec.settings.get(key) and (only is None or variable_of(profile, only) not in own):
        return ""
    for variable in own:
        server = http_server(environ.get(variable, ""))
        if server is not None and server.scheme == "http" and not server.is_loopback:
            return f"{variable} is http: the traffic of '{name}' is not encrypted"
    return ""


def outside(root: str, path: str) -> str | None:
    """Return the real path of a file outside the project; None for a file inside it."""
    try:
        real, project = resolved(os.path.join(root, path)), project_of(root)
    except ValueError:  # a NUL, which the source refuses
        return None
    return None if f"{real}/".startswith(project.rstrip("/") + "/") else real


def of_plug_in(
    profile: Profile, type_name: str, title: str, settings: Mapping[str, Any]
) -> list[Destination]:
    """Return what the settings of a plug-in may do.

    The user installed the plug-in. Only the plug-in knows where it connects, so trust is
    required for any text that could be an address or a file outside the project.
    """
    texts = (text for text in _texts(settings) if OPEN not in text)
    odd = (quote(text) for text in texts if text and not _PLAIN_WORDS.fullmatch(text))
    mixed = (text for text in _texts(settings) if OPEN in text and alone(text) is None)
    given = (*credentials(profile, settings), *odd, *(spelled(profile, text) for text in mixed))
    where = f"the plug-in '{type_name}'"
    return [Destination(SEND, where, tuple(dict.fromkeys(given)), f"in {title}")] if given else []


def of_role(profile: Profile, settings: Mapping[str, Any]) -> Iterator[Destination]:
    """Yield the AWS role: the owner of its account finds values that are sent in CloudTrail."""
    role = settings.get("role_arn")
    given = credentials(profile, [settings.get(key) for key in _OF_A_ROLE])
    if role and given:
        yield Destination(SEND, spelled(profile, str(role)), given)


def of_region(
    profile: Profile, settings: Mapping[str, Any], environ: Mapping[str, str]
) -> Iterator[Destination]:
    """Yield an invalid region: the DNS lookup of its server would disclose the text."""
    region = settings.get("region")
    if not isinstance(region, str) or not (given := credentials(profile, region)):
        return
    text = in_environment(profile, region, environ)
    if text is None or (text and not _REGION.fullmatch(text)):
        where = f"the name server, for an AWS region {spelled(profile, region)}"
        yield Destination(SEND, where, given)


def _role(profile: Profile, spec: SourceSpec, environ: Mapping[str, str]) -> Iterator[Destination]:
    yield from of_role(profile, spec.settings)
    yield from of_region(profile, spec.settings, environ)
    prefix = spec.settings.get("prefix")
    if not isinstance(prefix, str) or not (given := credentials(profile, prefix)):
        return
    # a name is a role of the user's own account; an ARN may be in another account
    text = in_environment(profile, prefix, environ)
    begin = text or spelled(profile, prefix).partition(OPEN)[0]
    if begin.startswith("arn:") or (text is None and "arn:".startswith(begin)):
        yield Destination(SEND, spelled(profile, prefix), given)


def _addressed(
    profile: Profile, spec: SourceSpec, environ: Mapping[str, str]
) -> Iterator[Destination]:
    key, own = ADDRESSES[spec.type]
    text = spec.settings.get(key)
    if not isinstance(text, str) or not text:
        return
    others = {name: value for name, value in spec.settings.items() if name != key}
    sent = others if alone(text) else spec.settings
    given = (*_login(profile, spec, environ), *credentials(profile, sent))
    for address in _addresses(profile, text, own, environ):
        refuse_unencrypted(profile, spec.name, address)
        server = http_server(address)
        if server is None:
            plain = address.lower().lstrip().startswith("http:")
            yield Destination(SEND, redacted(address), given, plain=plain)
        elif not server.is_loopback:
            yield Destination(SEND, server.origin, given, plain=server.scheme == "http")


def _addresses(
    profile: Profile, text: str, own: tuple[str, ...], environ: Mapping[str, str]
) -> Iterator[str]:
    """Yield the addresses that a setting may mean, except the user's own."""
    constant = fixed(text)
    if constant is not None:
        if constant:
            yield constant
        return
    only = alone(text)
    name = None if only is None else variable_of(profile, only)
    if only is None or name is None:
        yield spelled(profile, text)  # the host, or a part of it, comes from another source
        return
    if name in own and not [step for step in only.filters if step.name != "trim"]:
        if only.fallback:
            yield only.fallback.strip()
        return
    # other variables may contain what others wrote, such as the title of a pull request
    value = in_environment(profile, text, environ)
    if value != "":
        yield value if value is not None and http_server(value) else spelled(profile, text)


def _login(profile: Profile, spec: SourceSpec, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the credentials that a source uses without being told to."""
    code = (f"${MFA_CODE}",) if environ.get(MFA_CODE) else ()
    if spec.type == AWS:
        named = spec.settings.get("profile")
        own = f"your AWS credentials{f' of profile {quote(str(named))}' if named else ''}"
        return (own, *(code if spec.settings.get("mfa_serial") else ()))
    auth = spec.settings.get("auth", {})
    given: list[str] = []
    for one in auth if isinstance(auth, list) else [auth]:
        table = one if isinstance(one, dict) else {"method": one}
        method = fixed(str(table.get("method", "token")))
        by_person = _asks(method, table)
        # a method that is only known at run time may be any of them
        if method is None or by_person or (method == "token" and not table.get("token")):
            given.append("$VAULT_TOKEN")
        if by_person and method != "oidc":
            given.append("the password that you type")
        if not isinstance(one, dict):
            given += _BY_NAME.get(str(one), ())
        if isinstance(table.get("jwt_file"), str):
            given.append(f"the content of {quote(spelled(profile, table['jwt_file']))}")
        elif method in (None, "kubernetes"):
            given.append("the token of the Kubernetes service account")
        if method != "token":
            given += code
    return tuple(dict.fromkeys(given))


def _asks(method: str | None, table: Mapping[str, Any]) -> bool:
    """Return whether a person logs in with a method of Vault, in the browser or by password."""
    if method in ("userpass", "ldap"):
        return not table.get("password")
    return method == "oidc" and not (table.get("jwt") or table.get("jwt_file"))


def _vault_files(
    profile: Profile, spec: SourceSpec, environ: Mapping[str, str]
) -> Iterator[Destination]:
    auth = spec.settings.get("auth", {})
    tables = [one for one in (auth if isinstance(auth, list) else [auth]) if isinstance(one, dict)]
    for table, keys in ((spec.settings, _FILES), *((one, ("jwt_file",)) for one in tables)):
        for key in keys:
            if isinstance(table.get(key), str) and table[key]:
                yield from _read(profile, table[key], environ, f"for {key} of {spec.title}")


def _files(
    profile: Profile,
    spec: SourceSpec,
    asked: Iterable[Reference],
    environ: Mapping[str, str],
) -> Iterator[Destination]:
    setting = spec.settings.get("path", [])
    named = [setting] if isinstance(setting, str) else setting if isinstance(setting, list) else []
    usual = named or [f".env.{name}" for name in (profile.name, *profile.aliases)]
    paths = [
        path
        for reference in asked
        for path in ([reference.path] if reference.path and reference.field else usual)
    ]
    for path in dict.fromkeys(path for path in paths if isinstance(path, str)):
        why = f"as {quote(spelled(profile, path))}"
        yield from _read(profile, path, environ, why)
        keys = os.path.join(os.path.dirname(path), _KEY_FILE)
        if os.path.lexists(os.path.join(profile.root, keys)):
            yield from _read(profile, keys, environ, why)


def _read(
    profile: Profile, text: str, environ: Mapping[str, str], why: str
) -> Iterator[Destination]:
    path = in_environment(profile, text, environ)
    if path is None:  # only the `.env` file says where the path points
        yield Destination(READ, spelled(profile, text), (), why)
        return
    if not path:
        return
    # a folder of certificates is read file by file
    for one in (path, *_links(os.path.join(profile.root, path))):
        real = outside(profile.root, one)
        if real is not None:
            yield Destination(READ, real, (), why)


def _links(folder: str) -> list[str]:
    """Return the links below a folder, which may point out of it; empty if it is not a folder."""
    try:
        return sorted(
            path
            for parent, folders, files in os.walk(folder)
            for path in (os.path.join(parent, name) for name in (*folders, *files))
            if os.path.islink(path)
        )
    except (OSError, ValueError):
        return []


def _texts(setting: Any) -> Iterator[str]:
    if isinstance(setting, str):
        yield setting
    elif isinstance(setting, dict | list):
        for item in setting.values() if isinstance(setting, dict) else setting:
            yield from _texts(item)
