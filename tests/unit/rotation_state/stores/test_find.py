"""Which records are beside the secrets of a profile."""

import pytest

from envkit._internal.clock import Deadline
from envkit.profile.placeholder import Reference
from envkit.rotation_state.stores.find import find_records, record_names
from envkit.sources.aws.source import AwsSecretsManagerSource
from envkit.sources.dotenv import DotenvSource
from envkit.sources.model import SourceContext
from envkit.sources.vault.source import VaultSource

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/db"


def opened(kind, name, root="/", **settings):
    context = SourceContext(name, settings=settings, deadline=Deadline(5), environ={}, root=root)
    return kind(context)


@pytest.mark.parametrize(
    ("path", "field", "names"),
    [
        ("db", "password", {"secret/db#password"}),
        ("/secret/db", "password", {"secret/db#password"}),
        ("/secret/data/db", "password", {"secret/data/db#password", "secret/db#password"}),
        # version 1 did not escape the field: its record looks like that of another secret
        ("db", "x.y", {"secret/db#x.y", "secret/db.x#y"}),
    ],
)
def test_a_record_in_vault_has_one_name_for_every_spelling_of_its_secret(path, field, names):
    source = opened(VaultSource, "vault", mount="secret")
    assert record_names(source, Reference("vault", path, field)) == names


@pytest.mark.parametrize("path", ["db", "/team/db", f"{ARN}-Ab12Cd"])
def test_a_record_in_aws_has_one_name_for_every_spelling_of_its_secret(path):
    source = opened(AwsSecretsManagerSource, "aws", prefix="team/")
    assert record_names(source, Reference("aws", path, "password")) == {"team/db#password"}


def test_records_beside_a_file_are_found_by_the_names_of_variables(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "env").write_text("KEY=x\n")
    (tmp_path / ".env.prod").symlink_to("real/env")
    for name in (
        "env.KEY.envkit-rotation",
        "env.A%2DB.envkit-rotation",
        "other.KEY.envkit-rotation",
    ):
        (tmp_path / "real" / name).write_text("{}")
    source = opened(DotenvSource, "dotenv", str(tmp_path), path=".env.prod")
    found = list(find_records(source, (), print, root=str(tmp_path), deadline=Deadline(5)))
    assert [(one.name, one.ref) for one in found] == [
        (f"{tmp_path}/real/env#A-B", Reference("dotenv", ".env.prod", "A-B")),
        (f"{tmp_path}/real/env#KEY", Reference("dotenv", ".env.prod", "KEY")),
    ]
    assert record_names(source, Reference("dotenv", "KEY")) == {f"{tmp_path}/real/env#KEY"}
