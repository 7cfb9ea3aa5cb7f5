"""At every moment of a keyring rotation, every reader can verify every signer's tokens."""

import hmac
import json
import secrets
from itertools import pairwise

import pytest
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from envkit.errors import EnvkitError, ProfileError, RotationError
from envkit.secret import Secret
from envkit.testing.rotator_harness import assert_clean_of, built
from support.rotators import KeyringHarness


def fernet_keys(number):
    return [Fernet.generate_key().decode() for _ in range(number)]


def harness_of(kind, keys, **target):
    made = KeyringHarness(kind, keys)
    made.target.update(target)
    return made


def values_of(harness, current=None):
    """Return the values that readers get, in order."""
    current = harness.current() if current is None else current
    created = built(harness).create(current, built(harness).prepare(current))
    values = [current, created.announced, created.new, created.final]
    return [value["keys"].reveal() for value in values if value is not None]


def refused(call, *hidden):
    with pytest.raises(EnvkitError) as caught:
        call()
    assert_clean_of(caught.value, set(hidden))
    return caught.value


class FernetReader:
    def __init__(self, value):
        self._keys = MultiFernet([Fernet(key) for key in value.split(",")])

    def sign(self):
        return self._keys.encrypt(b"user 42")

    def verifies(self, token):
        try:
            return self._keys.decrypt(token) == b"user 42"
        except InvalidToken:
            return False


class Hs256Reader:
    def __init__(self, value):
        self._keys = [key.encode() for key in value.split(",")]

    def sign(self):
        return hmac.digest(self._keys[0], b"user 42", "sha256")

    def verifies(self, token):
        signatures = (hmac.digest(key, b"user 42", "sha256") for key in self._keys)
        return any(hmac.compare_digest(token, signature) for signature in signatures)


KINDS = [
    pytest.param("fernet", FernetReader, lambda: fernet_keys(1), id="fernet"),
    pytest.param("hs256", Hs256Reader, lambda: [secrets.token_urlsafe(32)], id="hs256"),
]


@pytest.mark.parametrize(("kind", "reader", "keys"), KINDS)
class TestReaders:
    def test_readers_one_step_apart_accept_the_tokens_of_each_other(self, kind, reader, keys):
        """One program has read the list a moment before the other."""
        values = values_of(harness_of(kind, keys()))
        assert len(values) == 4
        for before, after in pairwise(values[:3]):
            assert reader(before).verifies(reader(after).sign())
            assert reader(after).verifies(reader(before).sign())

    def test_a_token_of_the_old_key_is_accepted_until_the_grace_period_ends(
        self, kind, reader, keys
    ):
        old, announced, new, final = map(reader, values_of(harness_of(kind, keys())))
        for signer in (old, announced):
            assert new.verifies(signer.sign())
            assert not final.verifies(signer.sign()), "the old key was not dropped"
        assert final.verifies(new.sign())

    def test_a_new_key_without_announcement_would_be_rejected(self, kind, reader, keys):
        old, _, new, _ = map(reader, values_of(harness_of(kind, keys())))
        assert not old.verifies(new.sign())

    def test_one_keyring_rotation_can_follow_another(self, kind, reader, keys):
        harness = harness_of(kind, keys())
        values = values_of(harness)
        for _ in range(3):
            following = values_of(harness, {"keys": Secret(values[-1])})
            assert following[0] == values[-1]
            assert reader(following[2]).verifies(reader(values[-1]).sign())
            values = following
        assert len(values[-1].split(",")) == 1, "keys pile up"


class TestKeyList:
    def test_a_keyring_rotation_has_four_values(self):
        old = fernet_keys(2)
        values = [v.split(",") for v in values_of(harness_of("fernet", old))]
        new = values[1][-1]
        assert values == [old, [*old, new], [new, *old], [new]]

    def test_keep_limits_the_number_of_old_keys(self):
        old = fernet_keys(3)
        values = values_of(harness_of("fernet", old, keep=2))
        assert values[-1].split(",")[1:] == old[:2]

    def test_a_large_keep_preserves_all_old_keys(self):
        harness = harness_of("fernet", fernet_keys(2), keep=99)
        assert built(harness).create(harness.current(), {}).final is None

    def test_a_key_is_not_announced_when_the_cache_age_is_0(self):
        harness = harness_of("fernet", fernet_keys(1), cache_age="0s")
        assert built(harness).create(harness.current(), {}).announced is None

    @pytest.mark.parametrize(("age", "seconds"), [({}, 900.0), ({"cache_age": "2m"}, 120.0)])
    def test_settle_seconds_is_the_cache_age_of_the_readers(self, age, seconds):
        harness = harness_of("fernet", fernet_keys(1), **age)
        assert built(harness).create(harness.current(), {}).settle_seconds == seconds

    def test_a_json_list_stays_json(self):
        old = fernet_keys(2)
        current = {"keys": Secret(json.dumps(old))}
        values = values_of(harness_of("fernet", old), current)
        assert json.loads(values[2])[1:] == old

    def test_blanks_around_keys_are_ignored(self):
        old = fernet_keys(2)
        values = values_of(harness_of("fernet", old), {"keys": Secret(" , ".join(old) + "\n")})
        assert values[2].split(",")[1:] == old

    @pytest.mark.parametrize("text", ["", "[]", "a,,b", "[1]", '["", "x"]', "[broken", '{"k": 1}'])
    def test_a_value_that_is_not_a_list_of_keys_is_refused(self, text):
        harness = harness_of("hs256", [])
        harness.current = lambda: {"keys": Secret(text)}
        assert isinstance(refused(lambda: built(harness).prepare(harness.current())), RotationError)

    def test_a_key_with_a_comma_is_refused_in_a_comma_list(self):
        harness = harness_of("hs256", [secrets.token_urlsafe(32)])
        harness.generate = {"characters": ",abcdefghijkl", "length": 200}
        error = refused(lambda: built(harness).create(harness.current(), {}))
        assert "a key with a comma does not fit" in error.message


class TestKeys:
    def test_an_invalid_fernet_key_is_refused_and_not_shown(self):
        key = "not-a-" + "fernet-key"
        error = refused(lambda: built(harness_of("fernet", [])).prepare({"keys": Secret(key)}), key)
        assert 'kind = "hs256"' in error.hint

    def test_a_short_first_key_is_refused(self):
        harness = harness_of("hs256", ["x" * 31])
        assert (
            "shorter than the 32 bytes"
            in refused(lambda: built(harness).test(harness.current(), {})).message
        )
        assert built(harness).probe(harness.current(), {}) is False

    def test_a_short_old_key_is_replaced(self):
        harness = harness_of("hs256", ["x" * 32, "short"])
        built(harness).prepare(harness.current())

    def test_the_form_of_an_hs256_key_can_be_set(self):
        harness = harness_of("hs256", [secrets.token_urlsafe(32)])
        harness.generate = {"length": 64, "alphabet": "hex"}
        key = values_of(harness)[2].split(",")[0]
        assert len(bytes.fromhex(key)) == 32

    @pytest.mark.parametrize(
        ("kind", "target", "generate", "message"),
        [
            ("rsa", {}, {}, "'target.kind' is unknown: 'rsa'"),
            ("fernet", {}, {"length": 40}, "a Fernet key has a fixed form"),
            ("hs256", {}, {"length": 31}, "a key for HS256 needs 32 characters or more"),
            ("fernet", {"keep": -1}, {}, "'target.keep' must be a number of keys"),
            ("fernet", {"cache_age": "soon"}, {}, "'target.cache_age' is not a duration"),
        ],
    )
    def test_an_invalid_keyring_table_is_refused(self, kind, target, generate, message):
        harness = harness_of(kind, [], **target)
        harness.generate = generate
        with pytest.raises(ProfileError) as caught:
            built(harness)
        assert message in caught.value.message
