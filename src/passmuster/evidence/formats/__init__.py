"""What other tools read: one module a format, found by being here.

A format is derived from the signed files and vouched for by the seal of the pack alone; nothing
that is verified follows from one. Each sees every item once, in one pass that all share, so that
a million of them cost one walk and no memory. A module has `FILES`, the names that it may write
(a name that ends in `/` is a folder), and `begin`.
"""

import functools
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol, cast

from passmuster.campaigns import Campaign
from passmuster.config import Settings
from passmuster.evidence._files import Folder, Writer
from passmuster.evidence._remedies import Newest
from passmuster.evidence._statements import Statement
from passmuster.evidence._walk import Judged
from passmuster.store import Database


@dataclass(frozen=True, slots=True)
class Draft:
    """A pack in the making, as a format sees it."""

    db: Database
    campaign: Campaign
    files: Folder
    """What was written so far. At `end` that is everything but `VERIFY.md`, other formats,
    `chain.tsv`, `SHA256SUMS` and the seal."""
    writer: Writer
    statements: list[Statement]
    opened: Statement
    """The campaign statement; its folder has the population and the dossiers."""
    now: str
    settings: Settings = field(default_factory=Settings)
    unseen: Mapping[str, str] = field(default_factory=dict)
    """Sources of which it is not known how they are after the review, and why (`_after`)."""
    void: Mapping[int, str] = field(default_factory=dict)
    """Index of each statement that counts for nothing, and why."""
    results: Newest = field(kw_only=True)
    """What came of the remediations, by the newest signed result of each."""


class Format(Protocol):
    """One format of one pack."""

    def item(self, judged: Judged) -> None:
        """An item of the population, in its order."""

    def end(self) -> None:
        """Everything else is written: write the rest."""


class Module(Protocol):
    """What a module of this folder has."""

    FILES: tuple[str, ...]
    begin: Callable[[Draft], Format]


@functools.cache
def modules() -> tuple[Module, ...]:
    """Every format, in the order of their names."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return tuple(cast("Module", import_module(f"{__name__}.{name}")) for name in names)


def is_ours(name: str) -> bool:
    """Whether a file of a pack has the name of one that a format writes."""
    return any(
        name.startswith(known) if known.endswith("/") else name == known
        for module in modules()
        for known in module.FILES
    )
