"""Google Cloud, live: IAM v1 and Resource Manager v1, and the export files of a project.

Not yet run against the vendor. A policy is read with its etag and written with it: where somebody
else wrote in between, Google refuses (409) and so do we.
"""

import base64
import json
import re
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from urllib.parse import urlencode

from passmuster.connectors import _rest
from passmuster.connectors._live import Act, Verdict, Where
from passmuster.connectors._rest import part
from passmuster.connectors.gcp._shapes import ACCOUNT
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.text import Json
from passmuster.transport import Service

IAM = "https://iam.googleapis.com/v1"
MANAGER = "https://cloudresourcemanager.googleapis.com/v1"
TOKENS = "https://oauth2.googleapis.com"
AUDIENCE = f"{TOKENS}/token"
COMMAND = ("gcloud", "auth", "print-access-token")
_VERSION = {"options": {"requestedPolicyVersion": 3}}
ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"


REFUSED = re.compile(r"Invalid JWT Signature|account not found|disabled|deleted", re.IGNORECASE)
"""How Google refuses an assertion for what it is signed with, and not for how it was asked (a clock
that is wrong is an `invalid_grant` too)."""


class Google:
    """One project that was logged in at."""

    def __init__(self, where: Where) -> None:
        if not where.tenant or "/" in where.tenant:
            raise UsageError("gcp: name the project: gcp:PROJECT")
        self.project = where.tenant
        self._where = where

    @cached_property
    def iam(self) -> Service:
        """Identity and Access Management."""
        return _rest.service(self._where, IAM, "token", COMMAND)

    @cached_property
    def manager(self) -> Service:
        """Resource Manager, which has the policies of projects."""
        return _rest.service(self._where, MANAGER, "token", COMMAND)

    @cached_property
    def _tokens(self) -> Service:
        return _rest.anonymous(self._where, TOKENS)

    def read(self, act: Act) -> Json | None:
        """The state of the object, as `Live` says."""
        if act.name == "gcp.binding":
            return self._bound(self.policy(act.on["project"]), act.on)
        found = self.iam.find(self._path(act))
        if found is None:
            return None
        if act.name == "gcp.key":
            return {k: found.get(k) for k in ("keyAlgorithm", "validAfterTime", "validBeforeTime")}
        if act.name == "gcp.provider.disabled" and found.get("state") == "DELETED":
            return None
        return {"disabled": found.get("disabled") is True}

    def write(self, act: Act, state: Json | None) -> None:
        """Put it into *state*; a key that was deleted is Declined (409)."""
        if act.name == "gcp.binding":
            self._bind(act.on, state)
        elif act.name == "gcp.key":
            self._delete_key(act, state)
        elif state is None:
            raise Declined("it is not deleted here, only disabled", "no", 405)
        elif act.name == "gcp.provider.disabled":
            body = {"disabled": bool(state["disabled"])}
            self.iam.change("PATCH", f"{self._path(act)}?updateMask=disabled", body)
        else:
            verb = "disable" if state["disabled"] else "enable"
            self.iam.change("POST", f"{self._path(act)}:{verb}", {})

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """With the key file of the account, asks for a token with it; else what reading tells."""
        if secret is None or "account" not in act.on:
            return _rest.judged(self, act)
        try:
            form = {"grant_type": ASSERTION, "assertion": signed(secret, act.on)}
        except (ValueError, KeyError, TypeError):
            return "unknown", "what was given is not the key file of this account"
        try:
            self._tokens.ask("POST", "token", urlencode(form).encode(),
                             {"Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
        except Declined as error:
            return ("refused" if REFUSED.search(str(error)) else "unknown"), str(error)
        except Unreachable as error:
            return "unknown", str(error)
        return "works", "a token was given for it"

    def close(self) -> None:
        """Close the connections."""
        for name in ("iam", "manager", "_tokens"):
            if name in self.__dict__:
                getattr(self, name).close()

    def _path(self, act: Act) -> str:
        on = act.on
        match act.name:
            case "gcp.service_account.disabled":
                return self._account(on)
            case "gcp.key" | "gcp.key.disabled":
                return f"{self._account(on)}/keys/{part(on['key'])}"
            case "gcp.provider.disabled":
                return "/".join(part(p) for p in str(on["provider"]).split("/"))
        raise UsageError(f"gcp: cannot do {act.name}")

    def _account(self, on: Json) -> str:
        """Not `projects/-`: Google then says 403 of an account that is not there."""
        return f"projects/{part(self.project)}/serviceAccounts/{part(on['account'])}"

    def _delete_key(self, act: Act, state: Json | None) -> None:
        there = self.read(act)
        if state is None and there is not None:
            self.iam.change("DELETE", self._path(act))
        elif state is not None and there is None:
            raise _rest.never("a key of a service account")

    def policy(self, project: str) -> Json:
        """The policy of a project, with its etag."""
        found = self.manager.change("POST", f"projects/{part(project)}:getIamPolicy", _VERSION)
        if not isinstance(found, dict):
            raise Unreachable("the answer is no policy")
        return found

    def _bound(self, policy: Json, on: Json) -> Json | None:
        found = self._binding(policy, on)
        if found is None or on["member"] not in found.get("members", []):
            return None
        return {k: found[k] for k in ("role", "condition") if found.get(k)}

    def _binding(self, policy: Json, on: Json) -> Json | None:
        return next((
            b for b in policy.get("bindings", []) if b.get("role") == on["role"]
            and (b.get("condition") or {}).get("expression", "") == on["condition"]
        ), None)  # fmt: skip

    def _bind(self, on: Json, state: Json | None) -> None:
        """Read, change, write with the etag that was read."""
        policy = self.policy(on["project"])
        if (self._bound(policy, on) is None) == (state is None):
            return
        binding = self._binding(policy, on)
        if state is None and binding is not None:
            binding["members"] = [m for m in binding["members"] if m != on["member"]]
            if not binding["members"]:
                policy["bindings"].remove(binding)
        elif binding is not None:
            binding["members"] = [*binding["members"], on["member"]]
        else:
            fresh = {**(state or {}), "members": [on["member"]]}
            policy["bindings"] = [*policy.get("bindings", []), fresh]
        if not policy.get("etag"):
            raise Unreachable("the policy came without an etag: it is not written blindly")
        path = f"projects/{part(on['project'])}:setIamPolicy"
        self.manager.change("POST", path, {"policy": policy})

    def pages(self, path: str, items: str) -> Iterator[Json]:
        """Each object of a list of IAM."""
        mark = "&" if "?" in path else "?"
        return _rest.pages(
            self.iam, path, items,
            lambda p: f"{path}{mark}pageToken={part(p['nextPageToken'])}"
            if p.get("nextPageToken") else None,
        )  # fmt: skip

    def policies(self, accounts: list[Json]) -> Iterator[Json]:
        """Who may become each account, in the form of an asset export."""
        for each in accounts:
            email = part(each.get("email"))
            path = f"projects/{part(self.project)}/serviceAccounts/{email}:getIamPolicy"
            found = self.iam.change("POST", f"{path}?options.requestedPolicyVersion=3") or {}
            if found.get("bindings"):
                name = f"//iam.googleapis.com/projects/{self.project}/serviceAccounts/"
                name += str(each.get("uniqueId") or each.get("email"))
                yield {"name": name, "assetType": ACCOUNT, "iamPolicy": found}


def connect(where: Where) -> Google:
    """The project that the source names."""
    return Google(where)


def collect(where: Where, folder: Path) -> None:
    """Write accounts, keys, policies and identity providers of the project to *folder*."""
    live = Google(where)
    base = f"projects/{part(live.project)}"
    try:
        accounts = list(live.pages(f"{base}/serviceAccounts?pageSize=100", "accounts"))
        files = {
            "service-accounts": iter(accounts),
            "keys": (
                key for each in accounts
                for key in live.pages(f"{base}/serviceAccounts/{part(each.get('email'))}/keys",
                                      "keys")
            ),
            "account-policies": live.policies(accounts),
            "providers": (
                one
                for pool in live.pages(f"{base}/locations/global/workloadIdentityPools",
                                       "workloadIdentityPools")
                for one in live.pages(f"{pool.get('name')}/providers",
                                      "workloadIdentityPoolProviders")
            ),
        }  # fmt: skip
        for name, elements in files.items():
            _rest.write_some(folder / f"{name}.json", elements)
        policy = live.policy(live.project)
        (folder / "iam-policy.json").write_text(json.dumps(policy, indent=1), "utf-8")
    finally:
        live.close()


def signed(key_file: str, on: Json) -> str:
    """A JWT of the account (RFC 7523) for one token, signed with its key; ValueError, KeyError."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    has = json.loads(key_file)
    key = load_pem_private_key(has["private_key"].encode(), None)
    theirs = has["client_email"] == on["account"]
    if not isinstance(key, RSAPrivateKey) or not theirs or has["private_key_id"] != on.get(
        "key", has["private_key_id"]
    ):  # fmt: skip
        raise ValueError("not the key that is meant")
    now = int(time.time())
    claims = {"iss": on["account"], "scope": "https://www.googleapis.com/auth/userinfo.email",
              "aud": AUDIENCE, "iat": now, "exp": now + 300}  # fmt: skip
    head = {"alg": "RS256", "typ": "JWT", "kid": has["private_key_id"]}
    words = f"{_encoded(json.dumps(head))}.{_encoded(json.dumps(claims))}"
    return f"{words}.{_encoded(key.sign(words.encode(), PKCS1v15(), SHA256()))}"


def _encoded(data: str | bytes) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
