"""The other way to begin: paste an invitation, and belong to a central log.

The string has a token in it that is good once, so it goes onto no command line, and what was typed
is not kept. It is compared with the server's key before anything is sent.
"""

from pathlib import Path

from textual import work

from passmuster import central, keys, store, sync
from passmuster.central import Invitation
from passmuster.errors import MusterError, UsageError
from passmuster.sync import Enrolled
from passmuster.tui.key_talk import Box, KeyTalk
from passmuster.tui.screens._key_step import WithKeyStep


class WithInvitation(WithKeyStep):
    """A screen on which one can come to a central log."""

    joined: list[str]
    """What became of it, a line each."""

    def __init__(self) -> None:
        super().__init__()
        self.joined = []

    def ask_invitation(self) -> None:
        """Ask for the string."""
        if self.making is not None:
            self.say("wait: esc calls it off")
            return
        self.put("the invitation", "paste it whole: https://…#m1.…", self._given, secret=True)

    def pasted(self, text: str) -> None:
        """An invitation is known by its look, wherever the cursor is."""
        if "#m1." in text and self.muster.desk.me:
            self.say(self._given(text) or "enrolling …")

    def _given(self, typed: str) -> str | None:
        """Begin, or say what is wrong with the string."""
        try:
            by = central.invitation(typed)
        except UsageError as error:
            return str(error)
        if by.url is None:
            return "it does not say where: copy the invitation whole, from https:// on"
        with self.muster.reading() as db:
            if keys.signs_for(db, self.desk.me) is None:
                return "make your signing key first"
        self.making = KeyTalk(self, self._ask_key, self.say)
        self.say(f"enrolling at {by.url} …")
        self._enrol(by, by.url, self.making)
        return None

    def _ask_key(self, question: str, box: Box) -> None:
        def answer(typed: str) -> str | None:
            box.put(typed)
            return None

        self.put(question, "enter goes on, esc leaves it", answer, secret=True)

    @work(thread=True, group="enrol")
    def _enrol(self, by: Invitation, url: str, talk: KeyTalk) -> None:
        desk = self.desk
        ca = desk.settings.central_ca
        try:
            db = store.open_(desk.folder)
            try:
                more = self.muster.syncing.more
                with sync.connect(db, url, Path(ca).expanduser() if ca else None, **more) as caller:
                    found = sync.about(caller)
                    sync.check_pin(found, by.pin, url)
                    done = sync.enrol(db, caller, found, desk.me, desk.clock(),
                                      key=lambda: desk.signer(talk.talk), by=by)  # fmt: skip
            finally:
                db.close()
        except MusterError as error:
            self.app.call_from_thread(self._not_enrolled, str(error))
        else:
            self.app.call_from_thread(self._enrolled, done)

    def _not_enrolled(self, why: str) -> None:
        self.making = None
        self.say(why, "error")

    def _enrolled(self, done: Enrolled) -> None:
        self.making = None
        then = "a registrar has to admit you: tell them this fingerprint by another way"
        if done.founded:
            then = "the roster begins with you: muster invite NAME@… invites others"
        elif done.is_listed:
            then = "you are on the roster"
        self.joined = [f"Enrolled. {then}.", done.fingerprint]
        self.say(f"enrolled: {then}")
        self.muster.syncing.start(self.muster.db)
        self.muster.syncing.look()
        self.show_look(self.look)
