"""What a request proves: its DPoP header (RFC 9449 §4.3), and the token that goes with it.

A proof is for one method, one address and one token, is signed by the key that it carries, and is
good for a minute, once: that it is new is for the caller to see, in the database that all replicas
share. Of algorithms there is one: what a header says of `alg` chooses nothing.
"""

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from passmuster.central import LIMITS, PROOF_TYPE, b64url, thumbprint
from passmuster.errors import VerificationFailed
from passmuster.text import Json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

MAX_PROOF = 4_096
"""Characters: one of ours has about 450."""
TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068 §2.1
PORTS = {"https": 443, "http": 80}


class Proof(NamedTuple):
    """A proof that holds."""

    thumbprint: str
    """Of the key that made it."""
    name: str
    """Of this proof among all of its key: spent once."""
    until: int
    """When it is too old anyhow, in seconds since 1970."""


class Token(NamedTuple):
    """What one of our access tokens says."""

    principal: str
    fingerprint: str
    thumbprint: str


def check(proof: str, method: str, url: str, now: int, token: str | None = None) -> Proof:
    """The proof in a `DPoP` header. Raises VerificationFailed that says what is wrong with it."""
    head, said = _opened(proof)
    if head.get("typ") != PROOF_TYPE:
        raise VerificationFailed("the DPoP header is no proof of a request")
    if said.get("htm") != method or not _same(said.get("htu"), url):
        raise VerificationFailed("the proof was made for another request")
    at, jti = said.get("iat"), said.get("jti")
    if type(at) is not int or not isinstance(jti, str) or not 8 <= len(jti) <= 128:
        raise VerificationFailed("the proof lacks its time or its name")
    if abs(at - now) > LIMITS.skew_s:
        raise VerificationFailed(
            f"your clock is {abs(at - now)} s {'ahead of' if at > now else 'behind'} the "
            "server's: set it"
        )
    if token is not None and not _equal(said.get("ath"), b64url(_sha256(token.encode()))):
        raise VerificationFailed("the proof was made for another token")
    mark = thumbprint(head["jwk"])
    return Proof(mark, f"{mark}.{b64url(_sha256(jti.encode()))}", at + LIMITS.skew_s + 1)


def _opened(proof: str) -> tuple[Json, Json]:
    """(header, claims) of a proof, once it is signed by the key in its header."""
    import jwt

    if len(proof) > MAX_PROOF:
        raise VerificationFailed("the proof is too long")
    try:
        head: Json = jwt.get_unverified_header(proof)
        public = head["jwk"]
        if public.keys() != {"kty", "crv", "x"} or (public["kty"], public["crv"]) != (
            "OKP", "Ed25519",
        ):  # fmt: skip
            raise ValueError("its key is no public Ed25519 key")
        key = jwt.PyJWK(public, "EdDSA")
        said: Json = dict(json.loads(jwt.PyJWS().decode(proof, key, algorithms=["EdDSA"])))
    except (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise VerificationFailed(f"not a proof of a request: {e}") from None
    return head, said


def _same(said: object, url: str) -> bool:
    """Whether two addresses are one, but for query, fragment, and how a host is written."""
    if not isinstance(said, str):
        return False
    try:
        return _parts(said) == _parts(url)
    except ValueError:
        return False


def _parts(url: str) -> tuple[str, str | None, int | None, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme), parts.path


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _equal(said: object, wanted: str) -> bool:
    return isinstance(said, str) and hmac.compare_digest(said.encode(), wanted.encode())


# --- our access tokens


def issue(key: "Ed25519PrivateKey", origin: str, token: Token, now: int, jti: str) -> str:
    """An access token of the log *origin*, bound to the short-lived key of *token*."""
    import jwt

    claims = {
        "iss": origin, "aud": origin, "sub": token.principal, "fingerprint": token.fingerprint,
        "cnf": {"jkt": token.thumbprint}, "iat": now, "exp": now + LIMITS.session_s, "jti": jti,
    }  # fmt: skip
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"typ": TOKEN_TYPE})


def opened(key: "Ed25519PublicKey", origin: str, token: str, now: int) -> Token:
    """What a token says. Raises VerificationFailed for one that is not ours, or has ended."""
    import jwt

    try:
        if jwt.get_unverified_header(token).get("typ") != TOKEN_TYPE:
            raise ValueError("of another type")
        said: Any = json.loads(jwt.PyJWS().decode(token, key, algorithms=["EdDSA"]))
        if (said["iss"], said["aud"]) != (origin, origin) or type(said["exp"]) is not int:
            raise ValueError("of another log")
        found = Token(*map(str, (said["sub"], said["fingerprint"], said["cnf"]["jkt"])))
    except (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise VerificationFailed(f"not an access token of this log: {e}") from None
    if said["exp"] <= now:
        raise VerificationFailed("the session has ended: ask for another")
    return found
