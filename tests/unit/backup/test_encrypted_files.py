"""Which values of a backup come from encrypted `.env` files."""

from __future__ import annotations

import pytest

from envkit.backup.collect import collect, prepare_backup
from envkit.backup.format import decode, encode
from support import dotenvx

NAME = next(iter(dotenvx.EXPECTED))
SHARED, SEALED = ".env.shared", ".env.production"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ([SEALED], {NAME}),
        ([SHARED], set()),
        ([SHARED, SEALED], {NAME}),
        ([SEALED, SHARED], {NAME}),
        ([SEALED, "missing"], {NAME}),
    ],
)
def test_a_backup_notes_which_values_were_encrypted(project, path, expected):
    dotenvx.write_pair(project.root, file=SEALED)
    (project.root / SHARED).write_text("PLAIN=x\n")
    project.profile(
        "prod.toml",
        f"[sources.dotenv]\npath = {path}\n[variables]\n"
        f'{NAME} = {{ value = "{{{{ dotenv:{NAME} }}}}", required = false }}\n'
        'PLAIN = { value = "{{ dotenv:PLAIN }}", required = false }\n'
        'ABSENT = { value = "{{ dotenv:ABSENT }}", required = false }\n',
    )
    prepared = prepare_backup(["prod"], profiles=str(project.profiles))
    backup = decode(encode(collect(prepared).backup))
    [environment] = backup.environments
    assert {name for one in environment.secrets if one.encrypted for name in one.names} == expected
