# SPDX-License-Identifier: Apache-2.0
"""docs/delivery.md and docs/lab.md say of faults what the tables say."""

import pytest

from tests.support.fault_page import PAGES, refreshed


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_up_to_date(name: str) -> None:
    assert PAGES[name][0].read_text() == refreshed(name), "python -m tests.support.fault_page"
