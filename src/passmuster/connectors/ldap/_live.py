"""An LDAP directory, live: the lock of an account, its memberships, and whether it may log in.

Run against OpenLDAP 2.5 in the tests, and by hand against 389 Directory Server 2.3, which refuses a
locked account whatever the password ("Account inactivated").

OpenLDAP tells whoever may not log in only "invalid credentials", be it the lock or a wrong
password, unless its `ppolicy_use_lockout` is on: so a refusal counts only together with the lock
that is read, and the words say which it was.
"""

from pathlib import Path

from passmuster.connectors import _directory as directory
from passmuster.connectors._ldap3 import (
    INVALID_CREDENTIALS,
    UNWILLING,
    Directory,
    Found,
    Tried,
    context_of,
)
from passmuster.connectors._ldif_write import export
from passmuster.connectors._live import Act, Verdict, Where
from passmuster.errors import Declined
from passmuster.text import Json, visible

# no userPassword: not even the name of its scheme is worth asking for a hash
_NAMES = (
    "objectClass entryUUID nsUniqueId uid cn sn displayName mail ou description employeeType title "
    "uidNumber loginShell memberOf member uniqueMember memberUid owner manager seeAlso nsRoleDN "
    "nsAccountLock pwdAccountLockedTime pwdChangedTime pwdLastSuccess authTimestamp lastLoginTime "
    "krbLastSuccessfulAuth krbLastPwdChange passwordExpirationTime krbPasswordExpiration "
    "createTimestamp modifyTimestamp creatorsName userCertificate sshPublicKey ipaSshPubKey "
    "krbPrincipalName"
)
ATTRIBUTES = _NAMES.split()
_LOCKS = ("pwdAccountLockedTime", "nsAccountLock")
_MEMBERS = ("member", "uniqueMember", "memberUid")


def connect(where: Where) -> "Ldap":
    """Bind at the server of the settings."""
    found = Directory(where)
    try:
        return Ldap(found, _context(found, where.tenant))
    except BaseException:
        found.close()
        raise


def collect(where: Where, folder: Path) -> None:
    """Write the export of one suffix, as `ldapsearch` does; without userPassword."""
    found = Directory(where)
    try:
        base = _context(found, where.tenant)
        export(folder / "directory.ldif", found.entries(base, "(objectClass=*)", ATTRIBUTES))
    finally:
        found.close()


class Ldap:
    """`Live` for one suffix of one server."""

    def __init__(self, found: Directory, suffix: str) -> None:
        self._at = found
        self._suffix = suffix
        self._last: dict[str, Json | None] = {}

    def read(self, act: Act) -> Json | None:
        """`{lock: value or None}`, or in which attribute of the group the member stands and how."""
        state = self._read(act)
        self._last[_key(act)] = state
        return state

    def write(self, act: Act, state: Json | None) -> None:
        """Set or take away the lock, or the membership."""
        now = self._read(act)
        if now == state or (act.name == "ldap.group.member" and bool(now) == bool(state)):
            return
        if _key(act) in self._last and self._last[_key(act)] != now:
            raise Declined(f"{act.name}: somebody changed it just now; look again", "changed", 409)
        if act.name == "ldap.account.lock":
            self._lock(act, now, state)
        else:
            value = state or now or {}
            how = "add" if state else "delete"
            self._at.change(act.on["group"], value["attribute"], how, [value["value"]])
        self._last[_key(act)] = self._read(act)

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """With the password: a bind, on a connection of its own."""
        state = self.read(act)
        if act.name != "ldap.account.lock":
            return ("works", "it is a member") if state else ("flag", "it is no member")
        if state is None:
            return "flag", "the account is not there"
        lock = act.on["lock"]
        is_locked = state[lock] is not None and state[lock].lower() != "false"
        if secret:
            account = self._account(act)
            return _answer(self._at.tries(account.dn, secret), is_locked) if account else (
                "flag", "the account is not there"
            )  # fmt: skip
        if is_locked:
            return "flag", f"{lock} is {state[lock]}; no password was tried"
        return "works", f"{lock} is not set"

    def close(self) -> None:
        """Unbind."""
        self._at.close()

    def _lock(self, act: Act, now: Json | None, state: Json | None) -> None:
        if now is None:
            raise Declined("the account is not there", "gone", 404)
        if state is None:
            raise Declined("muster deletes no account of a directory", "no", 405)
        account, lock = self._account(act), act.on["lock"]
        assert account is not None
        value = state[lock]
        if value is None:
            self._at.change(account.dn, lock, "delete", [])
        else:
            self._at.change(account.dn, lock, "replace", [value])

    def _account(self, act: Act) -> Found | None:
        """By its stable id where there is one: another entry may have taken the name."""
        dn, uid = str(act.on["dn"]), str(act.on["uid"])
        wanted = ["entryUUID", "nsUniqueId", "uid", *_LOCKS]
        found = self._at.one(dn, wanted)
        if uid == dn or (found and uid in (*found.texts("entryUUID"), *found.texts("nsUniqueId"))):
            return found
        name = self._at.escaped(uid)
        return self._at.first(self._suffix, f"(|(entryUUID={name})(nsUniqueId={name}))", wanted)

    def _read(self, act: Act) -> Json | None:
        if act.name == "ldap.account.lock" and act.on["lock"] in _LOCKS:
            account = self._account(act)
            return None if account is None else {act.on["lock"]: account.first(act.on["lock"])}
        if act.name != "ldap.group.member":
            raise Declined(f"{act.name}: muster does not know it", "unknown", 405)
        group = self._at.one(act.on["group"], list(_MEMBERS))
        for name in _MEMBERS if group else ():
            assert group is not None
            for value in group.texts(name):
                holder, bits, _ = value.partition("#'")
                if name != "memberUid":
                    # in one spelling: OpenLDAP gives a name that was put back another one
                    holder = directory.normal(holder)
                if holder == act.on["login" if name == "memberUid" else "dn"]:
                    return {"attribute": name, "value": value if bits else holder}
        return None


def _context(found: Directory, tenant: str) -> str:
    named = {}
    for context in found.root.texts("namingContexts"):
        dn = directory.normal(context)
        named[directory.domain(dn) or dn.rpartition(",")[2]] = context
    return context_of(tenant.lower(), named, found.address)


def _key(act: Act) -> str:
    return f"{act.name} {act.on}"


def _answer(tried: Tried, is_locked: bool) -> tuple[Verdict, str]:
    if tried.code == 0:
        also = "; its password policy lacks pwdLockout TRUE" if is_locked else ""
        return "works", f"the bind was accepted{also}"
    if tried.code == UNWILLING and "inactivated" in tried.words.lower():
        return "refused", f"the bind was refused: {visible(tried.words)[:120]}"
    if tried.locked:
        return "refused", "the bind was refused: the password policy says that it is locked"
    if tried.code == INVALID_CREDENTIALS and is_locked:
        return "refused", (
            "the bind was refused: Invalid credentials (49), and it is locked; "
            "the server says the same of a wrong password"
        )
    if tried.code == INVALID_CREDENTIALS:
        return "unknown", "Invalid credentials (49), and it is not locked: not its password"
    return "unknown", f"the bind was answered {tried.code}: {visible(tried.words)[:120]}"
