"""OpenLDAP, 389 Directory Server, FreeIPA and their like, from an LDIF export.

Sources: RFC 4519 and 4530 (person, group, entryUUID), RFC 2307 (posixAccount), the password policy
draft (behera-ldap-password-policy) with OpenLDAP's `lastbind`, 389-ds `nsRole`, `nsAccountLock`.
A DN is kept in lower case without blanks: these servers return it as somebody once typed it.

`memberUid` names a login, not a DN: such memberships come at the end, when all logins are known.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors import _directory as directory
from passmuster.connectors._ldif import Entry, Reader, looks_like
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
    Sighting,
    Source,
)  # fmt: skip

_ATTRIBUTES = (
    "objectclass entryuuid nsuniqueid uid cn sn displayname mail ou description employeetype title "
    "uidnumber loginshell memberof member uniquemember memberuid owner manager seealso nsroledn "
    "nsaccountlock pwdaccountlockedtime pwdchangedtime pwdlastsuccess authtimestamp lastlogintime "
    "krblastsuccessfulauth krblastpwdchange passwordexpirationtime krbpasswordexpiration "
    "createtimestamp modifytimestamp creatorsname usercertificate sshpublickey ipasshpubkey "
    "userpassword krbprincipalname"
)
_WANTED = frozenset(_ATTRIBUTES.split())
_BINARY = frozenset({"usercertificate"})
_SECRET = frozenset({"userpassword"})
_GROUPS = frozenset(
    {
        "groupofnames", "groupofuniquenames", "groupofmembers", "groupofentries", "posixgroup",
        "group", "ipausergroup", "organizationalrole",
    }
)  # fmt: skip
_PERSONS = frozenset({"person", "organizationalperson", "inetorgperson"})
_ACCOUNTS = _PERSONS | {
    "account", "simplesecurityobject", "posixaccount", "applicationprocess", "inetuser",
}  # fmt: skip
_SERVICE_OU = re.compile(
    r"(?:^|,)(?:ou|cn)=(?:services?|svc|sysaccounts|service ?accounts|applications?|apps|robots?|"
    r"machines|system)(?=,)"
)
_LAST_USED = (
    ("pwdlastsuccess", "pwdLastSuccess (lastbind)"),
    ("authtimestamp", "authTimestamp (lastbind)"),
    ("lastlogintime", "lastLoginTime (account policy plugin)"),
    ("krblastsuccessfulauth", "krbLastSuccessfulAuth (one server)"),
)
_OPERATIONAL = ("entryuuid", "nsuniqueid", "createtimestamp", "modifytimestamp")
LOCKED_FOR_GOOD = "000001010000Z"
"""The value of pwdAccountLockedTime by which an administrator, not the policy, locks."""
_DISABLED_ROLES = ("cn=nsmanageddisabledrole,", "cn=nsdisabledrole,")
_ADMIN_GROUPS = frozenset(
    {"admins", "administrators", "directory administrators", "domain admins", "sudoers"}
)


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """The accounts, groups, roles and memberships of an LDAP export."""
    parser = _Parser(context)
    for item in Reader(_WANTED, _BINARY, _SECRET).read(stream):
        if isinstance(item, Problem):
            yield item
        else:
            yield from parser.records(item)
    yield from parser.logins()
    if parser.suffix is None:
        raise ImportRefused("no account and no group in this file; export people and groups")


class _Parser:
    """What must be remembered between entries: the suffix, groups described, logins."""

    def __init__(self, context: Context) -> None:
        self.suffix: str | None = None
        self._label = context.source_label
        self._described: set[str] = set()
        self._dn_of: dict[str, str] = {}
        self._members: list[tuple[str, str, int]] = []

    def records(self, entry: Entry) -> Iterator[Record]:
        classes = {c.lower() for c in entry.values.get("objectclass", ())}
        is_role = "nsroledefinition" in classes
        is_group = not is_role and not classes.isdisjoint(_GROUPS)
        if not (is_role or is_group or not classes.isdisjoint(_ACCOUNTS)):
            return
        dn = directory.normal(entry.dn)
        suffix = directory.domain(dn) or dn.rpartition(",")[2]
        if suffix != self.suffix:
            self.suffix = suffix
            yield Source("ldap", suffix, self._label)
        uid = entry.first("entryuuid") or entry.first("nsuniqueid") or dn
        for name in entry.cut:
            yield Problem(entry.line, name, "the server sent only the first values", uid)
        if is_group or is_role:
            yield from self._group(entry, uid, dn, "role" if is_role else "group")
        else:
            yield from self._account(entry, uid, dn, classes)
        for group in entry.values.get("memberof", ()):
            yield from self._belongs(dn, group, entry.line)
        for role in entry.values.get("nsroledn", ()):
            if not directory.normal(role).startswith(_DISABLED_ROLES):
                yield from self._belongs(dn, role, entry.line)

    def _belongs(self, dn: str, group: str, line: int) -> Iterator[Record]:
        group = directory.normal(group)
        if group not in self._described:
            self._described.add(group)
            yield self._entitlement(group, directory.first_rdn(group), "group", None)
        yield Grant(dn, directory.membership(group), line=line)

    def _entitlement(self, dn: str, name: str, kind: str, line: int | None) -> Entitlement:
        admin = name.lower() in _ADMIN_GROUPS
        return Entitlement(
            directory.membership(dn), f"member of {name}", "assignment", dn, kind,
            "admin" if admin else "unknown",
            "its name says that it administers the directory" if admin else None,
            scope=self.suffix, line=line,
        )  # fmt: skip

    def _group(self, entry: Entry, uid: str, dn: str, kind: Kind) -> Iterator[Record]:
        name = entry.first("cn") or directory.first_rdn(entry.dn)
        description, seen = directory.without_passwords(uid, self.suffix or "", entry)
        yield Identity(
            uid, dn, name, kind, "stated", nhi_detail=f"ldap.{kind}", status="enabled",
            created_at=directory.generalized(entry.first("createtimestamp")),
            created_by=entry.first("creatorsname"), last_used_state="not_tracked",
            purpose=description, line=entry.line,
        )  # fmt: skip
        yield from seen
        self._described.add(dn)
        yield self._entitlement(dn, name, kind, entry.line)
        for attribute in ("member", "uniquemember"):
            for member in entry.values.get(attribute, ()):
                if member:
                    # uniqueMember may end in an optional bit string: `…,dc=com#'0101'B`
                    holder = directory.normal(re.sub(r"#'[01]*'B$", "", member))
                    yield Grant(holder, directory.membership(dn), line=entry.line)
        for login in entry.values.get("memberuid", ()):
            self._members.append((login, directory.membership(dn), entry.line))
        for handle in entry.values.get("owner", ()):
            yield _owner(uid, "owner", handle, entry.line)

    def _account(self, entry: Entry, uid: str, dn: str, classes: set[str]) -> Iterator[Record]:
        first = entry.first
        login = first("uid")
        if login is not None:
            self._dn_of.setdefault(login, dn)
        name = login or first("cn") or directory.first_rdn(entry.dn)
        kind, detail = _kind(entry, dn, name, classes)
        human = kind == "human"
        shown = (first("displayname") or first("cn") or name) if human else name
        description, seen = directory.without_passwords(uid, self.suffix or "", entry)
        last, source = _last_used(entry)
        status = _status(entry)
        lock = first("pwdaccountlockedtime")
        yield Identity(
            uid, dn, shown, kind, "stated" if detail == "ldap.application" else "inferred",
            login, "local_account", detail, status,
            None if status == "unknown" else int(lock not in (None, LOCKED_FOR_GOOD)),
            directory.generalized(first("createtimestamp")), first("creatorsname"),
            last, "known" if last else "unknown", source, person_uid=dn if human else None,
            purpose=description, attributes=_attributes(entry), line=entry.line,
        )  # fmt: skip
        yield from seen
        yield from _password(entry, uid, dn, status)
        yield from directory.certificates(uid, entry, "ldap.certificate")
        yield from directory.ssh_keys(uid, entry)
        if human:
            manager = first("manager")
            yield Person(
                dn, first("mail"), shown, int(status != "disabled"),
                manager=directory.normal(manager) if manager else None,
                aliases=text.json_text(_aliases(entry, shown)), line=entry.line,
            )  # fmt: skip
        else:
            for attribute, role in (("owner", "owner"), ("manager", "owner"),
                                    ("seealso", "technical")):  # fmt: skip
                for handle in entry.values.get(attribute, ()):
                    yield _owner(uid, attribute, handle, entry.line, role)

    def logins(self) -> Iterator[Record]:
        """Memberships by login; of a login without an entry the grant stays dangling."""
        for login, group, line in self._members:
            yield Grant(self._dn_of.get(login, f"uid={login}"), group, "memberUid", line=line)


def _owner(uid: str, attribute: str, handle: str, line: int, role: str = "owner") -> Owner:
    return Owner(
        uid, directory.normal(handle), role, "managedBy", f"{attribute}: {handle}", line
    )  # fmt: skip


def _kind(entry: Entry, dn: str, name: str, classes: set[str]) -> tuple[Kind, str]:
    if "applicationprocess" in classes:
        return "service", "ldap.application"
    number = entry.first("uidnumber") or ""
    if number.isdigit() and int(number) < 1000 and classes.isdisjoint(_PERSONS):
        return "system", "ldap.system_account"
    if (
        ("simplesecurityobject" in classes and classes.isdisjoint(_PERSONS))
        or directory.SERVICE_NAME.search(name)
        or _SERVICE_OU.search(dn.partition(",")[2] + ",")
    ):
        return "service", "ldap.service_user"
    return "human", "ldap.user"


def _status(entry: Entry) -> str:
    """Disabled if anything says so; enabled only if operational attributes were exported.

    Without them (`ldapsearch … '*'` but no `'+'`) a locked account looks like any other.
    """
    locks = [value.lower() for value in entry.values.get("nsaccountlock", ())]
    roles = [directory.normal(role) for role in entry.values.get("nsroledn", ())]
    if (
        "true" in locks
        or entry.first("pwdaccountlockedtime") == LOCKED_FOR_GOOD
        or any(role.startswith(_DISABLED_ROLES) for role in roles)
    ):
        return "disabled"
    if locks or any(name in entry.values for name in _OPERATIONAL):
        return "enabled"
    return "unknown"


def _last_used(entry: Entry) -> tuple[str | None, str | None]:
    found = [(directory.generalized(entry.first(name)), words) for name, words in _LAST_USED]
    known = [(at, words) for at, words in found if at is not None]
    return max(known) if known else (None, None)


def _password(entry: Entry, uid: str, dn: str, status: str) -> Iterator[Record]:
    """The password as a credential; of its hash only the name of the scheme is known here."""
    schemes = entry.values.get("userpassword")
    changed = entry.first("pwdchangedtime") or entry.first("krblastpwdchange")
    if schemes is None and changed is None:
        return
    expires = directory.generalized(
        entry.first("passwordexpirationtime") or entry.first("krbpasswordexpiration")
    )
    plain = schemes is not None and "" in schemes
    about = {"scheme": ", ".join(s or "plain text" for s in schemes)} if schemes else {}
    yield Credential(
        uid, f"{uid}#password", "static_secret", "ldap.password", "password",
        status="disabled" if status == "disabled" else "enabled",
        last_rotated_at=directory.generalized(changed), expires_at=expires,
        expires_state="set" if expires else "unknown",
        attributes=text.json_text(about), line=entry.line,
    )  # fmt: skip
    if plain:
        yield Sighting(uid, "plain_text", f"userPassword of {dn}, in this very export",
                       credential_uid=f"{uid}#password", line=entry.line)  # fmt: skip


def _attributes(entry: Entry) -> str:
    kept = {
        "uid": "uid", "mail": "mail", "title": "title", "employeetype": "employeeType",
        "loginshell": "loginShell", "uidnumber": "uidNumber",
        "krbprincipalname": "krbPrincipalName",
        "pwdaccountlockedtime": "pwdAccountLockedTime", "nsaccountlock": "nsAccountLock",
        "nsuniqueid": "nsUniqueId", "nsroledn": "nsRoleDN",
    }  # fmt: skip
    return text.json_text({
        shown: values[0] if len(values) == 1 else values
        for name, shown in kept.items() if (values := entry.values.get(name))
    })  # fmt: skip


def _aliases(entry: Entry, shown: str) -> list[str]:
    """Other names under which tags and notes elsewhere may speak of this person."""
    values = entry.values
    every = [*values.get("uid", ()), *values.get("cn", ()), *values.get("mail", ())[1:]]
    return [a for a in dict.fromkeys(every) if a and a != shown]


def sniff(head: bytes) -> bool:
    """LDIF without the attributes that only Active Directory has."""
    return looks_like(head) and not directory.is_ad(head)
