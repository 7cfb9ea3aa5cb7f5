"""What `envkit exec` imports, for each kind of profile: every module costs start-up time.

Each test runs the command in a new interpreter without `site`, whose `os.execvpe` says
which modules were loaded in place of becoming the app. Vault and AWS are at an address
with a closed port: by then, all that they need has been imported.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

from support import dotenvx
from support.process import ENVKIT, run_python

SCRIPT = """
import os, sys, time

class Reached(BaseException):
    pass

def reached(*_):
    raise Reached

sys.path[:0] = {path!r}
os.execvpe = reached
time.sleep = lambda seconds: None  # between the attempts to reach a store
sys.argv = ["envkit", "exec", "--env", "prod", "--timeout", "20", "--", "app"]
before = set(sys.modules)
from envkit.__main__ import main
try:
    main()
except Reached:
    status = "reached"
except SystemExit as end:
    status = end.code
modules = sorted(set(sys.modules) - before)
import json
json.dump([status, modules], sys.stdout)
"""

# what every `exec` needs
CORE = {
    "envkit",
    "envkit.__main__",
    "envkit._internal",
    "envkit._internal.clock",
    "envkit._internal.names",
    "envkit._internal.paths",
    "envkit._internal.files",
    "envkit._internal.named_tuple",
    "envkit.audit",
    "envkit.audit.session",
    "envkit.audit.log",
    "envkit.audit.file_log",
    "envkit.cli",
    "envkit.cli.boundary",
    "envkit.cli.hot",
    "envkit.arguments",
    "envkit.profile.declaration",
    "envkit.profile.discovery",
    "envkit.profile.toml_file",
    "envkit.resolution.environment",
    "envkit.errors",
    "envkit.resolution.evaluate",
    "envkit.resolution.fetch",
    "envkit.profile.location",
    "envkit._internal.toposort",
    "envkit.profile.placeholder",
    "envkit.resolution.plan",
    "envkit.resolution.prepare",
    "envkit.profile",
    "envkit.profile.loader",
    "envkit.profile.model",
    "envkit.profile.substitution",
    "envkit.resolution",
    "envkit.resolution.resolve",
    "envkit.secret",
    "envkit.sources",
    "envkit.sources.model",
    "envkit.sources.registry",
}
# what says whether a server that a profile names needs trust; one that does takes more
TRUST = {
    "envkit.trust",
    "envkit.trust.address",
    "envkit.trust.destination",
    "envkit.trust.sources",
    "envkit.trust.written",
}
REMOTE = {"envkit._internal.parallel", "envkit.sources.retry"}
PLAIN_TOML = "envkit.profile.plain_toml"
LAUNCH = {
    "envkit.launch",
    "envkit.launch.exec",
    "envkit.launch.loaders",
    "envkit.launch.overlay",
}

VAULT = """
[sources.vault]
address = "http://127.0.0.1:1"
auth = { method = "token", token = "t" }
[variables]
X = "{{ vault:secret/db#x }}"
"""
AWS = """
[sources.aws]
endpoint_url = "http://127.0.0.1:1"
region = "eu-west-1"
[variables]
X = "{{ aws:db#x }}"
"""


# what `exec` needs if the agent has the answer: a quarter of CORE
WARM = {
    "envkit",
    "envkit.__main__",
    "envkit.agent",
    "envkit.agent.asking",
    "envkit.agent.wire",
    "envkit.launch",
    "envkit.launch.exec",
}


def test_the_installed_script_imports_nothing_but_envkit():
    # what an old pip writes for an entry point imports `re`
    lines = Path(ENVKIT).read_text("utf-8").splitlines()
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    assert imports == ["from envkit.__main__ import main"]


def test_a_warm_exec_imports_no_module_for_annotations():
    for name in WARM:
        spec = importlib.util.find_spec(name)
        lines = Path(spec.origin).read_text("utf-8").splitlines()
        assert not [line for line in lines if line.startswith("from __future__")], name


def imported(project, script=SCRIPT, **env):
    """Return how it ended, envkit's modules, and the top-level names of all others."""
    done = run_python(
        script.format(path=[folder for folder in sys.path if folder]),
        options=["-I", "-S"],
        cwd=project.root,
        start_new_session=True,  # without a controlling terminal, as a service
        env={"XDG_STATE_HOME": str(project.root), **env},
    )
    status, modules = json.loads(done.stdout)
    own = {name for name in modules if name.split(".")[0] == "envkit"}
    return status, own, {name.split(".")[0] for name in modules} - {"envkit"}


CLIENTS = {"boto3", "botocore", "hvac", "requests"}
NEVER = {"asyncio", "dotenv", "rich", "typer"}  # whatever the profile
# what costs more than it gives where no store is asked
COSTLY = {
    *CLIENTS,
    *NEVER,
    "concurrent",
    "dataclasses",
    "hashlib",
    "inspect",
    "json",
    "logging",
    "pathlib",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "tomllib",
    "typing",
    "urllib",
}
# what `.env` files alone do without; together it costs as much as the rest
SPARED = {*COSTLY, "collections", "contextlib", "enum", "functools", "re", "signal", "types"}


def test_exec_with_env_files_imports_only_the_core(project):
    project.profile("prod.env", "URL={{URL}}\nOTHER='{{ env:X ?? \"x\" }}'\n")
    project.dotenv("prod", "URL=pg://db\n")
    status, own, others = imported(project)
    assert status == "reached"
    assert own == CORE | LAUNCH | {
        "envkit.dotenv",
        "envkit.dotenv.file",
        "envkit.dotenv.parser",
        "envkit.sources.dotenv",
        "envkit.sources.env",
    }
    assert others & SPARED == set()


ENCRYPTION = {
    "envkit.dotenv",
    "envkit.dotenv.file",
    "envkit.dotenv.parser",
    "envkit._internal.os_errors",
    "envkit.encryption",
    "envkit.encryption.errors",
    "envkit.encryption.key_lookup",
    "envkit.encryption.keys",
    "envkit.encryption.reading",
    "envkit.encryption.values",
    "envkit.sources.dotenv",
    "envkit.sources.env",
}


def test_exec_with_encrypted_values_imports_cryptography_and_nothing_for_writing(project):
    project.profile("production.env", "URL={{DATABASE_URL}}\n")
    dotenvx.write_pair(project.root)
    script = SCRIPT.replace('"prod"', '"production"')
    status, own, others = imported(project, script)
    assert status == "reached"
    assert own == CORE | LAUNCH | ENCRYPTION
    assert "cryptography" in others
    assert others & COSTLY <= {"typing"}


def test_exec_that_selects_no_encrypted_value_imports_no_cryptography(project):
    project.profile("production.env", "LEVEL={{LOG_LEVEL_PLAIN}}\n")
    file = dotenvx.write_pair(project.root)
    file.write_text(file.read_text().replace(" # payment", ""))
    script = SCRIPT.replace('"prod"', '"production"')
    status, own, others = imported(project, script)
    assert status == "reached"
    assert own == CORE | LAUNCH | ENCRYPTION
    assert others & {*SPARED, "cryptography"} == set()


def test_exec_with_a_plain_toml_profile_imports_neither_tomllib_nor_a_store(project):
    project.profile("prod.toml", '[variables]\nX = "x"\nY = { value = "1", type = "int" }\n')
    status, own, others = imported(project)
    assert status == "reached"
    assert own == CORE | LAUNCH | {PLAIN_TOML, "envkit.profile.value_types"}
    assert others & SPARED == set()


def test_exec_by_a_service_imports_little_for_access_rules_that_apply_only_to_people(project):
    project.profile("prod.toml", '[access]\nhours = "Mon 08:00-19:00 UTC"\n[variables]\nX = "x"\n')
    status, own, others = imported(project)
    assert status == "reached"
    assert own == CORE | LAUNCH | {
        *(PLAIN_TOML, "envkit.profile.access", "envkit.access", "envkit.access.person"),
    }
    assert others & SPARED == set()


def test_exec_with_other_toml_imports_tomllib_and_nothing_of_a_store(project):
    project.profile("prod.toml", '[variables]\nX = """\nx"""\n')
    status, own, others = imported(project)
    assert status == "reached"
    assert own == CORE | LAUNCH | {PLAIN_TOML}
    assert "tomllib" in others
    assert others & COSTLY <= {"tomllib", "typing"}  # the former may import the latter


def test_exec_with_vault_imports_only_its_source(project):
    project.profile("prod.toml", VAULT)
    status, own, others = imported(project)
    assert status == 5
    assert own == CORE | LAUNCH | {PLAIN_TOML} | REMOTE | TRUST | {
        "envkit._internal.os_errors",
        "envkit._internal.suggestions",
        "envkit.cli.error_text",
        "envkit.sources.vault",
        "envkit.sources.vault.source",
        "envkit.sources.vault.address",
        "envkit.sources.vault.auth",
        "envkit.sources.vault.client",
        "envkit.sources.vault.session",
        "envkit.sources.vault.kv",
        # the address of a closed port
        "envkit.sources.vault.failures",
        "envkit.sources.tls_mismatch",
    }
    assert others & {*CLIENTS, *NEVER} == {"hvac", "requests"}


def test_exec_with_aws_imports_only_its_source(project):
    project.profile("prod.toml", AWS)
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    status, own, others = imported(project, **keys)
    assert status == 5
    assert own == CORE | LAUNCH | {PLAIN_TOML} | REMOTE | TRUST | {
        "envkit._internal.suggestions",
        "envkit.cli.error_text",
        "envkit.sources.aws",
        "envkit.sources.aws.source",
        "envkit.sources.aws.client",
        "envkit.sources.aws.secret_version",
        "envkit.sources.aws.errors",
        "envkit.sources.aws.loader",
        "envkit.sources.aws.names",
        "envkit.sources.tls_mismatch",  # as above
    }
    assert others & {*CLIENTS, *NEVER} == {"botocore"}


def test_exec_does_not_import_a_source_that_the_plan_does_not_ask(project):
    project.profile("prod.toml", VAULT.replace("{{ vault:secret/db#x }}", "x"))
    status, own, _ = imported(project)
    assert status == "reached"
    assert own == CORE | LAUNCH | {PLAIN_TOML}


def test_exec_with_a_server_of_the_user_imports_nothing_of_trust(project):
    project.profile(
        "prod.toml", '[sources.vault]\nmount = "kv"\n[variables]\nX = "{{ vault:a#x }}"\n'
    )
    own_server = {"VAULT_ADDR": "https://127.0.0.1:1", "VAULT_TOKEN": "t"}
    status, own, _ = imported(project, **own_server)
    assert status == 5
    assert not own & {*TRUST, "envkit.cli.interaction.trusting"}


def test_exec_with_an_answer_of_the_agent_imports_nothing_that_reads_a_profile(project, agent):
    project.profile("prod.toml", VAULT.replace("{{ vault:secret/db#x }}", "x"))
    env = {**agent.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    imported(project, **env)
    status, own, others = imported(project, **env)
    assert status == "reached"
    assert own == WARM | {"envkit.arguments"}  # for --timeout
    assert others & {*SPARED, "_json", "fcntl", "pwd", "selectors"} == set()
    assert agent.status().misses >= 1
