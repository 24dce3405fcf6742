"""One request to a service that knows nothing of this project: a time-stamp authority."""

import time

from passmuster.errors import Unreachable

MAX_BYTES = 1024 * 1024
"""What an answer may have, unless the caller expects more."""


def post(
    url: str, body: bytes, content_type: str, *, deadline_s: float, max_bytes: int = MAX_BYTES
) -> bytes:
    """Send *body* to *url* and give the answer's bytes, all of it within *deadline_s* seconds.

    Raises Unreachable for anything but a whole answer with status 200.
    """
    import httpx

    from passmuster.transport._wire import NETWORK_ERRORS, Deadline, Wire, network_error

    deadline = Deadline(time.monotonic)
    deadline.begin(deadline_s)
    headers = {"Content-Type": content_type, "User-Agent": "passmuster", "Accept-Encoding": ""}
    answer = bytearray()
    try:
        with httpx.Client(transport=Wire(url, None, deadline), follow_redirects=False) as client, (
            client.stream("POST", url, content=body, headers=headers)
        ) as response:  # fmt: skip
            if response.status_code != httpx.codes.OK:
                raise Unreachable(f"{url} answered {response.status_code}")
            for piece in response.iter_raw():
                answer += piece
                if len(answer) > max_bytes:
                    raise Unreachable(f"{url} answered more than {max_bytes:,} bytes")
                deadline.left()
    except NETWORK_ERRORS as error:
        raise network_error(url, error, deadline_s) from None
    return bytes(answer)
