"""What is read and drawn before it is asked for: ready, never taken for seen, never out of date."""

import pytest

from passmuster import store
from passmuster.tui.screens.review import ReviewScreen
from tests.tui.conftest import PLAIN, Review, go_to, painted, press, screen_of, settle


async def test_the_next_item_is_ready_before_one_goes_there_and_is_not_taken_for_seen(
    review: Review,
) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = screen_of(pilot)
        await press(pilot, "home", "j")
        screen._look_ahead()
        following = screen.table.rank[screen.table.cursor + 1]
        ready = screen._known[following]
        assert following not in screen.muster.sitting.first_shown
        await press(pilot, "j")
        assert screen.table.cursor_id == following
        assert screen.here is ready
        assert following in screen.muster.sitting.first_shown


async def test_one_who_goes_up_finds_the_row_above_ready(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = screen_of(pilot)
        await press(pilot, "end", "k")
        screen.forget_known()
        screen._look_ahead()
        assert list(screen._known) == [screen.table.rank[screen.table.cursor - 1]]


async def test_lines_made_ahead_do_not_outlive_a_draft(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = screen_of(pilot)
        go_to(pilot, PLAIN[1])
        await settle(pilot)
        place = screen.table.cursor
        await press(pilot, "k")
        screen._way = 1
        screen._look_ahead()
        assert screen.table.rank[place] in screen._known
        await press(pilot, "j", "a", "1")
        go_to(pilot, PLAIN[1])
        await settle(pilot)
        assert "not signed yet" in painted(pilot)
        await press(pilot, "u")
        assert "not signed yet" not in painted(pilot)


async def test_what_is_known_is_forgotten_when_somebody_else_writes(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen: ReviewScreen = screen_of(pilot)
        screen._look_ahead()
        before = dict(screen._known)
        assert before
        other = store.open_(review.folder)
        with other.atomic():
            other.execute("UPDATE listing SET name = name")
        other.close()
        screen.look_for_changes()
        assert not set(map(id, before.values())) & set(map(id, screen._known.values()))


@pytest.mark.parametrize("place", ["h", "i"])
async def test_a_place_opened_before_the_first_frame_holds_up_nothing(
    review: Review, place: str
) -> None:
    """The rest of the order, the counts and the sync begin though the first screen is covered."""
    async with review.app().run_test(size=(80, 24)) as pilot:
        await press(pilot, place)
        assert pilot.app.screen is not screen_of(pilot)
        assert screen_of(pilot).counts["all"] == 13
