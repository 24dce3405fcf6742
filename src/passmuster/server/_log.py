"""The log of the server: its key, its head, its tree as tiles, and the checkpoints that it signs.

The head row has size and root; whoever appends locks it, so that the indexes have no gap whatever
the number of replicas. Tiles, records and head change in one transaction. A checkpoint says only
what the head says, and any replica can sign it: Ed25519 gives the same bytes again.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from passmuster import merkle, note
from passmuster.errors import WorkspaceError
from passmuster.model import DOMAIN
from passmuster.note import Checkpoint, Line, Note, VerifierKey
from passmuster.server._store import Tx

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE = "log.key"
"""In the server's folder, 0600: the log's key, PKCS #8 in PEM, not encrypted."""
NEXT_KEY_FILE = "log.key.new"
"""The key of the next epoch, while `muster serve recover` is at work."""


@dataclass(frozen=True, slots=True)
class Head:
    """How long the log is."""

    origin: str
    verifier: str
    """The verifier key, as it is told to everybody."""
    size: int
    root: bytes
    stopped: str | None
    """Why nothing may be written; None as it should be."""

    @property
    def checkpoint(self) -> Checkpoint:
        """What it says to others."""
        return Checkpoint(self.origin, self.size, self.root)


@dataclass(frozen=True, slots=True)
class LogKey:
    """The key that signs checkpoints, and access tokens."""

    private: "Ed25519PrivateKey"
    verifier: VerifierKey

    @property
    def origin(self) -> str:
        """The name of the log."""
        return self.verifier.name

    def sign(self, said: Checkpoint) -> Note:
        """The checkpoint as a note."""
        return Note(said.text, (note.sign(said.text, self.verifier, self.private.sign),))


def new_origin() -> str:
    """A name that no other log has."""
    return f"{DOMAIN}/central/{secrets.token_hex(8)}"


def make_key(path: Path, origin: str) -> LogKey:
    """Make a key for the log *origin* and keep it in *path* (0600), which must not be there."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    )  # fmt: skip
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(pem)
    return _log_key(private, origin)


def load_key(path: Path, origin: str) -> LogKey:
    """The key in *path*. Raises WorkspaceError when it is no key, or open to other users."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if path.stat().st_mode & 0o077:
        raise WorkspaceError(f"{path}: other users may read it; run: chmod 600 {path}")
    try:
        private = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise WorkspaceError(f"{path}: not the key of a log: {error}") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise WorkspaceError(f"{path}: not an Ed25519 key")
    return _log_key(private, origin)


def _log_key(private: "Ed25519PrivateKey", origin: str) -> LogKey:
    return LogKey(private, note.ed25519_key(origin, private.public_key().public_bytes_raw()))


# --- head and tree


def head(tx: Tx, *, lock: bool = False) -> Head:
    """The head; with *lock* nobody else appends until the transaction ends."""
    row = tx.one("SELECT origin, verifier, size, root, stopped FROM head WHERE id = 1"
                 + (tx.for_update if lock else ""))  # fmt: skip
    if row is None:
        raise WorkspaceError("the database has no log: was it emptied? see `muster serve --help`")
    origin, verifier, size, root, stopped = row
    return Head(origin, verifier, int(size), bytes(root), stopped)


def found(tx: Tx, key: LogKey) -> None:
    """Begin the log of *key*, empty; nothing where there is one."""
    tx.execute(
        "INSERT INTO head (id, origin, verifier, size, root) VALUES (1, ?, ?, 0, ?)"
        " ON CONFLICT DO NOTHING",
        (key.origin, str(key.verifier), bytes.fromhex(merkle.EMPTY_ROOT)),
    )  # fmt: skip


def tiles(tx: Tx) -> merkle.Tiles:
    """Read tiles of the log."""

    def read(level: int, index: int) -> bytes:
        there = tx.value("SELECT hashes FROM log_tile WHERE level = ? AND idx = ?", (level, index))
        return b"" if there is None else bytes(there)

    return read


def grow(tx: Tx, now: Head, leaves: Iterable[bytes], count: int) -> Head:
    """Put *leaves* (hashes) behind the locked head *now*; the new head, written down."""
    read = tiles(tx)
    held: dict[tuple[int, int], bytes] = {}
    for level, index, hashes in merkle.grow(read, now.size, leaves):
        held[level, index] = hashes
        tx.execute(
            "INSERT INTO log_tile (level, idx, hashes) VALUES (?, ?, ?)"
            " ON CONFLICT (level, idx) DO UPDATE SET hashes = excluded.hashes",
            (level, index, hashes),
        )
    size = now.size + count
    root = merkle.root_at(lambda *at: held[at] if at in held else read(*at), size)
    tx.execute("UPDATE head SET size = ?, root = ? WHERE id = 1", (size, root))
    return Head(now.origin, now.verifier, size, root, now.stopped)


def root_at(tx: Tx, size: int) -> bytes:
    """The root over the first *size* records."""
    return merkle.root_at(tiles(tx), size)


def stop(tx: Tx, why: str) -> None:
    """Let nothing be written any more, on any replica, until somebody recovers the log."""
    tx.execute("UPDATE head SET stopped = ? WHERE id = 1 AND stopped IS NULL", (why,))


def contradicts(tx: Tx, there: Head, said: Checkpoint) -> str | None:
    """Why a checkpoint of this log shows that it was set back or forked; None where it holds."""
    if said.size > there.size:
        return f"a checkpoint of {said.size} records was seen; the log has {there.size}"
    if said.root != root_at(tx, said.size):
        return f"a checkpoint of {said.size} records was seen that has another root"
    return None


# --- lines of witnesses


def cosignatures(tx: Tx, origin: str, size: int) -> tuple[Line, ...]:
    """The lines of witnesses under the checkpoint of *size*."""
    rows = tx.execute(
        "SELECT line FROM witness_line WHERE origin = ? AND size = ? ORDER BY witness",
        (origin, size),
    )
    return tuple(note.parse_lines(row[0])[0] for row in rows)


def cosigned_size(tx: Tx, origin: str, witness: VerifierKey) -> int:
    """The largest size that *witness* has cosigned, 0 for none."""
    size = tx.value("SELECT max(size) FROM witness_line WHERE origin = ? AND witness = ?",
                    (origin, str(witness)))  # fmt: skip
    return int(size or 0)


def keep_cosignature(tx: Tx, origin: str, size: int, witness: VerifierKey, line: Line) -> None:
    """Keep a line that was checked."""
    tx.execute(
        "INSERT INTO witness_line (origin, size, witness, line) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (origin, size, witness) DO UPDATE SET line = excluded.line",
        (origin, size, str(witness), str(line)),
    )  # fmt: skip
