"""The optional parsers of languages."""

import os

import pytest

from envkit._internal.installation import install_hint
from envkit.checks.run import check
from envkit.code import grammar
from envkit.code.scan import scan

OF_NOBODY = ("tree_sitter_of_nobody", "language")


@pytest.fixture
def without_parsers(monkeypatch):
    grammar._parser.cache_clear()
    for language in grammar._GRAMMARS:
        monkeypatch.setitem(grammar._GRAMMARS, language, OF_NOBODY)
    yield
    grammar._parser.cache_clear()


@pytest.mark.usefixtures("without_parsers")
@pytest.mark.parametrize(
    ("name", "text", "language"),
    [
        ("a.go", 'package a\nimport "os"\nvar x = os.Getenv("A")', "Go"),
        ("a.js", "process.env.A", "JavaScript"),
        ("a.mjs", "process.env.A", "JavaScript"),
        ("a.ts", "process.env.A", "TypeScript"),
        ("a.tsx", "process.env.A", "TSX"),
        ("a.rb", "ENV['A']", "Ruby"),
        ("Gemfile", "ENV['A']", "Ruby"),
        ("a.sh", "echo $A", "shell"),
        ("run", "#!/bin/sh\necho $A", "shell"),
    ],
)
def test_a_missing_parser_stops_no_other_language(tmp_path, name, text, language):
    (tmp_path / name).write_text(text)
    (tmp_path / "app.py").write_text("import os\nos.environ['B']\n")
    code = scan([str(tmp_path)], names={"A"}, environ=os.environ, without="")
    assert [use.read.name for use in code.uses] == ["B"]
    [(error, files)] = code.unparsed
    assert error.message == f"cannot read {language}: its parser is not installed"
    assert error.hint == install_hint("check")
    assert files == (str(tmp_path / name),)
    assert code.files == 2


@pytest.mark.usefixtures("without_parsers")
def test_a_check_warns_once_for_each_language_without_a_parser(project):
    project.profile("prod.toml", "[variables]\nB = 'x'\n")
    for name in ("a.js", "b.js", "c.go"):
        (project.root / name).write_text("process.env.A")
    (project.root / "app.py").write_text("import os\nos.environ['B']\nos.environ['C']\n")
    report = check(["prod"], profiles=str(project.profiles), code=[str(project.root)], offline=True)
    found = [(problem.code, problem.message) for problem in report.problems]
    told = "its parser is not installed"
    assert sorted(found) == [
        ("unchecked-code", f"cannot read Go: {told}"),
        ("unchecked-code", f"cannot read JavaScript: {told}; 2 files were not read"),
        ("undefined-variable", "C is needed here, but prod does not define it"),
    ]
