"""A key that waits for its person: told on the screen, which stays alive, and called off by esc."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from passmuster import keys, store, tlog
from passmuster.keys import Passphrase, SigningKey, Talk
from passmuster.tui.app import MusterApp
from passmuster.tui.desk import Desk
from passmuster.tui.screens.sign_off import SignOffScreen
from passmuster.tui.screens.signed import SignedScreen
from passmuster.tui.widgets.dossier_view import DossierView
from tests.agent import needs_ssh, ssh_key
from tests.terminal import PATIENCE_S, Terminal
from tests.tui.conftest import ME, NOW, Review, bar, press, settle
from tests.tui.test_guide import app_of, guide
from tests.tui.test_pty import muster, opened

pytestmark = needs_ssh
TOUCH = "touch your key"
WAITS = """#!{python} -S
import os, sys, time
if "sign" not in sys.argv:
    os.execv({tool!r}, [{tool!r}, *sys.argv[1:]])
with open({pid!r}, "w") as pid:
    pid.write(str(os.getpid()))
print("Confirm user presence for key ECDSA-SK SHA256:x", file=sys.stderr, flush=True)
while not os.path.exists({touched!r}):
    time.sleep(0.02)
os.execv({tool!r}, [{tool!r}, *sys.argv[1:]])
"""
"""In front of the real ssh-keygen: a key that waits for a touch."""


@pytest.fixture
def touch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Until this is called, no key signs."""
    touched, tools = tmp_path / "touched", tmp_path / "tools"
    tools.mkdir()
    (tools / "ssh-keygen").write_text(WAITS.format(
        python=sys.executable, tool=shutil.which("ssh-keygen"), touched=str(touched),
        pid=str(tmp_path / "pid"),
    ))  # fmt: skip
    (tools / "ssh-keygen").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return touched.touch


async def until(pilot: Pilot[None], what: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < ends, "it did not come about"
        await pilot.pause(0.02)


def ended(path: Path) -> bool:
    """Whether the program ends; the thread that ends it may come after the screen has gone."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        try:
            os.kill(int(path.read_text()), 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


async def test_a_sign_off_waits_for_a_touch_is_called_off_and_signs_when_touched(
    review: Review, tmp_path: Path, touch: Callable[[], None]
) -> None:
    found = keys.resolve(str(ssh_key(tmp_path / "k", "ecdsa")))

    def signer(ask: Passphrase) -> SigningKey:
        return keys.adopt(found, ME, ask)

    app = MusterApp(Desk(review.folder, ME, signer, review.settings, lambda: NOW), review.campaign)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "a", "1", "dollar_sign")
        screen = pilot.app.screen
        assert isinstance(screen, SignOffScreen)
        await pilot.press("s")
        await until(pilot, lambda: TOUCH in bar(pilot, "notice"))
        assert "call it off" in bar(pilot, "keys")
        await pilot.resize_terminal(80, 9)
        await until(pilot, lambda: screen.query_one(DossierView).size.height < 9)
        await pilot.press("j")
        await until(pilot, lambda: screen.query_one(DossierView).top == 1)  # the screen is alive
        with store.open_(review.folder).atomic():
            pass  # nobody else waits for the touch
        await pilot.press("escape")
        await until(pilot, lambda: "called off" in bar(pilot, "notice"))
        assert pilot.app.screen is screen
        assert ended(tmp_path / "pid")
        assert not review.decisions()
        assert "sign 1 draft" in bar(pilot, "keys")

        await pilot.press("s")
        await until(pilot, lambda: TOUCH in bar(pilot, "notice"))
        touch()
        await until(pilot, lambda: isinstance(pilot.app.screen, SignedScreen))
    assert list(review.decisions().values()) == ["approve"]
    db = store.open_(review.folder)
    assert tlog.check(db) == 4, "two enrolments, the opening, the decision"
    db.close()


async def test_leaving_while_a_key_waits_ends_its_program(
    review: Review, tmp_path: Path, touch: Callable[[], None]
) -> None:
    found = keys.resolve(str(ssh_key(tmp_path / "k", "ecdsa")))
    app = MusterApp(Desk(review.folder, ME, lambda ask: keys.adopt(found, ME, Talk.of(ask)),
                         review.settings, lambda: NOW), review.campaign)  # fmt: skip
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "a", "1", "dollar_sign")
        await pilot.press("s")
        await until(pilot, lambda: TOUCH in bar(pilot, "notice"))
        await pilot.press("ctrl+q")
    assert ended(tmp_path / "pid")
    assert not review.decisions()


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MUSTER_ME")
    folder = tmp_path / "workspace"
    store.create(folder).close()
    return folder


async def test_an_ssh_key_becomes_mine_in_the_first_steps(
    empty: Path, tmp_path: Path, touch: Callable[[], None]
) -> None:
    path = ssh_key(tmp_path / "k", "ecdsa", "correct horse")
    async with app_of(empty, ME).run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await press(pilot, "j", "enter", "3", f"={tmp_path}/nothing", "enter")
        assert "SHA256:… or agent)" in bar(pilot, "rule")
        await press(pilot, "ctrl+u", f"={path}")
        await pilot.press("enter")
        await until(pilot, lambda: TOUCH in bar(pilot, "rule"))
        await pilot.press("escape")
        await until(pilot, lambda: "called off" in bar(pilot, "rule"))
        touch()
        await press(pilot, "enter", "3", f"={path}")
        await pilot.press("enter")
        await until(pilot, lambda: guide(pilot).ask.is_open)
        assert f"passphrase of {path}" in bar(pilot, "ask-lines")
        await press(pilot, "=correct horse", "enter")
        assert "your key is SHA256:" in bar(pilot, "rule")
    db = store.open_(empty)
    (row,) = keys.listed(db)
    assert (row["store"], row["place"]) == ("ssh", str(path))
    db.close()


@pytest.mark.ci
def test_after_a_wrong_passphrase_the_question_stands_on_the_terminal_again(
    db: store.Database, folder: Path, tmp_path: Path
) -> None:
    """It was laid out and not painted, which only a terminal shows."""
    opened(db, folder, tmp_path, "svc-1", "svc-2")
    keys.new(db, ME, "file", lambda: b"correct horse", "2099-01-01T00:00:00Z", 1.0)  # the newest
    with Terminal(muster(folder), env={"MUSTER_ME": ME}) as t:
        t.wait_for("all 2").settle().press("r", "3").wait_for("1 draft").press("$")
        t.wait_for("signed by").settle().press("s").wait_for("passphrase of").settle()
        t.press("wrong one\r").wait_for("does not open").settle()
        t.row("passphrase of")
        t.press("correct horse\r").wait_for("Signed: 1 row")
        t.press("q").settle().press("ctrl+q")
        assert t.finish() == 0
