"""What the company's identity provider says of somebody: its access token, checked.

A JWT signed by a key that the provider publishes, for this server (`aud`), by this provider
(`iss`), not ended, bound to the key that proves this request (`cnf.jkt`, RFC 9449 §6.1), with an
e-mail address that the provider has verified. Algorithms are a list of ours, and a key is used for
its own kind of signature alone: what a header says of `alg` never makes a public key a password.
"""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from passmuster import central, transport
from passmuster.central import LIMITS
from passmuster.errors import MusterError, Unreachable, VerificationFailed
from passmuster.server._http import Problem
from passmuster.text import Json

ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"), "OKP": ("EdDSA",),
}  # fmt: skip
"""Kind of key → what it may sign with."""
TYPES = ("at+jwt", "application/at+jwt", "jwt", None)
"""RFC 9068 §2.1, and what older providers write; an ID token has no `cnf`."""
MAX_TOKEN = 16_384
KEPT_S = 3600.0
"""How long the provider's keys are believed without asking again."""
AGAIN_S = 30.0
"""How often a key that is not among them makes us ask."""


@dataclass(frozen=True, slots=True)
class Provider:
    """What the operator said of the identity provider."""

    issuer: str
    client_id: str
    audience: str


@dataclass(slots=True)
class _Keys:
    found: list[Json]
    at: float


_lock = threading.Lock()
_known: dict[str, _Keys] = {}


def principal(provider: Provider, token: str, thumbprint: str, now: int) -> str:
    """The e-mail address of whoever has *token* and the key *thumbprint*.

    Raises VerificationFailed for any token that is not exactly what it must be, Problem
    `unavailable` when the provider's keys cannot be got.
    """
    import jwt

    if len(token) > MAX_TOKEN:
        raise VerificationFailed("the identity provider's token is too long")
    try:
        head: Json = jwt.get_unverified_header(token)
        kind = head.get("typ")
        if (kind.lower() if isinstance(kind, str) else kind) not in TYPES:
            raise ValueError(f"it is of the type {str(kind)[:30]!r}")
        key = _key(provider, head)
        said: Json = jwt.decode(
            token, key, algorithms=_algorithms(key), audience=provider.audience,
            issuer=provider.issuer,
            options={"require": ["iss", "aud", "exp", "cnf"], "verify_exp": False,
                     "verify_nbf": False, "verify_iat": False},
        )  # fmt: skip
        _in_time(said, now)
        if said["cnf"].get("jkt") != thumbprint:
            raise ValueError("it is bound to another key")
        email = said.get("email")
        if not isinstance(email, str) or said.get("email_verified") is not True:
            raise ValueError("it has no e-mail address that the provider has verified")
    except (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise VerificationFailed(f"the identity provider's token does not hold: {e}") from None
    return email


def _in_time(said: Json, now: int) -> None:
    """By the server's clock; PyJWT would ask its own."""
    if type(said["exp"]) is not int or said["exp"] <= now:
        raise ValueError("it has ended: log in again")
    for name in ("nbf", "iat"):
        at = said.get(name, 0)
        if type(at) is not int or at > now + LIMITS.skew_s:
            raise ValueError(f"its {name} is not yet")


def _algorithms(key: Any) -> Sequence[str]:
    return ALGORITHMS.get(str(key.key_type), ())


def _key(provider: Provider, head: Json) -> Any:
    """The published key that a token names; the provider is asked again for one it has added."""
    import jwt

    named = head.get("kid")
    for fresh in (False, True):
        fits = [
            k for k in _published(provider, fresh=fresh)
            if k.get("kty") in ALGORITHMS and k.get("use", "sig") == "sig"
            and (named is None or k.get("kid") == named)
        ]  # fmt: skip
        if len(fits) == 1:
            wanted = str(head.get("alg"))
            if wanted not in ALGORITHMS[fits[0]["kty"]] or fits[0].get("alg", wanted) != wanted:
                raise ValueError(f"its algorithm {wanted[:20]!r} is not its key's")
            return jwt.PyJWK(fits[0], wanted)
    raise ValueError("it names no key that the provider publishes")


def _published(provider: Provider, *, fresh: bool) -> list[Json]:
    with _lock:
        known, now = _known.get(provider.issuer), time.monotonic()
        if known is not None and now - known.at < (AGAIN_S if fresh else KEPT_S):
            return known.found
        try:
            found = _asked(provider.issuer)
        except MusterError as error:
            raise Problem(
                "unavailable", f"the identity provider does not answer: {error}"
            ) from None
        _known[provider.issuer] = _Keys(found, now)
        return found


def _asked(issuer: str) -> list[Json]:
    said = _json(f"{central.address(issuer)}/.well-known/openid-configuration")
    if said.get("issuer") != issuer:
        raise Unreachable(f"{issuer} is no identity provider of that name")
    where = str(said.get("jwks_uri"))
    central.address(where.partition("?")[0])
    keys = _json(where).get("keys")
    return [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []


def _json(url: str) -> Json:
    answer = transport.ask("GET", url, deadline_s=10.0)
    try:
        said = json.loads(answer.body) if answer.status == 200 else None
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise Unreachable(f"{url} answered {answer.status}, not with JSON")
    return said
