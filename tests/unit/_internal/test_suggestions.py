import pytest

from envkit._internal.suggestions import closest, did_you_mean


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("prdo", ["dev", "prod"], "did you mean 'prod'?"),
        ("zzz", ["prod", "dev"], "use one of: dev, prod"),
        ("zzz", [], None),
        (
            "zzz",
            [f"NAME_{number:05}" for number in range(10_000)],
            f"use one of: {', '.join(f'NAME_{number:05}' for number in range(20))} and 9,980 more",
        ),
    ],
)
def test_did_you_mean_names_the_closest_known_word(
    word: str, known: list[str], hint: str | None
) -> None:
    assert did_you_mean(word, iter(known)) == hint


def test_closest_returns_the_closest_known_word_or_none() -> None:
    assert closest("urlencod", ("urlencode", "trim")) == "urlencode"
    assert closest("x", ("urlencode", "trim")) is None
    assert closest("PROD", ("dev", "prod")) == "prod"
    assert closest("Trmi", ("TRIM", "urlencode")) == "TRIM"
