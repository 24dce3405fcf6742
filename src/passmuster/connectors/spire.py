"""SPIRE: registration entries, that is which workload is given which SPIFFE ID.

An identity here is one entry: several may give the same SPIFFE ID, and each can be taken away by
itself. Who is given it is a trust: the parent (a node, or another workload) hands it to whatever
has the selectors; a foreign trust domain in `federates_with` is one too. Nothing is a secret.

`entry show` writes ids in two parts, entries of older releases and data files of `entry create`
as one text: both are read. SPIRE's own API speaks gRPC over a socket, so what is planned here is
run by somebody who may use it.
"""

import hashlib
import shlex
from collections.abc import Iterator
from typing import Any, BinaryIO

from passmuster import text
from passmuster.connectors import Context, Format, Plan
from passmuster.connectors._json import mapping, optional, outline, when
from passmuster.connectors._pages import first, records, words
from passmuster.model import Entitlement, Grant, Identity, Record, Source, Trust

PROPAGATION_S = 10
"""Agents fetch what changed every five seconds."""


def _sniff(head: bytes) -> bool:
    """Entries with a SPIFFE ID, its parent and selectors; in a list, or in `entries`."""
    members = outline(head, ("entries",)).get("entries")
    found = [e for e in (members or first(head)) if isinstance(e, dict)]
    wanted = {"spiffe_id", "parent_id", "selectors"}
    return bool(found) and all(wanted <= e.keys() for e in found)


def _parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Records by trust domain: that is the tenant, as the entries themselves name it."""
    last = ""

    def entry(found: text.Json, line: int) -> Iterator[Record]:
        nonlocal last
        domain, made = _domain(_spiffe_id(found, "spiffe_id")), list(_entry(found, line))
        tenant = context.source_label or domain
        if tenant != last:
            last = tenant
            yield Source("spire", tenant)
        yield from made

    yield from records(stream, entry, inside="entries", what="entry")


def _spiffe_id(found: text.Json, name: str) -> str:
    value = found.get(name)
    if isinstance(value, dict):
        domain, path = optional(value, "trust_domain"), optional(value, "path") or ""
        value = f"spiffe://{domain}{path}" if domain else None
    if not isinstance(value, str) or not value.startswith("spiffe://"):
        raise ValueError(f"{name} is no SPIFFE ID")
    return value


def _domain(spiffe_id: str) -> str:
    return spiffe_id.removeprefix("spiffe://").partition("/")[0]


def _selectors(found: text.Json) -> list[str]:
    value = found.get("selectors")
    if not isinstance(value, list) or not value:
        raise ValueError("selectors is no list, or empty")
    return [f"{mapping(s)['type']}:{mapping(s)['value']}" for s in value]


def _seconds(value: Any) -> int:
    """int64 comes as text from protobuf's JSON; 0 is "not set"."""
    return int(value) if isinstance(value, int | str) and str(value).isdigit() else 0


def _entry(found: text.Json, line: int) -> Iterator[Record]:
    spiffe_id, parent = _spiffe_id(found, "spiffe_id"), _spiffe_id(found, "parent_id")
    selectors = _selectors(found)
    own = _domain(spiffe_id)
    uid = (
        optional(found, "id")
        or optional(found, "entry_id")
        or _digest(spiffe_id, parent, *sorted(selectors))
    )
    expires, created = _seconds(found.get("expires_at")), _seconds(found.get("created_at"))
    federates = [f if "://" in f else f"spiffe://{f}" for f in words(found.get("federates_with"))]
    ttl = _seconds(found.get("x509_svid_ttl") or found.get("ttl"))
    account = _account(selectors)
    shown = {
        "parent_id": parent, "selectors": {str(n): s for n, s in enumerate(selectors, 1)},
        "federates_with": federates, "dns_names": words(found.get("dns_names")),
        "x509_svid_ttl_s": ttl, "jwt_svid_ttl_s": _seconds(found.get("jwt_svid_ttl")),
        "expires_at": when(expires) if expires else None, "entry_expires_s": expires,
        "hint": optional(found, "hint"), "refers_to": [account] if account else [],
        "store_svid": "yes" if found.get("store_svid") is True else None,
        **{name: "yes" for name in ("admin", "downstream") if found.get(name) is True},
    }  # fmt: skip
    yield Identity(
        uid, spiffe_id, spiffe_id, "workload", "stated", None, "managed_identity", "spire.entry",
        "enabled", created_at=when(created) if created else None, last_used_state="not_tracked",
        attributes=text.json_text({k: v for k, v in shown.items() if v}), line=line,
    )  # fmt: skip
    yield Trust(
        uid, parent, "spiffe_domain", "workload_identity",
        subject_pattern=", ".join(selectors), condition="has all of these selectors",
        is_external=int(_domain(parent) != own), line=line,
    )  # fmt: skip
    for other in federates:
        yield Trust(
            uid, other, "spiffe_domain", "federated_credential", is_external=1,
            condition="trusts what that domain signs, and is given its keys", line=line,
        )  # fmt: skip
    for name, why in _SERVER_RIGHTS.items():
        if found.get(name) is True:
            right = f"spiffe://{own}#{name}"
            yield Entitlement(right, f"{name} of {own}", permission_level="admin",
                              level_reason=why, is_builtin=1, scope=own)  # fmt: skip
            yield Grant(uid, right, "entry", line=line)


_SERVER_RIGHTS = {
    "admin": "may use SPIRE's own API: give any identity to anybody",
    "downstream": "may sign every identity of the trust domain",
}


def _digest(*of: str) -> str:
    """Where the file has no entry id: what makes an entry the one that it is."""
    return f"entry:{hashlib.sha256(chr(0).join(of).encode()).hexdigest()[:24]}"


def _account(selectors: list[str]) -> str | None:
    """The Kubernetes service account that the selectors fix, as Kubernetes calls it."""
    found = dict(s.split(":", 2)[1:] for s in selectors if s.startswith(("k8s:ns:", "k8s:sa:")))
    return f"system:serviceaccount:{found['ns']}:{found['sa']}" if len(found) == 2 else None


def plan(dossier: text.Json, verb: str, target: str | None = None) -> list[Plan]:
    """Delete the entry; it can be created again as it was, under its own id."""
    identity = dossier["identity"]
    uid = identity["uid"]
    if verb not in ("revoke", "disable") or target is not None or uid.startswith("entry:"):
        return []
    about = dict(identity.get("attributes") or ())
    words_ = ["spire-server", "entry", "create", "-entryID", uid, "-spiffeID",
              identity["uid_alt"], "-parentID", about["parent_id"]]  # fmt: skip
    numbers = sorted(int(n.partition(".")[2]) for n in about if n.startswith("selectors."))
    for number in numbers:
        words_ += ["-selector", about[f"selectors.{number}"]]
    for option, name in (("-federatesWith", "federates_with"), ("-dns", "dns_names")):
        for value in filter(None, about.get(name, "").split(", ")):
            words_ += [option, value]
    for option, name in (("-x509SVIDTTL", "x509_svid_ttl_s"), ("-jwtSVIDTTL", "jwt_svid_ttl_s"),
                         ("-entryExpiry", "entry_expires_s"), ("-hint", "hint")):  # fmt: skip
        words_ += [option, about[name]] if name in about else []
    words_ += [f"-{name}" for name in ("admin", "downstream") if about.get(name) == "yes"]
    words_ += ["-storeSVID"] if about.get("store_svid") == "yes" else []
    ttl = about.get("x509_svid_ttl_s")
    return [Plan(
        what=f"delete the entry that gives {identity['uid_alt']}",
        stop=(f"spire-server entry delete -entryID {shlex.quote(uid)}",),
        undo=(" ".join(shlex.quote(w) for w in words_),),
        undo_class="R2", propagation_s=PROPAGATION_S,
        residual="certificates (SVIDs) that the workload has are valid until they end, "
                 + (f"at most {ttl} s" if ttl else "an hour unless the server says otherwise")
                 + "; other entries may give the same SPIFFE ID",
    )]  # fmt: skip


FORMATS = (
    Format(
        name="spire.entries.json",
        title="SPIRE registration entries",
        sniff=_sniff,
        parse=_parse,
        howto="spire-server entry show -output json > entries.json",
        covers=(
            "uid_alt", "display_name", "kind", "kind_origin", "nhi_type", "nhi_detail", "status",
            "created_at", "last_used_state", "attributes",
        ),
        supplies=("trust", "grant"),
    ),
)  # fmt: skip
