"""Which rows a list shows, and in which order. Pure."""

from array import array
from typing import NamedTuple


class Look(NamedTuple):
    """One way of looking at a list; the same look gives the same rows."""

    section: str = ""
    """The filter of the section that is open."""
    expression: str = ""
    """What was typed after `/`."""
    order: str = "risk"
    backwards: bool = False
    ids: tuple[int, ...] | None = None
    """Only these rows, where somebody opened what was marked."""

    @property
    def filter(self) -> str:
        """Section and expression as one filter; both must match."""
        return f"{self.section} {self.expression}".strip()

    def among(self, found: "array[int]") -> "array[int]":
        """Those of *found* that are of its ids, where it has any."""
        if self.ids is None:
            return found
        wanted = set(self.ids)
        return array("I", (i for i in found if i in wanted))


class Section(NamedTuple):
    """A saved filter, shown as a tab."""

    name: str
    expression: str
