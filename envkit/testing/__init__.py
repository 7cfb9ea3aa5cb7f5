"""What others need to test a source of their own: the contract that every source passes.

    from envkit.testing import SourceContract

    class TestShelf(SourceContract):
        lacks = frozenset({"versions"})

        @pytest.fixture
        def harness(self):
            return ShelfHarness()

pytest is imported when one of these names is asked for, not before.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.testing.contract import SourceContract
    from envkit.testing.harness import Harness

__all__ = ["Harness", "SourceContract"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'envkit.testing' has no attribute {name!r}")
    import importlib

    import pytest

    names = ("contract", "writing", "restoring", "observe")
    modules = [f"envkit.testing.{module}" for module in names]
    pytest.register_assert_rewrite(*modules)
    return getattr(importlib.import_module("envkit.testing.contract"), name)
