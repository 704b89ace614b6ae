# SPDX-License-Identifier: Apache-2.0
"""Every row of the table in docs/backends.md has a test against the real flatpak."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
TABLE = HERE.parents[2] / "docs/backends.md"
# Tools of which this machine has no real state: recorded output, or the one test of all backends.
ELSEWHERE = {
    "deadline": "tests/unit/installers/test_proc.py",
}
ROWS = {
    "install, newer": "a_newer_bundle_replaces_an_older_one",
    "same again": "installing_again_is_a_success_that_flatpak_calls_an_error",
    "older over newer": "flatpak_alone_would_downgrade_and_say_0",
    "runtime missing": "a_missing_runtime_is_a_dependency_and_nothing_stays",
    "other architecture": "a_bundle_for_another_machine_is_refused_though_flatpak_would_take_it",
    "no bundle, cut short": "a_bundle_cut_short_anywhere_is_malformed",
    "damaged behind its head": "a_bundle_that_is_damaged_behind_its_head_leaves_nothing",
    "extra data": "extra_data_is_a_script_and_needs_the_network",
    "install from a remote": "a_flatpakref_brings_the_commit_of_its_remote_and_the_runtime",
    "same file from a remote again": "a_configured_remote_is_used_and_stays",
    "another file, the remote has a newer one": (
        "a_file_means_what_it_meant_first_and_another_file_brings_what_is_new"
    ),
    "the remote went back to an older one": "a_remote_that_went_back_is_a_downgrade",
    "the remote changed after it was looked at": (
        "what_changed_since_it_was_looked_at_is_a_conflict"
    ),
    "installed from a bundle, now from a remote": ("software_of_a_bundle_goes_over_to_the_remote"),
    "the remote does not have it": "software_that_the_remote_does_not_have_is_not_present",
    "the remote does not have its runtime": (
        "a_remote_without_the_runtime_is_a_dependency_and_nothing_stays"
    ),
    "the remote is gone, no network": "a_remote_that_is_gone_is_unreachable",
    "network not allowed": "the_network_is_asked_only_where_the_policy_allows_it",
    "wrong or unknown key": (
        "a_wrong_key_is_a_signature_failure_and_leaves_no_remote_though_flatpak_does"
    ),
    "commits without signature": (
        "commits_without_signature_are_refused_though_their_listing_is_taken"
    ),
    "the remote checks no signatures": (
        "a_remote_that_checks_nothing_serves_only_where_that_is_allowed"
    ),
    "activated while the remote is gone": (
        "what_is_prepared_is_not_deployed_and_is_activated_without_its_remote"
    ),
    "deployed by half": "a_half_deployed_ref_is_partial_and_healed_though_flatpak_heals_nothing",
    "a commit deployed, not yet active": (
        "a_commit_that_was_not_made_active_in_time_is_deployed_anew"
    ),
    "active, the earlier one not yet taken off": (
        "an_earlier_commit_that_was_not_taken_off_in_time_goes"
    ),
    "active, no launcher yet": "what_people_start_it_by_is_made_where_a_kill_came_before",
    "killed": "the_same_order_after_a_killed_flatpak_ends_right",
    "killed while it fetches": "the_same_order_after_a_fetch_that_was_killed_ends_right",
    "update with nothing new": "an_update_that_finds_nothing_is_0_and_only_what_is_listed_counts",
    "ordinary user without a system bus": (
        "without_a_system_bus_an_ordinary_user_gets_runtimes_and_no_applications"
    ),
    "disk nearly full": "a_disk_that_is_nearly_full_takes_nothing",
    "removal of a runtime in use": "a_runtime_in_use_stays",
    "removal of what is not there": (
        "what_is_taken_off_is_gone_with_its_origin_and_may_be_taken_off_again"
    ),
    "copies in both installations": "copies_in_both_installations_are_told_apart_by_name",
    "started": "what_ends_at_once_has_not_been_started",
    "stopped": "an_application_is_started_once_outlives_who_started_it_and_is_stopped",
    "bundle signed with GPG": "a_signed_bundle_is_checked_against_its_own_key_only",
}


def rows() -> list[str]:
    """Read the first column of the table."""
    section = TABLE.read_text().partition("\n## flatpak\n")[2].partition("\n### ")[0]
    cells = [line.split(" | ")[0].lstrip("| ") for line in section.splitlines() if "|" in line]
    return cells[2:]


def test_every_row_has_a_test_and_every_test_of_a_row_is_there() -> None:
    assert set(rows()) == ROWS.keys() | ELSEWHERE.keys()
    text = "".join(path.read_text() for path in HERE.glob("test_*.py"))
    written = set(re.findall(r"^def test_(\w+)\(", text, re.MULTILINE))
    assert set(ROWS.values()) <= written
    assert all((HERE.parents[2] / path).exists() for path in ELSEWHERE.values())
