"""The place for what needs a person: refused, contested, stale, halted; and that all is well."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="passmuster[server] is not installed")

from passmuster import campaigns, inventory, keys, sync, tlog
from passmuster.model import Attention, Draft
from passmuster.tui import need_lines, needs
from passmuster.tui.screens.attention import AttentionScreen
from passmuster.tui.screens.review import ReviewScreen
from tests.estates import report
from tests.sync.town import AT, BOSS, REV, Desk, Town, joined
from tests.tui.central import OWNERS, Seat, evidence, header, listing, reading, until
from tests.tui.conftest import Review, bar, painted, press, settle

LATER = "2026-11-24T08:00:00Z"
SIZES = [(80, 24), (160, 48)]


def refused(desk: Desk) -> None:
    """Sign something, and keep that the server refused it, as a sync does."""
    desk.says("one")
    with desk.db.atomic():
        entry = desk.db.value("SELECT max(id) FROM entry")
        tlog.reject(desk.db, entry, "not-listed", "the roster does not list\x1b[2J this key", AT)


def decided(desk: Desk, name: str, verdict: str, reason: str, now: str = AT) -> None:
    """Draft and sign one decision at a desk."""
    at = campaigns.campaign(desk.db)
    item = campaigns.find_item(desk.db, at.id, name)
    draft = Draft(verdict, None, reason, Attention(None, now, False))  # type: ignore[arg-type]
    campaigns.save_draft(desk.db, item, draft, now)
    campaigns.sign_off(desk.db, campaigns.prepare(desk.db, at.id, desk.me), desk.key, now)


def contest(town: Town) -> Desk:
    """Two devices of the reviewer decide one item differently; the second one."""
    rev = town.rev
    other = joined(town, "second", keys.in_memory(REV), "reviewer")
    rev.sync()
    decided(rev, "deploy", "approve", "in use by the shop")
    decided(other, "deploy", "revoke", "nobody uses it")
    return other


def here(pilot: Any) -> AttentionScreen:
    found = pilot.app.screen
    assert isinstance(found, AttentionScreen)
    return found


@pytest.mark.parametrize("size", SIZES)
async def test_when_all_is_well_it_says_so_and_how_one_knows(
    seat: Seat, size: tuple[int, int]
) -> None:
    async with seat.app().run_test(size=size) as pilot:
        await until(pilot, lambda: "synced" in header(pilot))
        await press(pilot, "h")
        assert isinstance(pilot.app.screen, AttentionScreen)
        assert "all is well: nothing needs you" in painted(pilot)
        assert f"The central log: synced {AT}" in painted(pilot)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, ReviewScreen)


async def test_a_workspace_without_a_central_log_has_the_place_too(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await press(pilot, "h")
        assert "all is well" in painted(pilot)
        assert "no central log" in painted(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_refused_is_shown_with_its_reason_and_offered_again(
    seat: Seat, size: tuple[int, int]
) -> None:
    refused(seat.desk)
    async with seat.app().run_test(size=size) as pilot:
        await until(pilot, lambda: "needs attention (1)" in header(pilot))
        with reading(seat.desk.folder) as db:
            assert sync.state(db).words == "needs attention (1): 1 record refused"
        await pilot.click("#header", offset=(size[0] - 4, 0))
        await settle(pilot)
        assert "the roster does not list" in evidence(pilot)
        assert "\x1b" not in painted(pilot)
        assert "Ask a registrar to put your key" in evidence(pilot)
        assert "kept here, and unchanged" in evidence(pilot)
        before = len(seat.town.server.lines)
        await press(pilot, "enter")
        await until(pilot, lambda: "synced" in header(pilot))
        assert len(seat.town.server.lines) == before + 1
        await until(pilot, lambda: "all is well" in painted(pilot))


@pytest.mark.parametrize("size", SIZES)
async def test_a_halted_sync_shows_both_checkpoints_and_what_to_do_and_work_goes_on(
    seat: Seat, size: tuple[int, int]
) -> None:
    backup = seat.town.server.backup()
    seat.desk.says("one")
    seat.desk.sync()
    with seat.town.server.stopped():
        seat.town.server.put_back(backup)
    seat.settings = replace(seat.settings, clipboard="file")
    async with seat.app().run_test(size=size) as pilot:
        await until(pilot, lambda: "sync halted" in header(pilot))
        with reading(seat.desk.folder) as db:
            assert sync.state(db).words.startswith("sync halted: ")
            [halt] = tlog.halts(db)
        await press(pilot, "h")
        said = evidence(pilot)
        assert "it was set back" in said
        assert "decide and sign as ever" in said
        assert "Tell whoever runs http://127.0.0.1:8470" in said
        assert "--accept-recovery PIN" in said
        assert "verified here: 6 entries" in said
        assert "shown then: 5 entries" in said
        assert need_lines.evidence(halt.__class__(*halt)).count("— ") == 2
        await press(pilot, "y")
        assert "both checkpoints" in painted(pilot)
        await press(pilot, "escape", "a", "=seen", "enter", "dollar_sign", "s", "escape")
        await until(pilot, lambda: "sync halted, 1 waiting" in header(pilot))


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_contested_shows_both_decisions_and_is_ended_by_a_verb(
    seat: Seat, size: tuple[int, int]
) -> None:
    other = contest(seat.town)
    seat.desk.sync()
    other.sync()
    async with seat.app().run_test(size=size) as pilot:
        await until(pilot, lambda: "needs attention (1)" in header(pilot))
        with reading(seat.desk.folder) as db:
            assert sync.state(db).words == "needs attention (1): 1 item contested"
        await press(pilot, "h")
        said = evidence(pilot)
        assert "decided differently on two devices" in said
        assert "no approval stands and nothing is carried out" in said
        for words in ("approved", "revoked", "in use by the shop", "nobody uses it"):
            assert words in said
        assert said.count("had seen none of these") == 2
        seat.town.clock.seconds += 3600
        await press(pilot, "r")
        assert isinstance(pilot.app.screen, ReviewScreen)
        await press(pilot, "=asked both: not needed", "enter", "dollar_sign", "s", "escape")
        await until(pilot, lambda: "synced" in header(pilot))
        await press(pilot, "h")
        assert "all is well" in painted(pilot)
    seat.town.boss.sync()
    at = campaigns.campaign(seat.town.boss.db)
    effects = sorted(o.effect for o in campaigns.outcomes_of(seat.town.boss.db, at).values())
    assert effects == ["no_response", "no_response", "stops"]


async def test_somebody_elses_contested_item_is_not_decided_from_here(seat: Seat) -> None:
    other = contest(seat.town)
    seat.desk.sync()
    other.sync()
    seat.who = BOSS
    async with seat.app().run_test(size=(160, 48)) as pilot:
        await until(pilot, lambda: "needs attention (1)" in header(pilot))
        await press(pilot, "h")
        assert f"{REV} is to decide it again" in evidence(pilot)
        await press(pilot, "a")
        assert isinstance(pilot.app.screen, AttentionScreen)
        assert "'s to decide" in bar(pilot, "status")


async def test_a_stale_approval_says_what_changed(seat: Seat, tmp_path: Path) -> None:
    boss = seat.town.boss
    decided(boss, "mail", "approve", "in use")
    csv = tmp_path / "credential-report.csv"
    csv.write_text(report(*OWNERS, key_active="false"))
    inventory.import_file(boss.db, csv, now=LATER, by=BOSS)
    seat.who = BOSS
    async with seat.app().run_test(size=(160, 48)) as pilot:
        await press(pilot, "h")
        await until(pilot, lambda: listing(pilot).table.rank and listing(pilot).whole)
        assert "Changed at its source since" in evidence(pilot)
        assert "approved" in evidence(pilot)
        assert here(pilot).counts["stale"] == 1


async def test_what_is_stale_is_listed_also_where_the_list_is_read_before_it_is_counted(
    seat: Seat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = seat.town.boss
    decided(boss, "mail", "approve", "in use")
    csv = tmp_path / "credential-report.csv"
    csv.write_text(report(*OWNERS, key_active="false"))
    inventory.import_file(boss.db, csv, now=LATER, by=BOSS)
    seat.who = BOSS
    monkeypatch.setattr(AttentionScreen, "read_counts", lambda *_: {})  # it comes too late
    async with seat.app().run_test(size=(160, 48)) as pilot:
        await press(pilot, "h")
        await until(pilot, lambda: listing(pilot).whole)
        assert len(listing(pilot).table.rank) == 1
        assert "Changed at its source since" in evidence(pilot)


def test_every_reason_that_a_server_has_is_told_with_what_to_do() -> None:
    from passmuster.central import PROBLEMS
    from passmuster.tlog import Rejected

    for code, words in PROBLEMS.items():
        need = needs.Need("refused", code, "decisions", REV, AT,
                          Rejected(1, "decisions", "ab" * 32, code, words, AT))  # fmt: skip
        told = need_lines.lines(need, "https://x.example", REV, AT, 60)
        said = " ".join("".join(span.text for span in line) for line in told)
        assert code in said
        assert "→" in said
        assert all(sum(len(s.text) for s in line) <= 60 for line in told), code
