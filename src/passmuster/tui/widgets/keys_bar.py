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
    spare: bool = False
    """Left out where there is no room for all; the palette and the help have it."""

    @property
    def width(self) -> int:
        """Cells with the space after it."""
        return cell_len(self.key) + cell_len(self.word) + 3


class KeysBar(LineBar):
    """One line of keys."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._spots: list[tuple[int, int, str]] = []

    def show_keys(self, keys: Sequence[Key], width: int) -> None:
        """Show *keys*, without spare ones where the width or nine are too few for all."""
        shown = list(keys)
        while len(shown) > MOST or (len(shown) > 1 and sum(k.width for k in shown) > width):
            spare = [k for k in shown if k.spare]
            shown.remove(spare[0] if spare else shown[-2])
        line: Line = [Span(" ")]
        self._spots, at = [], 1
        for key in shown:
            line += [Span(key.key, "accent"), Span(f" {key.word}  ", "dim")]
            self._spots.append((at, at + key.width - 2, key.action))
            at += key.width
        self.show(line)

    async def on_click(self, event: Click) -> None:
        """Do what the key does."""
        for start, end, action in self._spots:
            if start <= event.x < end and action:
                await self.screen.run_action(action)
