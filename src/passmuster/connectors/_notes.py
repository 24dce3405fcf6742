"""Notes that administrators leave beside an account: who owns it, what it is for, a password.

A comment is shown, signed and carried about, so a password in it is taken out and told as seen.
"""

import re
from collections.abc import Iterator

from passmuster.connectors._secrets import REMOVED, is_secret
from passmuster.model import Owner, Record, Sighting

_PASSWORD = re.compile(
    r"\b(pass(?:word|wort|wd|phrase)?|pwd|pw|kennwort|mot de passe|secret)"
    r"(\s*(?:is\b|[:=])\s*)(\S+)",
    re.IGNORECASE,
)
_OWNER = re.compile(r"\b(?:owner|owned by|contact|team)\s*[:=]?\s*([\w.+@-]{2,80})", re.IGNORECASE)
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


def clean(note: str | None) -> str | None:
    """*note* without passwords; None where there is none."""
    if not note or not note.strip():
        return None
    found = _PASSWORD.sub(lambda m: f"{m[1]}{m[2]}{REMOVED}", note)
    return REMOVED if is_secret(found) else found.strip()


def said(uid: str, where: str, note: str | None, line: int | None) -> Iterator[Record]:
    """The owner that *note* names, and that there was a password in it."""
    shown = clean(note)
    if note is None or shown is None:
        return
    if REMOVED in shown and REMOVED not in note:
        yield Sighting(uid, "plain_text", f"{where}: comment", line=line)
    named = _OWNER.search(shown)
    mail = _MAIL.search(shown)
    handle = named[1].rstrip(".") if named else mail[0] if mail else None
    if handle:
        yield Owner(uid, handle, "owner", "annotation", f"comment: {shown[:120]}", line)
