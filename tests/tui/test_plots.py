"""Plots: exactly as wide as they are asked to be, and never more hopeful than the numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passmuster.tui.lines import plain, width_of
from passmuster.tui.plots import BEGUN, DONE, LEFT, ON_TIME, Bin, Burn, burn_down, histogram, share

BEGIN, DUE = "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"
COUNTS = st.integers(0, 1_000_000)


@given(st.tuples(COUNTS, COUNTS, COUNTS), st.integers(3, 60))
def test_a_share_shows_all_that_is_there_and_is_full_only_when_it_is(
    parts: tuple[int, int, int], width: int
) -> None:
    bar = share(parts, width)
    assert len(bar) == width
    if sum(parts):
        for part, char in zip(parts, (DONE, BEGUN, LEFT), strict=True):
            assert (char in bar) == (part > 0)


def drawn(steps: list[tuple[str, int]], now: str, width: int = 60) -> list[str]:
    return [plain(row) for row in burn_down(Burn(100, steps, BEGIN, DUE, now), width, 6)]


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 10)), max_size=9),
       st.integers(1, 40), st.integers(20, 200), st.integers(2, 12))  # fmt: skip
def test_a_burn_down_keeps_its_width(
    batches: list[tuple[int, int]], today: int, width: int, height: int
) -> None:
    steps = sorted((f"2026-11-{day:02}T00:00:00Z", items) for day, items in batches)
    now = f"2026-11-{today:02}T00:00:00Z" if today <= 30 else f"2026-12-{today - 30:02}T00:00:00Z"
    rows = burn_down(Burn(100, steps, BEGIN, DUE, now), width, height)
    assert len(rows) == height + 2
    assert all(width_of(row) <= width for row in rows)


def test_nothing_is_drawn_after_now_but_the_line_that_is_on_time() -> None:
    rows = drawn([("2026-11-02T00:00:00Z", 10)], "2026-11-16T00:00:00Z")
    body = [row[6:] for row in rows[:6]]
    half = len(body[0]) // 2
    assert all(set(row[half + 1 :]) <= {" ", ON_TIME} for row in body)
    assert all("█" in row[:half] for row in body[1:]), "ten of a hundred do not take a row away"


def test_whoever_is_behind_sees_the_dots_inside_the_blocks_and_whoever_is_ahead_above() -> None:
    behind = drawn([], "2026-11-28T00:00:00Z")
    ahead = drawn([("2026-11-02T00:00:00Z", 99)], "2026-11-28T00:00:00Z")
    assert f"{ON_TIME}█" in behind[2]
    assert "█" not in ahead[2][10:]
    assert ON_TIME in ahead[2]
    assert "▁" in ahead[5], "one of a hundred that is left is seen"


def test_the_axis_names_the_days_and_an_overdue_campaign_goes_on_to_now() -> None:
    assert "11-01" in drawn([], "2026-11-20T00:00:00Z")[-1]
    assert "now" in drawn([], "2026-11-20T00:00:00Z")[-1]
    late = drawn([], "2026-12-20T00:00:00Z")[-1]
    assert late.index("due 12-01") < late.index("now")
    assert "now" in drawn([], BEGIN)[-1], "the word for today is never left out"


@pytest.mark.parametrize("width", [30, 60, 120])
def test_a_histogram_says_the_numbers_beside_the_bars(width: int) -> None:
    rows = histogram([Bin("young", 3, 1), Bin("old", 0, 100), Bin("gone", 5, 0)], width)
    text = [plain(row) for row in rows]
    assert all(width_of(row) <= width for row in rows)
    assert [" ".join(t.split()[-3:]) for t in text] == ["1 of 4", "100 of 100", "0 of 5"]
    assert DONE in text[0], "one of four is seen beside a hundred"
    assert DONE not in text[2]
    assert LEFT in text[2]
