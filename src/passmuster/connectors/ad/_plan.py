"""How to stop an account of Active Directory, and to put it back exactly as it was.

Verified on Samba 4.17: the bind is refused 0.05 s after the
change of userAccountControl, and writing the saved value back undoes it.
"""

import re

from passmuster import text
from passmuster.connectors import Act, Plan
from passmuster.connectors import _directory as directory

DISABLED = 0x2
MANAGED_DETAILS = ("ad.gmsa", "ad.dmsa", "ad.smsa")


def plan(dossier: text.Json, verb: str, target: str | None = None) -> list[Plan]:
    """Disable the account, or take it out of a group; both can be put back as they were."""
    identity = dossier["identity"]
    if target is not None and target.endswith("#member"):
        return _leave_group(dossier, target)
    uid, dn = str(identity["uid"]), str(identity["uid_alt"] or "")
    if verb not in ("revoke", "disable") or target not in (None, f"{uid}#password"):
        return []
    saved = directory.attribute(dossier, "userAccountControl")
    if saved is None or not saved.isdigit() or int(saved) & DISABLED:
        return []
    if re.fullmatch(r"S-1(-\d+){2,16}", uid) is None:
        return []
    name = identity["display_name"]
    rest = (
        "Kerberos tickets already issued work for up to 10 hours, open sessions until they end; "
        "domain controllers of other sites learn of it by replication"
    )
    act = Act(
        "ad.account.control", {"sid": uid}, {"userAccountControl": int(saved) | DISABLED},
        {"userAccountControl": int(saved)},
    )  # fmt: skip
    # not Enable-ADAccount and not 512: the saved value holds flags that neither would restore
    return [
        Plan(
            f"disable {name} (PowerShell)",
            (f"Disable-ADAccount -Identity '{uid}'",),
            (f"{_setter(identity)} -Identity '{uid}' -Replace @{{userAccountControl={saved}}}",),
            "R1", 900, rest, act, "powershell",
        ),
        Plan(
            f"disable {name} (ldapmodify)",
            (_control(dn, int(saved) | DISABLED),), (_control(dn, int(saved)),),
            "R1", 900, rest, act,
        ),
    ]  # fmt: skip


def _setter(identity: text.Json) -> str:
    detail = identity["nhi_detail"]
    if detail == "ad.computer":
        return "Set-ADComputer"
    return "Set-ADServiceAccount" if detail in MANAGED_DETAILS else "Set-ADUser"


def _control(dn: str, value: int) -> str:
    return directory.piped(dn, "replace: userAccountControl", f"userAccountControl: {value}")


def _leave_group(dossier: text.Json, target: str) -> list[Plan]:
    """Empty unless the membership is direct: an inherited one is the group's, not the account's."""
    direct = [
        g for g in dossier["grants"]
        if g["entitlement"] == target and not g.get("chain") and g["via"] == "direct"
    ]  # fmt: skip
    dn = dossier["identity"]["uid_alt"]
    if not direct or not dn:
        return []
    group, member = target.removesuffix("#member"), directory.ldif_line("member", str(dn))
    sid = str(dossier["identity"]["uid"])
    return [
        Plan(
            f"take {dossier['identity']['display_name']} out of {directory.first_rdn(group)}",
            (directory.piped(group, "delete: member", member),),
            (directory.piped(group, "add: member", member),),
            "R2", 900, "tickets already issued carry the group for up to 10 hours",
            Act("ad.group.member", {"group": group, "sid": sid}, None),
        )
    ]  # fmt: skip
