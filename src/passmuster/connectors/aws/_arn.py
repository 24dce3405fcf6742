"""Amazon resource names, `arn:partition:iam::account:type/path/name`, and times."""

import re
from datetime import UTC, datetime
from typing import Any

from passmuster import text
from passmuster.connectors import _json

_ARN = re.compile(r"arn:([a-z-]+):([a-z0-9-]+):[^:]*:(\d+|aws)?:(.+)", re.DOTALL)


def account_of(arn: str) -> str:
    """The account in *arn*: digits, or `aws` for what AWS itself manages; "" if none."""
    found = _ARN.fullmatch(arn)
    return (found.group(3) or "") if found else ""


def name_of(arn: str) -> str:
    """The last part of the resource: the name without type and path."""
    return arn.rsplit(":", 1)[-1].rsplit("/", 1)[-1]


def type_of(arn: str) -> str:
    """What it is: `user`, `role`, `group`, `root`."""
    return arn.rsplit(":", 1)[-1].split("/", 1)[0]


def pathless(arn: str) -> str | None:
    """The ARN without the path, as lists that tell names alone would have it; None if it is equal.

    Names of users are unique in an account whatever their path.
    """
    kind, name = type_of(arn), name_of(arn)
    short = f"{arn.rsplit(':', 1)[0]}:{kind}/{name}"
    return short if short != arn and kind != "root" else None


def when(value: Any) -> str | None:
    """A time as the command line writes it, or as recorded answers of the API (placebo) do."""
    if isinstance(value, dict) and value.get("__class__") == "datetime":
        parts = [value.get(p, 0) for p in ("year", "month", "day", "hour", "minute", "second")]
        if not all(isinstance(p, int) for p in parts):
            raise ValueError("a recorded time is not made of numbers")
        year, month, day, hour, minute, second = parts
        return text.rfc3339(datetime(year, month, day, hour, minute, second, tzinfo=UTC))
    return _json.when(value)
