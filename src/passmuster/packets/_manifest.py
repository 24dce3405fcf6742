"""`manifest.json`: what a packet is, and behind what it fits.

Nobody signs it, since whoever carries a packet has no key: what it says is either proved by the
rest of the packet (counts, the tree that it goes on from) or only says what to do with it.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from passmuster import merkle, note
from passmuster.errors import VerificationFailed
from passmuster.text import Json, canonical, strict_json

FORMAT = "muster-packet/v1"
Kind = Literal["upload", "campaign", "receipt"]
KINDS: tuple[Kind, ...] = ("upload", "campaign", "receipt")
MAX_NAME = 400


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody has the log: what comes next fits there and nowhere else."""

    size: int
    root: str
    """In hex."""
    subtrees: tuple[str, ...] = ()
    """In hex, from left to right: what the root is made of (`merkle.subtrees`)."""

    @classmethod
    def of(cls, read: merkle.Tiles, size: int) -> "Place":
        """The place behind the first *size* entries of a log that is kept in tiles."""
        roots = merkle.subtrees(read, size)
        return cls(size, merkle.Frontier(size, roots).root(), tuple(one.hex() for one in roots))

    def frontier(self) -> merkle.Frontier:
        """The tree there. Raises VerificationFailed when it does not lead to the root."""
        found = merkle.Frontier(self.size, [bytes.fromhex(one) for one in self.subtrees])
        if found.root() != self.root:
            raise VerificationFailed("the packet's subtrees do not lead to the root it names")
        return found


@dataclass(frozen=True, slots=True)
class Manifest:
    """What it says."""

    kind: Kind
    principal: str | None
    """Whose outbox it is, or for whom; nothing is believed because of it."""
    key: str
    """Verifier key of the log, whose name is its origin: compared, never trusted."""
    after: Place
    """An upload: how far its sender has the log. Else what must be there before it fits."""
    records: int
    """Lines of `records.ndjson`."""
    blobs: int

    @property
    def origin(self) -> str:
        """The log's name."""
        return note.parse_key(self.key).name

    def as_bytes(self) -> bytes:
        """As it lies in a packet: canonical JSON and a newline."""
        said: Json = {"format": FORMAT, **asdict(self)}
        return canonical(said) + b"\n"


def read_manifest(data: bytes) -> Manifest:
    """Read it. Raises VerificationFailed for anything that `as_bytes` would not have written."""
    try:
        said: Any = strict_json(data.removesuffix(b"\n"))
        if said.pop("format") != FORMAT:
            raise VerificationFailed("a packet of another version: upgrade passmuster")
        after = said.pop("after")
        place = Place(after["size"], after["root"], tuple(after["subtrees"]))
        found = Manifest(after=place, **said)
        _check(found)
        again = found.as_bytes()
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise VerificationFailed(f"manifest.json is not of its form: {error}") from None
    if again != data:
        raise VerificationFailed("manifest.json is not in its one form")
    return found


def _check(said: Manifest) -> None:
    if said.kind not in KINDS:
        raise ValueError(f"a packet of an unknown kind {said.kind!r}")
    if note.parse_key(said.key).kind != note.ED25519:
        raise ValueError("its key is not that of a log")
    if any(type(n) is not int or not 0 <= n < 2**53
           for n in (said.records, said.blobs, said.after.size)):  # fmt: skip
        raise ValueError("a count is no number")
    who = said.principal
    if who is not None and not (0 < len(who) <= MAX_NAME and who.isprintable()):
        raise ValueError("a principal is no name")
    said.after.frontier()
