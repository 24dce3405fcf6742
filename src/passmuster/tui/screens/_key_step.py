"""The step in which a signing key is made, or an SSH key is taken as one."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from textual import work

from passmuster import keys, store, tlog
from passmuster.errors import MusterError
from passmuster.keys import SigningKey
from passmuster.store import Database
from passmuster.tui import paths
from passmuster.tui.key_talk import Box, KeyTalk
from passmuster.tui.lines import say
from passmuster.tui.screens._child import WithChild

STORES = (
    ("1", "the system's keyring"), ("2", "a file under a passphrase"),
    ("3", "an SSH key that I have: a file, the agent, a hardware key"),
)  # fmt: skip
_OPTION = re.compile(r"[;,](?: or)? use --key-store file$")
"""What the command line would do instead; here the question is asked again."""
Make = Callable[[Database], SigningKey]


class WithKeyStep(WithChild):
    """A screen on which a key can be made."""

    making: KeyTalk | None = None
    """The key that is being made or waits for a touch."""

    def put(
        self, question: str, hint: str, answer: Callable[[str], str | None],
        options: Sequence[tuple[str, str]] = (), *, secret: bool = False, value: str = "",
    ) -> None:  # fmt: skip
        """Ask something on the last lines."""
        self.ask.ask([say(question, "strong")], options, answer, hint=hint, secret=secret,
                     value=value)  # fmt: skip
        self.ask.text.completed = lambda *_: None
        self.redraw_bars()

    def ask_store(self) -> None:
        """Where the key shall be; then what that place needs."""
        if self.making is not None:
            self.say("a key is being made: esc calls it off")
            return

        def answer(typed: str) -> str | None:
            if typed not in dict(STORES):
                return f"press {', '.join(key for key, _ in STORES)}, or esc"
            if typed == "1":
                self._keep_in("keyring", b"", "asking the keyring …")
            elif typed == "2":
                self._ask_passphrase()
            else:
                self._ask_ssh_key()
            return None

        self.put("where shall the key be kept?", "a digit", answer, STORES)

    def step_back(self) -> bool:
        """A key that waits is called off before anything else is stepped back from."""
        if self.making is None or self.ask.is_open:
            return super().step_back()
        self.making.call_off()
        return True

    def question_closed(self, answered: bool) -> None:
        """Without the passphrase no key is made."""
        if not answered and self.making is not None:
            self.making.call_off()
        super().question_closed(answered)

    # a key of ours

    def _ask_passphrase(self) -> None:
        def first(typed: str) -> str | None:
            if len(typed) < keys.MIN_PASSPHRASE:
                return f"a passphrase needs {keys.MIN_PASSPHRASE} characters or more"
            self.put("the same again", "so that a slip does not lock you out",
                     lambda again: second(typed, again), secret=True)  # fmt: skip
            return None

        def second(typed: str, again: str) -> str | None:
            if typed != again:
                self._ask_passphrase()
                self.say("the two were not the same: nothing was made, type both again", "error")
                return None
            self._keep_in("file", typed.encode(), "making the key …")
            return None

        self.put("a new passphrase", f"{keys.MIN_PASSPHRASE} characters or more", first,
                 secret=True)  # fmt: skip

    def _keep_in(self, where: str, passphrase: bytes, words: str) -> None:
        desk, timeout_s = self.desk, self.desk.settings.keyring_timeout_s
        self._begin(words, lambda db: keys.new(
            db, desk.me, where, lambda: passphrase, desk.clock(), timeout_s
        ), self.ask_store)  # fmt: skip

    # an SSH key

    def _ask_ssh_key(self, value: str = "") -> None:
        def answer(typed: str) -> str | None:
            given = typed.strip()
            if not given:
                return "type the path of its file, SHA256:… of one in the agent, or agent"
            me = self.desk.me

            def make(_: Database) -> SigningKey:
                found = keys.resolve(given)
                if found.warning:
                    talk.say(f"warning: {found.warning}")
                return keys.adopt(found, me, talk.talk)

            talk = self._begin("looking for the key …", make, lambda: self._ask_ssh_key(given))
            return None

        self.put("which SSH key?", "the path of its file, SHA256:… of one in the agent, or agent",
                 answer, value=value)  # fmt: skip
        self.ask.text.completed = self._complete_key

    def _complete_key(self, typed: str, at: int) -> tuple[str, int] | None:
        return paths.completed(typed, at, paths.candidates(typed[:at] or f"{Path.home()}/.ssh/"))

    # the thread

    def _begin(self, words: str, make: Make, again: Callable[[], None] = lambda: None) -> KeyTalk:
        """Make a key in a thread; *again* asks anew where it could not be."""
        self.making = KeyTalk(self, self._put_secret, lambda told: self.say(told, "accent"))
        self.say(words)
        self._make(self.making, make, again)
        return self.making

    def _put_secret(self, question: str, box: Box) -> None:
        def answer(typed: str) -> str | None:
            box.put(typed)
            return None

        self.put(question, "enter goes on, esc goes back", answer, secret=True)

    @work(thread=True, exclusive=True, group="key")
    def _make(self, talk: KeyTalk, make: Make, again: Callable[[], None]) -> None:
        failed: Callable[[], None] | None = None
        try:
            db = store.open_(self.desk.folder)
            try:
                key = make(db)
                tlog.enrol(db, key, self.desk.clock())
            finally:
                db.close()
        except MusterError as error:
            said, failed = _OPTION.sub("", str(error)), again
        else:
            said = f"your key is {key.fingerprint}"
        if self.is_attached and self.app.is_running:
            self.app.call_from_thread(self._made, talk, said, failed)

    def _made(self, talk: KeyTalk, said: str, failed: Callable[[], None] | None) -> None:
        if self.making is talk:
            self.making = None
        if failed is None:
            self.show_look(self.look)
        elif self.is_current and not talk.is_called_off:
            failed()
        self.say(said, "plain" if failed is None else "error")
