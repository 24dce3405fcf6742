"""The evidence of an item, read and drawn before somebody asks for it.

Going through a queue one goes to the next row, again and again. While nothing else is to be done,
its dossier is read and its lines are made, so that the press has only to show them. What is kept
is of a few items, for a short time, and forgotten with the first change in the workspace.
"""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple

from textual.timer import Timer

from passmuster import campaigns
from passmuster.campaigns import Around
from passmuster.errors import MusterError
from passmuster.text import Json
from passmuster.tui.lines import Line
from passmuster.tui.screens._parts import Parts

if TYPE_CHECKING:
    from passmuster.campaigns import Countersigned

SOON_S = 0.02
"""After a press, in seconds: its frame is on the screen by then, and the next press not yet."""
MOST_KEPT = 16
"""Items."""


class Known(NamedTuple):
    """What is known of an item."""

    dossier: Json
    around: Around
    """Today, beside its frozen evidence."""
    seconds: "tuple[Countersigned, ...]" = ()
    """What second persons said to its decision."""


class Ahead(Parts):
    """Keeps what is known of the items around the cursor."""

    _known: dict[int, Known]
    _lines: dict[Hashable, list[Line]]
    _soon: Timer
    _from = -1
    """The place that the cursor was at before."""
    _way = 1
    """Whether one goes down the list or up."""

    def on_mount(self) -> None:
        """Nothing is known yet."""
        self._known, self._lines = {}, {}
        self._soon = self.set_interval(SOON_S, self._look_ahead, pause=True)

    def drawn(
        self, item_id: int, known: Known, *, full: bool = False
    ) -> Callable[[int], list[Line]]:
        """A function from a width to the lines of the item."""
        raise NotImplementedError

    def known(self, item_id: int) -> Known:
        """What is known of an item; raises MusterError when its evidence cannot be read."""
        if item_id not in self._known:
            if len(self._known) >= MOST_KEPT:
                self.forget_known()
            dossier = campaigns.item_dossier(self.muster.db, item_id)
            self._known[item_id] = Known(
                dossier, campaigns.around(self.muster.db, dossier),
                campaigns.said_on(self.muster.db, item_id),
            )  # fmt: skip
        return self._known[item_id]

    def forget_known(self) -> None:
        """Read everything again when it is asked for."""
        self._known.clear()
        self._lines.clear()

    def kept(self, key: Hashable, make: Callable[[], list[Line]]) -> list[Line]:
        """The lines of *key*, made once."""
        if key not in self._lines:
            if len(self._lines) >= MOST_KEPT:
                self._lines.clear()
            self._lines[key] = make()
        return self._lines[key]

    def refresh_rows(self) -> None:
        """What is known may be out of date too."""
        self.forget_known()
        super().refresh_rows()

    def look_ahead_soon(self) -> None:
        """When the frame is there, make ready for another step the same way."""
        place = self.table.cursor
        self._way = -1 if place < self._from else 1
        self._from = place
        self._soon.reset()
        self._soon.resume()

    def _look_ahead(self) -> None:
        self._soon.pause()
        place = self.table.cursor + self._way
        if not 0 <= place < len(self.table.rank) or not self.pane.size.width:
            return
        item_id = self.table.rank[place]
        try:
            lines = self.drawn(item_id, self.known(item_id))(self.pane.inner_width)
        except MusterError:
            return  # told when one comes there
        self.pane.draw_ahead(lines)
