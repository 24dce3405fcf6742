"""After a sign-off: what happens now, to which accounts, and by whom. Nothing has stopped yet."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from passmuster import campaigns, connectors
from passmuster.campaigns import Row, Signed, Waiting
from passmuster.connectors import Plan
from passmuster.text import Json, plural
from passmuster.tui import words
from passmuster.tui.clipboard import Copied
from passmuster.tui.dossier import decision_words
from passmuster.tui.lines import Line, Role, Span, fold, plain, say
from passmuster.tui.parts import change_words
from passmuster.tui.screens._base import MusterScreen
from passmuster.tui.screens._places import PLACES
from passmuster.tui.widgets.dossier_view import DossierView
from passmuster.tui.widgets.keys_bar import Key, KeysBar
from passmuster.tui.widgets.line_view import LineBar

STOPS = PLACES["stops"]
_Todo = tuple[Row, Json, list[tuple[str, list[Plan]]]]


def to_do(rows: list[Row], dossiers: dict[int, Json]) -> list[_Todo]:
    """(row, dossier, [(what, plans)]) of everything that somebody must now carry out."""
    out: list[_Todo] = []
    for row in rows:
        dossier = dossiers.get(row.item_id)
        if dossier is None:
            continue
        parts: list[tuple[str, list[Plan]]] = []
        verdict = row.draft.verdict
        if verdict in ("revoke", "disable"):
            parts.append((verdict, connectors.plan(dossier, verdict, dossier["subject"])))
        for change in row.draft.changes:
            plans = connectors.plan(dossier, change.verb, change.target)
            parts.append((change_words(dossier, change), plans))
        if parts:
            out.append((row, dossier, parts))
    return out


def now_lines(
    signed: Signed, todo: list[_Todo], undecided: int, width: int, seconds: Waiting | None = None,
    key: str = STOPS.key,
) -> list[Line]:  # fmt: skip
    """The sentence, then the lines to run for each account, then what waits for others; *key*
    opens the place where they are carried out.
    """
    count = len(signed.rows) + len(signed.own) + len(signed.seconds)
    statement = say(f"  statement {signed.statements[0][:16]}…", "dim")
    out: list[Line] = [[], [Span(f" Signed: {plural(count, 'row')}", "strong"), statement], []]
    out += _folded([_sentence(todo)], width, 1)
    if todo:
        out += _folded([[Span(key, "accent"), Span(" shows what is to be stopped: plan it there,"
                         " stop it, and see it refused.")]], width, 1)  # fmt: skip
    for row, dossier, parts in todo:
        out += _account(row, dossier, parts, width)
    waits = _for_second(seconds) + _waits(signed, undecided)
    if waits:
        out += [[], [Span(" What waits", "strong")], *_folded(waits, width, 3)]
    return [*out, []]


def _sentence(todo: list[_Todo]) -> Line:
    if not todo:
        return [Span("Nothing is to be stopped or changed on any platform: what you signed lets"
                     " access stand, or leaves it to others.")]  # fmt: skip
    who = ", ".join(dict.fromkeys(words.platform(d["source"]["platform"]) for _, d, _ in todo))
    names = ", ".join(row.display_name for row, _, _ in todo[:3])
    more = f" and {len(todo) - 3} more" if len(todo) > 3 else ""
    return [
        Span("Nothing has been stopped yet: ", "strong"),
        say(f"whoever runs {who} now carries out {plural(len(todo), 'decision')}, on {names}{more},"
            " with the lines below where muster knows them, each with the one that undoes it."),
    ]  # fmt: skip


def _account(
    row: Row, dossier: Json, parts: list[tuple[str, list[Plan]]], width: int
) -> list[Line]:
    place = f"{words.platform(dossier['source']['platform'])} {dossier['source']['tenant_uid']}"
    title: Line = [say(row.display_name, "strong"), say(f"  {place}", "dim"),
                   say(f"  {decision_words(dossier, row.draft)}")]  # fmt: skip
    out = [[], *_folded([title], width, 1)]
    for what, plans in parts:
        if not plans:
            why = (
                "no connector plan for this platform yet"
                if not what.startswith(("rotate", "right-size"))
                else "by hand: no connector plans this yet"
            )
            out += _folded([[say(f"{what}: "), Span(why, "dim")]], width, 3)
        for plan in plans:
            out += _folded([[say(plan.what)]], width, 3)
            out += _commands("stop", plan.stop, "plain", width)
            out += _commands("undo", plan.undo, "dim", width)
            if plan.residual:
                out += _folded([[Span("goes on: ", "dim"), say(plan.residual, "dim")]], width, 5)
    return out


def _commands(label: str, commands: tuple[str, ...], role: Role, width: int) -> list[Line]:
    out: list[Line] = []
    for command in commands:
        for line in fold([say(command, role)], width - 12):
            out.append([Span(f"     {label if not out else '':<6}", "dim"), *line])
    return out


def _for_second(seconds: Waiting | None) -> list[Line]:
    """Approvals that stand only once somebody else has concurred, and who that may be."""
    if seconds is None or not seconds.rows:
        return []
    line: Line = [Span(f"{plural(seconds.rows, 'approval')} for a second person: "),
                  say(" or ".join(seconds.on) or "nobody named may", "strong"),
                  Span("; until then not approved", "dim")]  # fmt: skip
    if seconds.nobody and seconds.on:
        line.append(Span(f"; {plural(seconds.nobody, 'approval')} nobody named may countersign"))
    return [line]


def _waits(signed: Signed, undecided: int) -> list[Line]:
    out: list[Line] = [
        [say(f"{row.display_name}: {row.owner} is to decide it")]
        for row in signed.own
        if row.reassign
    ]
    abstained = signed.rows.verdicts["abstain"]
    if abstained:
        out.append([say(f"{plural(abstained, 'item')} you abstained from: not approved until"
                        " somebody decides")])  # fmt: skip
    objected = [s for s in signed.seconds if s.draft.verdict == "object"]
    if again := sorted({s.decider.principal for s in objected if s.verdict == "approve"}):
        out.append([say(f"what you objected to does not stand: {', '.join(again[:3])} is to decide"
                        " it again")])  # fmt: skip
    if undecided:
        out.append([say(f"{plural(undecided, 'item')} of yours still to decide")])
    return out


def _folded(rows: list[Line], width: int, indent: int) -> list[Line]:
    return [[Span(" " * indent), *line] for row in rows for line in fold(row, width - indent - 1)]


def script(todo: list[_Todo]) -> str:
    """Every line to run, with what it is for and how to undo it as comments."""
    out: list[str] = []
    for row, _, parts in todo:
        for _, plans in parts:
            for plan in plans:
                out += [plain([say(f"# {row.display_name}: {plan.what}")]), *plan.stop]
                out += [f"# undo: {line}" for line in plan.undo]
    return "\n".join(out) + "\n" if out else ""


class SignedScreen(MusterScreen[None]):
    """Read, copy the lines, go on."""

    CSS = "#notice { height: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "copy the lines", id="signed.copy",
                tooltip="put every line to run on the clipboard"),
        Binding(STOPS.key, "stops", STOPS.word, id="go.stops", tooltip=STOPS.about),
        Binding("escape,q,enter", "leave", "to the queue", id="signed.back", key_display="esc"),
    ]  # fmt: skip

    def __init__(self, signed: Signed, campaign_id: int) -> None:
        super().__init__()
        self.signed, self.campaign_id = signed, campaign_id
        self._todo: list[_Todo] = []

    def compose(self) -> ComposeResult:
        """What happens now, and how to leave."""
        yield DossierView(id="pane")
        yield LineBar(id="notice")
        yield KeysBar(id="keys")

    def on_mount(self) -> None:
        """Make the plans."""
        db = self.muster.db
        rows = self.signed.rows.that_act()
        dossiers = {r.item_id: campaigns.item_dossier(db, r.item_id) for r in rows}
        self._todo = to_do(rows, dossiers)
        left = campaigns.progress(db, self.campaign_id, self.desk.me).open
        seconds = campaigns.waiting_for(db, self.signed.rows.ids())
        pane = self.query_one(DossierView)
        (stops,) = self.muster.own_keys([Key(STOPS.key, STOPS.word, "place('stops')")])
        pane.show(lambda width: now_lines(self.signed, self._todo, left, width, seconds, stops.key))
        pane.focus()
        keys = [Key("esc", "to the queue", "leave"), Key("j/k", "scroll", "")]
        if self._todo:
            keys.append(stops._replace(action="stops"))
        if script(self._todo):
            keys.insert(0, Key("y", "copy the lines", "copy"))
        self.query_one(KeysBar).show_keys(keys, self.app.size.width)

    def action_copy(self) -> None:
        """Copy the lines, and say which way they went."""
        text = script(self._todo)
        done = self.copied(text) if text else Copied("", "there is no line to copy")
        role: Role = "plain" if done.how or not text else "error"
        self.query_one("#notice", LineBar).show([Span(" "), say(done.words, role)])

    def action_stops(self) -> None:
        """To where it is carried out; the sign-off is over."""
        app = self.muster
        self.dismiss()
        app.call_later(app.go, "stops")

    def action_leave(self) -> None:
        """To the queue."""
        self.dismiss()
