"""What a reference names in Secrets Manager, and which reads go out together."""

import pytest

from envkit.errors import InvalidReferenceError
from envkit.profile.placeholder import Reference, parse
from envkit.sources.aws.names import (
    BATCH_SIZE,
    Key,
    check_key,
    into_calls,
    key_of,
    no_region,
    where,
)

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:myapp/redis-Ab12Cd"


def reference(text):
    return parse("{{ " + text + " }}").placeholders[0].operand


@pytest.mark.parametrize(
    ("text", "secret_id", "location"),
    [
        ("aws:redis#url", "myapp/prod/redis", "aws:myapp/prod/redis#url"),
        ("aws:/shared/redis", "shared/redis", "aws:shared/redis"),
        ("aws://shared/redis", "/shared/redis", "aws://shared/redis"),
        (f"aws:{ARN}#url", ARN, f"aws:{ARN}#url"),
        ("aws:#url", "myapp/prod", "aws:myapp/prod#url"),
        ("aws:db?stage=AWSPREVIOUS", "myapp/prod/db", "aws:myapp/prod/db?stage=AWSPREVIOUS"),
    ],
)
def test_a_reference_names_a_secret_and_a_field(text, secret_id, location):
    ref = reference(text)
    key = key_of(ref, "myapp/prod/")
    assert key.secret_id == secret_id
    assert where("aws", key, ref.field) == location
    check_key(ref, key)


@pytest.mark.parametrize(
    ("region", "problem"),
    [
        ("eu-west-1", ""),
        ("us-gov-east-1", ""),
        ("us-isob-east-1", ""),
        ("local", ""),
        ("EU-WEST-1", "has capital letters, and regions are written as eu-west-1"),
        ("eu-west-1a", "is an availability zone of the region eu-west-1"),
        ("us-gov-east-1b", "is an availability zone of the region us-gov-east-1"),
        ("eu_west_1", "is not the name of a region"),
        ("eu-west-1 ", "contains a space"),
    ],
)
def test_a_text_that_cannot_be_a_region_is_refused(region, problem):
    assert no_region(region) == problem


def test_the_prefix_may_be_the_beginning_of_an_arn():
    key = key_of(reference("aws:redis"), ARN.removesuffix("redis-Ab12Cd"))
    assert key.region == "eu-west-1"
    check_key(reference("aws:redis"), key)


@pytest.mark.parametrize(
    ("ref", "hint"),
    [
        (Reference("aws", "", "url"), "set [sources.aws] prefix"),
        (Reference("aws", "/", "url"), "set [sources.aws] prefix"),
        (Reference("aws", "my secret"), "letters, digits"),
        (Reference("aws", "é"), "letters, digits"),
        (Reference("aws", "a" * 513), "at most 512"),
        (Reference("aws", "arn:aws:s3:::bucket"), "arn:aws:secretsmanager:"),
        (Reference("aws", "arn:aws:ssm:eu-west-1:1:parameter:x"), "arn:aws:secretsmanager:"),
        (Reference("aws", "db", version="3"), "?stage=AWSPREVIOUS"),
        (Reference("aws", "db", version="3" * 32, stage="AWSCURRENT"), "remove '?version='"),
    ],
)
def test_an_impossible_reference_is_refused_with_a_hint(ref, hint):
    with pytest.raises(InvalidReferenceError) as caught:
        check_key(ref, key_of(ref, ""))
    assert hint in caught.value.hint


def test_batches_contain_every_key_once():
    keys = [Key(f"s{number}") for number in range(2 * BATCH_SIZE + 1)]
    pinned = [Key("s0", version="v" * 32), Key("s1", stage="AWSPREVIOUS")]
    calls = into_calls(keys + pinned)
    assert sorted(map(len, calls)) == [1, 1, 1, BATCH_SIZE, BATCH_SIZE]
    flat = [key for call in calls for key in call]
    assert len(flat) == len(keys + pinned)
    assert set(flat) == {*keys, *pinned}


@pytest.mark.parametrize("arn", [ARN, ARN.removesuffix("-Ab12Cd")])
def test_an_arn_that_may_equal_one_of_the_names_is_read_alone(arn):
    names = [Key("myapp/redis"), Key("myapp/db")]
    assert into_calls([*names, Key(arn)]) == [names, [Key(arn)]]
    other = [Key("myapp/redi"), Key("myapp/db"), Key(arn)]
    assert into_calls(other) == [other]
