"""Account authorization details: users, groups, roles, policies, and trusts.

Which columns this format speaks for: not `kind`, `status` or `has_mfa`, which only the credential
report knows of users. `last_used_*` it does speak for, because of roles: `last_used_state`
"unknown" here always means "no statement" and must leave the stored value alone (users always
have it; so does a role without `RoleLastUsed`). AWS looks back 400 days for roles.

Policies usually come last, so what is attached is remembered by ARN (AWS limits an account to a
few thousand policies) and what turns out to have no document is judged by name at the end.
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors._json import (
    Part,
    guarded,
    listed,
    mapping,
    optional,
    outline,
    parts,
    required,
)  # fmt: skip
from passmuster.connectors._secrets import REMOVED, is_secret
from passmuster.connectors.aws import _tags
from passmuster.connectors.aws._arn import account_of, name_of, pathless, when
from passmuster.connectors.aws._policies import Judgement, document, judge, judge_name
from passmuster.connectors.aws._trusts import trusts
from passmuster.errors import ImportRefused
from passmuster.model import (
    Entitlement,
    Grant,
    Identity,
    Kind,
    Problem,
    Record,
    Source,
    Trust,
)  # fmt: skip

COVERS = (
    "uid_alt", "display_name", "external_id", "nhi_type", "nhi_detail", "created_at",
    "created_by", "last_used_at", "last_used_state", "last_used_source", "purpose", "environment",
    "attributes",
)  # fmt: skip

_LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
_MAX_WAITING = 20_000


def sniff(head: bytes) -> bool:
    """An object with one of the three lists of principals."""
    return not outline(head, _LISTS).keys().isdisjoint(_LISTS[:3])


def parse(stream: BinaryIO, _context: Context) -> Iterator[Record]:
    """Records of every account in *stream*, which may hold several pages or accounts."""
    return Details().records(stream)


class Details:
    """One reading of one file."""

    def __init__(self) -> None:
        self._source = ""
        """The account that was named last, in a Source."""
        self._account = ""
        """The account of the object that is being read."""
        self._waiting: list[Record] = []
        """AWS's own policies that came before anything that names the account."""
        self._unseen: dict[str, dict[str, None]] = {}
        """By account: what was attached or joined and has not been described (yet)."""
        self._seen: dict[str, set[str]] = {}

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        rows = 0
        unfinished = False
        for part in parts(stream, _LISTS):
            if part.key is None:
                self._account = ""
                self._check_waiting(part.line)
            elif part.key == "IsTruncated":
                unfinished = part.value is True
            elif part.key in _LISTS and part.value is not None:
                for record in self.element(part):
                    rows += type(record) is not Problem
                    yield record
        if unfinished:
            raise ImportRefused("IsTruncated is true: the last page of the export is missing")
        if not rows:
            raise ImportRefused("the authorization details hold nothing that can be read")
        yield from self._left()

    def element(self, part: Part) -> Iterator[Record]:
        """The records of one element of a list."""
        arn = part.value.get("Arn") if isinstance(part.value, dict) else None
        account = account_of(arn) if isinstance(arn, str) else ""
        if account == "aws" and part.key == "Policies":
            if not self._account:
                self._waiting += guarded(self._policy, part, ("Arn",))
                self._check_waiting(part.line, _MAX_WAITING)
                return
        elif not account.isdigit():
            yield Problem(part.line, part.key, "Arn names no account", str(arn) if arn else None)
            return
        elif account != self._account:
            self._account = account
            yield from self._enter(account)
            waiting, self._waiting = self._waiting, []
            for record in waiting:
                if isinstance(record, Entitlement):
                    self._describe(record.uid)
                    record = record._replace(scope=account)  # noqa: PLW2901
                yield record
        make = {
            "UserDetailList": self._user, "GroupDetailList": self._group,
            "RoleDetailList": self._role, "Policies": self._policy,
        }[str(part.key)]  # fmt: skip
        yield from guarded(make, part, ("Arn",))

    def _check_waiting(self, line: int, limit: int = 0) -> None:
        if len(self._waiting) > limit:
            raise ImportRefused(f"line {line}: nothing says which account these policies are of")

    def _enter(self, account: str) -> Iterator[Record]:
        if account != self._source:
            self._source = account
            yield Source("aws", account)

    def _user(self, user: text.Json, line: int) -> Iterator[Record]:
        uid = required(user, "Arn")
        tagged = _tags.tags(user.get("Tags"))
        yield self._identity(user, "service", required(user, "UserName"), line, tagged,
                             external_id=optional(user, "UserId"), uid_alt=pathless(uid),
                             nhi_detail="aws.iam_user")  # fmt: skip
        yield from _tags.owners(uid, tagged, line)
        for name in listed(user.get("GroupList")):
            if not isinstance(name, str):
                raise TypeError("GroupList holds something that is no name")
            member = f"{self._group_arn(uid, name)}#member"
            self._refer(member)
            yield Grant(uid, member, line=line)
        yield from self._held(uid, user, "UserPolicyList", line)

    def _group(self, group: text.Json, line: int) -> Iterator[Record]:
        uid, name = required(group, "Arn"), required(group, "GroupName")
        yield self._identity(group, "group", name, line, {},
                             external_id=optional(group, "GroupId"),
                             nhi_detail="aws.iam_group")  # fmt: skip
        member = f"{self._group_arn(uid, name)}#member"
        self._describe(member)
        yield self._membership(member, name, uid, line)
        yield from self._held(uid, group, "GroupPolicyList", line)

    def _role(self, role: text.Json, line: int) -> Iterator[Record]:
        uid, name = required(role, "Arn"), required(role, "RoleName")
        tagged = _tags.tags(role.get("Tags"))
        try:
            found = trusts(uid, document(role.get("AssumeRolePolicyDocument")), line)
        except (ValueError, TypeError) as bad:
            found = []
            yield Problem(line, "AssumeRolePolicyDocument", f"its trusts are unknown: {bad}", uid)
        used = mapping(role.get("RoleLastUsed"))
        date = when(used.get("LastUsedDate"))
        state = "known" if date else "never" if "RoleLastUsed" in role else "unknown"
        yield self._identity(
            role, "role", name, line, tagged,
            external_id=optional(role, "RoleId"), nhi_type="assumable_role",
            nhi_detail=_role_detail(optional(role, "Path") or "/", found),
            last_used_at=date, last_used_state=state,
            last_used_source="RoleLastUsed (400 d)" if state != "unknown" else None,
            kind_origin="stated", status="enabled",
        )  # fmt: skip
        yield from found
        yield from _tags.owners(uid, tagged, line)
        yield from self._held(uid, role, "RolePolicyList", line)

    def _identity(
        self, of: text.Json, kind: Kind, name: str, line: int, tagged: dict[str, str],
        **more: str | None,
    ) -> Identity:  # fmt: skip
        path = optional(of, "Path") or "/"
        about = optional(of, "Description")
        about = REMOVED if about and is_secret(about) else about
        boundary = mapping(of.get("PermissionsBoundary")).get("PermissionsBoundaryArn")
        profiles = [mapping(p).get("InstanceProfileName") for p in listed(
            of.get("InstanceProfileList"))]  # fmt: skip
        shown = {
            "path": path if path != "/" else None,
            "tags": tagged, "description": about,
            "permissions_boundary": boundary, "instance_profiles": profiles,
            "last_used_region": mapping(of.get("RoleLastUsed")).get("Region"),
        }  # fmt: skip
        plain = Identity(
            required(of, "Arn"), None, name, kind,
            created_at=when(of.get("CreateDate")), created_by=_tags.made_by(tagged, path),
            purpose=_tags.purpose(tagged) or about,
            environment=_tags.environment(tagged),
            attributes=text.json_text({k: v for k, v in shown.items() if v}), line=line,
        )  # fmt: skip
        return plain._replace(**more)  # type: ignore[arg-type]

    def _held(self, uid: str, of: text.Json, inline: str, line: int) -> Iterator[Record]:
        """Grants of attached policies; inline policies with their grants."""
        for attached in listed(of.get("AttachedManagedPolicies")):
            arn = required(mapping(attached), "PolicyArn")
            self._refer(arn)
            yield Grant(uid, arn, line=line)
        for policy in listed(of.get(inline)):
            name = required(mapping(policy), "PolicyName")
            rule = f"{uid}#inline/{name}"
            try:
                judgement: Judgement = judge(document(policy.get("PolicyDocument")))
            except (ValueError, TypeError) as bad:
                judgement = "unknown", "the policy's document cannot be read"
                yield Problem(line, inline, f"inline policy {name}: {bad}", uid)
            yield Entitlement(
                rule, name, permission_level=judgement[0], level_reason=judgement[1],
                is_builtin=0, scope=self._account, line=line,
            )  # fmt: skip
            yield Grant(uid, rule, f"inline/{name}", line=line)

    def _policy(self, policy: text.Json, line: int) -> Iterator[Record]:
        arn, name = required(policy, "Arn"), required(policy, "PolicyName")
        wanted = policy.get("DefaultVersionId")
        versions = [mapping(v) for v in listed(policy.get("PolicyVersionList"))]
        current = next(
            (v for v in versions if v.get("IsDefaultVersion") or v.get("VersionId") == wanted), {}
        )
        try:
            level, why = judge(document(current["Document"]))
        except (ValueError, TypeError, KeyError):
            level, why = judge_name(arn)
            yield Problem(line, "Policies", "no document of the version in force", arn)
        self._describe(arn)
        yield self._managed(arn, name, level, why, line)

    def _managed(
        self, arn: str, name: str, level: str, why: str | None, line: int | None
    ) -> Entitlement:
        return Entitlement(
            arn, name, permission_level=level, level_reason=why,
            is_builtin=int(account_of(arn) == "aws"), scope=self._source, line=line,
        )  # fmt: skip

    def _membership(self, uid: str, name: str, group: str, line: int | None) -> Entitlement:
        return Entitlement(
            uid, f"member of {name}", "assignment", group, "group", scope=self._source, line=line
        )

    def _group_arn(self, arn: str, name: str) -> str:
        """The group's ARN without its path, which members' lists do not tell.

        Names of groups are unique in an account whatever their path.
        """
        return f"{arn.partition(':iam:')[0]}:iam::{self._account}:group/{name}"

    def _refer(self, uid: str) -> None:
        if uid not in self._seen.setdefault(self._account, set()):
            self._unseen.setdefault(self._account, {})[uid] = None

    def _describe(self, uid: str) -> None:
        self._seen.setdefault(self._account, set()).add(uid)
        self._unseen.get(self._account, {}).pop(uid, None)

    def _left(self) -> Iterable[Record]:
        """What is held, but was described nowhere in the file."""
        for account, uids in self._unseen.items():
            yield from self._enter(account)
            for uid in uids:
                if uid.endswith("#member"):
                    group = uid.removesuffix("#member")
                    yield self._membership(uid, name_of(group), group, None)
                else:
                    yield self._managed(uid, name_of(uid), *judge_name(uid), None)


def _role_detail(path: str, found: list[Trust]) -> str:
    if path.startswith("/aws-service-role/"):
        return "aws.role.service_linked"
    if any(t.is_external and t.from_kind == "account" for t in found):
        return "aws.role.cross_account"
    kinds = {t.from_kind for t in found}
    for kind, detail in (("oidc_issuer", "oidc"), ("saml", "saml"), ("service", "service")):
        if kind in kinds:
            return f"aws.role.{detail}"
    return "aws.role"
