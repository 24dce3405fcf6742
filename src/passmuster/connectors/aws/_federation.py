"""Who may come in from outside: registered OIDC and SAML providers, and Roles Anywhere.

A provider is an identity of its own, because an account that registers one lets its issuer vouch
for others; which roles it opens, their trust policies say. Of Roles Anywhere, a trust anchor is
the authority whose certificates are believed, and a profile names the roles that they open.
"""

import io
from collections.abc import Iterator
from typing import BinaryIO

from passmuster.connectors import Context
from passmuster.connectors._json import (
    Part,
    guarded,
    listed,
    mapping,
    optional,
    outline,
    required,
)  # fmt: skip
from passmuster.connectors.aws._answers import flat
from passmuster.connectors.aws._arn import account_of, name_of, when
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Identity, Problem, Record, Source, Trust
from passmuster.text import Json

LISTS = ("OpenIDConnectProviderList", "SAMLProviderList", "trustAnchors", "profiles")
_ARN_OF = {"trustAnchors": "trustAnchorArn", "profiles": "profileArn"}
_DETAIL = (
    (":oidc-provider/", "aws.oidc_provider"), (":saml-provider/", "aws.saml_provider"),
    (":trust-anchor/", "aws.trust_anchor"), (":profile/", "aws.rolesanywhere_profile"),
)  # fmt: skip
COVERS = (
    "uid_alt", "display_name", "kind", "kind_origin", "nhi_type", "nhi_detail", "status",
    "created_at", "is_external",
)  # fmt: skip


def sniff(head: bytes) -> bool:
    """A list of providers, trust anchors or profiles, each with an ARN that says so."""
    if outline(head, LISTS).keys().isdisjoint(LISTS):
        return False
    found = flat(io.BytesIO(head), LISTS)
    try:
        return any(_arn(part) for part in found)
    except ImportRefused:
        return False


def _arn(part: Part) -> str:
    value = part.value if part.key in LISTS and isinstance(part.value, dict) else {}
    arn = value.get(_ARN_OF.get(str(part.key), "Arn"))
    return arn if isinstance(arn, str) and any(kind in arn for kind, _ in _DETAIL) else ""


def parse(stream: BinaryIO, _context: Context) -> Iterator[Record]:
    """Records of every list in *stream*."""
    rows, account = 0, ""
    for part in flat(stream, LISTS):
        if part.key == "nextToken" and part.value:
            raise ImportRefused("nextToken: the next page of the list is missing")
        if part.key not in LISTS or part.value is None:
            continue
        for record in guarded(_MAKE[str(part.key)], part, (_ARN_OF.get(str(part.key), "Arn"),)):
            own = account_of(record.uid) if isinstance(record, Identity) else account
            if own != account:
                account = own
                yield Source("aws", account)
            rows += type(record) is not Problem
            yield record
    if not rows:
        raise ImportRefused("no provider, trust anchor or profile in it can be read")


def _identity(arn: str, of: Json, line: int, **more: str | None) -> Identity:
    if not account_of(arn).isdigit():
        raise ValueError("the ARN names no account")
    detail = next((detail for kind, detail in _DETAIL if kind in arn), None)
    enabled = of.get("enabled", True)
    plain = Identity(
        arn, None, name_of(arn), "app", nhi_detail=detail, is_external=1,
        status="enabled" if enabled is True else "disabled" if enabled is False else "unknown",
        created_at=when(of.get("CreateDate") or of.get("createdAt")),
        last_used_state="not_tracked", line=line,
    )  # fmt: skip
    return plain._replace(**more)  # type: ignore[arg-type]


def _oidc(provider: Json, line: int) -> Iterator[Record]:
    arn = required(provider, "Arn")
    issuer = arn.partition(":oidc-provider/")[2]
    if not issuer:
        raise ValueError("the ARN is of no OIDC provider")
    yield _identity(arn, provider, line, display_name=issuer)
    yield Trust(arn, issuer, "oidc_issuer", "federated_credential", None, None, None, 1, 0,
                None, None, line)  # fmt: skip


def _saml(provider: Json, line: int) -> Iterator[Record]:
    arn = required(provider, "Arn")
    until = when(provider.get("ValidUntil"))
    yield _identity(arn, provider, line)
    yield Credential(
        arn, f"{arn}#metadata", "certificate", "aws.saml_metadata", "metadata of the provider",
        status="enabled", created_at=when(provider.get("CreateDate")), expires_at=until,
        expires_state="set" if until else "unknown", last_used_state="not_tracked", line=line,
    )  # fmt: skip


def _anchor(anchor: Json, line: int) -> Iterator[Record]:
    arn = required(anchor, "trustAnchorArn")
    source = mapping(anchor.get("source"))
    authority = optional(mapping(source.get("sourceData")), "acmPcaArn")
    name = optional(anchor, "name") or name_of(arn)
    yield _identity(arn, anchor, line, uid_alt=optional(anchor, "trustAnchorId"), display_name=name)
    yield Trust(
        arn, authority or f"the certificate bundle of {name}", "x509_ca", "roles_anywhere",
        None, None, None, int(authority is None or account_of(authority) != account_of(arn)), 0,
        None, when(anchor.get("createdAt")), line,
    )  # fmt: skip


def _profile(profile: Json, line: int) -> Iterator[Record]:
    arn = required(profile, "profileArn")
    name = optional(profile, "name") or name_of(arn)
    yield _identity(arn, profile, line, uid_alt=optional(profile, "profileId"), display_name=name)
    off = "the profile is disabled" if profile.get("enabled") is False else None
    for role in listed(profile.get("roleArns")):
        if not isinstance(role, str):
            raise TypeError("roleArns holds something that is no ARN")
        yield Trust(role, arn, "x509_ca", "roles_anywhere", None, None, off, 1, 0,
                    None, when(profile.get("createdAt")), line)  # fmt: skip


_MAKE = {
    "OpenIDConnectProviderList": _oidc, "SAMLProviderList": _saml,
    "trustAnchors": _anchor, "profiles": _profile,
}  # fmt: skip
