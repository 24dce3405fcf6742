"""What tags say: who owns it, what it is for, where it runs, what made it."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from passmuster.connectors._json import listed
from passmuster.connectors._secrets import REMOVED, is_secret, names_secret
from passmuster.model import Owner

_OWNER_ROLES = {
    "owner": "owner", "team": "owner", "sponsor": "sponsor",
    "contact": "technical", "email": "technical", "maintainer": "technical",
}  # fmt: skip
_PURPOSES = ("purpose", "description", "app", "application", "service")
_ENVIRONMENTS = ("env", "environment", "stage")
_TOOL_TAGS = ("managed-by", "managedby", "managed_by", "provisioner", "created-by", "createdby")
_TOOLS = re.compile(
    r"terraform|opentofu|pulumi|cdk|cloudformation|ansible|crossplane|eksctl|serverless|argocd",
    re.IGNORECASE,
)

_named_secret = lru_cache(1024)(names_secret)  # the same few keys stand on every role


def tags(value: Any) -> dict[str, str]:
    """`Tags` as a mapping. A tag that is named like a secret, or holds one, keeps its name only."""
    found = {}
    for tag in listed(value):
        if not isinstance(tag, dict) or not isinstance(tag.get("Key"), str):
            raise TypeError("a tag has no Key")
        key, kept = tag["Key"], str(tag.get("Value") or "")
        found[key] = REMOVED if _named_secret(key) or is_secret(kept) else kept
    return found


def owners(uid: str, tagged: dict[str, str], line: int) -> Iterator[Owner]:
    """Whoever a tag names, with the tag as evidence."""
    for key, value in tagged.items():
        role = _OWNER_ROLES.get(key.lower())
        if role and value.strip():
            yield Owner(uid, value.strip(), role, "tag", f"tag {key}={value}", line)


def first(tagged: dict[str, str], names: tuple[str, ...]) -> str | None:
    """The value of the first of *names* that is tagged, in any case of letters."""
    lowered = {key.lower(): value for key, value in tagged.items()}
    return next((lowered[n] for n in names if lowered.get(n)), None)


def purpose(tagged: dict[str, str]) -> str | None:
    """What it is for."""
    return first(tagged, _PURPOSES)


def environment(tagged: dict[str, str]) -> str | None:
    """Where it runs, as written."""
    return first(tagged, _ENVIRONMENTS)


def made_by(tagged: dict[str, str], path: str) -> str | None:
    """`automation:<tool>` where tags or the path say that no person made it."""
    for key, value in tagged.items():
        low = key.lower()
        if low.startswith("aws:cloudformation:"):
            return "automation:cloudformation"
        if "eksctl.io" in low:
            return "automation:eksctl"
        if low.startswith("terraform"):
            return "automation:terraform"
        if low in _TOOL_TAGS and (tool := _TOOLS.search(value)):
            return f"automation:{tool.group().lower()}"
    if path.startswith(("/service-role/", "/aws-service-role/")):
        return "automation:aws"
    return None
