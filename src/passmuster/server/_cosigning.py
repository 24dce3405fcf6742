"""A witness over HTTP: C2SP tlog-witness, `POST /add-checkpoint`, and nothing else.

What is answered is decided by a function that the caller brings (`muster witness cosign` uses the
same); here are only its statuses and media types on the wire, and an end in bytes and in number.
No request is authenticated but by the log's signature in it, as the protocol has it. Requests are
answered one after the other, so that two at once cannot set a log back.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from passmuster.errors import MusterError
from passmuster.server._http import Problem, body, log
from passmuster.server._serving import STOP_S, Listen, Told, run

MAX_BODY = 64 * 1024
"""Bytes of a request: 63 hashes and a checkpoint with the lines of all its witnesses fit."""
CONNECTIONS = 100
WAITING = 50
"""Requests that may wait for their turn; whoever comes then is told to come back."""
SIZE_TYPE = "text/x.tlog.size"


class Said(NamedTuple):
    """What a witness answers."""

    status: int
    body: str
    why: str
    """For the operator's log, and for whoever asked where the protocol leaves the body free."""
    origin: str | None


Answers = Callable[[bytes], Said]
"""Called in a thread, for one request at a time."""


def witness_app(answers: Answers) -> Starlette:
    """The application."""
    turn, waiting = asyncio.Lock(), 0

    async def add_checkpoint(request: Request) -> Response:
        nonlocal waiting
        began = time.perf_counter()
        try:
            data = await body(request, MAX_BODY)
        except Problem as problem:
            return PlainTextResponse(f"{problem}\n", problem.status)
        if waiting >= WAITING:
            return PlainTextResponse("too many requests\n", 503, {"Retry-After": "5"})
        waiting += 1
        try:
            async with turn:
                said = await run_in_threadpool(answers, data)
        except MusterError as error:
            said = Said(503, "", str(error), None)
        finally:
            waiting -= 1
        log("witness", origin=said.origin, status=said.status, why=said.why or None,
            ms=round((time.perf_counter() - began) * 1000, 1))  # fmt: skip
        return _response(said)

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        yield

    made = Starlette(lifespan=life, routes=[
        Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
        Route("/healthz", health, methods=["GET"]),
    ])  # fmt: skip
    made.router.redirect_slashes = False
    return made


def _response(said: Said) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if said.status == 409 and said.body:
        return Response(said.body, 409, {**headers, "Content-Type": SIZE_TYPE})
    return PlainTextResponse(said.body or f"{said.why}\n", said.status, headers)


def witness_server(answers: Answers, where: Listen, ready: Callable[[str], None]) -> uvicorn.Server:
    """Uvicorn over the application; *ready* is told the URL once it listens."""
    return Told(uvicorn.Config(
        witness_app(answers), host=where.host, port=where.port, log_config=None, access_log=False,
        server_header=False, proxy_headers=False, timeout_graceful_shutdown=STOP_S,
        timeout_keep_alive=30, limit_concurrency=CONNECTIONS, lifespan="on",
        ssl_certfile=where.certificate, ssl_keyfile=where.key,
    ), ready)  # fmt: skip


def serve_witness(answers: Answers, where: Listen, ready: Callable[[str], None]) -> None:
    """Serve until a signal says stop. Raises MusterError when the port is taken."""
    run(witness_server(answers, where, ready), where)
    log("stopped")
