"""DPoP proofs (RFC 9449 §4.2): that whoever sends a request holds the key of its token.

Made here by hand, from JSON and one Ed25519 signature, so that a workstation needs no library of
web tokens for it; the server checks them with one that others wrote.
"""

import base64
import hashlib
import json
from typing import TYPE_CHECKING

from passmuster.text import canonical

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PROOF_TYPE = "dpop+jwt"


def b64url(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2).

    >>> b64url(b"\\xff\\xfe")
    '__4'
    """
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwk(key: "Ed25519PrivateKey") -> dict[str, str]:
    """The public half as a JSON Web Key (RFC 8037 §2)."""
    return {"crv": "Ed25519", "kty": "OKP", "x": b64url(key.public_key().public_bytes_raw())}


def thumbprint(public: dict[str, str]) -> str:
    """Name of a key of this kind (RFC 7638 §3): what `cnf.jkt` of a token says."""
    named = {name: public[name] for name in ("crv", "kty", "x")}
    return b64url(hashlib.sha256(canonical(named)).digest())


def prove(
    key: "Ed25519PrivateKey", method: str, url: str, at: int, jti: str, token: str | None = None,
    nonce: str | None = None,
) -> str:  # fmt: skip
    """The `DPoP` header of one request with *token*, made at *at* seconds after 1970.

    *jti* is random, taken once; *nonce* is what an identity provider may ask for (§8).
    """
    said = {"htm": method, "htu": url.partition("?")[0].partition("#")[0], "iat": at, "jti": jti}
    if token is not None:
        said["ath"] = b64url(hashlib.sha256(token.encode()).digest())
    if nonce is not None:
        said["nonce"] = nonce
    head = {"typ": PROOF_TYPE, "alg": "EdDSA", "jwk": jwk(key)}
    signed = ".".join(b64url(json.dumps(part).encode()) for part in (head, said))
    return f"{signed}.{b64url(key.sign(signed.encode()))}"
