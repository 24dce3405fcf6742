"""The sync beside the screen: one thread with a connection of its own, which nothing waits for.

It syncs when the workstation has begun, a while after each sign-off, every few minutes, and when a
person asks. By itself it uses the signing key only where that asks nobody anything: a passphrase
or a touch is asked for when a person starts the sync. A session that is once open is used until it
ends; no key is kept for longer than the sync that it was given for.
"""

import contextvars
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from passmuster import store
from passmuster.errors import Conflict, KeyUnavailable, MusterError, Unreachable
from passmuster.store import Database
from passmuster.tui.desk import Desk

if TYPE_CHECKING:
    from passmuster.keys import SigningKey, Talk
    from passmuster.sync import Report, State

BUSY_S = 5.0
"""After another program was found syncing this workspace."""
FIRST_S = 0.5
"""After the first frame: the first keys go before it."""
LOOK_S = 3600.0
"""It looks around after so long at most."""
STOP_S = 2.0
"""How long the end of the program waits for a sync to come to its next step."""


class Standing(NamedTuple):
    """Where the sync stands, for the status line."""

    state: "State"
    doing: tuple[str, int, int | None] | None = None
    """What is done now, how many, of how many; None while nothing is."""
    locked: bool = False
    """Whether it waits for a person, because the signing key would ask for something."""


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a sync that a person started."""

    words: str
    failed: bool = False


class _Ended(MusterError):
    """The program ends: the sync goes on the next time."""


def _refuse(words: str) -> Any:
    raise KeyUnavailable(f"{words}: nobody was asked")


def silent() -> "Talk":
    """A key that would ask or wait for something is not to be had through this."""
    from passmuster.keys import Talk

    return Talk(_refuse, _refuse)


@dataclass
class Syncing:
    """The thread; *changed* is called in it when there is something new to show."""

    desk: Callable[[], Desk]
    allowed: Callable[[], bool]
    """Asked before each sync: a workstation that is read only sends and takes nothing."""
    changed: Callable[[Told | None], None]
    more: dict[str, Any] = field(default_factory=dict)
    """For the `Caller`: another way than the network."""
    standing: Standing | None = None
    """None until it was read, and where there is no central log."""
    _turn: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _due: float = 0.0
    _not_before: float = 0.0
    _failed: int = 0
    _look: bool = True
    _asked: "Talk | None" = None
    _key: "SigningKey | None" = None
    """That has just signed: good for opening one session without asking again."""
    _talk: "Talk | None" = None
    """Of whoever asked for the sync that runs."""
    _caller: Any = None
    """The one of this thread, whose session is used until it ends."""
    _ended: bool = False

    # what the screens call: none of it waits

    def start(self, db: Database) -> None:
        """Begin, if this workspace has a central log."""
        if self._thread is None and db.one("SELECT 1 FROM central") is not None:
            inside = contextvars.copy_context().run  # a key that asks looks for the app in it
            self._thread = threading.Thread(
                target=inside, args=(self._run,), name="muster-sync", daemon=True
            )
            self._thread.start()

    @property
    def runs(self) -> bool:
        """Whether there is a central log to sync with."""
        return self._thread is not None

    def look(self) -> None:
        """Somebody has written: read anew where the sync stands."""
        self._wake(_look=True)

    def now(self, talk: "Talk") -> None:
        """Sync now, because a person wants it: the key may ask them."""
        self._wake(_asked=talk, _not_before=0.0)

    def soon(self, key: "SigningKey | None" = None) -> None:
        """After a sign-off: sync when the time is over in which it is held back."""
        held = time.monotonic() + self.desk().settings.sync_hold_s
        self._wake(_key=key, _not_before=held, _due=held, _failed=0, _look=True)

    def hold(self) -> None:
        """What was signed last is being corrected: hold it back once more."""
        held = time.monotonic() + self.desk().settings.sync_hold_s
        self._wake(_not_before=max(held, self._not_before))

    def stop(self) -> None:
        """End after the step that is being done."""
        self._wake(_ended=True)
        if self._thread is not None:
            self._thread.join(STOP_S)

    def _wake(self, **what: Any) -> None:
        with self._turn:
            for name, value in what.items():
                setattr(self, name, value)
            self._turn.notify()

    # the thread

    def _run(self) -> None:
        try:
            db = store.open_(self.desk().folder)
        except (MusterError, store.SqliteError):
            return  # the screen says it where it matters
        self._due = time.monotonic() + FIRST_S
        try:
            while not self._ended:
                talk, look, due = self._wait()
                if look:
                    self._show(db)
                if (talk or due) and not self._ended:
                    self._sync(db, talk)
        finally:
            if self._caller is not None:
                self._caller.close()
            db.close()

    def _wait(self) -> "tuple[Talk | None, bool, bool]":
        """(who asks, whether to look, whether it is time) as soon as one of them is so."""
        with self._turn:
            while True:
                left = max(self._due, self._not_before) - time.monotonic()
                if not self.desk().settings.sync_every_s:
                    left = LOOK_S  # only when a person asks
                if self._ended or self._asked or self._look or left <= 0:
                    break
                self._turn.wait(min(left, LOOK_S))
            talk, look = self._asked, self._look
            self._asked, self._look = None, False
            return talk, look, left <= 0

    def _show(self, db: Database, told: Told | None = None, *, locked: bool | None = None) -> None:
        from passmuster import sync

        was = self.standing
        if locked is None:
            locked = was is not None and was.locked
        try:
            self.standing = Standing(sync.state(db), None, locked)
        except (MusterError, store.SqliteError):
            return  # shown again when it can be read
        if told or self.standing != was:
            self.changed(told)

    def _sync(self, db: Database, talk: "Talk | None") -> None:
        self._due = time.monotonic() + self.desk().settings.sync_every_s
        key = self._key
        if not self.allowed():
            if talk:
                self._show(db, Told("read only: nothing is sent or taken until % allows it", True))
            return
        told, locked = self._once(db, talk)
        with self._turn:
            if self._key is key:
                self._key = None
        if not self._ended:
            wanted = talk is not None and not talk.called_off()
            self._show(db, told if wanted else None, locked=locked)

    def _once(self, db: Database, talk: "Talk | None") -> tuple[Told, bool]:
        """Sync; what to tell whoever asked for it, and whether the key was wanting."""
        locked = failed = True
        try:
            said = self._synced(db, talk).words
        except KeyUnavailable as error:
            said = str(error)
        except (MusterError, store.SqliteError, OSError) as error:
            locked, said = False, store.refusal(error) or str(error)
            self._later(error)
        else:
            locked = failed = False
            self._failed = 0
        return Told(said, failed), locked

    def _later(self, error: Exception) -> None:
        """When to try again, after what passes by itself; anything else waits its turn."""
        from passmuster import sync

        if isinstance(error, Conflict):
            self._due = time.monotonic() + BUSY_S
        elif isinstance(error, Unreachable) and error.again:
            self._failed += 1
            self._due = time.monotonic() + sync.pause_s(self._failed, error)

    def _synced(self, db: Database, talk: "Talk | None") -> "Report":
        from passmuster import note, sync
        from passmuster.transport import Patience

        desk = self.desk()
        ca = desk.settings.central_ca
        witnesses = tuple(map(note.parse_key, desk.settings.witnesses))
        self._talk = talk
        if self._caller is None:
            patience = {"patience": Patience(tries=2, total_s=5.0)}
            self._caller = sync.speak(
                db, self._signer, Path(ca).expanduser() if ca else None, **(patience | self.more)
            )
        work = sync.Work(
            db, self._caller, desk.me, desk.clock, witnesses,
            desk.settings.witness_quorum if witnesses else 0,
            progress=self._progress, before=lambda _: self._go_on(),
        )  # fmt: skip
        return sync.sync(work)

    def _signer(self) -> "SigningKey":
        return self._key or self.desk().signer(self._talk or silent())

    def _go_on(self) -> None:
        if self._ended:
            raise _Ended("the program ends")

    def _progress(self, doing: str, done: int, of: int | None) -> None:
        self._go_on()
        if self.standing is not None and (of is None or done < of):
            self.standing = self.standing._replace(doing=(doing, done, of))
            self.changed(None)
