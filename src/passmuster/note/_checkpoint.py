"""A checkpoint: the text in which a log says how long it is and what its root is."""

from collections.abc import Iterable
from dataclasses import dataclass

from passmuster.errors import VerificationFailed
from passmuster.note._keys import VerifierKey
from passmuster.note._signed import Note, SignedBy, parse, verify
from passmuster.note._text import number, to_base64, unbase64


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says; who signed it is told by `open_checkpoint`."""

    origin: str
    """The log's own name."""
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """Further lines: signed, and nothing is read into them."""

    @property
    def text(self) -> str:
        """The text that is signed."""
        lines = (self.origin, str(self.size), to_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Opened:
    """A checkpoint whose signatures hold."""

    checkpoint: Checkpoint
    note: Note
    signed: tuple[SignedBy, ...]


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a note as a checkpoint. Raises VerificationFailed."""
    lines = text.split("\n")
    if lines.pop() != "" or len(lines) < 3 or not all(lines):
        raise VerificationFailed("not a checkpoint: three lines, none empty, and a newline")
    origin, size, root, *extensions = lines
    found = unbase64(root, "the checkpoint's root")
    if len(found) != 32:
        raise VerificationFailed("the checkpoint's root is not 32 bytes long")
    return Checkpoint(origin, number(size, "the checkpoint's size"), found, tuple(extensions))


def open_checkpoint(data: bytes | str | Note, keys: Iterable[VerifierKey]) -> Opened:
    """Read a checkpoint and check who of *keys* signed it.

    A log's key vouches for the log of its own name alone. Raises VerificationFailed.
    """
    note = data if isinstance(data, Note) else parse(data)
    checkpoint = parse_checkpoint(note.text)
    return Opened(checkpoint, note, tuple(verify(note, keys)))
