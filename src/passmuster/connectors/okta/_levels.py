"""How much an administrator's role or a scope of Okta's API lets its holder do, by its name."""

Judgement = tuple[str, str | None]

_ROLES = {
    "SUPER_ADMIN": "admin", "ORG_ADMIN": "admin", "APP_ADMIN": "admin", "USER_ADMIN": "admin",
    "API_ACCESS_MANAGEMENT_ADMIN": "admin", "API_ADMIN": "admin", "GROUP_MEMBERSHIP_ADMIN": "admin",
    "ACCESS_REQUESTS_ADMIN": "admin", "WORKFLOWS_ADMIN": "admin",
    "HELP_DESK_ADMIN": "write", "MOBILE_ADMIN": "write", "ACCESS_CERTIFICATIONS_ADMIN": "write",
    "READ_ONLY_ADMIN": "read", "REPORT_ADMIN": "read",
}  # fmt: skip
_STRONG = frozenset((
    "okta.roles.manage", "okta.apps.manage", "okta.apiTokens.manage", "okta.users.manage",
    "okta.authorizationServers.manage", "okta.policies.manage", "okta.idps.manage",
    "okta.groups.manage", "okta.clients.manage", "okta.appGrants.manage",
))  # fmt: skip
"""With each of these its holder can make itself more, or become somebody else."""


def level_of_role(sort: str, name: str) -> Judgement:
    """Of a role by its type; a custom one says nothing by its name."""
    level = _ROLES.get(sort, "unknown")
    return level, f"the Okta role {name}" if level != "unknown" else None


def level_of_scope(name: str) -> Judgement:
    """Of a scope such as `okta.users.read`."""
    if name in _STRONG:
        return "admin", f"{name}: may make itself more, or become somebody else"
    if name.endswith((".manage", ".register")):
        return "write", name
    return ("read", name) if name.endswith(".read") else ("unknown", None)
