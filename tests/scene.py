"""A tiny review that has every kind of statement, made through the real functions alone.

Four identities from a platform of the tests' own, so that nobody's connector changes these
bytes; fixed keys, clock, salts and device, so that they can be kept as golden files.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from passmuster import attestations, campaigns, config, connectors, inventory, keys, policy, tlog
from passmuster.campaigns import Campaign
from passmuster.connectors import Format
from passmuster.keys import SigningKey
from passmuster.model import (
    Attention,
    Bulk,
    Change,
    Credential,
    Draft,
    Entitlement,
    Grant,
    Identity,
    Owner,
    Problem,
    Record,
    Source,
    Trust,
)
from passmuster.store import Database

NOW = "2026-11-23T08:00:00Z"
LATER = "2026-11-24T09:30:00Z"
END = "2026-12-01T17:00:00Z"
BOSS, REV, SECOND = "boss@example.com", "rev@example.com", "second@example.com"
RAW = b"four identities, said once\n"


def records(*_: object) -> Iterator[Record]:
    """What the tests' own platform says."""
    yield Source("testbed", "t1", "the testbed")
    yield Identity("u1", None, "ci-deploy", "service", status="enabled", line=1,
                   created_at="2021-03-02T10:00:00Z", attributes='{"team":"platform"}')  # fmt: skip
    yield Identity("u2", None, "=cmd|'/c calc'!A1", "service", status="enabled", line=2)
    yield Identity("u3", None, "vendor-etl", "service", status="enabled", line=3)
    yield Identity("g1", None, "admins", "group", status="enabled", line=4)
    for line, uid in enumerate(("u1", "u2"), 6):
        yield Credential(uid, f"{uid}-key", "static_secret", "testbed.key", status="enabled",
                         created_at="2021-03-02T10:00:00Z", expires_state="none",
                         line=line)  # fmt: skip
    yield Entitlement("all", "everything", permission_level="admin", level_reason="it says so")
    yield Grant("u1", "all")
    yield Trust("u3", "partner", "account", "assume_role", is_external=1)
    yield Owner("u1", "nobody-known", evidence="tag team=platform")
    yield Problem(5, "kind", "a row that says nothing")


FORMAT = Format(
    "testbed.rows", "rows of the testbed", lambda _: True, records, "none", keeps_raw=True,
    supplies=("credential", "grant", "trust"),
)  # fmt: skip


def key(principal: str, seed: int) -> SigningKey:
    """A key that is the same in every run."""
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return keys.from_private(private, principal, "memory")


def bring_in(db: Database, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Import the testbed and run the rules."""
    path = _export(folder, patch)
    inventory.import_file(db, path, now=NOW, by=BOSS, format_name=FORMAT.name)
    policy.evaluate(db, config.Settings(), NOW)


def _export(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    path = folder / "testbed.txt"
    path.write_bytes(RAW)
    patch.setattr(connectors, "named", lambda _: FORMAT)
    return path


def draft(verdict: str, reason: str, **more: object) -> Draft:
    """A draft with a reason."""
    seen = Attention("2026-11-24T09:00:00Z", LATER, True)
    return Draft(verdict, "1", reason, seen, **more)  # type: ignore[arg-type]


def freeze_chance(db: Database, patch: pytest.MonkeyPatch) -> None:
    """Take chance and the release out of what is signed."""
    salts = itertools.count(1)
    patch.setattr("secrets.token_hex", lambda n: f"{next(salts):0{2 * n}x}")
    patch.setattr(attestations, "__version__", "0")
    with db.atomic():
        db.execute("UPDATE workspace SET value = ? WHERE key = 'device'", ("d" * 32,))


@dataclass
class Scene:
    """A review and who takes part in it."""

    db: Database
    campaign: Campaign
    boss: SigningKey
    rev: SigningKey
    second: SigningKey

    def item(self, name: str) -> int:
        """The item of the identity with that display name."""
        return int(self.db.value(
            "SELECT i.id FROM item i JOIN identity y ON y.id = i.identity_id"
            " WHERE y.display_name = ? AND i.campaign_id = ?", (name, self.campaign.id),
        ))  # fmt: skip

    def sign(self, who: SigningKey, now: str = LATER) -> campaigns.Signed:
        """Sign everything that *who* drafted."""
        batch = campaigns.prepare(self.db, self.campaign.id, who.principal.lower())
        return campaigns.sign_off(self.db, batch, who, now)

    def decide(self) -> None:
        """Rev approves one but for a key and gives one away; Second stops it; one stays silent."""
        keep = draft("approve", "in use", changes=(Change("revoke", "u1-key", None, "2026-12-10"),),
                     until="2027-03-31", bulk=Bulk("b1", 1, "marked"))  # fmt: skip
        campaigns.save_draft(self.db, self.item("ci-deploy"), keep, LATER)
        other = self.item("=cmd|'/c calc'!A1")
        campaigns.save_own(self.db, [other], SECOND, "asked", LATER, reassign=True)
        self.sign(self.rev)
        campaigns.save_draft(self.db, other, draft("revoke", "=1+1"), LATER)
        self.sign(self.second)

    def close(self) -> None:
        """Sign the end."""
        campaigns.close(self.db, self.campaign, self.boss, END, leave_drafts=True)
        self.campaign = campaigns.campaign(self.db, self.campaign.name)


def open_scene(
    db: Database, folder: Path, patch: pytest.MonkeyPatch, *, rules: int = 1, name: str = "Autumn",
    seed: int = 1, of: str = "identity", rev: str = REV, second: tuple[str, ...] | None = None,
    when: str | None = None,
) -> Scene:  # fmt: skip
    """A review opened by Boss for Rev to decide, with as many rules as are asked for."""
    if db.value("SELECT 1 FROM identity LIMIT 1") is None:
        bring_in(db, folder, patch)
    _few_rules(patch, rules)
    people = key(BOSS, seed), key(rev, seed + 1), key(SECOND, seed + 2)
    for one in people:
        tlog.enrol(db, one, NOW)
    wanted = campaigns.Definition(name, "2026-12-31", rev, rationale="a test", of=of,  # type: ignore[arg-type]
                                  second=second, second_when=when)  # fmt: skip
    campaigns.open_campaign(db, wanted, people[0], config.Settings(), NOW)
    return Scene(db, campaigns.campaign(db, name), *people)


def again(db: Database, folder: Path, patch: pytest.MonkeyPatch) -> Scene:
    """What `open_scene` made by itself alone, when `once` has copied its database."""
    _export(folder, patch)
    _few_rules(patch, 1)
    return Scene(db, campaigns.campaign(db, "Autumn"), key(BOSS, 1), key(REV, 2), key(SECOND, 3))


def _few_rules(patch: pytest.MonkeyPatch, rules: int) -> None:
    few = dict(list(policy.load_rules().items())[:rules])
    patch.setattr(policy, "load_rules", lambda: few)
    patch.setattr(policy, "not_evaluated", lambda _: {})
