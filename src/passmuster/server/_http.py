"""What every route needs: bodies with an end, problems as RFC 9457, headers, log lines.

A body is read in pieces and unpacked in pieces, and refused as soon as it is larger than its limit:
a few kilobytes that unpack to a gigabyte cost a few kilobytes. What a person may be told goes into
`detail`; tokens, proofs and bodies are never logged.
"""

import asyncio
import contextlib
import json
import sys
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from passmuster import central, text
from passmuster.model import DOMAIN

T = TypeVar("T")
HEADERS = {
    central.PROTOCOL_HEADER: ".".join(map(str, central.PROTOCOL)),
    "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
}  # fmt: skip
"""Of every answer; a route may say more about caching."""
STATUS = {
    "unauthorized": 401, "forbidden": 403, "not-found": 404, "bad-request": 400, "too-large": 413,
    "invite": 403, "busy": 429, "unavailable": 503, "log-rollback": 503, "bad-signature": 403,
    "not-listed": 403, "blob-wrong": 422,
}  # fmt: skip
"""Code of a problem → status, where it is the answer to a whole request."""
PIECE = 64 * 1024
"""Bytes that a packed body is unpacked by."""


class Problem(Exception):
    """An answer that says what is wrong: a code of `central.PROBLEMS`, and details in words."""

    def __init__(
        self, code: str, detail: str | None = None, *, status: int | None = None, **headers: str
    ) -> None:
        assert code in central.PROBLEMS, code
        super().__init__(detail or central.PROBLEMS[code])
        self.code, self.detail = code, detail
        self.status = status or STATUS.get(code, 422)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def problem(error: Problem) -> Response:
    """The answer to a request that failed (RFC 9457)."""
    body = {
        "type": f"https://{DOMAIN}/problems/{error.code}", "title": central.PROBLEMS[error.code],
        "status": error.status, "code": error.code,
        **({"detail": text.visible(error.detail)} if error.detail else {}),
    }  # fmt: skip
    headers = dict(error.headers)
    if error.status in (429, 503):
        headers.setdefault("Retry-After", "5")
    return answer(body, error.status, media=central.PROBLEM, headers=headers)


def answer(
    body: Any, status: int = 200, *, media: str = "application/json",
    headers: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    """An answer in JSON; bytes and text go as they are."""
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Response(data, status, headers, media)


def plain(said: str, headers: dict[str, str] | None = None) -> Response:
    """An answer in text."""
    return Response(said, 200, headers, "text/plain; charset=utf-8")


async def pieces(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body as it comes, unpacked; Problem `too-large` once it has more than *limit* bytes."""
    coding = request.headers.get("content-encoding", "identity").lower()
    if coding not in ("identity", "gzip"):
        raise Problem("bad-request", "Content-Encoding is gzip or identity", status=415)
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told) > limit:
        raise Problem("too-large", f"a body of {int(told):,} bytes; {limit:,} fit")
    size, stream = 0, _in_time(request)
    try:
        async for piece in _unpacked(stream) if coding == "gzip" else stream:
            size += len(piece)
            if size > limit:
                raise Problem("too-large", f"more than {limit:,} bytes")
            if piece:
                yield piece
    except ClientDisconnect:
        raise Problem("bad-request", "the body ended before it was whole") from None


async def _in_time(request: Request) -> AsyncIterator[bytes]:
    """The body as it is sent; Problem once it takes too long, however busily it drips."""
    loop, stream = asyncio.get_running_loop(), request.stream()
    end = loop.time() + central.LIMITS.body_s
    while True:
        try:
            async with asyncio.timeout_at(end):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Problem("bad-request", "the body took too long", status=408) from None
        yield piece


async def _unpacked(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A gzip body, at most `PIECE` bytes at a time."""
    unpack = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        async for piece in stream:
            rest = piece
            while rest and not unpack.eof:
                yield unpack.decompress(rest, PIECE)
                rest = unpack.unconsumed_tail
            if unpack.unused_data or (rest and unpack.eof):
                raise Problem("bad-request", "bytes after the end of the gzip stream")
        while data := unpack.decompress(unpack.unconsumed_tail, PIECE):
            yield data
    except zlib.error:
        raise Problem("bad-request", "the body is not gzip") from None
    if not unpack.eof:
        raise Problem("bad-request", "the gzip stream is cut short")


async def body(request: Request, limit: int = central.LIMITS.request_bytes) -> bytes:
    """The whole body, unpacked."""
    return b"".join([piece async for piece in pieces(request, limit)])


async def read(request: Request, form: type[T]) -> T:
    """The body as the JSON that the contract names; Problem `bad-request` for any other."""
    try:
        return msgspec.json.decode(await body(request), type=form)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Problem("bad-request", str(error)) from None


def number(request: Request, name: str, default: int, most: int) -> int:
    """A whole number of the query, from 0 to *most*; a larger one is cut down to it."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdecimal() and len(given) < 19):
        raise Problem("bad-request", f"{name} is a whole number from 0")
    return min(int(given), most)


def log(event: str, **fields: Any) -> None:
    """One line of JSON on stderr. The caller names no token, no proof and no body.

    Where nobody takes it (a disk without room, a closed pipe) the server serves and stops as ever.
    """
    line = {"at": text.rfc3339(datetime.now(UTC)), "event": event, **fields}
    with contextlib.suppress(OSError):
        sys.stderr.write(json.dumps(line) + "\n")
        sys.stderr.flush()
