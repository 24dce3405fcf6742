"""A small identity provider that really answers: discovery, keys, log-in by code (RFC 8628)."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa

from passmuster import central
from passmuster.text import Json

CLIENT, AUDIENCE = "muster", "https://muster.example.com"


RSA: RSAPrivateKey = new_rsa(65537, 2048)
"""Made once: that takes a while."""


class Issuer:
    """What it says can be changed at any time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.rsa = RSA
        self.ec = generate_private_key(SECP256R1())
        self.published = [self.jwk("rsa", self.rsa), self.jwk("ec", self.ec)]
        self.asked: list[str] = []
        """Paths."""
        self.email = "ana@example.com"
        self.now = 0
        self.ends_in = 60
        """Seconds that a code is good."""
        self.answers: list[Json] = []
        """What the token endpoint says before it gives a token."""
        self.nonce: str | None = None
        self.never_content = False
        """Whether it wants another nonce each time."""
        self.forms: list[dict[str, str]] = []
        self.instead: Json = {}
        """Claims of the tokens that it gives."""

    @staticmethod
    def jwk(kid: str, key: Any) -> Json:
        make = jwt.algorithms.RSAAlgorithm if kid.startswith("rsa") else jwt.algorithms.ECAlgorithm
        found: Json = make.to_jwk(key.public_key(), as_dict=True)
        return {**found, "kid": kid, "use": "sig"}

    @property
    def settings(self) -> dict[str, str]:
        """As a server is told of it."""
        return {"issuer": self.url, "client_id": CLIENT, "audience": AUDIENCE}

    def token(self, thumbprint: str, **instead: Any) -> str:
        """An access token; *instead* changes claims (None takes one out), `head`, `key`, `alg`."""
        head = {"typ": "at+jwt", "kid": "rsa", **instead.pop("head", {})}
        key, alg = instead.pop("key", self.rsa), instead.pop("alg", "RS256")
        said = {
            "iss": self.url, "aud": AUDIENCE, "sub": "17", "iat": self.now, "exp": self.now + 300,
            "cnf": {"jkt": thumbprint}, "email": self.email, "email_verified": True,
            **self.instead, **instead,
        }  # fmt: skip
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(kept, key, alg, {k: v for k, v in head.items() if v is not None})

    def get(self, path: str) -> tuple[int, Json]:
        """Discovery and keys."""
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.url, "jwks_uri": f"{self.url}/keys",
                "device_authorization_endpoint": f"{self.url}/device",
                "token_endpoint": f"{self.url}/token",
            }  # fmt: skip
        return (200, {"keys": self.published}) if path == "/keys" else (404, {})

    def post(self, path: str, form: dict[str, str], proof: str) -> tuple[int, Json]:
        """Codes and tokens."""
        self.forms.append(form)
        if path == "/device":
            return 200, {
                "device_code": "dc", "user_code": "WDJB-MJHT", "expires_in": self.ends_in,
                "interval": 1, "verification_uri": f"{self.url}/activate",
            }  # fmt: skip
        said = jwt.decode(proof, options={"verify_signature": False})
        if self.nonce is not None and said.get("nonce") != self.nonce:
            return 400, {"error": "use_dpop_nonce"}
        if self.never_content:
            self.nonce = f"{self.nonce}."
            return 400, {"error": "use_dpop_nonce"}
        if self.answers:
            return 400, self.answers.pop(0)
        mark = central.thumbprint(jwt.get_unverified_header(proof)["jwk"])
        return 200, {"access_token": self.token(mark), "token_type": "DPoP", "expires_in": 300}


@contextmanager
def issuer() -> Iterator[Issuer]:
    """A provider on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            self._say(*made.get(self.path))

        def do_POST(self) -> None:
            made.asked.append(self.path)
            data = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(data).items()}
            self._say(*made.post(self.path, form, self.headers.get("DPoP", "")))

        def _say(self, status: int, body: Json) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if made.nonce is not None:
                self.send_header("DPoP-Nonce", made.nonce)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        made = Issuer(f"http://127.0.0.1:{listening.server_address[1]}")
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield made
        finally:
            listening.shutdown()
            thread.join(10)
