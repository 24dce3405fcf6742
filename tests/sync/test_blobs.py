"""Bytes that come in pieces, of any size, and the memory that a sync takes."""

import hashlib
import resource
from collections.abc import Iterator
from typing import Any

import pytest

from passmuster import blobs, store
from passmuster.errors import VerificationFailed

SIZES = [0, 1, blobs.PIECE - 1, blobs.PIECE, blobs.PIECE + 1, 3 * blobs.PIECE + 7]


@pytest.mark.parametrize("size", SIZES)
def test_what_comes_in_pieces_is_what_was_put(db: store.Database, size: int) -> None:
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    digest = hashlib.sha256(data).hexdigest()
    blobs.take(db, digest, (data[at : at + 70_000] for at in range(0, size, 70_000)))
    assert blobs.has(db, digest)
    assert blobs.size(db, digest) == size
    assert blobs.get(db, digest) == data
    assert blobs.put(db, data) == digest


def test_what_has_another_digest_is_not_kept(db: store.Database) -> None:
    with pytest.raises(VerificationFailed, match="another digest"):
        blobs.take(db, "0" * 64, [b"x" * 3_000_000])
    assert db.value("SELECT count(*) FROM blob") == 0


class Slow(BaseException):
    """The line goes dead."""


def test_nobody_waits_to_write_while_bytes_come(db: store.Database, folder: Any) -> None:
    data = b"x" * 3_000_000
    other = store.open_(folder)

    def coming() -> Iterator[bytes]:
        yield data[:2_000_000]
        with other.atomic():
            other.execute("INSERT INTO workspace VALUES ('while', 'it comes')")
        yield data[2_000_000:]

    blobs.take(db, hashlib.sha256(data).hexdigest(), coming())
    other.close()

    def dead() -> Iterator[bytes]:
        yield data
        raise Slow

    count = db.value("SELECT count(*) FROM blob")
    with pytest.raises(Slow):
        blobs.take(db, "0" * 64, dead())
    assert db.value("SELECT count(*) FROM blob") == count


@pytest.mark.long
def test_a_large_file_takes_little_memory(db: store.Database) -> None:
    line = b'{"decision":"approve","item":"%020d"}\n'
    mark = hashlib.sha256()
    for n in range(3_000_000):
        mark.update(line % n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    blobs.take(db, mark.hexdigest(), (line % n for n in range(3_000_000)))
    for _ in blobs.pieces(db, mark.hexdigest()):
        pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 120_000  # KiB
