"""The files of a pack: written with their digests as they go by, read back from a folder or RAM.

A pack may hold a million items, so nothing here holds a whole file that grows with them. The
second reader (`Memory`) is for the test that flips every byte of a pack.
"""

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from passmuster.errors import VerificationFailed
from passmuster.text import sha256, strict_json

MAX_SMALL_BYTES = 64 * 1024 * 1024
"""A file that is read whole (a statement, a table of keys) and a line of the others, in bytes."""


class Files(Protocol):
    """The files of a pack by their path, `/` between the parts."""

    def names(self) -> set[str]:
        """Every file."""

    def open(self, name: str) -> BinaryIO:
        """The bytes of a file that `names` has."""

    def digest(self, name: str) -> str:
        """Hex SHA-256 of a file."""


class Folder:
    """A pack on a disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> set[str]:
        """Every file; a link or a device among them is refused: it is no evidence."""
        found: set[str] = set()
        for folder, folders, files in os.walk(self.root):
            for name in [*folders, *files]:
                path = Path(folder, name)
                if path.is_symlink() or not (path.is_dir() or path.is_file()):
                    raise VerificationFailed(f"{path}: is no plain file")
            found |= {Path(folder, name).relative_to(self.root).as_posix() for name in files}
        return found

    def open(self, name: str) -> BinaryIO:
        """The file, for reading."""
        return (self.root / name).open("rb")

    def digest(self, name: str) -> str:
        """Hex SHA-256 of the file."""
        with self.open(name) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]


class Memory:
    """A pack in RAM; the digest of bytes that did not change is computed once."""

    def __init__(self, content: dict[str, bytes], digests: dict[bytes, str] | None = None) -> None:
        self.content = content
        self.digests = {} if digests is None else digests

    def names(self) -> set[str]:
        """Every file."""
        return set(self.content)

    def open(self, name: str) -> BinaryIO:
        """The file, for reading."""
        return io.BytesIO(self.content[name])

    def digest(self, name: str) -> str:
        """Hex SHA-256 of the file."""
        data = self.content[name]
        return self.digests.get(data) or sha256(data)


def whole(files: Files, name: str) -> bytes:
    """All of a small file; VerificationFailed when it is missing or too large for one."""
    try:
        with files.open(name) as stream:
            data = stream.read(MAX_SMALL_BYTES + 1)
    except (KeyError, OSError):
        raise VerificationFailed(f"{name}: is missing") from None
    if len(data) > MAX_SMALL_BYTES:
        raise VerificationFailed(f"{name}: is larger than such a file can be")
    return data


def lines(files: Files, name: str, start: int = 0) -> Iterator[bytes]:
    """The lines of a file without their newlines; each must have one."""
    try:
        stream = files.open(name)
    except (KeyError, OSError):
        raise VerificationFailed(f"{name}: is missing") from None
    with stream:
        stream.seek(start)
        while line := stream.readline(MAX_SMALL_BYTES):
            if not line.endswith(b"\n"):
                raise VerificationFailed(f"{name}: its last line is cut off")
            yield line[:-1]


def json_lines(files: Files, name: str) -> Iterator[tuple[bytes, Any]]:
    """(bytes, value) of each line of a `.jsonl` file; each must be canonical JSON."""
    for number, line in enumerate(lines(files, name), 1):
        yield line, parsed(line, f"{name} line {number}")


def parsed(data: bytes, where: str) -> Any:
    """The value of one canonical JSON text, an object; VerificationFailed names *where*."""
    try:
        value = strict_json(data)
    except (ValueError, RecursionError) as error:
        raise VerificationFailed(f"{where}: {error}") from None
    if not isinstance(value, dict):
        raise VerificationFailed(f"{where}: not a JSON object")
    return value


class Writer:
    """Writes the files of a pack and remembers the digest of each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.digests: dict[str, str] = {}

    @contextmanager
    def stream(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """Write *name* piece by piece with what this yields."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with path.open("xb") as stream:

            def write(piece: bytes) -> None:
                digest.update(piece)
                stream.write(piece)

            yield write
        self.digests[name] = digest.hexdigest()

    def add(self, name: str, content: bytes | Iterable[bytes]) -> None:
        """Write *content* as *name*."""
        with self.stream(name) as write:
            for piece in [content] if isinstance(content, bytes) else content:
                write(piece)

    def sums(self) -> bytes:
        """What `SHA256SUMS` says: every file written so far, in the form of sha256sum."""
        return "".join(f"{self.digests[n]}  {n}\n" for n in sorted(self.digests)).encode()
