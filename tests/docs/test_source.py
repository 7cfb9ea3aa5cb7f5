"""The source in `docs/contributing/writing-a-source.md` works and passes the contract."""

import tomllib

from support.pages import ROOT, blocks, follow

PAGE = ROOT / "docs" / "contributing" / "writing-a-source.md"


def test_the_source_of_the_page_works_and_passes_the_contract(tmp_path):
    project = tmp_path / "shop"
    project.mkdir()
    install(project, next(one.text for one in blocks(PAGE) if one.file == "pyproject.toml"))
    follow(PAGE, project, {"PYTHONPATH": str(project)})


def install(folder, pyproject):
    """Install a folder on the path as `pip install .` would, without a network."""
    declared = tomllib.loads(pyproject)["project"]
    metadata = folder / f"{declared['name'].replace('-', '_')}-{declared['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: {declared['version']}\n"
    )
    lines = [
        line
        for group, points in declared["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {target}" for name, target in points.items()))
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
