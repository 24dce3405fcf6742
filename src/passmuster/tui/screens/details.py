"""One item on a screen of its own: the whole evidence, its timeline, and the record as signed.

Nothing is decided or stopped here. A verb's key goes back to the list that it came from, which
carries it out on this item, so that there is one place where each is done.
"""

from collections.abc import Callable, Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from passmuster.text import Json, plural
from passmuster.tui import raw, timeline
from passmuster.tui.finding import Hit, Index
from passmuster.tui.lines import Line, Role, Span, plain, say
from passmuster.tui.screens._base import MusterScreen
from passmuster.tui.widgets.dossier_view import DossierView
from passmuster.tui.widgets.keys_bar import Key, KeysBar
from passmuster.tui.widgets.line_view import LineBar
from passmuster.tui.widgets.tabs_bar import Tab, TabsBar
from passmuster.tui.widgets.text_line import TextLine

TABS = ("evidence", "timeline", "raw")
UNFOLDED = 100_000
"""Cells of a line that is copied: none is broken."""
HANDED = {
    "a": "approve", "r": "revoke", "d": "disable", "x": "abstain", "t": "rotate",
    "g": "right_size", "p": "parts", "o": "owner", "u": "clear", "z": "undo",
    "exclamation_mark": "stop",
}  # fmt: skip
"""The verbs that a key takes back to the list, by the ids of their bindings there: a key that a
person has given to one of them is the same key here."""


class FoundView(DossierView):
    """The evidence pane, with what was searched for shown in it."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.words = ""
        self.hits: list[Hit] = []
        self._index: tuple[list[Line], Index] | None = None

    @property
    def index(self) -> Index:
        """Of the lines as they are folded now; made when first searched."""
        if self._index is None or self._index[0] is not self.lines:
            self._index = (self.lines, Index(self.lines))
        return self._index[1]

    def search(self, words: str) -> None:
        """Find *words* in all lines; no words find nothing."""
        self.words = words
        self.hits = self.index.find(words) if words else []
        self.refresh()

    def _remake(self) -> None:
        """Fold again, and find again what was found."""
        super()._remake()
        if self.words:
            self.search(self.words)

    def line(self, number: int) -> Line:
        """One line, with the hits in it."""
        found = super().line(number)
        return self.index.marked(number, found, self.hits) if self.hits else found


class DetailsScreen(MusterScreen[str | None]):
    """Read, search, copy; dismissed with the id of a verb, or with nothing."""

    CSS = """
    #title { height: 1; }
    #notice { height: 1; }
    #search { display: none; }
    DetailsScreen.-searching #search { display: block; }
    DetailsScreen.-searching #notice { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,left,q,enter", "leave", "back", id="details.back", key_display="esc"),
        *(Binding(str(n), f"tab({n - 1})", name, id=f"details.{name}",
                  tooltip=f"show the {name}") for n, name in enumerate(TABS, 1)),
        Binding("tab", "turn(1)", "next tab", id="details.next"),
        Binding("shift+tab", "turn(-1)", "tab before", id="details.before"),
        Binding("slash", "search", "search", id="details.search", key_display="/",
                tooltip="find words in this tab"),
        Binding("n", "hit(1)", "next hit", id="details.hit.next"),
        Binding("N", "hit(-1)", "hit before", id="details.hit.before"),
        Binding("y", "copy_handle", "copy the handle", id="details.copy",
                tooltip="put the platform's handle on the clipboard"),
        Binding("Y", "copy_all", "copy all", id="details.copy.all",
                tooltip="put the whole tab on the clipboard, as text"),
        *(Binding(key, f"hand('{verb}')", verb, id=verb, show=False)
          for key, verb in HANDED.items()),
    ]  # fmt: skip

    def __init__(
        self, evidence: Callable[[int], list[Line]], dossier: Json | None = None,
        verbs: Iterable[str] = (), due: str | None = None,
        why_not: str = "nothing is decided on this screen: esc goes back",
    ) -> None:  # fmt: skip
        super().__init__()
        self.why_not = why_not
        """Said where a verb that is not among *verbs* is pressed."""
        self.dossier, self.verbs, self.due = dossier, frozenset(verbs), due
        self._evidence = evidence
        self.at, self._hit = 0, -1
        self._tops = [0] * len(TABS)

    @property
    def typing(self) -> TextLine | None:
        """The search line, while one searches."""
        return self.query_one(TextLine) if self.has_class("-searching") else None

    @property
    def pane(self) -> FoundView:
        """What is read."""
        return self.query_one(FoundView)

    def compose(self) -> ComposeResult:
        """The item, its tabs, what is read, and what was said."""
        yield LineBar(id="title")
        yield TabsBar(id="tabs")
        yield FoundView(id="pane")
        yield TextLine(id="search")
        yield LineBar(id="notice")
        yield KeysBar(id="keys")

    def on_mount(self) -> None:
        """Show the evidence."""
        if self.dossier is not None:
            identity = self.dossier["identity"]
            self.query_one("#title", LineBar).show(
                [Span(" "), say(identity["display_name"], "strong"),
                 say(f"  {handle(self.dossier)}", "dim")]
            )  # fmt: skip
        self.pane.focus()
        self.show_tab(0)

    def on_resize(self) -> None:
        """Keys and tabs to the new width."""
        self._redraw()

    def _redraw(self) -> None:
        width = self.app.size.width
        self.query_one(TabsBar).show_tabs([Tab(name, None) for name in TABS], self.at, width)
        if self.typing is not None:
            keys = [Key("enter", "to what is found", ""), Key("esc", "leave", "leave")]
        else:
            found = bool(self.pane.hits)
            keys = [Key("esc", "back", "leave"), Key("1–3", "tabs", "turn(1)"),
                    Key("/", "search", "search"),
                    *([Key("n", "next", "hit(1)"), Key("N", "before", "hit(-1)")] if found else []),
                    Key("y", "copy handle", "copy_handle"), Key("Y", "copy all", "copy_all"),
                    *self._verb_keys()]  # fmt: skip
        self.query_one(KeysBar).show_keys(keys, width)

    def _verb_keys(self) -> list[Key]:
        shown = {"a": "approve", "r": "revoke", "d": "disable", "!": "stop"}
        return [Key(key, "stop now" if verb == "stop" else verb, f"hand('{verb}')", True)
                for key, verb in shown.items() if verb in self.verbs]  # fmt: skip

    def say(self, words: str, role: Role = "plain") -> None:
        """Tell the person something."""
        self.query_one("#notice", LineBar).show([Span(" "), say(words, role)])

    # tabs

    def made(self, place: int) -> Callable[[int], list[Line]]:
        """A function from a width to the lines of a tab."""
        about = self.dossier
        if place == 0 or about is None:
            return self._evidence
        if TABS[place] == "raw":
            return lambda width: raw.lines(about, width)
        now = self.desk.clock()
        return lambda width: timeline.lines(about, now, width, self.due)

    def show_tab(self, place: int) -> None:
        """Open a tab where it was left; what is searched for is searched there too."""
        pane = self.pane
        self._tops[self.at] = pane.top
        self.at, self._hit = place, -1
        pane.show(self.made(place))
        pane.scroll_lines(self._tops[place])
        self.say("")
        self._redraw()

    def action_tab(self, place: int) -> None:
        """Open that tab."""
        self.show_tab(place)

    def action_turn(self, by: int) -> None:
        """Open the tab beside it, going round."""
        self.show_tab((self.at + by) % len(TABS))

    def on_tabs_bar_chosen(self, message: TabsBar.Chosen) -> None:
        """A tab was clicked."""
        self.show_tab(message.place)

    # searching

    def action_search(self) -> None:
        """Open the search line; what is found shows while one types."""
        box = self.query_one(TextLine)
        box.changed, box.entered, box.left = self._searched, self._kept, self._dropped
        self.add_class("-searching")
        box.start("", "words; n and N go from one to the next", prompt=" / ")
        self._redraw()

    def _searched(self, words: str) -> None:
        pane, self._hit = self.pane, -1
        pane.search(words.strip())
        if pane.hits:
            here = next((n for n, hit in enumerate(pane.hits) if hit.line >= pane.top), 0)
            self._go_to(here)

    def _kept(self, words: str) -> None:
        self.remove_class("-searching")
        hits = len(self.pane.hits)
        if not words.strip():
            self._dropped()
        elif hits:
            self._tell_hit()
        else:
            self.say(f"not in this tab: {words.strip()}")
        self._redraw()

    def _dropped(self) -> None:
        self.remove_class("-searching")
        self.pane.search("")
        self.say("")
        self._redraw()

    def action_hit(self, by: int) -> None:
        """Go to the next thing that was found, going round."""
        hits = len(self.pane.hits)
        if not hits:
            self.say("nothing is searched for: / searches")
            return
        self._go_to((self._hit + by) % hits if self._hit >= 0 else (0 if by > 0 else hits - 1))
        self._tell_hit()

    def _go_to(self, place: int) -> None:
        self._hit, pane = place, self.pane
        line = pane.hits[place].line
        if not pane.top <= line < pane.top + pane.room:
            pane.scroll_lines(line - pane.top - pane.room // 3)
        pane.refresh()

    def _tell_hit(self) -> None:
        self.say(f"{self._hit + 1:,} of {plural(len(self.pane.hits), 'hit')}: {self.pane.words}")

    # copying

    def action_copy_handle(self) -> None:
        """The handle by which the platform knows it."""
        if self.dossier is not None:
            self._copy(handle(self.dossier), "the handle")

    def action_copy_all(self) -> None:
        """The tab as text; of the record, the very bytes that its sha256 is of."""
        if self.dossier is not None and TABS[self.at] == "raw":
            self._copy(raw.canonical(self.dossier), "the record")
            return
        found = [plain(line).rstrip() for line in self.made(self.at)(UNFOLDED)]
        self._copy("\n".join(found) + "\n", f"the {TABS[self.at]}")

    def _copy(self, text: str, what: str) -> None:
        done = self.copied(text)
        self.say(f"{done.words}: {what}", "plain" if done.how else "error")

    # away

    def action_hand(self, verb: str) -> None:
        """Back to the list, to do *verb* to this item."""
        if verb in self.verbs:
            self.dismiss(verb)
        elif verb == "stop":
            self.say("nothing is stopped from here: ! does it in the inventory (i)", "error")
        else:
            self.say(self.why_not, "error")

    def action_leave(self) -> None:
        """From the hits, then from the screen."""
        if self.pane.hits:
            self._dropped()
        else:
            self.dismiss(None)


def handle(dossier: Json) -> str:
    """What the platform knows the item by: of a credential its own id, else the identity's."""
    if dossier["of"] == "credential":
        return str(dossier["subject"])
    return str(dossier["identity"]["uid"])
