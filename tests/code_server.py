"""A small server that answers as a platform's API documents it, keeps state, and can fail.

The vendors have no server that could run here. A platform is one function: (method, path without
its base, query, body, headers) → (status, JSON or None[, more headers]).
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from passmuster.transport import Patience, Service

Ask = Callable[[str, str, dict[str, str], Any, Mapping[str, str]], tuple[Any, ...]]
FAULTS = ("403", "404", "429", "500", "half", "none")
"""A refusal, not there, later, broken, half an answer, no answer."""
QUICK = partial(Service, patience=Patience(tries=2, first_s=0.001), deadline_s=3.0)
"""A client that does not wait a second before it asks again."""


@dataclass
class Server:
    """What was asked, and how it is to fail."""

    platform: Ask
    url: str = ""
    asked: list[str] = field(default_factory=list)
    """`METHOD path` of each request that was answered."""
    fault: str = ""
    faults: int = 0
    """How many of the next requests fail by *fault*."""
    spare: int = 0
    """How many requests are answered before."""

    def fail(self, fault: str, times: int = 99, after: int = 0) -> None:
        """From the next request on (or *after* some more), fail so often."""
        self.fault, self.faults, self.spare = fault, times, after

    def changes(self) -> list[str]:
        """The requests that change something."""
        return [a for a in self.asked if not a.startswith("GET ")]


class _Handler(BaseHTTPRequestHandler):
    server_of: ClassVar[Server]

    def log_message(self, *_: object) -> None:
        """Be quiet."""

    def _do(self) -> None:
        found = type(self).server_of
        size = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(size)
        if found.spare:
            found.spare -= 1
        elif found.faults:
            found.faults -= 1
            self._fail(found.fault)
            return
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = json.loads(raw) if raw else None
        found.asked.append(f"{self.command} {url.path.lstrip('/')}")
        status, value, *more = found.platform(
            self.command, url.path.lstrip("/"), query, body, dict(self.headers.items())
        )
        self._send(status, value, *more)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do  # noqa: N815 - names of the base class

    def _send(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _fail(self, fault: str) -> None:
        self.close_connection = True
        if fault == "none":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault == "half":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'[{"id": 1, "na')
        else:
            headers = {"Retry-After": "0"} if fault == "429" else {}
            self._send(int(fault), {"message": f"planted {fault}"}, headers)


@contextmanager
def serving(platform: Ask) -> Iterator[Server]:
    """The server, on this machine, as long as it is needed."""
    found = Server(platform)
    handler = type("Handler", (_Handler,), {"server_of": found})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    http.daemon_threads = True
    found.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        http.shutdown()
        thread.join(5)
        http.server_close()


def pages(
    server_url: str, path: str, items: list[Any], query: dict[str, str],
    wrap: Callable[[list[Any]], Any] = list, size: int = 2,
) -> tuple[Any, ...]:  # fmt: skip
    """A page of *items*, at most *size* of them, and the Link to the next one."""
    page = int(query.get("page", "1"))
    start = (page - 1) * size
    more = {}
    if items[start + size :]:
        more = {"Link": f'<{server_url}/{path}?per_page=100&page={page + 1}>; rel="next"'}
    return 200, wrap(items[start : start + size]), more


def quick(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Make the client of a connector's *module* one that does not wait."""
    monkeypatch.setattr(f"{module}.Service", QUICK)
