"""A line to type in that takes keys in the very order in which they were pressed.

Textual moves the focus, and passes a key to the focused widget, through queues: of `a` `1` typed
fast the `1` would be lost, and a letter of a filter could act as a verb. So the app hands keys to
the open `TextLine` itself (`MusterApp.on_event`), at once, and the focus never moves.
"""

from collections.abc import Callable

from rich.cells import cell_len
from textual.geometry import Offset

from passmuster.tui.lines import Line, Span
from passmuster.tui.widgets.line_view import LineBar

MOST = 2_000
"""Characters."""


class TextLine(LineBar):
    """One line of text with a caret; its owner says what the keys mean beyond editing."""

    DEFAULT_CSS = "TextLine { height: 1; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.value, self.at, self._caret = "", 0, 0
        self.prompt, self.hint, self.secret = "", "", False
        self.changed: Callable[[str], None] = lambda _: None
        self.entered: Callable[[str], None] = lambda _: None
        self.left: Callable[[], None] = lambda: None
        self.completed: Callable[[str, int], tuple[str, int] | None] = lambda *_: None
        """Gives the text and the caret after a tab; None where there is nothing to complete."""

    def start(
        self, value: str = "", hint: str = "", *, secret: bool = False, prompt: str = " "
    ) -> None:
        """Begin with *value*, the caret at its end."""
        self.value, self.at, self.hint, self.secret = value, len(value), hint, secret
        self.prompt = prompt
        self.draw()

    def take(self, key: str, character: str | None) -> bool:
        """Do what *key* means here; whether it meant anything."""
        if key == "enter":
            self.entered(self.value)
        elif key == "escape":
            self.left()
        elif key == "tab":
            self._complete()
        elif character is not None and character.isprintable() and len(character) == 1:
            self.insert(character)
        else:
            return self._edit(key)
        return True

    def insert(self, text: str) -> None:
        """Put *text* (typed or pasted) in at the caret; what cannot be printed is left out."""
        text = "".join(c if c.isprintable() else " " * (c in "\n\r\t") for c in text)
        text = text[: MOST - len(self.value)]
        self._set(self.value[: self.at] + text + self.value[self.at :], self.at + len(text))

    def _complete(self) -> None:
        if found := self.completed(self.value, self.at):
            self._set(*found)

    def _edit(self, key: str) -> bool:
        value, at = self.value, self.at
        if key in ("backspace", "ctrl+h"):
            self._set(value[: max(0, at - 1)] + value[at:], max(0, at - 1))
        elif key == "delete":
            self._set(value[:at] + value[at + 1 :], at)
        elif key == "ctrl+u":
            self._set(value[at:], 0)
        elif key == "ctrl+w":
            kept = value[:at].rstrip().rpartition(" ")
            start = len(kept[0] + kept[1])
            self._set(value[:start] + value[at:], start)
        else:
            places = {"left": max(0, at - 1), "right": min(len(value), at + 1), "home": 0,
                      "ctrl+a": 0, "end": len(value), "ctrl+e": len(value)}  # fmt: skip
            if key not in places:
                return False
            self.at = places[key]
            self.draw()
        return True

    def _set(self, value: str, at: int) -> None:
        if value != self.value:
            self.value, self.at = value, at
            self.draw()
            self.changed(value)

    def draw(self) -> None:
        """Draw the text around the caret."""
        shown = "•" * len(self.value) if self.secret else self.value
        room = max(8, self.size.width - len(self.prompt) - 2)
        start = max(0, self.at - room)
        before, after = shown[start : self.at], shown[self.at :]
        line: Line = [Span(self.prompt, "accent"), Span(before)]
        if self.value:
            line += [Span(after[:1] or " ", "caret"), Span(after[1:])]
        else:
            line += [Span(" ", "caret"), Span(self.hint, "dim")]
        self._caret = len(self.prompt) + cell_len(before)
        self.show(line)

    @property
    def caret(self) -> Offset:
        """Where the next letter comes."""
        return self.region.offset + Offset(self._caret, 0)

    def on_resize(self) -> None:
        """Draw as much as there is room for."""
        self.draw()
