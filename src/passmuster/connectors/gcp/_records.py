"""Records of service accounts, their keys, policies, assets and identity providers.

The source is the project. A service account's `uid` is its uniqueId, which a new account of the
same e-mail has not; `uid_alt` is the e-mail, by which everything else names it. No list tells when
an account was made or last used; Policy Analyzer's activities tell the latter.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors._json import Part, guarded, listed, mapping, optional, required
from passmuster.connectors._listing import attributes, fold, objects, refused, shown, when
from passmuster.connectors._secrets import without
from passmuster.connectors._table import not_empty
from passmuster.connectors.gcp._levels import by_permissions
from passmuster.connectors.gcp._members import Members, Resource
from passmuster.connectors.gcp._shapes import ACCOUNT, ARRAYS, KEY, kind, known
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Entitlement, Identity, Problem, Record, Source, Trust

FOR_EVER = "9999-12-31T23:59:59Z"
SHARED_ISSUERS = (
    "https://token.actions.githubusercontent.com", "https://gitlab.com",
    "https://app.terraform.io", "https://accounts.google.com", "https://oidc.circleci.com",
    "https://agent.buildkite.com",
)  # fmt: skip
"""Issuers of tokens for everybody's jobs: without a condition, for everybody's."""


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Records of a list of one or several kinds of objects."""
    return not_empty(_Reader(context).records(stream))


class _Reader:
    """One reading of one file."""

    def __init__(self, context: Context) -> None:
        self._label = context.source_label
        self._source = ""
        self._ids: dict[str, str] = {}
        """Ids of projects by their numbers, where an asset told both."""
        self._members = Members()
        self._makers = {
            "account": self._account, "key": self._key, "asset": self._asset,
            "binding": self._binding, "provider": self._provider, "api_key": self._api_key,
            "role": self._role, "activity": self._activity,
        }  # fmt: skip

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        held: list[Record] = []
        for part in objects(stream, ARRAYS, known):
            before = self._source
            if why := refused(part):
                found: list[Record] = [Problem(part.line, "error", why)]
            else:
                named = Part(None, part.value, part.line)
                found = list(guarded(self._one, named, ("name", "email")))
            if len(found) == 1 and type(found[0]) is Problem:
                self._source = before  # whatever it entered, nobody was told
            if not self._source:
                held += found  # a problem belongs to a run, and a run to a source
                continue
            if held and type(found[0]) is Source:
                found[1:1] = held
                held = []
            yield from found
        if held and not self._source:
            if not self._label:
                first = next(p for p in held if type(p) is Problem)
                raise ImportRefused(f"line {first.line}: {first.why}")
            yield Source("gcp", self._label)
            yield from held

    def _one(self, element: text.Json, line: int) -> Iterator[Record]:
        of = fold(element)
        make = self._makers.get(kind(of) or "")
        if make is None:
            raise ValueError("not an object of Google Cloud that holds access")
        return make(of, line)

    def _enter(self, project: str | None) -> Iterator[Record]:
        """Go on with the records of *project*."""
        if project is not None:
            project = self._ids.get(project, project)
        if project in (None, "", "-") or (project and project.isdigit() and self._label):
            project = self._label
        if not project:
            raise ValueError("nothing says of which project it is: give --source PROJECT")
        if project != self._source:
            self._source = project
            yield Source("gcp", project)

    def _account(self, of: text.Json, line: int) -> Iterator[Record]:
        name = optional(of, "name") or ""
        email = optional(of, "email") or required({"email": name.rpartition("/")[2]}, "email")
        yield from self._enter(optional(of, "projectid") or _project(name))
        uid = optional(of, "uniqueid") or email
        disabled = of.get("disabled") is True
        usual = email.endswith(("-compute@developer.gserviceaccount.com",
                                "@appspot.gserviceaccount.com"))  # fmt: skip
        yield Identity(
            uid, email if email != uid else None, shown(of.get("displayname")) or email,
            "service", "stated", external_id=optional(of, "oauth2clientid"),
            nhi_detail="gcp.default_account" if usual else "gcp.service_account",
            status="disabled" if disabled else "enabled", created_at=when(of.get("createtime")),
            created_by="automation:google" if usual else None, last_used_state="not_tracked",
            purpose=shown(of.get("description")), attributes=attributes(email=email), line=line,
        )  # fmt: skip

    def _key(self, of: text.Json, line: int) -> Iterator[Record]:
        """A key; Google changes its own every fortnight, so that nobody has to."""
        name = required(of, "name").removeprefix("//iam.googleapis.com/")
        account, uid = _after(name, "serviceAccounts"), _after(name, "keys")
        if not account or not uid:
            raise ValueError("the name of the key does not say of which account it is")
        yield from self._enter(_project(name))
        theirs = of.get("keytype") == "SYSTEM_MANAGED"
        since, until = when(of.get("validaftertime")), when(of.get("validbeforetime"))
        ends = until if until != FOR_EVER and not theirs else None
        yield Credential(
            account, uid, "asymmetric_key",
            "gcp.system_managed_key" if theirs else "gcp.service_account_key",
            "kept and changed by Google" if theirs else None,
            status="disabled" if of.get("disabled") is True else "enabled",
            created_at=None if theirs else since, last_rotated_at=None if theirs else since,
            expires_at=ends,
            expires_state="set" if ends else "none" if until and not theirs else "unknown",
            last_used_state="not_tracked",
            attributes=attributes(
                algorithm=of.get("keyalgorithm"), origin=of.get("keyorigin"),
                disabled_because=shown(of.get("disablereason")),
            ),
            line=line,
        )  # fmt: skip

    def _api_key(self, of: text.Json, line: int) -> Iterator[Record]:
        """A key of a project that no account stands behind: it is its own identity."""
        name = required(of, "name")
        yield from self._enter(_project(name))
        uid = optional(of, "uid") or name.rpartition("/")[2]
        limits = mapping(of.get("restrictions"))
        targets = [mapping(t).get("service") for t in listed(limits.get("apiTargets"))]
        called = shown(of.get("displayname")) or uid
        made = when(of.get("createtime"))
        yield Identity(
            uid, name, called, "service", "stated", nhi_detail="gcp.api_key", created_at=made,
            status="deleted" if of.get("deletetime") else "enabled", last_used_state="not_tracked",
            attributes=attributes(
                apis=targets or "any", limits=sorted(limits) or "none: anybody, from anywhere",
            ),
            line=line,
        )  # fmt: skip
        yield Credential(
            uid, uid, "static_secret", "gcp.api_key", called,
            status="disabled" if of.get("deletetime") else "enabled", created_at=made,
            last_rotated_at=made, expires_state="none", last_used_state="not_tracked", line=line,
        )  # fmt: skip

    def _binding(self, of: text.Json, line: int) -> Iterator[Record]:
        """Of a policy by itself, which does not say what it is of: of the project."""
        if not self._label:
            raise ValueError("a policy does not say what it is of: give --source PROJECT")
        yield from self._enter(self._label)
        on = Resource(self._label, f"projects/{self._label}")
        yield from self._members.binding(of, line, on)

    def _role(self, of: text.Json, line: int) -> Iterator[Record]:
        name = required(of, "name").removeprefix("//iam.googleapis.com/")
        own = name.partition("/roles/")[0] if not name.startswith("roles/") else None
        yield from self._enter(_project(name) or self._source or self._label or own)
        has = of.get("includedpermissions")
        title = shown(of.get("title")) or name
        if has is None:
            return
        level, why = by_permissions([p for p in listed(has) if isinstance(p, str)])
        self._members.roles[name] = (title, level, why)
        yield Entitlement(
            name, title, resource_kind="gcp", permission_level=level, level_reason=why,
            is_builtin=int(own is None), scope=own,
            attributes=attributes(stage=of.get("stage"), deleted=of.get("deleted") is True or None),
            line=line,
        )  # fmt: skip

    def _provider(self, of: text.Json, line: int) -> Iterator[Record]:
        name = required(of, "name").removeprefix("//iam.googleapis.com/")
        yield from self._enter(_project(name))
        pool, _, short = name.partition("/providers/")
        off = of.get("disabled") is True or of.get("state") == "DELETED"
        yield Identity(
            name, None, f"{pool.rpartition('/')[2]}/{short}", "workload", "stated",
            nhi_detail="gcp.identity_provider", status="disabled" if off else "enabled",
            is_external=1, purpose=shown(of.get("description")) or shown(of.get("displayname")),
            last_used_state="not_tracked",
            attributes=attributes(mapping=without(of.get("attributemapping"))), line=line,
        )  # fmt: skip
        oidc, aws = fold(of.get("oidc") or {}), fold(of.get("aws") or {})
        condition = shown(of.get("attributecondition"))
        issuer = optional(oidc, "issueruri") or optional(aws, "accountid")
        source = "oidc_issuer" if oidc else "account" if aws else "saml"
        said = [a for a in listed(oidc.get("allowedaudiences")) if isinstance(a, str)]
        shared = (issuer or "").rstrip("/") in SHARED_ISSUERS
        yield Trust(
            name, issuer or "SAML", source, "workload_identity", ", ".join(said) or None, None,
            condition or "no attribute condition", 1, int(shared and not condition), None, None,
            line,
        )  # fmt: skip

    def _activity(self, of: text.Json, line: int) -> Iterator[Record]:
        """The last authentication of an account, as Policy Analyzer saw it (about 90 days back)."""
        if of.get("activitytype") != "serviceAccountLastAuthentication":
            return
        has = fold(of.get("activity") or {})
        account = fold(has.get("serviceaccount") or {})
        name = required(of, "fullresourcename")
        yield from self._enter(_project(name))
        uid = optional(account, "serviceaccountid") or name.rpartition("/")[2]
        last = when(has.get("lastauthenticatedtime"))
        yield Identity(
            uid, None, uid, "service", last_used_at=last,
            last_used_state="known" if last else "unknown",
            last_used_source="Policy Analyzer (about 90 d)", line=line,
        )  # fmt: skip

    def _asset(self, of: text.Json, line: int) -> Iterator[Record]:
        """An asset: what it is, and the policy on it, in either spelling."""
        sort = required(of, "assettype")
        resource = fold(of.get("resource")) if isinstance(of.get("resource"), dict) else {}
        data = fold(resource.get("data") or {})
        name = optional(of, "name") or optional(of, "resource") or ""
        if sort.endswith(("/Project", ".Project")) and optional(data, "projectnumber"):
            self._ids[str(data["projectnumber"])] = str(data.get("projectid"))
        project = (
            optional(data, "projectid") or _project(name) or _project(optional(of, "project") or "")
            or next((_project(a) for a in listed(of.get("ancestors"))
                     if isinstance(a, str) and a.startswith("projects/")), None)
        )  # fmt: skip
        made = self._described(sort, of, data, name, line)
        policy = fold(of.get("iampolicy") or of.get("policy") or {})
        if not made and not policy:
            return
        yield from self._enter(project)
        yield from made
        scope = name.split(".googleapis.com/", 1)[-1] if name.startswith("//") else name
        account = name.rpartition("/")[2] if sort == ACCOUNT else None
        on = Resource(self._source, scope, account)
        for each in listed(policy.get("bindings")):
            yield from self._members.binding(fold(each), line, on)

    def _described(
        self, sort: str, of: text.Json, data: text.Json, name: str, line: int
    ) -> list[Record]:
        """What the resource itself is, from an export of resources or from a search for them."""
        more = fold(of.get("additionalattributes") or {})
        if sort == ACCOUNT and (data or "email" in more):
            return list(self._account(
                {"createtime": of.get("createtime"), "displayname": of.get("displayname"),
                 "disabled": of.get("state") == "DISABLED", "name": name.removeprefix("//"),
                 **more, **data}, line,
            ))  # fmt: skip
        if sort == KEY and data:
            return list(self._key({**data, "name": name}, line))
        if sort == "iam.googleapis.com/Role" and data:
            return list(self._role(data, line))
        if sort.endswith("/WorkloadIdentityPoolProvider") and data:
            return list(self._provider({**data, "name": name}, line))
        return []


def _after(name: str, word: str) -> str | None:
    parts = name.split("/")
    return next((b for a, b in pairwise(parts) if a == word and b), None)


def _project(name: str) -> str | None:
    """The project in a resource's name; `-` stands for any."""
    found = _after(name, "projects")
    return None if found == "-" else found
