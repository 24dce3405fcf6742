"""Text from outside, made safe to show; JSON and times in the one form that we keep.

Names of accounts are written by whoever may create accounts. A terminal obeys escape sequences,
a reader is misled by bidirectional and zero-width characters, and Rich reads markup. So every
string is passed through `visible` at import and again when it is drawn; nothing here decides
what is *allowed*, it only makes what is there visible.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def visible(value: str) -> str:
    """Return *value* with every control, format and unassigned character spelled out.

    >>> visible("a\\x1b]52;c;eA==\\x07b")
    'a\\\\x1b]52;c;eA==\\\\x07b'
    """
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else _spelled(c) for c in value)


def _spelled(char: str) -> str:
    if unicodedata.category(char) == "Zs":
        return " "
    point = ord(char)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def visible_deep(value: Any) -> Any:
    """`visible` for every string inside a JSON value, keys included."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible(str(k)): visible_deep(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [visible_deep(v) for v in value]
    return value


_compact = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def json_text(value: Any) -> str:
    """Compact JSON of *value* with every string made visible, for a column of attributes."""
    encoded = _compact(value)
    # ensure_ascii is off, so only what the encoder escaped (backslash) or left raw can hide
    if "\\" in encoded or not encoded.isprintable():
        return _compact(visible_deep(value))
    return encoded


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of *value*, in the domain where the C encoder gives the same bytes.

    The domain: string keys of the basic plane, no floats, integers below 2**53. Signed records
    are made in it by construction; `strict_json` refuses what is outside.
    """
    return _compact(value).encode("utf-8")


def _pairs(items: list[tuple[str, Any]]) -> Json:
    out = dict(items)
    if len(out) != len(items):
        raise ValueError("a key stands twice in one object")
    return out


def _refuse(number: str) -> Any:
    raise ValueError(f"the number {number[:20]} is not a plain integer")


def _integer(number: str) -> int:
    if len(number) > 17 or abs(int(number)) >= 2**53:
        _refuse(number)
    return int(number)


_strict = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_float=_refuse, parse_constant=_refuse, parse_int=_integer
).decode


def strict_json(data: bytes) -> Any:
    """Parse *data* and refuse what two readers may read differently.

    Raises ValueError on duplicate keys (jq and Python silently take the last), floats, NaN,
    integers of 2**53 and above, and bytes that are not their own canonical form.
    """
    value = _strict(data.decode("utf-8"))
    if canonical(value) != data:
        raise ValueError("the bytes are not in canonical form (RFC 8785)")
    return value


def sha256(data: bytes) -> str:
    """Hex SHA-256 of *data*."""
    return hashlib.sha256(data).hexdigest()


_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d+)?\s*(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE
)


def rfc3339(value: datetime) -> str:
    """*value* as UTC text, whole seconds, `Z`: the only form of a time that we store."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch(value: str) -> int:
    """Seconds since 1970 of a time as we store it."""
    return int(datetime.fromisoformat(value).timestamp())


def from_epoch(seconds: int) -> str:
    """The time *seconds* after 1970, as we store it."""
    return rfc3339(datetime.fromtimestamp(seconds, UTC))


def utc(value: str) -> str | None:
    """The time written in *value* (RFC 3339 and its common variants) as we store it, else None."""
    # most exports are already UTC: the slow path is for the others
    if len(value) == 20 and value[19] == "Z" and value[10] == "T" and value[:4].isdigit():
        return value if _RFC3339.fullmatch(value) else None
    if len(value) == 25 and value.endswith("+00:00") and _RFC3339.fullmatch(value):
        return f"{value[:10]}T{value[11:19]}Z"
    found = _RFC3339.fullmatch(value.strip())
    if found is None:
        return f"{value.strip()}T00:00:00Z" if _is_date(value.strip()) else None
    date, clock, zone = found.groups()
    zone = "+00:00" if zone in (None, "Z", "z") else zone
    try:
        return rfc3339(datetime.fromisoformat(f"{date}T{clock}{zone}"))
    except ValueError:
        return None


def _is_date(value: str) -> bool:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value) is None:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


MAX_NAMED = 40
"""Known words that an error lists when none is near."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one of *known* that *word* was probably meant to be."""
    import difflib

    return next(iter(difflib.get_close_matches(word, sorted(known), 1, 0.5)), None)


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` for an unknown *word*, or a list of what is known."""
    names = sorted(known)
    if close := closest(word, names):
        return f"; did you mean {close}?"
    return f"; known: {', '.join(names)}" if len(names) <= MAX_NAMED else ""


def plural(count: int, noun: str) -> str:
    """`1 item`, `2 items`, `3 identities`."""
    if count == 1:
        return f"1 {noun}"
    many = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{count:,} {many}"
