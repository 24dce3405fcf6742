"""The stops as a place: planned, stopped, seen to be refused and put back, on a real server."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from passmuster import tlog
from passmuster.config import Settings
from passmuster.model import Change
from passmuster.tui.app import MusterApp
from passmuster.tui.desk import Desk
from passmuster.tui.screens.signed import SignedScreen
from passmuster.tui.screens.stops import StopsScreen
from tests.remediation.conftest import SOURCE, Estate, estate, toy
from tests.tui.conftest import ME, bar, painted, press, settle
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
        await press(pilot, "exclamation_mark", "=nope", "enter")
        assert "not the last 4 signs of svc-a" in painted(pilot)
        await press(pilot, "escape")
        assert not estate.toy.writes
        await press(pilot, *STOP)
        assert listed(pilot, "state") == ["verified: refused"]
        assert "the login was answered with 401" in said(pilot)
        assert "verified: refused; statement" in pane(pilot)
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
