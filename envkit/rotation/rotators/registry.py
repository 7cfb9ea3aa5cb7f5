"""The rotators by name. Builds a rotator from the table of a rotation.

    rotator = open_rotator("postgres", context)

The module of a rotator is imported only when a rotation needs it, and its driver only when it
starts to work. Plug-ins are in the entry-point group `envkit.rotators`, which is read only for a
name that is not built in.

An entry is the class of a rotator, or a mapping of classes by strategy. Building a rotator does
no I/O and reads no value, so that a table can be checked before its placeholders are resolved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from envkit._internal.suggestions import did_you_mean
from envkit.errors import ProfileError
from envkit.profile.toml_file import check_keys
from envkit.rotation.protocols import RotatorContext
from envkit.rotation.rotators import generate
from envkit.rotation_state.policy import Strategy
from envkit.rotation_state.retirement import RetireWhen
from envkit.sources.plugins import load_plugin
from envkit.sources.registry import load_built_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from envkit._internal.clock import Deadline
    from envkit.rotation.protocols import Rotator
    from envkit.rotation_state.policy import Policy

ENTRY_POINTS = "envkit.rotators"

BUILT_IN = {
    "postgres": "envkit.rotation.rotators.postgres.strategies:STRATEGIES",
    "redis": "envkit.rotation.rotators.redis_acl:RedisRotator",
    "valkey": "envkit.rotation.rotators.redis_acl:RedisRotator",
    "aws-iam-key": "envkit.rotation.rotators.aws_iam_key:AwsIamKeyRotator",
    "keyring": "envkit.rotation.rotators.keyring:KeyringRotator",
    "random": "envkit.rotation.rotators.random_value:RandomRotator",
    "command": "envkit.rotation.rotators.command:CommandRotator",
}


class RotatorType(Protocol):
    """The class of a rotator.

    Attributes:
        settings: the keys of the table `target`, each with its type or types.
        required: the keys that must be set.
        overlap: whether an old and a new credential can both work.
    """

    settings: Mapping[str, type | tuple[type, ...]]
    required: frozenset[str]
    overlap: bool

    @staticmethod
    def fields(field: str, target: Mapping[str, object]) -> tuple[str, ...]:
        """Return the fields of the secret that a rotation changes, the rotated value first.

        Args:
            field: of the value, as the profile names it.
            target: the table; its placeholders may be unresolved.
        """
        ...

    def __call__(self, context: RotatorContext) -> Rotator:
        """Build a rotator; no I/O.

        Raises:
            ProfileError: a setting is invalid.
        """
        ...


def rotator_type(name: str, strategy: str, place_of: Callable[[str], object]) -> RotatorType:
    """Return the class of a rotator.

    Args:
        name: such as `postgres`.
        strategy: of the rotation.
        place_of: returns the location of a key of the rotation.

    Raises:
        ProfileError: there is no such rotator or strategy, or the package that provides it
            is broken.
    """
    if name in BUILT_IN:
        found = load_built_in(BUILT_IN[name])
    else:
        found = load_plugin(
            ENTRY_POINTS, name, "rotator", built_in=BUILT_IN, place=place_of("rotator")
        )
    strategies = found if isinstance(found, Mapping) else {Strategy.ALTERNATE: found}
    if strategy not in strategies:
        raise ProfileError(
            f"{place_of('strategy')}: the rotator '{name}' has no strategy '{strategy}'",
            hint=did_you_mean(strategy, strategies),
        )
    kind: RotatorType = strategies[strategy]
    return kind


def open_rotator(
    name: str, context: RotatorContext, place_of: Callable[[str], object] | None = None
) -> Rotator:
    """Build the rotator of a rotation.

    Args:
        name: such as `postgres`.
        context: for the rotator.
        place_of: returns the location of a key of the rotation; None if it is in no file.

    Raises:
        ProfileError: there is no such rotator, or this table is invalid for it.
    """
    place_of = place_of or (lambda _: context.rotation)
    return build(rotator_type(name, context.strategy, place_of), context, place_of)


def context_of(policy: Policy, fields: tuple[str, ...], deadline: Deadline) -> RotatorContext:
    """Return the context for the rotator of a policy; the placeholders are not resolved."""
    return RotatorContext(
        policy.full_name,
        policy.target,
        policy.generate,
        policy.strategy,
        fields,
        deadline,
        secret=str(policy.secret),
    )


def build(kind: RotatorType, context: RotatorContext, place_of: Callable[[str], object]) -> Rotator:
    """Build a rotator from its class, after checking its tables, like `open_rotator`."""
    places = {table: place_of(table) for table in ("target", "generate")}
    check_keys(context.target, kind.settings, lambda _: places["target"], "target")
    check_keys(context.generate, generate.SETTINGS, lambda _: places["generate"], "generate")
    missing = sorted(kind.required - context.target.keys())
    if missing:
        raise ProfileError(
            f"{places['target']}: the rotator needs 'target.{missing[0]}'",
            hint=f"write: target = {{ {', '.join(f'{key} = ...' for key in missing)} }}",
        )
    table = "generate"
    try:
        generate.form(context.generate)
        table = "target"
        return kind(context)
    except ProfileError as error:
        raise ProfileError(f"{places[table]}: {error.message}", hint=error.hint) from None


def check_evidence(kind: RotatorType, policy: Policy) -> None:
    """Check that a rotator can see who uses a credential, if the policy waits for that.

    Raises:
        ProfileError: it cannot.
    """
    if policy.retire_when == RetireWhen.GRACE or hasattr(kind, "in_use"):
        return
    raise ProfileError(
        f"{policy.table.place_of('retire_when')}: {policy.table.title}: the rotator "
        f"'{policy.rotator}' ({policy.strategy}) cannot see who uses a credential, so "
        f"'retire_when' cannot be \"{policy.retire_when}\"",
        hint='write retire_when = "grace", or remove it',
    )
