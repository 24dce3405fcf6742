"""The workstation. Textual is imported only when it is run."""

import codecs
import functools
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from passmuster import campaigns, store
from passmuster.config import Settings
from passmuster.errors import MusterError, UsageError
from passmuster.keys import Passphrase, SigningKey
from passmuster.text import rfc3339

Signer = Callable[[Passphrase], SigningKey]
"""Gives the signing key; called in a worker thread. What it is given asks for the passphrase on
the screen and raises KeyUnavailable when the person goes back."""


def run(
    folder: Path,
    campaign_name: str | None,
    me: str,
    signer: Signer,
    settings: Settings,
    now: Callable[[], str] | None = None,
    *,
    fingerprint: str | None = None,
) -> int:
    """Show the queue of *me* in a campaign until they leave; how many drafts are unsigned then.

    *signer* gives the key at the sign-off; *fingerprint* names it beforehand where the workspace
    does not know it (the demo's key in memory).
    """
    if not me:
        raise UsageError("whose queue? set MUSTER_ME, or `me` in config.toml")
    os.environ.setdefault("TEXTUAL_FPS", "120")
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    from passmuster.tui.app import MusterApp
    from passmuster.tui.desk import Desk

    _forgive_bytes()
    db = store.open_(folder, read_only=True)
    try:
        campaign = campaigns.campaign(db, campaign_name)
    finally:
        db.close()
    clock = now or (lambda: rfc3339(datetime.now(UTC)))
    app = MusterApp(Desk(folder, me.lower(), signer, settings, clock, fingerprint), campaign)
    app.run()
    if app.crash:
        raise MusterError(app.crash)
    with_drafts = store.open_(folder, read_only=True)
    try:
        return campaigns.progress(with_drafts, campaign.id, me.lower()).drafts
    finally:
        with_drafts.close()


def _forgive_bytes() -> None:
    """Let a byte that is no UTF-8 arrive as a replacement character.

    Textual 8.2 decodes the keyboard strictly, so one key of a Latin-1 terminal would end the
    program; it looks the decoder up by this name.
    """
    if sys.platform == "win32":
        return
    from textual.drivers import linux_driver

    linux_driver.getincrementaldecoder = lambda encoding: functools.partial(  # type: ignore[attr-defined]
        codecs.getincrementaldecoder(encoding), errors="replace"
    )
