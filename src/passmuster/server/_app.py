"""The routes: who asks, what with, and which function answers."""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from passmuster import central, store
from passmuster.server import _access, _blobs, _feed, _log, _packets, _recovery, _seen, _writing
from passmuster.server._anchor import Ahead
from passmuster.server._central import Central, central_of
from passmuster.server._http import HEADERS, Problem, answer, log, plain, problem
from passmuster.server._store import Tx, Unavailable

Handler = Callable[[Request], Awaitable[Response]]


async def about(request: Request) -> Response:
    """`GET /v1/about`."""
    here = central_of(request)
    low, high = (central.PROTOCOL[0], 0), central.PROTOCOL
    return answer({
        "protocol": {"min": ".".join(map(str, low)), "max": ".".join(map(str, high))},
        "origin": here.key.origin, "key": str(here.key.verifier), "limits": asdict(central.LIMITS),
        "oidc": here.settings.oidc, "recovery": await here.read(_recovery.told),
    })  # fmt: skip


async def health(request: Request) -> Response:  # noqa: ARG001 - it runs, that is all
    """`GET /healthz`."""
    return plain("ok\n")


async def ready(request: Request) -> Response:
    """`GET /readyz`: whether it can write, and if not, why."""
    here = central_of(request)
    try:
        head = await here.read(_log.head)
        if head.stopped is None and not here.stopping:
            return plain("ok\n")
        raise Problem("log-rollback" if head.stopped else "unavailable", head.stopped)
    except Unavailable as error:
        raise Problem("unavailable", str(error)) from None


async def metrics(request: Request) -> Response:
    """`GET /metrics`."""
    here = central_of(request)

    def ask(tx: Tx) -> tuple[int, bool]:
        head = _log.head(tx)
        return head.size, head.stopped is not None

    try:
        size, stopped = await here.read(ask)
    except Unavailable:
        size, stopped = 0, True
    return plain(here.metrics.text({
        "muster_log_size": ("Records in the log.", size),
        "muster_log_stopped": ("1 when nothing may be written.", int(stopped)),
    }))  # fmt: skip


ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/v1/about", about),
    ("POST", "/v1/blobs/missing", _blobs.missing),
    ("PUT", "/v1/blobs/{sha256}", _blobs.put),
    ("GET", "/v1/blobs/{sha256}", _blobs.get),
    ("POST", "/v1/records", _writing.post_records),
    ("GET", "/v1/records/{leaf}", _feed.record),
    ("GET", "/v1/feed", _feed.feed),
    ("GET", "/v1/log/checkpoint", _feed.checkpoint),
    ("GET", "/v1/log/tile/{level}/{place:path}", _feed.tile),
    ("POST", "/v1/log/seen", _seen.seen),
    ("POST", "/v1/packets", _packets.post_packet),
    ("GET", "/healthz", health),
    ("GET", "/readyz", ready),
    ("GET", "/metrics", metrics),
]


WRITES = {("POST", "/v1/records"), ("POST", "/v1/enrolments"), ("POST", "/v1/packets")}
"""What is refused to a client that has seen more of this log than there is."""


def app(here: Central, also: list[Any] | None = None) -> Starlette:
    """The application over an open server; *also* are routes of those who embed it."""
    routes: list[Any] = [*_access.routes(), *(also or [])]
    for method, path, handler in ROUTES:
        routes.append(Route(path, handler, methods=[method]))

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        async with here.running():
            yield

    made = Starlette(
        routes=routes, lifespan=life,
        exception_handlers={
            Problem: lambda _, error: problem(error),
            HTTPException: _http_exception,
            Unavailable: lambda _, error: problem(_of(error)),
            Ahead: _ahead,
        },
    )  # fmt: skip
    made.router.redirect_slashes = False
    made.state.central = here
    made.add_middleware(_Edge, here=here)
    return made


def _http_exception(_: Request, error: Exception) -> Response:
    """What Starlette itself refuses: no such route, no such method."""
    assert isinstance(error, HTTPException)
    code = "not-found" if error.status_code == 404 else "bad-request"
    headers = {k.replace("-", "_"): v for k, v in (error.headers or {}).items()}
    return problem(Problem(code, status=error.status_code, **headers))


def _ahead(request: Request, error: Exception) -> Response:
    here = central_of(request)
    here.metrics.add("muster_anchor_failures_total")
    log("anchor", error=str(error))
    return problem(Problem("log-rollback", str(error)))


class _Edge:
    """Around every request: the headers of every answer, `Muster-Seen`, one line in the log."""

    def __init__(self, inner: ASGIApp, here: Central) -> None:
        self._inner, self._here = inner, here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                there = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((k.lower().encode(), v.encode()) for k, v in HEADERS.items()
                      if k.lower().encode() not in there),
                ]  # fmt: skip
            await send(message)

        try:
            if (scope["method"], scope["path"]) in WRITES:
                value = Headers(scope=scope).get(central.SEEN_HEADER, "")
                await _seen.check(self._here, value)
            await self._inner(scope, receive, with_headers)
        except Exception as error:  # noqa: BLE001 - the last line of defence; a trace holds data
            failed = _of(error)
            if failed.status == 500:
                log("fault", error=type(error).__name__, at=_where(error))
            if not status:
                await problem(failed)(scope, receive, with_headers)
        finally:
            self._count(scope, status, time.perf_counter() - began)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        found = scope.get("route")
        route = f"{scope['method']} {found.path}" if found is not None else "other"
        self._here.metrics.add("muster_requests_total", route=route, status=status)
        self._here.metrics.add("muster_request_seconds_total", seconds, route=route)
        log("request", route=route, status=status, ms=round(seconds * 1000, 1),
            principal=scope.get("state", {}).get("principal"))  # fmt: skip


def _of(error: Exception) -> Problem:
    """What is answered for an error that no route has caught."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Unavailable):
        return Problem("unavailable", str(error))
    if refusal := store.refusal(error):
        return Problem("unavailable", f"the server's folder: {refusal}")
    return Problem("unavailable", "a fault of the server: its operator finds it in the log",
                   status=500)  # fmt: skip


def _where(error: BaseException) -> str:
    """File and line of the innermost frame of ours; never values."""
    at, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "passmuster" in code.co_filename:
            at = f"{code.co_filename.rpartition('passmuster/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return at
