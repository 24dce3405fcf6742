"""`queues.jsonl`: which chunks of a published campaign are whose, and the leaves that prove it.

A chunk holds items of one reviewer: of each the population row, the assignment row and the frozen
dossier. The leaf hashes of both trees come whole, so that everybody can compute the signed roots
again with their own rows in place: the population is the one that was signed, and nobody sees the
items of others, whose leaves are salted. Line 1 tells what a list is of, each other line one blob.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from passmuster.errors import VerificationFailed
from passmuster.text import canonical, strict_json

Tree = Literal["population", "assignments"]
TREES: tuple[Tree, ...] = ("population", "assignments")
MAX_CHUNK_BYTES = 4 * 1024 * 1024
LEAVES_PER_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Chunk:
    """One blob of a published campaign."""

    sha256: str
    size: int
    """Bytes."""
    count: int
    """Items, or leaf hashes."""
    reviewer: str | None = None
    """Whose items they are; None for leaves, which are everybody's."""
    seconds: bool = False
    """Whether those who may be the second person see it too."""
    leaves: Tree | None = None
    """Of which tree it holds leaf hashes, 32 bytes each, in the order of the lines."""


@dataclass(frozen=True, slots=True)
class Queues:
    """The whole list."""

    campaign: str
    """Digest of the campaign statement."""
    seconds: tuple[str, ...]
    """Who may be a second person, by principal; empty in a campaign without such a rule."""
    chunks: tuple[Chunk, ...]

    @property
    def reviewers(self) -> frozenset[str]:
        """Everybody who has items."""
        return frozenset(c.reviewer for c in self.chunks if c.reviewer is not None)

    def of(self, principal: str) -> tuple[Chunk, ...]:
        """The chunks with items that *principal* may read: their own, and those to countersign."""
        may_second = principal in self.seconds
        return tuple(
            c for c in self.chunks
            if c.leaves is None and (c.reviewer == principal or (c.seconds and may_second))
        )  # fmt: skip

    def leaves(self, tree: Tree) -> tuple[Chunk, ...]:
        """The chunks that hold the leaves of *tree*, in order."""
        return tuple(c for c in self.chunks if c.leaves == tree)


def queues(campaign: str, seconds: Iterable[str], chunks: Iterable[Chunk]) -> bytes:
    """The list as it is signed: canonical JSON, a line each."""
    lines = [canonical({"campaign": campaign, "seconds": sorted(seconds)})]
    lines += [
        canonical({"sha256": c.sha256, "size": c.size, "count": c.count, "reviewer": c.reviewer,
                   "seconds": c.seconds, "leaves": c.leaves})
        for c in chunks
    ]  # fmt: skip
    return b"".join(line + b"\n" for line in lines)


def read_queues(data: bytes) -> Queues:
    """Read a list. Raises VerificationFailed for what `queues` would not have written."""
    try:
        head, *rest = [strict_json(line) for line in data.removesuffix(b"\n").split(b"\n")]
        found = Queues(head["campaign"], tuple(head["seconds"]), tuple(Chunk(**r) for r in rest))
        again = queues(found.campaign, found.seconds, found.chunks)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise VerificationFailed(f"not a list of queues: {error}") from None
    if again != data or any(c.leaves not in (None, *TREES) for c in found.chunks):
        raise VerificationFailed("not a list of queues in its one form")
    return found
