"""The central log as this workspace knows it."""

from passmuster.errors import VerificationFailed
from passmuster.store import Database


def pin(db: Database, url: str, origin: str, log_key: str, now: str) -> None:
    """Keep which central log this workspace syncs with, and the verifier key that it trusts.

    The same log under another address is moved to there. Raises VerificationFailed when another
    log, or another key, is pinned already: that is never replaced by what a server says.
    """
    with db.atomic():
        held = db.one("SELECT origin, log_key FROM central")
        if held is None:
            db.execute(
                "INSERT INTO central (id, url, origin, log_key, pinned_at) VALUES (1, ?, ?, ?, ?)",
                (url, origin, log_key, now),
            )
        elif (held[0], held[1]) != (origin, log_key):
            raise VerificationFailed(
                f"this workspace is pinned to the log {held[0]}, and {url} has another key: use "
                "another workspace for it (--workspace DIR)"
            )
        else:
            db.execute("UPDATE central SET url = ?", (url,))
