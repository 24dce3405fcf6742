"""What a running server has in its hands: database, anchor, log key, settings, figures."""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from passmuster import text
from passmuster.errors import WorkspaceError
from passmuster.note import Note, VerifierKey
from passmuster.roster import Roster
from passmuster.server import _log
from passmuster.server._anchor import Ahead, Anchor
from passmuster.server._log import Head, LogKey
from passmuster.server._metrics import Metrics
from passmuster.server._store import Store, Tx, connect
from passmuster.text import strict_json

if TYPE_CHECKING:
    from passmuster.server._sequencer import Sequencer

T = TypeVar("T")
DATABASE, ANCHOR = "central.db", "anchor.db"
LOST = (
    f"copy {_log.KEY_FILE} from another replica or from the backup, with mode 600; where nobody has"
    " it any more, `muster serve recover --without-old-key` gives the log a new one"
)
"""What to do about a key that is not here, or is another log's."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What `muster serve` was told."""

    folder: Path
    database: str | None = None
    """`postgresql://…`, or a file; None: `central.db` in the folder."""
    anchor: str | None = None
    """The same; None: `anchor.db` in the folder."""
    witnesses: tuple[tuple[VerifierKey, str], ...] = ()
    """(key, URL)."""
    url: str | None = None
    """Under which address clients call it, where that is not what it sees itself (a proxy)."""
    oidc: dict[str, str] | None = None
    """issuer, client_id, audience; None: invitations only."""


def now() -> str:
    """The server's clock, as times are kept everywhere."""
    return text.rfc3339(datetime.now(UTC))


@dataclass(slots=True)
class Central:
    """One replica."""

    settings: Settings
    store: Store
    anchor: Anchor
    key: LogKey
    clock: Callable[[], str] = now
    metrics: Metrics = field(default_factory=Metrics)
    grown: asyncio.Condition = field(default_factory=asyncio.Condition)
    """Told when the log has grown here, and when the server stops."""
    growth: int = 0
    """How many times that was told."""
    size: int = 0
    """Of the log when it was told last."""
    packet: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a packet is taken: one at a time."""
    stopping: bool = False
    is_new: bool = False
    """Whether the log was begun by this start."""
    rosters_known: tuple[bytes | None, tuple[Roster, ...]] = (None, ())
    """(leaf of the newest roster, all of them): `_sequencer.rosters` keeps it."""
    _sequencer: "Sequencer | None" = None

    @property
    def sequencer(self) -> "Sequencer":
        """What appends records, one transaction for many requests."""
        from passmuster.server._sequencer import Sequencer

        if self._sequencer is None:
            self._sequencer = Sequencer(self)
        return self._sequencer

    async def read(self, ask: Callable[[Tx], T]) -> T:
        """What *ask* finds in one state of the database; in a thread."""

        def work() -> T:
            with self.store.reading() as tx:
                return ask(tx)

        return await run_in_threadpool(work)

    async def write(self, do: Callable[[Tx], T]) -> T:
        """Do *do* in one transaction of its own, never for records; in a thread."""

        def work() -> T:
            with self.store.transaction() as tx:
                return do(tx)

        return await run_in_threadpool(work)

    def anchored(self, head: Head) -> None:
        """Return once the anchor has *head*; where it contradicts, nothing is written any more."""
        try:
            self.anchor.raise_to(self.store, head)
        except Ahead as error:
            with self.store.transaction() as tx:
                _log.stop(tx, str(error))
            raise

    def told(self, head: Head) -> Note:
        """The checkpoint of *head*, once the anchor has it: nothing else may leave the server."""
        self.anchored(head)
        return self.key.sign(head.checkpoint)

    def newest(self) -> tuple[Head, str]:
        """The newest head that the anchor has, and its checkpoint with the witnesses' lines."""
        with self.store.reading() as tx:
            head = _log.head(tx)
            lines = _log.cosignatures(tx, head.origin, head.size)
        made = self.told(head)
        return head, str(Note(made.text, (*made.lines, *lines)))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the server serves: what appends, what looks for other replicas, what cleans up."""
        from passmuster.server import _chores

        tasks = [asyncio.create_task(work) for work in (
            self.sequencer.run(), _chores.watch(self), _chores.sweep(self), _chores.witness(self),
        )]  # fmt: skip
        try:
            yield
        finally:
            await self.stop_waiting()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def tell_grown(self, size: int) -> None:
        """Wake everybody who waits for something new: the log has *size* records."""
        self.growth += 1
        self.size = size
        async with self.grown:
            self.grown.notify_all()

    async def stop_waiting(self) -> None:
        """Let nobody wait any longer: the server is about to stop."""
        self.stopping = True
        await self.tell_grown(self.size)

    def close(self) -> None:
        """Close the files."""
        self.store.close()
        self.anchor.close()


def central_of(request: Request) -> Central:
    """The server that a request came to."""
    found: Central = request.app.state.central
    return found


def open_central(settings: Settings, *, begin: bool = True) -> Central:
    """Open the server's folder, or with *begin* begin a log in it.

    Raises WorkspaceError when others may enter it, its key is not the log's, or nothing is there
    and nothing is to be begun; `_anchor.Ahead` when the database was set back.
    """
    folder = settings.folder
    key_file = folder / _log.KEY_FILE
    if not begin and not (key_file.exists() or settings.database or (folder / DATABASE).exists()):
        raise WorkspaceError(
            f"{folder}: no log was begun here: give the --folder (and --database, --anchor) of "
            "the server, before the command"
        )
    _private(folder)
    store = connect(settings.database or folder / DATABASE)
    anchor = Anchor(settings.anchor or folder / ANCHOR)
    try:
        with store.reading() as tx:
            origin = tx.value("SELECT origin FROM head WHERE id = 1")
        is_new = origin is None
        if is_new and not begin:
            raise WorkspaceError("no log was begun in the database: give the right --database")
        if is_new:
            key = _first_key(key_file, anchor)
            with store.transaction() as tx:
                _log.found(tx, key)
        with store.reading() as tx:
            head = _log.head(tx)
            recovered = tx.value("SELECT note FROM recovery ORDER BY n DESC LIMIT 1")
        new = None if recovered is None else _of_next_epoch(folder, head, recovered)
        key = new or _key_of(key_file, head.origin)
        if head.verifier != str(key.verifier):
            raise WorkspaceError(f"{key_file}: not the key of the log in the database: {LOST}")
        anchor.raise_to(store, head)
    except BaseException:
        store.close()
        anchor.close()
        raise
    return Central(settings, store, anchor, key, is_new=is_new)


def _private(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise WorkspaceError(
            f"{folder} cannot be the server's folder: {error.strerror}: give another --folder"
        ) from None
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        if any(folder.iterdir()):
            raise WorkspaceError(f"{folder}: other users may enter it; run: chmod 700 {folder}")
        folder.chmod(0o700)


def _first_key(key_file: Path, anchor: Anchor) -> LogKey:
    """The key of a log that begins now; never where there was one that the anchor has seen."""
    with anchor.store.reading() as tx:
        size = tx.value("SELECT max(size) FROM anchor")
    if size:
        raise WorkspaceError(
            f"the database is empty, and the anchor has seen a log of {size} records: give the "
            "right --database, or restore it from a backup and see `muster serve recover --help`"
        )
    origin = _log.new_origin()
    if key_file.exists():
        return _log.load_key(key_file, origin)
    return _log.make_key(key_file, origin)


def _key_of(key_file: Path, origin: str) -> LogKey:
    if not key_file.exists():
        raise WorkspaceError(f"{key_file}: the log's key is not here: {LOST}")
    return _log.load_key(key_file, origin)


def _of_next_epoch(folder: Path, head: Head, recovered: str) -> LogKey | None:
    """The key that a recovery made, where it was killed before it could put it in its place."""
    pending = folder / _log.NEXT_KEY_FILE
    if not pending.exists():
        return None
    key = _log.load_key(pending, head.origin)
    if str(key.verifier) != head.verifier:
        return None
    finish_recovery(folder, str(strict_json(recovered.split("\n")[1].encode())["old_origin"]))
    return key


def finish_recovery(folder: Path, old_origin: str) -> None:
    """Put the key of the new epoch in its place; what was there is kept beside it."""
    key_file = folder / _log.KEY_FILE
    old = folder / f"log-{old_origin.rpartition('/')[2]}.key"
    if key_file.exists():
        old.touch(mode=0o600)
        old.write_bytes(key_file.read_bytes())
    (folder / _log.NEXT_KEY_FILE).rename(key_file)
