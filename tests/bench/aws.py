"""Secrets from an AWS endpoint (moto), compared with boto3 that sends only the same calls."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.measure import Bar, Group, measure
from bench.projects import PYTHON, SMALL, Project, values
from support.aws import REGION, admin_client, moto_running
from support.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from support.fault_proxy import Exchange

PER_CALL = 20
MANY = 100
DELAY_SECONDS = 0.3

BOTO3_SCRIPT = f"""\
import boto3

names = [f"bench/BENCH_{{number:05}}" for number in range({SMALL})]
client = boto3.client("secretsmanager")
for start in range(0, len(names), {PER_CALL}):
    client.batch_get_secret_value(SecretIdList=names[start : start + {PER_CALL}])
"""


def groups(folder: Path, rounds: int) -> Iterator[Group]:
    """Compare 50 secrets with boto3, and measure 100 with 300 ms for each call."""
    wanted = values(MANY)
    with moto_running() as url, FaultProxy(url) as proxy:
        account = {
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,  # the secrets that boto3 reads
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        client = admin_client(url)
        for name, value in wanted.items():
            client.create_secret(Name=f"bench/{name}", SecretString=value)
        project = Project(folder, **account, AWS_ENDPOINT_URL=url)
        for count in (PER_CALL, SMALL, MANY):
            names = list(wanted)[:count]
            head = '[sources.aws]\ntype = "aws-secrets-manager"\nprefix = "bench/"'
            project.profile(f"n{count}.toml", {n: f"{{{{ aws:{n} }}}}" for n in names}, head)
        yield _fifty(project, proxy, wanted, max(5, rounds // 4))
        yield _slow(project, proxy, max(3, rounds // 8))


def _fifty(project: Project, proxy: FaultProxy, wanted: Mapping[str, str], rounds: int) -> Group:
    some = dict(list(wanted.items())[:SMALL])
    ours = project.envkit("envkit exec", f"n{SMALL}")
    script = project.script("boto3, the same calls", "batch.py", BOTO3_SCRIPT, PYTHON)
    places = {name: f"bench/{name}" for name in some}
    fnox = project.fnox("fnox exec", 'type = "aws-sm"\nregion = "eu-west-1"', places)
    for command in (ours, *fnox):
        command.check(some)
    project.envkit("envkit exec", f"n{SMALL}", AWS_ENDPOINT_URL=proxy.url).check(some)
    requests = proxy.count()

    took = measure([script, ours, *fnox], rounds)
    ratio = took[ours.name].times(took[script.name])
    return Group(
        f"{SMALL} AWS secrets",
        took,
        [Bar(f"{ours.name} / {script.name}", ratio, 1.1), Bar("requests", requests, 3)],
    )


def _slow(project: Project, proxy: FaultProxy, rounds: int) -> Group:
    def delayed(exchange: Exchange) -> None:
        time.sleep(DELAY_SECONDS)
        exchange.send(exchange.ask_upstream())

    proxy.fault(delayed)
    commands = [
        project.envkit(f"envkit exec, {count} secrets", f"n{count}", AWS_ENDPOINT_URL=proxy.url)
        for count in (PER_CALL, MANY)
    ]
    took = measure(commands, rounds)
    calls = median(took[commands[-1].name].wall_ms) / (DELAY_SECONDS * 1e3)
    return Group(
        f"AWS at {DELAY_SECONDS * 1e3:.0f} ms a call: one call, and {MANY // PER_CALL}",
        took,
        [Bar(f"{commands[-1].name} / one call", calls, 2)],
    )
