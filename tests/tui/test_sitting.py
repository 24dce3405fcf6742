"""A whole sitting: fifty items, many at once, undo, an owner, leaving, coming back, signing."""

from array import array

import pytest

from passmuster.tui.look import Look
from tests.tui.conftest import Review, at_cursor, bar, go_to, painted, press, screen_of, settle

MANY = [f"batch-{n:02}" for n in range(1, 61)]
REASONS = {"a": "1", "r": "3", "d": "4", "x": "8"}


@pytest.fixture
def long_queue(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Review:
    """A review of sixty ordinary items beside the usual five."""
    monkeypatch.setattr("tests.tui.conftest.PLAIN", MANY)
    made: Review = request.getfixturevalue("review")
    return made


@pytest.mark.ci
async def test_fifty_items_are_triaged_left_taken_up_again_and_signed(long_queue: Review) -> None:
    total = len(MANY) + 5
    seen: dict[str, str] = {}
    async with long_queue.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for verb in "aardax" * 7:
            name = at_cursor(pilot)
            assert name not in seen, "each verb went on to one that was undecided"
            await pilot.press(verb, REASONS[verb])
            for _ in range(100):  # on a busy machine a pause may end too early
                if at_cursor(pilot) != name:
                    break
                await pilot.pause()
            assert at_cursor(pilot) != name, painted(pilot)
            seen[name] = verb
        await settle(pilot)
        assert len(long_queue.drafts()) == len(seen) == 42

        last = list(seen)[-3:]
        await press(pilot, "z", "z", "z")
        assert not set(last) & set(long_queue.drafts())
        await press(pilot, "Z", "Z", "Z")
        assert set(last) <= set(long_queue.drafts())

        here = screen_of(pilot).table
        await press(pilot, "end", "up", "up", "up", "up", "up", "up", "up", "space")
        await press(pilot, "end", "v")
        assert len(here.marks) == 8
        await press(pilot, "semicolon", "d", "=8", "enter", "4")
        assert len(long_queue.drafts()) == 50
        await press(pilot, "o", "=jane", "enter", "n")
        left_at = at_cursor(pilot)
        await press(pilot, "q")

    async with long_queue.app().run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        assert "50 of 65 decided" in bar(pilot, "header")
        assert "50 drafts" in bar(pilot, "header")
        first_open = at_cursor(pilot)
        assert first_open not in long_queue.drafts(), "one goes on where one left"
        go_to(pilot, left_at)
        await settle(pilot)
        assert "is to own it" in painted(pilot)
        await press(pilot, "dollar_sign")
        text = painted(pilot)
        assert "Decided many at once" in text
        assert f"{total - 50:>6,}  not decided yet" in text
        await press(pilot, "s", "escape")
        assert "50 of 65 decided" in bar(pilot, "header")
        assert at_cursor(pilot) == first_open
    assert len(long_queue.decisions()) == 50
    verdicts = {"a": "approve", "r": "revoke", "d": "disable", "x": "abstain"}
    signed = long_queue.decisions()
    assert {name: signed[name] for name in seen} == {n: verdicts[v] for n, v in seen.items()}
    assert long_queue.rows("SELECT count(*) FROM own_draft") == [(0,)]


async def test_rows_of_a_view_that_was_left_are_not_shown(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        screen = screen_of(pilot)
        whole = list(screen.table.rank)
        screen._show(Look(expression="batch-"), array("I", whole[:1]), True)
        assert list(screen.table.rank) == whole
