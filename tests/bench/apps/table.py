"""Our table alone, over the queue of a workspace: `python -m tests.bench.apps.table FOLDER`."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

os.environ.setdefault("TEXTUAL_FPS", "120")

from textual.app import App, ComposeResult
from textual.binding import BindingType

from passmuster import campaigns, resources, store
from passmuster.tui import queue_rows, themes
from passmuster.tui.widgets.line_table import LineTable, TableRow

NOW, ME = "2026-11-23T08:00:00Z", "rev@example.com"


class Bare(App[None]):
    BINDINGS: ClassVar[list[BindingType]] = [("percent_sign", "jump", "jump")]

    def __init__(self) -> None:
        super().__init__()
        for theme in themes.load([resources.folder("themes")])[0].values():
            self.register_theme(theme)
        self.theme = themes.DEFAULT
        self.db = store.open_(Path(sys.argv[1]), read_only=True)

    def rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        return {row.id: queue_rows.table_row(row, None, NOW, ME, waiting=False)
                for row in campaigns.rows(self.db, ids)}  # fmt: skip

    def compose(self) -> ComposeResult:
        yield LineTable(self.rows, queue_rows.columns)

    def on_mount(self) -> None:
        table = self.query_one(LineTable)
        table.set_rank(campaigns.rank(self.db, campaigns.campaign(self.db).id, ME))
        table.focus()

    def action_jump(self) -> None:
        table = self.query_one(LineTable)
        table.go_to(len(table.rank) * 63 // 100 + table.cursor % 997)

    def key_space(self) -> None:
        self.query_one(LineTable).toggle_mark()


if __name__ == "__main__":
    Bare().run()
