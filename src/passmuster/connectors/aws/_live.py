"""What muster does in IAM itself: each kind of object read, written and asked about.

Verified here against two emulators (`tests/connectors/test_aws_live.py`), not yet against AWS.
IAM has no compare-and-set: between a read and a write somebody else may change the object, and
the read that follows every write tells so.
"""

from collections.abc import Callable
from typing import Any

from passmuster.connectors import Act, Verdict, Where
from passmuster.connectors.aws._login import Keys, Login
from passmuster.connectors.aws._plan import PROPAGATION_S
from passmuster.connectors.aws._policies import document
from passmuster.errors import Declined
from passmuster.text import Json, json_text, utc, visible

_REFUSED = frozenset((
    "InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException", "ExpiredToken",
    "SignatureDoesNotMatch", "AuthFailure",
))  # fmt: skip
_LATE = f"IAM is eventually consistent: up to {PROPAGATION_S} s it may still take it"


def connect(where: Where) -> "AwsLive":
    """Log in as whoever boto3 finds. UsageError without boto3; Declined at another account."""
    return AwsLive(Login(where))


class AwsLive:
    """One account."""

    def __init__(self, login: Login) -> None:
        self._login = login

    def close(self) -> None:
        """Close the connections."""
        self._login.close()

    def _iam(self, name: str, **given: Any) -> dict[str, Any]:
        return self._login.call("iam", name, **given)

    def read(self, act: Act) -> Json | None:
        """The state of the object; None where it is not there."""
        try:
            return self._doer(act)[0](act.on)
        except Declined as error:
            if error.code in ("NoSuchEntity", "ResourceNotFoundException"):
                return None
            raise

    def write(self, act: Act, state: Json | None) -> None:
        """Put the object into *state*; deleting what is not there is no error."""
        try:
            self._doer(act)[1](act.on, state)
        except Declined as error:
            if state is not None or error.code not in ("NoSuchEntity", "ResourceNotFoundException"):
                raise

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """Try *secret* (`AKIA…:secret`, `…:token` after it for a session), else read the flag."""
        if secret is not None:
            return self._tried(act, _keys(secret))
        found = self.read(act)
        if act.wanted is None:
            told = "is not there any more" if found is None else "is still there"
            return ("flag" if found is None else "works"), f"IAM says that it {told}"
        off = found is not None and all(found.get(k) == v for k, v in act.wanted.items())
        shown = "as wanted" if off else f"not as wanted; {_LATE}"
        return ("flag" if off else "works"), f"IAM says that it is {shown}"

    def _tried(self, act: Act, keys: Keys) -> tuple[Verdict, str]:
        service, name, given = "sts", "get_caller_identity", {}
        if act.name == "aws.role.trust":
            name, given = "assume_role", {
                "RoleArn": act.on["arn"], "RoleSessionName": "muster-check",
                "DurationSeconds": 900,
            }  # fmt: skip
        elif act.name.endswith("_policy"):
            # GetCallerIdentity is allowed to whom everything is denied
            service, name = "iam", "get_user"
        try:
            self._login.call(service, name, keys=keys, **given)
        except Declined as error:
            if error.status not in (400, 401, 403):
                raise
            denied = "explicit deny" in str(error) or name == "assume_role"
            if error.code in _REFUSED or denied:
                return "refused", str(error)
            if error.code in ("AccessDenied", "AccessDeniedException"):
                return "flag", f"{error}: not allowed, though not by this policy's own words"
            raise
        return "works", f"{service} {name} was answered; {_LATE}"

    # Each kind: (read, write) of what `on` finds.

    def _doer(
        self, act: Act
    ) -> tuple[Callable[[Json], Json | None], Callable[[Json, Json | None], None]]:
        _, _, kind = act.name.partition(".")
        made = {
            "access_key.status": (self._key, self._put_key),
            "access_key": (self._key, self._put_key),
            "signing_certificate.status": (self._certificate, self._put_certificate),
            "signing_certificate": (self._certificate, self._put_certificate),
            "role.trust": (self._trust, self._put_trust),
            "group_member": (self._member, self._put_member),
            "oidc_provider": (self._provider, self._put_provider),
            **{f"{of}_policy": (self._policy, self._put_policy) for of in _HOLDERS},
            **{f"{of}_attachment": (self._attached, self._put_attached) for of in _HOLDERS},
            **{f"{of}.enabled": (self._enabled(of), self._put_enabled(of)) for of in _ANYWHERE},
        }.get(kind)  # fmt: skip
        if made is None:
            raise Declined(f"{act.name}: muster does not do that at AWS", "no_such_act", 400)
        return made

    def _find_key(self, on: Json) -> Json:
        """The key with that id, or the only one that was made then."""
        listed = self._login.every("iam", "list_access_keys", UserName=on["user"])
        keys = listed["AccessKeyMetadata"]
        found = [k for k in keys if _is(k, on, "AccessKeyId", "CreateDate")]
        return _only(found, on, "access key")

    def _key(self, on: Json) -> Json | None:
        return {"status": self._find_key(on)["Status"]}

    def _put_key(self, on: Json, state: Json | None) -> None:
        user, key = on["user"], self._find_key(on)["AccessKeyId"]
        if state is None:
            self._iam("delete_access_key", UserName=user, AccessKeyId=key)
        else:
            self._iam("update_access_key", UserName=user, AccessKeyId=key, Status=state["status"])

    def _find_certificate(self, on: Json) -> Json:
        listed = self._login.every("iam", "list_signing_certificates", UserName=on["user"])
        all_ = listed["Certificates"]
        found = [c for c in all_ if _is(c, on, "CertificateId", "UploadDate")]
        return _only(found, on, "signing certificate")

    def _certificate(self, on: Json) -> Json | None:
        return {"status": self._find_certificate(on)["Status"]}

    def _put_certificate(self, on: Json, state: Json | None) -> None:
        which = {"UserName": on["user"],
                 "CertificateId": self._find_certificate(on)["CertificateId"]}  # fmt: skip
        if state is None:
            self._iam("delete_signing_certificate", **which)
        else:
            self._iam("update_signing_certificate", **which, Status=state["status"])

    def _policy(self, on: Json) -> Json | None:
        holder = _holder(on)
        found = self._iam(f"get_{holder}_policy", **_name(on), PolicyName=on["policy"])
        return {"document": document(found["PolicyDocument"])}

    def _put_policy(self, on: Json, state: Json | None) -> None:
        holder = _holder(on)
        if state is None:
            self._iam(f"delete_{holder}_policy", **_name(on), PolicyName=on["policy"])
        else:
            self._iam(f"put_{holder}_policy", **_name(on), PolicyName=on["policy"],
                      PolicyDocument=json_text(state["document"]))  # fmt: skip

    def _trust(self, on: Json) -> Json | None:
        found = self._iam("get_role", **_name(on))["Role"]
        return {"document": document(found["AssumeRolePolicyDocument"])}

    def _put_trust(self, on: Json, state: Json | None) -> None:
        if state is None:
            raise Declined("a role cannot be without a trust policy", "no_such_act", 400)
        self._iam("update_assume_role_policy", **_name(on),
                  PolicyDocument=json_text(state["document"]))  # fmt: skip

    def _attached(self, on: Json) -> Json | None:
        found = self._login.every("iam", f"list_attached_{_holder(on)}_policies", **_name(on))
        arns = {p["PolicyArn"] for p in found["AttachedPolicies"]}
        return {"held": True} if on["policy"] in arns else None

    def _put_attached(self, on: Json, state: Json | None) -> None:
        verb = "detach" if state is None else "attach"
        self._iam(f"{verb}_{_holder(on)}_policy", **_name(on), PolicyArn=on["policy"])

    def _member(self, on: Json) -> Json | None:
        groups = self._login.every("iam", "list_groups_for_user", UserName=on["user"])["Groups"]
        return {"held": True} if on["group"] in {g["GroupName"] for g in groups} else None

    def _put_member(self, on: Json, state: Json | None) -> None:
        verb = "remove_user_from_group" if state is None else "add_user_to_group"
        self._iam(verb, UserName=on["user"], GroupName=on["group"])

    def _provider(self, on: Json) -> Json | None:
        found = self._iam("get_open_id_connect_provider", OpenIDConnectProviderArn=on["arn"])
        return {
            "url": found["Url"], "client_ids": sorted(found.get("ClientIDList", [])),
            "thumbprints": sorted(found.get("ThumbprintList", [])), "tags": found.get("Tags", []),
        }  # fmt: skip

    def _put_provider(self, on: Json, state: Json | None) -> None:
        if state is None:
            self._iam("delete_open_id_connect_provider", OpenIDConnectProviderArn=on["arn"])
            return
        if self.read(Act("aws.oidc_provider", on, None)) == state:
            return
        url = state["url"] if "://" in state["url"] else f"https://{state['url']}"
        more = {"Tags": state["tags"]} if state.get("tags") else {}
        self._iam("create_open_id_connect_provider", Url=url, ClientIDList=state["client_ids"],
                  ThumbprintList=state["thumbprints"], **more)  # fmt: skip

    def _anywhere(self, name: str, on: Json, given: dict[str, Any]) -> dict[str, Any]:
        return self._login.call("rolesanywhere", name, region=on["region"], **given)

    def _enabled(self, of: str) -> Callable[[Json], Json | None]:
        field = _ANYWHERE[of]

        def read(on: Json) -> Json | None:
            found = self._anywhere(f"get_{of}", on, {f"{field}Id": on["id"]})
            return {"enabled": bool(found[field]["enabled"])}

        return read

    def _put_enabled(self, of: str) -> Callable[[Json, Json | None], None]:
        def write(on: Json, state: Json | None) -> None:
            if state is None:
                raise Declined("muster disables these and deletes none", "no_such_act", 400)
            verb = "enable" if state["enabled"] else "disable"
            self._anywhere(f"{verb}_{of}", on, {f"{_ANYWHERE[of]}Id": on["id"]})

        return write


_HOLDERS = ("user", "role", "group")
_ANYWHERE = {"trust_anchor": "trustAnchor", "profile": "profile"}


def _holder(on: Json) -> str:
    return next(of for of in _HOLDERS if of in on)


def _name(on: Json) -> dict[str, str]:
    holder = _holder(on)
    return {f"{holder.capitalize()}Name": on[holder]}


def _is(listed: Json, on: Json, uid: str, date: str) -> bool:
    if "key" in on:
        return bool(listed[uid] == on["key"])
    return bool(utc(listed[date].isoformat()) == on["created"])


def _only(found: list[Json], on: Json, what: str) -> Json:
    if len(found) == 1:
        return found[0]
    which = visible(on.get("key") or f"made at {on['created']}")
    if found:
        raise Declined(f"more than one {what} {which}: import the list of keys", "ambiguous", 409)
    raise Declined(f"no {what} {which}", "NoSuchEntity", 404)


def _keys(secret: str) -> Keys:
    """`id:secret` or `id:secret:session token`."""
    uid, _, rest = secret.strip().partition(":")
    key, _, token = rest.partition(":")
    if not uid or not key:
        raise Declined(
            "the secret of AWS is written ACCESS-KEY-ID:SECRET, or with :TOKEN", "secret", 400
        )
    return uid, key, token or None
