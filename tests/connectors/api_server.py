"""A small API server of Kubernetes that answers as a real one of 1.20.2 was measured to.

It keeps objects with resourceVersions, checks preconditions, pages lists, and remembers for
`CACHE_S` that a token was good (9.4 to 10.3 s on the real one). What it does not know is 404.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

CACHE_S = 0.3
ADMIN = "admin-token"
_REVIEWS = ("tokenreviews", "subjectaccessreviews")


Answer = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


class Cluster:
    """Objects by path, and what else a test sets."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, str] = {}
        """Token → path of the Secret that holds it."""
        self.known: dict[str, float] = {}
        self.version = 100
        self.next_answers: list[Answer] = []
        self.requests: list[tuple[str, str, str]] = []
        """Method, path, what was accepted."""
        self.page = 2

    def put(self, path: str, value: dict[str, Any]) -> None:
        self.version += 1
        old = self.objects.get(path, {}).get("metadata", {})
        meta = {"uid": old.get("uid", f"uid-{self.version}"),
                "creationTimestamp": "2026-11-01T00:00:00Z", **value["metadata"],
                "resourceVersion": str(self.version), "managedFields": [{}]}  # fmt: skip
        self.objects[path] = {**value, "metadata": meta}

    def token_good(self, token: str) -> str | None:
        """The user of a token; for some time after its Secret went, too."""
        path = self.tokens.get(token)
        now = time.monotonic()
        if path in self.objects:
            self.known[token] = now
        if path and now - self.known.get(token, -9) < CACHE_S:
            _, _, _, _, namespace, _, name = path.split("/")
            return f"system:serviceaccount:{namespace}:{name.removesuffix('-token')}"
        return None

    def allowed(self, spec: dict[str, Any]) -> str | None:
        """The reason, where a binding allows it."""
        wanted = spec.get("resourceAttributes") or {}
        for path, one in self.objects.items():
            if "bindings/" not in path:
                continue
            home = one["metadata"].get("namespace", "")
            if home and home != wanted.get("namespace"):
                continue
            for s in one.get("subjects") or []:
                name = f"system:serviceaccount:{s.get('namespace')}:{s['name']}"
                told = name if s["kind"] == "ServiceAccount" else s["name"]
                if told == spec.get("user") or told in spec.get("groups", []):
                    return f'RBAC: allowed by {one["kind"]} "{one["metadata"]["name"]}"'
        return None


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message,
            "reason": reason, "code": code}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Cluster
    wbufsize = -1  # one packet for an answer

    def log_message(self, *_args: Any) -> None:
        pass

    def answer(self, code: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def go(self) -> None:
        url = urlsplit(self.path)
        path, query = unquote(url.path), parse_qs(url.query)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        accepts = self.headers.get("Accept", "")
        self.cluster.requests.append((self.command, self.path, accepts))
        if self.cluster.next_answers:
            code, headers, data = self.cluster.next_answers.pop(0)
            self.send_response(code)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
            return
        if self.headers.get("Authorization") != f"Bearer {ADMIN}":
            self.answer(401, status(401, "Unauthorized", "Unauthorized"))
        elif path.rpartition("/")[2] in _REVIEWS:
            self.review(path.rpartition("/")[2], body)
        else:
            getattr(self, f"on_{self.command.lower()}")(path, query, body)

    do_GET = do_POST = do_PATCH = do_DELETE = go  # noqa: N815

    def review(self, kind: str, body: dict[str, Any]) -> None:
        spec = body["spec"]
        if kind == "tokenreviews":
            user = self.cluster.token_good(spec["token"])
            found: dict[str, Any] = {"user": {}, "error": "[invalid bearer token, Token has been "
                                     "invalidated]"}  # fmt: skip
            if user:
                found = {"authenticated": True, "user": {"username": user, "groups": []}}
        else:
            reason = self.cluster.allowed(spec)
            found = {"allowed": bool(reason), **({"reason": reason} if reason else {})}
        self.answer(201, {**body, "status": found})

    def on_get(self, path: str, query: dict[str, list[str]], _body: Any) -> None:
        if path in self.cluster.objects:
            self.answer(200, self.shown(self.cluster.objects[path]))
            return
        kind = path.rpartition("/")[2]
        if "limit" not in query:
            self.answer(404, status(404, "NotFound", f"{kind} not found"))
            return
        found = [v for p, v in self.cluster.objects.items() if p.split("/")[-2] == kind]
        at = int(query.get("continue", ["0"])[0])
        if query.get("continue") == ["9999"]:
            self.answer(410, status(410, "Expired", "The provided continue parameter is too old"))
            return
        upto = at + min(self.cluster.page, int(query["limit"][0]))
        more = {"continue": str(upto)} if upto < len(found) else {}
        items = [{k: v for k, v in self.shown(one).items() if k not in ("kind", "apiVersion")}
                 for one in found[at:upto]]  # fmt: skip
        self.answer(200, {"kind": "XList", "metadata": more, "items": items})

    def shown(self, one: dict[str, Any]) -> dict[str, Any]:
        if "PartialObjectMetadata" in self.headers.get("Accept", ""):
            return {"kind": "PartialObjectMetadata", "metadata": one["metadata"]}
        return one

    def on_post(self, path: str, _query: Any, body: dict[str, Any]) -> None:
        at = f"{path}/{body['metadata']['name']}"
        if at in self.cluster.objects:
            self.answer(409, status(409, "AlreadyExists", "already exists"))
        elif body["metadata"].keys() & {"uid", "resourceVersion"}:
            self.answer(400, status(400, "BadRequest", "resourceVersion should not be set"))
        else:
            self.cluster.put(at, body)
            self.answer(201, self.cluster.objects[at])

    def on_patch(self, path: str, _query: Any, body: dict[str, Any]) -> None:
        old = self.cluster.objects.get(path)
        if old is None:
            self.answer(404, status(404, "NotFound", "not found"))
        elif self.headers["Content-Type"] != "application/merge-patch+json":
            self.answer(415, status(415, "UnsupportedMediaType", "no"))
        elif not self.same(old, body.pop("metadata", {})):
            self.answer(409, status(409, "Conflict", "the object has been modified"))
        else:
            self.cluster.put(path, {**old, **body})
            self.answer(200, self.cluster.objects[path])

    def on_delete(self, path: str, _query: Any, body: dict[str, Any]) -> None:
        old = self.cluster.objects.get(path)
        if old is None:
            self.answer(404, status(404, "NotFound", "not found"))
        elif not self.same(old, body.get("preconditions", {})):
            self.answer(409, status(409, "Conflict", "Precondition failed"))
        else:
            del self.cluster.objects[path]
            self.answer(200, {"kind": "Status", "status": "Success"})

    @staticmethod
    def same(old: dict[str, Any], asked: dict[str, Any]) -> bool:
        return all(old["metadata"].get(k) == v for k, v in asked.items())


@contextmanager
def serving(cluster: Cluster, context: Any = None) -> Iterator[str]:
    """Serve until the end; the address. *context*: of TLS."""
    handler = type("Bound", (Handler,), {"cluster": cluster})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    scheme = "http"
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"{scheme}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
