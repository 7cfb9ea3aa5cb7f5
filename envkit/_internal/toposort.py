"""Sort names so that each follows those that it needs. Pure, without recursion.

Profiles need those that they extend, variables those that their values name.
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
    """Return `wanted` and all that they need, each once and after what it needs.

    Args:
        wanted: names, in the order in which they come as far as nothing needs another one.
        needs: the names that a name needs, in their order.
        circle_error: returns the error for names that form a cycle, the first one
            repeated at the end: `["a", "b", "a"]`.
    """
    done: dict[str, None] = {}
    for start in wanted:
        if start in done:
            continue
        found = needs(start)
        if not found:  # as for most
            done[start] = None
            continue
        path: dict[str, None] = {start: None}  # from `start` down to where we are
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
