"""A list from which a step is carried out on a platform: in a thread, signed, told as it goes."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from textual import work

from passmuster import connectors, logins, remediation, store
from passmuster.connectors import Live
from passmuster.errors import MusterError, Unreachable, WrongPassphrase
from passmuster.keys import SigningKey
from passmuster.remediation import Remedy, Step
from passmuster.tui.key_talk import Box, KeyTalk
from passmuster.tui.lines import Line, Span, say
from passmuster.tui.screens._list import ListScreen

Doing = Step | Literal["stop"]
"""*stop* is to apply without asking afterwards."""
DOING: dict[Doing, str] = {
    "apply": "stopping …", "stop": "stopping …", "verify": "asking the platform …",
    "restore": "putting back …",
}  # fmt: skip


class Ended(NamedTuple):
    """What came of a step with one."""

    step: Doing
    one: Remedy
    why: str
    """Why it could not even be tried; empty where it was."""

    @property
    def is_fine(self) -> bool:
        """Whether it is as it was meant, as far as the platform says."""
        if self.step == "restore":
            return self.one.state == "reverted" and not self.why
        return self.one.verdict in ("refused", "flag") and not self.why

    @property
    def words(self) -> str:
        """The same in one line."""
        verdict = f", {remediation.IN_WORDS[self.one.verdict]}" if self.one.verdict else ""
        return self.why or f"{self.one.state.replace('_', ' ')}{verdict}: {self.one.said}"


class Carrying(ListScreen):
    """One step at a time; what is under way is not called off by looking elsewhere."""

    _talk: KeyTalk | None = None
    """Of the step that goes on now."""
    _enough = threading.Event()
    """Of that step: set when the person waits no longer for the platform to refuse."""
    _key_waits = False
    """Whether its key waits for a hand."""

    def was_carried_out(self) -> None:
        """Something came of a step."""
        raise NotImplementedError

    def show_run(self, run: Sequence[Remedy]) -> None:
        """Show only these, of which many went in one step."""
        raise NotImplementedError

    def may_begin(self, done: str) -> bool:
        """Whether a step may begin; it is said why not. *done* is what nothing is, read only."""
        if self.muster.read_only:
            self.say(f"read only: nothing is {done} here until % allows it", "error")
        elif self._talk is not None:
            self.say("one step at a time: the last one is under way")
        else:
            return True
        return False

    def put(
        self, question: Line, answer: Callable[[str], str | None], hint: str,
        options: Sequence[tuple[str, str]] = (), *, secret: bool = False,
    ) -> None:  # fmt: skip
        """Ask below the list."""
        self.ask.ask(question, options, answer, hint=hint, secret=secret)
        self.redraw_bars()

    def begin(self, step: Step, run: Sequence[Remedy]) -> None:
        """Carry *step* out with each and sign what came of it; the key may ask for its
        passphrase.
        """
        self._talk, self._key_waits = KeyTalk(self, self._put_secret, self._told), False
        self._enough = threading.Event()
        self.say(DOING[step])
        self._carry(step, run, self._talk)

    def _told(self, words: str) -> None:
        """The key says something: it wants to be touched."""
        self._key_waits = True
        self.say(words, "accent")

    def _put_secret(self, question: str, box: Box) -> None:
        if self.typing is not None:  # what is being typed is no passphrase
            if self._talk is not None:
                self._talk.call_off()
            self.say("the key asks for its passphrase: again, when this is typed", "error")
            return

        def answer(typed: str) -> str | None:
            box.put(typed)
            return None

        self.put([Span("sign  ", "strong"), say(question)], answer,
                 "enter goes on, esc does nothing", secret=True)  # fmt: skip

    def key_question_closed(self, answered: bool) -> None:
        """Whoever goes back from the key's question does nothing."""
        super().key_question_closed(answered)
        if not answered and self._talk is not None:
            self._talk.call_off()

    @work(thread=True, exclusive=True, group="carry")
    def _carry(self, step: Step, run: Sequence[Remedy], talk: KeyTalk) -> None:
        desk = self.desk
        try:
            key = desk.signer(talk.talk)
            db = store.open_(desk.folder)
            try:
                done = self._run(db, step, run, key)
            finally:
                db.close()
        except WrongPassphrase as error:
            self.back(self._locked, (step, run, str(error)))
        except MusterError as error:
            self.back(self.refused, str(error))
        else:
            self.muster.syncing.soon(key)
            self.back(self._done, done)

    def _run(
        self, db: store.Database, step: Step, run: Sequence[Remedy], key: SigningKey
    ) -> list[Ended]:
        """What came of each. Of many, all are stopped before any is asked for: a platform takes
        its time, and nothing is to stay in it for that long.
        """
        if step != "apply" or len(run) == 1:
            return self._each(db, step, run, key)
        found = self._each(db, "stop", run, key)
        stopped = [came.one for came in found if came.one.state == "applied" and not came.why]
        asked = {came.one.name: came for came in self._each(db, "verify", stopped, key)}
        return [asked.get(came.one.name, came) for came in found]

    def _each(
        self, db: store.Database, step: Doing, run: Sequence[Remedy], key: SigningKey
    ) -> list[Ended]:
        """Do *step* with each; one that cannot be done keeps none of the others from it."""
        if not run:
            return []
        settings, clock = self.desk.settings, self.desk.clock
        why: dict[str, str] = {}

        def one_of(one: Remedy, live: Live) -> Remedy:
            if len(run) > 1:
                words = f"{DOING[step].removesuffix(' …')} {len(why) + 1} of {len(run)}: {one.what}"
                self.back(self.say, words)
            try:
                why[one.name] = ""
                return self._step(db, step, one, live)
            except MusterError as error:
                why[one.name] = str(error)
                return one

        def connect(source: str) -> Live:
            try:
                return connectors.connect(logins.where(settings, source))
            except MusterError as error:
                if len(run) == 1:
                    raise
                raise Unreachable(str(error)) from error  # of many, those of other sources go on

        found = remediation.carry_out(db, run, key, clock, connect, one_of)
        return [Ended(step, one, why[one.name]) for one in found]

    def _step(self, db: store.Database, step: Doing, one: Remedy, live: Live) -> Remedy:
        clock = self.desk.clock
        if step == "restore":
            return remediation.restore(db, one, live, clock)
        if step in ("apply", "stop"):
            one = remediation.apply(db, one, live, clock)
            if step == "stop" or one.state != "applied":
                return one
        left = remediation.left_s(one, clock())
        enough = self._enough
        self.back(self.say, f"{one.state}: asking until it is refused, {left:.0f} s at most; esc"
                            " asks once more, no longer")  # fmt: skip

        def pause(seconds: float) -> None:
            enough.wait(seconds)

        return remediation.verify(
            db, one, live, clock, wait_s=left, sleep=pause,
            timer=lambda: math.inf if enough.is_set() else time.monotonic(),
        )  # fmt: skip

    def _goes_on(self) -> bool:
        """Whether a step is under way: then it is said, and nobody leaves."""
        if self._talk is not None:
            self.say("it is under way: a moment; what comes of it is signed here")
        return self._talk is not None

    def action_place(self, name: str) -> None:
        """There, unless a step is under way."""
        if not self._goes_on():
            super().action_place(name)

    def action_leave(self) -> None:
        """Back, unless a step is under way."""
        if not self._goes_on():
            super().action_leave()

    def action_back(self) -> None:
        """Back; a platform is asked once more and no longer, and a key that waits for a hand is not
        waited for: what came of the step is then signed by the next one.
        """
        if self._talk is not None and self._key_waits:
            self._talk.call_off()
        elif self._talk is not None:
            self._enough.set()
            self.say("it is under way: asking once more, then it is signed")
        elif not self._goes_on():
            super().action_back()

    def back(self, then: Callable[[Any], object], what: object) -> None:
        """Go on in the screen's own thread, if there is still a screen."""
        if self.app.is_running and self.is_attached:
            self.app.call_from_thread(then, what)

    def _locked(self, about: tuple[Step, Sequence[Remedy], str]) -> None:
        """After a wrong passphrase it is asked for again."""
        step, run, why = about
        self.begin(step, run)
        self.say(why, "error")

    def refused(self, why: str) -> None:
        """Nothing came of it, or it could not be signed."""
        self._talk = None
        self.was_carried_out()
        self.say(why, "error")

    def _done(self, found: list[Ended]) -> None:
        self._talk = None
        if len(found) > 1:
            self.show_run([ended.one for ended in found])
        self.was_carried_out()
        bad = [ended for ended in found if not ended.is_fine]
        if len(found) == 1:
            self.say(found[0].words, "error" if bad else "plain")
            return
        so = "put back" if found[0].step == "restore" else "seen to be stopped"
        fine = f"{len(found) - len(bad):,} of {len(found):,} {so}"
        self.say("; ".join([fine, *(f"{ended.one.what}: {ended.words}" for ended in bad)]),
                 "error" if bad else "plain")  # fmt: skip
