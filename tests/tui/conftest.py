"""A workspace with a review to do, made through the real import and the real opening.

Fourteen identities of a platform of the tests' own that calls itself AWS, so that stops have
lines to run; among them one whose names attack the terminal.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from passmuster import campaigns, config, connectors, inventory, keys, policy, store, tlog
from passmuster.campaigns import Campaign
from passmuster.config import Settings
from passmuster.connectors import Format
from passmuster.errors import WrongPassphrase
from passmuster.keys import Passphrase, SigningKey
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Owner,
    Person,
    Record,
    Sighting,
    Source,
    Trust,
    Usage,
)  # fmt: skip
from passmuster.tui.app import MusterApp
from passmuster.tui.desk import Desk
from passmuster.tui.lines import plain
from passmuster.tui.screens._base import MusterScreen
from passmuster.tui.screens.review import ReviewScreen
from passmuster.tui.widgets.line_view import LineBar, LineView
from tests.terminal import PATIENCE_S

if TYPE_CHECKING:
    from tests.sync.town import Plan
    from tests.tui.central import Seat

NOW = "2026-11-23T08:00:00Z"
ME = "rev@example.com"
ACCOUNT = "111122223333"
HOSTILE = "evil\x1b]52;c;aGk=\x07\x1b[2J[/]x[@click=app.quit]go[/]\u202egnp.exe"
PLAIN = [f"batch-{n:02}" for n in range(1, 9)]


def arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


def user(name: str, **values: Any) -> Identity:
    base: dict[str, Any] = {
        "status": "enabled", "created_at": "2021-03-02T10:00:00Z", "nhi_detail": "aws.iam_user",
        "environment": "prod", "last_used_state": "known", "last_used_at": "2026-11-20T08:00:00Z",
    }  # fmt: skip
    return Identity(arn(name), None, name, "service", **{**base, **values})


def access_key(name: str, number: int, **values: Any) -> Credential:
    base: dict[str, Any] = {
        "hint": f"Q7{number}X", "status": "enabled", "created_at": "2023-08-01T08:00:00Z",
        "expires_state": "none", "last_used_state": "known", "last_used_at": "2025-10-07T08:00:00Z",
    }  # fmt: skip
    return Credential(
        arn(name), f"AKIAIOSFODNN7EXAMQ7{number}X", "static_secret", "aws.access_key",
        f"AKIA{number}", **{**base, **values},
    )  # fmt: skip


def records(*_: object) -> Iterator[Record]:
    """What the tests' own platform says."""
    yield Source("register", "people")
    yield Person("p1", "jane@example.com", "Jane Okafor", aliases='["jane","platform"]')
    yield Person("p2", "gone@example.com", "Gus Gone", active=0, left_at="2026-03-31T00:00:00Z")
    yield Source("aws", ACCOUNT, "aws-prod")
    yield user("ci-deploy", last_used_at="2025-10-07T08:00:00Z", purpose="deploys the shop",
               created_by=arn("jane"))  # fmt: skip
    for number in (1, 2):
        yield access_key("ci-deploy", number)
    yield Entitlement("admin", "AdministratorAccess", permission_level="admin",
                      level_reason="Allow * on *", scope=ACCOUNT)  # fmt: skip
    yield Grant(arn("ci-deploy"), "admin")
    yield Owner(arn("ci-deploy"), "nobody-known", evidence="tag team=nobody-known")
    yield Sighting(arn("ci-deploy"), "leak", "github.com/example-org/shop", "2026-11-01T00:00:00Z")
    yield user("vendor-etl", last_used_state="never", last_used_at=None)
    yield Trust(arn("vendor-etl"), "arn:aws:iam::999999999999:root", "account", "assume_role",
                is_external=1)  # fmt: skip
    yield access_key("vendor-etl", 3)
    yield user("payments")
    yield Owner(arn("payments"), "jane", evidence="tag owner=jane")
    yield Usage(arn("payments"), "settlement", "workload", "env", "prod", "2026-11-22T08:00:00Z")
    yield user("left-behind", last_used_state="not_tracked", last_used_at=None)
    yield Owner(arn("left-behind"), "gone@example.com", evidence="tag owner=gone")
    yield Identity(arn("hostile"), None, HOSTILE, "service", status="enabled",
                   purpose="[bold]not bold[/]\x9b31m", last_used_state="unknown")  # fmt: skip
    yield Owner(arn("hostile"), "a\u200bb\x1b]0;owned\x07", evidence="[/]tag")
    for name in PLAIN:
        yield user(name)


FORMAT = Format("tests.rows", "rows", lambda _: True, records, "none", keeps_raw=True,
                supplies=("credential", "grant", "trust", "usage", "consumer", "owner", "person",
                          "sighting"))  # fmt: skip


@dataclass
class Review:
    """A review, and the means to look at it from outside the screen."""

    folder: Path
    campaign: Campaign
    key: SigningKey
    settings: Settings = field(default_factory=lambda: Settings(me=ME))
    passphrase: bytes | None = None
    """When set, the signer asks for it."""

    def signer(self, ask: Passphrase) -> SigningKey:
        if self.passphrase is not None and ask() != self.passphrase:
            raise WrongPassphrase("the passphrase does not open the key file")
        return self.key

    def app(self) -> MusterApp:
        return MusterApp(
            Desk(self.folder, ME, self.signer, self.settings, lambda: NOW, self.key.fingerprint),
            self.campaign,
        )  # fmt: skip

    def rows(self, sql: str, *args: object) -> list[tuple[Any, ...]]:
        db = store.open_(self.folder)
        try:
            found: list[tuple[Any, ...]] = db.execute(sql, args).fetchall()
            return found
        finally:
            db.close()

    def drafts(self) -> dict[str, str]:
        """Verdict of each draft by the name of its identity."""
        return dict(self.rows(
            "SELECT y.display_name, d.verdict FROM draft d JOIN item i ON i.id = d.item_id"
            " JOIN identity y ON y.id = i.identity_id"
        ))  # fmt: skip

    def decisions(self) -> dict[str, str]:
        """Verdict of each signed row by the name of its identity."""
        return dict(self.rows(
            "SELECT y.display_name, d.verdict FROM decision d"
            " JOIN identity y ON y.id = d.identity_id ORDER BY d.entry_id"
        ))  # fmt: skip


@pytest.fixture(autouse=True)
def attentive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pilot notice in 5 ms, not in 20, that the program has come to rest.

    It asks four times and more for each key, and asks by CPU time; `settle` asks the workers, the
    writer and every widget's queue besides.
    """
    monkeypatch.setattr("textual._wait.SLEEP_GRANULARITY", 0.005)
    monkeypatch.setattr("textual._wait.SLEEP_IDLE", 0.0005)


@pytest.fixture(scope="session")
def snapshot_folder() -> str | None:
    """Where the snapshot plug-in keeps its notes; `own_world` takes all of Textual's variables."""
    return os.environ.get("TEXTUAL_SNAPSHOT_TEMPDIR")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """The workspace of `review`, made once for each estate; each test gets a copy of its file."""
    made: dict[tuple[str, ...], Path] = {}

    def get() -> Path:
        estate = tuple(PLAIN)
        if estate not in made:
            made[estate] = _prepare(tmp_path_factory.mktemp("review"))
        return made[estate]

    return get


def _prepare(base: Path) -> Path:
    folder = base / "workspace"
    db = store.create(folder)
    path = base / "rows.txt"
    path.write_bytes(b"rows\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connectors, "named", lambda _: FORMAT)
        inventory.import_file(db, path, now="2026-11-22T08:00:00Z", by=ME, format_name=FORMAT.name)
    policy.evaluate(db, config.Settings(), NOW)
    tlog.enrol(db, the_key(), NOW)
    wanted = campaigns.Definition("November service accounts", "2026-12-01", ME, fallback=ME)
    campaigns.open_campaign(db, wanted, the_key(), config.Settings(), NOW)
    db.close()
    return folder


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> "Plan":
    """A town in which a campaign has been published, and has come to its reviewer."""
    pytest.importorskip("starlette", reason="passmuster[server] is not installed")
    from tests.sync.town import plan, town
    from tests.tui.central import open_campaign

    folder = tmp_path_factory.mktemp("published")
    begun = plan(folder, synced=False)
    with town(folder, None, begun.keys) as found:
        (folder / "files").mkdir()
        open_campaign(found, folder / "files")
    return begun


@pytest.fixture
def seat(
    published: "Plan", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_world: None,
    snapshot_folder: str | None,
) -> "Iterator[Seat]":  # fmt: skip
    """The reviewer's workstation, which has synced before."""
    from passmuster.tui import syncing
    from tests.sync.town import built
    from tests.tui.central import Seat

    if snapshot_folder:
        monkeypatch.setenv("TEXTUAL_SNAPSHOT_TEMPDIR", snapshot_folder)
    monkeypatch.setattr(syncing, "FIRST_S", 0.0)
    with built(published, tmp_path / "town") as found:
        yield Seat(found)


def the_key() -> SigningKey:
    """The same in every run: its fingerprint is in a snapshot."""
    return keys.from_private(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), ME, "memory")


@pytest.fixture
def review(
    tmp_path: Path, prepared: Callable[[], Path], monkeypatch: pytest.MonkeyPatch,
    snapshot_folder: str | None, own_world: None,
) -> Review:  # fmt: skip
    """A review of fourteen items that has just been opened."""
    if snapshot_folder:
        monkeypatch.setenv("TEXTUAL_SNAPSHOT_TEMPDIR", snapshot_folder)
    folder = tmp_path / "workspace"
    shutil.copytree(prepared(), folder)
    db = store.open_(folder)
    opened = campaigns.campaign(db)
    db.close()
    return Review(folder, opened, the_key())


async def settle(pilot: Pilot[None]) -> None:
    """Until every thread has come to rest and the screen shows it."""
    app = pilot.app
    assert isinstance(app, MusterApp)
    ends = time.monotonic() + PATIENCE_S
    while not app.has_begun:
        assert time.monotonic() < ends, "the workstation did not begin"
        await pilot.pause()
    for _ in range(2):
        with contextlib.suppress(WorkerCancelled):  # a newer reading has taken its place
            await app.workers.wait_for_complete()
        await app.workers.wait_for_complete()
        app.writer.flush()
        await pilot.pause()


_STARTS_A_THREAD = ("dollar_sign", "s", "enter", "slash", "p", "exclamation_mark")


async def press(pilot: Pilot[None], *keys_: str) -> None:
    """Press *keys_* (`=words` are typed at once) and let everything settle."""
    for key in keys_:
        if key.startswith("="):
            screen = pilot.app.screen
            assert isinstance(screen, MusterScreen)
            assert screen.typing is not None
            screen.typing.insert(key[1:])
            await pilot.pause()
        else:
            await pilot.press(key)
        if key in _STARTS_A_THREAD:
            await settle(pilot)
    await settle(pilot)


def screen_of(pilot: Pilot[None]) -> ReviewScreen:
    """The main screen."""
    found = pilot.app.screen_stack[1]
    assert isinstance(found, ReviewScreen)
    return found


def at_cursor(pilot: Pilot[None]) -> str:
    """The name of the item under the cursor."""
    dossier = screen_of(pilot).dossier
    return "" if dossier is None else str(dossier["identity"]["display_name"])


def go_to(pilot: Pilot[None], name: str) -> None:
    """Put the cursor on the item of that name."""
    screen = screen_of(pilot)
    for row in campaigns.rows(screen.muster.db, screen.table.rank):
        if row.display_name == name:
            screen.table.go_to_id(row.id)


def painted(pilot: Pilot[None]) -> str:
    """Everything on the screen, as the text that goes to the terminal."""
    lines = []
    for widget in pilot.app.screen.walk_children(LineView):
        if widget.display:
            strips = widget.render_lines(widget.size.region)
            lines += ["".join(segment.text for segment in strip) for strip in strips]
    return "\n".join(lines)


def bar(pilot: Pilot[None], name: str) -> str:
    """One of the lines around the queue."""
    return "\n".join(plain(line) for line in pilot.app.screen.query_one(f"#{name}", LineBar).lines)
