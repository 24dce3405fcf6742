"""A page that is read and then signed for: the page, a line for what happens, a question, the keys.

What a subclass adds is what it asks and what its thread does with the key. Going back before the
key has signed calls it off; what a key or a thread says is shown in the screen's own thread.
"""

from collections.abc import Callable, Sequence
from typing import Any

from textual.app import ComposeResult

from passmuster.tui.key_talk import Box, KeyTalk
from passmuster.tui.lines import Role, Span, say
from passmuster.tui.screens._base import MusterScreen
from passmuster.tui.widgets.ask_bar import AskBar
from passmuster.tui.widgets.dossier_view import DossierView
from passmuster.tui.widgets.keys_bar import Key, KeysBar
from passmuster.tui.widgets.line_view import LineBar
from passmuster.tui.widgets.text_line import TextLine


class Signs(MusterScreen[bool]):
    """A page for which a key signs; true where it did."""

    DEFAULT_CSS = "Signs #notice { height: 1; }"
    KEY_HINT = "enter signs, esc goes back"
    """Below the key's question."""

    def __init__(self) -> None:
        super().__init__()
        self.talk: KeyTalk | None = None
        """Of the signing that goes on now."""
        self.asked = False
        """Whether the key has asked for its passphrase: asked again, the last one was wrong."""

    def compose(self) -> ComposeResult:
        """The page, a line for what happens, a question, the keys."""
        yield DossierView(id="pane")
        yield LineBar(id="notice")
        yield AskBar(id="ask")
        yield KeysBar(id="keys")

    def keys(self) -> list[Key]:
        """The keys that make sense now."""
        raise NotImplementedError

    def begin(self) -> None:
        """Sign in a thread, with a new talk."""
        raise NotImplementedError

    def refused(self, why: str) -> None:
        """Nothing was signed, or no more."""
        raise NotImplementedError

    # what the whole screen gives

    @property
    def pane(self) -> DossierView:
        """The page."""
        return self.query_one(DossierView)

    @property
    def ask(self) -> AskBar:
        """The question."""
        return self.query_one(AskBar)

    @property
    def typing(self) -> TextLine | None:
        """The question, while it waits."""
        return self.ask.text if self.ask.is_open else None

    def on_mount(self) -> None:
        """The page has the keys until something is asked."""
        self.ask.closed = self.question_closed
        self.pane.focus()

    def on_resize(self) -> None:
        """The keys to the new width."""
        self.show_keys()

    def show_keys(self) -> None:
        """Draw the keys that make sense now."""
        self.query_one(KeysBar).show_keys(self.keys(), self.app.size.width)

    def say(self, words: str, role: Role = "plain") -> None:
        """Tell the person what happens."""
        self.query_one("#notice", LineBar).show([Span(" "), say(words, role)])

    def put(
        self, question: str, answer: Callable[[str], str | None], hint: str,
        options: Sequence[tuple[str, str]] = (), *, secret: bool = False,
    ) -> None:  # fmt: skip
        """Ask below the page."""
        self.ask.ask([say(question, "strong")], options, answer, hint=hint, secret=secret)
        self.show_keys()

    def question_closed(self, answered: bool) -> None:
        """Whoever goes back from a question signs nothing."""
        self.pane.focus()
        self.show_keys()
        if not answered and self.talk is not None:
            self.talk.call_off()

    # the key, and the thread that signs

    def new_talk(self) -> KeyTalk:
        """What the key is given for one signing."""
        self.talk = KeyTalk(self, self._put_secret, self.told)
        return self.talk

    def told(self, words: str) -> None:
        """The key has something to say: mostly that it waits for a touch."""
        self.say(words, "accent")
        self.show_keys()

    def _put_secret(self, question: str, box: Box) -> None:
        wrong, self.asked = self.asked, True

        def answer(typed: str) -> str | None:
            box.put(typed)
            return None

        if not wrong:
            self.say("")
        self.put(question, answer, self.KEY_HINT, secret=True)

    def locked(self, why: str) -> None:
        """After a wrong passphrase that was typed it is asked for again: what is typed next is one,
        not keys.
        """
        if self.asked:
            self.begin()
            self.say(why, "error")
        else:
            self.refused(why)

    def back(self, then: Callable[[Any], None], what: object) -> None:
        """Go on in the screen's own thread, if there is still a screen."""
        if self.app.is_running and self.is_attached:
            self.app.call_from_thread(then, what)
