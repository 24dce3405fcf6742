"""An emergency that ends with SIGKILL before its n-th step: for `test_revoke_killed`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from passmuster import campaigns, connectors, remediation, store
from passmuster.connectors import Where
from passmuster.remediation import Desk, Result
from passmuster.store import Database
from tests.remediation.conftest import PLATFORMS
from tests.remediation.killed import AT, Countdown, Watched
from tests.scene import REV, key

UID, KEY = "svc-a", "svc-a-k1"


def run(db: Database, url: str) -> Result:
    """What `muster revoke` does: decide unless it is decided, and go on."""
    identity = db.value("SELECT id FROM identity WHERE uid = ?", (UID,))
    dossier = campaigns.shown(db, identity, KEY)
    desk = Desk(key(REV, 2), lambda: AT,
                lambda source: Where(source, {"endpoint": url}, lambda *_: "t0ken"))  # fmt: skip
    held = remediation.before(db, dossier["uri"])
    if held is not None:
        return remediation.go_on(db, held, desk)
    urgent = campaigns.Emergency(dossier, "disable", "leaked", None, REV, AT, AT)
    return remediation.stop_now(db, urgent, desk)


def main(folder: str, url: str, left: str) -> None:
    connectors.__path__.append(str(PLATFORMS))
    countdown, atomic, connect = Countdown(int(left)), Database.atomic, connectors.connect

    @contextmanager
    def counted(self: Database, *, durable: bool = True, joins: bool = False) -> Iterator[None]:
        with atomic(self, durable=durable, joins=joins):
            yield
            countdown.step()  # what it did is not committed yet
        countdown.step()

    def watched(where: Where) -> Any:
        return Watched(connect(where), countdown)

    Database.atomic = counted  # type: ignore[method-assign]
    connectors.connect = watched
    run(store.open_(Path(folder)), url)


if __name__ == "__main__":
    main(*sys.argv[1:])
