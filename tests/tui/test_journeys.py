"""What reviewers do, key by key, on a real workspace; what came of it is read from the database."""

import json

from textual.events import Key

from passmuster import campaigns, store
from passmuster.store import Database
from passmuster.tui.screens.sign_off import SignOffScreen
from passmuster.tui.widgets.line_table import LineTable
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
)  # fmt: skip


async def test_ten_items_are_triaged_with_two_keys_each_undone_and_signed(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        keys = ["a", "1", "r", "3", "d", "4", "x", "8", "a", "2", "a", "1", "r", "6", "a", "1",
                "a", "1", "d", "7"]  # fmt: skip
        assert len(keys) == 20
        seen = []
        for verb, reason in zip(keys[::2], keys[1::2], strict=True):
            seen.append(at_cursor(pilot))
            await press(pilot, verb, reason)
        assert len(set(seen)) == 10, "each verb went on to the next undecided item"
        assert len(review.drafts()) == 10
        await press(pilot, "z", "z")
        assert len(review.drafts()) == 8
        await press(pilot, "Z", "u")
        assert len(review.drafts()) == 8
        assert not review.decisions()
        await press(pilot, "dollar_sign")
        assert "Sign off" in painted(pilot)
        await press(pilot, "s")
        assert "Nothing has been stopped yet" in painted(pilot)
        await press(pilot, "escape")
        assert bar(pilot, "header").count("drafts") == 0
    signed = review.decisions()
    assert [signed[name] for name in seen[:8]] == [
        "approve",
        "revoke",
        "disable",
        "abstain",
        "approve",
        "approve",
        "revoke",
        "approve",
    ]
    assert len(signed) == 8
    assert not review.drafts()


async def test_a_decision_says_what_was_paid_heed_to(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "escape", "a", "1", "a", "1", "dollar_sign", "s", "escape")
    rows = [json.loads(r[0]) for r in review.rows("SELECT row FROM decision ORDER BY item_id")]
    assert sorted(r["attention"]["details_opened"] for r in rows) == [False, True]
    assert all(r["attention"]["first_shown"] and r["attention"]["decided"] for r in rows)
    assert all(r["bulk"] is None for r in rows)
    assert all(r["reason"] == {"code": "1", "text": "in use, owner confirmed"} for r in rows)


async def test_a_stop_needs_a_reason_and_enter_alone_gives_none(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "r", "enter")
        assert "needs a reason" in bar(pilot, "ask-lines")
        await press(pilot, "escape")
        assert not review.drafts()
        await press(pilot, "r", "=the tool is gone", "enter")
        assert list(review.drafts().values()) == ["revoke"]
    assert review.rows("SELECT reason_code, reason_text FROM draft") == [(None, "the tool is gone")]


async def test_an_ordinary_item_of_low_risk_is_approved_with_enter(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        go_to(pilot, PLAIN[0])
        await settle(pilot)
        await press(pilot, "a", "enter")
    assert review.drafts() == {PLAIN[0]: "approve"}


async def test_an_approval_may_end(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "a", "=audit until 2027-03-31", "enter")
        await press(pilot, "a", "=until 90d", "enter", "9")
        await press(pilot, "a", "=ok until never", "enter")
        assert "put a day last" in bar(pilot, "ask-lines")
        await press(pilot, "escape", "r", "=until 90d", "enter", "3")
        assert "goes with approve" in bar(pilot, "ask-lines")
    assert review.rows("SELECT until, reason_text, reason_code FROM draft ORDER BY until") == [
        ("2027-02-21", "risk accepted for now", "9"), ("2027-03-31", "audit", None),
    ]  # fmt: skip


async def test_rotate_asks_which_of_two_keys_and_approves_the_rest(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert at_cursor(pilot) == "ci-deploy", "the riskiest comes first"
        await press(pilot, "t")
        assert "which?" in bar(pilot, "ask-lines")
        await press(pilot, "2")
        assert "approve + rotate access key AKIA2" in bar(pilot, "ask-lines")
        await press(pilot, "2")
        go_to(pilot, "payments")
        await press(pilot, "t")
        assert "nothing to rotate" in bar(pilot, "status")
    [(verdict, changes)] = review.rows("SELECT verdict, changes FROM draft")
    assert verdict == "approve"
    assert [(c["verb"], c["target"]) for c in json.loads(changes)] == [
        ("rotate", "AKIAIOSFODNN7EXAMQ72X")
    ]


async def test_a_wrong_filter_points_at_its_word_and_is_forgiven(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        screen = screen_of(pilot)
        whole = len(screen.table.rank)
        await press(pilot, "slash", "=batch knd:service")
        assert "did you mean kind?" in bar(pilot, "filter-error")
        assert bar(pilot, "filter-error").index("^") == len(" / batch ")
        await press(pilot, *["backspace"] * 12, "enter")
        assert len(screen.table.rank) == len(PLAIN)
        assert "batch" in bar(pilot, "status")
        await press(pilot, "escape")
        assert len(screen.table.rank) == whole


async def test_the_cursor_stays_on_its_item_across_a_filter(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        go_to(pilot, PLAIN[3])
        await settle(pilot)
        await press(pilot, "slash", "=batch-0", "enter")
        assert at_cursor(pilot) == PLAIN[3]
        await press(pilot, "slash", *["backspace"] * 7, "=payments", "enter")
        assert at_cursor(pilot) == "payments"
        await press(pilot, "escape")
        assert at_cursor(pilot) == PLAIN[3], "what was left comes back with its row"


async def test_many_are_stopped_only_after_their_number_is_typed(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "slash", "=batch-", "enter", "space", "space", "space", "semicolon", "r")
        assert "revoke 3 items" in bar(pilot, "ask-lines")
        await press(pilot, "=2", "enter")
        assert "that is not 3" in bar(pilot, "ask-lines")
        await press(pilot, "=3", "enter", "3")
        assert list(review.drafts().values()) == ["revoke"] * 3
        await press(pilot, "dollar_sign")
        assert "Decided many at once" in painted(pilot)
        await press(pilot, "escape", "z")
        assert not review.drafts(), "one act is undone as one"
        await press(pilot, "Z")
    bulks = [json.loads(row[0]) for row in review.rows("SELECT bulk FROM draft")]
    assert {b["size"] for b in bulks} == {3}
    assert len({b["id"] for b in bulks}) == 1
    assert bulks[0]["how"] == "marked by hand, filter batch-"


async def test_an_owner_is_named_and_the_item_handed_over(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "o")
        assert "1 jane@example.com  created it 2021-03-02" in bar(pilot, "ask-lines")
        assert "2 nobody-known  tag team=nobody-known; not in the registers" in bar(
            pilot, "ask-lines"
        )
        await press(pilot, "2")
        assert "no person or team" in bar(pilot, "ask-lines")
        await press(pilot, "=gone@example.com", "enter")
        assert "has left" in bar(pilot, "ask-lines")
        await press(pilot, "=jane", "enter")
        assert "jane@example.com decide it" in bar(pilot, "ask-lines")
        await press(pilot, "y")
        assert review.rows("SELECT owner, reassign FROM own_draft") == [("jane", 1)]
        assert review.drafts() == {"ci-deploy": "abstain"}
        await press(pilot, "z")
        assert not review.rows("SELECT * FROM own_draft")
        await press(pilot, "Z", "dollar_sign")
        assert "jane, who is to decide it" in painted(pilot)
        await press(pilot, "s", "escape")
        await settle(pilot)
        await pilot.pause(0.5)
        table = pilot.app.screen_stack[1].query_one(LineTable)
        item = review.rows("SELECT id FROM item WHERE assigned LIKE 'handed%'")[0][0]
        assert item not in table.rank, "what is another's to decide is not in my queue"
    handed = "SELECT reviewer, state FROM item WHERE assigned LIKE 'handed%'"
    assert review.rows(handed) == [("jane@example.com", "open")]


async def test_nothing_is_signed_with_nothing_drafted(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "dollar_sign")
        assert "nothing to sign" in bar(pilot, "status")
        assert len(pilot.app.screen_stack) == 2


async def test_a_wrong_passphrase_is_asked_for_again_and_signs_nothing(review: Review) -> None:
    review.passphrase = b"correct"
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "a", "1", "dollar_sign")
        screen = pilot.app.screen
        assert isinstance(screen, SignOffScreen)

        async def asked() -> TextLine:
            for _ in range(100):
                await pilot.pause(0.05)
                if screen.typing is not None:
                    return screen.typing
            raise AssertionError("no passphrase is asked for")

        await pilot.press("s")
        (await asked()).insert("wrong")
        await pilot.press("enter")
        await asked()
        assert "does not open" in bar(pilot, "notice")
        assert not review.decisions(), "and what is typed next is a passphrase, not keys"
        await pilot.press("escape")
        await settle(pilot)
        assert "called off" in bar(pilot, "notice")
        await pilot.press("s")
        (await asked()).insert("correct")
        await press(pilot, "enter", "escape")
    assert list(review.decisions().values()) == ["approve"]


async def test_what_changed_underneath_is_said_before_signing(review: Review, db: Database) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "a", "1")
        review.rows("UPDATE credential SET status = 'disabled' WHERE hint = 'Q71X'")
        await press(pilot, "dollar_sign")
        assert "is not what you were shown" in painted(pilot)
        assert "credentials" in painted(pilot)


async def test_the_end_of_the_queue_says_what_to_press(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        count = len(screen_of(pilot).table.rank)
        for _ in range(count):
            await pilot.press("x", "8")
        await settle(pilot)
        screen_of(pilot).say("")
        assert f"press $ to sign {count} drafts" in bar(pilot, "status")


async def test_two_workstations_on_one_workspace_see_each_other(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as first:
        await settle(first)
        async with review.app().run_test(size=(80, 24)) as second:
            await settle(second)
            await press(first, "a", "1")
            screen_of(second).look_for_changes()
            await settle(second)
            assert "approve" in painted(second)
            assert "1 draft" in bar(second, "header")
            await press(second, "r", "3")
            await press(first, "z")
            assert "changed elsewhere" in bar(first, "status")
    assert list(review.drafts().values()) == ["revoke"]


async def test_what_the_disk_refuses_is_said_and_the_row_goes_back(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("a")
        await settle(pilot)
        review.rows("UPDATE campaign SET closed_at = '2026-11-23T07:00:00Z'")
        await press(pilot, "1")
        assert "not kept" in bar(pilot, "status")
        assert "approve" not in painted(pilot).split("\n─")[0].split("IDENTITY")[1]
    assert not review.drafts()


async def test_a_queue_that_is_empty_says_whose_it_is(review: Review) -> None:
    review.rows("UPDATE item SET reviewer = 'other@example.com'")
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "nothing here is rev@example.com's to decide" in painted(pilot)
        await press(pilot, "a", "space", "t", "o", "u", "enter", "J", "semicolon")
    assert not review.drafts()


async def test_a_name_from_outside_is_only_text(review: Review) -> None:
    async with review.app().run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        shown = next(name for (name,) in review.rows("SELECT display_name FROM identity")
                     if name.startswith("evil"))  # fmt: skip
        assert shown != HOSTILE
        go_to(pilot, shown)
        await settle(pilot)
        for keys in ((), ("enter",), ("escape", "a"), ("escape", "o"), ("escape", "r", "3"),
                     ("dollar_sign",), ("s",)):  # fmt: skip
            await press(pilot, *keys)
            text = painted(pilot)
            assert "evil\\x1b]52" in text
            assert all(c.isprintable() or c == "\n" for c in text)


async def test_every_verb_is_in_the_palette_with_its_key(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        titles = [c.title for c in pilot.app.get_system_commands(pilot.app.screen)]
        for word in ("approve  (a)", "revoke  (r)", "rotate  (t)", "review and sign  ($)", "quit"):
            assert any(t.startswith(word) for t in titles), titles


async def test_the_mouse_moves_the_cursor_and_presses_keys(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        first = at_cursor(pilot)
        await pilot.click("#queue", offset=(20, 3))
        await settle(pilot)
        assert at_cursor(pilot) != first
        await pilot.click("#keys", offset=(2, 0))
        await settle(pilot)
        assert "approve" in bar(pilot, "ask-lines")


async def test_evidence_that_cannot_be_read_cannot_be_decided_on(review: Review) -> None:
    review.rows("UPDATE blob SET packed = x'00' WHERE sha256 IN (SELECT chunk FROM item)")
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "its evidence cannot be read" in bar(pilot, "status")
        for verb in "ardtxo":
            await press(pilot, verb)
            assert not screen_of(pilot).ask.is_open
            assert "so nothing can be decided" in bar(pilot, "status")


async def test_a_key_that_outruns_the_screen_meets_the_item_under_the_cursor(
    review: Review,
) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        screen = screen_of(pilot)
        screen.table.go_to(2)  # and nothing has told the screen yet
        second = campaigns.rows(screen.muster.db, [screen.table.rank[2]])[0].display_name
        screen.action_verb("revoke")
        assert second in bar(pilot, "ask-lines")
        screen.table.go_to(0)
        await settle(pilot)
        assert not screen.ask.is_open, "the question was about another item"
        assert not review.drafts()


async def test_a_row_that_waits_for_the_disk_says_so_and_the_cursor_goes_on(
    review: Review,
) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        other = store.open_(review.folder)
        other.execute("BEGIN IMMEDIATE")
        first = at_cursor(pilot)
        await pilot.press("a", "1")
        await pilot.pause(0.3)
        assert at_cursor(pilot) != first
        assert "  a… 100" in painted(pilot)
        assert not review.drafts()
        other.execute("COMMIT")
        other.close()
        await settle(pilot)
        assert "  a  100" in painted(pilot)
    assert list(review.drafts()) == [first]


async def test_keys_typed_in_a_burst_land_where_they_were_meant(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for key, char in [("a", "a"), ("1", "1"), ("r", "r"), ("o", "o"), ("l", "l"), ("d", "d"),
                          ("enter", None), ("slash", "/"), ("b", "b"), ("a", "a"), ("t", "t"),
                          ("enter", None), ("a", "a"), ("enter", None)]:  # fmt: skip
            pilot.app.post_message(Key(key, char))
        await settle(pilot)
    assert sorted(review.drafts().values()) == ["approve", "approve", "revoke"]
    assert ("old",) in review.rows("SELECT reason_text FROM draft")
