"""Amazon resource names: `arn:partition:iam::account:type/path/name`."""

import re

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
