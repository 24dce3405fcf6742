"""The workstation: one app over one workspace.

What it owns: the read connection of the UI thread, the writer thread, the sitting. What a crash
leaves behind: every draft that was shown without `…`, on the disk; a report of the crash without
any data in it; and a terminal that works.
"""

import contextlib
import gc
import importlib
import os
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, Key, Paste
from textual.message import Message
from textual.screen import Screen
from textual.worker import WorkerFailed

from passmuster import campaigns, config, policy, store
from passmuster.campaigns import Campaign
from passmuster.errors import MusterError
from passmuster.store import Database
from passmuster.tui import keymap, own
from passmuster.tui.desk import Desk
from passmuster.tui.screens._base import MusterScreen
from passmuster.tui.screens._list import ListScreen
from passmuster.tui.screens.review import ReviewScreen
from passmuster.tui.seconding import Seconding
from passmuster.tui.sitting import Sitting
from passmuster.tui.syncing_app import SyncingApp
from passmuster.tui.widgets.keys_bar import Key as KeyHint
from passmuster.tui.widgets.line_view import LINEAR
from passmuster.tui.widgets.text_line import TextLine
from passmuster.tui.writer import Job, Writer

CRASH_FILE = "crash.txt"


class Written(Message):
    """The writer has done a job, or could not."""

    def __init__(self, job: Job, error: MusterError | None) -> None:
        super().__init__()
        self.job, self.error = job, error


LATER = (
    "connectors", "inventory", "outcomes", "campaigns._signing", "tui.screens.details",
    "tui.screens.sign_off", "tui.screens.signed", "tui.screens.help",
)  # fmt: skip
"""Modules that the first decisions need and the first frame does not."""


def _load_later() -> None:
    for name in LATER:
        time.sleep(0.05)  # a key goes first
        importlib.import_module(f"passmuster.{name}")


class MusterApp(SyncingApp):
    """The workstation."""

    TITLE = "passmuster"
    CSS = """
    Screen { background: $background; color: $foreground; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+q", "quit", "quit", id="quit", tooltip="leave; drafts are kept", priority=True
        ),
        Binding("ctrl+z", "suspend_process", "suspend", id="suspend",
                tooltip="to the shell; fg comes back"),
        Binding("ctrl+p,ctrl+k", "command_palette", "palette", id="palette", show=False,
                tooltip="every action by name"),
        Binding("percent_sign", "toggle_read_only", "read only", id="read_only",
                key_display="%", tooltip="refuse every verb, or allow them again"),
    ]  # fmt: skip
    COMMAND_PALETTE_BINDING = "ctrl+p"

    def __init__(self, desk: Desk, campaign: Campaign | None) -> None:
        super().__init__()
        self.desk = desk
        self.db = store.open_(desk.folder, read_only=True)
        self.writer = Writer(desk.folder, self._report)
        self.sitting = Sitting(self.db, self.writer, desk.clock, desk.me)
        self._seconding: Seconding | None = None
        self.campaign = campaign
        self.read_only = desk.settings.read_only
        self.key_troubles = self._load_keys()
        self.theme_troubles = self.take_theme(desk.settings.theme, first=True)
        self.crash: str | None = None
        self.has_begun = False
        """Whether the first frame has been drawn."""
        self.processes: set[subprocess.Popen[str]] = set()
        """Work that goes on beside the screen, and ends with it."""

    @property
    def typing(self) -> TextLine | None:
        """The line that is being typed in on the screen that is seen."""
        return self.screen.typing if isinstance(self.screen, MusterScreen) else None

    def own_keys(self, shown: Sequence[KeyHint]) -> list[KeyHint]:
        """*shown* with the person's keys in place of ours."""
        known, theirs = keymap.known(), self.desk.settings.keys
        by_action = {known[i].action: theirs[i].split(",")[0] for i in self.own}
        return [k._replace(key=by_action.get(k.action, k.key)) for k in shown]

    def troubles(self) -> list[str]:
        """What is wrong with the person's settings, themes and keys, a line each."""
        return [*self.desk.settings.troubles, *self.theme_troubles, *self.key_troubles]

    def _load_keys(self) -> list[str]:
        """Put the person's keys in place of ours; what is wrong with them."""
        wanted, known = self._normalize_keymap(self.desk.settings.keys), keymap.ids()
        clashing = keymap.clashing(wanted)
        self.own = {i: k for i, k in wanted.items() if i in known and i not in clashing}
        self.set_keymap(self.own)
        return own.key_troubles(self.desk.settings.keys)

    def on_mount(self) -> None:
        """Start writing and show the first screen."""
        self.writer.start()
        if self.desk.settings.screen_reader:
            self.add_class(LINEAR)
            if self._driver is not None:  # Textual hides the cursor that a braille line follows
                self._driver.write("\x1b[?25h")
        if self.campaign is not None:
            self.push_screen(ReviewScreen(self.campaign))
        else:
            self.go(self._first_place())

    def on_ready(self) -> None:
        """All is laid out: after the next frame go on with what it need not wait for."""
        self.begin()

    def begin(self) -> None:
        """Begin after the next frame of the screen that is seen.

        To be said again when that is covered before it was drawn (somebody types ahead): what
        waits for a frame of a covered screen waits until it is seen again.
        """
        if not self.has_begun:
            self.call_after_refresh(self._begun)

    def _begun(self) -> None:
        if self.has_begun:
            return
        self.has_begun = True
        if not gc.isenabled():  # what was made so far is for the whole sitting, and no garbage
            gc.freeze()
            gc.enable()
        for screen in self.screen_stack:
            if isinstance(screen, ListScreen) and screen.AT_ONCE:
                screen.read_on()
        threading.Thread(target=_load_later, daemon=True).start()
        self.syncing.start(self.db)

    def _first_place(self) -> str:
        """Where one begins without a campaign: the guide, the campaigns, or what there is."""
        from passmuster.tui.screens import guide

        if guide.needed(self.db, self.desk.settings):
            return "guide"
        return "board" if campaigns.campaigns(self.db) else "inventory"

    def i_am(self, me: str) -> None:
        """The person has said who they are."""
        self.desk = replace(self.desk, me=me.lower())
        self.sitting.me = me.lower()
        self._seconding = None

    @property
    def seconding(self) -> Seconding:
        """What is said to other people's decisions in this sitting."""
        if self._seconding is None:
            self._seconding = Seconding(self.db, self.writer, self.desk.clock, self.desk.me)
        return self._seconding

    def use_settings(self, settings: config.Settings) -> None:
        """Settings were changed: take on those that can be taken on without a new start."""
        before, self.desk = self.desk.settings, replace(self.desk, settings=settings)
        self.key_troubles = self._load_keys()
        if settings.theme != before.theme and not self.colourless:
            self.theme_troubles = self.take_theme(settings.theme)
        if settings.read_only != before.read_only:
            self.read_only = settings.read_only
        if settings.me and settings.me.lower() != self.desk.me:
            self.i_am(settings.me)

    def action_help_quit(self) -> None:
        """ctrl+c ends many programs; here it says how."""
        if isinstance(self.screen, ListScreen):
            self.screen.say("ctrl+q quits; drafts are kept")

    def action_toggle_read_only(self) -> None:
        """Refuse every verb, or allow them again; what the settings forbid stays so."""
        firm = self.desk.settings.read_only
        self.read_only = firm or not self.read_only
        said = "read only: nothing can be decided until % is pressed again"
        if firm:
            said = "read only, as your settings or --read-only have it: leave to change that"
        elif not self.read_only:
            said = "decisions can be drafted again"
        if isinstance(self.screen, ListScreen):
            self.screen.say(said)

    def on_unmount(self) -> None:
        """Let the writer finish, then close."""
        for process in tuple(self.processes):
            process.terminate()  # all or nothing is what it does; nothing, then
        self.syncing.stop()
        self.writer.stop()
        self.db.close()

    def _report(self, job: Job, error: MusterError | None) -> None:
        self.post_message(Written(job, error))

    def on_written(self, message: Written) -> None:
        """Tell the sitting, then the screens."""
        told: list[Sitting | Seconding] = [self.sitting]
        for kept in [*told, *([self._seconding] if self._seconding else [])]:
            (kept.failed if message.error else kept.written)(message.job)
        for screen in self.screen_stack:
            if isinstance(screen, MusterScreen):
                screen.written(message.job.ids, message.error)

    async def on_event(self, event: Event) -> None:
        """Give a key to the line that is being typed in, else act on it, before the next one.

        Textual passes keys on through queues; what is typed fast would land in the wrong place
        (`widgets.text_line`). Screens of Textual's own, such as the palette, get theirs as ever.
        """
        if isinstance(event, Key | Paste) and not event.is_forwarded:
            screen = self.screen
            if isinstance(screen, MusterScreen) and await self._take(screen, event):
                return
        await super().on_event(event)

    async def _take(self, screen: MusterScreen[Any], event: Key | Paste) -> bool:
        line = screen.typing
        if isinstance(event, Paste):
            if line is not None:
                line.insert(event.text)
            else:
                screen.pasted(event.text)
            return True
        if line is not None and line.take(event.key, event.character):
            return True
        if await self._check_bindings(event.key, priority=True):
            return True
        return line is not None or await self._check_bindings(event.key)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Database]:
        """A connection for one worker; the UI thread has its own."""
        db = store.open_(self.desk.folder, read_only=True)
        try:
            yield db
        finally:
            db.close()

    def signing_key_mark(self) -> str | None:
        """The fingerprint of the key that will sign, as far as it can be known."""
        if self.desk.fingerprint:
            return self.desk.fingerprint
        from passmuster import keys

        me = self.desk.me.lower()
        found = (k for k in keys.listed(self.db) if k["principal"].lower() == me)
        return next((k["fingerprint"] for k in found if not k["replaced_by"]), None)

    def names(self, key: str, beginning: str) -> Sequence[str]:
        """Names that the filter's qualifier *key* could have as its value."""
        return policy.names(self.db, key, beginning)

    # places

    def open_campaign(self, campaign: Campaign) -> None:
        """Show the queue of another campaign; it becomes home."""
        while len(self.screen_stack) > 1 and not self.is_home(self.screen):
            self.pop_screen()
        if self.campaign is not None and self.campaign.id == campaign.id:
            return
        self.writer.flush()
        self.campaign = campaign
        self.sitting = Sitting(self.db, self.writer, self.desk.clock, self.desk.me)
        self._seconding = None
        self.switch_screen(ReviewScreen(campaign))

    def review_item(self, identity_id: int) -> bool:
        """Show the item of an identity in the queue; whether it is in it."""
        home = self.screen_stack[1]
        if not isinstance(home, ReviewScreen):
            return False
        found = campaigns.items_of(self.db, home.campaign.id, identity_id, self.desk.me)
        if not found:
            return False
        while len(self.screen_stack) > 2:
            self.pop_screen()
        home.show_item(found[0])
        return True

    def show_in_queue(self, item_id: int, campaign: Campaign) -> ReviewScreen | None:
        """Show an item in the queue of its campaign; the queue where its cursor is on it now, and
        None where it has to be read first.
        """
        if self.campaign is None or self.campaign.id != campaign.id:
            self.open_campaign(campaign)
            self.call_after_refresh(self.show_in_queue, item_id, campaign)
            return None
        while len(self.screen_stack) > 2:
            self.pop_screen()
        home = self.screen_stack[-1]
        if not isinstance(home, ReviewScreen):
            return None
        home.show_item(item_id)
        return home if home.table.cursor_id == item_id else None

    def is_home(self, screen: Screen[Any]) -> bool:
        """Whether *screen* is the one that was opened first; leaving it is leaving the program."""
        return len(self.screen_stack) > 1 and self.screen_stack[1] is screen

    def go(self, name: str) -> None:
        """Go to the place of that name; what was open on top of home makes room for it."""
        module = importlib.import_module(f"passmuster.tui.screens.{name}")
        wanted = module.SCREEN
        while len(self.screen_stack) > 2:
            if isinstance(self.screen, wanted):
                return
            self.pop_screen()
        if not isinstance(self.screen, wanted):
            self.push_screen(wanted())

    # palette

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every action of the screen that can be reached by a key, and the themes."""
        seen = set()
        for node in (screen.focused, screen, self):
            for binding in node._bindings if node is not None else ():  # noqa: SLF001 - no other way
                bound = binding[1]
                if bound.tooltip and bound.id and bound.id not in seen:
                    seen.add(bound.id)
                    yield SystemCommand(
                        f"{bound.description}  ({bound.key_display or bound.key})",
                        bound.tooltip,
                        self._runner(node, bound.action),
                    )
        if not self.colourless:
            yield SystemCommand("theme", "choose other colours", self.action_change_theme)

    def _runner(self, node: object, action: str) -> Callable[[], None]:
        def run() -> None:
            self.call_later(self.run_action, action, node)

        return run

    # the end

    def _handle_exception(self, error: Exception) -> None:
        """End the app and say so in one line; Textual's own report prints local variables."""
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
            self.crash = self._keep_crash(error)
        self._close_messages_no_wait()

    def panic(self, *_renderables: object) -> None:
        """Textual ends so when a style sheet is wrong; nothing is printed."""
        self._return_code = 1
        self._close_messages_no_wait()

    def _keep_crash(self, error: Exception) -> str:
        """Write where it happened, without values, and return one line for the terminal."""
        if isinstance(error, WorkerFailed):  # what failed is what the worker did
            error = error.error if isinstance(error.error, Exception) else error
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
        lines = [f"{type(error).__name__} at {self.desk.clock()}"]
        lines += [f"  {f.filename}:{f.lineno} in {f.name}" for f in frames]
        path = self.desk.folder / CRASH_FILE
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as stream:
                stream.write("\n".join(lines) + "\n")
        return (
            f"the screen stopped ({type(error).__name__} at {place}); your drafts are kept. "
            f"A report without any of your data: {path}"
        )
