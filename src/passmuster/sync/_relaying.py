"""A relay: whoever has a network hands somebody's outbox over and carries the receipt back.

It has no key and no workspace. What it brings is checked by the server, what it carries back by
the one whom it is for; here both are only seen to be packets of the same log.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from passmuster import central, packets
from passmuster.errors import Unreachable, UsageError, VerificationFailed
from passmuster.sync._calling import PROTOCOL
from passmuster.transport import Caller

DEADLINE_S = 900.0
MAX_BYTES = 2 * 1024**3


def hand_over(
    upload: Path, url: str, origin: str, out: Path, ca: Path | None = None, **more: Any
) -> None:
    """Send the packet *upload* of the log *origin*, and write the receipt to the new file *out*.

    *more* is of `Caller`. Raises Unreachable when the server does not answer, or with no receipt.
    """
    said = f"{central.PROTOCOL[0]}.{central.PROTOCOL[1]}"
    headers = {central.PROTOCOL_HEADER: said}
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent}: no such folder")
    with tempfile.TemporaryDirectory(prefix=".packet-", dir=out.parent) as made, Caller(
        central.address(url), PROTOCOL, ca, headers=lambda: headers, **more
    ) as caller:  # fmt: skip
        part = Path(made) / "receipt"

        def take(pieces: Iterator[bytes]) -> None:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as stream:
                for piece in pieces:
                    stream.write(piece)

        caller.read(
            "POST", "/v1/packets", take, lambda: packets.pieces_of(upload), kind=packets.MEDIA,
            accept=packets.MEDIA, max_bytes=MAX_BYTES, deadline_s=DEADLINE_S, proves=False,
        )  # fmt: skip
        try:
            with packets.opened(part, Path(made)) as receipt:
                if (receipt.manifest.kind, receipt.manifest.origin) != ("receipt", origin):
                    raise VerificationFailed("it is of another kind, or of another log")
        except VerificationFailed as error:
            raise Unreachable(f"the server's answer is no receipt of this: {error}") from None
        part.replace(out)
