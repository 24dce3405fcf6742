"""`pg_dumpall --roles-only`: the statements that would make the roles again.

Read, never run. The last line of a dump says that it is whole: without it the file is refused. A
password that somebody forgot to leave out is dropped; how it was kept (md5, SCRAM) is told.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from passmuster.connectors import Context
from passmuster.connectors._input import head_text
from passmuster.connectors._table import lines, not_empty
from passmuster.connectors.postgres import _roles
from passmuster.connectors.postgres._roles import POWERS, Role
from passmuster.errors import ImportRefused
from passmuster.model import Problem, Record

_END = "-- PostgreSQL database cluster dump complete"
_BEGIN = re.compile(r"^-- PostgreSQL database cluster dump\s*$", re.MULTILINE)
_ROLE = re.compile(r"^(?:CREATE|ALTER) ROLE ", re.MULTILINE)
_TOKEN = re.compile(r"""\s*(?:E?'((?:[^'\\]|''|\\.)*)'|"((?:[^"]|"")+)"|([^\s'",;]+)|([,;]))""",
                    re.DOTALL)  # fmt: skip
MAX_STATEMENT = 1 << 20


def sniff(head: bytes) -> bool:
    """The head of a cluster dump, with roles in it."""
    start = head_text(head)
    return _BEGIN.search(start) is not None and _ROLE.search(start) is not None


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Roles and memberships."""
    yield from not_empty(_records(stream, context))


def _records(stream: BinaryIO, context: Context) -> Iterator[Record]:
    yield _roles.tenant(context, None)
    role: Role | None = None
    for line, statement in _statements(stream):
        words = _words(statement)
        try:
            match words[:2]:
                case ["CREATE", "ROLE"]:
                    yield from _told(role)
                    role = Role(words[2], line)
                case ["ALTER", "ROLE"] if words[3:4] == ["WITH"]:
                    role = _altered(role, words)
                case ["COMMENT", "ON"] if words[2] == "ROLE":
                    if role is not None and role.name == words[3]:
                        role.comment = words[5]
                case ["GRANT", _]:
                    yield from list(_granted(words, line))
        except (ValueError, IndexError) as bad:
            yield Problem(line, None, f"{bad}; the statement was left out")
    yield from _told(role)


def _told(role: Role | None) -> Iterator[Record]:
    if role is None:
        return
    try:
        yield from list(_roles.records(role))
    except ValueError as bad:
        yield Problem(role.line, None, f"{bad}; the role was left out", role.name)


def _altered(role: Role | None, words: list[str]) -> Role:
    if role is None or role.name != words[2]:
        raise ValueError(f"ALTER ROLE {words[2][:60]} without its CREATE ROLE before")
    options = words[4:]
    role.login, role.inherit = "LOGIN" in options, "NOINHERIT" not in options
    role.powers = tuple(power for power in POWERS if power in options)
    for at, word in enumerate(options[:-1]):
        if word == "PASSWORD":
            kept = options[at + 1]
            role.hashed = "scram-sha-256" if kept.startswith("SCRAM-SHA-256$") else "md5"
        elif word == "LIMIT":
            role.limit = options[at + 1]
        elif word == "UNTIL":
            role.until = options[at + 1]
    return role


def _granted(words: list[str], line: int) -> Iterator[Record]:
    if words[2] != "TO":
        raise ValueError("a GRANT that is no membership")
    said = []
    rest = " ".join(words[4:])
    if "ADMIN OPTION" in rest or "ADMIN TRUE" in rest:
        said.append("may pass it on")
    if "INHERIT FALSE" in rest:
        said.append("must SET ROLE first")
    return _roles.membership(words[1], words[3], ", ".join(said) or None, line)


def _statements(stream: BinaryIO) -> Iterator[tuple[int, str]]:
    """Each statement with the line where it begins; what stands in quotes ends none."""
    held, began, ended, quote = "", 0, False, ""
    for number, line in enumerate(lines(stream), 1):
        if not held:
            began = number
            ended = ended or line.rstrip() == _END
            if line.startswith(("--", "\\")) or not line.strip():
                continue
        held += line
        if len(held) > MAX_STATEMENT:
            raise ImportRefused(f"line {began}: a statement without an end")
        quote = _open_quote(line, quote)
        if not quote and line.rstrip().endswith(";"):
            yield began, held
            held = ""
    if held:
        raise ImportRefused(f"line {began}: the dump is cut off")
    if not ended:
        raise ImportRefused(f"the dump is cut off: its last line ({_END}) is missing")


def _open_quote(line: str, quote: str) -> str:
    for char in line:
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
    return quote


def _words(statement: str) -> list[str]:
    """Words, names and strings of a statement, without their quotes."""
    found, at = [], 0
    while match := _TOKEN.match(statement, at):
        at = match.end()
        string, name, word, _ = match.groups()
        if string is not None:
            found.append(string.replace("''", "'"))
        elif name is not None:
            found.append(name.replace('""', '"'))
        elif word is not None:
            found.append(word)
    return found
