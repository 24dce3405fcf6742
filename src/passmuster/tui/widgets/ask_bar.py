"""A question on the last lines of the screen: one digit answers, or words and Enter.

Not a dialog: the evidence stays where it was while one answers.
"""

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Vertical

from passmuster.tui.lines import Line, Span, fit, fold, say
from passmuster.tui.widgets.line_view import LineBar
from passmuster.tui.widgets.text_line import TextLine

Answered = Callable[[str], str | None]
"""Takes what was typed (a digit of the options, or words); returns what is wrong with it."""


class AskBar(Vertical):
    """A question, its one-digit answers, and a line to type in."""

    DEFAULT_CSS = """
    AskBar { height: auto; display: none; }
    AskBar.-open { display: block; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._question: Line = []
        self._options: Sequence[tuple[str, str]] = ()
        self._answer: Answered = lambda _: None
        self._error = ""
        self.closed: Callable[[bool], None] = lambda _: None
        """Called when the question is put away, with whether it was answered."""

    @property
    def is_open(self) -> bool:
        """Whether a question waits."""
        return self.has_class("-open")

    @property
    def text(self) -> TextLine:
        """Where the answer is typed; it has the keys while a question waits."""
        return self.query_one(TextLine)

    @property
    def choices(self) -> str:
        """The keys that answer at once: `1–9`, `y n`; empty where there are none."""
        keys = [key for key, _ in self._options]
        digits = len(keys) > 2 and keys[0].isdigit() and keys[-1].isdigit()
        return f"{keys[0]}–{keys[-1]}" if digits else " ".join(keys)

    def compose(self) -> ComposeResult:
        """The question above, the answer below."""
        yield LineBar(id="ask-lines")
        yield TextLine(id="ask-input")

    def ask(
        self, question: Line, options: Sequence[tuple[str, str]], answer: Answered,
        *, hint: str = "", secret: bool = False, value: str = "",
    ) -> None:  # fmt: skip
        """Put *question*; *options* are (digit, words); *value* stands in the line already."""
        self._question, self._options, self._answer = question, options, answer
        self._error = ""
        self.add_class("-open")
        box = self.text
        box.changed, box.entered, box.left = self._typed, self._take, self.cancel
        box.start(value, hint, secret=secret)
        self._draw()
        # opened again in the frame in which it was closed, it would be laid out but not painted
        self.screen.refresh(layout=True)

    def close(self, *, answered: bool) -> None:
        """Put the question away."""
        if self.is_open:
            self.remove_class("-open")
            self.text.start()
            self.closed(answered)

    def _draw(self) -> None:
        width = max(20, self.app.size.width - 2)
        lines: list[Line] = [[Span(" "), *part] for part in fold(self._question, width)]
        if self._error:
            said = fold([say(self._error, "error")], width)
            lines += [[Span(" "), *part] for part in said]
        lines += self._grid(width)
        bar = self.query_one("#ask-lines", LineBar)
        bar.styles.height = len(lines)
        bar.show(*lines)

    def _grid(self, width: int) -> list[Line]:
        """The options in as many columns as fit, filled downwards."""
        if not self._options:
            return []
        each = min(width, max(cell_len(words) for _, words in self._options) + 4)
        rows = -(-len(self._options) // max(1, width // each))
        lines: list[Line] = [[Span(" ")] for _ in range(rows)]
        for place, (digit, words) in enumerate(self._options):
            lines[place % rows] += [Span(f"{digit} ", "accent"), say(fit(words, each - 2))]
        return lines

    def on_resize(self) -> None:
        """Arrange the options anew."""
        if self.is_open:
            self._draw()

    def _typed(self, value: str) -> None:
        """A digit alone is the whole answer; one that is not offered is told, not taken."""
        if value in dict(self._options):
            self._take(value)
            return
        digit = len(value) == 1 and value.isdigit() and bool(self._options)
        wrong = f"{value} is not offered here: {self.choices}" if digit else ""
        if wrong != self._error:
            self._error = wrong
            self._draw()

    def _take(self, typed: str) -> None:
        question = self._question
        wrong = self._answer(typed)
        if wrong is not None:
            self._error = wrong
            # a slip in a long answer is mended, not typed again; a number is typed anew
            fresh = self._options or self.text.secret or typed.isdigit()
            again = "" if fresh else typed
            self.text.start(again, self.text.hint, secret=self.text.secret)
            self._draw()
        elif self._question is question:
            self.close(answered=True)

    def cancel(self) -> None:
        """Leave everything as it was."""
        self.close(answered=False)
