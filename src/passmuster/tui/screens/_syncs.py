"""`S` on every list: sync now, and let the signing key ask what it has to."""

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from passmuster.tui.lines import Role, Span, say
from passmuster.tui.screens._looking import Looking

if TYPE_CHECKING:
    from passmuster.tui.key_talk import Box, KeyTalk


class Syncs(Looking):
    """A list from which one can sync."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("S", "sync", "sync", id="sync",
                tooltip="send what was signed and fetch what others signed, now"),
    ]  # fmt: skip

    _sync_talk: "KeyTalk | None" = None
    """Of the sync that was asked for here last."""

    def say(self, words: str, role: Role = "plain") -> None:
        """Tell the person something."""
        raise NotImplementedError

    def action_sync(self) -> None:
        """Sync in the thread beside; the key may ask for a passphrase or a touch."""
        from passmuster.tui.key_talk import KeyTalk

        app = self.muster
        if app.read_only:
            self.say("read only: nothing is sent or taken until % allows it", "error")
            return
        app.syncing.start(app.db)
        if not app.syncing.runs:
            self.say("this workspace has no central log: the first steps (:guide) take an"
                     " invitation, and so does muster enroll")  # fmt: skip
            return
        self.say("syncing …")
        self._sync_talk = KeyTalk(self, self._put_key_question, self._key_tells)
        app.syncing.now(self._sync_talk.talk)

    def key_question_closed(self, answered: bool) -> None:
        """A question was put away; if it was the key's, the sync is not waited for any more."""
        if not answered and self._sync_talk is not None:
            self._sync_talk.call_off()

    def _put_key_question(self, question: str, box: "Box") -> None:
        if self.typing is not None:  # what is being typed is no passphrase
            assert self._sync_talk is not None
            self._sync_talk.call_off()
            self.say("the key asks for its passphrase: S again, when this is typed", "error")
            return

        def answer(typed: str) -> str | None:
            box.put(typed)
            return None

        self._syncing_asks = box
        self.ask.ask([Span("sync  ", "strong"), say(question)], (), answer,
                     hint="enter goes on, esc leaves it for later", secret=True)  # fmt: skip
        self.redraw_bars()

    def _key_tells(self, words: str) -> None:
        self.say(words, "accent")
