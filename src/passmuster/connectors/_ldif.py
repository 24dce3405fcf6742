"""A streaming reader of LDIF content (RFC 2849) as ldapsearch, ldifde and slapcat write it.

Our own, because python-ldap needs the C headers of libldap, and `ldif` 4.3 (pure Python, kept)
ends at the first bad line, counts folded lines wrongly and decodes every value, passwords and
photographs included. This one looks only at the attributes that it was asked for, so a password
that nobody asked for is never even decoded.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from passmuster.errors import ImportRefused
from passmuster.model import Problem

CHUNK = 1 << 20
MAX_RECORD = 64 << 20
"""One entry may be a group of a million members; above that it is not an entry."""
_MAX_NAMES = 10_000
_DN = re.compile(rb"^dn::? *\S", re.MULTILINE | re.IGNORECASE)
# what ldapsearch writes between the entries unless told not to (-LLL)
_NOT_ENTRIES = frozenset({"search", "result", "ref", "control", "pagedresults", "numresponses"})


class Entry(NamedTuple):
    """One entry; values of the attributes that were asked for, by lower-case name."""

    dn: str
    line: int
    """Where its `dn:` stands."""
    values: dict[str, list[str]]
    cut: tuple[str, ...] = ()
    """Attributes of which the server sent only a first range (`member;range=0-1499`)."""

    def first(self, name: str) -> str | None:
        """The first value of *name*."""
        found = self.values.get(name)
        return found[0] if found else None


def looks_like(head: bytes) -> bool:
    """Whether *head* begins like LDIF: comments and `version:`, then a `dn:`."""
    for line in head.removeprefix(b"\xef\xbb\xbf").splitlines():
        if _DN.match(line):
            return True
        if line.strip() and not line.startswith((b"#", b" ", b"version:")):
            return False
    return False


class Reader:
    """Reads entries with only the *wanted* attributes (all of them when None).

    Values of *binary* attributes come as the base64 that stands in the file; all others are
    decoded. Of *secret* attributes only the name of the scheme is kept (`_scheme`).
    """

    def __init__(
        self,
        wanted: frozenset[str] | None = None,
        binary: frozenset[str] = frozenset(),
        secret: frozenset[str] = frozenset(),
    ) -> None:
        self._wanted = wanted
        self._binary = binary
        self._secret = secret
        self._names: dict[str, str] = {}
        self._problems: list[Problem] = []
        self._cut: list[str] = []

    def read(self, stream: BinaryIO) -> Iterator[Entry | Problem]:
        """Entries and problems of *stream*, in order; ImportRefused if it is no whole export."""
        entries = 0
        for raw, line in _records(stream):
            entry = self._entry(raw, line)
            if self._problems:
                yield from self._problems
                self._problems.clear()
            if entry is not None:
                entries += 1
                yield entry
        if not entries:
            raise ImportRefused("no entry in this LDIF file: an export of nothing proves nothing")

    def _entry(self, raw: bytes, line: int) -> Entry | None:
        folded = b"\n " in raw
        try:
            lines = (raw.replace(b"\n ", b"") if folded else raw).decode("utf-8").split("\n")
        except UnicodeDecodeError as error:
            where = line + raw.replace(b"\n ", b"\n").count(b"\n", 0, error.start)
            self._problems.append(Problem(where, None, "not UTF-8; the entry was left out"))
            return None
        values: dict[str, list[str]] = {}
        known = self._names
        for number, text in enumerate(lines):
            # nine of ten lines are `name: value` with a name seen before
            name, colon, value = text.partition(": ")
            key = known.get(name) if colon else None
            if key is None:
                found = self._line(text, raw, line, number)
                if found is None:
                    continue
                key, value = found
            elif not key:
                continue
            elif value[:1] == " ":
                value = value.lstrip(" ")
            if key in values:
                values[key].append(value)
            else:
                values[key] = [value]
        return self._finish(values, raw, line, lines)

    def _line(self, text: str, raw: bytes, line: int, number: int) -> tuple[str, str] | None:
        """Name and value of a line of any form; None, perhaps with a problem, for no attribute."""
        if not text or text[0] == "#":
            return None
        name, colon, value = text.partition(":")
        if not colon:
            self._bad(raw, line, number, None, "no colon: not an attribute; left out")
            return None
        key = self._key(name)
        if key == "":
            if value[:1] == ":" and len(self._names) < _MAX_NAMES:
                self._names[f"{name}:"] = ""
            return None
        if value[:1] in (":", "<"):
            decoded = self._special(key, value, raw, line, number)
            return None if decoded is None else (key, decoded)
        return key, value.lstrip(" ")

    def _key(self, name: str) -> str:
        """The lower-case name without options, or "" for what is not to be kept."""
        known = self._names.get(name)
        if known is not None:
            return known
        key, *options = name.lower().split(";")
        if self._wanted is not None and key not in self._wanted and key not in _ALWAYS:
            key = ""
        ranges = [option for option in options if option.startswith("range=")]
        if ranges and key and not ranges[0].endswith("-*") and key not in self._cut:
            self._cut.append(key)
        if not ranges and len(self._names) < _MAX_NAMES:
            self._names[name] = key
        return key

    def _special(self, key: str, value: str, raw: bytes, line: int, number: int) -> str | None:
        """A base64 value as text; None, with a problem, for what cannot or must not be read."""
        if value[0] == "<":
            self._bad(raw, line, number, key, "the value is a URL (`:<`); muster follows none")
            return None
        encoded = value[1:].strip()
        try:
            data = base64.b64decode(encoded, validate=True)
            if key in self._secret:
                return data[:40].decode("latin-1")
            return encoded if key in self._binary else data.decode("utf-8")
        except (binascii.Error, ValueError) as error:
            what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "broken base64"
            self._bad(raw, line, number, key, f"{what}; the value was left out")
            return None

    def _bad(self, raw: bytes, line: int, number: int, field: str | None, why: str) -> None:
        self._problems.append(Problem(line + _physical(raw, number), field, why))

    def _finish(
        self, values: dict[str, list[str]], raw: bytes, line: int, lines: list[str]
    ) -> Entry | None:
        cut: tuple[str, ...] = ()
        if self._cut:
            cut, self._cut = tuple(self._cut), []
        for name in self._secret:
            if name in values:
                values[name] = [_scheme(value) for value in values[name]]
        dns = values.pop("dn", None)
        if dns is None:
            self._headless(values, line, lines)
            return None
        at = line if lines[0][:3] == "dn:" else line + _physical(raw, _first_dn(lines))
        if len(dns) > 1:
            self._problems.append(Problem(at, "dn", "two `dn:` in one entry; it was left out"))
            return None
        # ldifde writes `changetype: add` before every entry that it exports
        change = values.pop("changetype")[0].strip().lower() if "changetype" in values else "add"
        if change != "add":
            raise ImportRefused(
                f"line {at}: a file of changes (changetype: {change[:20]}), not an export; "
                "export entries with ldapsearch or ldifde"
            )
        return Entry(dns[0], at, values, cut)

    def _headless(self, values: dict[str, list[str]], line: int, lines: list[str]) -> None:
        result = values.get("result", ["0"])[0]
        if not result.startswith("0") and "search" in values:
            raise ImportRefused(
                f"line {line}: the search ended with {result[:60]!r}, so entries are missing; "
                "export again with paged results (-E pr=1000/noprompt)"
            )
        names = {text.partition(":")[0].lower() for text in lines if text and text[0] != "#"}
        if names - _NOT_ENTRIES - {"version"}:
            self._problems.append(Problem(line, "dn", "lines without a `dn:`; they were left out"))


_ALWAYS = frozenset({"dn", "changetype", "search", "result"})


_SCHEME = re.compile(
    r"\{((?:s?sha(?:-?\d+)?|s?md5|crypt|x-\w+|pbkdf2[\w-]*|argon2\w*|bcrypt|sasl|kerberos|ns-mta-md5"
    r"|cleartext|clear|aes|gost\w*|totp\d*))\}",
    re.IGNORECASE,
)


def _scheme(value: str) -> str:
    """All that is kept of a password: `SSHA`, `?` for a scheme unknown, "" for plain text."""
    found = _SCHEME.match(value)
    if found:
        name = found[1].upper()
        return "" if name in ("CLEARTEXT", "CLEAR") else name
    return "?" if re.match(r"\{[^{}]{1,30}\}", value) else ""


def _first_dn(lines: list[str]) -> int:
    return next((i for i, text in enumerate(lines) if text[:3].lower() == "dn:"), 0)


def _physical(raw: bytes, logical: int) -> int:
    """How many lines of the file stand before logical line *logical* of *raw*."""
    seen = -1
    for offset, text in enumerate(raw.split(b"\n")):
        if not text.startswith(b" ") or offset == 0:
            seen += 1
        if seen == logical:
            return offset
    return 0


def _records(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Blocks between blank lines, with the number of their first line."""
    line, rest, carry = 1, b"", b""
    started = False
    while chunk := stream.read(CHUNK):
        if not started:
            chunk, started = _without_mark(chunk), True
        # a CR at the end of a chunk belongs to the LF that begins the next one
        chunk = carry + chunk
        carry = b"\r" if chunk.endswith(b"\r") else b""
        if b"\r" in chunk:
            chunk = chunk[: len(chunk) - len(carry)].replace(b"\r\n", b"\n")
        border = chunk.rfind(b"\n\n")
        if border < 0 and not (rest.endswith(b"\n") and chunk.startswith(b"\n")):
            rest += chunk
            if len(rest) > MAX_RECORD:
                raise ImportRefused(f"line {line}: an entry of more than {MAX_RECORD >> 20} MiB")
            continue
        *whole, rest = (rest + chunk).split(b"\n\n")
        for raw in whole:
            if raw:
                yield _trimmed(raw, line)
            line += raw.count(b"\n") + 2
    if (rest and not rest.endswith(b"\n")) or carry:
        last = line + rest.count(b"\n")
        raise ImportRefused(
            f"line {last}: the file ends in the middle of a line: it was cut; "
            "export it again (if it is whole, end it with a newline)"
        )
    if rest.strip():
        yield _trimmed(rest[:-1], line)


def _trimmed(raw: bytes, line: int) -> tuple[bytes, int]:
    """*raw* without the blank lines in front, which three newlines in a row leave there."""
    if raw[0] != 10:
        return raw, line
    body = raw.lstrip(b"\n")
    return body, line + len(raw) - len(body)


def _without_mark(chunk: bytes) -> bytes:
    if chunk.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ImportRefused("the file is UTF-16; write it as UTF-8 (ldifde without -u)")
    return chunk.removeprefix(b"\xef\xbb\xbf")
