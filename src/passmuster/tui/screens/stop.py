"""`!`: stop what is under the cursor at once, and see it refused.

What will break is read first; the last four signs of the handle are typed, so that nothing is
stopped by a slip of a key. Then a thread signs, stops and asks, each step shown as it is taken.
What stops access is on no Enter but that one.
"""

from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from passmuster import campaigns, logins, remediation, store
from passmuster.errors import MusterError, WrongPassphrase
from passmuster.remediation import Offer, Result
from passmuster.text import Json
from passmuster.tui import stop_lines
from passmuster.tui.key_talk import KeyTalk
from passmuster.tui.lines import short
from passmuster.tui.screens._signs import Signs
from passmuster.tui.stop_lines import LAST, Shown
from passmuster.tui.widgets.keys_bar import Key

MOST = 8
"""Credentials that are offered beside the whole account."""


class StopScreen(Signs):
    """Which part, why, the last four signs, the steps; true where a decision was signed."""

    KEY_HINT = "enter signs, esc stops nothing"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "go back", id="stop.back", key_display="esc"),
    ]

    def __init__(self, dossier: Json) -> None:
        """*dossier* is of an identity, or of one credential."""
        super().__init__()
        self.dossier = dossier
        self.offered = Offer("disable", None)
        self.reason = ""
        self.due: str | None = None
        """When it is due to be given back."""
        self.result: Result | None = None
        self._steps: list[str] = []
        self._failed = ""
        self._shown_at = ""
        self._signed = False

    def on_mount(self) -> None:
        """Begin with what is to stop."""
        self._shown_at = self.desk.clock()
        self._look()
        live = [] if self.dossier["of"] != "identity" else self._live()
        if live:
            self._ask_what(live)
        else:
            self._ask_why()

    # what is told

    def _look(self) -> None:
        self.offered = remediation.offer(self.dossier)
        self._draw()

    def _draw(self) -> None:
        now = self.desk.clock()
        facts = remediation.blast(self.muster.db, self.dossier, self.offered, now)
        shown = Shown(remediation.subject(self.dossier), facts, self.offered.plan, self._steps,
                      self.result, self._failed)  # fmt: skip
        self.pane.show(lambda width: stop_lines.lines(shown, width))
        if self._steps or self._failed:
            self.pane.scroll_lines(len(self.pane.lines))
        self.show_keys()

    def keys(self) -> list[Key]:
        """The keys that make sense now."""
        if self.ask.is_open:
            return [Key("enter", "go on", ""), Key("esc", "stop nothing", "leave")]
        if self.talk is not None:
            return [] if self._signed else [Key("esc", "call it off", "leave")]
        return [Key("esc", "back", "leave"), Key("j/k", "scroll", "")]

    # the questions

    def _live(self) -> list[Json]:
        off = ("disabled", "deleted")
        return [c for c in self.dossier["credentials"] if c["status"] not in off][:MOST]

    def _ask_what(self, live: list[Json]) -> None:
        parts = {item["subject"]: item for item in campaigns.credentials_of(self.dossier)}
        options = [("1", "the whole account"),
                   *((str(n), short(f"{c['display_name'] or c['uid']}  {c['credential_detail']}"))
                     for n, c in enumerate(live, 2))]  # fmt: skip

        def answer(typed: str) -> str | None:
            if typed not in dict(options):
                return f"press a digit from 1 to {len(options)}, or esc"
            if typed != "1":
                self.dossier = parts[live[int(typed) - 2]["uid"]]
                self._look()
            self._ask_why()
            return None

        self.put("stop what?", answer, "a digit", options)

    def _ask_why(self) -> None:
        held = remediation.before(self.muster.db, self.dossier["uri"])
        if held is not None:
            self.say(f"decided {held.decided_at[:16]} by {held.principal}: it is gone on with")
            self._ask_handle()
            return

        def answer(typed: str) -> str | None:
            words, span = stop_lines.for_a_while(typed)
            if not words:
                return "it needs a reason: a few words"
            try:
                campaigns.check_emergency(self.muster.db, words, None, self.desk.me)
                due = campaigns.restore_due(span, self.desk.clock()) if span else None
            except MusterError as error:
                return str(error)
            self.reason, self.due = words, due
            if due:
                self.say(f"due to be given back {due}; nothing does that by itself")
            self._ask_handle()
            return None

        self.put("why?", answer, "it is signed: words, no secret; for 4h at the end: for a while")

    def _ask_handle(self) -> None:
        handle = remediation.handle(self.dossier)

        def answer(typed: str) -> str | None:
            if not stop_lines.confirms(typed, handle):
                return f"those are not the last {LAST} signs of {short(handle)}"
            self.begin()
            return None

        what = self.offered.plan.what if self.offered.plan else "sign the decision alone"
        self.put(f"{what}: type the last {LAST} signs of {short(handle)}", answer,
                  "enter stops it, esc stops nothing")  # fmt: skip

    def question_closed(self, answered: bool) -> None:
        """Whoever goes back stops nothing."""
        super().question_closed(answered)
        if not answered and self.talk is None:
            self.dismiss(False)

    # the stop

    def begin(self) -> None:
        """Sign, stop and ask in a thread."""
        self._failed = ""
        self.say("stopping …")
        self._stop(self.new_talk())
        self.show_keys()

    @work(thread=True, exclusive=True, group="stop", exit_on_error=True)
    def _stop(self, talk: KeyTalk) -> None:
        desk, settings = self.desk, self.desk.settings
        try:
            key = desk.signer(talk.talk)
            db = store.open_(desk.folder)
            try:
                with_ = remediation.Desk(
                    key, desk.clock, lambda source: logins.where(settings, source),
                    lambda step, words: self.back(self._step, (step, words)),
                )  # fmt: skip
                held = remediation.before(db, self.dossier["uri"])
                if held is not None:
                    result = remediation.go_on(db, held, with_)
                else:
                    result = remediation.stop_now(db, self._urgent(), with_)
            finally:
                db.close()
        except WrongPassphrase as error:
            self.back(self.locked, str(error))
        except MusterError as error:
            self.back(self.refused, str(error))
        else:
            self.muster.syncing.soon(key)
            self.back(self._done, result)

    def _urgent(self) -> campaigns.Emergency:
        return campaigns.Emergency(
            self.dossier, self.offered.verdict, self.reason, None, self.desk.me, self._shown_at,
            self._shown_at, self.due,
        )  # fmt: skip

    def _step(self, told: tuple[str, str]) -> None:
        self._signed = True
        self._steps.append(told[1])
        self.say("stopping …")
        self._draw()

    def refused(self, why: str) -> None:
        """Nothing was stopped, or what was signed could not be gone on with."""
        self.talk, self._failed = None, "" if self._signed else why
        self.say(why if self._signed else "nothing was stopped", "error")
        self._draw()

    def _done(self, result: Result) -> None:
        self.talk, self.result = None, result
        self.say("" if result.is_proved else "it is not proved to be refused: look above",
                 "plain" if result.is_proved else "error")  # fmt: skip
        self._draw()

    def action_leave(self) -> None:
        """Back; what is signed and under way is not called off."""
        if self.talk is None:
            self.dismiss(self._signed)
        elif self._signed:
            self.say("it is signed and under way: a moment")
        else:
            self.talk.call_off()
