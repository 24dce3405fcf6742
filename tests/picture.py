"""Draws the README's pictures, by the app itself: `python -m tests.picture docs`.

The demo's workspace at a fixed time, so that a picture changes when its screen does; a test
compares the words in them.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from passmuster import campaigns, config, keys, policy, store, tlog
from passmuster.cli.demo import import_samples
from passmuster.keys import SigningKey

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from passmuster.tui.app import MusterApp

NOW, ME = "2026-11-23T08:00:00Z", "you@example.com"
SIZE = (150, 40)
SHOWN: dict[str, tuple[tuple[int, int], tuple[str, ...]]] = {
    "review": (SIZE, ("r", "3", "d", "4", "x", "8", "a", "2")),
    "review-80x24": ((80, 24), ("o",)),
    "groups": (SIZE, ("equals_sign", "1", "down", "down", "down", "down")),
    "sign-off": ((110, 32), ("dollar_sign",)),
    "findings": (SIZE, ("f", "down", "down")),
    "people": (SIZE, ("w", "down")),
}
"""Each picture: the size of the terminal, and the keys that lead to it, one after the other on the
same workspace."""


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


async def pictures(folder: Path) -> dict[str, str]:
    """Every picture as SVG, by its name."""
    os.environ["TEXTUAL_ANIMATIONS"] = "none"
    key = workspace(folder)
    return {
        name: await _picture(folder, key, size, pressed) for name, (size, pressed) in SHOWN.items()
    }


async def _picture(
    folder: Path, key: SigningKey, size: tuple[int, int], pressed: tuple[str, ...]
) -> str:
    from passmuster.tui.app import MusterApp
    from passmuster.tui.desk import Desk

    db = store.open_(folder)
    # the key is another in every run: what is painted of it is not
    desk = Desk(folder, ME, lambda _: key, config.Settings(), lambda: NOW, "SHA256:the-demo-key")
    app = MusterApp(desk, campaigns.campaign(db))
    db.close()
    async with app.run_test(size=size) as pilot:
        await _rest(app, pilot)
        for one in pressed:
            await pilot.press(one)
            await _rest(app, pilot)
        return app.export_screenshot(title="muster")


async def _rest(app: "MusterApp", pilot: "Pilot[None]") -> None:
    """Until every thread has come to rest and the screen shows it."""
    for _ in range(2):
        await app.workers.wait_for_complete()
        app.writer.flush()
        await pilot.pause()


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        for title, svg in asyncio.run(pictures(Path(name) / "workspace")).items():
            (folder / f"{title}.svg").write_text(svg, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
