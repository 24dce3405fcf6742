"""Active Directory, from an LDIF export (`ldapsearch`, `ldifde` or Samba's `ldbsearch`).

Sources: MS-ADTS 2.2.16 (userAccountControl), MS-DTYP 2.4.2.4 (well-known SIDs), MS-ADA1 to 3 for
the attributes; Samba 4.17 for what an export really holds.

A group's entry and a member's `memberOf` both yield the same membership under the same uid.
Membership through `primaryGroupID` stands in neither, so it is added at the end; that hides
nobody in Domain Admins.
"""

import base64
import re
from collections.abc import Iterator
from typing import BinaryIO

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors import _directory as directory
from passmuster.connectors._ldif import Entry, Reader, looks_like
from passmuster.connectors.ad._plan import DISABLED, MANAGED_DETAILS
from passmuster.errors import ImportRefused
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Kind,
    Owner,
    Person,
    Problem,
    Record,
    Source,
)  # fmt: skip

# Everything else is not even decoded: unicodePwd, supplementalCredentials, ms-Mcs-AdmPwd,
# ms-LAPS-*, msDS-ManagedPassword and photographs need no list of what to drop.
_ATTRIBUTES = (
    "objectclass objectsid samaccountname userprincipalname displayname cn mail "
    "useraccountcontrol msds-user-account-control-computed lockouttime accountexpires "
    "pwdlastset lastlogon lastlogontimestamp whencreated serviceprincipalname memberof member "
    "managedby manager admincount description info primarygroupid msds-managedpasswordinterval "
    "usercertificate msds-allowedtodelegateto grouptype title department employeeid"
)
_WANTED = frozenset(_ATTRIBUTES.split())
_BINARY = frozenset({"objectsid", "usercertificate"})
_MANAGED = {
    "msds-groupmanagedserviceaccount": "ad.gmsa",
    "msds-delegatedmanagedserviceaccount": "ad.dmsa",
    "msds-managedserviceaccount": "ad.smsa",
}
_ACCOUNT_CLASSES = frozenset({"user", "computer", "inetorgperson", *_MANAGED})

_FLAGS = (
    (0x20, "password not required"),
    (0x80, "password kept reversibly encrypted"),
    (0x10000, "password never expires"),
    (0x80000, "unconstrained delegation"),
    (0x200000, "DES keys only"),
    (0x400000, "no Kerberos pre-authentication"),
    (0x1000000, "may impersonate any user to its delegation targets"),
)
# Well-known RIDs whose members rule the domain or can make themselves its rulers
_ADMIN_RIDS = {
    512: "Domain Admins", 518: "Schema Admins", 519: "Enterprise Admins",
    526: "Key Admins", 527: "Enterprise Key Admins",
    544: "Administrators", 548: "Account Operators", 549: "Server Operators",
    550: "Print Operators", 551: "Backup Operators",
}  # fmt: skip
_ADMIN_NAMES = {name.lower(): name for name in (*_ADMIN_RIDS.values(), "DnsAdmins")}
_BUILTIN_ACCOUNTS = {500: "Administrator", 501: "Guest", 502: "krbtgt", 503: "DefaultAccount"}
_ORDINARY_PRIMARY_GROUPS = frozenset({"513", "514", "515", "516", "521", "0"})


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """The accounts, groups and memberships of an AD export."""
    parser = _Parser(context)
    for item in Reader(_WANTED, _BINARY).read(stream):
        if isinstance(item, Problem):
            yield item
        else:
            yield from parser.records(item)
    yield from parser.primary_groups()
    if parser.domain is None:
        raise ImportRefused(
            "no account and no group with an objectSid in this file; ask for objectClass=user, "
            "and for objectClass, objectSid and sAMAccountName among the attributes"
        )


class _Parser:
    """What must be remembered between entries: the domain, and which groups were described."""

    def __init__(self, context: Context) -> None:
        self.domain: str | None = None
        self._label = context.source_label
        self._described: set[str] = set()
        self._groups: dict[str, str] = {}
        self._primary: list[tuple[str, str, int]] = []

    def records(self, entry: Entry) -> Iterator[Record]:
        classes = {c.lower() for c in entry.values.get("objectclass", ())}
        is_group = "group" in classes
        if not is_group and not classes & _ACCOUNT_CLASSES:
            return
        domain = directory.domain(entry.dn)
        if domain is None:
            yield Problem(entry.line, "dn", "no DC= parts, so no domain; the entry was left out")
            return
        sid = _sid(entry.first("objectsid"))
        if sid is None:
            why = "no objectSid that can be read, so nothing to know it by; the entry was left out"
            yield Problem(entry.line, "objectSid", why, entry.dn)
            return
        if domain != self.domain:
            self.domain = domain
            yield Source("ad", domain, self._label)
        for name in entry.cut:
            yield Problem(
                entry.line,
                name,
                "the server sent only the first values; "
                "export with paged ranges, or the accounts with memberOf",
                sid,
            )
        if is_group:
            yield from self._group(entry, sid)
        else:
            yield from self._account(entry, sid, classes)
        for handle in entry.values.get("managedby", ()):
            yield Owner(sid, handle, "owner", "managedBy", f"managedBy: {handle}", entry.line)
        for group in entry.values.get("memberof", ()):
            yield from self._mention(group)
            yield Grant(entry.dn, directory.membership(group), line=entry.line)

    def _group(self, entry: Entry, sid: str) -> Iterator[Record]:
        name = entry.first("samaccountname") or directory.first_rdn(entry.dn)
        description, seen = directory.without_passwords(sid, self.domain or "", entry)
        self._groups[sid] = entry.dn
        attributes = {"adminCount": entry.first("admincount"), "mail": entry.first("mail")}
        yield Identity(
            sid, entry.dn, name, "group", "stated", name, nhi_detail="ad.group",
            status="enabled", created_at=directory.generalized(entry.first("whencreated")),
            last_used_state="not_tracked", purpose=description,
            attributes=directory.json_of(attributes), line=entry.line,
        )  # fmt: skip
        yield from seen
        self._described.add(entry.dn.lower())
        yield _entitlement(entry.dn, name, _admin_reason(name, sid), self.domain, entry.line)
        for member in entry.values.get("member", ()):
            if member:
                yield Grant(member, directory.membership(entry.dn), line=entry.line)

    def _mention(self, group: str) -> Iterator[Record]:
        """The entitlement of a group that may have no entry of its own in the file."""
        if group.lower() not in self._described:
            self._described.add(group.lower())
            name = directory.first_rdn(group)
            yield _entitlement(group, name, _admin_reason(name), self.domain, None)

    def _account(self, entry: Entry, sid: str, classes: set[str]) -> Iterator[Record]:
        first = entry.first
        control, problem = _number(entry, "useraccountcontrol", sid)
        yield from problem
        name = first("samaccountname") or directory.first_rdn(entry.dn)
        kind, origin, detail = _kind(entry, sid, name, classes)
        description, seen = directory.without_passwords(sid, self.domain or "", entry)
        last, state, source, problem = _last_used(entry, sid)
        yield from problem
        attributes, problem = _attributes(entry, sid, control)
        yield from problem
        human = kind == "human"
        shown = (first("displayname") or first("cn") or name) if human else name
        status = "unknown" if control is None else "disabled" if control & DISABLED else "enabled"
        yield Identity(
            sid, entry.dn, shown, kind, origin, first("userprincipalname") or name,
            "local_account", detail, status, _locked(entry),
            directory.generalized(first("whencreated")), None, last, state, source,
            person_uid=entry.dn if human else None, purpose=description,
            attributes=directory.json_of(attributes), line=entry.line,
        )  # fmt: skip
        yield from seen
        yield from _password(entry, sid, detail, control, status)
        yield from directory.certificates(sid, entry, "ad.certificate")
        if human:
            yield Person(
                entry.dn, first("mail"), shown, int(status != "disabled"), None, first("manager"),
                text.json_text(_aliases(entry, name, shown)), line=entry.line,
            )  # fmt: skip
        elif manager := first("manager"):
            yield Owner(sid, manager, "owner", "managedBy", f"manager: {manager}", entry.line)
        primary = first("primarygroupid")
        if primary is not None and primary not in _ORDINARY_PRIMARY_GROUPS:
            self._primary.append((entry.dn, f"{sid.rpartition('-')[0]}-{primary}", entry.line))

    def primary_groups(self) -> Iterator[Record]:
        """Memberships that only a `primaryGroupID` tells of, once all groups are known."""
        for member, sid, line in self._primary:
            group = self._groups.get(sid)
            if group is None:
                why = f"primary group {sid} is not in the file, so this membership is not shown"
                yield Problem(line, "primaryGroupID", why, member)
            else:
                yield Grant(member, directory.membership(group), "primary group", line=line)


def _entitlement(
    dn: str, name: str, reason: str | None, domain: str | None, line: int | None
) -> Entitlement:
    return Entitlement(
        directory.membership(dn), f"member of {name}", "assignment", dn, "group",
        "admin" if reason else "unknown", reason, scope=domain, line=line,
    )  # fmt: skip


def _admin_reason(name: str, sid: str | None = None) -> str | None:
    """Why being in this group counts as admin; by RID where it is known, else by name."""
    rid = int(sid.rpartition("-")[2]) if sid else 0
    # 512 and so on are well known only in a domain, 544 and so on only in BUILTIN (S-1-5-32)
    known = _ADMIN_RIDS.get(rid) if sid and (rid >= 544) == sid.startswith("S-1-5-32-") else None
    known = known or _ADMIN_NAMES.get(name.lower())
    if known is None:
        return None
    also = "" if known.lower() == name.lower() else f"is {known} (RID {rid}): "
    return f"{also}may rule the domain, or make itself its ruler"


def _sid(value: str | None) -> str | None:
    """`S-1-5-21-…` from the base64 of MS-DTYP 2.4.2.2, or as ldbsearch writes it."""
    if value is None or value.startswith("S-1-"):
        return value if value and re.fullmatch(r"S-1(-\d+){2,16}", value) else None
    try:
        data = base64.b64decode(value)
    except ValueError:
        return None
    if len(data) < 12 or data[0] != 1 or len(data) != 8 + 4 * data[1]:
        return None
    parts = [int.from_bytes(data[i : i + 4], "little") for i in range(8, len(data), 4)]
    return f"S-1-{int.from_bytes(data[2:8], 'big')}-" + "-".join(map(str, parts))


def _number(entry: Entry, name: str, sid: str) -> tuple[int | None, list[Record]]:
    value = entry.first(name)
    if value is None:
        return None, []
    try:
        return int(value), []
    except ValueError:
        return None, [Problem(entry.line, name, "not a number; taken as unknown", sid)]


def _time(entry: Entry, name: str, sid: str) -> tuple[str | None, list[Record]]:
    """A FILETIME; None for "never" and for what is no time, the latter with a problem."""
    value = entry.first(name)
    if value is None:
        return None, []
    try:
        return directory.filetime(value), []
    except ValueError:
        return None, [Problem(entry.line, name, "not a FILETIME; taken as unknown", sid)]


def _kind(entry: Entry, sid: str, name: str, classes: set[str]) -> tuple[Kind, str, str]:
    for managed, detail in _MANAGED.items():
        if managed in classes:
            return "service", "stated", detail
    if "computer" in classes:
        return "system", "stated", "ad.computer"
    # by RID: Administrator is often renamed, and krbtgt of a read-only DC has a number
    builtin = _BUILTIN_ACCOUNTS.get(int(sid.rpartition("-")[2]))
    if builtin or name.lower().startswith("krbtgt_") or name.endswith("$"):
        return "system", "stated", "ad.builtin_account" if builtin else "ad.system_account"
    if "serviceprincipalname" in entry.values or directory.SERVICE_NAME.search(name):
        return "service", "inferred", "ad.service_user"
    return "human", "inferred", "ad.user"


def _locked(entry: Entry) -> int | None:
    computed = entry.first("msds-user-account-control-computed")
    if computed is not None and computed.isdigit():
        return int(bool(int(computed) & 0x10))
    lockout = entry.first("lockouttime")
    return None if lockout is None else int(lockout not in ("0", ""))


def _last_used(entry: Entry, sid: str) -> tuple[str | None, str, str | None, list[Record]]:
    """The newer of the replicated time, up to 14 days late, and the one of the asked DC."""
    replicated, problem = _time(entry, "lastlogontimestamp", sid)
    local, more = _time(entry, "lastlogon", sid)
    problem += more
    if replicated is None and local is None:
        asked = "lastlogon" in entry.values or "lastlogontimestamp" in entry.values
        if problem or not asked:
            return None, "unknown", None, problem
        return None, "never", "lastLogon, lastLogonTimestamp", problem
    if local is not None and (replicated is None or local > replicated):
        return local, "known", "lastLogon (one domain controller)", problem
    return replicated, "known", "lastLogonTimestamp (14 d)", problem


def _attributes(
    entry: Entry, sid: str, control: int | None
) -> tuple[dict[str, object], list[Record]]:
    expires, problem = _time(entry, "accountexpires", sid)
    flags = [words for bit, words in _FLAGS if control is not None and control & bit]
    spns = entry.values.get("serviceprincipalname")
    targets = entry.values.get("msds-allowedtodelegateto")
    return {
        "userAccountControl": control,
        "flags": flags or None,
        "accountExpires": expires,
        "adminCount": entry.first("admincount"),
        "sAMAccountName": entry.first("samaccountname"),
        "servicePrincipalName": spns,
        "msDS-AllowedToDelegateTo": targets,
        "mail": entry.first("mail"),
        "department": entry.first("department"),
        "title": entry.first("title"),
    }, problem


def _password(
    entry: Entry, sid: str, detail: str, control: int | None, status: str
) -> Iterator[Record]:
    """The account's password as a credential, if the export says anything of it."""
    if "pwdlastset" not in entry.values:
        return
    changed, problem = _time(entry, "pwdlastset", sid)
    yield from problem
    managed = detail in (*MANAGED_DETAILS, "ad.computer")
    never = control is not None and bool(control & 0x10000)
    interval = entry.first("msds-managedpasswordinterval")
    about = {
        "rotated by": "Active Directory" if managed else None,
        "interval_days": int(interval) if interval and interval.isdigit() else None,
        "must change at next logon": True if entry.first("pwdlastset") == "0" else None,
    }
    yield Credential(
        sid, f"{sid}#password", "static_secret",
        "ad.managed_password" if managed else "ad.password", "password", status=status,
        last_rotated_at=changed, expires_state="none" if never else "unknown",
        attributes=directory.json_of(about), line=entry.line,
    )  # fmt: skip


def _aliases(entry: Entry, name: str, shown: str) -> list[str]:
    """Other names under which tags and notes elsewhere may speak of this person."""
    every = [name, entry.first("userprincipalname"), entry.first("cn")]
    return [a for a in dict.fromkeys(every) if a and a != shown]


def sniff(head: bytes) -> bool:
    """LDIF with attributes that only Active Directory and Samba have."""
    return looks_like(head) and directory.is_ad(head)
