"""People before a running central API, with real keys, statements and proofs."""

import json
import secrets
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from passmuster import attestations, central, keys, merkle, roster
from passmuster.attestations import Link
from passmuster.central import Invitation
from passmuster.keys import SigningKey
from passmuster.roster import Line, Person, Roster
from passmuster.server import _enrolling, _invites
from passmuster.server._app import app
from passmuster.server._central import Central, Settings, open_central
from passmuster.text import Json, canonical, epoch, from_epoch, rfc3339, sha256

with warnings.catch_warnings():  # it would rather have another release of httpx
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

BASE = "http://127.0.0.1:8000"
BOSS, REV, SECOND, EYE, OTHER = (
    f"{name}@example.com" for name in ("boss", "rev", "second", "eye", "other")
)
ROLES: Mapping[str, tuple[str, ...]] = {
    BOSS: ("reviewer", "owner", "registrar"), REV: ("reviewer",), SECOND: ("second",),
    EYE: ("auditor",), OTHER: ("reviewer", "oncall", "owner"),
}  # fmt: skip


class Clock:
    """The server's time, and everybody's; it goes on only when it is told."""

    def __init__(self) -> None:
        self.seconds = epoch(rfc3339(datetime.now(UTC)))

    def __call__(self) -> str:
        return from_epoch(self.seconds)


@dataclass
class Somebody:
    """A person with a key, a device, and a session where they have asked for one."""

    here: "Place"
    key: SigningKey
    device: str = field(default_factory=lambda: secrets.token_hex(16))
    seq: int = 0
    prev: str | None = None
    short: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    token: str = ""

    @property
    def principal(self) -> str:
        return self.key.principal

    def says(
        self, kind: str, subject: Mapping[str, str], body: Json, ext: Json | None = None, *,
        named: str | None = "", principal: str | None = None,
    ) -> bytes:  # fmt: skip
        """The envelope of this device's next statement."""
        under = self.here.roster.name if self.here.roster else None
        payload = attestations.statement(
            kind, subject, body, Link(self.device, self.seq + 1, self.prev, named or under),
            self.here.clock(), principal or self.principal, ext,
        )  # fmt: skip
        self.seq, self.prev = self.seq + 1, sha256(payload)
        return attestations.sign(payload, self.key)

    def enrolment(self) -> bytes:
        line = self.key.public + "\n"
        body = {"publicKey": self.key.public, "fingerprint": self.key.fingerprint,
                "keyKind": "software", "store": "memory"}  # fmt: skip
        return self.says("enrolment", {"key.pub": sha256(line.encode())}, body)

    def ask(self, **instead: Any) -> Any:
        """`POST /v1/sessions`; the answer."""
        body = central.ask(
            instead.get("key", self.key), instead.get("origin", self.here.central.key.origin),
            central.thumbprint(central.jwk(self.short)),
            instead.get("nonce") or secrets.token_hex(16), instead.get("at", self.here.clock()),
        )  # fmt: skip
        return self.here.http.post("/v1/sessions", content=instead.get("body", body))

    def session(self) -> "Somebody":
        answer = self.ask()
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        return self

    def proof(self, method: str, path: str, **instead: Any) -> str:
        return central.prove(
            instead.get("short", self.short), method, BASE + path,
            instead.get("at", self.here.clock.seconds), instead.get("jti") or secrets.token_hex(12),
            instead.get("token", self.token),
        )  # fmt: skip

    def call(self, method: str, path: str, *, proof: str | None = None, **more: Any) -> Any:
        """A request with this person's token and a fresh proof."""
        headers = {"Authorization": f"DPoP {self.token}",
                   "DPoP": proof or self.proof(method, path)}  # fmt: skip
        return self.here.http.request(method, path, headers=headers, **more)

    def put(self, data: bytes) -> str:
        digest = sha256(data)
        answer = self.call("PUT", f"/v1/blobs/{digest}", content=data)
        assert answer.status_code in (200, 201), answer.text
        return digest

    def sends(self, *lines: bytes) -> list[Json]:
        """`POST /v1/records`; what became of each."""
        answer = self.call("POST", "/v1/records", content=b"\n".join(lines))
        assert answer.status_code == 200, answer.text
        found: list[Json] = answer.json()["results"]
        return found

    def feed(self) -> list[Json]:
        answer = self.call("GET", "/v1/feed?after=0")
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()][:-1]

    def lines(self) -> list[str]:
        """The kinds of the records that this person sees."""
        return [
            attestations.unchecked(row["line"].encode()).kind for row in self.feed() if row["line"]
        ]


@dataclass
class Place:
    """A server and who came to it."""

    central: Central
    http: TestClient
    clock: Clock
    roster: Roster | None = None
    people: dict[str, Somebody] = field(default_factory=dict)

    def somebody(self, principal: str) -> Somebody:
        return Somebody(self, keys.in_memory(principal))

    def invitation(self, principal: str, *roles: str) -> Invitation:
        text = _enrolling.invitation(self.central, BASE, principal, roles)
        return central.invitation(text)

    def first(self, line: bytes | None = None, **instead: Any) -> Any:
        """The first enrolment, with the first roster; the answer."""
        who = instead.get("who") or self.somebody(BOSS)
        token = instead.get("invite") or self.invitation(
            _invites.ANYBODY, *instead.get("roles", _enrolling.FOUNDERS)
        ).token  # fmt: skip
        made, text = self.version(None, instead.get("signer", who), instead.get("listed", [who]))
        body = {"envelope": (line or who.enrolment()).decode(), "invite": token,
                "roster": made.decode(), "allowed_signers": text.decode()}  # fmt: skip
        answer = self.http.post("/v1/enrolments", json=body)
        name = attestations.unchecked(made).name
        if answer.status_code == 201 and answer.json()["roster"] == name:
            self.people[who.principal] = who
            self.roster = roster.read(attestations.unchecked(made), text)
        return answer

    def version(
        self, before: Roster | None, by: Somebody, who: list[Somebody],
        roles: Mapping[str, tuple[str, ...]] = ROLES, ended: Mapping[str, str] | None = None,
        pins: frozenset[str] = frozenset(),
    ) -> tuple[bytes, bytes]:  # fmt: skip
        """(envelope, allowed_signers) of a version that lists *who*, signed by one registrar."""
        held = {line.fingerprint: line for line in (before.lines if before else ())}
        for one in who:
            public = " ".join(one.key.public.split()[:2])
            there = held.get(one.key.fingerprint)
            held[one.key.fingerprint] = Line(
                one.principal, public, there.after if there else self.clock(),
                (ended or {}).get(one.principal, there.before if there else None),
            )  # fmt: skip
        text = roster.written(tuple(held.values()))
        people = tuple(sorted(
            (Person(p, "person", roster.given_roles(roles[p]))
             for p in {line.principal for line in held.values()}), key=lambda p: p.principal
        ))  # fmt: skip
        number, previous = (before.version + 1, before.name) if before else (1, None)
        payload = attestations.statement(
            "roster", {"allowed_signers": sha256(text)},
            roster.body(number, previous, 1, people, pins),
            Link("c" * 32, number, previous, previous), self.clock(), by.principal,
        )  # fmt: skip
        return attestations.sign(payload, by.key), text

    def admit(self, *who: Somebody, **more: Any) -> Roster:
        """The next version of the roster, sent by the registrar."""
        boss = self.people[BOSS]
        if not boss.token:
            boss.session()
        line, text = self.version(self.roster, boss, [*self.people.values(), *who], **more)
        boss.put(text)
        [result] = boss.sends(line)
        assert result["status"] == "accepted", result
        self.people |= {one.principal: one for one in who}
        self.roster = roster.read(attestations.unchecked(line), text)
        return self.roster

    def team(self, *principals: str) -> list[Somebody]:
        """The first person and others, enrolled by invitation, listed, with sessions."""
        if self.roster is None:
            assert self.first().status_code == 201
        new = [self.somebody(p) for p in principals if p not in self.people]
        for one in new:
            token = self.invitation(one.principal, *ROLES[one.principal]).token
            body = {"envelope": one.enrolment().decode(), "invite": token}
            answer = self.http.post("/v1/enrolments", json=body)
            assert answer.status_code == 201, answer.text
        self.admit(*new)
        return [self.people[p].session() for p in principals]


@contextmanager
def replica(of: Place) -> Iterator[Place]:
    """A second server over the same database."""
    settings = of.central.settings
    with place(settings.folder, database=settings.database, oidc=settings.oidc) as found:
        found.clock.seconds = of.clock.seconds
        found.roster, found.people = of.roster, of.people
        yield found


@contextmanager
def place(folder: Path, **settings: Any) -> Iterator[Place]:
    """A server that runs in this process."""
    clock = Clock()
    here = open_central(Settings(folder, **settings))
    here.clock = clock
    with TestClient(app(here), base_url=BASE) as http:
        yield Place(here, http, clock)
    here.close()


# --- a campaign that travels


def chunk(name: str) -> bytes:
    """A chunk as the server sees one: bytes."""
    return canonical({"dossier": {}, "population": name}) + b"\n"


@dataclass
class Published:
    """A campaign on the server, and its bytes."""

    digest: str
    chunks: dict[str, str]
    """Reviewer → digest of their chunk."""
    definition: str
    queues: str


def publish(owner: Somebody, *reviewers: str, seconds: tuple[str, ...] = ()) -> Published:
    """Open a campaign and publish it; the server must take both."""
    definition = owner.put(canonical({"name": secrets.token_hex(8)}))
    opened = owner.says("campaign", {"definition.json": definition}, {"population": {"count": 1}})
    digest = attestations.unchecked(opened).name
    made = {who: chunk(f"{digest} {who}") for who in reviewers}
    listed = [
        central.Chunk(owner.put(data), len(data), 1, who, bool(seconds))
        for who, data in made.items()
    ]
    listed.append(central.Chunk(owner.put(b"l" * 32), 32, 1, leaves="population"))
    queues = owner.put(central.queues(digest, seconds, listed))
    body = {"campaign": digest, "population": {"count": 1, "root": "0" * 64},
            "assignmentsRoot": "0" * 64}  # fmt: skip
    published = owner.says("publication", {"queues.jsonl": queues}, body)
    results = owner.sends(opened, published)
    assert [r["status"] for r in results] == ["accepted"] * 2, results
    return Published(digest, {w: sha256(data) for w, data in made.items()}, definition, queues)


def batch(who: Somebody, campaign: str | None, **more: Any) -> bytes:
    """A signed batch of decisions, its rows sent before it."""
    rows = more.pop("rows", None) or canonical({"item": secrets.token_hex(8)}) + b"\n"
    kind, file = more.pop("kind", "decisions"), more.pop("file", "decisions.jsonl")
    basis = {"campaign": campaign} if campaign else {"emergency": "leaked"}
    body = {"basis": basis, "count": 1, "root": merkle.EMPTY_ROOT}
    digest = more.pop("digest", None) or who.put(rows)
    return who.says(kind, {file: digest}, body, more.pop("ext", None), **more)
