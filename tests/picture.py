"""Draws the README's picture, by the app itself: `python -m tests.picture docs/review.svg`.

The demo's workspace at a fixed time, so that the picture changes when the screen does; a test
compares the words in it.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from passmuster import campaigns, config, keys, policy, store, tlog
from passmuster.cli.demo import import_samples
from passmuster.keys import SigningKey

NOW, ME = "2026-11-23T08:00:00Z", "you@example.com"
SIZE = (150, 40)


def workspace(folder: Path) -> SigningKey:
    """The demo's workspace, at a fixed time."""
    db = store.create(folder)
    import_samples(db, ME, NOW)
    policy.evaluate(db, config.Settings(), NOW)
    key = keys.in_memory(ME)
    tlog.enrol(db, key, NOW)
    wanted = campaigns.Definition("November service accounts", "2026-12-01", ME)
    campaigns.open_campaign(db, wanted, key, config.Settings(), NOW)
    db.close()
    return key


async def picture(folder: Path) -> str:
    """The review screen after a few decisions, as SVG."""
    os.environ["TEXTUAL_ANIMATIONS"] = "none"
    from passmuster.tui.app import MusterApp
    from passmuster.tui.desk import Desk

    key = workspace(folder)
    db = store.open_(folder)
    desk = Desk(folder, ME, lambda _: key, config.Settings(), lambda: NOW, None)
    app = MusterApp(desk, campaigns.campaign(db))
    db.close()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.5)
        for pressed in ("r", "3", "d", "4", "x", "8", "a", "2"):
            await pilot.press(pressed)
            await pilot.pause(0.3)
        await pilot.pause(0.5)
        return app.export_screenshot(title="muster")


def main(path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        path.write_text(asyncio.run(picture(Path(name) / "workspace")), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
