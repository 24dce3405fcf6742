"""A platform made small: answers in a vendor's shapes, keeps its state, and fails when told to.

A fault is of the next request, or of the next one of a method: `403`, `404`, `429` (with
`Retry-After: 0`, as often as the client asks again), `500`, `half` (the body ends early), `none`
(the connection ends without one).
"""

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from passmuster.connectors import Act, Live, Where, _rest
from passmuster.errors import Declined, Unreachable
from passmuster.transport import Patience

TOKEN = "token-of-the-login"
FAULTS = ("403", "404", "429", "500", "half", "none")
DEADLINE_S = 10.0


class Refuse(Exception):
    """The platform's answer is this status with this body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(status))
        self.status, self.body = status, body


class Platform:
    """What it holds, and how it answers: a platform's test has its own `answer`."""

    scheme = "Bearer"
    open_paths: tuple[str, ...] = ()
    """Beginnings of paths that take no login."""
    questions: tuple[str, ...] = ()
    """Ends of paths that a POST only asks at."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, str]] = []
        self.changes: list[tuple[str, str, Any]] = []
        self.fault: str | None = None
        self.fault_of: str | None = None
        """Only of requests of this method; None: of the next one."""

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        """JSON for 200, or (JSON, headers). Raises Refuse."""
        raise NotImplementedError

    def where(self, source: str, **settings: str) -> Where:
        return Where(source, {"endpoint": self.url, **settings}, self._secret)

    def _secret(self, name: str, command: Any) -> str:
        assert name
        return TOKEN


class _Handler(BaseHTTPRequestHandler):
    platform: Platform
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # head and body in one packet

    def log_message(self, *_: object) -> None:
        pass

    def _do(self) -> None:
        platform = self.platform
        size = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(size)
        at = urlsplit(self.path)
        path = unquote(at.path)
        query = {k: v[0] for k, v in parse_qs(at.query, keep_blank_values=True).items()}
        platform.asked.append((self.command, path))
        fault = platform.fault if platform.fault_of in (None, self.command) else None
        if fault and fault != "429":
            platform.fault = None
        headers: dict[str, str] = {}
        try:
            if fault in ("403", "404", "429", "500"):
                headers = {"Retry-After": "0"} if fault == "429" else {}
                raise Refuse(int(fault), {"error": {"code": fault, "message": f"fault {fault}"}})
            login = f"{platform.scheme} {TOKEN}"
            anyone = path.startswith(platform.open_paths) if platform.open_paths else False
            if self.headers.get("Authorization") != login and not anyone:
                raise Refuse(401, {"error": {"code": "401", "message": "who asks?"}})
            form = "urlencoded" in (self.headers.get("Content-Type") or "")
            body: Any = {k: v[0] for k, v in parse_qs(data.decode()).items()} if form else (
                json.loads(data) if data else None
            )  # fmt: skip
            found = platform.answer(self.command, path, query, body)
            if self.command != "GET" and not form and not path.endswith(platform.questions):
                platform.changes.append((self.command, path, body))
            if isinstance(found, tuple):
                found, headers = found
            status = 204 if found is None else 200
        except Refuse as refused:
            status, found = refused.status, refused.body
        self._send(status, found, headers, fault)

    def _send(self, status: int, found: Any, headers: dict[str, str], fault: str | None) -> None:
        if fault == "none":
            self.close_connection = True
            return
        out = b"" if found is None else json.dumps(found).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        if fault == "half":
            out = out or b'{"left": 1}'
            self.send_header("Content-Length", str(len(out) * 2))
            self.end_headers()
            self.wfile.write(out[: len(out) // 2])
            self.close_connection = True
            return
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do  # noqa: N815


@contextmanager
def served(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """*platform* at an address of this machine; clients are as patient as a test can be."""
    monkeypatch.setattr(_rest, "PATIENCE", Patience(tries=2, first_s=0.001))
    monkeypatch.setattr(_rest, "DEADLINE_S", DEADLINE_S)
    handler = type("Handler", (_Handler,), {"platform": platform})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    platform.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()


def often(acts: Iterable[str]) -> list[Any]:
    """The first of *acts* always, the others in CI: they are the same verbs of other objects."""
    first, *others = acts
    return [first, *(pytest.param(name, marks=pytest.mark.ci) for name in others)]


def walk(live: Live, act: Act) -> None:
    """Stop, read back, stop again, restore, read back, restore again: each does as it says."""
    saved = live.read(act)
    assert saved is not None
    assert live.refused(act)[0] == "works"
    for _ in range(2):
        live.write(act, None if act.wanted is None else {**saved, **act.wanted})
        stopped = live.read(act)
        if act.wanted is None:
            assert stopped is None
        else:
            assert stopped is not None
            assert act.wanted.items() <= stopped.items()
        assert live.refused(act)[0] == "flag"
    for _ in range(2):
        live.write(act, saved)
        assert live.read(act) == saved
    assert live.refused(act)[0] == "works"


def faults(live: Live, platform: Platform, act: Act, fault: str) -> None:
    """*fault* at each verb: a named error and nothing else, and a later run goes on."""
    saved = live.read(act)
    assert saved is not None
    wanted = None if act.wanted is None else {**saved, **act.wanted}

    platform.fault, platform.fault_of = fault, None
    try:
        found = live.read(act)
        # a question is asked again where that helps, and an object that is not there is an answer
        assert found == (None if fault == "404" else saved)
    except (Declined, Unreachable) as error:
        if fault in ("403", "404"):
            assert isinstance(error, Declined)
            assert error.status == int(fault)
    platform.fault = fault
    assert live.refused(act)[0] in (
        ("unknown", "flag", "works") if fault in ("404", "500", "half", "none") else ("unknown",)
    )
    platform.fault = None

    before = len(platform.changes)
    for method in ("PATCH", "POST", "PUT", "DELETE"):
        platform.fault, platform.fault_of = fault, method
        try:
            live.write(act, wanted)
        except Unreachable as error:
            if fault in ("403", "404"):
                assert isinstance(error, Declined)
        platform.fault = None
        assert len(platform.changes) <= before + 1 or act.wanted is not None
    live.write(act, wanted)
    assert len(platform.changes) == before + 1 or act.wanted is not None
    assert live.refused(act)[0] == "flag"
    live.write(act, saved)
    assert live.read(act) == saved
