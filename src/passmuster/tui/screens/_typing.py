"""The line at the top that one types a filter or a command in, with what it could become below."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding

from passmuster.errors import FilterError
from passmuster.text import nearest
from passmuster.tui import completion
from passmuster.tui.completion import Suggestions
from passmuster.tui.lines import Line, Role, Span, say, width_of
from passmuster.tui.screens._base import MusterScreen
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_view import LineBar
from passmuster.tui.widgets.text_line import TextLine

FILTER, COMMAND = " / ", " : "


class Command(NamedTuple):
    """What may be typed after `:`."""

    about: str
    run: Callable[[str], None]
    """Takes the rest of the line."""
    values: Sequence[str] = ()
    """What the rest may be, to be completed."""


class Typing(MusterScreen[Any]):
    """The filter line and the command line: one line, two prompts."""

    DEFAULT_CSS = """
    Typing #filter { display: none; }
    Typing #filter-error { display: none; }
    Typing.-filtering #filter { display: block; }
    Typing.-filtering #filter-error { display: block; }
    Typing.-filtering #sections { display: none; }
    Typing.-filtering #status { display: none; }
    """
    FILTER_HINT = "words, kind:service, owner:none, unused:>90d …"
    """What an empty filter line offers."""

    def compose_typing(self) -> ComposeResult:
        """The line, and the one below it."""
        yield TextLine(id="filter")
        yield LineBar(id="filter-error")

    # what the screen gives

    def say(self, words: str, role: Role = "plain") -> None:
        """Tell the person something."""
        raise NotImplementedError

    def redraw_bars(self) -> None:
        """Draw the lines around."""
        raise NotImplementedError

    def try_filter(self, typed: str) -> FilterError | None:
        """What is wrong with a filter; nothing for one that can be used."""
        raise NotImplementedError

    def use_filter(self, typed: str) -> None:
        """Show what matches."""
        raise NotImplementedError

    def filter_now(self) -> str:
        """The filter that is in use."""
        return ""

    def names(self, key: str, beginning: str) -> Sequence[str]:
        """Names in the inventory that a qualifier could have as its value."""
        return self.muster.names(key, beginning)

    def suggestions(self, typed: str, at: int) -> Suggestions:
        """What the word of a filter that ends at *at* could become."""
        return completion.for_filter(typed, at, self.names)

    def commands(self) -> dict[str, Command]:
        """What may be typed after `:` here: every action of a key, by the key's id."""
        found = {}
        for binding in sorted(self._actions(), key=lambda b: not (b.id or "").startswith("go.")):
            assert binding.id is not None
            found[binding.id.removeprefix("go.")] = Command(binding.tooltip, self._acts(binding))
        return found

    def _actions(self) -> Iterable[Binding]:
        for _, binding in self._bindings:
            if binding.id and binding.tooltip and binding.id not in ("command", "palette"):
                yield binding

    def _acts(self, binding: Binding) -> Callable[[str], None]:
        def run(_rest: str) -> None:
            self.call_later(self.run_action, binding.action)

        return run

    # the line

    @property
    def line(self) -> TextLine:
        """The line that filters and commands are typed in."""
        return self.query_one("#filter", TextLine)

    @property
    def typed_line(self) -> TextLine | None:
        """The line, while somebody types in it."""
        return self.line if self.has_class("-filtering") else None

    @property
    def _commanding(self) -> bool:
        return self.line.prompt == COMMAND

    def action_filter(self) -> None:
        """Open the filter line."""
        box = self.line
        box.changed, box.left = self._filter_typed, self.drop_line
        box.entered = lambda _: self.action_keep_filter()
        box.completed = lambda typed, at: completion.completed(
            typed, at, self.suggestions(typed, at)
        )
        self.add_class("-filtering")
        box.start(self.filter_now(), self.FILTER_HINT, prompt=FILTER)
        self._suggest(self._for_filter(), "tab completes")
        self.redraw_bars()

    def action_command(self) -> None:
        """Open the command line."""
        box = self.line
        box.changed = lambda _: self._suggest(self._for_command())
        box.left, box.entered = self.close_line, self._command_entered
        box.completed = lambda typed, at: completion.completed(typed, at, self._for_command())
        self.add_class("-filtering")
        box.start("", "what to do, or where to go", prompt=COMMAND)
        self._suggest(self._for_command())
        self.redraw_bars()

    def _for_filter(self) -> Suggestions:
        return self.suggestions(self.line.value, self.line.at)

    def _for_command(self) -> Suggestions:
        typed, at = self.line.value, self.line.at
        known = self.commands()
        word, space, rest = typed.partition(" ")
        if not space or at <= len(word):
            return completion.for_words(typed, at, list(known))
        command = known.get(word.lower())
        if command is None:
            return Suggestions(at, [])
        found = completion.for_words(rest, at - len(word) - 1, command.values)
        return found._replace(start=found.start + len(word) + 1, about=command.about)

    def _suggest(self, found: Suggestions, otherwise: str = "") -> None:
        line: Line = [Span(" " * len(FILTER))]
        room = self.size.width - 12
        for word in found.words:
            if width_of(line) + len(word) > room:
                line.append(Span("…", "dim"))
                break
            line.append(say(f"{word}  ", "plain"))
        if not found.words and otherwise and not self.line.value:
            line.append(Span(otherwise, "dim"))
        if found.about:
            line.append(say(f" {found.about}", "dim"))
        self.query_one("#filter-error", LineBar).show(line)

    def _filter_typed(self, typed: str) -> None:
        """Filter while one types; a word that is not known is pointed at."""
        found = self._for_filter()
        error = self.try_filter(typed)
        self.set_class(error is not None, "-bad-filter")
        if error is None:
            self._suggest(found)
            self.use_filter(typed)
        elif found.words and self.line.at == len(typed):
            self._suggest(found)  # not wrong yet: it may still become one of these
        else:
            self._point_at(error)

    def _point_at(self, error: FilterError) -> None:
        pointed = " " * min(error.position + len(FILTER), self.size.width // 2)
        self.query_one("#filter-error", LineBar).show([Span(f"{pointed}^ "), say(error, "error")])

    def action_keep_filter(self) -> None:
        """Go back to the list with the filter as it is, unless it is a wrong one."""
        if error := self.try_filter(self.line.value):
            self._point_at(error)
        else:
            self.close_line()

    def _command_entered(self, typed: str) -> None:
        word, _, rest = typed.strip().partition(" ")
        self.close_line()
        if not word:
            return
        known = self.commands()
        command = known.get(word.lower())
        if command is None:
            matching = [name for name in known if name.startswith(word.lower())]
            if len(matching) != 1:
                self.say(f"no command {word}{nearest(word, known)}", "error")
                return
            command = known[matching[0]]
        command.run(rest.strip())

    def close_line(self) -> None:
        """Put the line away; what it did stays."""
        self.remove_class("-filtering", "-bad-filter")
        self.redraw_bars()

    def drop_line(self) -> None:
        """Put the line away, and the filter too."""
        self.close_line()
        self.use_filter("")

    def typing_keys(self) -> list[Key]:
        """The keys of the line, while somebody types in it."""
        if self.typed_line is None:
            return []
        if self._commanding:
            return [Key("enter", "do it", ""), Key("tab", "complete", ""),
                    Key("esc", "leave", "back")]  # fmt: skip
        return [Key("enter", "keep", "keep_filter"), Key("tab", "complete", ""),
                Key("esc", "take off", "back")]  # fmt: skip
