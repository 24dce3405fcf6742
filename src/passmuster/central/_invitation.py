"""An invitation: one string to paste, which says where to go and what to trust there.

    https://central.example#m1.TOKEN.PIN.ROSTER.CHECK

The token lets one enrolment in, once, within fifteen minutes. The pin is of the log's key, and the
digest of the first roster makes it the one that the inviting registrar knows: the server gets to
choose neither. All of it stands behind a `#`, which no browser sends anywhere, and the last part
tells a string that was cut off or mistyped from one that names another key.
"""

import base64
import binascii
import hashlib
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from passmuster.central._proof import b64url
from passmuster.errors import UsageError
from passmuster.text import visible

MARK = "m1"
"""Version of the form."""
WHOLE = "copy the invitation whole: it has the form https://…#m1.…"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an invitation says."""

    url: str | None
    """Where the central API is; None where the string has only what follows the `#`."""
    token: str
    pin: str
    """Of the log's verifier key: `pin_of`."""
    roster: str | None
    """SHA-256 of the first roster's statement; None while there is none."""

    def __str__(self) -> str:
        packed = b64url(bytes.fromhex(self.roster)) if self.roster else ""
        said = f"{MARK}.{self.token}.{self.pin}.{packed}"
        return f"{self.url or ''}#{said}.{_check(said)}"


def pin_of(verifier_key: str) -> str:
    """What is compared of a log's verifier key (`name+id+base64`): its SHA-256, 43 characters."""
    return b64url(hashlib.sha256(verifier_key.encode()).digest())


def _check(said: str) -> str:
    return b64url(hashlib.sha256(said.encode()).digest())[:6]


def invitation(text: str) -> Invitation:
    """Read an invitation. Raises UsageError for one that is cut off or mistyped."""
    where, _, rest = "".join(text.split()).rpartition("#")
    said, _, check = rest.rpartition(".")
    parts = said.split(".")
    if len(parts) != 4 or parts[0] != MARK:
        raise UsageError(f"{visible(text[:40])!r} is no invitation: {WHOLE}")
    if _check(said) != check:
        raise UsageError(f"the invitation is cut off or mistyped: {WHOLE}")
    _, token, pin, packed = parts
    try:
        roster = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).hex() or None
    except (binascii.Error, ValueError):
        raise UsageError(f"the invitation is mistyped: {WHOLE}") from None
    return Invitation(address(where) if where else None, token, pin, roster)


def address(text: str) -> str:
    """Where a central API is, in its one form: no `/` at the end, nothing after the path.

    UsageError for what is no such URL. Without TLS only this very machine is spoken to.
    """
    url = text.strip()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("https", "http") or not url.isprintable() or (
        parts.query or parts.fragment or parts.username or " " in url
    ):  # fmt: skip
        raise UsageError(f"{visible(url[:80])!r} is no address of a server: https://…")
    if parts.scheme == "http" and not _is_here(host):
        raise UsageError(f"{visible(url[:80])}: without TLS nobody knows who answers: https://…")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _is_here(host: str) -> bool:
    """Whether a host can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
