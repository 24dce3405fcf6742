"""A desk at which somebody reviews a campaign that came from another one, over a real server.

The server is in this process, and so is the wire, which can be told to fail; the workstation is the
real one, with the thread that syncs beside it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from passmuster import campaigns, config, inventory, policy, store
from passmuster.campaigns import Campaign
from passmuster.config import Settings
from passmuster.errors import WrongPassphrase
from passmuster.keys import Passphrase, SigningKey
from passmuster.transport import Patience
from passmuster.tui.app import MusterApp
from passmuster.tui.desk import Desk
from passmuster.tui.lines import plain
from passmuster.tui.screens._list import ListScreen
from passmuster.tui.widgets.line_view import LineBar
from tests.estates import report
from tests.sync.town import AT, BOSS, REV, Town
from tests.tui.conftest import settle

OWNERS = {"deploy": REV, "backup": REV, "mail": BOSS}
LONG_S = 20.0
"""After which something that has not happened will not."""


def open_campaign(town: Town, folder: Path) -> None:
    """A campaign by owner, published and on the server; both desks have synced."""
    boss = town.boss
    csv, people, owned = (folder / f"{n}.csv" for n in ("credential-report", "people", "owners"))
    csv.write_text(report(*OWNERS))
    people.write_text("email,name,kind,active,left_on,manager,aliases,teams\n" + "".join(
        f"{e},{e[:4].title()},person,yes,,,,\n" for e in (BOSS, REV)
    ))  # fmt: skip
    owned.write_text("identity,owner,role,evidence\n" + "".join(
        f"{n},{e},owner,asked\n" for n, e in OWNERS.items()
    ))  # fmt: skip
    for path in (csv, people, owned):
        inventory.import_file(boss.db, path, now=AT, by=BOSS)
    policy.evaluate(boss.db, config.Settings(), AT)
    wanted = campaigns.Definition("Autumn", "2026-12-31", "owner", fallback=BOSS)
    campaigns.open_campaign(boss.db, wanted, boss.key, config.Settings(), AT)
    campaigns.publish(boss.db, campaigns.campaign(boss.db), boss.key, AT)
    boss.sync()
    town.rev.sync()


@dataclass
class Seat:
    """The workstation of one of the town's people."""

    town: Town
    who: str = REV
    settings: Settings = field(default_factory=lambda: Settings(sync_hold_s=0))
    passphrase: bytes | None = None
    asked: int = 0
    """How often the key asked for its passphrase."""

    @property
    def desk(self) -> Any:
        return self.town.desks[self.who]

    def signer(self, ask: Passphrase) -> SigningKey:
        if self.passphrase is not None:
            given = ask()
            self.asked += 1
            if given != self.passphrase:
                raise WrongPassphrase("the passphrase does not open the key file")
        key: SigningKey = self.desk.key
        return key

    def app(self) -> MusterApp:
        campaign: Campaign | None = next(iter(campaigns.campaigns(self.desk.db)), None)
        made = MusterApp(
            Desk(self.desk.folder, self.who, self.signer, replace(self.settings, me=self.who),
                 self.town.clock, self.desk.key.fingerprint),
            campaign,
        )  # fmt: skip
        made.syncing.more = {
            "transport": self.desk.wire, "patience": Patience(tries=1), "draw": lambda: 0.0,
            "wall": lambda: self.town.clock.seconds,
        }  # fmt: skip
        return made


@contextmanager
def reading(folder: Path) -> Iterator[store.Database]:
    db = store.open_(folder, read_only=True)
    try:
        yield db
    finally:
        db.close()


async def until(pilot: Pilot[None], true: Callable[[], object], what: str = "") -> None:
    """Wait until something is so, however long the machine takes; fail when it will not be."""
    ends = time.monotonic() + LONG_S
    while not true():
        assert time.monotonic() < ends, what or f"not so: the first line is {header(pilot)!r}"
        await pilot.pause(0.02)
    await settle(pilot)


def header(pilot: Pilot[None]) -> str:
    """The first line of the screen, as if it had single spaces."""
    return " ".join(plain(pilot.app.screen.query_one("#header", LineBar).lines[0]).split())


def listing(pilot: Pilot[None]) -> ListScreen:
    """The list that is seen."""
    screen = pilot.app.screen
    assert isinstance(screen, ListScreen)
    return screen


def evidence(pilot: Pilot[None]) -> str:
    """What stands beside the list, as if it were one line."""
    return " ".join(" ".join(plain(line) for line in listing(pilot).pane.lines).split())
