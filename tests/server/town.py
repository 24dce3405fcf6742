"""A small town: people with keys, a roster, a published campaign, and what they sign for it.

Everything is made by the functions that the workstation uses, but for the bodies of statements,
which are as short as the server takes them.
"""

import hashlib
import itertools
from dataclasses import dataclass, field

from passmuster import attestations, central, merkle, roster
from passmuster.attestations import Link
from passmuster.central import Chunk
from passmuster.keys import SigningKey
from passmuster.roster import Line, Person
from passmuster.text import Json, sha256
from tests.scene import key

BOSS, REV, OTHER, AUDITOR, STRANGER = (
    f"{name}@example.com" for name in ("boss", "rev", "other", "auditor", "stranger")
)
AT = "2026-01-01T00:00:00Z"
ROLES = {BOSS: ("registrar", "owner", "reviewer"), REV: ("reviewer",), OTHER: ("reviewer",),
         AUDITOR: ("auditor",)}  # fmt: skip


def leaf(line: bytes) -> str:
    """The name of a record."""
    return merkle.leaf_hash(line).hex()


@dataclass
class Town:
    """Its people, and how far each one's device has come."""

    seed: int = 0
    keys: dict[str, SigningKey] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    """What was signed about, by digest: to be sent before the record."""
    chains: dict[str, Link] = field(default_factory=dict)
    under: str | None = None
    """The roster that statements name."""
    people: tuple[Person, ...] = ()
    lines: tuple[Line, ...] = ()

    def __post_init__(self) -> None:
        for n, who in enumerate((*ROLES, STRANGER)):
            self.keys[who] = key(who, 1 + self.seed + n)
        self.people = tuple(sorted(
            (Person(who, "person", roster.given_roles(roles)) for who, roles in ROLES.items()),
            key=lambda p: p.principal,
        ))  # fmt: skip
        self.lines = tuple(self._line(who) for who in ROLES)

    def _line(self, who: str) -> Line:
        return Line(who, " ".join(self.keys[who].public.split()[:2]), None, None)

    def blob(self, data: bytes) -> str:
        """Keep bytes that a record will name."""
        self.blobs[sha256(data)] = data
        return sha256(data)

    def say(
        self, kind: str, who: str, body: Json, subject: dict[str, bytes] | None = None,
        by: SigningKey | None = None, link: Link | None = None, ext: Json | None = None,
    ) -> bytes:  # fmt: skip
        """The next statement of somebody's device, signed."""
        device = hashlib.sha256(f"{self.seed} {who}".encode()).hexdigest()[:32]
        before = self.chains.get(device)
        link = link or Link(device, before.seq + 1 if before else 1,
                            before.prev if before else None, self.under)  # fmt: skip
        about = {name: self.blob(data) for name, data in (subject or {}).items()}
        payload = attestations.statement(kind, about, body, link, AT, who, ext)
        self.chains[device] = Link(device, link.seq, sha256(payload))
        return attestations.sign(payload, by or self.keys[who])

    def roster(self, version: int = 1, signer: str = BOSS) -> bytes:
        """The next roster."""
        text = roster.written(self.lines)
        previous = self.under
        said = roster.body(version, previous, 1, self.people, frozenset())
        link = Link(f"{self.seed:032x}", version, previous, previous)
        about = {"allowed_signers": self.blob(text)}
        payload = attestations.statement("roster", about, said, link, AT, signer)
        self.under = sha256(payload)
        return attestations.sign(payload, self.keys[signer])

    def enrolment(self, who: str, by: SigningKey | None = None) -> bytes:
        """Proof that somebody holds their key."""
        mine = by or self.keys[who]
        body = {"publicKey": mine.public, "fingerprint": mine.fingerprint,
                "keyKind": mine.kind, "store": mine.store}  # fmt: skip
        return self.say("enrolment", who, body, {"key.pub": f"{mine.public}\n".encode()}, by=by)

    def campaign(self, reviewers: tuple[str, ...] = (REV,), name: str = "q1") -> list[bytes]:
        """A campaign and its publication, with one chunk of each reviewer."""
        opened = self.say("campaign", BOSS, {"name": name}, {"definition.json": name.encode()})
        digest = attestations.unchecked(opened).name
        chunks = [Chunk(self.blob(f"{name} items of {r}\n".encode()), 9, 1, r) for r in reviewers]
        leaves = self.blob(hashlib.sha256(name.encode()).digest())
        chunks.append(Chunk(leaves, 32, 1, leaves="population"))
        listed = central.queues(digest, (), chunks)
        body = {"campaign": digest, "population": {"count": 1, "root": "0" * 64},
                "assignmentsRoot": "0" * 64}  # fmt: skip
        return [opened, self.say("publication", BOSS, body, {"queues.jsonl": listed})]

    def decisions(self, who: str, campaign: str, count: int = 1) -> list[bytes]:
        """Sign-offs, each about bytes of its own."""
        numbers = itertools.count(len(self.blobs))
        return [
            self.say("decisions", who, {"basis": {"campaign": campaign}, "count": 1},
                     {"decisions.jsonl": f"{who} {next(numbers)}\n".encode()})
            for _ in range(count)
        ]  # fmt: skip
