"""The workstation. Textual is imported only when it is run."""

import contextlib
import gc
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from passmuster import campaigns, store
from passmuster.config import Settings
from passmuster.errors import MusterError
from passmuster.text import rfc3339
from passmuster.tui.desk import Desk, Signer


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

    Without a campaign, or without a *me*, the screen begins where one can be chosen or made.

    *signer* gives the key at the sign-off; *fingerprint* names it beforehand where the workspace
    does not know it (the demo's key in memory).
    """
    os.environ.setdefault("TEXTUAL_FPS", "120")
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    gc.disable()  # until the first frame: there is no garbage in imports (`app._begun`)
    from passmuster.tui.app import MusterApp
    from passmuster.tui.terminal import (
        leave_the_keyboard,
        mind_the_encoding,
        mind_the_keyboard,
    )

    mind_the_keyboard()
    mind_the_encoding()
    store.open_(folder).close()  # brings an older workspace up to date; the screen only reads
    with _reading(folder) as db:
        campaign = _campaign(db, campaign_name)
    clock = now or (lambda: rfc3339(datetime.now(UTC)))
    app = MusterApp(Desk(folder, me.lower(), signer, settings, clock, fingerprint), campaign)
    try:
        app.run(mouse=settings.mouse)
    finally:
        gc.enable()
        leave_the_keyboard(app)
    if app.crash:
        raise MusterError(app.crash)
    if app.ended_by:
        raise SystemExit(128 + app.ended_by)
    with _reading(folder) as db:
        return sum(campaigns.progress(db, c.id, app.desk.me).drafts
                   for c in campaigns.campaigns(db) if c.closed_at is None)  # fmt: skip


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[store.Database]:
    db = store.open_(folder, read_only=True)
    try:
        yield db
    finally:
        db.close()


def _campaign(db: store.Database, name: str | None) -> campaigns.Campaign | None:
    """The one that was named, else the only open one; None leaves it to the person."""
    if name is not None:
        return campaigns.campaign(db, name)
    found = [c for c in campaigns.campaigns(db) if c.closed_at is None]
    return found[0] if len(found) == 1 else None
