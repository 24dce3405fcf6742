"""Textual's own table with so many rows: what one would have without writing one."""

import os
import sys

os.environ.setdefault("TEXTUAL_FPS", "120")

from textual.app import App, ComposeResult
from textual.widgets import DataTable

COLUMNS = ("RISK", "IDENTITY", "KIND", "SOURCE", "OWNER", "LAST USE", "DECISION")


class Tabled(App[None]):
    def compose(self) -> ComposeResult:
        yield DataTable[str](cursor_type="row")

    def on_mount(self) -> None:
        table: DataTable[str] = self.query_one(DataTable)
        table.add_columns(*COLUMNS)
        for n in range(int(sys.argv[1])):
            table.add_row(str(n % 100), f"user-{n:07d}", "service", "aws-1111", "none", "3 y", "")
        table.focus()


if __name__ == "__main__":
    Tabled().run()
