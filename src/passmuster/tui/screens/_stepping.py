"""The steps of a stop, on the one under the cursor or, after `;`, on all that are marked.

One is confirmed by the last signs of its handle, many by their number, and of each tier of risk no
more go in one act than the settings allow. What cannot be taken along is left out and said.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import work
from textual.binding import Binding, BindingType

from passmuster import campaigns, policy, remediation, store
from passmuster.errors import MusterError
from passmuster.remediation import Remedy, Status, Step
from passmuster.text import plural
from passmuster.tui import stop_lines
from passmuster.tui.lines import Line, Span, say, short
from passmuster.tui.screens._carrying import Carrying
from passmuster.tui.stop_lines import LAST
from passmuster.tui.widgets.keys_bar import Key

NOBODY = "there is no stop here"
STEPS: tuple[tuple[Step, str, str, str], ...] = (
    ("apply", "!", "stop it", "stop"), ("verify", "v", "verify", "verify"),
    ("restore", "u", "put back", "restore"),
)  # fmt: skip
FEW = 3
"""Named in a question about many."""


class Meant(NamedTuple):
    """What a step is to be taken with."""

    run: list[Remedy]
    left_out: list[str]
    """Of each that is not, why."""
    changed: dict[str, list[str]]
    """By name: what of its evidence changed since it was decided."""

    @property
    def words(self) -> str:
        """What is left out, the reasons in words."""
        why = dict.fromkeys(self.left_out)
        return f"{len(self.left_out)} left out: {'; '.join(why)}" if why else ""


class Stepping(Carrying):
    """Plan, stop, verify, put back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "plan", "plan", id="stops.plan",
                tooltip="plan what signed decisions ask for; nothing is sent"),
        Binding("exclamation_mark", "stop", "stop it", id="stop", key_display="!",
                tooltip="stop what is under the cursor, and see it refused"),
        Binding("v", "verify", "verify", id="stops.verify",
                tooltip="ask the platform whether it refuses what was stopped"),
        Binding("u", "restore", "put back", id="stops.restore",
                tooltip="put back exactly what was there before"),
        Binding("space", "mark", "mark", id="mark", tooltip="mark for a step on many"),
        Binding("m", "mark_all", "mark all", id="mark.like", tooltip="mark all in this view"),
        Binding("semicolon", "marked", "step on marked", id="marked", key_display=";",
                tooltip="the next step goes for all that is marked"),
    ]  # fmt: skip

    for_marked = False
    """Whether the next step is for all that is marked."""

    @property
    def here(self) -> Status | None:
        """What is under the cursor."""
        raise NotImplementedError

    def among(self, ids: Sequence[int]) -> list[Remedy]:
        """The remediations of these rows."""
        raise NotImplementedError

    # which

    def action_mark_all(self) -> None:
        """Mark what is shown."""
        self.table.mark(self.table.rank)
        self.say("all of this view: ; then a step is for all of them")

    def action_marked(self) -> None:
        """The next step goes for all that is marked."""
        if not self.table.marks:
            self.say("nothing is marked: space marks one")
            return
        self.for_marked = True
        self.say(f"what for all {len(self.table.marks):,} marked?   esc: nothing", "strong")

    def marked_hints(self) -> list[Key]:
        """The keys that make sense where something is marked."""
        if self.for_marked:
            return [*(Key(key, word.replace(" it", ""), action) for _, key, word, action in STEPS),
                    Key("esc", "not now", "back")]  # fmt: skip
        if self.table.marks:
            return [Key(";", f"then a step: all {len(self.table.marks):,}", "marked"),
                    Key("space", "mark", "mark"), Key("esc", "unmark", "back")]  # fmt: skip
        return []

    def step_hints(self, one: Remedy) -> list[Key]:
        """The steps that can be taken with *one*."""
        return [Key(key, word, action) for step, key, word, action in STEPS
                if not remediation.why_not(self.muster.db, one, step)]  # fmt: skip

    def step_back(self) -> bool:
        """Besides: back from `;`."""
        if self.for_marked and not self.ask.is_open:
            self.for_marked = False
            self.say("")
            return True
        return super().step_back()

    def _meant(self, step: Step, done: str) -> Meant | None:
        """What *step* can be taken with; None, and why is said, where that is nothing."""
        many, self.for_marked = self.for_marked, False
        if not self.may_begin(done):
            return None
        if many:
            wanted = self.among([i for i in self.table.rank if i in self.table.marks]
                                + sorted(self.table.marks - set(self.table.rank)))  # fmt: skip
        else:
            wanted = [self.here.remedy] if self.here else []
        why = {one.name: remediation.why_not(self.muster.db, one, step) for one in wanted}
        found = Meant([one for one in wanted if not why[one.name]],
                      [words for words in why.values() if words], {})  # fmt: skip
        if not found.run:
            self.say(found.words if len(wanted) > 1 else next(iter(why.values()), NOBODY),
                     "error" if wanted else "plain")  # fmt: skip
            return None
        if step != "verify" and (too_many := self._too_many(found.run)):
            self.say(too_many, "error")
            return None
        return found

    def _too_many(self, run: Sequence[Remedy]) -> str:
        """Why one act may not be on so many; what no list has the risk of counts as critical."""
        if len(run) < 2:
            return ""
        ids = [one.identity_id for one in run if one.identity_id is not None]
        risks = {row.id: row.risk for row in policy.identity_rows(self.muster.db, ids)}
        tiers = [campaigns.tier(risks.get(one.identity_id or 0, 100)) for one in run]
        for tier, most in self.desk.settings.bulk.items():
            if (count := tiers.count(tier)) > most:
                return (f"{count:,} of them are at {tier} risk, and one act may go for {most:,}:"
                        " mark fewer, or raise [bulk] in your settings")  # fmt: skip
        return ""

    # plan

    def action_plan(self) -> None:
        """Plan all that is open."""
        if self.may_begin("planned"):
            self.say("planning …")
            self._plan()

    @work(thread=True, exclusive=True, group="plan")
    def _plan(self) -> None:
        db = store.open_(self.desk.folder)
        try:
            found = remediation.plan(db, self.desk.clock())
        except MusterError as error:  # one that can not be planned keeps the others from it
            self.back(self.refused, str(error))
        else:
            self.back(self._planned, len(found))
        finally:
            db.close()

    def _planned(self, count: int) -> None:
        self.was_carried_out()
        self.say(f"{plural(count, 'stop')} planned; nothing is sent before ! and its four signs"
                 if count else "nothing to plan: no signed decision asks for a stop that is not"
                 " done")  # fmt: skip

    # stop

    def action_stop(self) -> None:
        """Look whether it is asked for still, then ask for the last four signs, or the number."""
        if (meant := self._meant("apply", "stopped")) is not None:
            self._look_before(meant)

    @work(thread=True, exclusive=True, group="before")
    def _look_before(self, meant: Meant) -> None:
        """What a run asks before it begins: it reads all decisions, so in a thread."""
        now = self.desk.clock()
        with self.muster.reading() as db:
            dropped = remediation.unasked(db, meant.run, now)
            run = [one for one in meant.run if one.name not in dropped]
            changed = remediation.stale(db, run)
            held = remediation.breaker(db, run, self.desk.settings, now)
        otherwise = "it was decided otherwise since, or stopped in an emergency"
        meant = Meant(run, [*meant.left_out, *[otherwise] * len(dropped)], changed)
        if not run:
            self.back(self.refused, meant.words if len(meant.left_out) > 1 else otherwise)
        elif held is not None:
            names = " ".join(one.name for one in run)
            command = f"muster remediate apply {names} --all-of-them {held.identities}"
            self.back(self.refused, f"held up: {'; '.join(held.why)}: {command}")
        else:
            self.back(self._ask_to_stop, meant)

    def _ask_to_stop(self, meant: Meant) -> None:
        if self.typing is not None or not self.is_current:
            return  # the person went on to something else meanwhile
        if len(meant.run) > 1:
            changed = {what for parts in meant.changed.values() for what in parts}
            whose = f"the evidence of {len(meant.changed):,} of them"
            self._ask_count("stop", meant, "apply", _changed(whose, sorted(changed)))
            return
        (one,) = meant.run
        handle = one.part or campaigns.subject_of(one.uri)[2]
        question: Line = [say(f"{one.what}: type the last {LAST} signs of {short(handle)}",
                              "strong")]  # fmt: skip
        question += _changed("its evidence", meant.changed.get(one.name, []))

        def answer(typed: str) -> str | None:
            if not stop_lines.confirms(typed, handle):
                return f"those are not the last {LAST} signs of {short(handle)}"
            self.begin("apply", meant.run)
            return None

        self.put(question, answer, "enter stops it, esc stops nothing")

    def _ask_count(self, verb: str, meant: Meant, step: Step, more: Line) -> None:
        """A step on many is confirmed by typing how many; a single key would be too easy."""
        count, run = len(meant.run), meant.run
        few = ", ".join(short(one.what) for one in run[:FEW])
        rest = f" and {count - FEW:,} more" if count > FEW else ""
        question: Line = [say(f"{verb} {count:,}", "strong"), say(f": {few}{rest}"), *more]
        if meant.left_out:
            question.append(say(f"  {meant.words}", "dim"))

        def answer(typed: str) -> str | None:
            if typed.strip() != str(count):
                return f"that is not {count}; type {count}, or esc to leave them alone"
            self.begin(step, run)
            return None

        self.put(question, answer, f"type {count} to go on, esc does nothing")

    # ask again, and put back

    def action_verify(self) -> None:
        """Ask the platform again."""
        if (meant := self._meant("verify", "signed")) is not None:
            self.begin("verify", meant.run)

    def action_restore(self) -> None:
        """Ask, then put back what was there."""
        if (meant := self._meant("restore", "put back")) is None:
            return
        if len(meant.run) > 1:
            self._ask_count("let in again", meant, "restore", [])
            return

        def answer(typed: str) -> str | None:
            if typed.strip().lower() != "y":
                return "y lets it in again; esc leaves it stopped"
            self.begin("restore", meant.run)
            return None

        self.put([Span("let it in again?  ", "strong"), say(short(meant.run[0].what))], answer,
                 "esc leaves it stopped", [("y", "put back what was there before")])  # fmt: skip


def _changed(whose: str, parts: Sequence[str]) -> Line:
    said = f"  {whose} changed since it was decided: {', '.join(parts)}"
    return [say(said, "error")] if parts else []
