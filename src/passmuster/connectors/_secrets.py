"""Columns and values that look like secrets, in files whose shape we do not know beforehand.

By name and by the marks that issuers put on their tokens so that scanners find them. It errs
on the side of dropping: a lost note can be imported under another column name.
"""

import re
from itertools import pairwise
from typing import Any

_WORDS = frozenset(
    {
        "password", "passwd", "passphrase", "pass", "pwd", "secret", "secrets", "token", "tokens",
        "private", "hash", "hashes", "credential", "credentials", "apikey", "bearer", "cookie",
        "otp", "pin", "seed", "passwort", "kennwort",
    }
)  # fmt: skip
_PAIRS = (("api", "key"), ("access", "key"), ("signing", "key"), ("client", "key"))
# `password_last_changed`, `secret_name`, `token_id`: about the secret, not the secret
_ABOUT = frozenset(
    {
        "id", "ids", "name", "at", "on", "date", "time", "age", "days", "created", "changed",
        "updated", "rotated", "rotation", "used", "expires", "expiry", "expiration", "expired",
        "count", "type", "kind", "status", "state", "active", "enabled", "last4", "hint", "prefix",
        "fingerprint", "owner", "policy", "required", "set", "scope", "scopes", "issuer", "ttl",
        "by", "url", "uri", "location", "path", "version",
    }
)  # fmt: skip
_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bgh[pousr]_\w{30,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{18,}"
    r"|\bxox[abeprs]-[\w-]{10,}|\bsk-[A-Za-z0-9_-]{20,}|\b[sr]k_live_\w{16,}|\bAIza[\w-]{35}"
    r"|\bya29\.[\w-]{20,}|\bhv[sb]\.[\w-]{20,}|\bnpm_\w{36}|\bSG\.[\w-]{16,}\.[\w-]{16,}"
    r"|\beyJ[\w-]{10,}\.[\w-]{10,}\.|\$2[abxy]\$\d\d\$|\$(?:1|5|6|y|argon2\w*)\$\S{8,}"
    r"|\{(?:S?SHA\d*|S?MD5|CRYPT)\}\S{8,}|AccountKey=\S{20,}|://[^/\s:@]+:[^/\s@]+@"
)
REMOVED = "(removed by muster)"


def names_secret(column: str) -> bool:
    """Whether a column of this name may hold secrets themselves."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", column)
    words = re.findall(r"[^\W_]+", spaced.lower())
    if not words or words[-1] in _ABOUT or words[0] in ("is", "has"):
        return False
    return not _WORDS.isdisjoint(words) or any(pair in pairwise(words) for pair in _PAIRS)


def is_secret(value: str) -> bool:
    """Whether *value* has the marks of a token, a key or a password hash."""
    return _VALUE.search(value) is not None


def without(value: Any, depth: int = 0) -> Any:
    """*value* of JSON without secrets; numbers that canonical JSON has no form for become text."""
    if isinstance(value, str):
        return REMOVED if is_secret(value) else value
    if isinstance(value, float) or (type(value) is int and abs(value) >= 2**53):
        return str(value)
    if isinstance(value, dict | list) and depth > 8:
        return "(nested too deeply)"
    if isinstance(value, dict):
        return {k: without(v, depth + 1) for k, v in value.items() if not names_secret(k)}
    if isinstance(value, list):
        return [without(v, depth + 1) for v in value]
    return value
