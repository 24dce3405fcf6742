"""A workspace that signs and syncs until it is told to stop: `python -m tests.bench.desk FOLDER`.

A process of the hammer, to be killed. Which servers there are stands in `servers` beside the
workspace; what it has signed is what its workspace says.
"""

import random
import sys
from datetime import UTC, datetime
from pathlib import Path

from passmuster import attestations, store, sync, tlog
from passmuster.central import Limits
from passmuster.errors import Conflict, Declined, Unreachable
from passmuster.keys import SigningKey
from passmuster.store import Database
from passmuster.text import rfc3339
from passmuster.transport import Patience
from tests.scene import key

STOP = "stop"


def now() -> str:
    return rfc3339(datetime.now(UTC))


def says(db: Database, signer: SigningKey, word: str) -> None:
    """Sign something that everybody may see."""
    link = tlog.next_link(db)
    payload = attestations.statement("chain", {}, {"word": word}, link, now(), signer.principal)
    with db.atomic():
        tlog.append(
            db, attestations.sign(payload, signer), tlog.known_keys(db), None, now()
        )  # fmt: skip


def once(db: Database, signer: SigningKey, url: str) -> None:
    """One sync with one server, in small pages."""
    db.execute("UPDATE central SET url = ?", (url,))
    with sync.speak(db, lambda: signer, patience=Patience(tries=2), sleep=lambda _: None) as caller:
        sync.sync(sync.Work(db, caller, signer.principal, now, limits=Limits(feed=50, records=7)))


def main(folder: Path, who: str, seed: int) -> None:
    signer, draw = key(who, seed), random.Random()
    db = store.open_(folder)
    servers = (folder.parent / "servers").read_text().split()
    while not (folder.parent / STOP).exists():
        for _ in range(draw.randrange(4)):
            says(db, signer, f"{draw.getrandbits(64):x}")
        try:
            once(db, signer, draw.choice(servers))
        except Declined as error:
            if error.status < 500 or error.code == "log-rollback":
                raise
        except (Unreachable, Conflict):
            continue
    db.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
