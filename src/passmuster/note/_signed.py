"""A note: text, an empty line, and one signature line for each who signed it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from passmuster import sshsig
from passmuster.errors import VerificationFailed
from passmuster.model import SSH_NAMESPACE
from passmuster.note._keys import COSIGNATURE, OTHER, VerifierKey
from passmuster.note._text import MAX_TIME, check_name, decode, to_base64, unbase64
from passmuster.text import visible

MAX_LINES = 100
"""Signature lines of a note; what Go's reader takes."""
DASH = "— "

Raw = Callable[[bytes], bytes]
"""Data → signature over it: 64 bytes, or of an SSH key the file that ssh-keygen makes."""


@dataclass(frozen=True, slots=True)
class Line:
    """One signature line."""

    name: str
    id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{DASH}{self.name} {to_base64(self.id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note taken apart; nothing in it is checked."""

    text: str
    """With its last newline, without the empty line: this is what is signed."""
    lines: tuple[Line, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.lines))}"


@dataclass(frozen=True, slots=True)
class SignedBy:
    """A line that holds."""

    key: VerifierKey
    line: Line
    at: int | None
    """When a witness signed, by its own clock, in seconds since 1970."""


def parse(data: bytes | str) -> Note:
    """Read a note. Raises VerificationFailed for what is not one."""
    whole = decode(data, "the note")
    text, gap, tail = whole.rpartition("\n\n")
    if not gap or not tail:
        raise VerificationFailed(
            "not a checkpoint or another signed note: no signature lines after an empty line"
        )
    return Note(text + "\n", parse_lines(tail))


def parse_lines(data: bytes | str) -> tuple[Line, ...]:
    """Read signature lines, as a witness returns them."""
    text = decode(data, "the signature lines")
    if not text.endswith("\n"):
        raise VerificationFailed("the last signature line has no end")
    rows = text[:-1].split("\n")
    if len(rows) > MAX_LINES:
        raise VerificationFailed(f"more than {MAX_LINES} signature lines")
    return tuple(map(_line, rows))


def _line(text: str) -> Line:
    name, space, packed = text.removeprefix(DASH).partition(" ")
    if not (text.startswith(DASH) and space):
        # what stands there is not repeated: a wrong file may hold a secret
        raise VerificationFailed("not a signature line: it does not begin with “— NAME ”")
    check_name(name)
    data = unbase64(packed, f"the signature of {visible(name)}")
    if len(data) < 5:
        raise VerificationFailed(f"the signature of {visible(name)} is too short")
    return Line(name, data[:4], data[4:])


def verify(note: Note, keys: Iterable[VerifierKey]) -> list[SignedBy]:
    """Whose of *keys* signed *note*, each once.

    Lines of others are ignored; a line of one of *keys* that does not hold spoils the note.
    Raises VerificationFailed for that, and when none of *keys* signed.
    """
    known = {(key.name, key.id): key for key in keys}
    found: dict[VerifierKey, SignedBy] = {}
    for line in note.lines:
        key = known.get((line.name, line.id))
        if key is not None:
            found.setdefault(key, SignedBy(key, line, _check(key, line, note.text)))
    if not found:
        raise VerificationFailed("none of the known keys signed it")
    return list(found.values())


def _check(key: VerifierKey, line: Line, text: str) -> int | None:
    at, signature, data = None, line.signature, text.encode()
    if key.kind == COSIGNATURE:
        if len(signature) != 72:
            raise VerificationFailed(f"the cosignature of {visible(key.name)} has a wrong length")
        at, signature = int.from_bytes(signature[:8]), signature[8:]
        if at > MAX_TIME:
            raise VerificationFailed(f"the cosignature of {visible(key.name)} has no possible time")
        data = _cosigned(text, at)
    try:
        if key.kind == OTHER:
            sshsig.verify(signature, key.ssh_line, SSH_NAMESPACE, data)
        else:
            _ed25519(key.material, signature, data)
    except VerificationFailed as error:
        raise VerificationFailed(f"the signature of {visible(key.name)}: {error}") from None
    return at


def _ed25519(public: bytes, signature: bytes, data: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        raise VerificationFailed("it does not match the text") from None


def _cosigned(text: str, at: int) -> bytes:
    """What a witness signs (c2sp.org/tlog-cosignature, Ed25519)."""
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def sign(text: str, key: VerifierKey, raw: Raw) -> Line:
    """The line of *key* under *text*; *raw* signs with its private half."""
    return Line(key.name, key.id, raw(text.encode()))


def cosign(text: str, key: VerifierKey, raw: Raw, at: int) -> Line:
    """A witness's line under a checkpoint's *text*, saying that it was seen *at*."""
    return Line(key.name, key.id, at.to_bytes(8) + raw(_cosigned(text, at)))
