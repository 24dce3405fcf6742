"""An access token of the company's identity provider, without a browser here (RFC 8628).

The person opens a page anywhere and types a short code; meanwhile we ask whether they have. The
token is bound to a key of ours from the start (RFC 9449), so that nobody who sees it can use it.
It is used once, to enrol; afterwards no identity provider is needed.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from passmuster import central, transport
from passmuster.errors import MusterError, Unreachable
from passmuster.text import Json, visible

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
INTERVAL_S = 5
"""Between two questions where the provider says nothing (RFC 8628 §3.2)."""
LONGEST_S = 1_800
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Provider:
    """What `/v1/about` says of the identity provider."""

    issuer: str
    client_id: str
    audience: str


class Bound(NamedTuple):
    """A token and the key that it is bound to."""

    token: str
    key: "Ed25519PrivateKey"

    def headers(self, method: str, url: str) -> dict[str, str]:
        """`Authorization` and `DPoP` of one request."""
        proof = central.prove(
            self.key, method, url, int(time.time()), secrets.token_urlsafe(16), self.token
        )
        return {"Authorization": f"DPoP {self.token}", "DPoP": proof}


def token(
    provider: Provider, show: Callable[[str, str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Bound:  # fmt: skip
    """Let the person log in and give their token. *show* gets the address and the code to type.

    Raises MusterError when they said no or did nothing, Unreachable when the provider failed.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    found = _discovered(provider.issuer)
    key = Ed25519PrivateKey.generate()
    form = {"client_id": provider.client_id, "scope": "openid email", **_about(provider.audience)}
    status, _, said = _form(found["device_authorization_endpoint"], form, {})
    code, typed, where = (
        said.get(n) for n in ("device_code", "user_code", "verification_uri")
    )  # fmt: skip
    if status != 200 or not (code and typed and where):
        raise Unreachable(f"{provider.issuer} gives no code: {_why(said, status)}")
    show(str(said.get("verification_uri_complete") or where), str(typed))
    wait = {"grant_type": GRANT, "device_code": str(code), "client_id": provider.client_id,
            **_about(provider.audience)}  # fmt: skip
    left = min(_seconds(said.get("expires_in"), LONGEST_S), LONGEST_S)
    return Bound(_waited(
        found["token_endpoint"], wait, key, _seconds(said.get("interval"), INTERVAL_S), left, sleep
    ), key)  # fmt: skip


def _about(audience: str) -> dict[str, str]:
    """For whom the token shall be: RFC 8707 where it is an address, else as some providers do."""
    return {"resource" if "://" in audience else "audience": audience}


def _waited(
    endpoint: str, form: Mapping[str, str], key: "Ed25519PrivateKey", interval: int, left: int,
    sleep: Callable[[float], None],
) -> str:  # fmt: skip
    nonce: str | None = None
    while left > 0:
        proof = central.prove(
            key, "POST", endpoint, int(time.time()), secrets.token_urlsafe(16), nonce=nonce
        )
        status, headers, said = _form(endpoint, form, {"DPoP": proof})
        error = said.get("error")
        if status == 200:
            return _bound(said)
        if error == "use_dpop_nonce" and headers.get("dpop-nonce") not in (None, nonce):
            nonce = headers["dpop-nonce"]
            left -= 1  # a provider that wants another one each time is not asked for ever
            continue
        if error == "slow_down":
            interval += 5
        elif error == "access_denied":
            raise MusterError("the log-in was refused: nothing was enrolled")
        elif error != "authorization_pending":
            raise Unreachable(f"the identity provider gives no token: {_why(said, status)}")
        sleep(interval)
        left -= max(interval, 1)
    raise MusterError("nobody logged in in time: run this again")


def _bound(said: Json) -> str:
    kind, made = str(said.get("token_type", "")), said.get("access_token")
    if kind.lower() != "dpop" or not isinstance(made, str):
        raise Unreachable(
            "the identity provider does not bind its tokens to a key (DPoP): ask a registrar for "
            "an invitation instead"
        )
    return made


def _discovered(issuer: str) -> dict[str, str]:
    """The provider's endpoints, from where it says that it is itself."""
    central.address(issuer)
    answer = transport.ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    said = _json(answer.body)
    if answer.status != 200 or said.get("issuer") != issuer:
        raise Unreachable(f"{issuer} is no identity provider of that name")
    names = "device_authorization_endpoint", "token_endpoint"
    found = {name: str(said.get(name) or "") for name in names}
    if not found[names[0]]:
        raise Unreachable(
            f"{issuer} has no log-in by code (RFC 8628): ask a registrar for an invitation instead"
        )
    for url in found.values():
        central.address(url.partition("?")[0])
    return found


def _form(
    url: str, form: Mapping[str, str], headers: Mapping[str, str]
) -> tuple[int, Mapping[str, str], Json]:
    answer = transport.ask("POST", url, urlencode(form).encode(), {"Content-Type": FORM, **headers})
    small = {name.lower(): value for name, value in answer.headers.items()}
    return answer.status, small, _json(answer.body)


def _json(data: bytes) -> Json:
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _seconds(said: object, otherwise: int) -> int:
    return said if type(said) is int and said >= 0 else otherwise


def _why(said: Json, status: int) -> str:
    return visible(str(said.get("error_description") or said.get("error") or status)[:200])
