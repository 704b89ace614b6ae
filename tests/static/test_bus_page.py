# SPDX-License-Identifier: Apache-2.0
"""docs/reference/dbus.md says what the introspection and the docstrings of the code say."""

from scomod.busmethods import METHODS
from scomod.busrights import RIGHTS
from tests.support.bus_reference import PAGE, page, words


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "python -m tests.support.bus_reference"


def test_every_method_is_on_it_with_words_and_a_right_of_its_own() -> None:
    for interface, name in METHODS:
        home = interface.rpartition(".")[2]
        assert words(f"{home}.{name}").endswith(".")
        assert (name in RIGHTS) == (home != "Status")
