"""A run of the whole loop that ends with SIGKILL before its n-th step: for `test_killed`.

A step is a call to the platform, or the commit of something durable.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from passmuster import connectors, remediation, store
from passmuster.connectors import Act, Live, Where
from passmuster.store import Database
from tests.remediation.conftest import PLATFORMS
from tests.scene import REV, key

AT = "2026-11-25T08:00:00Z"


class Countdown:
    """Ends the process at its n-th step."""

    def __init__(self, left: int) -> None:
        self.left = left

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """A platform whose every call is a step, before and after it."""

    def __init__(self, live: Live, countdown: Countdown) -> None:
        self.live, self.countdown = live, countdown

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any) -> Any:
            self.countdown.step()
            found = getattr(self.live, name)(*args)
            self.countdown.step()
            return found

        return call


def main(folder: str, url: str, left: str) -> None:
    connectors.__path__.append(str(PLATFORMS))
    countdown = Countdown(int(left))
    atomic = Database.atomic

    @contextmanager
    def counted(self: Database, *, durable: bool = True, joins: bool = False) -> Iterator[None]:
        with atomic(self, durable=durable, joins=joins):
            yield
            countdown.step()  # what it did is not committed yet
        countdown.step()

    Database.atomic = counted  # type: ignore[method-assign]
    db = store.open_(Path(folder))
    source = "toy:t1"
    live: Any = Watched(
        connectors.connect(Where(source, {"endpoint": url}, lambda *_: "t0ken")), countdown
    )
    run(db, live)


def run(db: Database, live: Live) -> None:
    (one,) = remediation.remedies(db)
    if one.state != "reverted":
        one = remediation.apply(db, one, live, lambda: AT)
        one = remediation.verify(db, one, live, lambda: AT)
        one = remediation.restore(db, one, live, lambda: AT)
    remediation.sign(db, key(REV, 2), AT)


__all__ = ["Act", "main", "run"]
if __name__ == "__main__":
    main(*sys.argv[1:])
