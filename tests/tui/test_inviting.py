"""Who was invited begins with the invitation: pasted, compared with the server's key, enrolled."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="passmuster[server] is not installed")

from passmuster import central, store, sync, tlog
from passmuster.config import Settings
from passmuster.tui.app import MusterApp
from passmuster.tui.desk import Desk
from passmuster.tui.screens.guide import GuideScreen
from tests.scene import key
from tests.tui.central import Seat, evidence, header, until
from tests.tui.conftest import bar, painted, press, settle

NEW = "new@example.com"


def newcomer(seat: Seat, folder: Path) -> MusterApp:
    """The workstation of somebody with a key and nothing else."""
    db = store.create(folder)
    held = key(NEW, 31)
    tlog.enrol(db, held, seat.town.clock())
    db.close()
    app = MusterApp(
        Desk(folder, NEW, lambda _: held, Settings(me=NEW, sync_hold_s=0), seat.town.clock), None
    )
    app.syncing.more = seat.app().syncing.more
    return app


def invitation(seat: Seat) -> str:
    with seat.town.boss.caller() as caller:
        made, _ = sync.invite(seat.town.boss.db, caller, NEW, ("reviewer",))
    return made


async def to_the_invitation(pilot: Any) -> None:
    await settle(pilot)
    assert isinstance(pilot.app.screen, GuideScreen)
    await press(pilot, "end")
    assert "Were you invited" in evidence(pilot)


async def test_a_pasted_invitation_enrols_and_the_other_steps_are_not_needed(
    seat: Seat, tmp_path: Path
) -> None:
    said = invitation(seat)
    app = newcomer(seat, tmp_path / "new")
    async with app.run_test(size=(120, 40)) as pilot:
        await to_the_invitation(pilot)
        await press(pilot, "enter", f"={said}")
        assert said not in painted(pilot), "the token is not for who looks over a shoulder"
        await press(pilot, "enter")
        await until(pilot, lambda: "enrolled: a registrar has to admit you" in bar(pilot, "status"))
        assert painted(pilot).count("not needed") == 2
        assert key(NEW, 31).fingerprint[:30] in evidence(pilot).replace(" ", "")
        await until(pilot, lambda: "needs attention" in header(pilot))  # listed nowhere yet
    db = store.open_(tmp_path / "new")
    assert tlog.pinned(db).key == seat.town.server.here.key.verifier
    db.close()


async def test_another_server_than_the_invitation_names_gets_nothing(
    seat: Seat, tmp_path: Path
) -> None:
    real = central.invitation(invitation(seat))
    forged = str(replace(real, pin="A" * 43))
    app = newcomer(seat, tmp_path / "new")
    seat.desk.wire.log.clear()
    async with app.run_test(size=(120, 40)) as pilot:
        await to_the_invitation(pilot)
        await press(pilot, "enter", f"={forged}", "enter")
        await until(pilot, lambda: "nothing was sent" in bar(pilot, "status"))
    assert {path for _, path, _ in seat.desk.wire.log} == {"/v1/about"}


async def test_an_invitation_that_was_cut_off_is_told_at_once(seat: Seat, tmp_path: Path) -> None:
    app = newcomer(seat, tmp_path / "new")
    seat.desk.wire.log.clear()
    async with app.run_test(size=(80, 24)) as pilot:
        await to_the_invitation(pilot)
        await press(pilot, "enter", "=https://x.example#m1.abc", "enter")
        assert "copy the invitation whole" in bar(pilot, "ask-lines")
    assert seat.desk.wire.log == []
