"""A packet that is being put together: records come one by one, the rest is known at the end."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from passmuster.errors import UsageError
from passmuster.packets import _archive
from passmuster.packets._archive import CHECKPOINT, MANIFEST, RECORDS, Member
from passmuster.packets._manifest import Kind, Manifest, Place


@dataclass
class Draft:
    """Records so far."""

    _folder: Path
    _stream: BinaryIO
    count: int = 0

    def add(self, line: bytes) -> None:
        """One more line of `records.ndjson`."""
        self._stream.write(line + b"\n")
        self.count += 1

    def write(
        self, out: Path, kind: Kind, principal: str | None, key: str, after: Place,
        checkpoint: str | None, blobs: Sequence[Member], more: Sequence[Member] = (),
    ) -> Manifest:  # fmt: skip
        """Write the packet as the new file *out* (0600), which is there once it is whole.

        Raises UsageError where there is such a file.
        """
        if out.exists():
            raise UsageError(f"{out} is there already: name another file")
        self._stream.flush()
        manifest = Manifest(kind, principal, key, after, self.count, len(blobs))
        members = [
            Member.of(MANIFEST, manifest.as_bytes()),
            Member.at(RECORDS, self._folder / RECORDS),
            *([Member.of(CHECKPOINT, checkpoint.encode())] if checkpoint is not None else []),
            *blobs,
            *more,
        ]
        part = self._folder / "packet"
        part.touch(mode=0o600)
        with part.open("wb") as stream:
            _archive.write(stream, members)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(out)
        return manifest


@contextmanager
def draft(beside: Path) -> Iterator[Draft]:
    """Begin a packet; what is unfinished lies in a private folder in *beside*, and goes."""
    if not beside.is_dir():
        raise UsageError(f"{beside}: no such folder")
    with tempfile.TemporaryDirectory(prefix=".packet-", dir=beside) as made:
        folder = Path(made)
        with (folder / RECORDS).open("wb") as stream:
            yield Draft(folder, stream)
