"""The contracts: test suites for your own source or rotator.

    from envkit.testing import SourceContract

    class TestShelf(SourceContract):
        lacks = frozenset({"versions"})

        @pytest.fixture
        def harness(self):
            return ShelfHarness()

`RotatorContract` is used in the same way; see docs/contributing/writing-a-rotator.md.

pytest is imported only when one of these names is used.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from envkit.testing.contract import SourceContract
    from envkit.testing.harness import Harness
    from envkit.testing.rotator_harness import RotatorHarness
    from envkit.testing.rotators import RotatorContract

__all__ = ["Harness", "RotatorContract", "RotatorHarness", "SourceContract"]

_MODULES = (
    *("contract", "writing", "restoring", "observe"),
    *("rotators", "rotator_harness", "rotator_proofs"),
)


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'envkit.testing' has no attribute {name!r}")
    import importlib
    import sys

    import pytest

    modules = [f"envkit.testing.{module}" for module in _MODULES]
    # pytest would warn about one that was imported before
    pytest.register_assert_rewrite(*(name for name in modules if name not in sys.modules))
    module = "rotators" if name.startswith("Rotator") else "contract"
    return getattr(importlib.import_module(f"envkit.testing.{module}"), name)
