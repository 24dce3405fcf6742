"""sshd's log: when each key was last used, from where, and for which account.

Lines without a year are refused (`journalctl -o short-iso` writes it): a guessed year makes a key
of last winter look like one of today. A key that logged in and stands in no `authorized_keys`
(`AuthorizedKeysCommand` gave it) becomes known here.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors._table import lines
from passmuster.connectors.ssh._authorized import label_of
from passmuster.connectors.ssh._wire import LINES_BYTES
from passmuster.errors import ImportRefused
from passmuster.model import Identity, Problem, Record, Source, Usage

_MARK = "Accepted publickey for "
_LINE = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,]\d+)?(Z|[+-]\d\d:?\d\d) \S+ sshd(?:-session)?\[\d+\]: "
    r"Accepted publickey for (\S+) from (\S+) port \d+ ssh2: \S+ (SHA256:[A-Za-z0-9+/]{43})"
    r"(?: ID (.{0,300}) \(serial (\d+)\) CA \S+ (SHA256:[A-Za-z0-9+/]{43}))?\s*"
)
_UNDATED = re.compile(r"[A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d ")


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Usage of keys; other lines of the log say nothing of them and are passed over."""
    host = label_of(context)
    last: dict[str, tuple[str, int]] = {}
    """By key: when, and the line that says so; without a line it would be a mere mention."""
    for number, line in enumerate(lines(stream, LINES_BYTES), 1):
        if _MARK not in line:
            continue
        found = _LINE.fullmatch(line)
        if found is None and _UNDATED.match(line):
            raise ImportRefused(
                f"line {number}: a time without its year; export the log with "
                "`journalctl -u ssh -o short-iso`"
            )
        when = found and text.utc(f"{found[1]}{_zone(found[2])}")
        if not found or not when:
            why = "a login that is not written as sshd writes it; the line was left out"
            yield Problem(number, None, why)
            continue
        if not last:
            yield Source("ssh", host, host)
        _, _, account, place, key, key_id, serial, authority = found.groups()
        last[key] = max((when, number), last.get(key, ("", 0)))
        how = f"log in as {account}"
        if authority:
            how += f" by certificate {key_id} (serial {serial}) of {authority}"
        yield Usage(key, place, "host", how, last_at=when, line=number)
    if not last:
        raise ImportRefused("nobody logged in by a key in this log: it says nothing of any")
    for key, (when, at) in last.items():
        yield Identity(
            key, None, key, "service", nhi_detail="ssh.key", last_used_at=when,
            last_used_state="known", last_used_source="sshd's log", line=at,
        )  # fmt: skip


def _zone(words: str) -> str:
    return words if words == "Z" or ":" in words else f"{words[:3]}:{words[3:]}"


def sniff(head: bytes) -> bool:
    """A log with a login by a key in its first lines."""
    return b"sshd" in head and b": Accepted publickey for " in head and b" SHA256:" in head
