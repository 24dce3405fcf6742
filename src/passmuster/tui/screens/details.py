"""The whole evidence of one item, every row of every list."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from passmuster.tui.lines import Line
from passmuster.tui.screens._base import MusterScreen
from passmuster.tui.widgets.dossier_view import DossierView
from passmuster.tui.widgets.keys_bar import Key, KeysBar


class DetailsScreen(MusterScreen[None]):
    """Read and go back; nothing is decided here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,left,q,enter", "leave", "back", id="details.back", key_display="esc"),
    ]

    def __init__(self, make: Callable[[int], list[Line]]) -> None:
        super().__init__()
        self._make = make

    def compose(self) -> ComposeResult:
        """The evidence, and how to leave."""
        yield DossierView(id="pane")
        yield KeysBar(id="keys")

    def on_mount(self) -> None:
        """Fill it."""
        pane = self.query_one(DossierView)
        pane.show(self._make)
        pane.focus()
        self.query_one(KeysBar).show_keys(
            [Key("esc", "back", "leave"), Key("j/k", "scroll", ""), Key("space", "page on", "")],
            self.app.size.width,
        )

    def action_leave(self) -> None:
        """Back to the queue."""
        self.dismiss()
