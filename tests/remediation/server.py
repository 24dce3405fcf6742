"""The toy's server: real HTTP on this machine; counts writes, and fails where it is told to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from passmuster.text import Json

FAULTS = ("403", "404", "429", "500", "half", "nothing", "late")
"""What goes wrong with a call. *half* and *late* (no answer) are of a call that was carried out."""


@dataclass
class Platform:
    """What the toy has, and what was asked of it."""

    objects: dict[str, Json] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    """Each write that changed something, as the platform sees it."""
    faults: dict[int, str] = field(default_factory=dict)
    """Number of the call, from 0 → what goes wrong."""
    lags: int = 0
    """Logins that are let in although they are stopped: caches that do not know yet."""
    exports: int = 0
    names_tenant: bool = True
    counts: bool = True
    """Whether each export is another file, though nothing changed."""
    tenant: str = "t1"
    url: str = ""
    token: str = "t0ken"

    def account(self, uid: str, *keys: str, enabled: bool = True) -> None:
        self.objects[uid] = {"enabled": enabled, "note": "made by hand", "secret": "set"}
        for key in keys:
            self.objects[f"{uid}/{key}"] = {"enabled": True, "created": "2021-03-02T10:00:00Z"}

    def export(self) -> Json:
        accounts = []
        for uid, found in self.objects.items():
            if "/" not in uid and "!" not in uid:
                keys = [
                    {"id": name.partition("/")[2], "enabled": key["enabled"],
                     "created": key["created"]}
                    for name, key in self.objects.items() if name.startswith(f"{uid}/")
                ]  # fmt: skip
                accounts.append({"id": uid, "enabled": found["enabled"], "keys": keys})
        self.exports += self.counts
        found = {"toy": 1, "accounts": accounts, "export": self.exports}
        return found | ({"tenant": self.tenant} if self.names_tenant else {})

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """(status, JSON) of a call, carried out."""
        kind, _, of = path.lstrip("/").partition("/")
        of = of.partition("?")[0]
        if kind == "export":
            return 200, self.export()
        found = self.objects.get(of)
        if kind == "login":
            if self.lags:
                self.lags -= 1
                return 200, {}
            found = None if f"{of.removesuffix('!deny')}!deny" in self.objects else found
            lets_in = found is not None and found["enabled"] and found.get("secret") != "gone"
            return (200, {}) if lets_in else (401, {"message": "refused"})
        return self.change(method, of, found, body)

    def change(self, method: str, of: str, found: Json | None, body: bytes) -> tuple[int, Any]:
        if method == "GET":
            return (200, found) if found is not None else (404, {"message": "no such object"})
        whose, _, denied = of.partition("!")
        if denied and whose not in self.objects:
            return 404, {"message": "no such account"}
        if found is None and method == "PUT" and of.startswith("anew-"):
            body = json.dumps({**json.loads(body), "number": len(self.calls)}).encode()
        after = None if method == "DELETE" else {**(found or {}), **json.loads(body)}
        if after != found:
            self.writes.append(f"{method} {of}")
            self.objects.pop(of, None)
            if after is not None:
                self.objects[of] = after
        return 200, after or {}


@contextmanager
def serving(platform: Platform) -> Iterator[Platform]:
    """Serve *platform* until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536  # one packet: else each answer waits for an acknowledgement

        def handle_any(self) -> None:
            fault = platform.faults.get(len(platform.calls))
            platform.calls.append(f"{self.command} {self.path}")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization") != f"Bearer {platform.token}":
                self.say(403, {"message": "who are you"})
            elif fault in ("403", "404", "429", "500"):
                self.say(int(fault), {"message": "a fault"})
            elif fault == "nothing":
                self.close_connection = True
            else:
                status, found = platform.answer(self.command, self.path, body)
                if fault == "late":
                    self.close_connection = True
                else:
                    self.say(status, found, half=fault == "half")

        do_GET = do_PUT = do_DELETE = handle_any  # noqa: N815 - the names that the library asks for

        def say(self, status: int, found: Any, *, half: bool = False) -> None:
            data = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if half else data)
            self.close_connection = half

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    platform.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
