"""Fixtures that several modules of the live tests share."""

from contextlib import ExitStack

import pytest

from support.rotators import AlternateHarness, SingleHarness


@pytest.fixture(params=[AlternateHarness, SingleHarness], ids=["alternate", "single"])
def either(request, postgres):
    with ExitStack() as stack:
        yield request.param(postgres, stack, shared=True)


@pytest.fixture
def alternate(postgres):
    with ExitStack() as stack:
        yield AlternateHarness(postgres, stack, shared=True)


@pytest.fixture
def single(postgres):
    with ExitStack() as stack:
        yield SingleHarness(postgres, stack, shared=True)
