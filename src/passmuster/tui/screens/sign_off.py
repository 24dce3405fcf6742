"""What will be signed, read like a commit; `s` signs it, once, and nothing before that counts."""

from collections.abc import Sequence
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from passmuster import campaigns
from passmuster.campaigns import Batch, Countersign, Row, Rows, Signed
from passmuster.errors import MusterError, WrongPassphrase
from passmuster.model import VERDICTS
from passmuster.text import Json, plural
from passmuster.tui import second_lines
from passmuster.tui.dossier import decision_words
from passmuster.tui.key_talk import KeyTalk
from passmuster.tui.lines import Line, Span, fold, say, short
from passmuster.tui.screens._signs import Signs
from passmuster.tui.widgets.keys_bar import Key

MOST_NAMED = 200
"""Rows that change access and are named one by one, with their dossiers read, on the UI thread."""


def summary(
    batch: Batch, dossiers: dict[int, Json], campaign: str, key: str | None, width: int
) -> list[Line]:
    """Everything that *batch* would sign: what stops first, what merely stands as a count."""
    out: list[Line] = [[], [Span(" Sign off  ", "strong"), say(campaign, "strong")], []]
    if batch.changed:
        out += _changed(batch.changed)
    for verdict in VERDICTS:
        count = batch.rows.verdicts[verdict]
        if count:
            out.append([Span(f" {count:>6,}  ", "strong"), Span(verdict, "strong"),
                        Span(_meaning(verdict), "dim")])  # fmt: skip
    if batch.own:
        out.append([Span(f" {len(batch.own):>6,}  ", "strong"), Span("owners named", "strong")])
    out += second_lines.counted(batch.seconds)
    silent = batch.rows.silent
    if silent:
        out.append([Span(f" {silent:>6,}  "), Span("of these without a reason", "dim")])
    out.append(
        [
            Span(f" {batch.undecided:>6,}  "),
            Span("not decided yet: they will read no_response, never approved", "dim"),
        ]
    )
    named, acting = _acting(batch.rows)
    out += _named("What changes somebody's access", named, dossiers, width, acting)
    risky = batch.rows.risky
    out += _named("What stands at high risk", risky, dossiers, width, batch.rows.risky_count)
    ends = batch.rows.ends
    out += _named("What stands only until a day", ends.first, dossiers, width, ends.count)
    out += _bulk(batch) + _owners(batch) + second_lines.named(batch.seconds, width, MOST_NAMED)
    mark = key or "the one that your key store gives"
    out += [[], [Span(" signed by  "), say(batch.principal, "strong")],
            [Span(" with key   "), say(mark)], []]  # fmt: skip
    return out


def _meaning(verdict: str) -> str:
    return {
        "approve": "  access stands",
        "revoke": "  access is to be taken away",
        "disable": "  access is to be switched off",
        "abstain": "  not judged: reads as not approved",
    }[verdict]


def _changed(rows: Sequence[Row | Countersign]) -> list[Line]:
    out: list[Line] = [[
        Span(" ◀ ", "accent"),
        Span(f"The evidence of {plural(len(rows), 'item')} is not what you were shown", "strong"),
    ]]  # fmt: skip
    for row in rows[:MOST_NAMED]:
        what = ", ".join(row.changed)
        out.append([say(f"     {short(row.display_name)}: "), say(what, "strong"),
                    say(f" changed since; you said {row.draft.verdict}")])  # fmt: skip
    return [*out, []]


def _acting(rows: Rows) -> tuple[list[Row], int]:
    """The first rows that change somebody's access, what takes it away before all; their count."""
    some = rows.acting.values()
    first = [row for one in some for row in one.first]
    return first[:MOST_NAMED], sum(one.count for one in some)


def _named(
    title: str, rows: Sequence[Row], dossiers: dict[int, Json], width: int, count: int
) -> list[Line]:
    if not rows:
        return []
    out: list[Line] = [[], [Span(f" {title}", "strong")]]
    for row in rows:
        dossier = dossiers.get(row.item_id)
        what = decision_words(dossier, row.draft) if dossier else row.draft.verdict
        handle = dossier["identity"]["uid"] if dossier else row.uri
        line: Line = [
            say(what, "strong"),
            say(f"  {short(row.display_name)}"),
            say(f"  {handle}", "dim"),
        ]
        if row.draft.reason_text:
            line.append(say(f"  “{row.draft.reason_text}”"))
        for number, folded in enumerate(fold(line, width - 5)):
            out.append([Span("   " if not number else "     "), *folded])
    if count > len(rows):
        out.append([Span(f"   … {count - len(rows):,} more", "strong")])
    return out


def _bulk(batch: Batch) -> list[Line]:
    acts = batch.rows.bulk
    if not acts:
        return []
    out: list[Line] = [[], [Span(" Decided many at once", "strong")]]
    for bulk, verdict in acts.values():
        out.append([say(f"   {verdict} {plural(bulk.size, 'item')}, {bulk.how}")])
    return out


def _owners(batch: Batch) -> list[Line]:
    if not batch.own:
        return []
    out: list[Line] = [[], [Span(" Owners", "strong")]]
    for row in batch.own[:MOST_NAMED]:
        handed = ", who is to decide it" if row.reassign else ""
        out.append([say(f"   {short(row.display_name)}: "), say(row.owner, "strong"), say(handed)])
    return out


class SignOffScreen(Signs):
    """Read, then `s` or esc; true when it was signed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sign", "sign", id="sign_off.sign", tooltip="sign all of this with your key"),
        Binding("escape,q", "leave", "go back", id="sign_off.back", key_display="esc"),
    ]

    def __init__(self, batch: Batch, campaign: str) -> None:
        super().__init__()
        self.frozen, self.campaign = batch, campaign

    def on_mount(self) -> None:
        """Read the evidence of what changes access, so that it can be named."""
        frozen = self.frozen.rows
        rows = [*_acting(frozen)[0], *frozen.ends.first, *frozen.risky]
        db = self.muster.db
        dossiers = {r.item_id: campaigns.item_dossier(db, r.item_id) for r in rows}
        key, name = self.muster.signing_key_mark(), self.campaign
        self.pane.show(lambda width: summary(self.frozen, dossiers, name, key, width))
        self.show_keys()

    def keys(self) -> list[Key]:
        """The keys that make sense now."""
        if self.ask.is_open:
            return [Key("enter", "sign", ""), Key("esc", "go back", "")]
        if self.talk is not None:
            return [Key("esc", "call it off", "leave")]
        count = len(self.frozen.rows) + len(self.frozen.own) + len(self.frozen.seconds)
        return [Key("s", f"sign {plural(count, 'draft')}", "sign"), Key("esc", "go back", "leave"),
                Key("j/k", "scroll", "")]  # fmt: skip

    def action_leave(self) -> None:
        """Back to the queue; nothing is signed, and a key that waits for a touch waits no more."""
        if self.talk is None:
            self.dismiss(False)
        else:
            self.talk.call_off()

    def action_sign(self) -> None:
        """Sign, once."""
        if self.talk is None:
            self.begin()

    def begin(self) -> None:
        """In a thread: a hardware key may wait for a touch, a key file takes a second."""
        self.say("signing …")
        self._sign(self.new_talk())
        self.show_keys()

    @work(thread=True, exclusive=True, group="sign", exit_on_error=True)
    def _sign(self, talk: KeyTalk) -> None:
        from passmuster import store

        try:
            key = self.desk.signer(talk.talk)
            db = store.open_(self.desk.folder)
            try:
                signed = campaigns.sign_off(db, self.frozen, key, self.desk.clock())
            finally:
                db.close()
        except WrongPassphrase as error:
            self.back(self.locked, str(error))
        except MusterError as error:
            self.back(self.refused, str(error))
        else:
            self.muster.syncing.soon(key)
            self.back(self._done, signed)

    def refused(self, why: str) -> None:
        """Nothing is signed: say why."""
        self.talk = None
        self.say(why, "error")
        self.show_keys()
        self.pane.focus()

    def question_closed(self, answered: bool) -> None:
        """The passphrase is there: it is signed."""
        super().question_closed(answered)
        if answered:
            self.say("signing …")

    def _done(self, signed: Signed) -> None:
        from passmuster.tui.screens.signed import SignedScreen

        self.app.push_screen(
            SignedScreen(signed, self.frozen.campaign_id), lambda _: self.dismiss(True)
        )
