"""Which reader gets a file, and which bytes no reader gets."""

import pytest

from envkit.errors import UsageError
from envkit.importing.errors import ImportFileError
from envkit.importing.readers.choose import read_contents

BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("path", "data", "format_"),
    [
        (".env", b"A=1\n", ".env"),
        (".env.json.local", b"A=1\n", ".env"),
        ("download", b' {"A": "1"}', "JSON"),
        ("stdin", b'[{"key": "A", "value": "1"}]', "JSON"),
        ("a.json", b'{"A": "1"}', "JSON"),
        ("a.yaml", b"A: '1'\n", "YAML"),
        ("compose.yml", b"services: {w: {environment: {A: '1'}}}", "Compose"),
    ],
)
@pytest.mark.parametrize("mark", [b"", BOM])
def test_a_file_is_read_as_what_it_is(path, data, format_, mark):
    contents = read_contents(mark + data, path=path)
    assert contents.format == format_
    assert [(one.name, one.value.reveal()) for one in contents.entries] == [("A", "1")]


@pytest.mark.parametrize("path", [".env", "a.json", "a.yml"])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("A=hidden".encode("utf-16"), "{} is not UTF-8 but UTF-16"),
        (b"A=1\nB=hidden\xff\n", "{}:2: not UTF-8 text"),
        (b"A=1\n\nB=hidden\0\n", "{}:3: contains a NUL character"),
    ],
)
def test_a_file_that_is_no_text_is_refused(path, data, message):
    with pytest.raises(ImportFileError) as caught:
        read_contents(data, path=path)
    assert caught.value.message == message.format(path)
    assert "hidden" not in repr(caught.value)


@pytest.mark.parametrize(
    ("path", "data"), [(".env", b"A=1"), ("a.json", b"{}"), ("a.yml", b"A: 1")]
)
def test_a_service_can_be_chosen_only_of_a_compose_file(path, data):
    with pytest.raises(UsageError, match="is not a Compose file"):
        read_contents(data, path=path, services=["web"])
