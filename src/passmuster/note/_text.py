"""The letters that notes are made of: base64, whole numbers, names; one way to write each."""

import base64
import binascii

from passmuster.errors import VerificationFailed
from passmuster.text import visible

MAX_SIZE = 2**63 - 1
"""Of a tree; the formats' own limit."""
MAX_TIME = 253_402_300_799
"""The last second of the year 9999."""


def unbase64(text: str, what: str) -> bytes:
    """Standard base64 with its padding; two texts for one value are refused."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise VerificationFailed(f"{what} is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise VerificationFailed(f"{what} is base64 that is not canonical")
    return data


def to_base64(data: bytes) -> str:
    """Standard base64 of *data*."""
    return base64.b64encode(data).decode()


def number(text: str, what: str) -> int:
    """A decimal without sign, spaces or leading zeros, of 63 bits at most."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise VerificationFailed(f"{what} is not a number: {visible(text[:24])!r}")
    if (text[0] == "0" and len(text) > 1) or int(text) > MAX_SIZE:
        raise VerificationFailed(f"{what} is not written as the format says: {text}")
    return int(text)


def check_name(name: str) -> None:
    """A key's name: not empty, without spaces of any script and without a plus."""
    if not name or "+" in name or any(c.isspace() or c < " " for c in name):
        raise VerificationFailed(
            f"not a name of a key, such as auditor.example/w1: {visible(name[:60])!r}"
        )


def decode(data: bytes | str, what: str) -> str:
    """*data* as text: UTF-8, and no control character but the newline."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        text.encode("utf-8")
    except UnicodeError:
        raise VerificationFailed(f"{what} is not UTF-8") from None
    if any(c < " " and c != "\n" for c in text):
        raise VerificationFailed(f"{what} has control characters")
    return text
