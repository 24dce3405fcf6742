"""`!`: stop what is under the cursor at once, and see it refused.

What will break is read first; the last four signs of the handle are typed, so that nothing is
stopped by a slip of a key. Then a thread signs, stops and asks, each step shown as it is taken.
What stops access is on no Enter but that one.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from passmuster import campaigns, logins, remediation, store
from passmuster.errors import MusterError, WrongPassphrase
from passmuster.remediation import Offer, Result
from passmuster.text import Json
from passmuster.tui import stop_lines
from passmuster.tui.key_talk import Box, KeyTalk
from passmuster.tui.lines import Role, Span, say, short
from passmuster.tui.screens._base import MusterScreen
from passmuster.tui.stop_lines import LAST, Shown
from passmuster.tui.widgets.ask_bar import AskBar
from passmuster.tui.widgets.dossier_view import DossierView
from passmuster.tui.widgets.keys_bar import Key, KeysBar
from passmuster.tui.widgets.line_view import LineBar
from passmuster.tui.widgets.text_line import TextLine

MOST = 8
"""Credentials that are offered beside the whole account."""


class StopScreen(MusterScreen[bool]):
    """Which part, why, the last four signs, the steps; true where a decision was signed."""

    CSS = "#notice { height: 1; }"
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
        self._talk: KeyTalk | None = None
        """Of the stop that goes on now."""
        self._asked = self._signed = False

    def compose(self) -> ComposeResult:
        """What is told, a line for what happens, a question, the keys."""
        yield DossierView(id="pane")
        yield LineBar(id="notice")
        yield AskBar(id="ask")
        yield KeysBar(id="keys")

    @property
    def typing(self) -> TextLine | None:
        """The question, while it waits."""
        bar = self.query_one(AskBar)
        return bar.text if bar.is_open else None

    def on_mount(self) -> None:
        """Begin with what is to stop."""
        self._shown_at = self.desk.clock()
        self.query_one(AskBar).closed = self.question_closed
        self.query_one(DossierView).focus()
        self._look()
        live = [] if self.dossier["of"] != "identity" else self._live()
        if live:
            self._ask_what(live)
        else:
            self._ask_why()

    def on_resize(self) -> None:
        """The keys to the new width."""
        self._keys()

    # what is told

    def _look(self) -> None:
        self.offered = remediation.offer(self.dossier)
        self._draw()

    def _draw(self) -> None:
        now = self.desk.clock()
        facts = remediation.blast(self.muster.db, self.dossier, self.offered, now)
        shown = Shown(remediation.subject(self.dossier), facts, self.offered.plan, self._steps,
                      self.result, self._failed)  # fmt: skip
        pane = self.query_one(DossierView)
        pane.show(lambda width: stop_lines.lines(shown, width))
        if self._steps or self._failed:
            pane.scroll_lines(len(pane.lines))
        self._keys()

    def _keys(self) -> None:
        if self.typing is not None:
            keys = [Key("enter", "go on", ""), Key("esc", "stop nothing", "leave")]
        elif self._talk is not None:
            keys = [] if self._signed else [Key("esc", "call it off", "leave")]
        else:
            keys = [Key("esc", "back", "leave"), Key("j/k", "scroll", "")]
        self.query_one(KeysBar).show_keys(keys, self.app.size.width)

    def say(self, words: str, role: Role = "plain") -> None:
        """Tell the person what happens."""
        self.query_one("#notice", LineBar).show([Span(" "), say(words, role)])

    # the questions

    def _put(
        self, question: str, answer: Callable[[str], str | None], hint: str,
        options: Sequence[tuple[str, str]] = (), *, secret: bool = False,
    ) -> None:  # fmt: skip
        self.query_one(AskBar).ask([say(question, "strong")], options, answer, hint=hint,
                                   secret=secret)  # fmt: skip
        self._keys()

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

        self._put("stop what?", answer, "a digit", options)

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

        self._put("why?", answer, "it is signed: words, no secret; for 4h at the end: for a while")

    def _ask_handle(self) -> None:
        handle = remediation.handle(self.dossier)

        def answer(typed: str) -> str | None:
            if not stop_lines.confirms(typed, handle):
                return f"those are not the last {LAST} signs of {short(handle)}"
            self._begin()
            return None

        what = self.offered.plan.what if self.offered.plan else "sign the decision alone"
        self._put(f"{what}: type the last {LAST} signs of {short(handle)}", answer,
                  "enter stops it, esc stops nothing")  # fmt: skip

    def question_closed(self, answered: bool) -> None:
        """Whoever goes back stops nothing."""
        self.query_one(DossierView).focus()
        self._keys()
        if answered:
            return
        if self._talk is not None:
            self._talk.call_off()
        else:
            self.dismiss(False)

    # the stop

    def _begin(self) -> None:
        self._failed = ""
        self._talk = KeyTalk(self, self._put_secret, lambda words: self.say(words, "accent"))
        self.say("stopping …")
        self._stop(self._talk)

    def _put_secret(self, question: str, box: Box) -> None:
        wrong, self._asked = self._asked, True

        def answer(typed: str) -> str | None:
            box.put(typed)
            return None

        if not wrong:
            self.say("")
        self._put(question, answer, "enter signs, esc stops nothing", secret=True)

    @work(thread=True, exclusive=True, group="stop", exit_on_error=True)
    def _stop(self, talk: KeyTalk) -> None:
        desk, settings = self.desk, self.desk.settings
        try:
            key = desk.signer(talk.talk)
            db = store.open_(desk.folder)
            try:
                with_ = remediation.Desk(
                    key, desk.clock, lambda source: logins.where(settings, source),
                    lambda step, words: self._back(self._step, (step, words)),
                )  # fmt: skip
                held = remediation.before(db, self.dossier["uri"])
                if held is not None:
                    result = remediation.go_on(db, held, with_)
                else:
                    result = remediation.stop_now(db, self._urgent(), with_)
            finally:
                db.close()
        except WrongPassphrase as error:
            self._back(self._locked, str(error))
        except MusterError as error:
            self._back(self._refused, str(error))
        else:
            self.muster.syncing.soon(key)
            self._back(self._done, result)

    def _urgent(self) -> campaigns.Emergency:
        return campaigns.Emergency(
            self.dossier, self.offered.verdict, self.reason, None, self.desk.me, self._shown_at,
            self._shown_at, self.due,
        )  # fmt: skip

    def _back(self, then: Callable[[Any], None], what: object) -> None:
        """Go on in the screen's own thread, if there is still a screen."""
        if self.app.is_running and self.is_attached:
            self.app.call_from_thread(then, what)

    def _step(self, told: tuple[str, str]) -> None:
        self._signed = True
        self._steps.append(told[1])
        self.say("stopping …")
        self._draw()

    def _locked(self, why: str) -> None:
        """After a wrong passphrase it is asked for again."""
        self._begin()
        self.say(why, "error")

    def _refused(self, why: str) -> None:
        self._talk, self._failed = None, "" if self._signed else why
        self.say(why if self._signed else "nothing was stopped", "error")
        self._draw()

    def _done(self, result: Result) -> None:
        self._talk, self.result = None, result
        self.say("" if result.is_proved else "it is not proved to be refused: look above",
                 "plain" if result.is_proved else "error")  # fmt: skip
        self._draw()

    def action_leave(self) -> None:
        """Back; what is signed and under way is not called off."""
        if self._talk is None:
            self.dismiss(self._signed)
        elif self._signed:
            self.say("it is signed and under way: a moment")
        else:
            self._talk.call_off()
