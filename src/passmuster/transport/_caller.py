"""Requests to the central API: one address, one deadline each, a reason for each failure.

A reply counts when it says which protocol it speaks, what it is and how long it is; everything
else has come from somebody between. A request whose result is not known is sent again with the
same bytes, after a while that grows and is drawn by lot, so that a thousand laptops do not come
back in one second; what the server has refused is never sent again by itself.
"""

import json
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.text import visible
from passmuster.transport import _bodies
from passmuster.transport._post import MAX_BYTES

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
Pieces = Iterator[bytes]
Body = bytes | Callable[[], Iterable[bytes]]
"""A body that comes in pieces is asked for anew at each try."""
PROBLEM = "application/problem+json"
PROBLEM_BYTES = 64 * 1024
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may be sent again."""
FINAL_CODES = frozenset({"log-rollback"})
"""Problems that a person has to solve, whatever their status."""
WORTH_PACKING = 1_024
HOST = re.compile(rb"[A-Za-z0-9._:-]+")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on where a failure may pass by itself."""

    tries: int = 5
    first_s: float = 1.0
    most_s: float = 300.0
    total_s: float = 120.0
    """All waits together; a wait beyond it is not begun."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises Unreachable for what is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Unreachable("the server's answer is no JSON", again=True) from None


@dataclass
class Caller:
    """Speaks with one server; not for several threads at once."""

    base: str
    """`https://` and a host; `http://` for this machine alone."""
    protocol: tuple[str, int]
    """The header that every answer must have, and the major version that is understood here."""
    ca: Path | None = None
    """The only certificate authorities to believe, PEM; None: those of the system."""
    headers: Callable[[], Mapping[str, str]] = dict
    """For every request."""
    authorize: Callable[[str, str], Mapping[str, str]] | None = None
    """(method, URL) → headers that prove who asks, made anew for each try."""
    patience: Patience = field(default_factory=Patience)
    also_close: Callable[[], None] = lambda: None
    """Called when this is closed: what it speaks through besides."""
    transport: "httpx.BaseTransport | None" = None
    """Instead of the network."""
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[], float] = random.random
    waits: Callable[[str, float], None] = lambda _why, _seconds: None
    """Is told why the next try is later, and how many seconds."""
    _client: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        import httpx

        from passmuster.transport._wire import Deadline, Wire

        try:
            url = httpx.URL(self.base)
        except httpx.InvalidURL as error:
            raise UsageError(f"{visible(self.base)}: no address: {error}") from None
        if (
            not HOST.fullmatch(url.raw_host)
            or url.scheme not in ("http", "https")
            or url.query
            or url.fragment
        ):
            raise UsageError(f"{visible(self.base)}: no address of a server: https://HOST[:PORT]")
        if url.scheme == "http" and url.host not in LOOPBACK:
            raise UsageError(
                f"{visible(self.base)}: without TLS anybody between could read and answer: use "
                "https:// (http:// is for this machine alone)"
            )
        self.base = str(url).rstrip("/")
        self.deadline = Deadline(self.clock)
        self._client = httpx.Client(
            transport=self.transport or Wire(self.base, self.ca, self.deadline),
            follow_redirects=False, trust_env=False,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self.also_close()

    def call(
        self, method: str, path: str, body: Body | None = None, *, kind: str = "application/json",
        accept: str = "application/json", max_bytes: int = MAX_BYTES, deadline_s: float = 60.0,
        tries: int | None = None, proves: bool = True,
    ) -> Answer:  # fmt: skip
        """Send one request, again where that can help, and give the whole answer.

        *accept* is the one media type that an answer may have; *proves* sends who asks.
        Raises Declined with the server's own reason, else Unreachable; its `again` tells whether
        the result is simply not known.
        """
        status, headers, data = self.read(
            method, path, b"".join, body, kind=kind, accept=accept, max_bytes=max_bytes,
            deadline_s=deadline_s, tries=tries, proves=proves,
        )  # fmt: skip
        return Answer(status, headers, data)

    def read(
        self, method: str, path: str, take: Callable[[Pieces], T], body: Body | None = None, *,
        kind: str = "application/json", accept: str = "application/json",
        max_bytes: int = MAX_BYTES, deadline_s: float = 60.0, tries: int | None = None,
        proves: bool = True,
    ) -> tuple[int, Mapping[str, str], T]:  # fmt: skip
        """As `call`, and the answer goes through *take* piece by piece, anew at each try."""
        waited, attempt = 0.0, 0
        while True:
            try:
                return self._once(
                    method, path, take, body, kind, accept, max_bytes, deadline_s, proves
                )
            except Unreachable as error:
                attempt += 1
                if not error.again or attempt >= (tries or self.patience.tries):
                    raise
                pause = self._pause(attempt, error)
                if waited + pause > self.patience.total_s:
                    raise
                self.waits(str(error), pause)
                self.sleep(pause)
                waited += pause

    def _pause(self, attempt: int, error: Unreachable) -> float:
        """Full jitter; what the server asks for goes before it."""
        if error.after_s is not None:
            return error.after_s
        most = min(self.patience.most_s, self.patience.first_s * 2 ** (attempt - 1))
        return float(self.draw() * most)

    def _once(
        self, method: str, path: str, take: Callable[[Pieces], T], body: Body | None, kind: str,
        accept: str, max_bytes: int, deadline_s: float, proves: bool,
    ) -> tuple[int, Mapping[str, str], T]:  # fmt: skip
        from passmuster.transport._wire import NETWORK_ERRORS, network_error

        self.deadline.begin(deadline_s)
        url = f"{self.base}{path}"
        asks = {
            "User-Agent": "passmuster", "Accept": f"{accept}, {PROBLEM}",
            "Accept-Encoding": _bodies.accepted(), **self.headers(),
        }  # fmt: skip
        if proves and self.authorize is not None:
            asks |= self.authorize(method, url)
        content = self._packed(body, kind, asks)
        try:
            with self._client.stream(method, url, content=content, headers=asks) as response:
                self._recognise(response)
                if response.status_code >= 400:
                    raise self._problem(response)
                self._expect(response, accept)
                taken = take(self._pieces(response, max_bytes))
                return response.status_code, dict(response.headers), taken
        except NETWORK_ERRORS as error:
            raise network_error(self.base, error, deadline_s) from None

    @staticmethod
    def _packed(body: Body | None, kind: str, asks: dict[str, str]) -> Any:
        if body is None:
            return None
        asks["Content-Type"] = kind
        if callable(body):
            asks["Content-Encoding"] = "gzip"
            return _bodies.gzipped(body())
        if len(body) < WORTH_PACKING:
            return body
        asks["Content-Encoding"] = "gzip"
        return b"".join(_bodies.gzipped([body]))

    def _recognise(self, response: "httpx.Response") -> None:
        """Raise Unreachable unless it is the central API that answered."""
        name, major = self.protocol
        status, speaks = response.status_code, response.headers.get(name, "")
        if 300 <= status < 400:
            raise Unreachable(
                f"{self.base} sends us elsewhere ({status}): is this network behind a page to log "
                "in at? open it in a browser, or mend the address"
            )
        if not speaks:
            if status in AGAIN:
                raise Unreachable(f"{self.base}: something before the server answered {status}",
                                  again=True, after_s=self._after(response))  # fmt: skip
            what = visible(response.headers.get("Content-Type", "nothing")[:60])
            raise Unreachable(
                f"{self.base}: something else than a central API answered ({status}, {what}): is "
                "this network behind a page to log in at? open it in a browser, or mend the address"
            )
        if speaks.partition(".")[0] != str(major):
            raise Unreachable(f"{self.base} speaks version {visible(speaks[:20])} of the protocol, "
                              f"this passmuster {major}: upgrade the older one")  # fmt: skip

    def _expect(self, response: "httpx.Response", accept: str) -> None:
        found = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if found != accept:
            raise Unreachable(
                f"{self.base} answered with {visible(found[:60]) or 'no media type'} where {accept}"
                " was asked for"
            )

    def _problem(self, response: "httpx.Response") -> Unreachable:
        """RFC 9457: what the server says is wrong."""
        self._expect(response, PROBLEM)
        said: Any = None
        try:
            said = json.loads(b"".join(self._pieces(response, PROBLEM_BYTES)))
            code = str(said.get("code") or str(said.get("type", "")).rpartition("/")[2])
            detail = str(said.get("detail") or said.get("title") or code)
        except (ValueError, AttributeError, RecursionError):
            code, detail = "", "and does not say why"
        status = response.status_code
        return Declined(
            f"{self.base} answered {status}: {visible(detail[:500])}", code, status,
            again=status in AGAIN and code not in FINAL_CODES, after_s=self._after(response),
        )  # fmt: skip

    def _after(self, response: "httpx.Response") -> float | None:
        """Seconds of `Retry-After` (RFC 9110 §10.2.3), which is a number or a date."""
        from email.utils import parsedate_to_datetime

        said = response.headers.get("Retry-After", "").strip()
        if said.isascii() and said.isdecimal():
            return float(said)
        try:
            return max(0.0, parsedate_to_datetime(said).timestamp() - self.wall())
        except (ValueError, TypeError, OverflowError):
            return None

    def _pieces(self, response: "httpx.Response", max_bytes: int) -> Pieces:
        """The body, unpacked and counted; the deadline is looked at between its pieces."""
        said = response.headers.get("Content-Length")
        if said is None and response.headers.get("Transfer-Encoding", "").lower() != "chunked":
            raise Unreachable(f"{self.base} does not say how long its answer is", again=True)

        def counted() -> Pieces:
            count = 0
            for piece in response.iter_raw():
                self.deadline.left()
                count += len(piece)
                if count > max_bytes:
                    raise Unreachable(f"{self.base} answered more than {max_bytes:,} bytes")
                yield piece
            if said is not None and str(count) != said.strip():
                raise Unreachable(f"{self.base}: the answer is cut short", again=True)

        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        return _bodies.unpacked(counted(), encoding, max_bytes)
