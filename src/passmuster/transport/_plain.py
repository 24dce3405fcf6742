"""One request to a service that knows nothing of this project: an identity provider."""

import time
from collections.abc import Mapping

from passmuster.errors import Unreachable
from passmuster.transport._caller import Answer
from passmuster.transport._post import MAX_BYTES


def ask(
    method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, *,
    deadline_s: float = 20.0, max_bytes: int = MAX_BYTES,
) -> Answer:  # fmt: skip
    """Send a request and give the answer, whatever its status, within *deadline_s* seconds.

    Raises Unreachable when there is none, or it is too long.
    """
    import httpx

    from passmuster.transport._wire import NETWORK_ERRORS, Deadline, Wire, network_error

    deadline = Deadline(time.monotonic)
    deadline.begin(deadline_s)
    asks = {"User-Agent": "passmuster", "Accept": "application/json", "Accept-Encoding": "",
            **(headers or {})}  # fmt: skip
    data = bytearray()
    try:
        with httpx.Client(transport=Wire(url, None, deadline), follow_redirects=False) as client, (
            client.stream(method, url, content=body, headers=asks)
        ) as response:  # fmt: skip
            for piece in response.iter_raw():
                data += piece
                if len(data) > max_bytes:
                    raise Unreachable(f"{url} answered more than {max_bytes:,} bytes")
                deadline.left()
            return Answer(response.status_code, dict(response.headers), bytes(data))
    except NETWORK_ERRORS as error:
        raise network_error(url, error, deadline_s) from None


def exchange(
    url: str, body: bytes, content_type: str, *, deadline_s: float, max_bytes: int = MAX_BYTES
) -> tuple[int, bytes]:
    """As `post`, for a protocol whose refusals say something: the status and the bytes."""
    answer = ask("POST", url, body, {"Content-Type": content_type}, deadline_s=deadline_s,
                 max_bytes=max_bytes)  # fmt: skip
    return answer.status, answer.body
