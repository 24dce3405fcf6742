"""`POST /v1/records`: what somebody sends to the log, their own or others'."""

from starlette.requests import Request
from starlette.responses import Response

from passmuster.central import LIMITS, Result
from passmuster.server import _access
from passmuster.server._central import central_of
from passmuster.server._http import Problem, answer, body
from passmuster.text import Json


async def post_records(request: Request) -> Response:
    """Answered once everything that was accepted is on the disk, and the anchor knows."""
    await _access.who(request)
    data = await body(request)
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    if len(lines) > LIMITS.records:
        raise Problem("too-large", f"{len(lines):,} records; {LIMITS.records:,} fit")
    results, head = await central_of(request).sequencer.submit(lines)
    return answer({"results": [as_json(result) for result in results], "size": head.size})


def as_json(result: Result) -> Json:
    """A result as the contract has it."""
    return {"leaf": result.leaf, "status": result.status, "index": result.place,
            "code": result.code, "detail": result.detail}  # fmt: skip
