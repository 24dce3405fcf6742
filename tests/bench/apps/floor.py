"""The floor: the least that a Textual app can do at a key. Never tuned."""

import os
from typing import ClassVar

os.environ.setdefault("TEXTUAL_FPS", "120")  # as the workstation has it

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.widgets import Static


class Floor(App[None]):
    n = 0
    BINDINGS: ClassVar[list[BindingType]] = [
        ("down", "next", "next"), ("pagedown", "next", "next"), ("end", "next", "next"),
        ("home", "next", "next"), ("space", "next", "next"), ("a", "next", "next"),
    ]  # fmt: skip

    def compose(self) -> ComposeResult:
        yield Static("READY user-0")

    def action_next(self) -> None:
        self.n += 1
        self.query_one(Static).update(str(self.n))


if __name__ == "__main__":
    Floor().run()
