"""How to lock an account of an LDAP directory, or take it out of a group, and to undo that."""

from passmuster import text
from passmuster.connectors import Act, Plan
from passmuster.connectors import _directory as directory
from passmuster.connectors.ldap._parse import LOCKED_FOR_GOOD

_OWN = ("direct", "memberUid")


def plan(dossier: text.Json, verb: str, target: str | None = None) -> list[Plan]:
    """Lock the account the way its server understands, or end a membership of its own."""
    identity = dossier["identity"]
    uid, dn = str(identity["uid"]), identity["uid_alt"]
    if verb not in ("revoke", "disable") or not dn:
        return []
    if target is not None and target.endswith("#member"):
        return _leave_group(dossier, target)
    if target not in (None, f"{uid}#password"):
        return []
    if identity["status"] == "disabled" or identity["kind"] in ("group", "role"):
        return []
    return [_lock(dossier, uid, dn)]


def _lock(dossier: text.Json, uid: str, dn: str) -> Plan:
    """Undo takes away just that one value, or puts back the lock that was there before."""
    identity = dossier["identity"]
    if directory.attribute(dossier, "nsUniqueId"):
        lock, value, server = "nsAccountLock", "true", "389 Directory Server"
        also = ""
    else:
        lock, value = "pwdAccountLockedTime", LOCKED_FOR_GOOD
        server = "OpenLDAP with the ppolicy overlay"
        also = "; OpenLDAP obeys the lock only where its password policy has pwdLockout TRUE"
    was = directory.attribute(dossier, lock)
    back = (f"replace: {lock}", f"{lock}: {was}") if was else (f"delete: {lock}",)
    # without operational attributes in the export nobody knows whether it is locked
    known = {lock: was} if identity["status"] != "unknown" else None
    return Plan(
        f"lock {identity['display_name']} ({server})",
        (directory.piped(dn, f"replace: {lock}", f"{lock}: {value}", bind=directory.SIMPLE),),
        (directory.piped(dn, *back, bind=directory.SIMPLE),),
        "R1", 60, f"connections that are already bound stay bound until they close{also}",
        Act("ldap.account.lock", {"dn": dn, "uid": uid, "lock": lock}, {lock: value}, known),
    )  # fmt: skip


def _leave_group(dossier: text.Json, target: str) -> list[Plan]:
    """Empty unless the membership is the account's own.

    No export says of a membership whether it is `member` or `uniqueMember`: live, the group is
    asked; on paper there is a line for each, of which the wrong one changes nothing.
    """
    identity = dossier["identity"]
    own = {
        g["via"] for g in dossier["grants"]
        if g["entitlement"] == target and not g.get("chain") and g["via"] in _OWN
    }  # fmt: skip
    if not own:
        return []
    group, dn = target.removesuffix("#member"), str(identity["uid_alt"])
    login = str(identity.get("external_id") or "")
    act = Act("ldap.group.member", {"group": group, "dn": dn, "login": login}, None)
    values = {"member": dn, "uniqueMember": dn} if "direct" in own else {"memberUid": login}
    return [
        Plan(
            f"take {identity['display_name']} out of {directory.first_rdn(group)} ({name})",
            (_member(group, "delete", name, value),), (_member(group, "add", name, value),),
            "R2", 60, "what the account opened while it was a member stays open", act,
        )
        for name, value in values.items() if value
    ]  # fmt: skip


def _member(group: str, how: str, name: str, value: str) -> str:
    coded = directory.ldif_line(name, value)
    return directory.piped(group, f"{how}: {name}", coded, bind=directory.SIMPLE)
