"""A first sync of a log of a million entries: memory and time, with the server made up."""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from passmuster import merkle, note, store, sync, tlog
from passmuster.note import Checkpoint, Note

ENTRIES, PAGE = 1_000_000, 1_000
ORIGIN = "passmuster.example/central/million"
HEAD = {"muster-protocol": "1.0"}


class Lines(httpx.SyncByteStream):
    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[bytes]:
        return self._lines


class Million(httpx.BaseTransport):
    """A log of leaves that are nobody's to see."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.verifier = note.ed25519_key(ORIGIN, self.key.public_key().public_bytes_raw())
        tree = merkle.Frontier()
        for n in range(ENTRIES):
            tree.append(self.leaf(n))
        said = Checkpoint(ORIGIN, ENTRIES, bytes.fromhex(tree.root()))
        self.note = str(Note(said.text, (note.sign(said.text, self.verifier, self.key.sign),)))

    @staticmethod
    def leaf(n: int) -> bytes:
        return hashlib.sha256(b"%d" % n).digest()

    def page(self, after: int) -> Iterator[bytes]:
        for n in range(after, min(ENTRIES, after + PAGE)):
            said = {"index": n, "leaf": self.leaf(n).hex(), "line": None}
            yield json.dumps(said).encode() + b"\n"
        yield json.dumps({"checkpoint": self.note}).encode() + b"\n"

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("checkpoint"):
            headers = {
                **HEAD,
                "content-type": "text/plain",
                "content-length": str(len(self.note.encode())),
            }
            return httpx.Response(
                200, headers=headers, stream=httpx.ByteStream(self.note.encode())
            )  # fmt: skip
        headers = {**HEAD, "content-type": "application/x-ndjson", "transfer-encoding": "chunked"}
        after = int(request.url.params["after"])
        return httpx.Response(200, headers=headers, stream=Lines(self.page(after)))


def anonymous() -> int:
    """KiB of memory that are not pages of a file: SQLite maps the workspace's."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_million_entries_are_verified_in_little_memory(db: store.Database) -> None:
    server = Million()
    tlog.pin(db, "https://central.example", ORIGIN, str(server.verifier), "2026-11-23T08:00:00Z")
    before, most = anonymous(), 0

    def look(*_: object) -> None:
        nonlocal most
        most = max(most, anonymous())

    began = time.monotonic()
    with sync.connect(db, "https://central.example", transport=server) as caller:
        work = sync.Work(
            db, caller, "rev@example.com", lambda: "2026-11-23T08:00:00Z", progress=look
        )
        sync.sync(work)
    grown = most - before
    print(f"{ENTRIES:,} entries in {time.monotonic() - began:.0f} s, {grown / 1024:.0f} MiB more")
    assert tlog.pinned(db).size == ENTRIES
    assert grown < 120_000  # KiB; of it 64 MiB are SQLite's cache of pages
    assert sync.state(db).kind == "synced"
