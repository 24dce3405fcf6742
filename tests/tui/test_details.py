"""The screen of one item: tabs, search, copying, and the verbs that go back to the queue."""

import base64
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from passmuster import campaigns, store
from passmuster.store import Database
from passmuster.tui.clipboard import FILE
from passmuster.tui.dossier import dossier_lines
from passmuster.tui.screens.details import HANDED, DetailsScreen
from passmuster.tui.sections import View
from passmuster.tui.widgets.tabs_bar import TabsBar
from tests.conftest import ME
from tests.estates import opened
from tests.tui.conftest import NOW, Review, bar, painted, press, settle

SIZE = (100, 30)


def of(review: Review, name: str = "ci-deploy", **more: Any) -> DetailsScreen:
    """The screen of one item."""
    db = store.open_(review.folder)
    for item_id in campaigns.rank(db, review.campaign.id, None):
        dossier = campaigns.item_dossier(db, item_id)
        if dossier["identity"]["uid"].endswith(f"/{name}"):
            break
    db.close()
    return DetailsScreen(
        lambda width: dossier_lines(dossier, View(width, NOW, full=True)), dossier,
        due=review.campaign.due_at, **more,
    )  # fmt: skip


async def shown(pilot: Pilot[None], screen: DetailsScreen, answers: list[str | None]) -> None:
    await settle(pilot)
    pilot.app.push_screen(screen, answers.append)
    await settle(pilot)


def sent(pilot: Pilot[None]) -> list[str]:
    """What goes to the terminal from now on; Textual's headless driver drops it."""
    out: list[str] = []
    assert pilot.app._driver is not None
    pilot.app._driver.write = out.append  # type: ignore[method-assign,assignment]
    return out


async def test_each_tab_is_a_key_and_a_click_and_tab_goes_round(review: Review) -> None:
    async with review.app().run_test(size=SIZE) as pilot:
        screen = of(review)
        await shown(pilot, screen, [])
        assert "AKIA1" in painted(pilot)
        await press(pilot, "2")
        assert "── today 2026-11-23" in painted(pilot)
        assert "this campaign is due" in painted(pilot)
        await press(pilot, "3")
        assert "sha256 " in painted(pilot)
        await press(pilot, "tab")
        assert screen.at == 0
        await press(pilot, "shift+tab")
        assert screen.at == 2
        spot = screen.query_one(TabsBar)._spots[1]
        await pilot.click("#tabs", offset=(spot[0] + 2, 0))
        await settle(pilot)
        assert screen.at == 1
        assert "[timeline]" in bar(pilot, "tabs")


async def test_a_tab_is_found_where_it_was_left(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        screen = of(review)
        await shown(pilot, screen, [])
        await press(pilot, "3", "space", "space")
        top = screen.pane.top
        assert top > 0
        await press(pilot, "1", "3")
        assert screen.pane.top == top


async def test_a_search_shows_its_hits_and_n_goes_round_them(review: Review) -> None:
    async with review.app().run_test(size=(80, 24)) as pilot:
        screen = of(review)
        await shown(pilot, screen, [])
        await press(pilot, "3", "slash", "=admin")
        hits = screen.pane.hits
        assert len(hits) > 2
        await press(pilot, "enter")
        assert bar(pilot, "notice").strip() == f"1 of {len(hits)} hits: admin"
        line = screen.pane.line(hits[0].line)
        assert [s.text.lower() for s in line if s.role == "caret"] == ["admin"]
        await press(pilot, "N")
        assert bar(pilot, "notice").strip() == f"{len(hits)} of {len(hits)} hits: admin"
        pane = screen.pane
        assert pane.top <= hits[-1].line < pane.top + pane.room
        await press(pilot, "n")
        assert "1 of" in bar(pilot, "notice")
        await press(pilot, "escape")
        assert pilot.app.screen is screen
        assert not pane.hits
        await press(pilot, "slash", "=no such words", "enter")
        assert "not in this tab: no such words" in bar(pilot, "notice")


async def test_letters_of_a_search_are_no_verbs(review: Review) -> None:
    answers: list[str | None] = []
    async with review.app().run_test(size=SIZE) as pilot:
        screen = of(review, verbs=HANDED.values())
        await shown(pilot, screen, answers)
        await press(pilot, "slash", "a", "r", "n", "1", "y")
        assert pilot.app.screen is screen
        assert screen.typing is not None
        assert screen.typing.value == "arn1y"
    assert not answers


@pytest.mark.parametrize(("key", "verb"), HANDED.items())
async def test_a_verb_goes_back_to_the_queue_with_its_name(
    review: Review, key: str, verb: str
) -> None:
    answers: list[str | None] = []
    async with review.app().run_test(size=SIZE) as pilot:
        await shown(pilot, of(review, verbs=HANDED.values()), answers)
        await press(pilot, key)
        assert answers == [verb]
    assert review.drafts() == {}


async def test_without_verbs_a_verbs_key_says_why_it_does_nothing(review: Review) -> None:
    answers: list[str | None] = []
    async with review.app().run_test(size=SIZE) as pilot:
        screen = of(review)
        await shown(pilot, screen, answers)
        await press(pilot, "r")
        assert "nothing is decided on this screen" in bar(pilot, "notice")
        assert "approve" not in bar(pilot, "keys")
        await press(pilot, "escape")
    assert answers == [None]


async def test_the_handle_is_copied_and_of_the_record_its_very_bytes(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.delenv("STY", raising=False)
    async with review.app().run_test(size=SIZE) as pilot:
        screen = of(review)
        await shown(pilot, screen, [])
        out = sent(pilot)
        await press(pilot, "y", "Y", "3", "Y")
        copied = [base64.b64decode(b).decode()
                  for b in re.findall(r"\x1b\]52;c;([^\x07]*)\x07", "".join(out))]  # fmt: skip
        assert screen.dossier is not None
        assert copied[0] == screen.dossier["identity"]["uid"]
        assert "AdministratorAccess" in copied[1]
        assert copied[2].encode() == campaigns.digests(screen.dossier)[0]
        assert json.loads(copied[2]) == screen.dossier
        assert "sent to your terminal's clipboard: the record" in bar(pilot, "notice")


async def test_copying_to_a_file_when_the_settings_say_so(review: Review) -> None:
    from passmuster.config import Settings

    review.settings = Settings(me=ME, clipboard="file")
    async with review.app().run_test(size=SIZE) as pilot:
        await shown(pilot, of(review), [])
        out = sent(pilot)
        await press(pilot, "y")
        assert not any("52;" in piece for piece in out)
    path = review.folder / FILE
    assert path.read_text().endswith(":user/ci-deploy")
    store.check_modes(review.folder)


@pytest.mark.parametrize("name", ["hostile", "ci-deploy"])
@pytest.mark.parametrize("size", [(40, 12), (80, 24), (160, 48)])
async def test_every_tab_is_as_wide_as_the_screen_and_harmless(
    review: Review, name: str, size: tuple[int, int]
) -> None:
    async with review.app().run_test(size=size) as pilot:
        await shown(pilot, of(review, name), [])
        for key in ("1", "2", "3"):
            await press(pilot, key, "slash", "=e", "enter")
            for line in painted(pilot).split("\n"):
                assert line.isprintable()
                assert len(line) <= size[0]


@pytest.mark.parametrize(("size", "keys"), [
    pytest.param((80, 24), ("2",), id="timeline-80x24"),
    pytest.param((120, 40), ("3", "slash", "=admin", "enter"), id="raw-120x40"),
])  # fmt: skip
def test_the_tabs_look_as_they_did(
    review: Review, snap_compare: Any, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    async def run(pilot: Pilot[None]) -> None:
        await shown(pilot, of(review), [])
        await press(pilot, *keys)

    assert snap_compare(review.app(), terminal_size=size, run_before=run)


def first_release(folder: Path) -> None:
    """What the release before has not: its indexes and its number."""
    db = store.open_(folder)
    db.execute("DROP INDEX listing_name")
    db.execute("DROP INDEX trust_from")
    db.execute("DELETE FROM _sqlite_migrations WHERE name = 'version_2'")
    db.execute("PRAGMA user_version = 1")
    db.close()


def read_until(terminal: int, wanted: bytes, seconds: float = 30.0) -> bytes:
    seen, ends = b"", time.monotonic() + seconds
    while wanted not in seen and time.monotonic() < ends:
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 65536)
    assert wanted in seen, seen[-300:]
    return seen


OPEN = """
import sys
from passmuster.cli import run
from passmuster.tui.screens.details import DetailsScreen
from passmuster.tui.screens.review import ReviewScreen

def details(self):
    self.load_item()
    evidence = self.drawn(self.dossier_of, self.here, full=True)
    self.app.push_screen(DetailsScreen(evidence, self.dossier, due=self.campaign.due_at))

ReviewScreen.action_details = details
sys.exit(run([]))
"""


def test_in_a_terminal_an_old_workspace_opens_and_a_handle_is_sent_as_base64(
    db: Database, folder: Path, tmp_path: Path
) -> None:
    opened(db, tmp_path, "svc-a", "svc-b")
    db.close()
    first_release(folder)
    main, side = pty.openpty()
    fcntl.ioctl(main, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = {k: v for k, v in os.environ.items() if k not in ("TMUX", "STY", "DISPLAY")}
    process = subprocess.Popen(
        [sys.executable, "-c", OPEN], stdin=side, stdout=side, stderr=side,
        env={**env, "MUSTER_WORKSPACE": str(folder), "MUSTER_ME": ME, "TERM": "xterm"},
    )  # fmt: skip
    os.close(side)
    try:
        read_until(main, b"svc-a")
        os.write(main, b"\r")
        read_until(main, b"copy handle")
        os.write(main, b"y")
        seen = read_until(main, b"clipboard")
        found = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", seen)
        assert [base64.b64decode(b) for b in found] == [b"arn:aws:iam::111122223333:user/svc-a"]
        assert seen.count(b"\x1b]52") == 1
    finally:
        process.kill()
        process.wait()
        os.close(main)
    again = store.open_(folder, read_only=True)
    assert again.value("PRAGMA user_version") == store.SCHEMA_VERSION
    again.close()
