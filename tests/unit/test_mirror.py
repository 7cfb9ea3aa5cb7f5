"""`tests/unit` mirrors the packages: `envkit/a/b.py` is tested by `tests/unit/a/test_b.py`.

A package may have one test file for all of its modules, `tests/unit/a/test_b.py` for
`envkit/a/b/`. What is tested as a whole, or needs a server, is listed with its tests.
"""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
UNIT = TESTS / "unit"
PACKAGE = TESTS.parent / "envkit"

# a module, or a package for those of its modules without their own test file -> its tests
ELSEWHERE = {
    # what a person sees: transcripts
    "__main__": "cli",
    "cli": "cli",
    "arguments": "cli",
    "agent.errors": "cli/test_agent.py",
    "sources.dotenv_files.errors": "unit/sources/test_dotenv.py",
    "sources.dotenv_files.history": "unit/sources/test_dotenv.py",
    "encryption.errors": "unit/test_errors.py",
    "dotenv.settle": "unit/dotenv/test_recovery.py",
    "audit.session": "cli/test_audit.py",
    "importing": "cli/test_import.py",
    "checks.checklist": "cli/test_checklist.py",
    "access.readers": "live/test_access.py",
    "notification.channel_table": "unit/rotation_state/test_policy.py",
    "rotation.identity": "unit/rotation/test_engine.py",
    "backup": "cli/test_backup.py",
    "checks.doctor": "cli/test_doctor.py",
    "checks.doctor_stores": "cli/test_doctor.py",
    "scan.errors": "cli/test_scan.py",
    "scan.run": "cli/test_scan.py",
    # whole files, as the commands change them
    "env_files": "cli/test_env.py",
    "git.staged": "unit/git/test_check_staged.py",
    "git.write_failure": "unit/git/test_hook.py",
    # real servers
    "integrations.boto3": "live/test_integration_boto3.py",
    "editing.preflight": "cli/test_file_kinds.py",
    "editing.profile_change": "live/test_promote.py",
    "integrations.asyncpg": "live/test_pg_pools.py",
    "integrations.django": "live/test_pg_pools.py",
    "integrations.django_backend": "live/test_pg_pools.py",
    "integrations.psycopg": "live/test_pg_pools.py",
    "integrations.sqlalchemy": "live/test_pg_pools.py",
    "rotation.fleet": "live/test_fleet.py",
    "rotation.rotators.postgres.alternate": "live/test_postgres_rotator.py",
    "rotation.rotators.postgres.change": "live/test_postgres_proofs.py",
    "rotation.rotators.postgres.connection": "live/test_postgres_rotator.py",
    "rotation.rotators.postgres.preflight": "live/test_postgres_preflight.py",
    "rotation.rotators.postgres.server": "live/test_postgres_rotator.py",
    "rotation.rotators.postgres.single": "live/test_postgres_rotator.py",
    "rotation.rotators.redis_acl": "live/test_redis_rotator.py",
    "rotation.rotators.redis_before": "live/test_redis_rotator.py",
    "rotation.rotators.redis_server": "live/test_redis_rotator.py",
    "rotation.scheduler.catalog_watcher": "live/test_serve.py",
    "rotation.scheduler.endpoint": "live/test_serve.py",
    "sources.aws": "live/test_aws.py",
    "sources.vault": "live/test_vault.py",
    "sources.dotenv_files.encrypted": "unit/scan/test_private_keys.py",
    "encryption.at_hand": "cli/test_doctor.py",
    "sources.tls_mismatch": "live/test_vault.py",
    "sources.mfa": "live/test_vault_logins.py",
    # contracts that several implementations fulfil
    "rotation_state.store": "contract/test_rotation_stores.py",
    "rotation_state.stores": "contract/test_rotation_stores.py",
    "sources.dotenv_files.write": "contract/test_local_contracts.py",
    "testing.restoring": "unit/testing/test_contract.py",
    "testing.rotator_proofs": "unit/testing/test_rotators.py",
    "testing.writing": "unit/testing/test_contract.py",
    # parts of a whole, which is what its tests look at
    # a real agent: what its clients get
    "agent.control": "cli/test_agent.py",
    "agent.fetching": "cli/test_agent.py",
    "agent.spawn": "cli/test_agent.py",
    "agent.connection": "unit/agent/test_server.py",
    "checks.rotated_secrets": "unit/checks/test_rotations.py",
    "checks.rotation_states": "unit/checks/test_rotations.py",
    "checks.rotation_tables": "unit/checks/test_rotations.py",
    "code.files": "unit/code/test_scan.py",
    "code.go": "unit/code/test_languages.py",
    "code.javascript": "unit/code/test_languages.py",
    "code.python": "unit/code/test_languages.py",
    "code.ruby": "unit/code/test_languages.py",
    "code.settings_class": "unit/code/test_languages.py",
    "code.shell": "unit/code/test_languages.py",
    "comparison.findings": "unit/comparison/test_compare.py",
    "sources.dotenv_files.whole": "unit/sources/test_dotenv.py",
    "profile.model": "unit/profile/test_loader.py",
    "importing.readers.platforms": "unit/importing/readers/test_json_file.py",
    "importing.readers.text": "unit/importing/readers/test_choose.py",
    "importing.readers.yaml_nodes": "unit/importing/readers/test_yaml_file.py",
    "promotion": "unit/promotion/test_decide.py",
    "launch.shell_hook": "cli/test_hook.py",
    "trust.hooks": "cli/test_hook.py",
    "resident.asking": "unit/resident/test_watcher.py",
    "resolution": "unit/resolution/test_resolve.py",
    # a real supervisor: what happens to the app
    "resident.child": "unit/resident/test_supervisor.py",
    "resident.kernel": "unit/resident/test_supervisor.py",
    "resident.reaper": "unit/resident/test_supervisor.py",
    "resident.signals": "unit/resident/test_supervisor.py",
    "rotation.step_context": "unit/rotation/test_engine.py",
    "rotation.steps": "unit/rotation/test_engine.py",
    "scaffold.profile_draft": "unit/scaffold/test_init_project.py",
}
# names alone: types, protocols, and what programs import instead of a longer path
ONLY_NAMES = {
    "_internal.person",
    *("check", "env_diff", "environment", "placeholder", "rotation.base", "sources.base"),
    *("code.found", "comparison.model", "comparison.side"),
    *("importing.contents", "importing.errors", "importing.model"),
    *("resident.request", "resident.state"),
    *("rotation.protocols", "rotation.rotators.postgres.strategies", "sources.protocols"),
    "sources.readers",
    *("testing.harness", "testing.observe", "testing.rotator_harness"),
}
# tests of several modules at once
OF_SEVERAL = {
    *("test_hot_imports.py", "test_mirror.py"),
    *("code/test_languages.py", "rotation/test_interleavings.py"),
    *("rotation/test_damaged_records.py", "rotation/test_edited_targets.py"),
    "rotation/test_foreign_writes.py",
}

MODULES = {
    ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
    for file in PACKAGE.rglob("*.py")
    if file.name != "__init__.py"
}


def has_a_test_file(module: str) -> bool:
    *folders, name = module.split(".")
    own = UNIT.joinpath(*folders, f"test_{name}.py")
    of_the_package = UNIT.joinpath(*folders[:-1], f"test_{folders[-1]}.py") if folders else own
    return own.exists() or of_the_package.exists()


def listed(module: str) -> str | None:
    """Return the entry of ELSEWHERE for a module: its own, or that of a package around it."""
    while module not in ELSEWHERE and "." in module:
        module = module.rpartition(".")[0]
    return module if module in ELSEWHERE else None


def test_every_module_has_a_test_file_or_is_listed_with_its_tests():
    lacking = [
        module
        for module in sorted(MODULES - ONLY_NAMES)
        if not has_a_test_file(module) and listed(module) is None
    ]
    assert lacking == []


def test_every_test_file_is_named_after_what_it_tests():
    files = {str(file.relative_to(UNIT)) for file in UNIT.rglob("test_*.py")}
    strays = [
        file
        for file in sorted(files - OF_SEVERAL)
        if not any(
            (root / file.replace("test_", "", 1)).exists()
            or (root / file.replace("test_", "", 1)).with_suffix("").is_dir()
            for root in (PACKAGE, TESTS)  # `unit/support` tests `tests/support`
        )
    ]
    assert strays == []


@pytest.mark.parametrize(("name", "tests"), ELSEWHERE.items())
def test_every_listed_module_needs_its_entry_and_has_its_tests(name, tests):
    assert (TESTS / tests).exists()
    without = [module for module in MODULES if listed(module) == name]
    assert [module for module in without if not has_a_test_file(module)], "every one has its file"


def test_every_module_of_names_only_exists_and_has_no_tests():
    assert ONLY_NAMES <= MODULES
    assert [module for module in sorted(ONLY_NAMES) if has_a_test_file(module)] == []
    assert ONLY_NAMES.isdisjoint(ELSEWHERE)
