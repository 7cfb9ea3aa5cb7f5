"""Text is UTF-8 in every locale, here in locales that localedef generates."""

import pytest

from support.locales import UTF8, make_locale, run_session

pytestmark = pytest.mark.extra

LOCALES = [
    ("de_DE", "ISO-8859-1"),
    ("de_DE", "ISO-8859-15"),
    ("tr_TR", "ISO-8859-9"),
    ("ru_RU", "KOI8-R"),
    ("ja_JP", "EUC-JP"),
    ("ja_JP", "SHIFT_JIS"),
    ("zh_CN", "GB18030"),
    ("zh_HK", "BIG5-HKSCS"),
    ("de_DE", "UTF-8"),
]


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return run_session(tmp_path_factory.mktemp("utf-8"), UTF8)


@pytest.mark.parametrize(("language", "charset"), LOCALES)
def test_a_generated_locale_changes_neither_output_nor_files(expected, tmp_path, language, charset):
    found = run_session(tmp_path, make_locale(tmp_path, language, charset))
    for answer, as_expected in zip(found.answers, expected.answers, strict=True):
        assert answer == as_expected
    assert found.files == expected.files


@pytest.mark.parametrize(
    ("charset", "shown"),
    [
        ("ISO-8859-1", r"größe \u20ac \u6f22"),
        ("ISO-8859-15", r"größe € \u6f22"),
    ],
)
def test_a_terminal_in_a_generated_locale_escapes_what_it_cannot_show(
    project, tmp_path, charset, shown
):
    project.profile("dev.toml", '[variables]\nNOTE = "größe € 漢"\n')
    locale = make_locale(tmp_path, "de_DE", charset)
    screen, status = project.on_terminal("show", "--env", "dev", env=locale, encoding=charset)
    assert (shown in screen, status) == (True, 0)
