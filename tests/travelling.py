"""Workspaces of several people and the log between them, without a network.

The log keeps records in order and bytes by digest, as the central one does; nothing in it checks
anything. What a workspace takes, it takes through `campaigns.wanted` and `campaigns.apply`.
"""

from dataclasses import dataclass, field
from pathlib import Path

from passmuster import (
    blobs,
    campaigns,
    central,
    config,
    inventory,
    policy,
    remediation,
    store,
    tlog,
)
from passmuster.campaigns import Campaign
from passmuster.central import Record
from passmuster.keys import SigningKey
from passmuster.model import Attention, Draft, SecondDraft
from passmuster.store import Database
from tests.estates import report
from tests.fresh import fresh
from tests.scene import key

NOW = "2026-11-23T08:00:00Z"
LATER = "2026-11-24T09:30:00Z"
END = "2026-12-01T17:00:00Z"
BOSS, ANN, BOB, SEC = "boss@x.example", "ann@x.example", "bob@x.example", "sec@x.example"
SEEDS = {BOSS: 11, ANN: 12, BOB: 13, SEC: 14}


@dataclass
class Log:
    """Everything that was sent."""

    records: list[Record] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)

    def send(self, record: Record, db: Database) -> None:
        """Keep a record of the workspace *db* with the bytes that it names."""
        if record.leaf in {r.leaf for r in self.records}:
            return
        digests = list(record.blobs)
        if record.statement.kind == "publication":
            listed = central.read_queues(blobs.get(db, digests[0]))
            digests += [chunk.sha256 for chunk in listed.chunks]
        for digest in digests:
            self.blobs[digest] = blobs.get(db, digest)
        self.records.append(record)


@dataclass
class Desk:
    """A person at a workspace of their own."""

    db: Database
    me: str
    key: SigningKey
    now: str = LATER
    trust: str | None = None
    """The first roster, as it was told by another way."""

    @property
    def at(self) -> Campaign:
        """The one campaign."""
        return campaigns.campaign(self.db, campaigns.campaigns(self.db)[0].digest)

    def push(self, log: Log) -> None:
        """Send what was signed here."""
        device = store.device(self.db)
        rows = self.db.execute(
            "SELECT envelope FROM entry WHERE device = ? OR predicate = 'roster' ORDER BY id",
            (device,),
        )
        for (envelope,) in rows.fetchall():
            log.send(central.read(bytes(envelope)), self.db)

    def take(self, log: Log, record: Record) -> None:
        """Fetch what a record needs, and apply it."""
        while missing := campaigns.wanted(self.db, record, self.me):
            with self.db.atomic():
                for digest in missing:
                    assert blobs.put(self.db, log.blobs[digest]) == digest
        with campaigns.room(self.db, record), self.db.atomic():
            campaigns.apply(self.db, record, self.me, self.now, self.trust)
            remediation.take(self.db, record.statement)

    def pull(self, log: Log) -> None:
        """Take everything, in the order of the log."""
        for record in log.records:
            self.take(log, record)

    def item(self, name: str) -> int:
        """The item of an identity."""
        return int(self.db.value(
            "SELECT n.id FROM item n JOIN identity y ON y.id = n.identity_id"
            " WHERE y.display_name = ? AND n.campaign_id = ?", (name, self.at.id),
        ))  # fmt: skip

    def names(self, reviewer: str | None = None) -> list[str]:
        """Of the items of a queue here."""
        ids = campaigns.rank(self.db, self.at.id, reviewer, order="name")
        return [row.display_name for row in campaigns.rows(self.db, ids)]

    def draft(
        self, name: str, verdict: str, reason: str = "looked", now: str | None = None
    ) -> None:
        """Draft a decision."""
        seen = Attention(LATER, now or self.now, True)
        made = Draft(verdict, "1", reason, seen)  # type: ignore[arg-type]
        campaigns.save_draft(self.db, self.item(name), made, now or self.now)

    def sign(self, now: str | None = None) -> None:
        """Sign all drafts."""
        batch = campaigns.prepare(self.db, self.at.id, self.me)
        campaigns.sign_off(self.db, batch, self.key, now or self.now)

    def decide(self, name: str, verdict: str, reason: str = "looked") -> None:
        """Draft and sign one decision."""
        self.draft(name, verdict, reason)
        self.sign()

    def hand(self, name: str, to: str) -> None:
        """Hand an item over."""
        campaigns.save_own(self.db, [self.item(name)], to, "asked", self.now, reassign=True)
        self.sign()

    def second(self, name: str, verdict: str) -> None:
        """Countersign a decision."""
        words = SecondDraft(verdict, None, "asked", Attention(LATER, LATER, True))  # type: ignore[arg-type]
        campaigns.save_seconds(self.db, [self.item(name)], words, self.now, self.me)
        self.sign()

    def outcomes(self) -> dict[str, tuple[object, ...]]:
        """Of each item that is here: all that an outcome says, by sets where order is nobody's."""
        return {
            uri: (o.effect, o.until, frozenset(o.remediations), frozenset(o.leaves),
                  frozenset(o.seconds))
            for uri, o in campaigns.outcomes_of(self.db, self.at).items()
        }  # fmt: skip

    def effect(self, name: str) -> str:
        """What an item came to."""
        uri = self.db.value("SELECT uri FROM item WHERE id = ?", (self.item(name),))
        return campaigns.outcomes_of(self.db, self.at)[uri].effect


def desk(folder: Path, me: str, *, seed: int | None = None) -> Desk:
    """A new workspace with the person's enrolled key."""
    db = fresh(folder)
    held = key(me, SEEDS[me] if seed is None else seed)
    tlog.enrol(db, held, NOW)
    return Desk(db, me, held)


def estate(boss: Desk, folder: Path, owners: dict[str, str]) -> None:
    """Import identities (name → e-mail of who owns it) into the workspace of the one who opens."""
    csv = folder / "credential-report.csv"
    csv.write_text(report(*owners))
    people, owned = folder / "people.csv", folder / "owners.csv"
    emails = sorted({*owners.values(), *SEEDS})
    people.write_text(
        "email,name,kind,active,left_on,manager,aliases,teams\n"
        + "".join(f"{e},{e[:3].title()},person,yes,,,,\n" for e in emails)
    )
    owned.write_text(
        "identity,owner,role,evidence\n"
        + "".join(f"{n},{e},owner,asked\n" for n, e in owners.items())
    )
    for path in (csv, people, owned):
        inventory.import_file(boss.db, path, now=NOW, by=BOSS)
    policy.evaluate(boss.db, config.Settings(), NOW)


def opened(
    boss: Desk, folder: Path, owners: dict[str, str], *, second: tuple[str, ...] = (),
    when: str | None = None, of: str = "identity",
) -> Campaign:  # fmt: skip
    """A campaign by owner, published."""
    estate(boss, folder, owners)
    wanted = campaigns.Definition(
        "Autumn",
        "2026-12-31",
        "owner",
        fallback=BOSS,
        of=of,  # type: ignore[arg-type]
        second=second,
        second_when=when,
    )
    campaigns.open_campaign(boss.db, wanted, boss.key, config.Settings(), NOW)
    campaigns.publish(boss.db, boss.at, boss.key, NOW)
    return boss.at
