"""The floor: the least that a Textual app can do at a key. Never tuned."""

import os

os.environ.setdefault("TEXTUAL_FPS", "120")  # as the workstation has it

from textual.app import App
from textual.widgets import Static


class Floor(App):
    n = 0
    BINDINGS = [
        ("down", "next", "next"), ("pagedown", "next", "next"), ("end", "next", "next"),
        ("home", "next", "next"), ("space", "next", "next"), ("a", "next", "next"),
    ]  # fmt: skip

    def compose(self):
        yield Static("READY user-0")

    def action_next(self):
        self.n += 1
        self.query_one(Static).update(str(self.n))


if __name__ == "__main__":
    Floor().run()
