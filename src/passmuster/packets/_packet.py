"""A packet that is open: every byte has the digest that it says, and the log's part adds up.

What is proved here needs no key: that the entries, put behind the tree that the packet names, lead
to the root of its checkpoint. Whose checkpoint that is, and whether it is the log that one knows,
is for whoever has the log's key (`Packet.signed_by`).
"""

import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from passmuster import central, merkle, note
from passmuster.central import LIMITS, Fed
from passmuster.errors import NotFound, VerificationFailed
from passmuster.note import Checkpoint, VerifierKey
from passmuster.packets import _archive
from passmuster.packets._archive import CHECKPOINT, MANIFEST, RECORDS, RESULTS
from passmuster.packets._manifest import Manifest, read_manifest
from passmuster.text import strict_json

MAX_BYTES = 16 * 1024**3
"""That any packet may unpack to on a workstation."""


@dataclass
class Packet:
    """An open packet."""

    manifest: Manifest
    checkpoint: str | None
    """The note; None in an upload whose sender has seen none."""
    names: dict[str, int]
    """Every file and its size."""
    _folder: Path
    _digests: dict[str, str] = field(repr=False)
    starts: "array[int]" = field(default_factory=lambda: array("Q"), repr=False)
    """Where each record begins, and where the last one ends."""

    @property
    def said(self) -> Checkpoint | None:
        """What the checkpoint says."""
        if self.checkpoint is None:
            return None
        return note.parse_checkpoint(note.parse(self.checkpoint).text)

    @property
    def size(self) -> int:
        """How many entries the log has with those of this packet."""
        return self.manifest.after.size + self.manifest.records

    def data(self, name: str) -> bytes:
        """A file that is not large."""
        return self.path(name).read_bytes()

    def path(self, name: str) -> Path:
        """Where a file lies. Raises NotFound."""
        if name not in self._digests:
            raise NotFound(f"the packet has no {name}")
        return self._folder / self._digests[name]

    def blob(self, digest: str) -> Path | None:
        """Where the bytes of that digest lie, None where the packet has none."""
        return self.path(name) if (name := f"blobs/{digest}") in self._digests else None

    def lines(self, first: int = 0, count: int | None = None) -> Iterator[bytes]:
        """Lines of `records.ndjson`, from number *first* of them on."""
        end = self.manifest.records if count is None else min(first + count, self.manifest.records)
        if first >= end:
            return
        with self.path(RECORDS).open("rb") as stream:
            stream.seek(self.starts[first])
            for at in range(first, end):
                yield stream.read(self.starts[at + 1] - self.starts[at])[:-1]

    def entries(self, after: int, count: int | None = None) -> Iterator[tuple[int, Fed]]:
        """(index in the log, entry), from index *after* on; of a packet that is no upload."""
        first = max(0, after - self.manifest.after.size)
        for at, line in enumerate(self.lines(first, count), self.manifest.after.size + first):
            entry = central.read_fed(line, at)
            assert isinstance(entry, Fed)  # it was checked
            yield at, entry

    def results(self) -> list[dict[str, Any]]:
        """What the server said of each record of an upload; a claim of whoever made the packet."""
        if RESULTS not in self._digests:
            return []
        found: list[dict[str, Any]] = strict_json(self.data(RESULTS))
        return found

    def signed_by(self, key: VerifierKey) -> Checkpoint:
        """The checkpoint, if *key* signed it. Raises VerificationFailed."""
        if self.checkpoint is None:
            raise VerificationFailed("the packet has no checkpoint")
        return note.Policy((key,)).check(self.checkpoint).checkpoint


@contextmanager
def opened(path: Path, beside: Path | None = None, most: int = MAX_BYTES) -> Iterator[Packet]:
    """Open the packet *path*, unpacked into a private folder that is gone afterwards.

    That folder is made in *beside*. Raises VerificationFailed for what is no packet, or one whose
    parts do not fit each other.
    """
    if not path.is_file():
        raise NotFound(f"{path}: no such file")
    with tempfile.TemporaryDirectory(prefix="packet-", dir=beside) as made:
        folder = Path(made)
        found = _archive.read(path, folder, most)
        names = {name: size for name, (size, _) in found.items()}
        digests = {name: digest for name, (_, digest) in found.items()}
        for needed in (MANIFEST, RECORDS):
            if needed not in names:
                raise VerificationFailed(f"the packet has no {needed}")
        manifest = read_manifest((folder / digests[MANIFEST]).read_bytes())
        signed = None
        if CHECKPOINT in names:
            signed = _text((folder / digests[CHECKPOINT]).read_bytes())
        packet = Packet(manifest, signed, names, folder, digests)
        _check(packet)
        yield packet


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise VerificationFailed("the packet's checkpoint is no text") from None


# --- what must fit


def _check(packet: Packet) -> None:
    manifest = packet.manifest
    blobs = sum(name.startswith("blobs/") for name in packet.names)
    with packet.path(RECORDS).open("rb") as stream:
        _index(packet, stream)
    if (len(packet.starts) - 1, blobs) != (manifest.records, manifest.blobs):
        raise VerificationFailed("the packet has another number of records or blobs than it says")
    said = packet.said
    if said is not None and said.origin != manifest.origin:
        raise VerificationFailed("the packet's checkpoint is of another log than it names")
    if manifest.kind == "upload":
        _check_upload(packet)
    else:
        _check_entries(packet)


def _index(packet: Packet, stream: BinaryIO) -> None:
    at = 0
    packet.starts.append(0)
    while line := stream.readline(central.LINE_BYTES + 1):
        if not line.endswith(b"\n"):
            raise VerificationFailed("a line of records.ndjson is too long, or has no end")
        at += len(line)
        packet.starts.append(at)


def _check_upload(packet: Packet) -> None:
    if any(name == RESULTS or name.startswith("receipts/") for name in packet.names):
        raise VerificationFailed("an upload has neither results nor receipts")
    leaves = set()
    for line in packet.lines():
        if len(line) > LIMITS.record_bytes:
            raise VerificationFailed(f"a record of {len(line):,} bytes")
        central.kind_of(line)
        leaves.add(merkle.leaf_hash(line))
    if len(leaves) != packet.manifest.records:
        raise VerificationFailed("the upload has a record twice")
    said, after = packet.said, packet.manifest.after
    if said is not None and (said.size, said.root.hex()) != (after.size, after.root):
        raise VerificationFailed("the upload's checkpoint is not of the place that it names")


def _check_entries(packet: Packet) -> None:
    said = packet.said
    if said is None:
        raise VerificationFailed("the packet has no checkpoint")
    frontier = packet.manifest.after.frontier()
    wanted = {name: packet.data(name) for name in packet.names if name.startswith("receipts/")}
    for index, line in enumerate(packet.lines(), packet.manifest.after.size):
        entry = central.read_fed(line, index)
        if not isinstance(entry, Fed) or central.fed_line(index, entry) != line:
            raise VerificationFailed(f"entry {index:,} is not in its one form")
        if entry.line is not None and merkle.leaf_hash(entry.line) != entry.leaf:
            raise VerificationFailed(f"entry {index:,} is not what its leaf names")
        frontier.append(entry.leaf)
    if (frontier.size, frontier.root()) != (said.size, said.root.hex()):
        raise VerificationFailed("the packet's entries do not lead to the root of its checkpoint")
    for name, data in wanted.items():
        _check_receipt(packet, said, bytes.fromhex(name[9:73]), data)
    _check_results(packet)


def _check_receipt(packet: Packet, said: Checkpoint, leaf: bytes, data: bytes) -> None:
    found = note.parse_receipt(data)
    if found.checkpoint != packet.checkpoint or str(found).encode() != data:
        raise VerificationFailed("a receipt is of another checkpoint than the packet's")
    merkle.check_inclusion(leaf, found.index, said.size, found.proof, said.root)


def _check_results(packet: Packet) -> None:
    try:
        for row in packet.results():
            if row.keys() != {"leaf", "status", "index", "code", "detail"}:
                raise ValueError("another form")
            if len(bytes.fromhex(row["leaf"])) != 32:
                raise ValueError("no leaf")
            if row["status"] not in ("accepted", "duplicate", "rejected"):
                raise ValueError("an unknown result")
    except (ValueError, TypeError, AttributeError) as error:
        raise VerificationFailed(f"results.json is not of its form: {error}") from None
