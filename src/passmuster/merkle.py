"""RFC 6962 §2.1 tree hashing, without I/O.

A leaf is hashed with a 0 byte before it, a node with a 1 byte, so neither can pass for the other.
"""

import hashlib
from collections.abc import Iterable

EMPTY_ROOT = hashlib.sha256(b"").hexdigest()
"""MTH({}) of RFC 6962 §2.1: the hash of an empty string."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || *data*)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || *left* || *right*)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The root of a tree that leaves are appended to, in memory that grows with log2 of them.

    It holds the roots of the complete subtrees from left to right, one for each 1 bit of the
    size.
    """

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

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
