"""How it looks: snapshots of a few states, contrast, monochrome, and what a crash prints."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from passmuster.tui import words
from passmuster.tui.lines import width_of
from passmuster.tui.screens.help import help_lines
from passmuster.tui.widgets.line_view import LineView
from tests.conftest import REPOSITORY
from tests.tui.conftest import Review, go_to, painted, press, screen_of, settle

SMALL, MIDDLE, LARGE = (80, 24), (120, 40), (160, 48)


def opened(*keys: str, at: str = "") -> Any:
    async def run(pilot: Pilot[None]) -> None:
        await settle(pilot)
        if at:
            go_to(pilot, at)
            await settle(pilot)
        await press(pilot, *keys)

    return run


@pytest.mark.parametrize(("size", "keys"), [
    pytest.param(SMALL, (), id="first-80x24"),
    pytest.param(MIDDLE, (), id="first-120x40"),
    pytest.param(LARGE, ("r", "3", "a", "1", "space", "space", "K"), id="triage-160x48"),
    pytest.param(SMALL, ("a",), id="reason-80x24"),
    pytest.param(SMALL, ("slash", "=batch knd:x"), id="bad-filter-80x24"),
    pytest.param(MIDDLE, ("enter",), id="details-120x40"),
    pytest.param(MIDDLE, ("r", "3", "t", "1", "d", "4", "a", "2", "dollar_sign"),
                 id="sign-off-120x40"),
    pytest.param(SMALL, ("question_mark",), id="help-80x24"),
])  # fmt: skip
def test_the_screen_looks_as_it_did(
    review: Review, snap_compare: Any, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    assert snap_compare(review.app(), terminal_size=size, run_before=opened(*keys))


@pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE, (40, 12), (300, 100)])
async def test_every_size_shows_the_item_and_what_to_press(
    review: Review, size: tuple[int, int]
) -> None:
    async with review.app().run_test(size=size) as pilot:
        await settle(pilot)
        text = painted(pilot)
        assert "ci-deploy" in text
        assert "a approve" in text
        assert "? more" in text
        assert all(len(line) <= size[0] for line in text.split("\n"))
        side = screen_of(pilot).pane.region.x > 0
        assert side == (size[0] >= 110)


async def test_without_colour_no_colour_is_painted_and_the_cursor_is_seen(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with review.app().run_test(size=SMALL) as pilot:
        await settle(pilot)
        assert pilot.app.theme == "mono"
        strips = [s for row in pilot.app.screen._compositor.render_strips() for s in row]
        colours = {s.style.color.name for s in strips if s.style and s.style.color}
        colours |= {s.style.bgcolor.name for s in strips if s.style and s.style.bgcolor}
        assert colours <= {"default"}
        assert any(s.text.startswith(">") and s.style and s.style.reverse for s in strips)


CRASH = """
import asyncio, sys
from pathlib import Path
from passmuster import tui, keys
from passmuster.config import Settings
from passmuster.tui.screens.review import ReviewScreen
from passmuster.tui import app as app_module

def broken(self):
    api_token = "SECRET-TOKEN-0123456789"
    raise KeyError(api_token)

ReviewScreen.redraw_bars = broken
original = app_module.MusterApp.run
app_module.MusterApp.run = lambda self, **_: original(self, headless=True, size=(80, 24))
tui.run(Path(sys.argv[1]), None, "rev@example.com", lambda ask: keys.in_memory("x@example.com"),
        Settings(me="rev@example.com"))
"""


def test_a_crash_prints_no_value_and_leaves_a_report_without_any(review: Review) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CRASH, str(review.folder)], capture_output=True, text=True,
        timeout=60, check=False, env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src")},
    )  # fmt: skip
    assert done.returncode == 1
    assert "SECRET" not in done.stdout + done.stderr
    assert "MusterError: the screen stopped (KeyError at" in done.stderr
    report = review.folder / "crash.txt"
    assert report.stat().st_mode & 0o077 == 0
    assert "in broken" in report.read_text()
    assert "SECRET" not in report.read_text()


def test_a_theme_that_does_not_exist_is_said_and_not_fatal(review: Review) -> None:
    from passmuster.config import Settings

    review.settings = Settings(me="rev@example.com", theme="nope")
    app = review.app()
    assert app.theme == "muster-dark"
    assert "no theme 'nope'" in app.theme_troubles[0]
    app.db.close()


@pytest.mark.parametrize(("stamp", "said"), [
    ("2026-11-23T07:59:50Z", "just now"), ("2026-11-23T07:00:00Z", "1 hour ago"),
    ("2026-11-22T07:00:00Z", "25 hours ago"), ("2026-08-15T08:00:00Z", "100 days ago"),
    ("2020-01-01T00:00:00Z", "6 years ago"), ("2026-12-01T23:59:59Z", "in 8 days"),
    ("nonsense", "at a time that cannot be read"),
])  # fmt: skip
def test_how_long_ago_is_said_as_people_say_it(stamp: str, said: str) -> None:
    assert words.ago(stamp, "2026-11-23T08:00:00Z") == said


def test_nothing_of_the_workstation_is_loaded_by_its_package() -> None:
    code = "import sys, passmuster.tui; print('textual' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env=env, cwd=Path("/"))  # fmt: skip
    assert done.stdout.strip() == "False"


async def test_every_line_is_as_wide_as_its_widget_and_the_help_fits_80_columns(
    review: Review,
) -> None:
    async with review.app().run_test(size=LARGE) as pilot:
        await settle(pilot)
        for keys in ((), ("a",), ("escape", "enter"), ("escape", "question_mark")):
            await press(pilot, *keys)
            for widget in pilot.app.screen.walk_children(LineView):
                if widget.size.area:
                    widths = {s.cell_length for s in widget.render_lines(widget.size.region)}
                    assert widths == {widget.size.width}
    assert all(width_of(line) <= 79 for line in help_lines(79))
