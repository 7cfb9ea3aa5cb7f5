"""The shipped contract for rotators fails for one that breaks it, and says what is not tested."""

import logging

import pytest

from envkit.errors import RotationError, UnavailableError
from envkit.rotation.protocols import Created
from envkit.rotation.rotators.generate import generated
from envkit.secret import Secret
from envkit.testing import RotatorContract


class Door:
    """A target that takes the tokens that are on its list."""

    def __init__(self):
        self.tokens = ["first"]


class Sound:
    """A rotator for it as it should be; the broken ones differ in one thing each."""

    settings = {"door": object, "floor": int}  # noqa: RUF012
    required = frozenset({"door"})
    overlap = True

    def __init__(self, context):
        self._context = context
        self.door = context.target["door"]

    @staticmethod
    def fields(field, target):
        return (field,)

    def describe_target(self):
        return "a door" if self.door else "a closed door"

    def prepare(self, current):
        if not self.probe(current, {}):
            raise RotationError("the door does not take the token of the secret")
        return {"old": "door"}

    def create(self, current, facts):
        return Created({"token": generated({})}, {"new": "door"})

    def set(self, old, new, facts):
        self._answers()
        if self.text(new) not in self.door.tokens:
            self._context.confirm()
            self.door.tokens.append(self.text(new))
            self._context.settle(new, lambda: self.door.tokens.remove(self.text(new)))

    def test(self, new, facts):
        if not self.probe(new, facts):
            raise RotationError("the door does not take the token")

    def probe(self, fields, facts):
        self._answers()
        return self.text(fields) in self.door.tokens

    def is_dead(self, fields, keep, facts):
        return not self.probe(fields, facts)

    def finish(self, old, new, facts):
        pass

    def retire(self, fields, keep, facts):
        self._answers()
        if fields and fields != keep and self.text(fields) in self.door.tokens:
            self._context.confirm()
            self.door.tokens.remove(self.text(fields))

    def _answers(self):
        if self.door is None:
            raise UnavailableError("the door does not answer")

    @staticmethod
    def text(fields):
        return fields["token"].reveal()


class Harness:
    field, generate, hidden = "token", {}, ()

    def __init__(self, kind):
        self.kind = kind
        self.target = {"door": Door()}

    @property
    def tokens(self):
        return self.target["door"].tokens

    def current(self):
        return {"token": Secret("first")}

    def wrong(self, fields):
        return {"token": Secret("made-up")}

    def works(self, fields):
        return fields["token"].reveal() in self.tokens

    def credentials(self):
        return len(self.tokens)

    def unavailable(self):
        return {"door": None}


class TakesAnythingAway(Sound):
    def retire(self, fields, keep, facts):
        self._context.confirm()
        self.door.tokens[:] = [self.text(keep)] if len(self.door.tokens) < 2 else ["?"]


class TakesTheOtherOneAway(Sound):
    """By position, and not by value: too late, it is the wrong one."""

    def retire(self, fields, keep, facts):
        self._answers()
        self._context.confirm()
        self.door.tokens.pop(0)


class TakesNothingAway(Sound):
    def retire(self, fields, keep, facts):
        self._answers()


class LetsTheNewOneBe(Sound):
    """Cannot be taken back."""

    def retire(self, fields, keep, facts):
        if fields and self.text(fields) == "first":
            super().retire(fields, keep, facts)


class AddsItTwice(Sound):
    def set(self, old, new, facts):
        self._answers()
        self._context.confirm()
        self.door.tokens.append(self.text(new))


class TakesTheOldOneAtOnce(Sound):
    def set(self, old, new, facts):
        super().set(old, new, facts)
        super().retire(old, new, facts)


class AsksNobodyWhoseItIs(Sound):
    def set(self, old, new, facts):
        self._answers()
        if self.text(new) not in self.door.tokens:
            self.door.tokens.append(self.text(new))


class RetiresWhatIsNotItsOwn(Sound):
    def retire(self, fields, keep, facts):
        self._answers()
        if self.text(fields) in self.door.tokens:
            self.door.tokens.remove(self.text(fields))


class LeavesWhatWasLost(Sound):
    def create(self, current, facts):
        created = super().create(current, facts)
        self.door.tokens.append(self.text(created.new))
        return created


class MakesTheSameAgain(Sound):
    def create(self, current, facts):
        return Created({"token": Secret("second")})


class NotesTheValue(Sound):
    def create(self, current, facts):
        created = super().create(current, facts)
        return created._replace(facts={"new": f"token {self.text(created.new)}"})


class NotesANumber(Sound):
    def prepare(self, current):
        return {"floor": 1}


class SaysYesToAll(Sound):
    def probe(self, fields, facts):
        self._answers()
        return True


class BeginsWithAnything(Sound):
    def prepare(self, current):
        return {"old": "door"}


class SaysNoToAll(BeginsWithAnything):
    def probe(self, fields, facts):
        self._answers()
        return False


class ShowsTheValue(Sound):
    def test(self, new, facts):
        if not self.probe(new, facts):
            raise RotationError(f"the door does not take {self.text(new)}")


class ShowsTheCause(Sound):
    def test(self, new, facts):
        try:
            self.door.tokens.index(self.text(new))
        except ValueError:
            raise RotationError("no") from ValueError(self.text(new))


class TakesAnOutageForAnAnswer(Sound):
    def probe(self, fields, facts):
        return self.door is not None and super().probe(fields, facts)


class SettlesNothing(Sound):
    def set(self, old, new, facts):
        self._answers()
        if self.text(new) not in self.door.tokens:
            self._context.confirm()
            self.door.tokens.append(self.text(new))


class SettlesAndTakesNothingBack(SettlesNothing):
    def set(self, old, new, facts):
        super().set(old, new, facts)
        self._context.settle(new, lambda: None)


class TakesAllBack(SettlesNothing):
    def set(self, old, new, facts):
        super().set(old, new, facts)
        self._context.settle(new, self.door.tokens.clear)


class RetiresWhatIsToBeKept(Sound):
    def retire(self, fields, keep, facts):
        super().retire(fields, {}, facts)


class BelievesTheRecord(Sound):
    def create(self, current, facts):
        if "old" not in facts:
            self.door.tokens.clear()
        return super().create(current, facts)


class SaysThatItIsDead(Sound):
    def is_dead(self, fields, keep, facts):
        return True


class SaysThatItLives(Sound):
    def is_dead(self, fields, keep, facts):
        return False


class ShowsTheTarget(Sound):
    def describe_target(self):
        return "a door that takes first"


class DescribesNothing(Sound):
    def describe_target(self):
        return ""


class DescribesAllAlike(Sound):
    def describe_target(self):
        return "a door"


class LooksToDescribe(Sound):
    def describe_target(self):
        with open("/dev/null"):
            return "a door"


class OpensAFileToBegin(Sound):
    def __init__(self, context):
        super().__init__(context)
        with open("/dev/null"):
            pass


class Logs(Sound):
    def set(self, old, new, facts):
        super().set(old, new, facts)
        logging.getLogger("door").debug("added %s", self.text(new))


class Full(RotatorContract):
    """Everything, so that any of its tests can be called from here."""


@pytest.mark.parametrize(
    ("kind", "test", "arguments"),
    [
        (TakesAnythingAway, "a_repeated_step_leaves_the_same_credentials", []),
        (TakesTheOtherOneAway, "every_step_can_be_repeated", []),
        (TakesTheOtherOneAway, "a_late_retirement_removes_nothing_else", []),
        (TakesTheOtherOneAway, "a_rotation_can_be_rolled_back", [2]),
        (TakesNothingAway, "after_a_rotation_only_the_new_credential_works", []),
        (TakesNothingAway, "consecutive_rotations_succeed", []),
        (LetsTheNewOneBe, "a_rotation_can_be_rolled_back", [1]),
        (AddsItTwice, "a_repeated_step_leaves_the_same_credentials", []),
        (TakesTheOldOneAtOnce, "the_old_credential_works_until_it_is_retired", []),
        (AsksNobodyWhoseItIs, "a_rotation_of_another_process_is_not_changed", []),
        (RetiresWhatIsNotItsOwn, "a_rotation_of_another_process_is_not_changed", []),
        (LeavesWhatWasLost, "a_lost_value_leaves_no_credential", []),
        (LeavesWhatWasLost, "a_lost_change_can_be_rolled_back", []),
        (MakesTheSameAgain, "every_created_value_is_new", []),
        (NotesTheValue, "facts_are_texts_without_a_value", []),
        (NotesANumber, "facts_are_texts_without_a_value", []),
        (SaysYesToAll, "probe_rejects_a_wrong_credential", []),
        (SaysYesToAll, "a_wrong_credential_fails_the_test_step", []),
        (SaysNoToAll, "probe_accepts_a_working_credential", []),
        (ShowsTheValue, "a_wrong_credential_fails_the_test_step", []),
        (ShowsTheCause, "a_wrong_credential_fails_the_test_step", []),
        (TakesAnOutageForAnAnswer, "a_closed_port_is_an_outage", ["probe"]),
        (OpensAFileToBegin, "building_does_no_io", []),
        (BeginsWithAnything, "a_current_value_that_does_not_work_is_refused", []),
        (SettlesNothing, "a_late_change_is_rolled_back", []),
        (SettlesNothing, "a_late_set_restores_no_retired_credential", []),
        (SettlesAndTakesNothingBack, "a_late_change_is_rolled_back", []),
        (SettlesAndTakesNothingBack, "a_late_set_restores_no_retired_credential", []),
        (TakesAllBack, "a_late_change_is_rolled_back", []),
        (TakesAllBack, "a_late_set_restores_no_retired_credential", []),
        (LeavesWhatWasLost, "a_late_change_is_rolled_back", []),
        (RetiresWhatIsToBeKept, "the_remaining_credential_is_never_retired", []),
        (RetiresWhatIsToBeKept, "the_current_credential_survives_a_damaged_record", [{}]),
        (BelievesTheRecord, "the_current_credential_survives_a_damaged_record", [{}]),
        (SaysThatItIsDead, "a_working_credential_is_not_dead", []),
        (SaysThatItLives, "a_retired_credential_is_proved_dead", []),
        (ShowsTheTarget, "describe_target_does_no_io_and_shows_no_password", []),
        (DescribesNothing, "describe_target_does_no_io_and_shows_no_password", []),
        (LooksToDescribe, "describe_target_does_no_io_and_shows_no_password", []),
        (DescribesAllAlike, "describe_target_distinguishes_targets", []),
    ],
)
def test_the_rotator_contract_fails_for_a_broken_rotator(kind, test, arguments):
    method = getattr(Full(), f"test_{test}")
    method(Harness(Sound), *arguments)
    with pytest.raises((AssertionError, pytest.fail.Exception, IndexError)):
        method(Harness(kind), *arguments)


def test_the_rotator_contract_fails_for_a_rotator_that_logs(capfd):
    test = Full().test_nothing_is_logged_or_printed
    test(Harness(Sound), capfd)
    with pytest.raises(AssertionError):
        test(Harness(Logs), capfd)


def test_tests_of_lacking_abilities_are_not_collected():
    class NoTarget(RotatorContract):
        lacks = frozenset({"target", "unavailable"})

    assert NoTarget.test_consecutive_rotations_succeed is None
    assert NoTarget.test_a_closed_port_is_an_outage is None
    assert NoTarget.test_the_old_credential_works_until_it_is_retired is not None
    assert RotatorContract.test_a_closed_port_is_an_outage is not None


def test_a_rotator_declares_whether_it_has_an_overlap():
    class NoOverlap(RotatorContract):
        lacks = frozenset({"overlap"})

    Full().test_a_rotator_implements_the_protocol(Harness(Sound))
    with pytest.raises(AssertionError):
        NoOverlap().test_a_rotator_implements_the_protocol(Harness(Sound))


def test_an_unknown_ability_is_an_error():
    with pytest.raises(TypeError, match="overlapp"):
        type("Typo", (RotatorContract,), {"lacks": frozenset({"overlapp"})})
