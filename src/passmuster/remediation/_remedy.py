"""What a remediation is: one stop that decisions ask for, how it is to be done, how far it is."""

import hashlib
import json
from base64 import b32encode
from dataclasses import dataclass
from typing import Literal

from passmuster.connectors import Act, Verdict
from passmuster.store import Database
from passmuster.text import Json, canonical

State = Literal[
    "planned", "applied", "apply_failed", "not_supported", "object_gone", "verified", "reverted"
]
STATES: tuple[State, ...] = (
    "planned", "applied", "apply_failed", "not_supported", "object_gone", "verified", "reverted",
)  # fmt: skip
STOPPED: frozenset[State] = frozenset({"applied", "verified"})
"""States in which it is stopped: nothing more is to be applied. That an object is gone is said
again by each read, for platforms also answer so to whom they let see nothing."""
TASKS = ("rotate", "right_size")
"""Verbs that a person carries out and an export proves: muster runs nothing for them."""
NAME_SIGNS = 8
BY_HAND = "no command is known for it: carry it out by hand; the next import proves it"
ONLY_LINES = "muster does not do this itself: run the vendor's lines, or `muster remediate script`"
OFF = "the last import has it off already: nothing is left to do, and a newer export proves it"
"""What to do where muster cannot."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stop that decisions ask for."""

    uri: str
    """Of the item that was decided."""
    identity_id: int | None
    source: str
    item_kind: str
    subject_id: int | None
    """The row of what was decided, in the table of its kind."""
    verb: str
    part: str | None
    """None: the item as a whole."""
    decided_at: str
    decisions: tuple[str, ...] = ()
    """The decision rows that ask for it, by their names."""
    campaign: str | None = None
    """Digest of the campaign that they are of."""
    emergency: str | None = None
    """Or the statement of an emergency, by its name."""
    due: str | None = None
    needs_second: bool = False
    """Whether the campaign's two-person rule holds for this item."""
    seconded: bool = False
    """Whether a second person concurred with what asks for it, and none objected."""

    @property
    def basis(self) -> Json:
        """What a result names as the reason."""
        if self.emergency is not None:
            return {"emergency": self.emergency}
        return {"decisions": sorted(self.decisions)}

    def name(self, *, destroy: bool = False) -> str:
        """The short id: the same on every device, so that nobody does it a second time."""
        said = [self.uri, self.verb, self.part, self.basis, destroy]
        digest = hashlib.sha256(canonical(said)).digest()
        return b32encode(digest).decode().lower()[:NAME_SIGNS]


@dataclass(frozen=True, slots=True)
class Saved:
    """The state of the object before the first write; it never leaves this workspace."""

    state: Json | None
    """None: the object was not there."""
    salt: str
    at: str

    @property
    def digest(self) -> str:
        """What a result names it by; the salt keeps a state of few values from being guessed."""
        return hashlib.sha256(self.salt.encode() + canonical(self.state)).hexdigest()


@dataclass(frozen=True, slots=True)
class Remedy:
    """A remediation as the workspace has it."""

    name: str
    uri: str
    identity_id: int | None
    source: str
    item_kind: str
    subject_id: int | None
    verb: str
    part: str | None
    campaign: str | None
    basis: Json
    due: str | None
    decided_at: str
    plan: Json | None
    """None: it was planned elsewhere, and only what came of it is known here."""
    plan_digest: str | None
    undo_class: str | None
    in_export: bool
    """Whether an export shows that it is stopped: one that cannot says nothing against it."""
    planned_at: str | None
    prior_id: int | None
    sent_at: str | None
    restoring_at: str | None
    state: State
    verdict: Verdict | None
    said: str
    state_at: str

    @property
    def act(self) -> Act | None:
        """What `Live` would do; None where muster cannot carry it out."""
        found = self.plan and self.plan["act"]
        return Act(**found) if found else None

    @property
    def what(self) -> str:
        """One line for people."""
        if self.plan is not None and self.plan["what"]:
            return str(self.plan["what"])
        return f"{self.verb.replace('_', '-')} {self.part or 'all of it'}"


COLUMNS = tuple(Remedy.__dataclass_fields__)
_JSON = frozenset({"basis", "plan"})


def remedy_of(row: tuple[object, ...]) -> Remedy:
    """The remediation in a row of `COLUMNS`."""
    found = dict(zip(COLUMNS, row, strict=True))
    for name in _JSON:
        found[name] = None if found[name] is None else json.loads(str(found[name]))
    found["in_export"] = bool(found["in_export"])
    return Remedy(**found)  # type: ignore[arg-type]


def saved(db: Database, remedy: Remedy) -> Saved | None:
    """The state that `restore` puts back; None before it was read."""
    if remedy.prior_id is None:
        return None
    state, salt, at = db.one(
        "SELECT state, salt, saved_at FROM saved_state WHERE id = ?", (remedy.prior_id,)
    )
    return Saved(json.loads(state), salt, at)
