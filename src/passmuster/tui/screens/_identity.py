"""A list each of whose rows is about one identity; its dossier is made when it is looked at.

Nothing is decided here: the dossier is of this moment, and only a campaign's own is signed.
"""

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster import campaigns, policy
from passmuster.text import Json
from passmuster.tui.dossier import dossier_lines
from passmuster.tui.lines import Line, Span
from passmuster.tui.screens._stopping import Stopping
from passmuster.tui.sections import SHORT_BELOW, View
from passmuster.tui.widgets.keys_bar import Key

ELSEWHERE = "nothing is decided here: esc, then Q shows it in your queue"


class OfIdentities(Stopping):
    """A list of identities, or of something that each is of one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,right", "details", "details", id="details",
                tooltip="the whole evidence of this identity"),
        Binding("Q", "queue", "in my queue", id="queue",
                tooltip="go to this identity in the queue of the open campaign"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._held: tuple[int, Json | None] | None = None
        self._as_of: tuple[int, str] | None = None

    def identity_of(self, row_id: int) -> int | None:
        """The identity that a row is about."""
        return row_id

    def on_mount(self) -> None:
        """Remember of when the list is."""
        self._as_of = policy.listed_as_of(self.muster.db)

    def changed_outside(self) -> None:
        """Other rows only after an import or an evaluation; a draft changes none."""
        as_of = policy.listed_as_of(self.muster.db)
        if as_of != self._as_of:
            self._as_of = as_of
            self.show_look(self.look)

    def refresh_rows(self) -> None:
        """What is known of the identity may have changed too."""
        self._held = None
        super().refresh_rows()

    def dossier(self, row_id: int) -> Json | None:
        """Everything known of the identity of a row, as of now: keyed look-ups."""
        identity_id = self.identity_of(row_id)
        if identity_id is None:
            return None
        if self._held is None or self._held[0] != identity_id:
            made = [d for _, d in campaigns.dossiers(self.muster.db, [identity_id])]
            self._held = (identity_id, made[0] if made else None)
        return self._held[1]

    def to_stop(self) -> Json | None:
        """The identity under the cursor."""
        row_id = self.table.cursor_id
        return None if row_id is None else self.dossier(row_id)

    def evidence(self, row_id: int, *, full: bool = False) -> Callable[[int], list[Line]]:
        """Its dossier, drawn as in the queue."""
        dossier, now, old_days = self.dossier(row_id), self.desk.clock(), self.desk.old_days
        if dossier is None:
            return lambda _: [[Span("it is no longer in the inventory", "dim")]]
        beside = campaigns.around(self.muster.db, dossier)

        def make(width: int) -> list[Line]:
            short = not full and self.pane.size.height < SHORT_BELOW
            view = View(width, now, full, old_days, short, verbs=False)
            return dossier_lines(dossier, view, beside=beside)

        return make

    def action_details(self) -> None:
        """The whole evidence on a screen of its own."""
        from passmuster.tui.screens.details import DetailsScreen

        if (row_id := self.table.cursor_id) is not None:

            def handed(verb: str | None) -> None:
                if verb is not None:  # of the row that was read: the cursor may be elsewhere by now
                    self.stop_this(self.dossier(row_id))

            self.app.push_screen(
                DetailsScreen(self.evidence(row_id, full=True), self.dossier(row_id), ("stop",),
                              why_not=ELSEWHERE), handed,
            )  # fmt: skip

    def action_queue(self) -> None:
        """Go to where this identity is decided."""
        row_id = self.table.cursor_id
        identity_id = None if row_id is None else self.identity_of(row_id)
        if identity_id is not None and not self.muster.review_item(identity_id):
            self.say("it is not in your queue of the open campaign", "error")

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        there = [Key("enter", "details", "details"), Key("Q", "in my queue", "queue", True)]
        return [*(there if self.table.rank else []), *super().hints()]
