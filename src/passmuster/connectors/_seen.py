"""Which ids were met before in a file of any size: 16 bytes each, where a set needs a hundred."""

from array import array


class Seen:
    """Remembers texts by a hash of 64 bits: of a million, two are taken for one by a chance of
    1 in 37 million.
    """

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 * 1024))
        self._count = 0

    def is_new(self, text: str) -> bool:
        """Whether *text* was not met before; it is now."""
        number = hash(text) % 2**64 or 1  # 0 is an empty place
        at = self._place(number)
        if self._table[at]:
            return False
        self._table[at] = number
        self._count += 1
        if 2 * self._count > len(self._table):
            old, self._table = self._table, array("Q", bytes(16 * len(self._table)))
            for known in old:
                if known:
                    self._table[self._place(known)] = known
        return True

    def _place(self, number: int) -> int:
        mask, table = len(self._table) - 1, self._table
        at = number & mask
        while table[at] and table[at] != number:
            at = (at + 1) & mask
        return at
