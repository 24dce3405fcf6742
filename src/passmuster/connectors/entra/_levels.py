"""How much a permission of Microsoft Graph, a directory role or an Azure role lets its holder do.

Admin is whatever can make itself more: grant permissions, add credentials to applications, or
change roles ("Privileged roles and permissions", learn.microsoft.com). Names decide, since no
export says more; the few ids are of Graph's own permissions, the same in every tenant.
"""

Judgement = tuple[str, str | None]

GRAPH = "00000003-0000-0000-c000-000000000000"
PERMISSIONS = {
    "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8": "RoleManagement.ReadWrite.Directory",
    "06b708a9-e830-4db3-a914-8e69da51d44f": "AppRoleAssignment.ReadWrite.All",
    "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9": "Application.ReadWrite.All",
    "18a4783c-866b-4cc7-a460-3d5e5662c884": "Application.ReadWrite.OwnedBy",
    "19dbc75e-c2e2-444c-a770-ec69d8559fc7": "Directory.ReadWrite.All",
    "7ab1d382-f21e-4acd-a863-ba3e13f7da61": "Directory.Read.All",
    "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30": "Application.Read.All",
    "62a82d76-70ea-41e2-9197-370581804d09": "Group.ReadWrite.All",
    "741f803b-c850-494e-b5df-cde7c675a1ca": "User.ReadWrite.All",
    "df021288-bdef-4463-88db-98f22de89214": "User.Read.All",
    "75359482-378d-4052-8f01-80520e7db3cd": "Files.ReadWrite.All",
    "e2a3a72e-5f79-4c64-b1b1-878b674786c9": "Mail.ReadWrite",
    "b633e1c5-b582-4048-a93e-9f11b44c7e96": "Mail.Send",
    "810c84a8-4a9e-49e6-bf7d-12d183f40d01": "Mail.Read",
}
_ADMIN = {
    "rolemanagement.readwrite.directory": "may give itself any directory role",
    "approleassignment.readwrite.all": "may give itself any permission",
    "application.readwrite.all": "may add credentials to any application",
    "directory.readwrite.all": "may change the directory",
}  # fmt: skip
_ADMIN_ROLES = frozenset((
    "global administrator", "company administrator", "privileged role administrator",
    "privileged authentication administrator", "application administrator",
    "cloud application administrator", "hybrid identity administrator", "user administrator",
    "exchange administrator", "sharepoint administrator", "intune administrator",
    "security administrator", "conditional access administrator", "authentication administrator",
))  # fmt: skip
_OWNER_ROLES = frozenset(("owner", "user access administrator",
                          "role based access control administrator"))  # fmt: skip


def permission(name: str) -> Judgement:
    """Of a delegated scope or an application's role, by its name."""
    low = name.lower()
    if reason := _ADMIN.get(low):
        return "admin", f"{reason} ({name})"
    words = low.replace("_", ".").split(".")
    if any(w in ("readwrite", "write", "send", "manage", "fullcontrol", "full") for w in words):
        return "write", name
    if "read" in words or "readbasic" in words or low in (
        "openid", "profile", "email", "offline_access",
    ):  # fmt: skip
        return "read", name
    return "unknown", None


def directory_role(name: str) -> Judgement:
    """Of a role of Entra itself."""
    low = name.lower()
    if low in _ADMIN_ROLES:
        return "admin", f"the directory role {name}"
    if low.endswith("reader"):
        return "read", f"the directory role {name}"
    return "unknown", None


def azure_role(name: str, actions: list[str] | None = None) -> Judgement:
    """Of a role of Azure, by its name, or by the actions that its definition lists."""
    low = name.lower()
    if low in _OWNER_ROLES:
        return ("owner" if low == "owner" else "admin"), f"the Azure role {name}"
    if actions is not None:
        return _actions(actions)
    if low == "contributor":
        return "admin", "the Azure role Contributor: every resource, but not who may reach it"
    words = low.split()
    level = "read" if "reader" in words else "write" if "contributor" in words else "unknown"
    return level, None if level == "unknown" else f"the Azure role {name}"


def _actions(actions: list[str]) -> Judgement:
    if "*" in actions:
        return "admin", "every action on every resource"
    if any(a.lower().startswith("microsoft.authorization/") and a.endswith(("*", "write"))
           for a in actions):  # fmt: skip
        return "admin", "may change who has which role"
    reads = all(a.lower().endswith("/read") for a in actions)
    return ("read", "reads only") if reads else ("write", ", ".join(actions[:3]))
