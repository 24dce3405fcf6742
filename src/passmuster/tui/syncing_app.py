"""The app, as far as it syncs: what the thread beside it tells is shown on the open list."""

from textual.message import Message

from passmuster.tui.desk import Desk
from passmuster.tui.screens._list import ListScreen
from passmuster.tui.syncing import Syncing, Told
from passmuster.tui.themed import ThemedApp


class Stood(Message):
    """The sync has come further, or has ended."""

    def __init__(self, told: Told | None) -> None:
        super().__init__()
        self.told = told


class SyncingApp(ThemedApp):
    """An app with a sync beside it."""

    desk: Desk
    read_only: bool

    def __init__(self) -> None:
        super().__init__()
        self.syncing = Syncing(lambda: self.desk, lambda: not self.read_only, self._stands)

    def _stands(self, told: Told | None) -> None:
        """Called in the thread that syncs."""
        self.post_message(Stood(told))

    def on_stood(self, message: Stood) -> None:
        """Show where the sync stands, and what became of the one that a person started."""
        screen = self.screen
        if isinstance(screen, ListScreen):
            if message.told is not None:
                screen.say(message.told.words, "error" if message.told.failed else "plain")
            screen.redraw_bars()
