"""Every key and what it does, and what the signs mean: one page."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from passmuster.filters import KEYS
from passmuster.tui.lines import Line, Span, fold
from passmuster.tui.screens._base import MusterScreen
from passmuster.tui.screens._places import PLACES
from passmuster.tui.widgets.dossier_view import DossierView
from passmuster.tui.widgets.keys_bar import Key, KeysBar

_PAGE = """
Deciding (drafts only: nothing is signed or stopped before $)
  a        approve: access stays
  r        revoke: access is to be taken away
  d        disable: access is to be switched off; it can come back
  t        approve, and rotate credentials
  g        approve, and right-size a permission: say to what
  p        approve, but revoke or disable some keys, permissions, trusts
  x        abstain: you cannot judge it; the item reads as not approved
  o        name the owner; you may hand the item to them
  A R D …  in upper case: take just that back
  e        write the reason of the draft in your $EDITOR
  u        take everything drafted on this item back
  z  Z     undo, redo your last act
  $        see everything that you drafted, then sign it
  %        read only: refuse every verb; again: allow them

The reason line
  1 … 9    one of the reasons in your settings, at once
  words    your own reason, then enter
  enter    no reason: only for approving at low risk
  until    an approval may end: "audit, until end of quarter", "until 90d"

The second person (2: what others decided and you are to look at too)
  +        concur: an approval stands once you have signed that
  -        object, and say why: an approval then does not stand
  ;        then + or -: for all that is marked (space v m * " mark, as below)
  u  z  Z  take your draft back; undo, redo
  $        see everything that you drafted, then sign it

In an emergency
  !        stop what is under the cursor on the platform, now: you read what
           breaks, say why, and type the last four signs of its handle
  ;  !     among the stops (C): for all that is marked; you type their number

Where nothing asks about it yet
  N        in the inventory or the campaigns: open a review over what is new

Finding
  /        filter as you type; tab completes; esc takes it off
  tab      the next saved filter; shift+tab the one before
  s  c     sort by a column; choose the columns
  :        a command: :jump AKIA…, :group owner, :section unowned
  paste    a key id, ARN, fingerprint or e-mail: the cursor goes there

The whole evidence (enter)
  1 2 3    evidence, timeline, the record as signed; tab goes round
  /  n N   search here; next hit, hit before
  y  Y     copy the platform's handle; copy the whole tab
  a r d …  back to the queue, and that verb on this item

Many at once
  space    mark an item; v marks from the last mark to here
  m  *     mark all like this one; mark what a filter matches
  "        show only what is marked; esc takes all marks away
  ;        then a verb: for all that is marked, recorded as one act
  =        groups by owner, source, kind …: a verb for a whole group

The central log (where a workspace has one; the first line says how it is)
  S        sync now: send what was signed, fetch what others signed
  u        on what is signed and not sent yet: a draft again; what was signed
           stays, and is superseded when you sign again

Moving
  j k      one row down, up; also the arrows, page up and down, home, end
  J K      scroll the evidence
  enter →  the whole evidence on a screen of its own
  y        copy the handle of this item
  ctrl+p   every action by name; also ctrl+k
  q        back, or quit; drafts are kept
"""
_SIGNS = """
Signs in the queue
  >  *     the cursor; marked
  a r d x  your draft; in capitals: signed
  …  o     not on the disk yet; a drafted owner
  92 C     risk, and the worst finding: Critical, High, Medium, Low
  ◀        look at this
"""


def _places() -> str:
    lines = [f"  {place.key}        {place.about}" for place in PLACES.values()]
    return "\n".join(["", "Places, from any list", *lines, ""])


def help_lines(width: int) -> list[Line]:
    """The page, and every qualifier of the filter."""
    lines: list[Line] = []
    for text in (_PAGE + _places() + _SIGNS).strip("\n").split("\n"):
        head = bool(text) and not text.startswith(" ")
        lines.append([Span(" "), Span(text, "strong" if head else "plain")])
    lines += [[], [Span(" Filter words", "strong")]]
    for key, (meaning, values) in KEYS.items():
        row = [Span(f"   {key}:", "accent"), Span(" " * max(1, 12 - len(key)) + meaning)]
        lines += [
            [Span(" " * 16 if number else ""), *folded]
            for number, folded in enumerate(fold(row, max(20, width - 17)))
        ]
        if values:
            offered = fold([Span(", ".join(values), "dim")], max(20, width - 17))
            lines += [[Span(" " * 16), *row] for row in offered]
    return lines


class HelpScreen(MusterScreen[None]):
    """Read and go back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "leave", "back", id="help.back", key_display="esc"),
    ]

    def compose(self) -> ComposeResult:
        """The page, and how to leave."""
        yield DossierView(id="pane")
        yield KeysBar(id="keys")

    def on_mount(self) -> None:
        """Fill it."""
        pane = self.query_one(DossierView)
        pane.show(help_lines)
        pane.focus()
        self.query_one(KeysBar).show_keys(
            [Key("esc", "back", "leave"), Key("j/k", "scroll", ""), Key("space", "page on", "")],
            self.app.size.width,
        )

    def action_leave(self) -> None:
        """Back to the queue."""
        self.dismiss()
