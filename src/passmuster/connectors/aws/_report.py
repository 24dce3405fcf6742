"""The credential report: one CSV row per user, root first.

AWS writes three different absences: `N/A` (there is none, or never), `no_information` (not since
AWS began to record it) and `not_supported` (never recorded for this kind). They stay apart in
`last_used_state`. The report may be four hours old, as its documentation says.
"""

import base64
import binascii
import csv
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors._input import MIB, encoding_of, head_text, read_all, text_stream
from passmuster.connectors.aws._arn import account_of, pathless
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Identity, Kind, Problem, Record, Source, Usage

COVERS = (
    "uid_alt", "display_name", "kind", "kind_origin", "status", "created_at",
    "last_used_at", "last_used_state", "last_used_source", "has_mfa",
)  # fmt: skip

LAST_USED_SOURCE = "credential report (4 h)"
ROOT = "<root_account>"
MAX_ANSWER = 256 * MIB

COLUMNS = (
    "user", "arn", "user_creation_time", "password_enabled", "password_last_used",
    "password_last_changed", "password_next_rotation", "mfa_active",
    *(f"access_key_{n}_{what}" for n in (1, 2) for what in (
        "active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")),
    *(f"cert_{n}_{what}" for n in (1, 2) for what in ("active", "last_rotated")),
)  # fmt: skip
"""The columns of AWS's documentation, "Getting credential reports for your AWS account"."""
_REQUIRED = (
    "user", "arn", "user_creation_time", "password_enabled", "password_last_used", "mfa_active",
    "access_key_1_active", "access_key_1_last_rotated", "access_key_1_last_used_date",
    "access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date",
)  # fmt: skip
_BASE64_START = "dXNlcixhcm4s"  # user,arn,
_ANSWER = re.compile(rf'"Content"\s*:\s*"(?:user,arn,|{_BASE64_START})')
_NOTHING = frozenset(("N/A", "no_information", "not_supported", ""))
_AWS_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00").fullmatch
_FLAG = {"true": 1, "false": 0}
_NO_DATE_STATE = {"N/A": "never", "no_information": "unknown", "not_supported": "not_tracked"}


def sniff(head: bytes) -> bool:
    """The CSV itself, its base64, or the API's JSON answer around either."""
    start = head_text(head).lstrip("\ufeff \t\r\n")
    if start.startswith("{"):
        return _ANSWER.search(start) is not None
    line = start.split("\n", 1)[0]
    columns = {column.strip('" \r') for column in line.split(",")}
    return start.startswith(_BASE64_START) or columns.issuperset(_REQUIRED)


def parse(stream: BinaryIO, _context: Context) -> Iterator[Record]:
    """Identities, credentials and console sign-ins of the report in *stream*."""
    head = stream.read(64)
    start = head_text(head).lstrip("\ufeff \t\r\n")
    if start.startswith(("{", _BASE64_START)):
        whole = head + read_all(stream, MAX_ANSWER, "the saved answer")
        return _rows(_content(whole).splitlines(keepends=True))
    return _rows(text_stream(head, stream))


def _content(whole: bytes) -> str:
    """The CSV inside a saved answer of `get-credential-report`."""
    content = whole.decode(encoding_of(whole), "backslashreplace").strip()
    if content.startswith("{"):
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError) as bad:
            raise ImportRefused(f"the saved answer is not whole JSON: {bad}") from None
        recorded = answer.get("data")  # a recording of the whole answer, with its status
        answer = recorded if isinstance(recorded, dict) else answer
        inside = answer.get("Content")
        if not isinstance(inside, str):
            raise ImportRefused("the saved answer has no Content")
        content = inside
    if content.startswith("user,"):
        return content
    try:
        return base64.b64decode(content.encode(), validate=False).decode("utf-8-sig")
    except (binascii.Error, ValueError):
        raise ImportRefused("Content is neither CSV nor whole base64") from None


def _rows(lines: Iterable[str]) -> Iterator[Record]:
    reader = csv.reader(lines, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as bad:
        raise ImportRefused(f"line 1: {bad}") from None
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        raise ImportRefused(f"no credential report: column {missing[0]} is missing")
    report = _Report(header)
    arn_at, width = header.index("arn"), len(header)
    own = "no account yet"
    readable = 0
    for line, row in _numbered(reader):
        if isinstance(row, str):
            yield Problem(line, None, row)
            continue
        if len(row) != width:
            yield Problem(line, None, f"{len(row)} columns instead of {width}")
            continue
        if not row[arn_at].startswith(own):
            account = account_of(row[arn_at])
            if not account.isdigit():
                yield Problem(line, "arn", "the ARN names no account", row[arn_at] or None)
                continue
            own = row[arn_at].partition(account)[0] + account + ":"
            yield Source("aws", account)
        readable += 1
        yield from report.records(row, line)
    if not readable:
        raise ImportRefused("the credential report has no row that can be read")


def _numbered(reader: Any) -> Iterator[tuple[int, list[str] | str]]:
    """Rows with the line where each begins, or why there is none; an empty line is no row."""
    while True:
        first = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as bad:
            lost = f" (lines {first} to {reader.line_num})" if reader.line_num > first else ""
            yield first, f"{bad}{lost}"
            continue
        if row:
            yield first, row


class _Key(NamedTuple):
    """Where the columns of one access key are."""

    number: str
    active: int
    rotated: int
    used: int
    region: int | None
    service: int | None


class _Report:
    """Builds records of rows by position; the names are looked up once per file."""

    def __init__(self, header: list[str]) -> None:
        at = {name: position for position, name in enumerate(header)}
        self._names = header
        self._user, self._arn, self._made, self._enabled, self._used, self._mfa = (
            at[name] for name in _REQUIRED[:6]
        )
        self._changed = at.get("password_last_changed")
        self._rotation = at.get("password_next_rotation")
        self._keys = [
            _Key(
                n, at[f"access_key_{n}_active"], at[f"access_key_{n}_last_rotated"],
                at[f"access_key_{n}_last_used_date"], at.get(f"access_key_{n}_last_used_region"),
                at.get(f"access_key_{n}_last_used_service"),
            )
            for n in "12"
        ]  # fmt: skip
        self._certificates = [
            (n, at[f"cert_{n}_active"], at[f"cert_{n}_last_rotated"])
            for n in "12"
            if f"cert_{n}_active" in at and f"cert_{n}_last_rotated" in at
        ]

    def records(self, row: list[str], line: int) -> list[Record]:
        """The identity, what belongs to it, and what in the row could not be read."""
        uid = row[self._arn]
        root = row[self._user] == ROOT
        enabled = row[self._enabled]
        kind: Kind = "system" if root else "human" if enabled == "true" else "service"
        parts: list[Record] = []
        uses: list[tuple[str, str | None]] = []
        for key in self._keys:
            if row[key.rotated] != "N/A" or row[key.active] == "true":
                parts.append(self._key(row, line, key, parts, uses))
        for n, active, rotated in self._certificates:
            if row[rotated] != "N/A" or row[active] == "true":
                made = self._time(row, line, rotated, parts)
                parts.append(Credential(
                    uid, f"{uid}#cert{n}", "certificate", "aws.signing_certificate",
                    f"signing certificate {n}", None, _status(row[active]), made, None, made,
                    None, "unknown", None, "not_tracked", None, None, "{}", line,
                ))  # fmt: skip
        if enabled == "true" or (root and enabled != "false"):
            parts += self._password(row, line, uid, parts, uses)
        elif enabled != "false":
            parts.append(self._no_flag(row, line, self._enabled))
        if row[self._mfa] not in _FLAG:
            parts.append(self._no_flag(row, line, self._mfa))
        state, date = _newest(uses, certificate_only=bool(parts) and not uses)
        identity = Identity(
            uid, None if uid.endswith(f":user/{row[self._user]}") else pathless(uid),
            row[self._user], kind, "stated" if root else "inferred", None, None,
            "aws.root" if root else "aws.iam_user", "enabled", None,
            self._time(row, line, self._made, parts), None,
            date, state, LAST_USED_SOURCE, _FLAG.get(row[self._mfa]), line=line,
        )  # fmt: skip
        return [identity, *parts]

    def _key(
        self, row: list[str], line: int, key: _Key,
        problems: list[Record], uses: list[tuple[str, str | None]],
    ) -> Credential:  # fmt: skip
        made = self._time(row, line, key.rotated, problems)
        used = self._use(row, line, key.used, problems)
        uses.append(used)
        places = [row[at] for at in (key.region, key.service) if at is not None]
        uid = row[self._arn]
        return Credential(
            uid, f"{uid}#{key.number}", "static_secret", "aws.access_key",
            f"access key {key.number}", None, _status(row[key.active]), made, None, made,
            None, "none", used[1], used[0],
            " ".join(p for p in places if p not in _NOTHING) or None, None, "{}", line,
        )  # fmt: skip

    def _password(
        self, row: list[str], line: int, uid: str,
        problems: list[Record], uses: list[tuple[str, str | None]],
    ) -> Iterator[Record]:  # fmt: skip
        state, date = used = self._use(row, line, self._used, problems)
        uses.append(used)
        changed = self._time(row, line, self._changed, problems)
        expires = self._time(row, line, self._rotation, problems)
        no_expiry = self._rotation is not None and row[self._rotation] == "N/A"
        yield Credential(
            uid, f"{uid}#console", "static_secret", "aws.console_password", "console password",
            None, _status(row[self._enabled]), None, None, changed,
            expires, "set" if expires else "none" if no_expiry else "unknown",
            date, state, None, None, "{}", line,
        )  # fmt: skip
        if date:
            yield Usage(uid, "console sign-in", "person", "console password", None, date, line)

    def _time(
        self, row: list[str], line: int, at: int | None, problems: list[Record]
    ) -> str | None:
        value = row[at] if at is not None else ""
        if at is None or value == "N/A":
            return None
        if _AWS_TIME(value):  # a million of these: text.utc takes twice as long
            return f"{value[:19]}Z"
        if value in _NOTHING:
            return None
        found = text.utc(value)
        if found is None:
            why = f"{value[:40]!r} is not a time"
            problems.append(Problem(line, self._names[at], why, row[self._arn]))
        return found

    def _use(
        self, row: list[str], line: int, at: int, problems: list[Record]
    ) -> tuple[str, str | None]:
        date = self._time(row, line, at, problems)
        return ("known", date) if date else (_NO_DATE_STATE.get(row[at], "unknown"), None)

    def _no_flag(self, row: list[str], line: int, at: int) -> Problem:
        why = f"{row[at][:40]!r} is neither true nor false"
        return Problem(line, self._names[at], why, row[self._arn])


def _status(flag: str) -> str:
    return "enabled" if flag == "true" else "disabled" if flag == "false" else "unknown"


def _newest(uses: list[tuple[str, str | None]], certificate_only: bool) -> tuple[str, str | None]:
    """The last use of an identity from those of its credentials."""
    dates = [date for _, date in uses if date]
    if dates:
        return "known", max(dates)
    if not uses:
        return ("not_tracked" if certificate_only else "unknown"), None
    states = {state for state, _ in uses}
    return ("never" if states == {"never"} else "unknown"), None
