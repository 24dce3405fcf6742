"""Blobs: bytes under their SHA-256, which arrive before the record that names them.

Kept in pieces of 1 MiB, packed, each written as it comes: memory is one piece, and a slow client
holds no transaction. A blob is there once all of it is and its digest is right; an upload that
ends early leaves nothing that anybody can read, and its pieces are swept away.
"""

import hashlib
import re
import secrets
import zlib
from collections.abc import AsyncIterator, Iterable
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from passmuster.central import LIMITS
from passmuster.errors import NotFound, VerificationFailed
from passmuster.server import _access, _scope
from passmuster.server._central import Central, central_of
from passmuster.server._http import Problem, answer, pieces, read
from passmuster.server._store import Tx
from passmuster.text import epoch, from_epoch, sha256

PIECE = 1024 * 1024
"""Bytes of a piece before it is packed."""
ABANDONED_S = 24 * 3600
"""After which an upload that has not ended is swept away."""
MAX_ASKED = 1_000
FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST /v1/blobs/missing`."""

    digests: list[str]


def digest_of(text: str) -> str:
    """A digest as it stands in a path or a body; Problem `bad-request` for anything else."""
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise Problem("bad-request", "a digest is 64 lower-case hex digits")
    return text


async def missing(request: Request) -> Response:
    """`POST /v1/blobs/missing`: which of these are not here."""
    await _access.who(request)
    asked = (await read(request, Asked)).digests
    if len(asked) > MAX_ASKED:
        raise Problem("too-large", f"{len(asked):,} digests; {MAX_ASKED:,} fit")
    digests = [digest_of(digest) for digest in asked]
    there = await central_of(request).read(lambda tx: present(tx, digests))
    return answer({"missing": [d for d in dict.fromkeys(digests) if d not in there]})


def present(tx: Tx, digests: Iterable[str]) -> set[str]:
    """Those of *digests* that are here whole."""
    found, wanted = set(), list(dict.fromkeys(digests))
    for at in range(0, len(wanted), MAX_ASKED):
        part = wanted[at : at + MAX_ASKED]
        among, args = tx.among(part)
        sql = f"SELECT sha256 FROM stored_blob WHERE sha256 {among}"
        found |= {row[0] for row in tx.execute(sql, args)}
    return found


# --- in


async def put(request: Request) -> Response:
    """`PUT /v1/blobs/{sha256}`: 201 when it is new, 200 when it was here."""
    (await _access.who(request)).needs(*_access.WRITERS)
    digest, here = digest_of(request.path_params["sha256"]), central_of(request)
    if await here.read(lambda tx: present(tx, [digest])):
        async for _ in pieces(request, LIMITS.blob_bytes):
            pass
        return answer({"sha256": digest})
    upload = secrets.token_hex(16)
    try:
        is_new = await _take(here, request, upload, digest)
    except BaseException:
        await here.write(lambda tx: _drop(tx, upload))
        raise
    return answer({"sha256": digest}, 201 if is_new else 200)


async def _take(here: Central, request: Request, upload: str, digest: str) -> bool:
    hashed, held, count, size = hashlib.sha256(), bytearray(), 0, 0
    async for piece in pieces(request, LIMITS.blob_bytes):
        held += piece
        while len(held) > PIECE:
            await here.write(partial(_keep, upload=upload, n=count, data=bytes(held[:PIECE]),
                                     now=here.clock()))  # fmt: skip
            hashed.update(held[:PIECE])
            size, count = size + PIECE, count + 1
            del held[:PIECE]
    hashed.update(held)
    size += len(held)
    if hashed.hexdigest() != digest:
        raise Problem("blob-wrong", f"these {size:,} bytes have the digest {hashed.hexdigest()}")

    def end(tx: Tx) -> bool:
        _keep(tx, upload, count, bytes(held), here.clock())
        return _finish(tx, upload, digest, size)

    here.metrics.add("muster_blob_bytes_total", size)
    return await here.write(end)


def _keep(tx: Tx, upload: str, n: int, data: bytes, now: str) -> None:
    if not n:
        tx.execute("INSERT INTO upload (id, begun_at) VALUES (?, ?)", (upload, now))
    tx.execute("INSERT INTO piece (upload, n, packed) VALUES (?, ?, ?)",
               (upload, n, zlib.compress(data, 1)))  # fmt: skip


def _finish(tx: Tx, upload: str, digest: str, size: int) -> bool:
    """Let the blob be there; False, and no pieces, where somebody else was faster."""
    is_new = tx.change(
        "INSERT INTO stored_blob (sha256, size, upload) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (digest, size, upload),
    ) == 1  # fmt: skip
    if is_new:
        tx.execute("DELETE FROM upload WHERE id = ?", (upload,))
    else:
        _drop(tx, upload)
    return is_new


def _drop(tx: Tx, upload: str) -> None:
    tx.execute("DELETE FROM piece WHERE upload = ?", (upload,))
    tx.execute("DELETE FROM upload WHERE id = ?", (upload,))


def sweep(tx: Tx, now: str) -> int:
    """Drop the pieces of uploads that never ended; how many there were."""
    before = from_epoch(epoch(now) - ABANDONED_S)
    old = [row[0] for row in tx.execute("SELECT id FROM upload WHERE begun_at < ?", (before,))]
    for upload in old:
        _drop(tx, upload)
    return len(old)


def keep(tx: Tx, data: bytes, now: str) -> str:
    """Keep *data*, which came in another way than PUT; its digest."""
    digest = sha256(data)
    if not present(tx, [digest]):
        upload = secrets.token_hex(16)
        for n in range(max(1, -(-len(data) // PIECE))):
            _keep(tx, upload, n, data[n * PIECE : (n + 1) * PIECE], now)
        _finish(tx, upload, digest, len(data))
    return digest


# --- out


def data_of(tx: Tx, digest: str, limit: int = 64 * PIECE) -> bytes:
    """The bytes of a blob, for the server itself. Raises NotFound; they are checked."""
    row = tx.one("SELECT upload, size FROM stored_blob WHERE sha256 = ?", (digest,))
    if row is None:
        raise NotFound(f"no blob {digest}")
    if row[1] > limit:
        raise VerificationFailed(f"the blob {digest[:12]}… has {row[1]:,} bytes; {limit:,} fit")
    packed = tx.execute("SELECT packed FROM piece WHERE upload = ? ORDER BY n", (row[0],))
    data = b"".join(zlib.decompress(bytes(piece[0])) for piece in packed)
    if sha256(data) != digest:
        raise VerificationFailed(f"stored bytes {digest[:12]}… do not match their digest")
    return data


async def get(request: Request) -> Response:
    """`GET /v1/blobs/{sha256}`: streamed, packed where the client takes gzip."""
    member = await _access.who(request)
    digest, here = digest_of(request.path_params["sha256"]), central_of(request)

    def find(tx: Tx) -> tuple[str, int] | None:
        row = tx.one("SELECT upload, size FROM stored_blob WHERE sha256 = ?", (digest,))
        return (row[0], int(row[1])) if row and _scope.may_read_blob(tx, member, digest) else None

    found = await here.read(find)
    if found is None:
        raise Problem("not-found")
    upload, size = found
    takes_gzip = any(part.partition(";")[0].strip() == "gzip"
                     for part in request.headers.get("accept-encoding", "").split(","))  # fmt: skip
    headers = {
        **FOREVER,
        "Vary": "Accept-Encoding",
        **({"Content-Encoding": "gzip"} if takes_gzip else {"Content-Length": str(size)}),
    }
    count = max(1, -(-size // PIECE))
    return StreamingResponse(
        _out(here, upload, count, packed=takes_gzip), 200, headers, "application/octet-stream"
    )


def _piece(tx: Tx, upload: str, n: int) -> bytes:
    packed = tx.value("SELECT packed FROM piece WHERE upload = ? AND n = ?", (upload, n))
    return zlib.decompress(bytes(packed))


async def _out(here: Central, upload: str, count: int, *, packed: bool) -> AsyncIterator[bytes]:
    pack = zlib.compressobj(1, wbits=16 + zlib.MAX_WBITS) if packed else None
    for n in range(count):
        data = await here.read(partial(_piece, upload=upload, n=n))
        yield pack.compress(data) if pack else data
    if pack:
        yield pack.flush()
