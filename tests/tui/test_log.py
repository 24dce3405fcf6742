"""The log on the screen: what was signed, whether it holds, and that nothing is pretended."""

from typing import Any

import pytest
from textual.pilot import Pilot

from passmuster import attestations, campaigns, store, tlog
from passmuster.attestations import Link
from passmuster.model import Attention, Draft
from passmuster.text import sha256
from passmuster.tui import log_lines
from passmuster.tui.lines import plain, width_of
from passmuster.tui.log_lines import Read
from passmuster.tui.screens.log import LogScreen
from passmuster.tui.widgets.line_view import LineView
from tests.scene import key
from tests.test_golden import GOLDEN
from tests.tui.conftest import HOSTILE, ME, NOW, Review, bar, painted, press, settle

EVIL = "e\x1b]0;owned\x07[/]vil@example.com"


def decide(review: Review, verdict: str, names: list[str], reason: str = "gone") -> None:
    db = store.open_(review.folder)
    seen = Attention(None, NOW, False)
    for row in campaigns.rows(db, campaigns.rank(db, review.campaign.id, ME)):
        if row.display_name in names:
            campaigns.save_draft(db, row.id, Draft(verdict, None, reason, seen), NOW)  # type: ignore[arg-type]
    db.close()


def sign(review: Review) -> None:
    db = store.open_(review.folder)
    batch = campaigns.prepare(db, review.campaign.id, ME)
    campaigns.sign_off(db, batch, review.key, NOW)
    db.close()


@pytest.fixture
def signed(review: Review) -> Review:
    """A key, a campaign, a batch of three with the hostile one, an owner."""
    shown = next(n for (n,) in review.rows("SELECT display_name FROM identity") if "evil" in n)
    decide(review, "revoke", [shown], "it is [/]evil\x1b[2J")
    decide(review, "approve", ["payments", "batch-01"])
    sign(review)
    db = store.open_(review.folder)
    item = campaigns.rank(db, review.campaign.id, ME)[0]
    campaigns.save_own(db, [item], "jane@example.com", "asked her", NOW)
    db.close()
    sign(review)
    return review


async def log(pilot: Pilot[None], *keys: str) -> LogScreen:
    await settle(pilot)
    await press(pilot, "l", *keys)
    assert isinstance(pilot.app.screen, LogScreen)
    return pilot.app.screen


def said(pilot: Pilot[None]) -> str:
    return " ".join(painted(pilot).replace("│", " ").split())


async def test_the_newest_entry_comes_first_and_is_told_in_words(signed: Review) -> None:
    async with signed.app().run_test(size=(160, 48)) as pilot:
        screen = await log(pilot)
        assert list(screen.table.rank) == [4, 3, 2, 1]
        assert "[all 4] decisions 1 owners 1 campaigns 1 keys 1" in said(pilot)
        assert "no central log is configured: every entry is kept here" in bar(pilot, "header")
        assert f"{ME} named the owner of 1 item in November service accounts" in said(pilot)
        assert "jane@example.com for muster:aws" in said(pilot)
        await press(pilot, "j")
        assert f"{ME} signed 3 decisions in November service accounts" in said(pilot)
        assert "2 approve, 1 revoke" in said(pilot)
        assert f"verified: signed with the key that {ME} enrolled; it follows" in said(pilot)
        assert signed.key.fingerprint in said(pilot)
        assert "not sent: no central log is configured, so it is kept here" in said(pilot)
        await press(pilot, "j")
        assert "opened November service accounts: 13 items to decide" in said(pilot)
        await press(pilot, "j")
        assert f"{ME} signs with the key {signed.key.fingerprint}" in said(pilot)
        assert "it is the first of its device" in said(pilot)


async def test_the_riskiest_row_of_a_batch_comes_first_and_hostile_names_are_text(
    signed: Review,
) -> None:
    async with signed.app().run_test(size=(200, 60)) as pilot:
        await log(pilot, "j")
        text = painted(pilot)
        assert "\x1b" not in text
        assert "evil\\x1b]52" in text
        rows = [line for line in text.split("\n") if "gone" in line or "it is [/]" in line]
        assert len(rows) == 3
        assert HOSTILE not in text


async def test_an_entry_that_does_not_hold_says_so_in_words(signed: Review) -> None:
    db = store.open_(signed.folder)
    with db.atomic():
        db.execute("DROP TRIGGER entry_is_final")
        db.execute("UPDATE entry SET envelope = (SELECT envelope FROM entry WHERE id = 2)"
                   " WHERE id = 4")  # fmt: skip
    db.close()
    async with signed.app().run_test(size=(120, 40)) as pilot:
        await log(pilot)
        assert "NOT VERIFIED: " in said(pilot)
        assert "verified: signed" not in said(pilot)
        await press(pilot, "j")
        assert "verified: signed" in said(pilot)


async def test_bytes_that_are_no_statement_do_not_end_the_screen(signed: Review) -> None:
    db = store.open_(signed.folder)
    with db.atomic():
        db.execute("DROP TRIGGER entry_is_final")
        db.execute("UPDATE entry SET envelope = x'ff00' WHERE id IN (3, 4)")
    db.close()
    async with signed.app().run_test(size=(80, 24)) as pilot:
        await log(pilot)
        assert "This entry cannot be read" in said(pilot)
        assert "NOT VERIFIED" in said(pilot)


def statement(kind: str, body: dict[str, Any], signed_at: str = NOW) -> Read:
    """An entry of *kind* with any body, well signed."""
    one = key(ME, 5)
    payload = attestations.statement(kind, {"x": sha256(b"x")}, body, Link("d" * 32, 1, None),
                                     signed_at, EVIL)  # fmt: skip
    found = attestations.unchecked(attestations.sign(payload, one))
    row = tlog.LogRow(1, 1, kind, EVIL, None, found.name, NOW, None)
    return Read(row, tlog.Found(found, ME, ""))


@pytest.mark.parametrize("kind", attestations.PREDICATES)
@pytest.mark.parametrize("body", [
    {}, {"count": "x", "outcomes": [], "population": 1, "stages": [], "scope": None},
], ids=["empty", "odd"])  # fmt: skip
@pytest.mark.parametrize("signed_at", [NOW, "yesterday"])
def test_whatever_is_signed_can_be_shown_and_is_text(
    kind: str, body: dict[str, Any], signed_at: str
) -> None:
    rows = log_lines.lines(statement(kind, body, signed_at), NOW, 60)
    text = "\n".join(plain(row) for row in rows)
    assert "\x1b" not in text
    assert "verified" in text
    assert all(width_of(row) <= 60 for row in rows)


async def test_the_filter_takes_words_and_points_at_a_qualifier(signed: Review) -> None:
    async with signed.app().run_test(size=(120, 40)) as pilot:
        screen = await log(pilot, "slash", "=decis")
        assert list(screen.table.rank) == [3]
        await press(pilot, "tab")
        assert screen.line.value == "decisions "
        await press(pilot, "enter", "escape")
        assert len(screen.table.rank) == 4
        await press(pilot, "slash", "=owner:none")
        assert "the log knows words only, not owner: (in quotes it is text)" in said(pilot)
        assert len(screen.table.rank) == 4, "what is wrong filters nothing"
        await press(pilot, "enter")
        assert screen.typed_line is not None, "and is not kept"


async def test_sections_order_mouse_and_back(signed: Review) -> None:
    async with signed.app().run_test(size=(120, 40)) as pilot:
        screen = await log(pilot, "tab")
        assert list(screen.table.rank) == [3]
        await press(pilot, "shift+tab", "s")
        assert list(screen.table.rank) == [1, 2, 3, 4]
        assert "4 entries, oldest first" in bar(pilot, "status")
        await pilot.click("#queue", offset=(10, 3))
        assert screen.table.cursor_id == 3
        await press(pilot, "b", "l", "q")
        assert len(pilot.app.screen_stack) == 2


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 12)])
async def test_every_size_shows_the_log_and_what_to_press(
    signed: Review, size: tuple[int, int]
) -> None:
    async with signed.app().run_test(size=size) as pilot:
        await log(pilot, "j")
        text = painted(pilot)
        assert "> " in text
        assert "decisions" in text
        assert "? more" in text
        for widget in pilot.app.screen.walk_children(LineView):
            if widget.size.area:
                widths = {s.cell_length for s in widget.render_lines(widget.size.region)}
                assert widths == {widget.size.width}


async def test_what_is_signed_elsewhere_comes_on_top_and_the_cursor_stays(
    signed: Review,
) -> None:
    async with signed.app().run_test(size=(120, 40)) as pilot:
        screen = await log(pilot, "j")
        decide(signed, "approve", ["batch-02"])
        sign(signed)
        screen.look_for_changes()
        await settle(pilot)
        assert list(screen.table.rank) == [5, 4, 3, 2, 1]
        assert screen.table.cursor_id == 3


@pytest.mark.parametrize("kind", [
    "campaign", "close", "countersign", "decisions", "enrolment", "own", "publication", "roster",
])  # fmt: skip
def test_every_kind_that_is_signed_is_told_in_a_sentence_of_its_own(kind: str) -> None:
    said = attestations.unchecked((GOLDEN / f"{kind}.dsse.json").read_bytes().strip())
    row = tlog.LogRow(1, 1, kind, ME, "Autumn", said.name, NOW, 1)
    first = "".join(map(plain, log_lines.lines(Read(row, tlog.Found(said, ME, "")), NOW, 200)[:1]))
    assert "another kind" not in first
    assert "cannot be put in words" not in first
    assert first.startswith(str(said.predicate["principal"]))
