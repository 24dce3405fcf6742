"""The caller that speaks with a central API, with the headers that each request has."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from passmuster import central, tlog
from passmuster.keys import SigningKey
from passmuster.store import Database
from passmuster.sync._session import Session, session
from passmuster.transport import Caller

PROTOCOL = (central.PROTOCOL_HEADER, central.PROTOCOL[0])


def connect(db: Database, url: str, ca: Path | None = None, **more: Any) -> Caller:
    """A caller for the central API at *url*; *more* is of `Caller`.

    Every request tells the newest checkpoint that is verified here, so that a log which was set
    back hears of it.
    """
    said = f"{central.PROTOCOL[0]}.{central.PROTOCOL[1]}"

    def headers() -> dict[str, str]:
        at = tlog.central(db)
        seen = central.seen_header(None if at is None else at.seen)
        return {central.PROTOCOL_HEADER: said, **({central.SEEN_HEADER: seen} if seen else {})}

    return Caller(url, PROTOCOL, ca, headers=headers, **more)


def speak(
    db: Database, key: Callable[[], SigningKey], ca: Path | None = None, **more: Any
) -> Caller:
    """A caller for the pinned central API that proves who asks.

    *key* is asked for at the first request that needs a session, and for each new session.
    """
    url = tlog.pinned(db).url
    asking = connect(db, url, ca, **more)
    held: list[Session] = []

    def authorize(method: str, address: str) -> dict[str, str]:
        origin = tlog.pinned(db).origin  # another one after a recovery
        if not held or held[-1].origin != origin:
            held.append(session(asking, origin, key))
        return held[-1].headers(method, address)

    return connect(db, url, ca, authorize=authorize, also_close=asking.close, **more)
