"""Which keys there are, by the id of their binding: what may be remapped, and what would clash."""

from collections.abc import Iterator, Mapping
from functools import cache

from textual.binding import Binding, BindingType


def _bindings(listed: list[BindingType]) -> Iterator[Binding]:
    for one in listed:
        if isinstance(one, Binding) and one.id:
            yield one


@cache
def _screens() -> tuple[dict[str, Binding], ...]:
    """The bindings of each screen on which things are decided, with those of its parts."""
    from passmuster.tui.app import MusterApp
    from passmuster.tui.screens.review import ReviewScreen
    from passmuster.tui.screens.second import SecondScreen
    from passmuster.tui.widgets.dossier_view import DossierView
    from passmuster.tui.widgets.line_table import LineTable

    return tuple(
        {
            b.id: b
            for owner in (DossierView, LineTable, *reversed(screen.__mro__), MusterApp)
            for b in _bindings(vars(owner).get("BINDINGS", [])) if b.id
        }
        for screen in (ReviewScreen, SecondScreen)
    )  # fmt: skip


@cache
def known() -> dict[str, Binding]:
    """Every binding that a person may remap, by id."""
    return {name: binding for screen in _screens() for name, binding in screen.items()}


def ids() -> frozenset[str]:
    """The ids that may be remapped."""
    return frozenset(known())


def clashes(wanted: Mapping[str, str]) -> list[str]:
    """What is wrong with *wanted* (id → keys): one key for two things that are open at once."""
    return [
        f"the key {key} is for {other} and for {name}"
        for key, other, name in sorted(_clashes(wanted))
    ]


def clashing(wanted: Mapping[str, str]) -> frozenset[str]:
    """The ids of *wanted* that clash with another: these keep the keys that they have."""
    return frozenset(i for _, *both in _clashes(wanted) for i in both if i in wanted)


def _clashes(wanted: Mapping[str, str]) -> set[tuple[str, str, str]]:
    """(key, id, id) of each clash that *wanted* makes on one of the screens."""
    found = set()
    for screen in _screens():
        taken: dict[str, str] = {}
        for name, binding in screen.items():
            pane = name.startswith("pane.") and name not in ("pane.on", "pane.back")
            for key in map(str.strip, wanted.get(name, binding.key).split(",")):
                other = taken.setdefault(f"{'pane' if pane else ''}{key}", name)
                if other != name and (name in wanted or other in wanted):
                    found.add((key, other, name))
    return found
