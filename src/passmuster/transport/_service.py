"""Requests to a platform's own API: JSON both ways, one deadline each, a reason for each failure.

A question (GET) is asked again where that can help, and waits as long as the platform asks. A
change is sent again by itself only where the platform says that it did nothing (429, 503 with
`Retry-After`): whoever sent it looks at the state first, and then sends it again or not.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.text import Json, visible
from passmuster.transport._caller import AGAIN, HOST, LOOPBACK, Answer, Patience

if TYPE_CHECKING:
    pass

MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of one answer."""
REASONS = ("error_description", "message", "errorSummary", "detail", "error", "errors", "reason")
"""Where platforms say why not."""


@dataclass
class Service:
    """Speaks with one platform; not for several threads at once."""

    base: str
    """`https://` and a host, with a path where the API has one; `http://` for this machine."""
    headers: Callable[[], Mapping[str, str]] = dict
    """For every request: who asks."""
    ca: Path | None = None
    """The only certificate authorities to believe, PEM; None: those of the system."""
    client: tuple[Path, Path] | None = None
    """A certificate and its key, PEM, to log in with; read once, now."""
    patience: Patience = field(default_factory=Patience)
    deadline_s: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    _client: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        import httpx

        from passmuster.transport._wire import Deadline, Wire

        try:
            url = httpx.URL(self.base)
        except httpx.InvalidURL as error:
            raise UsageError(f"{visible(self.base)}: no address: {error}") from None
        if not HOST.fullmatch(url.raw_host) or url.scheme not in ("http", "https"):
            raise UsageError(f"{visible(self.base)}: no address of a platform: https://HOST[/PATH]")
        if url.scheme == "http" and url.host not in LOOPBACK:
            raise UsageError(f"{visible(self.base)}: without TLS anybody between could read what "
                             "proves who you are: use https://")  # fmt: skip
        self.base = self.base.rstrip("/")
        self._deadline = Deadline(time.monotonic)
        self._client = httpx.Client(
            transport=Wire(self.base, self.ca, self._deadline, self.client), follow_redirects=False,
            trust_env=False,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON at *path* (or at a URL of the same host). Raises Declined, Unreachable."""
        return _json(self.base, self.ask("GET", path, headers=headers))

    def find(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        """As `get`; None where the platform says that it is not there (404, 410)."""
        try:
            return self.get(path, headers)
        except Declined as error:
            if error.status in (404, 410):
                return None
            raise

    def change(self, method: str, path: str, body: Json | None = None) -> Any:
        """Ask for a change; the answer's JSON, None for an empty one."""
        answer = self.ask(method, path, None if body is None else json.dumps(body).encode())
        return _json(self.base, answer) if answer.body.strip() else None

    def linked(self, path: str) -> Iterator[Any]:
        """Each page of a list whose next page a `Link` header names (RFC 8288)."""
        where: str | None = path
        seen = set()
        while where is not None and where not in seen:
            seen.add(where)
            answer = self.ask("GET", where)
            yield _json(self.base, answer)
            where = _next(answer.headers.get("link", ""))

    def ask(
        self, method: str, path: str, body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """One request, again where that can help. Raises Declined for 4xx, else Unreachable."""
        waited, attempt = 0.0, 0
        while True:
            try:
                return self._once(method, path, body, headers or {})
            except Unreachable as error:
                attempt += 1
                safe = method in ("GET", "HEAD") or error.after_s is not None
                if not (error.again and safe) or attempt >= self.patience.tries:
                    raise
                most = min(self.patience.most_s, self.patience.first_s * 2 ** (attempt - 1))
                drawn = random.random() * most  # noqa: S311 - so that many do not come back at once
                pause = drawn if error.after_s is None else error.after_s
                if waited + pause > self.patience.total_s:
                    raise
                self.sleep(pause)
                waited += pause

    def _once(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        from passmuster.transport._wire import NETWORK_ERRORS, network_error

        self._deadline.begin(self.deadline_s)
        asks = {"User-Agent": "passmuster", "Accept": "application/json", "Accept-Encoding": "",
                **({} if body is None else {"Content-Type": "application/json"}),
                **self.headers(), **headers}  # fmt: skip
        data = bytearray()
        try:
            with self._client.stream(method, self._url(path), content=body, headers=asks) as answer:
                for piece in answer.iter_raw():
                    data += piece
                    if len(data) > MAX_ANSWER:
                        raise Unreachable(f"{self.base} answered more than {MAX_ANSWER:,} bytes")
                    self._deadline.left()
                status, found = answer.status_code, dict(answer.headers)
        except NETWORK_ERRORS as error:
            raise network_error(self.base, error, self.deadline_s) from None
        if 200 <= status < 300:
            return Answer(status, found, bytes(data))
        raise _refusal(self.base, status, found, bytes(data))

    def _url(self, path: str) -> str:
        """The token goes to its own host only, whatever a next page's address says."""
        import httpx

        if not path.startswith(("http://", "https://")):
            return f"{self.base}/{path.lstrip('/')}"
        ours, theirs = httpx.URL(self.base), httpx.URL(path)
        if (ours.scheme, ours.host, ours.port) != (theirs.scheme, theirs.host, theirs.port):
            raise Unreachable(f"{self.base} names a next page elsewhere: {visible(path[:80])}")
        return path


def _json(base: str, answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Unreachable(f"{base}: the answer is no whole JSON", again=True) from None


def _refusal(base: str, status: int, headers: Mapping[str, str], body: bytes) -> Unreachable:
    if 300 <= status < 400:
        return Unreachable(f"{base} sends us elsewhere ({status}): mend the address")
    after = headers.get("retry-after", "")
    after_s = float(after) if after.isdigit() else None
    said = f"{base} answered {status}{_reason(body)}"
    # GitHub says 403 for too many requests, and how many are left
    throttled = status == 403 and (
        after_s is not None or headers.get("x-ratelimit-remaining") == "0"
    )
    if status in AGAIN or throttled:
        return Unreachable(said, again=True, after_s=after_s)
    if status >= 500:
        return Unreachable(said)
    return Declined(said, str(status), status)


def _reason(body: bytes) -> str:
    """What the platform says, in at most 200 signs of one line; nothing where it is no JSON."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    for _ in range(3):
        if isinstance(found, list) and found:
            found = found[0]
        if isinstance(found, dict):
            found = next((found[name] for name in REASONS if found.get(name)), "")
    return f": {visible(found[:200])}" if isinstance(found, str) and found else ""


def _next(link: str) -> str | None:
    for part in link.split(","):
        address, _, rest = part.partition(";")
        if 'rel="next"' in rest.replace("'", '"'):
            return address.strip().strip("<>")
    return None
