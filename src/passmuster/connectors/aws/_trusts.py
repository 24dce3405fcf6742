"""Who may become a role: the Allow statements of its trust policy.

*External* is what is not of the role's own account and not an AWS service. *Wildcard* is what
fixes no party: `*` without a condition that narrows it, or a federation whose subject is open up
to the repository (GitHub, GitLab) or the service account (Kubernetes).
"""

import re
from collections.abc import Iterator
from typing import Any

from passmuster.connectors._json import listed, mapping
from passmuster.connectors._secrets import REMOVED, is_secret, names_secret
from passmuster.connectors.aws._arn import account_of
from passmuster.connectors.aws._policies import statements
from passmuster.model import Trust

_ASSUMING = re.compile(r"\*|sts:(?:\*|assume.*)", re.IGNORECASE)
_ACCOUNT_ROOT = re.compile(r"(?:arn:[a-z-]+:iam::)?(\d+)(?::root)?")
_DELETED = re.compile(r"A[A-Z]{3}[A-Z0-9]{10,}")
# conditions that leave fewer than everybody of a `*`
_NARROWING = frozenset((
    "aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:principalarn",
    "aws:sourceaccount", "aws:sourceorgid", "aws:sourcearn", "aws:userid",
))  # fmt: skip
_SUBJECT = re.compile(r".*:(?:sub|repository|repository_id|job_workflow_ref)", re.IGNORECASE)
_PATTERN_OPERATOR = re.compile(
    r"(?:for(?:any|all)values?:)?(?:string|arn)like(?:ifexists)?", re.IGNORECASE
)
_PINNING_OPERATOR = re.compile(
    r"(?:for(?:any|all)values?:)?(?:string(?:like|equals|equalsignorecase)|arn(?:like|equals))"
    r"(?:ifexists)?",
    re.IGNORECASE,
)


def trusts(role: str, policy: dict[str, Any], line: int) -> list[Trust]:
    """The trusts of the role with ARN *role*, one for each party and subject.

    Statements are alternatives: of two that name the same party, the weaker one decides.
    """
    found: dict[tuple[str, str, str | None], Trust] = {}
    for statement in statements(policy):
        for trust in _of_statement(role, statement, line):
            key = (trust.from_uid, trust.mechanism, trust.subject_pattern)
            other = found.get(key)
            if other is None or trust == other:
                found[key] = trust
                continue
            found[key] = trust._replace(
                is_wildcard=max(trust.is_wildcard, other.is_wildcard),
                condition=f"{other.condition or 'no condition'}, or "
                f"{trust.condition or 'no condition'}",
            )
    return list(found.values())


def _of_statement(role: str, statement: dict[str, Any], line: int) -> Iterator[Trust]:
    actions = [a for a in listed(statement.get("Action")) if isinstance(a, str)]
    if "NotAction" not in statement and not any(_ASSUMING.fullmatch(a) for a in actions):
        return  # sts:TagSession and sts:SetSourceIdentity alone let nobody in
    conditions = list(_conditions(statement.get("Condition")))
    if "NotPrincipal" in statement:
        yield Trust(role, "*", "account", "assume_role", None, None,
                    "everybody except NotPrincipal", 1, 1, None, None, line)  # fmt: skip
    principal = statement.get("Principal")
    by_type = {"AWS": "*"} if principal == "*" else mapping(principal)
    for kind, names in by_type.items():
        for name in listed(names):
            if not isinstance(name, str):
                raise TypeError(f"Principal {kind} is not text")
            if kind == "AWS":
                yield _aws(role, name, conditions, line)
            elif kind == "Federated":
                yield _federated(role, name, conditions, line)
            elif kind == "Service":
                yield Trust(role, name, "service", "assume_role", None, None, _words(conditions),
                            0, 0, None, None, line)  # fmt: skip
            else:
                raise ValueError(f"a principal of unknown type {kind[:40]!r}")


def _conditions(block: Any) -> Iterator[tuple[str, str, list[str]]]:
    for operator, tests in mapping(block).items():
        for key, values in mapping(tests).items():
            yield operator, key, [str(v) for v in listed(values)]


def _words(conditions: list[tuple[str, str, list[str]]]) -> str | None:
    """The conditions as text. An external id is a shared value, so only its presence shows."""
    shown = []
    for operator, key, values in conditions:
        if key.lower() == "sts:externalid":
            shown.append("sts:ExternalId is set")
        else:
            hidden = names_secret(key)
            kept = [REMOVED if hidden or is_secret(value) else value for value in values]
            shown.append(f"{operator} {key} = {', '.join(kept)}")
    return "; ".join(shown) or None


def _aws(role: str, name: str, conditions: list[tuple[str, str, list[str]]], line: int) -> Trust:
    own = account_of(role)
    words = _words(conditions)
    if name == "*":
        keys = {key.lower() for _, key, _ in conditions}
        return Trust(role, "*", "account", "assume_role", None, None, _no_external_id(words),
                     1, int(not keys & _NARROWING), None, None, line)  # fmt: skip
    if _DELETED.fullmatch(name):
        words = "; ".join(filter(None, ("the principal no longer exists", words)))
        return Trust(role, name, "account", "assume_role", None, None, words,
                     0, 0, None, None, line)  # fmt: skip
    root = _ACCOUNT_ROOT.fullmatch(name)
    account = root.group(1) if root else account_of(name)
    external = account != own
    return Trust(
        role, account if root else name, "account", "assume_role", None, None,
        _no_external_id(words) if external else words, int(external), 0, None, None, line,
    )  # fmt: skip


def _no_external_id(words: str | None) -> str:
    """A stranger without an external id is open to the confused deputy; say so."""
    if words and "sts:ExternalId is set" in words:
        return words
    return "; ".join(filter(None, (words, "no sts:ExternalId")))


def _federated(
    role: str, name: str, conditions: list[tuple[str, str, list[str]]], line: int
) -> Trust:
    words = _words(conditions)
    if ":saml-provider/" in name:
        audience = _values(conditions, "saml:aud")
        return Trust(role, name, "saml", "federated_credential", audience,
                     _values(conditions, "saml:sub"), words, 1, 0, None, None, line)  # fmt: skip
    issuer = name.partition(":oidc-provider/")[2] or name
    subjects = [
        (bool(_PATTERN_OPERATOR.fullmatch(operator)), value)
        for operator, key, values in conditions
        if _SUBJECT.fullmatch(key) and _PINNING_OPERATOR.fullmatch(operator)
        for value in values
    ]
    wildcard = not subjects or any(like and _open(value) for like, value in subjects)
    mechanism = "workload_identity" if issuer.startswith("oidc.eks.") else "federated_credential"
    return Trust(
        role, issuer, "oidc_issuer", mechanism, _values(conditions, f"{issuer.lower()}:aud"),
        ", ".join(value for _, value in subjects) or None, words, 1, int(wildcard),
        None, None, line,
    )  # fmt: skip


def _values(conditions: list[tuple[str, str, list[str]]], name: str) -> str | None:
    found = [v for _, key, values in conditions if key.lower() == name for v in values]
    return ", ".join(found) or None


def _open(pattern: str) -> bool:
    """Whether a subject pattern leaves the repository or the service account open.

    `repo:org/app:*` leaves only the branch open and is no wildcard; `repo:org/*` is one.
    """
    kubernetes = pattern.startswith("system:serviceaccount:")
    return any(c in "*?" for c in "".join(pattern.split(":")[: 4 if kubernetes else 2]))
