"""No format of a check shows a value, whatever the profiles contain."""

import hypothesis.strategies as st
from hypothesis import given

from envkit.checks.ignore_file import Rule
from envkit.checks.run import check
from envkit.cli.formats.check import annotations, json_document, sarif, text
from envkit.cli.formats.check.shown import Shown
from support.shelf import Shelf

RENDERERS = {
    "text": text.plain,
    "json": json_document.render,
    "github": lambda shown: annotations.render(shown, {}),
    "sarif": lambda shown: sarif.render(shown, {}),
}


# texts around a value; `{}` is the value, `N` a name
LINES = (
    'N = "{}"',
    'N = {{ value = "{}", choices = ["other"] }}',
    'N = {{ value = "{}", type = "port" }}',
    'N = {{ value = "{}", pattern = "^sk_" }}',
    'N = {{ value = "{{{{ shelf:a#b }}}}", type = "int" }}',
    'N = {{ default = "{}", type = "int" }}',
    'N = "postgresql://app:{}@db.acme-shop.io/app"',
    'N = {{ value = "postgresql://app:{}@[db", type = "url" }}',
    'N = \'{{"password": "{}"}}\'',
    'N = {{ value = \'{{"password": "{}"\', type = "json" }}',
    'N = "{{{{ shelf:a#b | json:/x }}}}"',
    'N = "{{{{ shelf:a#b | base64decode }}}}"',
    'N = "{{{{ shelf:a?version=1#b }}}}"',
    "N = '{{{{ shelf:nosuch ?? \"{}\" }}}}'",
    "N = '{{{{ \"{}\" | json:/a }}}}'",
    'N = "x" # {}',
    'N = "{{{{ N }}}}"',
    "# sk_test_{}",
)


# at most one of these, because it hides the others
BROKEN = ("", 'X = "{}{{{{ x"', "X = '''\n{}", 'X = "{}', "X = {{ value = 1, typ = '{}' }}")


NAMES = ("DB_PASSWORD", "API_TOKEN", "CONFIG", "PORT", "STRIPE_KEY")


SECRET = "Zk3mQ8vT1xYpW7"


@given(
    profiles=st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(NAMES), st.sampled_from(LINES)), st.sampled_from(BROKEN)
        ),
        min_size=1,
        max_size=3,
    ),
    offline=st.booleans(),
)
def test_no_format_of_a_check_shows_a_value(tmp_path_factory, profiles, offline):
    folder = tmp_path_factory.mktemp("shown") / "profiles"
    folder.mkdir()
    for number, (lines, broken) in enumerate(profiles):
        text_of = [line.replace("N =", f"{name} =") for name, line in lines.items()]
        table = '[sources.shelf]\ntype = "memory"\n[variables]\n{}\n'
        (folder / f"p{number}.toml").write_text(
            table.format("\n".join(line.format(SECRET) for line in (*text_of, broken)))
        )
        (folder.parent / f".env.p{number}").write_text(
            "".join(f"{name}={SECRET}\n" for name in NAMES)
        )
    shelf = Shelf({"shelf:a#b": SECRET, "shelf:a?version=1#b": SECRET})
    report = check(profiles=str(folder), offline=offline, environ={}, sources={"shelf": shelf})
    ignored = tuple((one, Rule("*", (one.code,), "why", "x:1")) for one in report.problems[:1])
    for render in RENDERERS.values():
        assert SECRET not in render(Shown(report, ignored))
