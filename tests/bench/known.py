"""What every client of a hammered log was told, and whether the log keeps all of it.

After the manner of Jepsen's checkers: the clients note each answer as it comes, and at the end the
whole log is read once and judged by that alone.
"""

import itertools
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from passmuster import merkle
from passmuster.note import Policy, VerifierKey


class Seen(NamedTuple):
    """An entry of the log as it is read at the end."""

    place: int
    leaf: str
    line: bytes | None


@dataclass
class Known:
    """All that was made, and all that was answered."""

    key: VerifierKey
    made: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Leaf → (device, place in its chain)."""
    indexes: dict[str, int] = field(default_factory=dict)
    """Of what was acknowledged."""
    roots: dict[int, bytes] = field(default_factory=dict)
    """Of every checkpoint that anybody saw."""
    wrong: list[str] = field(default_factory=list)
    checkpoints: int = 0
    answers: int = 0
    duplicates: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def blame(self, why: str) -> None:
        """Note that a promise was broken."""
        with self._lock:
            self.wrong.append(why)

    def make(self, leaf: str, device: str, seq: int) -> None:
        """A record was signed."""
        with self._lock:
            self.made[leaf] = device, seq

    def acknowledge(self, leaf: str, status: str, index: int | None) -> None:
        """A record was answered."""
        with self._lock:
            self.answers += 1
            self.duplicates += status == "duplicate"
            if status not in ("accepted", "duplicate") or index is None:
                self.wrong.append(f"{leaf}: {status} at {index}")
            elif self.indexes.setdefault(leaf, index) != index:
                self.wrong.append(f"{leaf}: told at {self.indexes[leaf]} and at {index}")

    def see(self, signed: str) -> int:
        """A checkpoint was seen; its size."""
        said = Policy((self.key,)).check(signed).checkpoint
        with self._lock:
            self.checkpoints += 1
            if self.roots.setdefault(said.size, said.root) != said.root:
                self.wrong.append(f"two checkpoints of {said.size} entries")
        return said.size

    def judge(self, entries: Sequence[Seen], signed: str, before: int) -> None:
        """Compare the log as it is with everything that was told; *before* were there at first."""
        size = self.see(signed)
        self._expect([e.place for e in entries] == list(range(size)), "the indexes have gaps")
        there = {e.leaf: e.place for e in entries}
        self._expect(len(there) == len(entries), f"{len(entries) - len(there)} entries twice")
        lost = [leaf for leaf in self.indexes if leaf not in there]
        self._expect(not lost, f"{len(lost)} acknowledged records lost")
        moved = [leaf for leaf, at in self.indexes.items() if there.get(leaf, at) != at]
        self._expect(not moved, f"{len(moved)} acknowledged records at another place")
        strange = [e for e in entries[before:] if e.leaf not in self.made]
        self._expect(not strange, f"{len(strange)} entries that nobody made")
        torn = [
            e.place for e in entries
            if e.line is not None and merkle.leaf_hash(e.line).hex() != e.leaf
        ]  # fmt: skip
        self._expect(not torn, f"entries that are not their leaf: {torn[:5]}")
        self._judge_order(entries)
        self._judge_roots(entries)

    def _expect(self, holds: bool, why: str) -> None:
        if not holds:
            self.blame(why)

    def _judge_order(self, entries: Sequence[Seen]) -> None:
        places: dict[str, list[int]] = defaultdict(list)
        for entry in entries:
            if entry.leaf in self.made:
                device, seq = self.made[entry.leaf]
                places[device].append(seq)
        for device, found in places.items():
            self._expect(
                all(a < b for a, b in itertools.pairwise(found)),
                f"the order of device {device} is another",
            )

    def _judge_roots(self, entries: Sequence[Seen]) -> None:
        tree = merkle.Frontier()
        roots = {0: merkle.EMPTY_ROOT}
        for n, entry in enumerate(entries, 1):
            tree.append(bytes.fromhex(entry.leaf))
            if n in self.roots:
                roots[n] = tree.root()
        for size, root in self.roots.items():
            if roots.get(size) != root.hex():
                self.blame(f"the checkpoint of {size} entries is of another history")

    @property
    def words(self) -> str:
        """One line of figures."""
        return (
            f"{len(self.made):,} records made, {len(self.indexes):,} acknowledged in"
            f" {self.answers:,} answers ({self.duplicates:,} of them duplicates),"
            f" {self.checkpoints:,} checkpoints of {len(self.roots):,} sizes seen"
        )
