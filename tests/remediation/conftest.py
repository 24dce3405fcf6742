"""A review of the toy's accounts, decided and signed, and the toy itself."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from passmuster import campaigns, config, connectors, intake, remediation, tlog
from passmuster.campaigns import Campaign
from passmuster.connectors import Live, Where
from passmuster.keys import SigningKey
from passmuster.model import Change, Draft
from passmuster.remediation import Remedy
from passmuster.store import Database
from tests.once import once
from tests.remediation.server import Platform, serving
from tests.scene import BOSS, NOW, REV, draft, key

PLATFORMS = Path(__file__).parent / "platforms"
DECIDED = "2026-11-24T09:30:00Z"
SOURCE = "toy:t1"


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """The platform, and its connector among the others."""
    monkeypatch.setattr(connectors, "__path__", [*connectors.__path__, str(PLATFORMS)])
    platform = Platform()
    for uid in ("svc-a", "svc-b", "svc-c"):
        platform.account(uid, f"{uid}-k1", f"{uid}-k2")
    with serving(platform):
        yield platform
    sys.modules.pop("passmuster.connectors.toy", None)
    vars(connectors).pop("toy", None)


@dataclass
class Estate:
    """A workspace whose accounts are on the toy."""

    db: Database
    toy: Platform
    folder: Path
    rev: SigningKey = field(default_factory=lambda: key(REV, 2))
    boss: SigningKey = field(default_factory=lambda: key(BOSS, 1))
    ticks: int = 0
    settings: config.Settings = field(default_factory=config.Settings)
    live: Live | None = None

    def clock(self) -> str:
        """A minute later each time."""
        self.ticks += 1
        return f"2026-11-25T{self.ticks // 60:02}:{self.ticks % 60:02}:00Z"

    def bring_in(self, now: str = NOW) -> None:
        """Import what the toy has."""
        where = self.where(SOURCE)
        connectors.collect(where, self.folder)
        self.take_in(now)

    def take_in(self, now: str = NOW) -> None:
        """Import what was collected."""
        intake.import_files(self.db, [self.folder / "accounts.json"], self.settings, now=now)

    def where(self, source: str) -> Where:
        return Where(source, {"endpoint": self.toy.url}, lambda *_: self.toy.token)

    def connect(self, source: str) -> Live:
        return connectors.connect(self.where(source))

    def opened(self, name: str = "Autumn", **more: object) -> Campaign:
        for one in (self.rev, self.boss):
            tlog.enrol(self.db, one, NOW)
        wanted = campaigns.Definition(name, "2026-12-31", REV, **more)  # type: ignore[arg-type]
        campaigns.open_campaign(self.db, wanted, self.boss, self.settings, NOW)
        return campaigns.campaign(self.db, name)

    def decide(
        self, at: Campaign, uid: str, verdict: str, *, changes: Sequence[Change] = (),
        until: str | None = None,
    ) -> None:  # fmt: skip
        item = self.db.value(
            "SELECT i.id FROM item i JOIN identity y ON y.id = i.identity_id"
            " WHERE y.uid = ? AND i.campaign_id = ?", (uid, at.id),
        )  # fmt: skip
        words: Draft = draft(verdict, "says so", changes=tuple(changes), until=until)
        campaigns.save_draft(self.db, item, words, DECIDED)

    def sign_off(self, at: Campaign) -> None:
        campaigns.sign_off(self.db, campaigns.prepare(self.db, at.id, REV), self.rev, DECIDED)

    def apply(self, *found: Remedy, destroy: bool = False) -> list[Remedy]:
        return self._each(
            found, lambda r, live: remediation.apply(self.db, r, live, self.clock, destroy=destroy)
        )

    def verify(self, *found: Remedy, **more: object) -> list[Remedy]:
        return self._each(
            found,
            lambda r, live: remediation.verify(
                self.db, r, live, self.clock, sleep=lambda _: None, **more,  # type: ignore[arg-type]
            ),
        )  # fmt: skip

    def restore(self, *found: Remedy) -> list[Remedy]:
        return self._each(found, lambda r, live: remediation.restore(self.db, r, live, self.clock))

    def _each(self, found: Sequence[Remedy], do: Callable[[Remedy, Live], Remedy]) -> list[Remedy]:
        self.live = self.live or self.connect(SOURCE)
        return [do(one, self.live) for one in found]


@pytest.fixture
def estate(db: Database, toy: Platform, tmp_path: Path) -> Iterator[Estate]:
    """Three accounts, imported."""
    made = Estate(db, toy, tmp_path)
    connectors.collect(made.where(SOURCE), tmp_path)
    once(db, "toy", made.take_in)  # of the same export each time
    yield made
    if made.live is not None:
        made.live.close()


@pytest.fixture
def revoked(estate: Estate) -> Remedy:
    """The plan of an account that was decided to be revoked, the others approved."""
    at = estate.opened()
    estate.decide(at, "svc-a", "revoke")
    estate.decide(at, "svc-b", "approve")
    estate.sign_off(at)
    (found,) = remediation.plan(estate.db, estate.clock())
    return found
