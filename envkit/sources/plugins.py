"""Load plug-ins from installed packages, for every entry-point group.

    load_plugin("envkit.sources", "1password", "source type", built_in=BUILT_IN, place=place)

Entry points are read only for names that are not built in.
"""

from __future__ import annotations

from envkit.errors import ProfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def load_plugin(group: str, name: str, kind: str, *, built_in: Iterable[str], place: object) -> Any:
    """Return the object that an installed package registers under a name.

    Args:
        group: the entry-point group: `envkit.sources`.
        name: the name of the entry, as in the profile.
        kind: the kind of plug-in, for messages: `source type`.
        built_in: names that need no plug-in, for "did you mean".
        place: where the profile names it.

    Raises:
        ProfileError: no package or several packages provide it, or its import fails.
    """
    from importlib.metadata import entry_points

    plugins = entry_points(group=group)
    found = plugins.select(name=name)
    if not found:
        from envkit._internal.suggestions import did_you_mean

        raise ProfileError(
            f"{place}: unknown {kind} {name!r}",
            hint=did_you_mean(name, {*built_in, *plugins.names}),
        )
    if len(found) > 1:
        packages = sorted(point.dist.name for point in found if point.dist is not None)
        raise ProfileError(
            f"{place}: several packages provide the {kind} '{name}': {', '.join(packages)}",
            hint="uninstall all but one of them",
        )
    (point,) = found
    try:
        return point.load()
    except Exception as bug:  # noqa: BLE001 - code of others
        raise ProfileError(
            f"{place}: cannot load the {kind} '{name}' from {point.value}: {type(bug).__name__}"
        ) from None
