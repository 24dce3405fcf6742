"""The rosters of a workspace: its log has the statements, its blobs the `allowed_signers`."""

import functools

from passmuster import attestations, blobs, store
from passmuster.errors import NotFound, VerificationFailed
from passmuster.roster._allowed import Line
from passmuster.roster._model import Roster, read
from passmuster.store import Database

_ENVELOPES = "SELECT envelope FROM entry WHERE predicate = 'roster' ORDER BY id DESC"
"""`predicate = 'roster'` as the partial index has it: asked before each statement."""


def current(db: Database) -> Roster | None:
    """The newest roster in the log, None in a workspace that has none.

    It was verified when it was logged, and `tlog.check` verifies it again.
    """
    row = db.one(f"{_ENVELOPES} LIMIT 1")
    return None if row is None else _read(db, bytes(row[0]))


def in_force(db: Database, entry_id: int) -> Roster | None:
    """The roster in force at a place of the log: the newest one before that entry."""
    row = db.one(
        "SELECT envelope FROM entry WHERE predicate = 'roster' AND id < ? ORDER BY id DESC LIMIT 1",
        (entry_id,),
    )
    return None if row is None else _read(db, bytes(row[0]))


def current_name(db: Database) -> str | None:
    """The digest of the newest roster's statement."""
    sql = "SELECT statement FROM entry WHERE predicate = 'roster' ORDER BY id DESC LIMIT 1"
    return None if (name := db.value(sql)) is None else str(name)


def history(db: Database) -> list[Roster]:
    """Every roster in the log, the first one first."""
    rows = db.execute(_ENVELOPES).fetchall()
    return [_read(db, bytes(row[0])) for row in reversed(rows)]


def envelopes(db: Database) -> list[tuple[bytes, bytes]]:
    """(envelope, `allowed_signers`) of every roster, the first one first."""
    found = [bytes(row[0]) for row in db.execute(_ENVELOPES).fetchall()]
    return [(envelope, signers_of(db, envelope)) for envelope in reversed(found)]


def signers_of(db: Database, envelope: bytes) -> bytes:
    """The `allowed_signers` of a roster that is in the log."""
    return blobs.get(db, _file_of(envelope))


@functools.lru_cache(maxsize=16)
def _file_of(envelope: bytes) -> str:
    subject = attestations.unchecked(envelope).subject
    if len(subject) != 1:
        raise VerificationFailed("a roster is about one file")
    return subject[0][1]


def _read(db: Database, envelope: bytes) -> Roster:
    return _parsed(envelope, signers_of(db, envelope))


@functools.lru_cache(maxsize=16)
def _parsed(envelope: bytes, text: bytes) -> Roster:
    """A version; lists ask for the same one with each window that they draw."""
    return read(attestations.unchecked(envelope), text)


def strange_keys(db: Database, me: str) -> list[Line]:
    """Keys that the roster lists under my name and that are not mine as far as is known here.

    The own-key alarm: when enough registrars put a key of theirs under my name, I am the only
    one who can see it. A key of mine in another workspace is one of them until I say so.
    """
    roster = current(db)
    if roster is None or not me:
        return []
    mine = {
        row[0] for row in db.execute(
            "SELECT fingerprint FROM signing_key WHERE lower(principal) = lower(?1)"
            " AND store <> 'foreign'"
            " UNION SELECT substr(key, 6) FROM workspace WHERE key >= 'mine:' AND key < 'mine;'",
            (me,),
        )
    }  # fmt: skip
    strange = [line for line in roster.lines if line.principal.casefold() == me.casefold()]
    return [line for line in strange if line.fingerprint not in mine]


def mine(db: Database, me: str, mark: str, now: str) -> None:
    """Say that a key which the roster has under my name is mine, kept elsewhere."""
    if mark not in {line.fingerprint for line in strange_keys(db, me)}:
        raise NotFound(f"the roster has no key {mark} under your name that is not known here")
    store.remember(db, f"mine:{mark}", now)


def alarm(db: Database, me: str) -> str:
    """One loud line when there are keys under my name that I do not know; else empty."""
    strange = strange_keys(db, me)
    if not strange:
        return ""
    marks = ", ".join(dict.fromkeys(line.fingerprint for line in strange))
    return (
        f"THE ROSTER HAS A KEY UNDER YOUR NAME THAT IS NOT FROM HERE: {marks}. Not yours? Tell the"
        " registrars and your auditor now. Yours? muster roster mine KEY"
    )
