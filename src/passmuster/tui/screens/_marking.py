"""Which rows a verb on many goes for: marks by hand, by range, by likeness and by pattern."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster.tui.screens._acting import Acting


class Marking(Acting):
    """Marks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "mark", id="mark", tooltip="mark for a verb on many"),
    ]  # fmt: skip

    def action_mark(self) -> None:
        """Mark the item, or take its mark away."""
        self.table.toggle_mark()
        self.redraw_bars()
