"""Which secrets two environments share: under any name, whole or as a part, and never shown."""

from envkit.comparison.compare import diff
from envkit.comparison.model import Place
from envkit.comparison.reuse import MIN_CHARACTERS, find_reused
from envkit.profile.loader import load
from support.sides import entry, finding, side, status

SECRET = "a-secret-of-some-length"


def test_a_secret_of_two_environments_is_reused():
    found = entry("KEY", side("dev", {"KEY": SECRET}), side("prod", {"KEY": SECRET}))
    assert found.status == "reused"
    assert finding("reused", found).places == (Place("dev", "KEY"), Place("prod", "KEY"))
    assert finding("reused", found).dangerous


def test_two_of_three_environments_are_enough():
    sides = [
        side("dev", {"KEY": "another-secret"}),
        side("staging", {"KEY": SECRET}),
        side("prod", {"KEY": SECRET}),
    ]
    assert status("KEY", *sides) == "reused"


def test_a_secret_is_reused_under_another_name():
    sides = side("dev", {"OLD": SECRET}), side("prod", {"NEW": SECRET})
    places = (Place("dev", "OLD"), Place("prod", "NEW"))
    for name in ("OLD", "NEW"):
        assert finding("reused", entry(name, *sides)).places == places


def test_the_password_of_two_urls_is_reused():
    found = entry(
        "DB",
        side("dev", {"DB": f"postgresql://app:{SECRET}@db.dev/app"}),
        side("prod", {"DB": f"postgresql://app:{SECRET}@db.prod/app"}),
    )
    assert found.status == "reused"
    assert finding("reused", found).places == (
        Place("dev", "DB", "password"),
        Place("prod", "DB", "password"),
    )


def test_a_value_is_reused_as_the_encoded_password_of_a_url():
    found = entry(
        "DB",
        side("dev", {"PASSWORD": "p@ss/word+1"}),
        side("prod", {"DB": "postgresql://app:p%40ss%2Fword+1@db/app"}),
    )
    assert finding("reused", found).places == (
        Place("dev", "PASSWORD"),
        Place("prod", "DB", "password"),
    )


def test_a_password_inside_json_is_reused():
    document = '{"db": {"password": "%s"}, "n": %d}'
    found = entry(
        "CONFIG",
        side("dev", {"CONFIG": document % (SECRET, 1)}),
        side("prod", {"CONFIG": document % (SECRET, 2)}),
    )
    assert finding("reused", found).places[0].part == "/db/password"


def test_json_with_half_a_surrogate_pair_is_compared():
    document = '{"password": "\\ud800-and-more", "n": %d}'
    one, two = (side(str(n), {"X": document % n}) for n in (1, 2))
    assert status("X", one, two) == "reused"


def test_a_whole_url_says_nothing_more_by_its_password():
    url = f"postgresql://app:{SECRET}@db/app"
    found = entry("DB", side("dev", {"DB": url}), side("prod", {"DB": url}))
    assert [place.part for place in finding("reused", found).places] == ["", ""]


def test_a_secret_in_clear_in_the_profile_of_another_environment_is_reused():
    found = entry("KEY", side("dev", literals={"KEY": SECRET}), side("prod", {"KEY": SECRET}))
    assert found.status == "reused"


def test_a_short_value_or_two_literals_are_not_reused():
    assert (
        status("PIN", side("dev", {"PIN": "1234567"}), side("prod", {"PIN": "1234567"})) == "same"
    )
    literal = {"REGION": "eu-central-1"}
    assert status("REGION", side("dev", literals=literal), side("prod", literals=literal)) == "same"


def test_a_value_of_a_plain_type_is_not_reused(project):
    project.profile("prod.toml", '[variables]\nN = { value = "{{ N }}", type = "int" }\n')
    declared = load("prod", str(project.profiles)).variables
    sides = [side(label, {"N": "1234567890"}, declared=declared) for label in ("dev", "prod")]
    assert status("N", *sides) == "same"


def test_two_points_of_one_environment_may_share_a_secret():
    now, then = (
        side("prod", {"KEY": SECRET}),
        side("prod@v1", {"KEY": SECRET}, belongs_to="prod"),
    )
    assert status("KEY", now, then) == "same"
    assert status("KEY", now, then, side("dev", {"KEY": SECRET})) == "reused"


def test_a_process_may_share_the_secrets_of_what_it_is_compared_with():
    process = side("pid:1", {"KEY": SECRET}, belongs_to=None, assumed=True)
    assert status("KEY", process, side("prod", {"KEY": SECRET})) == "same"


def test_two_files_without_a_profile_share_no_known_secret():
    files = [side(f"file:{name}", {"REGION": "eu-central-1"}, assumed=True) for name in "ab"]
    assert status("REGION", *files) == "same"
    assert status("REGION", files[0], side("prod", {"REGION": "eu-central-1"})) == "reused"


def test_many_variables_with_one_value_are_found_in_linear_time():
    names = [f"NAME{number}" for number in range(1000)]
    found = diff(
        side("dev", dict.fromkeys(names, SECRET)), side("prod", dict.fromkeys(names, SECRET))
    )
    assert len({id(entry.findings[0]) for entry in found.entries}) == 1


def test_the_shortest_value_that_counts():
    short, enough = "x" * (MIN_CHARACTERS - 1), "x" * MIN_CHARACTERS
    assert find_reused([side("dev", {"A": short}), side("prod", {"A": short})]) == {}
    assert find_reused([side("dev", {"A": enough}), side("prod", {"A": enough})]) != {}


def test_a_part_is_not_named_where_its_name_may_be_a_secret_itself():
    [dev, prod] = [
        side(label, {"USERS": f'{{"{label}-Zk3mQ8vT1xYpW7uR": {{"password": "{SECRET}"}}}}'})
        for label in ("dev", "prod")
    ]
    found = find_reused([dev, prod])
    assert [place.part for place in found["USERS"][0].places] == ["a part", "a part"]
    assert SECRET not in repr(found)
