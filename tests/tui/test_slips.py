"""The slips of a hurried hand, and of a disk: what a key must never do, and never lose."""

import threading

from passmuster import store
from passmuster.tui.widgets.text_line import TextLine
from tests.tui.conftest import (
    HOSTILE,
    PLAIN,
    Review,
    at_cursor,
    bar,
    go_to,
    painted,
    press,
    screen_of,
    settle,
)


async def test_undo_brings_back_the_draft_that_was_there_before(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        go_to(pilot, PLAIN[0])
        await press(pilot, "a", "=first thought", "enter")
        go_to(pilot, PLAIN[0])
        await press(pilot, "r", "=second thought", "enter", "z")
        assert review.drafts() == {PLAIN[0]: "approve"}
        assert review.rows("SELECT reason_text FROM draft") == [("first thought",)]
        await press(pilot, "Z")
    assert review.drafts() == {PLAIN[0]: "revoke"}


async def test_a_verb_after_a_bulk_act_is_for_one_item_again(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "slash", "=batch-", "enter", "space", "space", "semicolon", "r",
                    "=2", "enter", "3")  # fmt: skip
        bulk = review.drafts()
        assert list(bulk.values()) == ["revoke"] * 2
        await press(pilot, "semicolon")
        assert "nothing is marked" in bar(pilot, "status")
        await press(pilot, "a", "1")
    assert bulk.items() < review.drafts().items()
    assert sorted(review.drafts().values()) == ["approve", "revoke", "revoke"]


async def test_a_bulk_stop_that_was_called_off_does_not_wait_for_the_next_verb(
    review: Review,
) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for called_off_at in (["r"], ["r", "=2", "enter"]):
            go_to(pilot, PLAIN[0])
            await press(pilot, *([] if screen_of(pilot).table.marks else ["space", "space"]))
            await press(pilot, "semicolon", *called_off_at, "escape")
            assert not review.drafts()
            go_to(pilot, "payments")
            await press(pilot, "a", "1")
            assert review.drafts() == {"payments": "approve"}
            await press(pilot, "z")


async def test_enter_and_space_decide_nothing(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        first = at_cursor(pilot)
        await press(pilot, "enter")
        assert not screen_of(pilot).ask.is_open
        await press(pilot, "enter", "escape", "space", "enter", "escape")
        assert not screen_of(pilot).ask.is_open
        assert not review.drafts()
        assert first


async def test_a_passphrase_is_never_painted_not_even_after_a_wrong_one(review: Review) -> None:
    review.passphrase = b"correct horse"
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "a", "1", "dollar_sign")
        await pilot.press("s")
        for typed in ("wrong horse", "correct horse"):
            await pilot.pause(0.5)  # no `settle`: the signing thread waits for the passphrase
            pilot.app.screen.query_one(TextLine).insert(typed)
            await pilot.pause()
            assert "horse" not in painted(pilot)
            assert "•" * len(typed) in painted(pilot)
            await pilot.press("enter")
        await settle(pilot)
    assert list(review.decisions().values()) == ["approve"]


async def test_taking_back_that_outruns_the_screen_meets_the_item_under_the_cursor(
    review: Review,
) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for name in PLAIN[:2]:
            go_to(pilot, name)
            await settle(pilot)
            await press(pilot, "a", "1")
        go_to(pilot, PLAIN[0])
        await settle(pilot)
        go_to(pilot, PLAIN[1])  # and nothing has told the screen yet
        screen_of(pilot).action_clear()
        await settle(pilot)
    assert review.drafts() == {PLAIN[0]: "approve"}


async def test_an_answer_that_outruns_the_screen_decides_nothing(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        screen = screen_of(pilot)
        screen.action_verb("revoke")
        screen.table.go_to(2)  # and nothing has told the screen yet
        screen.ask.text.entered("gone")
        assert "another item is under the cursor" in bar(pilot, "ask-lines")
        await settle(pilot)
    assert not review.drafts()


async def test_a_name_that_came_past_the_import_is_only_text_as_well(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        review.rows("UPDATE identity SET display_name = ?", HOSTILE)
        screen_of(pilot).look_for_changes()
        await press(pilot, "a", "1", "z")
        assert "undone: approve, evil\\x1b]52" in bar(pilot, "status")
        text = painted(pilot)
        assert text.count("evil\\x1b]52") > len(PLAIN)
        assert all(c.isprintable() or c == "\n" for c in text)


async def test_what_was_signed_cannot_be_undone_only_decided_anew(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "a", "1", "dollar_sign", "s", "escape", "z")
        assert "nothing to undo" in bar(pilot, "status")
        await press(pilot, "Z")
        assert "nothing to redo" in bar(pilot, "status")
    assert not review.drafts()
    assert len(review.decisions()) == 1


async def test_only_ones_own_items_are_in_the_queue(review: Review) -> None:
    [(count,)] = review.rows("SELECT count(*) FROM item")
    review.rows("UPDATE item SET reviewer = 'other@example.com' WHERE id = 1")
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert list(screen_of(pilot).table.rank).count(1) == 0
        assert len(screen_of(pilot).table.rank) == count - 1


async def test_what_was_decided_just_before_leaving_is_kept(review: Review) -> None:
    """The disk is slow: the draft is still in the queue when the screen is left."""
    held = threading.Event()

    def slow_disk() -> None:
        other = store.open_(review.folder)
        other.execute("BEGIN IMMEDIATE")
        held.set()
        threading.Event().wait(1.0)
        other.execute("COMMIT")
        other.close()

    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        first = at_cursor(pilot)
        slow = threading.Thread(target=slow_disk)
        slow.start()
        assert held.wait(10)
        await pilot.press("a", "1")
        assert not review.drafts()
    slow.join()
    assert review.drafts() == {first: "approve"}


async def test_what_the_database_refuses_is_said_and_not_shown_as_kept(review: Review) -> None:
    review.rows("CREATE TRIGGER full BEFORE INSERT ON draft"
                " BEGIN SELECT raise(ABORT, 'the disk is full'); END")  # fmt: skip
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "a", "1")
        assert "not kept: the disk refused it: the disk is full" in bar(pilot, "status")
        await press(pilot, "z")
        assert "nothing to undo" in bar(pilot, "status")
    assert not review.drafts()


async def test_the_cursor_goes_on_before_the_disk_has_the_draft(review: Review) -> None:
    """The disk comes back only when the cursor has moved: whoever waits for it is stuck."""
    held, moved, in_time = threading.Event(), threading.Event(), []

    def slow_disk() -> None:
        other = store.open_(review.folder)
        other.execute("BEGIN IMMEDIATE")
        held.set()
        in_time.append(moved.wait(20))
        other.execute("COMMIT")
        other.close()

    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        first = at_cursor(pilot)
        slow = threading.Thread(target=slow_disk)
        slow.start()
        assert held.wait(10)
        await pilot.press("a", "1")
        await pilot.pause()
        assert at_cursor(pilot) != first
        moved.set()
        slow.join()
        assert in_time == [True]
        await settle(pilot)
    assert review.drafts() == {first: "approve"}


async def test_what_another_changed_since_is_not_done_again(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as first:
        await settle(first)
        async with review.app().run_test(size=(80, 24)) as second:
            await settle(second)
            await press(first, "a", "1", "z")
            await press(second, "r", "3")
            await press(first, "Z")
            assert "changed elsewhere" in bar(first, "status")
    assert list(review.drafts().values()) == ["revoke"]
