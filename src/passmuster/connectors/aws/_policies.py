"""What an IAM policy document lets its holder do, as one level and one reason in words.

Only Allow statements are judged. A Deny, a permissions boundary or a service control policy may
take some of it away again: the level is what the document grants, which is what a reviewer of
the document has to answer for. Where a pattern cannot be told to be reading only, it is writing.
"""

import json
import re
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from passmuster.connectors._json import listed, mapping

Judgement = tuple[str, str | None]

# https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation/ and AWS's own
# "IAM privilege escalation" checks: each of these on every resource makes its holder an admin
_ESCALATIONS = tuple(
    f"iam:{action}".lower()
    for action in (
        "AddUserToGroup", "AttachGroupPolicy", "AttachRolePolicy", "AttachUserPolicy",
        "CreateAccessKey", "CreateLoginProfile", "CreatePolicyVersion", "PutGroupPolicy",
        "PutRolePolicy", "PutUserPolicy", "SetDefaultPolicyVersion", "UpdateAssumeRolePolicy",
        "UpdateLoginProfile",
    )
)  # fmt: skip
_ADMIN_SERVICES = frozenset(("iam:*", "sts:*", "organizations:*"))
_READING = re.compile(
    r"(?:get|list|describe|read|view|batchget|lookup|search|query|scan|select|check|head"
    r"|simulate|validate|test|download|estimate|preview|generatecredentialreport"
    r"|generateservicelastaccesseddetails)"
)
_WHOLE_OF_IAM = re.compile(r"arn:[^:]*:(?:iam|\*):[^:]*:[^:]*:(?:(?:user|role|group|policy)/)?\*")
_ADMIN_NAMES = re.compile(
    r"AdministratorAccess(?:-.*)?|PowerUserAccess|IAMFullAccess|AWSOrganizationsFullAccess"
)


def document(value: Any) -> dict[str, Any]:
    """A policy document as an object: the raw API URL-encodes what the command line decodes."""
    if isinstance(value, str):
        plain = value if value.lstrip().startswith("{") else unquote(value)
        value = json.loads(plain)
    return mapping(value)


def statements(policy: dict[str, Any], effect: str = "Allow") -> list[dict[str, Any]]:
    """The statements of *policy* with that effect; one without brackets is a list of one."""
    every = [mapping(s) for s in listed(policy.get("Statement"))]
    return [s for s in every if s.get("Effect") == effect]


def judge(policy: dict[str, Any]) -> Judgement:
    """(permission_level, level_reason) of a whole document."""
    allowing = statements(policy)
    if not allowing:
        return "read", "allows nothing: no Allow statement"
    found = [_judge(statement) for statement in allowing]
    for level in ("admin", "write"):
        for at, (its_level, reason) in enumerate(found):
            if its_level == level:
                under = " under a condition" if allowing[at].get("Condition") else ""
                return level, f"{reason}{under}"
    return "read", "Allow of reading actions only"


def _judge(statement: dict[str, Any]) -> tuple[str, str]:
    resources = _words(statement.get("Resource")) or (["*"] if "NotResource" in statement else [])
    everywhere = "*" in resources
    if "NotAction" in statement:
        spared = ", ".join(_words(statement["NotAction"])[:3])
        if everywhere:
            return "admin", f"Allow everything except {spared} on *"
        return "write", f"Allow everything except {spared} on {_few(resources)}"
    actions = _words(statement.get("Action"))
    whole = everywhere or any(_WHOLE_OF_IAM.fullmatch(r) for r in resources)
    for action in actions:
        low = action.lower()
        if low in ("*", "*:*") and everywhere:
            return "admin", f"Allow {action} on *"
        if whole and _escalates(low):
            return "admin", f"Allow {action} on {_few(resources)}: may raise its own rights"
    for action in actions:
        if not _READING.match(action.lower().partition(":")[2]):
            return "write", f"Allow {action} on {_few(resources)}"
    return "read", ""


def _escalates(action: str) -> bool:
    if action in _ADMIN_SERVICES:
        return True
    return action in _ESCALATIONS or any(fnmatchcase(e, action) for e in _ESCALATIONS)


def _words(value: Any) -> list[str]:
    return [word for word in listed(value) if isinstance(word, str)]


def _few(names: list[str]) -> str:
    if "*" in names:
        return "*"
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def judge_name(arn: str) -> Judgement:
    """A policy that is attached, but whose document the export does not hold."""
    name = arn.rsplit("/", 1)[-1]
    if ":iam::aws:policy/" not in arn:
        return "unknown", "the export does not hold the policy's document"
    if _ADMIN_NAMES.fullmatch(name):
        level = "admin"
    elif re.search(r"ReadOnly|ViewOnly|SecurityAudit$", name):
        level = "read"
    elif name.endswith("FullAccess"):
        level = "write"
    else:
        return "unknown", "the export does not hold the policy's document"
    return level, f"by its name only, {name}: the export does not hold the document"
