"""What the workstation owes the terminal that it runs in, beyond what Textual does.

The terminal's own cursor is where the focus is; a signal or a closed window ends the program as
`q` does, with everything written and the terminal given back; and what is pasted is never a key.
"""

import asyncio
import codecs
import io
import signal
import sys

from rich.cells import cell_len
from textual.app import App
from textual.geometry import Offset

from passmuster.tui.widgets.line_view import LineView
from passmuster.tui.widgets.text_line import TextLine

ENDING = ("SIGTERM", "SIGHUP", "SIGINT")
PASTE, PASTED = "\x1b[200~", "\x1b[201~"


class TerminalApp(App[None]):
    """An app that minds its terminal."""

    ended_by = 0
    """The signal that it ended at."""
    _elsewhere = Offset(0, 0)

    @property
    def typing(self) -> TextLine | None:
        """The line that is being typed in; it goes before the focus."""
        return None

    @property
    def cursor_position(self) -> Offset:
        """Where the terminal's own cursor stands: asked by Textual at every frame."""
        if not self.is_running or not self.screen_stack:
            return self._elsewhere
        at = self.typing or self.screen.focused
        return at.caret if isinstance(at, LineView) else self._elsewhere

    @cursor_position.setter
    def cursor_position(self, position: Offset) -> None:
        self._elsewhere = position  # Textual's own widgets say where they have it

    def on_mount(self) -> None:
        """End in order at a signal; where there are none (Windows), as ever."""
        if sys.platform == "win32" or self.is_headless:
            return
        for name in ENDING:
            number = getattr(signal, name)
            asyncio.get_running_loop().add_signal_handler(number, self._end_at, number)

    def _end_at(self, number: int) -> None:
        self.ended_by = number
        self.exit()


class KeyboardDecoder:
    """Bytes of the keyboard as text, in which nothing that is pasted is a key.

    Textual 8.2 decodes strictly, so that one key of a Latin-1 terminal would end the program; and
    it takes an escape sequence inside a paste for keys, so that a clipboard could decide.
    """

    def __init__(self) -> None:
        self._bytes = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._pasting = False
        self._held = ""
        """The end of what was read, where it may be the beginning of a mark."""

    def decode(self, data: bytes, final: bool = False) -> str:
        """The text of *data*, without the escapes that stand in a paste."""
        text, out = self._held + self._bytes.decode(data, final), ""
        self._held = ""
        while text:
            mark = PASTED if self._pasting else PASTE
            before, found, after = text.partition(mark)
            if not found:
                # a lone escape is a key, and is not held back
                cut = next((n for n in range(len(mark) - 1, int(not self._pasting), -1)
                            if text.endswith(mark[:n])), 0)  # fmt: skip
                before, self._held = text[: len(text) - cut], text[len(text) - cut :]
            out += before.replace("\x1b", "") if self._pasting else before
            out += found
            self._pasting ^= bool(found)
            text = after
        return out


def mind_the_keyboard() -> None:
    """Have Textual's driver, which looks a decoder up by this name, take ours."""
    if sys.platform == "win32":
        return
    from textual.drivers import linux_driver

    linux_driver.getincrementaldecoder = lambda _: KeyboardDecoder  # type: ignore[attr-defined, assignment]


def leave_the_keyboard(app: App[None]) -> None:
    """Have the thread that reads the keyboard end, now that the app has.

    Textual's driver ends it (8.2: `disable_input`), but not where giving the terminal back fails:
    it would then ask a terminal that is gone for ever, and the program would never end.
    """
    ended = getattr(app._driver, "exit_event", None)  # noqa: SLF001 - nobody else can ask it
    if ended is not None:
        ended.set()


PLAINER = "passmuster.plainer"
_PLAIN = {"─": "-", "│": "|", "┃": "|", "▕": "|", "▏": "|", "░": ".", "…": ".", "◀": "<",
            "→": ">", "▾": "v", "▴": "^", "✓": "x", "•": "*", "·": ",", "–": "-", "“": '"',
            "”": '"', "’": "'"}  # fmt: skip
"""What is drawn in place of a sign that the terminal's encoding does not have."""


def plainer(error: UnicodeError) -> tuple[str, int]:
    """As many cells as the signs that cannot be sent would have taken; an error handler."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign) or _like(sign) for sign in signs), error.end


def _like(sign: str) -> str:
    if "\u2500" <= sign <= "\u257f":
        return "+"
    return "#" if "\u2580" <= sign <= "\u259f" else "?" * cell_len(sign)


def mind_the_encoding() -> None:
    """Have what a terminal without UTF-8 cannot show drawn plainer: by itself Python writes
    `\\u2500`, six cells for one, and nothing stands where it belongs.
    """
    if isinstance(sys.__stderr__, io.TextIOWrapper):  # where Textual's driver writes
        sys.__stderr__.reconfigure(errors=PLAINER)


codecs.register_error(PLAINER, plainer)
