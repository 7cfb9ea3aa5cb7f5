"""Sort names so that each follows its dependencies. Pure; not recursive.

Used for profiles that extend others, and for variables whose values name others.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from envkit.errors import EnvkitError


def topological_order(
    wanted: Iterable[str],
    needs: Callable[[str], Collection[str]],
    circle_error: Callable[[list[str]], EnvkitError],
) -> list[str]:
    """Return `wanted` and all their dependencies, each once and after its own dependencies.

    Args:
        wanted: names; their order is preserved unless a dependency requires another.
        needs: returns the dependencies of a name, in order.
        circle_error: returns the error for names that form a cycle, with the first one
            repeated at the end: `["a", "b", "a"]`.
    """
    done: dict[str, None] = {}
    for start in wanted:
        if start in done:
            continue
        found = needs(start)
        if not found:  # the common case
            done[start] = None
            continue
        path: dict[str, None] = {start: None}  # from `start` to the current name
        stack = [(start, True), *((need, False) for need in reversed(list(found)))]
        while stack:
            name, needs_are_done = stack.pop()
            if needs_are_done:
                del path[name]
                done[name] = None
            elif name in path:
                above = list(path)
                raise circle_error([*above[above.index(name) :], name])
            elif name not in done:
                path[name] = None
                stack.append((name, True))
                stack.extend((need, False) for need in reversed(list(needs(name))))
    return list(done)
