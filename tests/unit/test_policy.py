# SPDX-License-Identifier: Apache-2.0
"""Who decides: the table of rules, and what holds for any rules."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scomod.operation import CONFIRMED, OFFER, Branch, Operation, Primitive, Subject
from scomod.policy import Mode, ruling
from scomod.settings import Confirm, Rule

DEPLOYED = Operation(
    id=1,
    branch=Branch.DEPLOYED,
    primitive=Primitive.REMOVE,
    node="n",
    exec_uri="",
    server_id="com.example.dm",
    subject=Subject(component_id="firefox-esr", pkg_id="org.mozilla.firefox"),
)
DOWNLOAD = replace(
    DEPLOYED,
    branch=Branch.DOWNLOAD,
    primitive=Primitive.DOWNLOAD_INSTALL,
    subject=Subject(pkg_id="tools"),
)
NAMELESS = replace(DOWNLOAD, subject=Subject(), node="kiosk")
RULES = (
    Rule(server="com.example.*", operation="Remove", component="firefox*", mode="refuse"),
    Rule(operation="Remove", mode="inform"),
    Rule(server="com.example.dm", component="org.mozilla.*", mode="silent"),
    Rule(component="kiosk", mode="silent"),
    Rule(server="other", mode="refuse"),
)


@pytest.mark.parametrize(
    ("operation", "mode", "by"),
    [
        (DEPLOYED, "refuse", "rule 1"),
        (replace(DEPLOYED, server_id="org.other"), "inform", "rule 2"),
        (replace(DEPLOYED, primitive=Primitive.DEACTIVATE), "silent", "rule 3"),
        (NAMELESS, "silent", "rule 4"),
        (replace(DOWNLOAD, server_id="other"), "refuse", "rule 5"),
        (DOWNLOAD, "ask", "default"),
        (replace(DOWNLOAD, server_id="COM.EXAMPLE.DM"), "ask", "default"),
    ],
)
def test_first_rule_that_fits_counts(operation: Operation, mode: str, by: str) -> None:
    found = ruling(Confirm(rule=RULES), operation, is_agent_here=True)
    assert (found.mode, found.by, found.how) == (mode, by, mode)


@pytest.mark.parametrize(
    ("no_agent", "server_confirmation", "confirmed", "is_agent_here", "expected"),
    [
        ("defer", "ignore", False, True, (Mode.ASK, "rule 1", "ask")),
        ("accept", "ignore", False, True, (Mode.ASK, "rule 1", "ask")),
        ("defer", "ignore", False, False, (Mode.ASK, "rule 1", "ask")),
        ("accept", "ignore", False, False, (Mode.SILENT, "rule 1, no agent", "silent")),
        ("decline", "ignore", False, False, (Mode.REFUSE, "rule 1, no agent", "refuse")),
        ("decline", "counts", True, False, (Mode.SILENT, "com.example.dm", "server")),
        ("decline", "counts", True, True, (Mode.SILENT, "com.example.dm", "server")),
        ("decline", "counts", False, True, (Mode.ASK, "rule 1", "ask")),
        ("defer", "ignore", True, True, (Mode.ASK, "rule 1", "ask")),
    ],
)
def test_question_may_be_decided_otherwise(
    no_agent: str,
    server_confirmation: str,
    confirmed: bool,
    is_agent_here: bool,
    expected: tuple[Mode, str, str],
) -> None:
    policy = Confirm(rule=(Rule(),), no_agent=no_agent, server_confirmation=server_confirmation)
    operation = replace(DOWNLOAD, data={CONFIRMED: True} if confirmed else {})
    found = ruling(policy, operation, is_agent_here=is_agent_here)
    assert (found.mode, found.by, found.how) == expected


modes = st.sampled_from(["ask", "inform", "silent", "refuse"])
globs = st.sampled_from(["*", "a", "b", "a*", "?"])
rules = st.builds(
    Rule,
    server=globs,
    operation=st.sampled_from(["*", "Remove", "Download*"]),
    component=globs,
    mode=modes,
)


@given(
    rules=st.lists(rules, max_size=6),
    default=modes,
    server=st.sampled_from("abc"),
    component=st.sampled_from("abc"),
    primitive=st.sampled_from(Primitive),
)
def test_rules_before_the_first_that_fits_change_nothing_and_those_after_neither(
    rules: list[Rule], default: str, server: str, component: str, primitive: Primitive
) -> None:
    operation = replace(
        DEPLOYED, server_id=server, primitive=primitive, subject=Subject(component_id=component)
    )

    def fits(rule: Rule) -> bool:
        pairs = ((server, rule.server), (primitive, rule.operation), (component, rule.component))
        return all(fnmatchcase(value, pattern) for value, pattern in pairs)

    found = ruling(Confirm(rule=tuple(rules), default=default), operation, is_agent_here=True)
    fitting = [(number, rule) for number, rule in enumerate(rules, start=1) if fits(rule)]
    if fitting:
        number, rule = fitting[0]
        assert (found.mode, found.by) == (rule.mode, f"rule {number}")
        alone = ruling(Confirm(rule=(rule,), default=default), operation, is_agent_here=True)
        assert alone.mode is found.mode
    else:
        assert (found.mode, found.by) == (default, "default")


@pytest.mark.parametrize(
    ("mode", "no_agent", "is_agent_here", "expected"),
    [
        ("silent", "accept", True, Mode.ASK),
        ("inform", "accept", False, Mode.ASK),
        ("ask", "accept", False, Mode.ASK),
        ("silent", "decline", False, Mode.REFUSE),
        ("silent", "defer", False, Mode.ASK),
        ("refuse", "accept", True, Mode.REFUSE),
    ],
)
def test_about_an_offer_of_a_medium_a_person_is_asked_or_it_is_refused(
    mode: str, no_agent: str, is_agent_here: bool, expected: Mode
) -> None:
    policy = Confirm(rule=(Rule(mode=mode),), no_agent=no_agent)
    offered = replace(DOWNLOAD, data={OFFER: {"path": "/media/usb/o"}})
    found = ruling(policy, offered, is_agent_here=is_agent_here)
    assert found.mode is expected
