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
_VALUES: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = tuple(
    (marks, re.compile(pattern)) for marks, pattern in (
        (("PRIVATE KEY",), r"-----BEGIN [A-Z ]*PRIVATE KEY"),
        (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_\w{30,}"),
        (("github_pat_",), r"\bgithub_pat_\w{20,}"),
        (("glpat-",), r"\bglpat-[\w-]{18,}"),
        (("xox",), r"\bxox[abeprs]-[\w-]{10,}"),
        (("sk-",), r"\bsk-[A-Za-z0-9_-]{20,}"),
        (("k_live_",), r"\b[sr]k_live_\w{16,}"),
        (("AIza",), r"\bAIza[\w-]{35}"),
        (("ya29.",), r"\bya29\.[\w-]{20,}"),
        (("hvs.", "hvb."), r"\bhv[sb]\.[\w-]{20,}"),
        (("npm_",), r"\bnpm_\w{36}"),
        (("SG.",), r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
        (("eyJ",), r"\beyJ[\w-]{10,}\.[\w-]{10,}\."),
        (("$",), r"\$2[abxy]\$\d\d\$|\$(?:1|5|6|y|argon2\w*)\$\S{8,}"),
        (("SHA", "MD5}", "CRYPT}"), r"\{(?:S?SHA\d*|S?MD5|CRYPT)\}\S{8,}"),
        (("AccountKey=",), r"AccountKey=\S{20,}"),
        (("://",), r"://[^/\s:@]+:[^/\s@]+@"),
    )
)  # fmt: skip
"""What must stand in a value that has the pattern, and the pattern: a whole export is looked
through for the first in a hundredth of the time that the second takes."""
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
    return any(
        pattern.search(value) is not None
        for marks, pattern in _VALUES
        if any(mark in value for mark in marks)
    )


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
