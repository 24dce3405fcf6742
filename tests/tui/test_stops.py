"""The stops as a place: planned, stopped, seen to be refused and put back, on a real server."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from passmuster import campaigns, remediation, tlog
from passmuster.config import Settings
from passmuster.errors import WrongPassphrase
from passmuster.keys import Passphrase, SigningKey
from passmuster.model import Change
from passmuster.tui.app import MusterApp
from passmuster.tui.desk import Desk
from passmuster.tui.screens.signed import SignedScreen
from passmuster.tui.screens.stops import StopsScreen
from tests.remediation.conftest import SOURCE, Estate, estate, toy
from tests.terminal import PATIENCE_S
from tests.tui.conftest import ME, NOW, bar, painted, press, settle
from tests.tui.test_places import here, listed, pane

__all__ = ["estate", "toy"]
STOP = ("exclamation_mark", "=vc-a", "enter")


@pytest.fixture
def desk(estate: Estate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    """Of somebody who is logged in at the toy, and signed that svc-a is to be revoked."""
    tool = tmp_path / "bin" / "toy"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\necho {estate.toy.token}\n")
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    settings = Settings(me=ME, sources={SOURCE: {"endpoint": estate.toy.url}})
    key = estate.rev
    return Desk(estate.db.path.parent, ME, lambda _: key, settings, estate.clock, key.fingerprint)


def decided(estate: Estate, *changes: Change) -> None:
    at = estate.opened()
    estate.decide(at, "svc-a", "revoke")
    estate.decide(at, "svc-b", "approve", changes=changes)
    estate.sign_off(at)


async def test_an_approval_whose_day_is_past_is_a_stop_here_too(estate: Estate, desk: Desk) -> None:
    at = estate.opened()
    estate.decide(at, "svc-a", "approve", until="2026-11-24T12:00:00Z")
    estate.sign_off(at)
    async with MusterApp(desk, None).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "C")
        assert "signed decisions ask for 1 stop, and none is planned yet" in painted(pilot)
        await press(pilot, "p")
        words = " ".join(pane(pilot).split())
        assert "its approval ended with 2026-11-24" in words
        assert "approve until 2026-11-24" in words and "toy disable svc-a" in words
        await press(pilot, *STOP)
        assert listed(pilot, "state") == ["verified: refused"]
    assert not estate.toy.objects["svc-a"]["enabled"]


async def until(pilot: Pilot[None], so: Callable[[], bool]) -> None:
    """Wait for something while a thread waits for a person."""
    ends = time.monotonic() + PATIENCE_S
    while not so():
        assert time.monotonic() < ends, painted(pilot)
        await pilot.pause()


def said(pilot: Pilot[None]) -> str:
    """What the message line has, as if it were one line."""
    return " ".join((bar(pilot, "rule") + bar(pilot, "status")).split())


@pytest.mark.parametrize("no_color", [False, True])
async def test_from_the_key_to_refused_and_back_again(
    estate: Estate, desk: Desk, monkeypatch: pytest.MonkeyPatch, no_color: bool
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    decided(estate)
    before = dict(estate.toy.objects["svc-a"])
    async with MusterApp(desk, None).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "C")
        assert "signed decisions ask for 1 stop, and none is planned yet" in painted(pilot)
        await press(pilot, "p")
        assert listed(pilot, "state") == ["planned"]
        assert not estate.toy.writes
        for words in ("disable svc-a", "rev@example.com: revoke", "“says so”", "toy disable svc-a",
                      "toy enable svc-a", "R1: a flag", "open sessions, up to an hour",
                      "Autumn"):  # fmt: skip
            assert words in pane(pilot), words
        await press(pilot, "y")
        assert "the vendor's lines: " in said(pilot)
        await press(pilot, "exclamation_mark", "=nope", "enter")
        assert "not the last 4 signs of svc-a" in painted(pilot)
        await press(pilot, "escape")
        assert not estate.toy.writes
        await press(pilot, *STOP)
        assert listed(pilot, "state") == ["verified: refused"]
        assert "the login was answered with 401" in said(pilot)
        for words in ("how far verified: refused said the login was answered",
                      "verified: refused; statement"):  # fmt: skip
            assert words in pane(pilot), words
        assert "! stop it" not in bar(pilot, "keys")
        await press(pilot, "exclamation_mark")
        assert "it is verified already" in said(pilot)
        await press(pilot, "u", "n", "enter")
        assert "y lets it in again" in painted(pilot)
        await press(pilot, "escape", "u", "y")
        assert listed(pilot, "state") == ["reverted"]
    assert estate.toy.objects["svc-a"] == before
    assert tlog.check(estate.db)
    assert [e.kind for e in tlog.entries(estate.db)][-2:] == ["remediation", "remediation"]
    assert not estate.db.value("SELECT 1 FROM remediation_result WHERE entry_id IS NULL")


async def test_each_key_says_why_it_cannot_be_used(estate: Estate, desk: Desk) -> None:
    decided(estate, Change("rotate", "svc-b-k1", by="2026-11-24"))
    async with MusterApp(desk, None).run_test(size=(160, 48)) as pilot:
        await settle(pilot)
        await press(pilot, "C", "percent_sign")
        for key, done in (("p", "planned"), ("exclamation_mark", "stopped"), ("v", "signed"),
                          ("u", "put back")):  # fmt: skip
            await press(pilot, key)
            assert f"read only: nothing is {done}" in said(pilot)
        await press(pilot, "percent_sign", "v")
        assert "there is no stop here" in said(pilot)
        await press(pilot, "p")
        screen = here(pilot)
        assert [screen.read_rows([i])[i].cells["due"] for i in screen.table.rank] == [
            "2026-11-24 ◀", "",
        ], "what is overdue first"  # fmt: skip
        await press(pilot, "exclamation_mark")
        assert "a task for people" in said(pilot)
        await press(pilot, "j", "v")
        assert "it is planned: only what muster applied can be asked for" in said(pilot)
        await press(pilot, "u")
        assert "there is nothing to put back" in said(pilot)
    assert not estate.toy.writes


async def test_what_was_decided_otherwise_and_what_is_held_up_is_not_stopped(
    estate: Estate, desk: Desk
) -> None:
    decided(estate)
    tight = replace(desk, settings=replace(desk.settings, stop_most=0))
    async with MusterApp(tight, None).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "C", "p", "exclamation_mark")
        await settle(pilot)
        assert "held up: 1 identity in one run" in said(pilot)
        assert "--all-of-them 1" in said(pilot)
    estate.ticks += 60
    again = estate.opened("Winter")
    estate.decide(again, "svc-a", "approve")
    estate.sign_off(again)
    async with MusterApp(desk, None).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "C", "exclamation_mark")
        await settle(pilot)
        assert "it was decided otherwise since" in said(pilot)
    assert not estate.toy.writes


async def test_the_passphrase_is_asked_once_and_going_back_stops_nothing(
    estate: Estate, desk: Desk
) -> None:
    asked: list[bytes] = []

    def signer(ask: Passphrase) -> SigningKey:
        asked.append(ask())
        if asked[-1] != b"sesame":
            raise WrongPassphrase("the passphrase does not open the key file")
        return estate.rev

    decided(estate)
    async with MusterApp(replace(desk, signer=signer), None).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "C", "p", *STOP[:2])
        for typed in ("enter", "escape"):
            await pilot.press(typed)
            await until(pilot, lambda: here(pilot).ask.is_open == (typed == "enter"))  # noqa: B023
        await settle(pilot)
        assert not asked
        assert listed(pilot, "state") == ["planned"]
        await press(pilot, *STOP[:2])
        for typed in ("", "=wrong", "=sesame"):
            if typed:
                typing = here(pilot).typing
                assert typing is not None
                typing.insert(typed[1:])
            await pilot.press("enter")
            await until(pilot, lambda: here(pilot).ask.is_open or len(asked) == 2)
        await until(pilot, lambda: "verified, refused" in said(pilot))
        assert asked == [b"wrong", b"sesame"]
        await settle(pilot)
        assert listed(pilot, "state") == ["verified: refused"]
    assert estate.toy.writes == ["PUT svc-a"]


async def test_nobody_leaves_what_is_under_way(estate: Estate, desk: Desk) -> None:
    decided(estate)
    gate = threading.Event()

    def signer(_: Passphrase) -> SigningKey:
        assert gate.wait(PATIENCE_S)
        return estate.rev

    async with MusterApp(replace(desk, signer=signer), None).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "C", "p", *STOP[:2])
        await pilot.press("enter")
        for key in ("q", "i", "escape", "v"):
            await pilot.press(key)
            assert isinstance(pilot.app.screen, StopsScreen)
            assert "under way" in said(pilot)
        gate.set()
        await settle(pilot)
        assert listed(pilot, "state") == ["verified: refused"]
    assert not estate.db.value("SELECT 1 FROM remediation_result WHERE entry_id IS NULL")


async def test_who_waits_no_longer_has_it_asked_once_more_and_signed(
    estate: Estate, desk: Desk
) -> None:
    decided(estate)
    estate.toy.lags = 99
    still = replace(desk, clock=lambda: "2026-11-25T12:00:00Z")  # else the wait is over at once
    async with MusterApp(still, None).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "C", "p", *STOP[:2])
        await pilot.press("enter")
        await until(pilot, lambda: "esc asks once" in said(pilot))
        await pilot.press("escape")
        await settle(pilot)
        assert listed(pilot, "state") == ["applied, still works"]
        assert "esc" not in said(pilot)
    logins = [call for call in estate.toy.calls if "login" in call]
    assert len(logins) < 4, "in the two seconds of the plan it would be asked four times"
    assert not estate.db.value("SELECT 1 FROM remediation_result WHERE entry_id IS NULL")


async def test_what_is_alive_again_comes_first_and_can_be_stopped_once_more(
    estate: Estate, desk: Desk
) -> None:
    decided(estate)
    async with MusterApp(desk, None).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "C", "p", *STOP)
        estate.toy.objects["svc-a"]["enabled"] = True
        estate.bring_in("2026-11-26T08:00:00Z")
        here(pilot).look_for_changes()
        await settle(pilot)
        (state,) = listed(pilot, "state")
        assert state == "verified, but active in the export of 2026-11-26"
        assert "alive the export has it active" in pane(pilot)
        await press(pilot, *STOP)
    assert estate.toy.writes == ["PUT svc-a", "PUT svc-a"]


async def test_a_platform_that_will_not_is_told_and_it_stays_open(
    estate: Estate, desk: Desk
) -> None:
    decided(estate)
    async with MusterApp(desk, None).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "C", "p")
        estate.toy.faults = dict.fromkeys(range(99), "403")
        await press(pilot, *STOP)
        assert listed(pilot, "state") == ["apply failed"]
        assert "403" in said(pilot)
        await press(pilot, "tab")
        assert listed(pilot, "state") == ["apply failed"], "it is in the section of the open ones"
    assert not estate.toy.writes


async def test_a_secret_is_not_destroyed_from_here_and_the_command_is_named(
    estate: Estate, desk: Desk
) -> None:
    estate.toy.account("burn-a")
    estate.bring_in()
    at = estate.opened()
    estate.decide(at, "burn-a", "revoke")
    estate.sign_off(at)
    async with MusterApp(desk, None).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "C", "p", "exclamation_mark")
        assert "look at --destroy" in said(pilot)
        (one,) = remediation.plan(estate.db, NOW, destroy=True)
        here(pilot).look_for_changes()
        await settle(pilot)
        for row in here(pilot).table.rank:
            here(pilot).table.go_to_id(row)
            await press(pilot, "exclamation_mark")
            if "R3" in pane(pilot):
                break
        assert f"muster remediate apply {one.name} --destroy" in said(pilot)
    assert not estate.toy.writes


async def test_with_nothing_to_stop_it_says_where_one_decides(estate: Estate, desk: Desk) -> None:
    async with MusterApp(desk, None).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "C")
        assert "no signed decision asks for it" in painted(pilot)
        await press(pilot, "p")
        assert "nothing to plan" in said(pilot)


async def test_after_the_sign_off_the_place_is_named_and_one_key_away(
    estate: Estate, desk: Desk
) -> None:
    at = estate.opened()
    estate.decide(at, "svc-a", "revoke")
    async with MusterApp(desk, at).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "dollar_sign", "s")
        assert isinstance(pilot.app.screen, SignedScreen)
        assert "C shows what is to be stopped" in painted(pilot)
        await press(pilot, "C")
        assert isinstance(pilot.app.screen, StopsScreen)
        await press(pilot, "p")
        assert listed(pilot, "state") == ["planned"]
        await press(pilot, "q")
        assert pilot.app.screen is pilot.app.screen_stack[1]


# many at once


@pytest.fixture
def three(estate: Estate, desk: Desk) -> Desk:
    """Three accounts of which each is to be stopped, and settings that allow that."""
    at = estate.opened()
    for uid in ("svc-a", "svc-b", "svc-c"):
        estate.decide(at, uid, "revoke")
    estate.sign_off(at)
    remediation.plan(estate.db, estate.clock())
    return replace(desk, settings=replace(desk.settings, stop_percent=100))


async def test_of_many_each_has_its_row_and_one_that_fails_hides_no_other(
    estate: Estate, three: Desk
) -> None:
    async with MusterApp(three, None).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "C", "semicolon")
        assert "nothing is marked" in said(pilot)
        await press(pilot, "m", "semicolon", "exclamation_mark")
        assert "stop 3: disable svc-a, disable svc-b, disable svc-c" in bar(pilot, "ask-lines")
        await press(pilot, "=vc-a", "enter")
        assert "that is not 3" in bar(pilot, "ask-lines")
        assert not estate.toy.writes
        estate.toy.faults = {len(estate.toy.calls) + 4: "403"}
        await press(pilot, "ctrl+u", "=3", "enter")
        await settle(pilot)
        assert "2 of 3 seen to be stopped; disable svc-b: apply failed" in said(pilot)
        assert estate.toy.writes == ["PUT svc-a", "PUT svc-c"]
        assert sorted(listed(pilot, "state")) == ["apply failed", *["verified: refused"] * 2]
        calls = estate.toy.calls
        first_asked = next(n for n, call in enumerate(calls) if "login" in call)
        last_sent = max(n for n, call in enumerate(calls) if call.startswith("PUT"))
        assert first_asked > last_sent, "all are stopped before any is asked for"
        assert here(pilot).look.ids is not None
        assert not here(pilot).table.marks
        for one in remediation.remedies(estate.db):
            assert remediation.history(estate.db, one.name)[-1].statement, one.what
        await press(pilot, "m", "semicolon", "u")
        assert "let in again 3" in bar(pilot, "ask-lines")
        await press(pilot, "=3", "enter")
        await settle(pilot)
        assert "3 of 3 put back" in said(pilot)
    assert tlog.check(estate.db)


async def test_what_is_no_longer_asked_for_is_left_out_and_one_that_raises_keeps_none_from_it(
    estate: Estate, three: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate.ticks += 60
    again = estate.opened("Winter")
    estate.decide(again, "svc-a", "approve")
    estate.sign_off(again)
    async with MusterApp(three, None).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "C", "m", "semicolon", "exclamation_mark")
        await settle(pilot)
        assert "stop 2" in bar(pilot, "ask-lines")
        assert "1 left out: it was decided otherwise since" in bar(pilot, "ask-lines")
        with estate.db.atomic():  # as if another workspace had planned the first of the two
            estate.db.execute("UPDATE remediation SET plan = NULL, state = 'reverted'"
                              " WHERE uri LIKE '%svc-b'")  # fmt: skip
        await press(pilot, "=2", "enter")
        await settle(pilot)
        assert "1 of 2 seen to be stopped" in said(pilot)
        assert "planned in another workspace" in said(pilot)
    assert estate.toy.writes == ["PUT svc-c"]


async def test_where_no_login_is_to_be_had_each_of_many_says_so(
    estate: Estate, three: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    async with MusterApp(three, None).run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "h")
        assert "3 stops asked for and not done yet: C" in painted(pilot)
        await press(pilot, "C", "m", "semicolon", "exclamation_mark")
        await settle(pilot)
        await press(pilot, "=3", "enter")
        await settle(pilot)
        assert "0 of 3 seen to be stopped" in said(pilot)
        assert listed(pilot, "state") == ["apply failed"] * 3
        assert "IDENTITY" in painted(pilot), "which of them it is, at 80 columns too"
        assert "not read, so nothing was sent" in pane(pilot)


async def test_one_step_goes_for_no_more_of_a_tier_than_the_settings_allow(
    estate: Estate, three: Desk
) -> None:
    risk = estate.db.value("SELECT risk FROM listing LIMIT 1")
    tight = {**three.settings.bulk, campaigns.tier(risk): 2}
    desk = replace(three, settings=replace(three.settings, bulk=tight))
    async with MusterApp(desk, None).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "C", "m", "semicolon", "exclamation_mark")
        assert f"3 of them are at {campaigns.tier(risk)} risk, and one act may go for 2" in said(
            pilot
        )
        await press(pilot, "escape", "j", "space", "k", "k", "space", "semicolon")
        assert "what for all 2 marked" in said(pilot)
        await press(pilot, "escape", "exclamation_mark")
        assert "last 4 signs of" in bar(pilot, "ask-lines"), "without ; it is for the cursor alone"
    assert not estate.toy.writes
