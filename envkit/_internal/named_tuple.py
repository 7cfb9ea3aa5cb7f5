"""A `NamedTuple` and an `overload` that load fast, for the modules that `envkit exec` uses.

`import typing` takes as long as starting the interpreter, and `typing.NamedTuple` compiles
code for each class. Type checkers see `typing.NamedTuple`; at run time, this class does
the same with the annotations of its subclasses:

    class Point(NamedTuple):
        x: int
        y: int = 0

All other modules use `typing.NamedTuple`. `overload` is provided for the same modules; only
type checkers use what it decorates.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple  # noqa: PLC0414 - for those who import it
    from typing import overload as overload  # noqa: PLC0414
else:

    def overload(_):
        """Return None; the implementation with the same name follows."""

    try:
        from _collections import _tuplegetter
    except ImportError:  # not CPython, where the costs are different
        from typing import NamedTuple
    else:

        class _Fields(type):
            """Turns the annotations of a class into fields."""

            def __new__(cls, name, bases, namespace):
                if bases == (tuple,):
                    return super().__new__(cls, name, bases, namespace)
                fields = tuple(namespace.get("__annotations__", ()))
                getters = {key: _tuplegetter(index, None) for index, key in enumerate(fields)}
                defaults = {key: namespace[key] for key in fields if key in namespace}
                added = {
                    "__slots__": (),
                    "__match_args__": fields,
                    "_fields": fields,
                    "_field_defaults": defaults,
                    "_last_values": tuple(defaults.values()),
                }
                return super().__new__(cls, name, bases, {**namespace, **getters, **added})

        class NamedTuple(tuple, metaclass=_Fields):
            """A tuple with named items."""

            __slots__ = ()

            def __new__(cls, *values, **named):
                missing = len(cls._fields) - len(values)
                if named:
                    values += _rest(cls, cls._fields[len(values) :], named)
                elif missing:
                    values += cls._last_values[-missing:]
                if len(values) != len(cls._fields):
                    raise TypeError(f"{cls.__name__} takes {', '.join(cls._fields)}")
                return tuple.__new__(cls, values)

            _make = classmethod(tuple.__new__)  # takes all values at once; three times as fast

            def __getnewargs__(self):
                return tuple(self)

            def __repr__(self):
                items = zip(self._fields, self, strict=True)
                return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in items)})"

            def _asdict(self):
                return dict(zip(self._fields, self, strict=True))

            def _replace(self, **named):
                return type(self)(**{**self._asdict(), **named})

        def _rest(cls, wanted, named):
            """Return the values of the fields `wanted`, given by name or by default."""
            values = {**cls._field_defaults, **named}
            for name in (*wanted, *named):
                if name not in wanted or name not in values:
                    raise TypeError(f"{cls.__name__}: {name} is missing or not expected")
            return tuple(values[name] for name in wanted)
