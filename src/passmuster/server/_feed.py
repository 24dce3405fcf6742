"""What can be read of the log: records in its order, tiles, the newest checkpoint.

Nothing that the anchor does not have yet leaves the server. Everybody with a session learns every
leaf, so that everybody can compute the root; the line only of what is theirs to see.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from functools import partial

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from passmuster import merkle
from passmuster.central import LIMITS, NDJSON
from passmuster.server import _access, _log, _scope
from passmuster.server._blobs import digest_of
from passmuster.server._central import Central, central_of
from passmuster.server._http import Problem, answer, number, plain
from passmuster.server._store import Row, Tx

STEP = 100
"""Records that are held in memory at a time."""
IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}


async def feed(request: Request) -> Response:
    """`GET /v1/feed?after=N&limit=&wait=`."""
    member = await _access.who(request)
    here = central_of(request)
    after = number(request, "after", 0, 2**62)
    limit = number(request, "limit", LIMITS.feed, LIMITS.feed)
    wait = number(request, "wait", 0, LIMITS.wait_s)
    head, signed = await run_in_threadpool(here.newest)
    if head.size <= after and wait:
        await _something_new(here, after, wait)
        head, signed = await run_in_threadpool(here.newest)
    return StreamingResponse(
        _lines(here, member, after, min(head.size, after + limit), signed), media_type=NDJSON
    )


async def _something_new(here: Central, after: int, wait: int) -> None:
    """Wait until the log is longer than *after*, *wait* seconds have gone, or the server stops."""
    try:
        async with asyncio.timeout(wait), here.grown:
            while not here.stopping and here.size <= after:
                await here.grown.wait()
    except TimeoutError:
        pass


async def _lines(
    here: Central, member: _access.Member, after: int, end: int, signed: str
) -> AsyncIterator[bytes]:
    for at in range(after, end, STEP):
        yield await here.read(partial(_page, member=member, start=at, end=min(end, at + STEP)))
    yield msgspec.json.encode({"checkpoint": signed}) + b"\n"


def _page(tx: Tx, member: _access.Member, start: int, end: int) -> bytes:
    rows = tx.execute(
        "SELECT idx, leaf, kind, campaign, line FROM record WHERE idx >= ? AND idx < ?"
        " ORDER BY idx",
        (start, end),
    )
    if len(rows) != end - start:
        raise Problem("unavailable", "the log has a gap", status=500)
    seen = _seen(tx, member, rows)
    return b"".join(
        msgspec.json.encode({
            "index": int(row[0]), "leaf": bytes(row[1]).hex(),
            "line": bytes(row[4]).decode() if int(row[0]) in seen else None,
        }) + b"\n"
        for row in rows
    )  # fmt: skip


def _seen(tx: Tx, member: _access.Member, rows: list[Row]) -> set[int]:
    return _scope.sees(tx, member, [(int(row[0]), row[2], row[3]) for row in rows])


async def record(request: Request) -> Response:
    """`GET /v1/records/{leaf}`: the line, where it is the reader's to see."""
    member = await _access.who(request)
    leaf = bytes.fromhex(digest_of(request.path_params["leaf"]))

    def find(tx: Tx) -> bytes | None:
        rows = tx.execute("SELECT idx, leaf, kind, campaign, line FROM record WHERE leaf = ?",
                          (leaf,))  # fmt: skip
        return bytes(rows[0][4]) if rows and _seen(tx, member, rows) else None

    here = central_of(request)
    await run_in_threadpool(here.newest)  # the anchor has it
    line = await here.read(find)
    if line is None:
        raise Problem("not-found")
    return answer(line, headers={"Cache-Control": "private, max-age=31536000, immutable"})


async def checkpoint(request: Request) -> Response:
    """`GET /v1/log/checkpoint`."""
    _, signed = await run_in_threadpool(central_of(request).newest)
    return plain(signed)


async def tile(request: Request) -> Response:
    """`GET /v1/log/tile/{L}/{N}[.p/{W}]`, as C2SP tlog-tiles has it."""
    here = central_of(request)
    level, index, width = _place(request.path_params["level"], request.path_params["place"])
    head, _ = await run_in_threadpool(here.newest)
    full, rest = divmod(head.size >> 8 * level, merkle.WIDTH)
    if index > full or (index == full and width > rest):
        raise Problem("not-found")
    hashes = await here.read(lambda tx: _log.tiles(tx)(level, index))
    data = hashes[: width * merkle.HASH]
    if len(data) < width * merkle.HASH:
        raise Problem("unavailable", "a tile of the log is missing", status=500)
    return answer(data, media="application/octet-stream", headers=IMMUTABLE)


def _place(level: str, place: str) -> tuple[int, int, int]:
    """Level, index and width; Problem `not-found` for a name that no tile has."""
    name, partial, width = place.partition(".p/")
    found = re.fullmatch(r"((?:x\d{3}/){0,5})(\d{3})", name, re.ASCII)
    if not (found and re.fullmatch(r"\d|[1-5]\d|6[0-3]", level, re.ASCII)):
        raise Problem("not-found")
    index = int(re.sub(r"[x/]", "", name))
    wide = int(width) if partial and re.fullmatch(r"[1-9]\d{0,2}", width, re.ASCII) else 256
    if merkle.tile_path(int(level), index, wide) != f"tile/{level}/{place}":
        raise Problem("not-found")
    return int(level), index, wide
