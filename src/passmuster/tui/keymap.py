"""Which keys there are, by the id of their binding: what may be remapped, and what would clash."""

from collections.abc import Iterator, Mapping
from functools import cache

from textual.binding import Binding, BindingType


def _bindings(listed: list[BindingType]) -> Iterator[Binding]:
    for one in listed:
        if isinstance(one, Binding) and one.id:
            yield one


@cache
def known() -> dict[str, Binding]:
    """Every binding that a person may remap, by id."""
    from passmuster.tui.app import MusterApp
    from passmuster.tui.screens.review import ReviewScreen
    from passmuster.tui.widgets.dossier_view import DossierView
    from passmuster.tui.widgets.line_table import LineTable

    found: dict[str, Binding] = {}
    for owner in (DossierView, LineTable, *reversed(ReviewScreen.__mro__), MusterApp):
        found |= {b.id: b for b in _bindings(vars(owner).get("BINDINGS", [])) if b.id}
    return found


def ids() -> frozenset[str]:
    """The ids that may be remapped."""
    return frozenset(known())


def clashes(wanted: Mapping[str, str]) -> list[str]:
    """What is wrong with *wanted* (id → keys): one key for two things that are open at once."""
    return [f"the key {key} is for {other} and for {name}" for key, other, name in _clashes(wanted)]


def clashing(wanted: Mapping[str, str]) -> frozenset[str]:
    """The ids of *wanted* that clash with another: these keep the keys that they have."""
    return frozenset(i for _, *both in _clashes(wanted) for i in both if i in wanted)


def _clashes(wanted: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(key, id, id) of each clash that *wanted* makes."""
    taken: dict[str, str] = {}
    for name, binding in known().items():
        place = "pane" if name.startswith("pane.") and name not in ("pane.on", "pane.back") else ""
        for key in map(str.strip, wanted.get(name, binding.key).split(",")):
            other = taken.setdefault(f"{place}{key}", name)
            if other != name and (name in wanted or other in wanted):
                yield key, other, name
