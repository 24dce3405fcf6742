"""Finding and marking many, groups, parts, and the limits on what one act may decide."""

import contextlib
import json
from dataclasses import replace

import pytest
from textual.app import App
from textual.events import Paste
from textual.pilot import Pilot

from passmuster.tui.screens.groups import GroupsScreen
from tests.tui.conftest import (
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


async def typed(pilot: Pilot[None], text: str) -> None:
    """Type *text* into the line that is open, and enter it."""
    await press(pilot, f"={text}", "enter")


async def test_a_range_is_marked_from_the_last_mark_to_the_cursor(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = screen_of(pilot)
        await press(pilot, "v")
        assert not screen.table.marks
        assert "mark one end" in bar(pilot, "status")
        await press(pilot, "home", "space", "down", "down", "v")
        assert screen.table.marks == set(screen.table.rank[:4])


async def test_all_like_the_one_under_the_cursor_are_marked(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        go_to(pilot, PLAIN[0])
        await press(pilot, "a", "enter")  # decided: not marked with the others
        go_to(pilot, PLAIN[1])
        await press(pilot, "m")
        assert "1 owner none" in bar(pilot, "ask-lines")
        await press(pilot, "1")
        names = [r[0] for r in review.rows(
            "SELECT y.display_name FROM item i JOIN identity y ON y.id = i.identity_id"
            " JOIN listing l ON l.identity_id = y.id WHERE l.owner IS NULL")]  # fmt: skip
        assert len(screen_of(pilot).table.marks) == len(names) - 1
        await press(pilot, "m", "7")
        assert not screen_of(pilot).table.marks


async def test_a_pattern_marks_what_it_matches_and_the_marked_open_as_a_view(
    review: Review,
) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = screen_of(pilot)
        whole = len(screen.table.rank)
        await press(pilot, "asterisk", "=batch knd:x", "enter")
        assert "did you mean kind?" in bar(pilot, "ask-lines")
        await press(pilot, "ctrl+u", "=batch- -batch-03", "enter")
        assert len(screen.table.marks) == len(PLAIN) - 1
        await press(pilot, "quotation_mark")
        assert len(screen.table.rank) == len(PLAIN) - 1
        assert set(screen.table.rank) == screen.table.marks
        await press(pilot, "escape", "escape")
        assert len(screen.table.rank) == whole


async def test_a_group_is_decided_as_one_act_with_one_row_each(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        go_to(pilot, PLAIN[0])
        await press(pilot, "x", "8")
        await press(pilot, "equals_sign", "1")
        groups = pilot.app.screen
        assert isinstance(groups, GroupsScreen)
        text = painted(pilot)
        assert "none" in text
        assert "jane@example.com" in text or "Jane Okafor" in text
        await press(pilot, "slash", "=none", "enter")
        count = groups._groups[groups.table.cursor_id or 0].open
        await press(pilot, "d")
        assert pilot.app.screen is screen_of(pilot)
        assert f"disable {count} items" in bar(pilot, "ask-lines")
        await press(pilot, f"={count}", "enter", "3")
    drafts = review.rows("SELECT verdict, bulk FROM draft WHERE bulk IS NOT NULL")
    assert len(drafts) == count
    assert {verdict for verdict, _ in drafts} == {"disable"}
    bulk = {bulk for _, bulk in drafts}
    assert len(bulk) == 1
    assert json.loads(bulk.pop())["how"] == "group owner none"
    assert review.drafts()[PLAIN[0]] == "abstain", "what was decided stays as it was"


async def test_the_items_of_a_group_open_as_a_view_and_esc_shows_all_again(
    review: Review,
) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        whole = len(screen_of(pilot).table.rank)
        await press(pilot, "equals_sign", "3", "enter")
        assert "group kind service" in bar(pilot, "status")
        await press(pilot, "escape")
        assert len(screen_of(pilot).table.rank) == whole


async def test_one_act_decides_no_more_of_a_tier_than_the_settings_allow(review: Review) -> None:
    review.settings = replace(
        review.settings, bulk={"critical": 0, "high": 1, "medium": 3, "low": 3}
    )
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "asterisk", "=batch-", "enter", "semicolon", "a")
        assert "one act may decide 3" in bar(pilot, "status")
        assert not screen_of(pilot).ask.is_open
        go_to(pilot, "payments")
        await press(pilot, "a", "1")
        assert list(review.drafts()) == ["payments"], "and the next verb is for one item"
        await press(pilot, "semicolon", "x")
        assert f"abstain {len(PLAIN)} items" in bar(pilot, "ask-lines")


@pytest.mark.parametrize("handle", [
    "AKIAIOSFODNN7EXAMQ73X", "arn:aws:iam::111122223333:user/vendor-etl",
    "  'arn:aws:iam::111122223333:user/vendor-etl'\n",
])  # fmt: skip
async def test_what_an_alert_names_is_found_by_pasting_it(review: Review, handle: str) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "slash", "=batch-", "enter")
        pilot.app.post_message(Paste(handle))
        await settle(pilot)
        assert at_cursor(pilot) == "vendor-etl"
        assert "vendor-etl" in bar(pilot, "status")
        pilot.app.post_message(Paste("AKIANOTHERE\x1b[2J"))
        await settle(pilot)
        assert "no item" in bar(pilot, "status")
        assert at_cursor(pilot) == "vendor-etl"
    assert not review.drafts()


async def test_a_command_is_completed_and_run(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "colon", "=jum", "tab", "=payments", "enter")
        assert at_cursor(pilot) == "payments"
        await press(pilot, "colon", "=section unow", "tab", "enter")
        assert "[unowned" in bar(pilot, "sections")
        await press(pilot, "colon", "=sort name", "enter")
        first = painted(pilot).split("\n")
        assert any("IDENTITY▾" in line for line in first)
        await press(pilot, "colon", "=frobnicate", "enter")
        assert "no command frobnicate" in bar(pilot, "status")
        await press(pilot, "colon", "escape")
        assert screen_of(pilot).typing is None


async def test_keys_and_values_of_a_filter_are_completed(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "slash", "=kin", "tab")
        assert screen_of(pilot).line.value == "kind:"
        assert "service" in bar(pilot, "filter-error")
        await press(pilot, "=serv", "tab")
        assert screen_of(pilot).line.value == "kind:service "
        await press(pilot, "=owner:ja", "tab")
        assert screen_of(pilot).line.value == "kind:service owner:jane@example.com "
        await press(pilot, "enter")
        assert [r[0] for r in review.rows("SELECT name FROM listing WHERE owner LIKE 'jane%'")] == [
            "payments"
        ]
        assert at_cursor(pilot) == "payments"


async def test_sections_are_saved_filters_with_their_counts(review: Review) -> None:
    review.settings = replace(review.settings, sections={"batches": "batch-", "mine": "risk:>=1"})
    async with review.app().run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        assert f"[all {len(PLAIN) + 5}]" in bar(pilot, "sections")
        assert f"batches {len(PLAIN)}" in bar(pilot, "sections")
        await press(pilot, "shift+tab")
        assert f"[batches {len(PLAIN)}]" in bar(pilot, "sections")
        assert len(screen_of(pilot).table.rank) == len(PLAIN)
        await pilot.click("#sections", offset=(2, 0))
        await settle(pilot)
        assert len(screen_of(pilot).table.rank) == len(PLAIN) + 5
        await press(pilot, "tab", "slash", "=payments", "enter")
        assert len(screen_of(pilot).table.rank) <= 1, "a filter narrows the section"


async def test_every_column_sorts_and_the_cursor_stays_on_its_item(review: Review) -> None:
    async with review.app().run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        go_to(pilot, "payments")
        await settle(pilot)
        seen = set()
        for digit in "12345678":
            await press(pilot, "s", digit)
            seen.add(tuple(screen_of(pilot).table.rank))
            assert at_cursor(pilot) == "payments"
        await press(pilot, "s", "8")
        assert "the other way round" in bar(pilot, "status") or bar(pilot, "status")
        assert len(seen) > 3
        await pilot.click("#queue", offset=(8, 0))
        await settle(pilot)
        assert screen_of(pilot).look.order == "risk"
        await pilot.click("#queue", offset=(8, 0))
        await settle(pilot)
        assert screen_of(pilot).look.backwards
        assert at_cursor(pilot) == "payments"


async def test_columns_are_put_in_and_taken_out(review: Review) -> None:
    async with review.app().run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        await press(pilot, "c")
        assert "✓ owner" in bar(pilot, "ask-lines")
        before = {c.key for c in screen_of(pilot).table.columns}
        assert "source" not in before
        options = {w.split()[-1]: d for d, w in screen_of(pilot).ask._options}
        await press(pilot, options["use"], options["source"], "enter")
        shown = {c.key for c in screen_of(pilot).table.columns}
        assert "source" in shown
        assert "used" not in shown


async def test_read_only_refuses_every_verb_and_says_how_to_allow_them(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "a", "1", "percent_sign")
        assert "read only" in bar(pilot, "header")
        for key in "ardxtgpoARDXOTGuzZe":
            await press(pilot, key)
            assert not screen_of(pilot).ask.is_open, key
            assert "read only" in bar(pilot, "status"), key
        await press(pilot, "dollar_sign")
        assert pilot.app.screen is screen_of(pilot)
        assert len(review.drafts()) == 1
        await press(pilot, "percent_sign", "r", "3")
    assert len(review.drafts()) == 2


async def test_several_keys_and_permissions_change_in_one_decision(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert at_cursor(pilot) == "ci-deploy"
        await press(pilot, "t", "=+12", "enter", "2")
        go_to(pilot, "ci-deploy")
        await press(pilot, "g", "1", "=read only", "enter", "5")
        go_to(pilot, "ci-deploy")
        await press(pilot, "p", "=nothing such", "enter")
        assert "press the digit" in bar(pilot, "ask-lines")
        await press(pilot, "2", "1", "6")
        [(verdict, changes)] = review.rows("SELECT verdict, changes FROM draft")
        assert verdict == "approve"
        found = {(c["verb"], c["target"][-3:], c["to"]) for c in json.loads(changes)}
        assert found == {("rotate", "71X", None), ("revoke", "72X", None),
                         ("right_size", "min", "read only")}  # fmt: skip
        go_to(pilot, "ci-deploy")
        await press(pilot, "G")
        [(changes,)] = review.rows("SELECT changes FROM draft")
        assert {c["verb"] for c in json.loads(changes)} == {"rotate", "revoke"}
        await press(pilot, "T", "z")
        [(changes,)] = review.rows("SELECT changes FROM draft")
        assert {c["verb"] for c in json.loads(changes)} == {"rotate", "revoke"}


async def test_the_inverse_of_a_verb_takes_only_its_own_drafts_back(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        go_to(pilot, PLAIN[0])
        await press(pilot, "a", "1")
        go_to(pilot, PLAIN[1])
        await press(pilot, "r", "3", "asterisk", "=batch-", "enter", "semicolon", "A")
        assert review.drafts() == {PLAIN[1]: "revoke"}
        go_to(pilot, PLAIN[1])
        await press(pilot, "A")
        assert "no approve is drafted here" in bar(pilot, "status")
        await press(pilot, "R")
        assert not review.drafts()
        await press(pilot, "o", "=jane", "enter", "n", "O")
        assert not review.rows("SELECT * FROM own_draft")


async def test_a_reason_is_written_in_the_persons_editor(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "e")
        assert "decide first" in bar(pilot, "status")
        await press(pilot, "r", "3", "up")
        go_to(pilot, "ci-deploy")
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.delenv("EDITOR", raising=False)
        await press(pilot, "e")
        assert "set $EDITOR" in bar(pilot, "status")
        monkeypatch.setattr(App, "suspend", lambda _: contextlib.nullcontext())  # no terminal here
        monkeypatch.setenv("EDITOR", "sed -i -e 's/no longer used/two\\nlines/'")
        await press(pilot, "e")
    assert review.rows("SELECT reason_code, reason_text FROM draft") == [(None, "two\nlines")]


async def test_keys_are_remapped_by_id_and_clashes_are_told(review: Review) -> None:
    review.settings = replace(review.settings, keys={"approve": "E", "revok": "w", "disable": "x"})
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        told = " ".join(pilot.app.troubles())  # type: ignore[attr-defined]
        assert "keys.revok: no such id; did you mean revoke?" in told
        assert "the key x is for disable and for abstain" in told
        await press(pilot, "a")
        assert not screen_of(pilot).ask.is_open
        assert "keys.revok: no such id" in bar(pilot, "status"), "it stays until something is done"
        await press(pilot, "x", "8")
        assert list(review.drafts().values()) == ["abstain"], "who clashes keeps the old key"
        await press(pilot, "z", "E", "1")
        assert "E approve" in bar(pilot, "keys")
    assert list(review.drafts().values()) == ["approve"]


async def test_an_owner_is_named_for_all_that_is_marked(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "asterisk", "=batch-", "enter", "semicolon", "o", "=jane", "enter")
        assert f"of {len(PLAIN)} items" in bar(pilot, "ask-lines")
        assert "jane@example.com decide them" in bar(pilot, "ask-lines")
        await press(pilot, "y")
        assert f"owner jane of {len(PLAIN)} items" in bar(pilot, "ask-lines")
        assert not review.rows("SELECT * FROM own_draft"), "the number is asked for first"
        await press(pilot, f"={len(PLAIN)}", "enter")
        drafts = review.rows("SELECT owner, reassign, count(*) FROM own_draft GROUP BY 1, 2")
        assert drafts == [("jane", 1, len(PLAIN))]
        assert review.drafts() == dict.fromkeys(PLAIN, "abstain")
        await press(pilot, "z")
    assert not review.rows("SELECT * FROM own_draft")
    assert not review.drafts()


async def test_what_the_settings_forbid_no_key_allows(review: Review) -> None:
    review.settings = replace(review.settings, read_only=True)
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "percent_sign", "a")
        assert not screen_of(pilot).ask.is_open
        assert "read only" in bar(pilot, "header")


async def test_for_a_screen_reader_all_is_words_below_each_other(review: Review) -> None:
    review.settings = replace(review.settings, screen_reader=True)
    async with review.app().run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        screen = screen_of(pilot)
        assert screen.pane.region.x == 0, "the evidence is below the queue, however wide it is"
        assert "github.com/example-org/shop" in painted(pilot)
        assert "!" in painted(pilot), "what should be looked at is marked"
        await press(pilot, "r", "3")
        assert not set(painted(pilot)) & set("◀─│▕█░▏┃▾▴")
        y = screen.table.region.y + 1 + screen.table.cursor - screen.table.top
        assert pilot.app.cursor_position == (0, y)


async def test_only_reasons_for_the_verb_are_offered_and_taken(review: Review) -> None:
    async with review.app().run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "r")
        assert "in use" not in bar(pilot, "ask-lines")
        assert "3 no longer used" in bar(pilot, "ask-lines")
        await press(pilot, "1")
        assert "1 is not offered here: 3–7" in bar(pilot, "ask-lines")
        await press(pilot, "enter")
        assert "“in use, owner confirmed” is no reason to revoke" in bar(pilot, "ask-lines")
        assert not review.drafts()
        await press(pilot, "escape", "a")
        assert "no longer used" not in bar(pilot, "ask-lines")
        await press(pilot, "1")
    assert list(review.drafts().values()) == ["approve"]
