"""`muster serve recover`: a log that was set back goes on under a new name and a new key.

For the machine of the server alone, with the server stopped. Every record that is in the database
stays at its index; clients that hold more offer it again. Where the old key is lost nobody signs
for the new one but itself: then people compare its pin, and each client the log with its own copy.
"""

from pathlib import Path

from passmuster.central import Recovery, recovery_note
from passmuster.errors import UsageError, WorkspaceError
from passmuster.note import sign
from passmuster.server import _log
from passmuster.server._anchor import Anchor
from passmuster.server._central import ANCHOR, DATABASE, LOST, Settings, finish_recovery, now
from passmuster.server._log import LogKey
from passmuster.server._store import Store, Tx, connect
from passmuster.text import Json, visible

MAX_REASON = 500


def told(tx: Tx) -> Json | None:
    """What `/v1/about` says of recoveries: every statement, the first one first; None for none."""
    rows = tx.execute("SELECT note FROM recovery ORDER BY n")
    return {"notes": [row[0] for row in rows]} if rows else None


def recover(
    settings: Settings, size: int | None, reason: str, *, without_old_key: bool = False
) -> Recovery:
    """Begin a new epoch in which the first *size* records of the old one are as they were.

    *size* is how far the database is known to be what clients have seen: how many records the
    backup had. Records that came after it stay in the log. *without_old_key* says that nobody has
    the old key any more, and is refused while that lies in the folder; then None is the whole log,
    since clients find out by themselves how far it is theirs.
    """
    folder = settings.folder
    if not reason.strip() or len(reason) > MAX_REASON or visible(reason) != reason:
        raise UsageError(f"a reason is one line of at most {MAX_REASON} characters")
    store = connect(settings.database or folder / DATABASE)
    try:
        anchor = Anchor(settings.anchor or folder / ANCHOR)
        try:
            old = _old_key(store, folder, lost=without_old_key)
            return _recover(store, anchor, folder, size, reason, old)
        finally:
            anchor.close()
    finally:
        store.close()


def _old_key(store: Store, folder: Path, *, lost: bool) -> LogKey | None:
    """The key that the log has had; None where it is lost."""
    with store.reading() as tx:
        head = _log.head(tx)
    key_file = folder / _log.KEY_FILE
    key = _log.load_key(key_file, head.origin) if key_file.exists() else None
    is_it = key is not None and str(key.verifier) == head.verifier
    if lost and is_it:
        raise UsageError(f"{key_file} is the log's key: recover with it, without --without-old-key")
    if not lost and not is_it:
        what = "is not here" if key is None else "is not the key of the log in the database"
        raise WorkspaceError(f"{key_file} {what}: {LOST}")
    return key if is_it else None


def _recover(
    store: Store, anchor: Anchor, folder: Path, size: int | None, reason: str, old: LogKey | None
) -> Recovery:
    with store.reading() as tx:
        head = _log.head(tx)
    if size is None:
        if old is not None:
            raise UsageError("say with --to how many records the backup had")
        size = head.size
    if not 0 <= size <= head.size:
        raise UsageError(f"the database has {head.size} records: --to is a size from 0 to that")
    origin = _log.new_origin()
    pending = folder / _log.NEXT_KEY_FILE
    pending.unlink(missing_ok=True)
    new = _log.make_key(pending, origin)
    with store.transaction() as tx:
        there = _log.head(tx, lock=True)
        if there != head:
            raise WorkspaceError("the log changed meanwhile: stop every server, then try again")
        said = Recovery(
            head.origin, head.verifier, size, _log.root_at(tx, size).hex(), origin,
            str(new.verifier), reason, now(),
        )  # fmt: skip
        _write(tx, said, [old, new] if old else [new])
    finish_recovery(folder, head.origin)  # a start does it where a crash came between
    with store.reading() as tx:
        anchor.raise_to(store, _log.head(tx))
    return said


def _write(tx: Tx, said: Recovery, keys: list[LogKey]) -> None:
    lines = [sign(said.text, key.verifier, key.private.sign) for key in keys]
    count = tx.value("SELECT count(*) FROM recovery")
    tx.execute("INSERT INTO recovery (n, note) VALUES (?, ?)",
               (int(count) + 1, recovery_note(said, lines)))  # fmt: skip
    tx.execute("UPDATE head SET origin = ?, verifier = ?, stopped = NULL WHERE id = 1",
               (said.new_origin, said.new_key))  # fmt: skip
