"""Where one can go in the workstation: one key, one word and one screen for each place.

A place is a module of this folder with a class `SCREEN`; it is imported when somebody goes there,
so that a new place costs nothing at start-up.
"""

from typing import Any, ClassVar, NamedTuple

from textual.binding import Binding, BindingType

from passmuster.tui.screens._base import MusterScreen


class Place(NamedTuple):
    """One place."""

    key: str
    word: str
    about: str


PLACES: dict[str, Place] = {
    "attention": Place("h", "needs you", "what was refused, is contested, stale, or halted"),
    "board": Place("b", "campaigns", "how far each campaign is, who is silent, when it is done"),
    "second": Place("2", "second person", "what waits for you to concur with, or object to"),
    "inventory": Place("i", "inventory", "every identity, whatever campaign it is in"),
    "findings": Place("f", "findings", "the rules and what they found"),
    "people": Place("w", "people", "who answers for what, and who is not known"),
    "suppliers": Place("W", "suppliers", "third parties, until when, and how to end their access"),
    "stops": Place("C", "stops", "carry decisions out: what is to be stopped, and how far it is"),
    "log": Place("l", "log", "what was signed, by whom, and whether it holds"),
    "settings": Place(",", "settings", "every setting, what it does, and how to change it"),
}
"""By the name of the module; the key goes there from every other place."""

_SPELLED = {",": "comma"}


def place_bindings() -> list[BindingType]:
    """A key for each place."""
    return [
        Binding(_SPELLED.get(place.key, place.key), f"place('{name}')", place.word,
                id=f"go.{name}", key_display=place.key, tooltip=place.about)
        for name, place in PLACES.items()
    ]  # fmt: skip


class Placed(MusterScreen[Any]):
    """A screen from which one can go to every place."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *place_bindings(),
        Binding("question_mark", "help", "help", id="help", key_display="?",
                tooltip="every key and what it does"),
    ]  # fmt: skip

    def action_place(self, name: str) -> None:
        """Go there."""
        self.muster.go(name)

    def action_help(self) -> None:
        """Every key."""
        from passmuster.tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen())
