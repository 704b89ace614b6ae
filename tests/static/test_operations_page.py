# SPDX-License-Identifier: Apache-2.0
"""docs/operations.md says what the tables of the code say."""

from tests.support.operations_page import PAGE, refreshed


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text()
    assert text == refreshed(text), "python -m tests.support.operations_page"
