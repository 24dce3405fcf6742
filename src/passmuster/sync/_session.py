"""A session with the central API: a short-lived key in memory, and a token that it alone can use.

The signing key signs once for ten minutes which key speaks for it; so a hardware key is touched
once, and nothing that would be worth stealing is ever kept on the disk. A session that has ended
is asked for again when the next request is made.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from passmuster import central
from passmuster.errors import Unreachable
from passmuster.keys import SigningKey
from passmuster.text import Json, from_epoch
from passmuster.transport import Caller

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SPARE_S = 20.0
"""A token that ends so soon is not used any more: the request may take a while."""
PROTOCOL = (central.PROTOCOL_HEADER, central.PROTOCOL[0])


@dataclass
class Session:
    """Proves who asks; its `headers` are `transport.Caller.authorize`."""

    origin: str
    """Of the pinned log: a signature for it is good for no other."""
    key: Callable[[], SigningKey]
    """Asked when a token is needed: it may have to be unlocked, or touched."""
    post: Callable[[bytes], Json]
    """Sends the body of `POST /v1/sessions` and gives the answer."""
    wall: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    _short: "Ed25519PrivateKey | None" = field(default=None, init=False, repr=False)
    _token: str = field(default="", init=False, repr=False)
    _until: float = field(default=0.0, init=False)
    _wall_until: float = field(default=0.0, init=False)

    def headers(self, method: str, url: str) -> dict[str, str]:
        """`Authorization` and `DPoP` of one request, good once.

        Raises Declined when the server gives no session, with its reason.
        """
        # of two clocks, for a laptop that sleeps stops the one and a person may set the other
        if self._short is None or self.clock() >= self._until or self.wall() >= self._wall_until:
            self._begin()
        assert self._short is not None
        proof = central.prove(
            self._short, method, url, int(self.wall()), secrets.token_urlsafe(16), self._token
        )
        return {"Authorization": f"DPoP {self._token}", "DPoP": proof}

    def end(self) -> None:
        """Forget the token and its key: the next request asks for others."""
        self._short, self._token, self._until = None, "", 0.0

    def _begin(self) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        short = Ed25519PrivateKey.generate()
        mark = central.thumbprint(central.jwk(short))
        key = self.key()  # which may wait for a passphrase
        began, begun = self.wall(), self.clock()
        now = from_epoch(int(began))
        asked = central.ask(key, self.origin, mark, secrets.token_hex(16), now)
        said = self.post(asked)
        try:
            token, kind, seconds = said["access_token"], said["token_type"], said["expires_in"]
        except (KeyError, TypeError):
            token = kind = seconds = None
        if not isinstance(token, str) or kind != "DPoP" or type(seconds) is not int:
            raise Unreachable("the server's answer is no session")
        self._short, self._token = short, token
        self._until, self._wall_until = (at + seconds - SPARE_S for at in (begun, began))


def session(caller: Caller, origin: str, key: Callable[[], SigningKey]) -> Session:
    """A session that is asked for through *caller*, which proves nothing itself."""

    def post(body: bytes) -> Json:
        said: Json = caller.call("POST", "/v1/sessions", body).json()
        return said

    return Session(origin, key, post, caller.wall, caller.clock)
