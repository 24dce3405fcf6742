"""`!`: what will break is read, the handle's end is typed, and the platform's answer is shown."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from passmuster import campaigns, store, tlog
from passmuster.campaigns import Unreviewed
from passmuster.config import Settings
from passmuster.tui import keymap, need_lines
from passmuster.tui.app import MusterApp
from passmuster.tui.desk import Desk
from passmuster.tui.needs import Need, Urgent
from passmuster.tui.screens import help  # noqa: A004 - the page
from passmuster.tui.screens._list import ListScreen
from passmuster.tui.screens.stop import StopScreen
from tests.remediation.conftest import SOURCE, Estate, estate, toy
from tests.tui.conftest import ME, NOW, Review, bar, go_to, painted, press, settle, the_key

__all__ = ["estate", "toy"]
TYPED = ("exclamation_mark", "2", "=seen in a gist", "enter")


def stopping(pilot: Pilot[None]) -> StopScreen:
    found = pilot.app.screen
    assert isinstance(found, StopScreen)
    return found


def kinds(folder: Path) -> list[str]:
    db = store.open_(folder)
    try:
        assert tlog.check(db)
        return [entry.kind for entry in tlog.entries(db)]
    finally:
        db.close()


@pytest.mark.parametrize("no_color", [False, True])
async def test_what_will_break_is_read_before_anything_is_typed(
    review: Review, monkeypatch: pytest.MonkeyPatch, no_color: bool
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        go_to(pilot, "ci-deploy")
        await press(pilot, "exclamation_mark")
        told = " ".join(painted(pilot).split())
        for words in ("Stop now ci-deploy", "aws-prod", "the whole account with 2 live credentials",
                      "AdministratorAccess ◀", "not known: no source says who uses it",
                      "yes: a flag is set back (R1)", "refused within 60 seconds", "stop what?",
                      "1 the whole account", "2 AKIA1"):  # fmt: skip
            assert words in told, words
        await press(pilot, "2")
        assert "AKIAIOSFODNN7EXAMQ71X" in painted(pilot)
        assert "1 other live credential of it" in " ".join(painted(pilot).split())
        await press(pilot, "escape")
        assert not isinstance(pilot.app.screen, StopScreen)
    assert "decisions" not in kinds(review.folder)


async def test_nothing_is_stopped_before_the_last_four_signs(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        go_to(pilot, "ci-deploy")
        await press(pilot, "exclamation_mark", "2", "enter")
        assert "needs a reason" in painted(pilot)
        assert "--reason" not in painted(pilot), "words of the command line"
        await press(pilot, "=it is ghp_aB3dE5gH7jK9mN1pQ3sT5vW7xY9zA1cD3e", "enter")
        assert "looks like a secret" in painted(pilot)
        await press(pilot, "escape", *TYPED)
        for wrong in ("", "y", "AKIA", "71X"):
            await press(pilot, *([f"={wrong}"] if wrong else []), "enter")
            assert "not the last 4 signs" in painted(pilot)
            stopping(pilot).query_one("#ask-input").start()  # type: ignore[attr-defined]
        await press(pilot, "escape")
    assert "decisions" not in kinds(review.folder)


async def test_from_the_evidence_it_stops_what_was_read_wherever_the_cursor_is(
    review: Review,
) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "i", "slash", "=vendor", "enter", "enter")
        assert "! stop now" in bar(pilot, "keys")
        await press(pilot, "r")
        assert "esc, then Q shows it in your queue" in bar(pilot, "notice")
        below = pilot.app.screen_stack[-2]
        assert isinstance(below, ListScreen)
        below.show_look(below.look._replace(expression=""))
        await settle(pilot)
        below.table.go_to(0)
        await press(pilot, "exclamation_mark")
        assert stopping(pilot).dossier["identity"]["display_name"] == "vendor-etl"
        await press(pilot, "escape", "percent_sign", "enter", "exclamation_mark")
        assert "read only: nothing is stopped" in bar(pilot, "rule")


async def test_a_closed_campaign_decides_nothing_and_its_evidence_can_still_stop(
    review: Review,
) -> None:
    db = store.open_(review.folder)
    with db.atomic():
        db.execute("UPDATE campaign SET closed_at = ?", (NOW,))
    closed = replace(review, campaign=campaigns.campaign(db, review.campaign.name))
    db.close()
    async with closed.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "a")
        assert "the campaign was closed" in bar(pilot, "notice")
        await press(pilot, "exclamation_mark")
        assert isinstance(pilot.app.screen, StopScreen)


async def test_it_says_why_it_cannot_be_used(review: Review) -> None:
    forbidden = replace(review, settings=Settings(me=ME, read_only=True))
    async with forbidden.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "exclamation_mark")
        assert "read only: nothing is stopped here" in bar(pilot, "rule")
    db = store.open_(review.folder)
    with db.atomic():
        db.execute("UPDATE source SET platform = 'generic' WHERE platform = 'aws'")
    db.close()
    async with review.app().run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "exclamation_mark")
        assert "muster knows no command of generic" in " ".join(bar(pilot, "rule").split())


def test_it_can_be_given_another_key_and_is_a_word_too() -> None:
    assert keymap.known()["stop"].key == "exclamation_mark"
    assert keymap.known()["stop"].tooltip
    assert "\n  !        stop what is under the cursor" in help._PAGE


def test_what_needs_you_says_how_an_emergency_stop_is_undone() -> None:
    one = Unreviewed("l", 1, "s", "muster:toy:t1/identity/a", 1, "a", "toy", "disable", "leaked",
                     None, ME, NOW, None)  # fmt: skip
    for state, told in (
        ("verified", "muster remediate restore k3p7q2ab"),
        ("apply_failed", "! there goes on, when what failed is mended; or muster revoke"),
        ("reverted", ""),
    ):
        need = Need("urgent", "k", "a", ME, NOW, Urgent(one, "k3p7q2ab", state))
        said = " ".join("".join(s.text for s in line) for line in
                        need_lines.lines(need, None, ME, NOW, 200))  # fmt: skip
        assert ("and not stopped" in said) is (state == "apply_failed"), state
        assert told in said and ("restore" in said) is (state == "verified"), state


@pytest.fixture
def workstation(estate: Estate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MusterApp:
    """The inventory of the toy, for somebody who is logged in at it."""
    tool = tmp_path / "bin" / "toy"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\necho {estate.toy.token}\n")
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    settings = Settings(me=ME, sources={SOURCE: {"endpoint": estate.toy.url}})
    folder, key = estate.db.path.parent, the_key()
    return MusterApp(Desk(folder, ME, lambda _: key, settings, lambda: NOW, key.fingerprint), None)


async def test_a_key_is_stopped_from_the_inventory_and_its_refusal_is_shown(
    estate: Estate, workstation: MusterApp
) -> None:
    async with workstation.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        workstation.go("inventory")
        await settle(pilot)
        await press(pilot, *TYPED, "=a-k1", "enter")
        await settle(pilot)
        found = stopping(pilot).result
        assert found is not None
        assert (found.remedy.state, found.remedy.verdict) == ("verified", "refused")
        told = " ".join(painted(pilot).split())
        for words in ("Stopped, and refused", "muster remediate restore", "decision signed",
                      "result signed", "h shows what needs somebody"):  # fmt: skip
            assert words in told, words
        await press(pilot, "escape")
        assert not isinstance(pilot.app.screen, StopScreen)
    assert estate.toy.writes == ["PUT svc-a/svc-a-k1"]
    assert kinds(estate.db.path.parent) == ["enrolment", "decisions", "remediation"]


async def test_a_platform_that_is_not_there_is_told_and_the_lines_with_it(
    estate: Estate, workstation: MusterApp
) -> None:
    estate.toy.faults = dict.fromkeys(range(99), "403")
    async with workstation.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        workstation.go("inventory")
        await settle(pilot)
        await press(pilot, *TYPED, "=A-K1", "enter")
        await settle(pilot)
        told = " ".join(painted(pilot).split())
        assert "Decided, and not stopped" in told
        assert "toy disable svc-a/svc-a-k1" in told
        assert "it is not proved to be refused" in told
    assert not estate.toy.writes
    assert kinds(estate.db.path.parent) == ["enrolment", "decisions", "remediation"]


async def test_a_stop_waits_in_what_needs_you_until_it_is_reviewed(
    estate: Estate, workstation: MusterApp
) -> None:
    async with workstation.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        workstation.go("inventory")
        await settle(pilot)
        await press(pilot, *TYPED[:2], "=seen in a gist for 4h", "enter")
        assert "due to be given back 2026-11-23T12:00:00Z" in painted(pilot)
        await press(pilot, "=a-k1", "enter")
        await settle(pilot)
        await press(pilot, "escape", "h")
        told = " ".join(painted(pilot).split())
        for words in ("urgent", "svc-a-k1 of svc-a", "Stopped in an emergency ◀",
                      "“seen in a gist”", "How it stands: verified",
                      "due to be given back 2026-11-23T12:00:00Z",
                      "finding:emergency-unreviewed"):  # fmt: skip
            assert words in told, words
    assert estate.toy.writes
