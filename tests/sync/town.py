"""Two desks and a central API in one process, joined by a wire that can be told to fail."""

import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from passmuster import attestations, blobs, roster, store, sync, tlog
from passmuster.attestations import Link
from passmuster.central import Limits
from passmuster.keys import SigningKey
from passmuster.roster import Line, Person
from passmuster.server import Central, Settings, _blobs, _sequencer, app, open_central
from passmuster.server._accept import Job, prepare
from passmuster.store import Database
from passmuster.sync import Work
from passmuster.text import epoch, from_epoch, sha256
from passmuster.transport import Caller, Patience
from tests.scene import key

with warnings.catch_warnings():  # it would rather have another release of httpx
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

URL = "http://127.0.0.1:8470"
BOSS, REV = "boss@example.com", "rev@example.com"
ROLES = {BOSS: ("registrar", "owner", "reviewer"), REV: ("reviewer",)}
SEEDS = {BOSS: 41, REV: 42}
AT = "2026-11-23T08:00:00Z"
Fate = Callable[[str, str], str]
"""(method, path) → what becomes of a request: ok, no_request, no_reply, twice, half."""


class Cut(httpx.ReadError):
    """The connection broke off."""


class Inside(httpx.BaseTransport):
    """The wire: requests go to the server in this process, as far as the fate allows."""

    def __init__(self, server: "Server", fate: Fate = lambda *_: "ok") -> None:
        self.server, self.fate = server, fate
        self.log: list[tuple[str, str, int]] = []
        self.bend: Callable[[str, bytes], bytes] = lambda _path, body: body
        """Changes answers on their way."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        path = request.url.raw_path.decode()
        fate = self.fate(request.method, path)
        if fate == "no_request":
            raise Cut("lost on the way there")
        answer = self._ask(request, body)
        if fate == "twice":
            self._ask(request, body)  # a proof is good once: what was seen is of no use to others
        data = b"".join(answer.iter_raw())
        self.log.append((request.method, path, answer.status_code))
        if fate == "no_reply":
            raise Cut("lost on the way back")
        headers = {k: v for k, v in answer.headers.items() if k != "transfer-encoding"}
        headers["content-length"] = str(len(data))
        data = self.bend(path, data)
        headers["content-length"] = str(len(data))
        if fate == "half":
            data = data[: len(data) // 2]
        return httpx.Response(answer.status_code, headers=headers, stream=httpx.ByteStream(data))

    def _ask(self, request: httpx.Request, body: bytes) -> httpx.Response:
        again = httpx.Request(
            request.method, request.url,
            headers=[(k, v) for k, v in request.headers.items() if k != "transfer-encoding"],
            content=body,
        )  # fmt: skip
        found: httpx.Response = self.server.http._transport.handle_request(again)
        return found


class Server:
    """A central API that can be stopped, copied, set back and started again."""

    def __init__(self, folder: Path, clock: Callable[[], str]) -> None:
        self.folder, self.clock = folder, clock
        self.start()

    def start(self, folder: Path | None = None) -> None:
        self.folder = folder or self.folder
        self.here: Central = open_central(Settings(self.folder))
        self.here.clock = self.clock
        self._client = TestClient(app(self.here), base_url=URL)
        self.http: Any = self._client.__enter__()

    def stop(self) -> None:
        self._client.__exit__(None, None, None)
        self.here.close()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """While nobody serves."""
        self.stop()
        yield
        self.start()

    def files(self) -> dict[str, bytes]:
        """A backup of everything that it has."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def put_back(self, files: dict[str, bytes], folder: Path | None = None) -> None:
        """Everything as it was in a backup; the server must be stopped."""
        folder = folder or self.folder
        folder.mkdir(mode=0o700, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for name, data in files.items():
            (folder / name).write_bytes(data)
            (folder / name).chmod(0o600)

    def backup(self) -> dict[str, bytes]:
        with self.stopped():
            return self.files()

    def take(self, *lines: bytes, blobs: tuple[bytes, ...] = ()) -> None:
        """Put records into the log without a request, the first roster too."""
        with self.here.store.transaction() as tx:
            for data in blobs:
                _blobs.keep(tx, data, self.clock())
        job = Job([prepare(line, {}) for line in lines], invited=True)
        [results], _ = _sequencer.append(self.here, [job])
        assert {r.status for r in results} == {"accepted"}, results

    @property
    def lines(self) -> list[bytes]:
        """Its log."""
        with self.here.store.reading() as tx:
            rows = tx.execute("SELECT line FROM record ORDER BY idx")
        return [bytes(row[0]) for row in rows]


@dataclass
class Clock:
    """Everybody's time."""

    seconds: int = epoch(AT)

    def __call__(self) -> str:
        return from_epoch(self.seconds)


@dataclass
class Desk:
    """A person's workspace."""

    folder: Path
    key: SigningKey
    clock: Clock
    wire: Inside
    limits: Limits = field(default_factory=Limits)
    witnesses: tuple[Any, ...] = ()
    quorum: int = 0
    slept: list[float] = field(default_factory=list)
    patience: Patience = field(default_factory=lambda: Patience(tries=3))
    before: Callable[[str], None] = lambda _step: None
    db: Database = field(init=False)

    def __post_init__(self) -> None:
        self.db = store.create(self.folder)
        tlog.enrol(self.db, self.key, self.clock())

    @property
    def me(self) -> str:
        return self.key.principal

    @property
    def enrolment(self) -> bytes:
        return tlog.enrolment(self.db, self.key.fingerprint)

    def says(self, word: str) -> bytes:
        """Sign something that every other desk may see."""
        payload = attestations.statement(
            "chain", {}, {"word": word}, tlog.next_link(self.db), self.clock(), self.me
        )
        envelope = attestations.sign(payload, self.key)
        with self.db.atomic():
            tlog.append(self.db, envelope, tlog.known_keys(self.db), None, self.clock())
        return envelope

    def next_roster(self, people: "list[Desk]") -> bytes:
        """As registrar, list them in the next version."""
        now = roster.current(self.db)
        assert now is not None
        link = Link("a" * 32, now.version + 1, now.name, now.name)
        made, text = a_roster(self, people, now.version + 1, link)
        tlog.enact(self.db, roster.as_draft(made, text), self.clock())
        return made

    @property
    def words(self) -> list[str]:
        """What was said, as far as this desk knows."""
        found = [attestations.unchecked(e.envelope) for e in tlog.entries(self.db)]
        return sorted(a.predicate["word"] for a in found if a.kind == "chain")

    def caller(self) -> Caller:
        return sync.speak(
            self.db, lambda: self.key, transport=self.wire, patience=self.patience,
            sleep=self.slept.append, draw=lambda: 0.0, wall=lambda: self.clock.seconds,
        )  # fmt: skip

    def work(self, **more: Any) -> Work:
        return Work(
            self.db, self.caller(), self.me, self.clock, self.witnesses, self.quorum, self.limits,
            **{"before": self.before, **more},
        )  # fmt: skip

    def sync(self) -> sync.Report:
        work = self.work()
        try:
            return sync.sync(work)
        finally:
            work.caller.close()

    def reopen(self) -> None:
        """As after the process has ended."""
        self.db.close()
        self.db = store.open_(self.folder)


@dataclass
class Town:
    """A server and two desks that are on its roster."""

    server: Server
    clock: Clock
    desks: dict[str, Desk]

    @property
    def boss(self) -> Desk:
        return self.desks[BOSS]

    @property
    def rev(self) -> Desk:
        return self.desks[REV]


def a_roster(who: Desk, desks: list[Desk], version: int, link: Link) -> tuple[bytes, bytes]:
    """(envelope, allowed_signers) of a roster that lists them all."""
    ends = f"2030-01-01T00:00:{59 - version:02}Z"  # so that no two versions have the same file
    lines = tuple(Line(d.me, " ".join(d.key.public.split()[:2]), None, ends) for d in desks)
    text = roster.written(lines)
    people = tuple(sorted(
        (Person(d.me, "person", roster.given_roles(ROLES[d.me])) for d in desks),
        key=lambda p: p.principal,
    ))  # fmt: skip
    payload = attestations.statement(
        "roster", {"allowed_signers": sha256(text)},
        roster.body(version, link.roster, 1, people, frozenset()), link, AT, who.me,
    )  # fmt: skip
    return attestations.sign(payload, who.key), text


def joined(town: Town, folder: str, held: SigningKey, *roles: str) -> Desk:
    """Another workspace of somebody, with a key that the registrar has listed; it has synced."""
    boss = town.boss
    made = Desk(boss.folder.parent / folder, held, town.clock, Inside(town.server))
    town.server.take(made.enrolment)
    boss.sync()
    person = Person(made.me, "person", roster.given_roles(roles))
    both = sync.list_them(boss.db, [(roster.possession(made.enrolment), person)], BOSS, AT)
    tlog.append_roster(boss.db, roster.signed(boss.db, both, boss.key), AT)
    roster.drop(boss.db)
    boss.sync()
    at = town.server.here.key
    tlog.pin(made.db, URL, at.origin, str(at.verifier), AT)
    with made.db.atomic():
        store.remember(made.db, sync.FIRST_ROSTER, roster.history(boss.db)[0].name)
    made.sync()
    return made


@dataclass
class Plan:
    """A town at rest: its files, and the keys of its people."""

    folder: Path
    keys: dict[str, SigningKey]


@contextmanager
def town(
    folder: Path, clock: Clock | None = None, held: dict[str, SigningKey] | None = None
) -> Iterator[Town]:
    """A server and desks whose people are enrolled and listed; begun, or of the files there."""
    clock, is_new = clock or Clock(), held is None
    server = Server(folder / "central", clock)
    wire = Inside(server)
    signing = held or {who: key(who, SEEDS[who]) for who in ROLES}
    desks = {who: Desk(folder / who.partition("@")[0], signing[who], clock, wire) for who in ROLES}
    if is_new:
        _begin(server, list(desks.values()))
    try:
        yield Town(server, clock, desks)
    finally:
        server.stop()
        for desk in desks.values():
            desk.db.close()


def _begin(server: Server, desks: list[Desk]) -> None:
    made, text = a_roster(desks[0], desks, 1, Link("a" * 32, 1, None, None))
    server.take(*(d.enrolment for d in desks), made, blobs=(text,))
    at = server.here.key
    for desk in desks:
        tlog.pin(desk.db, URL, at.origin, str(at.verifier), desk.clock())
        with desk.db.atomic():
            blobs.put(desk.db, text)
            tlog.take(desk.db, made, None, desk.clock(), attestations.unchecked(made).name)


def plan(folder: Path, *, synced: bool) -> Plan:
    """A town, with desks that have all that the server has or have never synced."""
    with town(folder) as made:
        for desk in made.desks.values() if synced else ():
            desk.sync()
    return Plan(folder, {who: desk.key for who, desk in made.desks.items()})


@contextmanager
def built(at: Plan, folder: Path) -> Iterator[Town]:
    """The town of a plan, with files of its own."""
    shutil.copytree(at.folder, folder, dirs_exist_ok=True)
    with town(folder, None, at.keys) as made:
        yield made
