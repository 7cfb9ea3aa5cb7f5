"""Docker Compose: the `environment` of services; what the shell would provide is left out."""

import pytest

from envkit.errors import UsageError
from envkit.importing.errors import ImportFileError
from envkit.importing.readers.yaml_file import read_yaml

COMPOSE = """\
services:
  web:
    image: shop
    environment:
      LOG_LEVEL: info
      PORT: 8080
      PRICE: $$5
      DB_PASSWORD: ${DB_PASSWORD}
      FROM_SHELL:
    env_file: .env.web
  worker:
    environment:
      - LOG_LEVEL=info
      - QUEUE=a=b
      - "HOME"
      - NAMED=$NAME
    env_file:
      - .env.shared
      - path: .env.worker
        required: false
  idle: {image: x, environment: }
"""


def values(contents):
    return {entry.name: entry.value.reveal() for entry in contents.entries}


def test_maps_and_lists_of_all_services_are_read():
    contents = read_yaml(COMPOSE, path="c.yml")
    assert contents.format == "Compose"
    assert values(contents) == {
        "LOG_LEVEL": "info",
        "PORT": "8080",
        "PRICE": "$5",
        "QUEUE": "a=b",
    }
    assert [(one.name, one.where, one.needed) for one in contents.left_out] == [
        ("DB_PASSWORD", "c.yml:8", True),
        ("FROM_SHELL", "c.yml:9", True),
        ("HOME", "c.yml:15", True),
        ("NAMED", "c.yml:16", True),
    ]
    assert [note.partition(", which")[0] for note in contents.notes] == [
        "c.yml:10: web also reads .env.web",
        "c.yml:17: worker also reads .env.shared",
        "c.yml:17: worker also reads .env.worker",
    ]


def test_only_the_chosen_services_are_read():
    assert values(read_yaml(COMPOSE, path="c.yml", services=["worker"])) == {
        "LOG_LEVEL": "info",
        "QUEUE": "a=b",
    }
    with pytest.raises(UsageError) as caught:
        read_yaml(COMPOSE, path="c.yml", services=["wrker"])
    assert caught.value.message == "c.yml has no service 'wrker'"
    assert "worker" in caught.value.hint


def test_services_that_differ_in_a_variable_must_be_imported_one_by_one():
    text = "services:\n  a: {environment: {X: 1}}\n  b: {environment: {X: 2}}\n"
    with pytest.raises(ImportFileError) as caught:
        read_yaml(text, path="c.yml")
    assert caught.value.message == "c.yml:3: X differs between the services a and b"
    assert caught.value.hint == "import one service: --service b"
    assert values(read_yaml(text, path="c.yml", services=["b"])) == {"X": "2"}


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ("x", "c.yml:3: 'environment' is neither a mapping nor a list"),
        ("{A: [1]}", "c.yml:3: A is a list, and a variable is text"),
        ("{A: !reset x}", "c.yml:3: A has a tag, which envkit does not evaluate"),
        ("[{A: x}]", "c.yml:3 is a mapping, and a variable is text"),
        ("[A=1, A=2]", "c.yml:3: A is set twice"),
    ],
)
def test_an_environment_that_compose_would_refuse_is_an_error(environment, message):
    with pytest.raises(ImportFileError) as caught:
        read_yaml(f"services:\n  w:\n    environment: {environment}\n", path="c.yml")
    assert caught.value.message == message
