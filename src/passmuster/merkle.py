"""RFC 6962 trees without I/O: hashes, proofs, and the tiles that a tree is kept in.

A leaf is hashed with a 0 byte before it, a node with a 1 byte, so neither can pass for the other.
Proofs are made from tiles (C2SP tlog-tiles: 256 hashes of one level, side by side) and read a few
of them, never the log. Where tiles are kept is the caller's: it hands in a function that reads
one. Proofs of others are checked by the algorithms of RFC 9162, and refused for a hash that is
not 32 bytes long and for a tree of size 0, which proves nothing.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from passmuster.errors import VerificationFailed

EMPTY_ROOT = hashlib.sha256(b"").hexdigest()
"""MTH({}) of RFC 6962 §2.1: the hash of an empty string."""
HASH = 32
"""Bytes of a hash."""
WIDTH = 256
"""Hashes of a full tile: a subtree of height 8."""
MAX_PROOF = 63
"""Hashes of the longest proof that is accepted (C2SP tlog-witness)."""

Tiles = Callable[[int, int], bytes]
"""(level, index) → the hashes of that tile, as wide as it has grown; empty where there is none."""
Tile = tuple[int, int, bytes]
"""(level, index, hashes)."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || *data*)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || *left* || *right*)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The root of a tree that leaves are appended to, in memory that grows with log2 of them.

    It holds the roots of the complete subtrees from left to right, one for each 1 bit of the
    size; it begins behind the leaves that *roots* stand for (`subtrees`), else empty.
    """

    def __init__(self, size: int = 0, roots: Sequence[bytes] = ()) -> None:
        _lengths(*roots)
        if size < 0 or len(roots) != size.bit_count():
            raise VerificationFailed(f"{len(roots)} hashes do not stand for {size} leaves")
        self.size = size
        self._roots = list(roots)

    def append(self, leaf: bytes) -> None:
        """Append a leaf by its hash (`leaf_hash`)."""
        node, size = leaf, self.size
        while size & 1:
            node = node_hash(self._roots.pop(), node)
            size >>= 1
        self._roots.append(node)
        self.size += 1

    def root(self) -> str:
        """The root in hex."""
        if not self._roots:
            return EMPTY_ROOT
        node = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            node = node_hash(left, node)
        return node.hex()


def root(leaves: Iterable[bytes]) -> str:
    """The root, in hex, over *leaves* given as their data."""
    frontier = Frontier()
    for data in leaves:
        frontier.append(leaf_hash(data))
    return frontier.root()


# --- tiles


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """The name of a tile in C2SP tlog-tiles.

    >>> tile_path(0, 1234067, 112)
    'tile/0/x001/x234/067.p/112'
    """
    name = f"{index % 1000:03d}"
    while index := index // 1000:
        name = f"x{index % 1000:03d}/{name}"
    return f"tile/{level}/{name}" + ("" if width == WIDTH else f".p/{width}")


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """(level, index, width) of every tile of a tree of *size* leaves."""
    level = 0
    while size:
        full, rest = divmod(size, WIDTH)
        yield from ((level, index, WIDTH) for index in range(full))
        if rest:
            yield level, full, rest
        level, size = level + 1, full


def grow(read: Tiles, size: int, leaves: Iterable[bytes]) -> Iterator[Tile]:
    """The tiles to store when *leaves* (by their hashes) follow a tree of *size*.

    A tile comes when it is full and at the end as far as it has grown, at most once; memory
    holds one for each level. Raises VerificationFailed where a tile that must be there is not.
    """
    edge: list[tuple[int, bytearray]] = []
    rest = iter(leaves)

    def at(level: int) -> tuple[int, bytearray]:
        if level == len(edge):
            index, width = divmod(size >> 8 * level, WIDTH)
            edge.append((index, bytearray(_wide(read, level, index, width))))
        return edge[level]

    while True:
        index, hashes = at(0)
        more = b"".join(islice(rest, WIDTH - len(hashes) // HASH))
        if not more:
            break
        hashes += more
        level = 0
        while len(hashes) == WIDTH * HASH:
            full = bytes(hashes)
            yield level, index, full
            edge[level] = (index + 1, bytearray())
            level += 1
            index, hashes = at(level)
            hashes += _fold(full)
    for level, (index, hashes) in enumerate(edge):
        before = divmod(size >> 8 * level, WIDTH)
        if hashes and (index, len(hashes) // HASH) != before:
            yield level, index, bytes(hashes)


def _wide(read: Tiles, level: int, index: int, width: int) -> bytes:
    """The first *width* hashes of a tile."""
    if not width:
        return b""
    hashes = read(level, index)
    if len(hashes) < width * HASH:
        raise VerificationFailed(
            f"{tile_path(level, index, width)}: the tile is missing or cut short"
        )
    return hashes[: width * HASH]


def _fold(hashes: bytes) -> bytes:
    """The root over 2^k hashes that stand side by side."""
    sha256 = hashlib.sha256
    while len(hashes) > HASH:
        hashes = b"".join(
            [sha256(b"\x01" + hashes[i : i + 64]).digest() for i in range(0, len(hashes), 64)]
        )
    return hashes


# --- roots and proofs from tiles


def root_at(read: Tiles, size: int) -> bytes:
    """The root over the first *size* leaves."""
    return _hash_of(_once(read), 0, size) if size else bytes.fromhex(EMPTY_ROOT)


def subtrees(read: Tiles, size: int) -> list[bytes]:
    """The roots of the complete subtrees of the first *size* leaves, from left to right.

    They lead to the root, and to every root of a tree that goes on from there (`Frontier`).
    """
    once, begin, found = _once(read), 0, []
    for bit in reversed(range(size.bit_length())):
        if size >> bit & 1:
            found.append(_complete(once, begin, begin + (1 << bit)))
            begin += 1 << bit
    return found


def inclusion(read: Tiles, index: int, size: int) -> list[bytes]:
    """The audit path of leaf *index* (from 0) in the tree of *size*; RFC 6962 §2.1.1."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    begin, end, siblings = 0, size, []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((begin, middle))
            begin = middle
    once = _once(read)
    return [_hash_of(once, *part) for part in reversed(siblings)]


def consistency(read: Tiles, old: int, new: int) -> list[bytes]:
    """The proof that the tree of *new* leaves begins with that of *old*; RFC 6962 §2.1.2."""
    if not 0 < old <= new:
        raise ValueError(f"no proof from {old} to {new}")
    begin, end, whole = 0, new, True
    parts: list[tuple[int, int]] = []
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((begin, middle))
            begin, whole = middle, False
    once = _once(read)
    head = [] if whole else [_hash_of(once, begin, end)]
    return head + [_hash_of(once, *part) for part in reversed(parts)]


def _split(count: int) -> int:
    """The largest power of two below *count*."""
    return 1 << (count - 1).bit_length() - 1


def _once(read: Tiles) -> Tiles:
    """*read* that fetches each tile once; a proof uses the nodes of one tile several times."""
    held: dict[tuple[int, int], bytes] = {}

    def tile(level: int, index: int) -> bytes:
        if (level, index) not in held:
            held[level, index] = read(level, index)
        return held[level, index]

    return tile


def _hash_of(read: Tiles, begin: int, end: int) -> bytes:
    """MTH(D[begin:end]) for a range that RFC 6962's splits lead to: *begin* is aligned."""
    parts = []
    while end - begin > 1 and (count := end - begin) & (count - 1):
        middle = begin + _split(count)
        parts.append(_complete(read, begin, middle))
        begin = middle
    node = _complete(read, begin, end)
    for left in reversed(parts):
        node = node_hash(left, node)
    return node


def _complete(read: Tiles, begin: int, end: int) -> bytes:
    """The root of a complete subtree, folded from the one tile that has its hashes."""
    level, height = divmod((end - begin).bit_length() - 1, 8)
    index, first = divmod(begin >> 8 * level, WIDTH)
    return _fold(_wide(read, level, index, first + (1 << height))[first * HASH :])


# --- proofs of others


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Raise VerificationFailed unless *leaf* (a hash) is number *index* (from 0) of *size*.

    RFC 9162 §2.1.3.2.
    """
    _lengths(leaf, root, *proof)
    if not 0 <= index < size:
        raise VerificationFailed(f"a tree of {size} has no leaf {index}")
    at, last, node = index, size - 1, leaf
    for sibling in proof:
        if not last:
            raise VerificationFailed("the inclusion proof is too long")
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise VerificationFailed("the inclusion proof is too short")
    if node != root:
        raise VerificationFailed("the inclusion proof leads to another root")


def check_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Raise VerificationFailed unless the tree of *new* leaves begins with that of *old*.

    RFC 9162 §2.1.4.2. From nothing everything grows: *old* 0 is refused, the caller knows.
    """
    _lengths(old_root, new_root, *proof)
    if not 0 < old <= new:
        raise VerificationFailed(f"nothing is proved from size {old} to {new}")
    if old == new:
        if proof:
            raise VerificationFailed("a proof between two trees of one size must be empty")
        if old_root != new_root:
            raise VerificationFailed(f"two trees of {old} leaves with different roots")
        return
    if not proof:
        raise VerificationFailed("the consistency proof is empty")
    path = proof if old & (old - 1) else [old_root, *proof]
    before, after = _climb(old - 1, new - 1, path)
    if before != old_root:
        raise VerificationFailed("the consistency proof does not begin at the old root")
    if after != new_root:
        raise VerificationFailed("the consistency proof does not lead to the new root")


def _climb(at: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The two roots that a consistency proof leads to."""
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if not last:
            raise VerificationFailed("the consistency proof is too long")
        if at & 1 or at == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise VerificationFailed("the consistency proof is too short")
    return before, after


def _lengths(*hashes: bytes) -> None:
    if any(len(one) != HASH for one in hashes):
        raise VerificationFailed(f"a hash of the proof is not {HASH} bytes long")
