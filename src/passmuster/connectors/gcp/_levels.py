"""How much a role of Google Cloud lets its holder do: by its permissions, else by its name.

Admin is whatever can make itself more: set policies, make keys or tokens of service accounts, act
as one, or change roles (cloud.google.com/iam/docs/best-practices-service-accounts).
"""

import re

Judgement = tuple[str, str | None]

_STRONG = re.compile(
    r".*\.setIamPolicy|iam\.serviceAccounts\.(?:actAs|getAccessToken|signBlob|signJwt"
    r"|implicitDelegation)|iam\.serviceAccountKeys\.create|iam\.roles\.(?:update|create)"
    r"|deploymentmanager\.deployments\.create|orgpolicy\.policy\.set"
)
_READS = re.compile(r".*\.(?:get|list|search|query|view)\w*")
_NAMED = {
    "roles/owner": ("owner", "Owner: everything, and who may do it"),
    "roles/editor": ("admin", "Editor: changes nearly every resource"),
    "roles/viewer": ("read", "Viewer"),
    "roles/browser": ("read", "Browser"),
    "roles/iam.serviceAccountTokenCreator": ("admin", "may make tokens of service accounts"),
    "roles/iam.serviceAccountUser": ("admin", "may act as service accounts"),
    "roles/iam.workloadIdentityUser": ("admin", "may act as service accounts"),
    "roles/iam.serviceAccountKeyAdmin": ("admin", "may make keys of service accounts"),
    "roles/iam.organizationRoleAdmin": ("admin", "may change roles"),
}
IMPERSONATING = frozenset((
    "roles/iam.serviceAccountTokenCreator", "roles/iam.serviceAccountUser",
    "roles/iam.workloadIdentityUser", "roles/iam.serviceAccountKeyAdmin",
    "roles/iam.serviceAccountAdmin", "roles/owner", "roles/editor",
    "roles/iam.serviceAccountOpenIdTokenCreator",
))  # fmt: skip
"""Roles that, on a service account, let their holder become it."""


def by_permissions(permissions: list[str]) -> Judgement:
    """Of a role whose permissions are told."""
    strong = next((p for p in permissions if _STRONG.fullmatch(p)), None)
    if strong:
        return "admin", f"has {strong}"
    change = next((p for p in permissions if not _READS.fullmatch(p)), None)
    return ("write", f"has {change}") if change else ("read", "reads only")


def by_name(role: str) -> Judgement:
    """Of a role of Google's that only its name is known of; a project's own says nothing so."""
    if role in _NAMED:
        return _NAMED[role]
    if not role.startswith("roles/"):
        return "unknown", "a role of one's own, not in the export"
    last = role.rpartition(".")[2].lower()
    if last.endswith("admin") and role.startswith(
        ("roles/iam.", "roles/resourcemanager.", "roles/orgpolicy.", "roles/owner")
    ):
        return "admin", f"by its name only, {role}"
    if last.endswith(("viewer", "reader", "getter", "accessor")):
        return "read", f"by its name only, {role}"
    words = ("admin", "owner", "editor", "writer", "creator", "developer", "agent", "user")
    if last.endswith(words):
        return "write", f"by its name only, {role}"
    return "unknown", None
