"""The footer: the keys that make sense now, at most nine; each can be clicked."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from textual.events import Click

from passmuster.tui.lines import Line, Span
from passmuster.tui.widgets.line_view import LineBar

MOST = 9


class Key(NamedTuple):
    """A key as it is shown, what it does in a word, and the action of the screen."""

    key: str
    word: str
    action: str


class KeysBar(LineBar):
    """One line of keys."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._spots: list[tuple[int, int, str]] = []

    def show_keys(self, keys: Sequence[Key], width: int) -> None:
        """Show as many of *keys* as fit; what comes first is what matters most."""
        line: Line = [Span(" ")]
        self._spots, at = [], 1
        for key in keys[:MOST]:
            size = cell_len(key.key) + 1 + cell_len(key.word)
            if at + size > width - 1:
                break
            line += [Span(key.key, "accent"), Span(f" {key.word}  ", "dim")]
            self._spots.append((at, at + size, key.action))
            at += size + 2
        self.show(line)

    async def on_click(self, event: Click) -> None:
        """Do what the key does."""
        for start, end, action in self._spots:
            if start <= event.x < end:
                await self.screen.run_action(action)
