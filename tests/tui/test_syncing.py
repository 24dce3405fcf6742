"""The sync beside the screen: what the first line says of it, and that nothing waits for it."""

import threading
from dataclasses import replace

import pytest

pytest.importorskip("starlette", reason="passmuster[server] is not installed")

from passmuster import campaigns, sync, tlog
from passmuster.config import Settings
from passmuster.errors import KeyUnavailable
from passmuster.tui import syncing
from tests.sync.town import Town
from tests.tui.central import LONG_S, Seat, evidence, header, listing, reading, until
from tests.tui.conftest import Review, bar, painted, press, settle

SIZE = (120, 40)
SYNCED = "synced 08:00 UTC"


def lines(at: Town) -> int:
    """How many records the server has."""
    return len(at.server.lines)


async def decide(pilot: object, verdict: str = "a") -> None:
    """Decide the item under the cursor and sign."""
    await press(pilot, verdict, "=seen with its owner", "enter")  # type: ignore[arg-type]


async def sign(pilot: object) -> None:
    await press(pilot, "dollar_sign", "s")  # type: ignore[arg-type]


async def test_without_a_central_log_nothing_is_said_of_it_and_s_says_how_to_get_one(
    review: Review,
) -> None:
    async with review.app().run_test(size=SIZE) as pilot:
        await settle(pilot)
        assert "sync" not in header(pilot)
        await press(pilot, "S")
        assert "no central log" in bar(pilot, "status")
        assert "invitation" in bar(pilot, "status")


async def test_it_syncs_when_it_has_begun_and_says_when(seat: Seat) -> None:
    seat.town.boss.says("hello")
    seat.town.boss.sync()
    async with seat.app().run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "hello" in seat.town.rev.words)
        await until(pilot, lambda: header(pilot).endswith(SYNCED))
        await press(pilot, "b")
        assert header(pilot).endswith(SYNCED)  # on every list


async def test_the_log_says_of_each_entry_whether_the_central_log_has_it(seat: Seat) -> None:
    async with seat.app().run_test(size=SIZE) as pilot:
        await until(pilot, lambda: header(pilot).endswith(SYNCED))
        await press(pilot, "l")
        assert "no central log" not in painted(pilot)
        with reading(seat.desk.folder) as db:
            newest = db.value("SELECT max(id) FROM entry")
            index = tlog.central_index_of(db, newest)
        await until(pilot, lambda: f"in the central log, as number {index}" in painted(pilot))


async def test_what_is_signed_is_sent_with_the_key_that_signed_and_nobody_is_asked_again(
    seat: Seat,
) -> None:
    seat.passphrase = b"open"
    before = lines(seat.town)
    async with seat.app().run_test(size=SIZE) as pilot:
        await settle(pilot)
        await decide(pilot)
        await press(pilot, "dollar_sign")
        await pilot.press("s")
        while pilot.app.screen.typing is None:  # type: ignore[attr-defined]
            await pilot.pause(0.02)
        await press(pilot, "=open", "enter")
        await until(pilot, lambda: lines(seat.town) == before + 1)
        await press(pilot, "escape")
        await until(pilot, lambda: header(pilot).endswith(SYNCED))
    assert seat.asked == 1


async def test_a_key_that_would_ask_is_not_used_until_a_person_starts_the_sync(seat: Seat) -> None:
    seat.passphrase = b"open"
    seat.desk.says("by hand")
    before = lines(seat.town)
    async with seat.app().run_test(size=SIZE) as pilot:
        await until(pilot, lambda: header(pilot).endswith("1 waiting S sends"))
        assert (lines(seat.town), seat.asked) == (before, 0)
        await press(pilot, "S")
        await until(pilot, lambda: listing(pilot).ask.is_open)
        assert "passphrase" in painted(pilot)
        await press(pilot, "=open", "enter")
        await until(pilot, lambda: header(pilot).endswith(SYNCED))
        assert "1 record sent" in bar(pilot, "status")
        assert (lines(seat.town), seat.asked) == (before + 1, 1)
        seat.desk.says("again")
        await press(pilot, "S")  # the session is open still
        await until(pilot, lambda: lines(seat.town) == before + 2)
        assert seat.asked == 1


async def test_esc_at_the_passphrase_leaves_it_for_later(seat: Seat) -> None:
    seat.passphrase = b"open"
    seat.desk.says("by hand")
    async with seat.app().run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "S sends" in header(pilot))
        await press(pilot, "S")
        await until(pilot, lambda: listing(pilot).ask.is_open)
        await press(pilot, "escape")
        await until(pilot, lambda: "1 waiting" in header(pilot))
        assert not listing(pilot).ask.is_open


async def test_a_question_of_the_key_takes_nothing_from_an_answer_that_is_being_typed(
    seat: Seat,
) -> None:
    seat.passphrase = b"open"
    seat.desk.says("by hand")
    typing = threading.Event()
    async with seat.app().run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "S sends" in header(pilot))
        seat.desk.wire.fate = lambda *_: "ok" if typing.wait(LONG_S) else "no_request"
        await press(pilot, "S", "r", "=my own words")
        typing.set()
        await until(pilot, lambda: "S again" in bar(pilot, "status"))
        assert "my own words" in painted(pilot)
        await press(pilot, "enter")
        with reading(seat.desk.folder) as db:
            assert db.value("SELECT reason_text FROM draft") == "my own words"


async def test_without_a_network_it_says_since_when_and_how_much_waits(seat: Seat) -> None:
    seat.desk.wire.fate = lambda *_: "no_request"
    async with seat.app().run_test(size=SIZE) as pilot:
        await until(pilot, lambda: header(pilot).endswith("offline since 08:00 UTC"))
        await decide(pilot)
        await sign(pilot)
        await press(pilot, "escape")
        await until(pilot, lambda: header(pilot).endswith("offline since 08:00 UTC, 1 waiting"))
        with reading(seat.desk.folder) as db:
            assert sync.state(db).words.startswith("offline since 2026-11-23T08:00:00Z, 1 record")
        seat.desk.wire.fate = lambda *_: "ok"
        await press(pilot, "S")
        await until(pilot, lambda: header(pilot).endswith(SYNCED))


async def test_a_sync_that_hangs_holds_up_no_decision_and_no_signature(seat: Seat) -> None:
    hangs, goes_on = threading.Event(), threading.Event()

    def fate(_method: str, path: str) -> str:
        if path == "/v1/records":
            hangs.set()
            goes_on.wait()
        return "ok"

    seat.desk.says("one")
    seat.desk.wire.fate = fate
    try:
        async with seat.app().run_test(size=SIZE) as pilot:
            await until(pilot, hangs.is_set)
            assert header(pilot).endswith("syncing 0/1")
            await decide(pilot)
            await sign(pilot)
            await press(pilot, "escape")
            with reading(seat.desk.folder) as db:
                assert db.value("SELECT count(*) FROM decision") == 1
            goes_on.set()
            await until(pilot, lambda: header(pilot).endswith(SYNCED))
    finally:
        goes_on.set()


async def test_a_read_only_workstation_sends_and_takes_nothing(seat: Seat) -> None:
    seat.desk.says("one")
    seat.settings = replace(seat.settings, read_only=True)
    seat.desk.wire.log.clear()
    async with seat.app().run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "1 waiting" in header(pilot))
        await press(pilot, "S")
        assert "read only" in bar(pilot, "status")
    assert seat.desk.wire.log == []


# --- `u` before it is sent


async def test_u_brings_back_what_is_not_sent_and_both_statements_go(seat: Seat) -> None:
    seat.settings = Settings(sync_hold_s=3600)
    before = lines(seat.town)
    async with seat.app().run_test(size=SIZE) as pilot:
        await until(pilot, lambda: SYNCED in header(pilot))
        name = listing(pilot).table.rank[0]
        await decide(pilot)
        await sign(pilot)
        await press(pilot, "escape")
        await until(pilot, lambda: "1 waiting" in header(pilot))
        listing(pilot).table.go_to_id(name)
        await settle(pilot)
        await press(pilot, "u")
        assert "a draft again" in bar(pilot, "status")
        assert "stays in the log" in bar(pilot, "status")
        with reading(seat.desk.folder) as db:
            assert db.value("SELECT verdict FROM draft") == "approve"
            assert db.value("SELECT count(*) FROM decision") == 1
        assert lines(seat.town) == before
        seat.town.clock.seconds += 60
        await press(pilot, "r", "=it is not needed", "enter")
        await sign(pilot)
        await press(pilot, "escape", "S")
        await until(pilot, lambda: lines(seat.town) == before + 2)
    seat.town.boss.sync()
    at = campaigns.campaign(seat.town.boss.db)
    found = [o.effect for o in campaigns.outcomes_of(seat.town.boss.db, at).values()]
    assert sorted(found) == ["no_response", "no_response", "stops"]  # and nothing is contested


async def test_u_after_it_was_sent_says_that_it_is_decided_anew(seat: Seat) -> None:
    async with seat.app().run_test(size=SIZE) as pilot:
        await settle(pilot)
        name = listing(pilot).table.rank[0]
        await decide(pilot)
        await sign(pilot)
        await press(pilot, "escape")
        await until(pilot, lambda: SYNCED in header(pilot) and tlog.unsent(seat.desk.db) == 0)
        listing(pilot).table.go_to_id(name)
        await settle(pilot)
        await press(pilot, "u")
        assert "signed and sent" in bar(pilot, "status")
        with reading(seat.desk.folder) as db:
            assert db.value("SELECT count(*) FROM draft") == 0


# --- what came from somebody else


async def test_a_campaign_of_somebody_else_says_whose_it_is_everywhere(seat: Seat) -> None:
    async with seat.app().run_test(size=(160, 48)) as pilot:
        await until(pilot, lambda: SYNCED in header(pilot))
        assert "from boss@example.com" in header(pilot)
        assert "from the snapshot of 2026-11-23, as boss@example.com froze it" in evidence(pilot)
        await press(pilot, "b")
        await until(pilot, lambda: "your part: 0 of 2 signed" in evidence(pilot))
        assert "3 items, 1 of them other people's; nothing signed yet" in evidence(pilot)
        assert "boss@example.com has the whole" in evidence(pilot)


async def test_the_owner_of_a_campaign_is_told_nothing_of_a_snapshot(seat: Seat) -> None:
    seat.who = "boss@example.com"
    async with seat.app().run_test(size=(160, 48)) as pilot:
        await until(pilot, lambda: SYNCED in header(pilot))
        assert "snapshot" not in evidence(pilot)
        assert "from boss" not in header(pilot)
        await press(pilot, "b")
        await until(pilot, lambda: "0 of 3 signed" in evidence(pilot))
        assert "your part" not in evidence(pilot)


def test_a_key_that_has_something_to_ask_is_refused_to_the_sync() -> None:
    for ask in (lambda: syncing.silent().ask("passphrase"), lambda: syncing.silent().tell("touch")):
        with pytest.raises(KeyUnavailable, match="nobody was asked"):
            ask()
