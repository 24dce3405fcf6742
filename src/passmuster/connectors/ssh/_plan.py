"""How to stop a key on its host, or to take it out of one account, and to undo that."""

import hashlib
import re
import shlex

from passmuster.connectors import Act, Plan
from passmuster.text import Json

KRL = "/etc/ssh/revoked_keys"
"""Where the lines look for the list; muster itself asks sshd for its RevokedKeys."""
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """Revoke the key for the whole host (R1), or take its line out of one account's file (R2)."""
    key = str(dossier["identity"]["uid"])
    if verb not in ("revoke", "disable") or _FINGERPRINT.fullmatch(key) is None:
        return []
    grants = [g for g in dossier.get("grants") or () if g["via"].startswith("/")]
    if target is not None and target.startswith("login:"):
        return [_line(dossier, key, g) for g in grants if g["entitlement"] == target]
    own = {c["uid"] for c in dossier.get("credentials") or ()}
    if target is not None and target != key and target not in own:
        return []
    return [_revoke(dossier, key, grants)]


def _revoke(dossier: Json, key: str, grants: list[Json]) -> Plan:
    name, first = dossier["identity"]["display_name"], next(iter(grants), None)
    saved = f"{KRL}.before-{_mark(key)}"
    on = {
        "key": key,
        "account": _account(first) if first else "",
        "file": first["via"] if first else "",
    }
    return Plan(
        f"revoke the key {name} on {dossier['source']['tenant_uid']}",
        (
            f"cp -p {KRL} {saved}",
            f"printf 'hash: %s\\n' {key} | ssh-keygen -k -u -f {KRL} -",
        ),
        (f"cp -p {saved} {KRL}",),
        "R1", 0,
        "sessions that are open stay open; other hosts take the key until their lists have it; "
        "sshd must name the list (RevokedKeys), and reads it at every login",
        Act("ssh.key.revoked", on, {"revoked": True}),
    )  # fmt: skip


def _line(dossier: Json, key: str, grant: Json) -> Plan:
    file, account = grant["via"], _account(grant)
    path, saved = shlex.quote(file), shlex.quote(f"{file}.before-{_mark(key)}")
    keep = (
        f"printf '%s\\n' \"$l\" | ssh-keygen -lf - 2>/dev/null | grep -qF {key} "
        "|| printf '%s\\n' \"$l\""
    )
    return Plan(
        f"take the key {dossier['identity']['display_name']} out of {account}'s {file}",
        (
            f"cp -p {path} {saved}",
            f"while IFS= read -r l; do {keep}; done < {saved} > {path}",
        ),
        (f"cp -p {saved} {path}",),
        "R2", 0, "sessions that are open stay open; the key opens its other accounts as before",
        Act("ssh.authorized_keys.line", {"file": file, "key": key, "account": account}, None),
    )  # fmt: skip


def _account(grant: Json) -> str:
    return str(grant["entitlement"]).removeprefix("login:")


def _mark(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:8]
