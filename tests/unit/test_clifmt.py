# SPDX-License-Identifier: Apache-2.0
import io

import pytest

from scomod import clifmt
from scomod.clifmt import Style


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (5_000_000, "4.8 MiB"),
        (1 << 50, "1024.0 TiB"),
    ],
)
def test_size_has_a_unit_a_person_reads(octets: int, text: str) -> None:
    assert clifmt.size(octets) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "0.2 s"),
        (59.4, "59 s"),
        (61, "1 min 01 s"),
        (3720, "1 h 02 min"),
        (90_000, "1 d 01 h"),
    ],
)
def test_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert clifmt.duration(seconds) == text


def test_table_aligns_columns_and_leaves_no_blanks_at_the_end() -> None:
    lines = clifmt.table(("ID", "NAME"), [(1, "short"), (23, None)], None)
    assert lines == ["ID  NAME", "1   short", "23"]


def test_table_aligns_wide_and_combining_characters() -> None:
    lines = clifmt.table(("A", "B"), [("日本", 1), ("e\u0301", 2)], None)
    assert [clifmt.columns(line) for line in lines] == [7, 7, 7]


def test_table_shortens_the_widest_column_to_the_terminal() -> None:
    lines = clifmt.table(("ID", "TEXT"), [("42", "x" * 100)], 20)
    assert lines == ["ID  TEXT", "42  " + "x" * 15 + "…"]


def test_table_keeps_columns_readable_on_a_tiny_terminal() -> None:
    [_, line] = clifmt.table(("A", "B"), [("a" * 30, "b" * 30)], 5)
    assert line == "a" * 7 + "…  " + "b" * 7 + "…"


def test_fit_does_not_cut_a_wide_character_in_half() -> None:
    assert clifmt.fit("日本語", 4) == "日…"


@pytest.mark.parametrize("attack", ["\x1b[2J", "\x9b2J", "\u202eevil", "a\nb", "\u2028"])
def test_text_of_others_cannot_drive_the_terminal(attack: str) -> None:
    shown = clifmt.printable(attack)
    assert not set(shown) & {"\x1b", "\x9b", "\u202e", "\n", "\u2028"}
    assert "\ufffd" in shown


def test_values_are_shown_as_words() -> None:
    assert [clifmt.printable(v) for v in (True, False, None, 7)] == ["yes", "no", "", "7"]


def test_fields_align_their_values() -> None:
    assert clifmt.fields({"a": 1, "long": "x", "none": None}) == ["a     1", "long  x", "none"]


def test_progress_shows_bar_percent_octets_speed_and_time_left() -> None:
    speed = clifmt.speed({"rate": 1_258_291.2, "remaining": 14.6})
    line = clifmt.progress("op 1", 12_897_485, 31_457_280, None, speed=speed)
    assert line == "op 1  [#########...............]  41 %  12.3 of 30.0 MiB  1.2 MiB/s  15 s left"


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (80, "op 1  [############............]  50 %  512 B of 1.0 KiB  8 B/s  1 min 04 s left"),
        (60, "op 1  50 %  512 B of 1.0 KiB  8 B/s  1 min 04 s left"),
        (45, "op 1  50 %  512 B of 1.0 KiB  8 B/s"),
        (30, "op 1  50 %  512 B of 1.0 KiB"),
        (12, "op 1  50 % …"),
    ],
)
def test_progress_on_a_narrow_terminal_keeps_what_matters(width: int, line: str) -> None:
    speed = clifmt.speed({"rate": 8.0, "remaining": 64.0})
    shown = clifmt.progress("op 1", 512, 1024, width, speed=speed)
    assert (shown, clifmt.columns(shown) <= width) == (line, True)


def test_time_left_is_not_made_up() -> None:
    assert clifmt.speed({"done": 5, "total": 10, "rate": 0.0}) == []
    assert clifmt.speed({"rate": 2048.0}) == ["2.0 KiB/s"]


def test_progress_of_unknown_total_shows_octets_alone() -> None:
    assert clifmt.progress("op 1", 2048, 0, None) == "op 1  2.0 KiB"


def test_progress_never_exceeds_hundred_percent_or_the_terminal() -> None:
    assert "100 %" in clifmt.progress("op", 5, 4, None)
    assert clifmt.columns(clifmt.progress("a long label", 1, 2, 10)) == 10


def test_tree_is_drawn_with_values() -> None:
    leaf = {"name": "Man", "text": "Example", "children": []}
    inner = {"name": "DevInfo", "text": "", "children": [leaf]}
    last = {"name": "SCOMO", "text": "", "children": [leaf, leaf]}
    assert list(clifmt.branches({"name": ".", "text": "", "children": [inner, last]})) == [
        ".",
        "├── DevInfo",
        "│   └── Man = Example",
        "└── SCOMO",
        "    ├── Man = Example",
        "    └── Man = Example",
    ]


def test_colour_only_on_a_terminal_and_unless_no_color_is_set() -> None:
    assert Style.of(Terminal(), {}).paint("bad", "x") == "\x1b[31mx\x1b[0m"
    assert Style.of(Terminal(), {"NO_COLOR": ""}).is_coloured
    assert Style.of(Terminal(), {"NO_COLOR": "1"}).paint("bad", "x") == "x"
    assert Style.of(io.StringIO(), {}).paint("bad", "x") == "x"
    assert not Style.of(Terminal(), {"TERM": "dumb"}).is_coloured
    assert not Style.of(Terminal(), {}, "never").is_coloured
    assert Style.of(io.StringIO(), {"NO_COLOR": "1", "TERM": "dumb"}, "always").is_coloured


def test_nothing_moves_in_a_pipe_or_on_a_dumb_terminal() -> None:
    assert clifmt.is_moving(Terminal(), {"TERM": "xterm", "NO_COLOR": "1"})
    assert not clifmt.is_moving(Terminal(), {"TERM": "dumb"})
    assert not clifmt.is_moving(io.StringIO(), {"TERM": "xterm"})
