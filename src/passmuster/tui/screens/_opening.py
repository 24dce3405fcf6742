"""From a list to a new campaign: its name is asked, then the key's passphrase; the queue follows.

A campaign freezes every dossier of its scope, which is Python for each: it is opened by `muster` as
a process of its own, with the preflight that the command has. A scope of one's own is for there.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from passmuster import campaigns, keys
from passmuster.text import rfc3339
from passmuster.tui.lines import say
from passmuster.tui.screens._child import WithChild
from passmuster.tui.words import when

EVERYTHING_DAYS = 30
"""From the opening of a campaign over everything to its due date."""
INTAKE_ASKED = "every new identity that nobody is asked about yet"
EVERYTHING_ASKED = f"every identity, due in {EVERYTHING_DAYS} days"
Words = Callable[[str], list[str]]
"""From a name to the words after `muster`."""
_TYPE_NAME = "what shall it be called?"
_THEIRS = "its owner asked, else you"


class WithOpening(WithChild):
    """A list from which a campaign can be opened."""

    def _may_open(self) -> bool:
        if self.running:
            self.say(f"{self.running}: wait for it")
        elif self.muster.read_only:
            self.say("read only: nothing is opened here until % allows it", "error")
        elif not self.desk.me:
            self.say("say first who you are: :guide leads there", "error")
        elif keys.signs_for(self.muster.db, self.desk.me) is None:
            self.say("make your signing key first: :guide leads there", "error")
        else:
            return True
        return False

    def open_everything(self, name: str) -> None:
        """Ask for a name, *name* without one, and open a campaign over every identity."""
        due = rfc3339(when(self.desk.clock()) + timedelta(days=EVERYTHING_DAYS))[:10]
        owner = ("--reviewer", "owner", "--fallback", self.desk.me, "--due", due)
        self._ask_what_it_is_called(name, EVERYTHING_ASKED,
                                    lambda typed: ["campaign", "open", typed, *owner])  # fmt: skip

    def open_intake(self, filter_words: str = "") -> None:
        """The same over what came since the first export of its source and is asked in no review,
        of that only what *filter_words* match.
        """
        narrowed = f"{INTAKE_ASKED}, of {filter_words}" if filter_words else INTAKE_ASKED
        self._ask_what_it_is_called(f"intake {self.desk.clock()[:10]}", narrowed, lambda typed: [
            "intake", "open", "--name", typed, "--fallback", self.desk.me, "--",
            *filter_words.split(),
        ])  # fmt: skip

    def _ask_what_it_is_called(self, name: str, scope: str, words: Words) -> None:
        if not self._may_open():
            return

        def answer(typed: str) -> str | None:
            if typed.strip().startswith("-"):
                return "a name begins with a letter or a digit"
            self._unlock(typed.strip() or name, words)
            return None

        self.ask.ask([say(_TYPE_NAME, "strong"), say(f"  {scope}", "dim")], (), answer,
                     hint=f"enter alone: {name}; {_THEIRS}")  # fmt: skip
        self.redraw_bars()

    def _unlock(self, name: str, words: Words) -> None:
        mine = keys.signs_for(self.muster.db, self.desk.me)

        def go(secret: bytes | None) -> None:
            self.run_muster(words(name), f"opening {name}", self._opened, secret)

        if mine is None or not keys.has_passphrase(mine):
            go(None)
            return

        def unlocked(typed: str) -> str | None:
            go(typed.encode())
            return None

        self.ask.ask([say("passphrase of your signing key", "strong")], (), unlocked,
                     hint="enter opens it, esc leaves it", secret=True)  # fmt: skip
        self.redraw_bars()

    def _opened(self, code: int, said: Sequence[str]) -> None:
        if code:
            last = said[-1] if said else "the campaign was not opened"
            self.say(last.removeprefix("muster: "), "error")
        else:
            self.muster.open_campaign(campaigns.campaigns(self.muster.db)[0])
