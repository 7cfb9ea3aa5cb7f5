"""Compare the time to compare two environments of 1,000 variables with the time to read them.

    python tests/bench/diff_bench.py

All values are secret and differ, a third of them are URLs, and some are JSON. This is the
slowest case for the comparison. The limit of 5 % is for one secret per variable in OpenBao on
this machine. Secrets of ten fields and `.env` files, which are faster to read, are shown too.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.projects import Project
from envkit.comparison.compare import diff
from envkit.comparison.sides import prepare_sides, read_sides
from support.openbao import OpenBao

VARIABLES = 1000
ROUNDS = 7
BAR = 0.05
NAMES = ("staging", "prod")


def value(environment: str, index: int) -> str:
    """Return the value of variable number `index`."""
    if index % 3 == 0:
        return f"postgresql://app:{environment}-password-{index}@db.{environment}/app{index}"
    if index % 50 == 1:
        return f'{{"key": "{environment}-{index}", "nested": {{"list": [1, 2, {index}]}}}}'
    return f"{environment}-value-{index}"


def main() -> int:
    """Measure both, print a table, and return 1 if the limit is exceeded."""
    with tempfile.TemporaryDirectory(prefix="envkit-bench-") as folder:
        project = Project(Path(folder))
        os.chdir(folder)
        print(f"{VARIABLES} variables in each of two environments; medians of {ROUNDS} rounds")
        _row(".env files", _files(project))
        with OpenBao(Path(tempfile.mkdtemp(dir=folder))) as server:
            _row("OpenBao, 10 fields", _vault(project, server, fields=10))
            ratio = _row("OpenBao, 1 field", _vault(project, server, fields=1))
    print(f"bar: the last one at most {BAR:.0%}: {'met' if ratio <= BAR else 'MISSED'}")
    return 0 if ratio <= BAR else 1


def _files(project: Project) -> dict[str, str]:
    for name in NAMES:
        project.dotenv(name, {f"V{index}": f"'{value(name, index)}'" for index in range(VARIABLES)})
        project.profile(f"{name}.toml", {f"V{i}": f"{{{{ V{i} }}}}" for i in range(VARIABLES)})
    return {}


def _vault(project: Project, server: OpenBao, *, fields: int) -> dict[str, str]:
    places = [(f"s{index // fields}", f"f{index % fields}") for index in range(VARIABLES)]
    for name in NAMES:
        for secret in range(VARIABLES // fields):
            first = secret * fields
            held = {f"f{index}": value(name, first + index) for index in range(fields)}
            server.put(f"{name}/s{secret}", held)
        source = f'[sources.vault]\nmount = "secret"\nprefix = "{name}"'
        lines = {f"V{i}": f"{{{{ vault:{path}#{key} }}}}" for i, (path, key) in enumerate(places)}
        project.profile(f"{name}.toml", lines, source)
    return {"VAULT_ADDR": server.address, "VAULT_TOKEN": server.root_token}


def _row(store: str, environ: dict[str, str]) -> float:
    read, compared = [], []
    for _ in range(ROUNDS):
        start = perf_counter()
        sides = read_sides(prepare_sides(NAMES, environ=environ))
        middle = perf_counter()
        found = diff(*sides)
        end = perf_counter()
        if found.counts["different"] != VARIABLES:
            raise SystemExit(f"bench: {found.counts}")
        read.append(middle - start)
        compared.append(end - middle)
    ratio = median(mine / theirs for mine, theirs in zip(compared, read, strict=True))
    print(
        f"{store:<18} reading {median(read) * 1000:7.1f} ms, "
        f"comparing {median(compared) * 1000:6.1f} ms: {ratio:.1%}"
    )
    return ratio


if __name__ == "__main__":
    sys.exit(main())
