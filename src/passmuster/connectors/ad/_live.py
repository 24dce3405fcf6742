"""Active Directory, live: an account's userAccountControl, memberships, and who may log in.

Run against Samba 4.17 as domain controller; not yet against Microsoft's. The account is found by
its SID, wherever it was moved to. Login: a simple bind over LDAPS (or StartTLS) as the DN or the
userPrincipalName in `user`; Kerberos (GSSAPI) is not here, and neither are channel bindings, which
a domain controller asks of SASL only.
"""

import re
from pathlib import Path

from passmuster.connectors import _directory as directory
from passmuster.connectors._ldap3 import INVALID_CREDENTIALS, Directory, Found, context_of
from passmuster.connectors._ldif_write import export
from passmuster.connectors._live import Act, Verdict, Where
from passmuster.connectors.ad._export import ATTRIBUTES, FILTER
from passmuster.connectors.ad._plan import DISABLED
from passmuster.errors import Declined
from passmuster.text import Json, visible

_SID = re.compile(r"S-1(-\d{1,10}){2,16}")
# https://learn.microsoft.com/windows/win32/debug/system-error-codes, in hexadecimal; all but
# 525 and 52e are told only to who has the right password
_DATA = {
    "530": "not at this time of day", "531": "not from this computer",
    "532": "the password has expired", "533": "the account is disabled",
    "701": "the account has expired", "773": "the password must be changed",
    "775": "the account is locked out",
}  # fmt: skip


def connect(where: Where) -> "ActiveDirectory":
    """Bind at a domain controller; by default the one that the domain's own name leads to."""
    return ActiveDirectory(_opened(where))


def collect(where: Where, folder: Path) -> None:
    """Write the export of the whole domain, as `ldapsearch` of the format's howto does."""
    found = _opened(where)
    try:
        base = _context(found, where.tenant)
        export(folder / f"{directory.domain(base)}.ldif", found.entries(base, FILTER, ATTRIBUTES))
    finally:
        found.close()


class ActiveDirectory:
    """`Live` for one domain."""

    def __init__(self, found: Directory) -> None:
        self._at = found
        self._last: dict[str, Json | None] = {}

    def read(self, act: Act) -> Json | None:
        """`{"userAccountControl": n}`, or `{"member": dn}` of a direct membership."""
        state = self._read(act)
        self._last[_key(act)] = state
        return state

    def write(self, act: Act, state: Json | None) -> None:
        """Write exactly that number, so that flags set beside "disabled" come back as they were."""
        now = self._read(act)
        if now == state:
            return
        if _key(act) in self._last and self._last[_key(act)] != now:
            raise Declined(f"{act.name}: somebody changed it just now; look again", "changed", 409)
        if act.name == "ad.account.control":
            account = self._account(act)
            if account is None:
                raise Declined("the account is not there", "gone", 404)
            if state is None:
                raise Declined("muster deletes no account of a directory", "no", 405)
            value = str(int(state["userAccountControl"]))
            self._at.change(account.dn, "userAccountControl", "replace", [value])
        else:
            member = (state or now or {})["member"]
            self._at.change(act.on["group"], "member", "add" if state else "delete", [member])
        self._last[_key(act)] = self._read(act)

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """With the password: a bind. A domain controller says why it refuses whoever knows it."""
        if act.name != "ad.account.control":
            if self.read(act) is None:
                return "flag", "it is no member; tickets that carry the group were not tried"
            return "works", "it is a member"
        account = self._account(act)
        if account is None:
            return "flag", "the account is not there"
        if secret:
            return _answer(*self._at.tries(account.dn, secret)[:2])
        control = int(account.first("userAccountControl") or "0")
        if control & DISABLED:
            return "flag", f"userAccountControl is {control}: disabled; no password was tried"
        return "works", f"userAccountControl is {control}: enabled"

    def close(self) -> None:
        """Unbind."""
        self._at.close()

    def _account(self, act: Act) -> Found | None:
        sid = str(act.on["sid"])
        if _SID.fullmatch(sid) is None:
            raise Declined(f"{visible(sid)}: no SID", "no-sid", 422)
        return self._at.one(f"<SID={sid}>", ["userAccountControl"])

    def _read(self, act: Act) -> Json | None:
        if act.name not in ("ad.account.control", "ad.group.member"):
            raise Declined(f"{act.name}: muster does not know it", "unknown", 405)
        account = self._account(act)
        if account is None:
            return None
        if act.name == "ad.account.control":
            control = account.first("userAccountControl")
            if control is None:
                raise Declined("userAccountControl may not be read", "hidden", 403)
            return {"userAccountControl": int(control)}
        match = f"(member={self._at.escaped(account.dn)})"
        return {"member": account.dn} if self._at.one(act.on["group"], ["cn"], match) else None


def _opened(where: Where) -> Directory:
    found = Directory(where, f"ldaps://{where.tenant}" if where.tenant else None)
    try:
        _context(found, where.tenant)
    except BaseException:
        found.close()
        raise
    return found


def _context(found: Directory, tenant: str) -> str:
    base = found.root.first("defaultNamingContext") or ""
    name = directory.domain(base)
    return context_of(tenant.lower(), {name: base} if name else {}, found.address)


def _key(act: Act) -> str:
    return f"{act.name} {act.on}"


def _answer(code: int, words: str) -> tuple[Verdict, str]:
    if code == 0:
        return "works", "the bind was accepted"
    data = re.search(r"\bdata ([0-9a-f]{3,4})\b", words)
    why = _DATA.get(data[1]) if data else None
    if code == INVALID_CREDENTIALS and data and why:
        return "refused", f"the bind was refused: data {data[1]}, {why}"
    if code == INVALID_CREDENTIALS:
        told = f"data {data[1]}" if data else "no reason told"
        return "unknown", f"the bind was refused ({told}): this is not the account's password"
    return "unknown", f"the bind was answered {code}: {visible(words)[:120]}"
