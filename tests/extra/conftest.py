"""The browser that shows the pages."""

import pytest

from support.chromium import Chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Chromium(tmp_path_factory.mktemp("chromium")) as started:
        yield started
