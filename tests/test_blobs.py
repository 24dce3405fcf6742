"""Bytes kept by their digest: whole or in pieces, they come back as they were or not at all."""

import pytest

from passmuster import blobs
from passmuster.errors import NotFound, VerificationFailed
from passmuster.store import Database
from passmuster.text import sha256

LINES = [b"%07d %s" % (n, b"x" * 100) for n in range(30_000)]
LARGE = b"".join(line + b"\n" for line in LINES)


@pytest.mark.parametrize(
    "data", [b"", b"a", b"no newline\nat the end", LARGE, LARGE[:-1]],
    ids=["empty", "one", "small", "large", "large without a newline"],
)  # fmt: skip
def test_what_is_kept_comes_back(db: Database, data: bytes) -> None:
    assert blobs.put(db, data) == sha256(data)
    assert blobs.get(db, sha256(data)) == data
    assert list(blobs.lines(db, sha256(data))) == data.splitlines()
    assert blobs.put(db, data) == sha256(data)


def test_what_is_given_in_parts_is_the_same_as_what_is_given_whole(db: Database) -> None:
    digest = blobs.keep(db, (line + b"\n" for line in LINES))
    assert digest == sha256(LARGE)
    assert blobs.get(db, digest) == LARGE
    assert db.value("SELECT size FROM blob WHERE sha256 = ?", (digest,)) == len(LARGE)
    assert max(map(len, blobs.pieces(db, digest))) < 2 * blobs.PIECE


def test_no_row_of_what_is_large_is_large(db: Database) -> None:
    blobs.put(db, LARGE)
    assert db.value("SELECT count(*) FROM blob") == 5
    assert db.value("SELECT max(length(packed)) FROM blob") < blobs.PIECE


@pytest.mark.parametrize(("sql", "error"), [
    ("UPDATE blob SET packed = substr(packed, 1, length(packed) - 32) WHERE sha256 = ?",
     VerificationFailed),
    ("UPDATE blob SET packed = CAST('pieces' || char(10) AS BLOB) WHERE sha256 = ?",
     VerificationFailed),
    ("UPDATE blob SET packed = x'00' WHERE sha256 <> ?", VerificationFailed),
    ("UPDATE blob SET packed = (SELECT packed FROM blob ORDER BY size LIMIT 1)"
     " WHERE sha256 <> ?", VerificationFailed),
    ("DELETE FROM blob WHERE sha256 <> ?", NotFound),
])  # fmt: skip
def test_pieces_that_are_lost_changed_or_swapped_are_never_handed_out_as_the_whole(
    db: Database, sql: str, error: type[Exception]
) -> None:
    digest = blobs.put(db, LARGE)
    db.execute(sql, (digest,))
    with pytest.raises(error):
        blobs.get(db, digest)


def test_bytes_cut_off_on_the_disk_are_told(db: Database) -> None:
    digest = blobs.put(db, LARGE[:5000])
    db.execute("UPDATE blob SET packed = substr(packed, 1, length(packed) - 1)")
    with pytest.raises(VerificationFailed, match="do not match their digest"):
        blobs.get(db, digest)


def test_what_is_staged_is_kept_only_once_it_lands(db: Database) -> None:
    for lands in (False, True):
        with blobs.staging(db):
            digest = blobs.put(db, LARGE, staged=True)
            if lands:
                blobs.land(db)
        assert db.value("SELECT count(*) FROM blob") == (5 if lands else 0)
    assert blobs.get(db, digest) == LARGE
