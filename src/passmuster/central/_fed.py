"""A line of the feed: one entry of the log, with its record where that may be seen."""

import json
from typing import NamedTuple

from passmuster.errors import VerificationFailed
from passmuster.text import canonical

LINE_BYTES = 2 * 65_535 + 512
"""Of a line of the feed: an envelope with every sign escaped, and what stands around it."""


class Fed(NamedTuple):
    """One entry of the feed."""

    leaf: bytes
    line: bytes | None
    """None where it is not ours to see."""


def fed_line(index: int, entry: Fed) -> bytes:
    """An entry as the feed and a packet have it, without the newline."""
    line = None if entry.line is None else entry.line.decode()
    return canonical({"index": index, "leaf": entry.leaf.hex(), "line": line})


def read_fed(line: bytes, expected: int) -> Fed | str:
    """An entry, which must be number *expected*, or the note of the checkpoint that ends a page.

    Raises VerificationFailed. Whether the record is what its leaf names is not looked at.
    """
    try:
        said = json.loads(line)
        if said.keys() == {"checkpoint"}:
            return str(said["checkpoint"])
        if said["index"] != expected or expected >= 2**53:
            raise ValueError("it does not follow")
        leaf, text = bytes.fromhex(said["leaf"]), said["line"]
        if len(leaf) != 32 or not (text is None or isinstance(text, str)):
            raise ValueError("another form")
        return Fed(leaf, None if text is None else text.encode())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VerificationFailed(f"a line of the feed is not as it should be: {error}") from None
