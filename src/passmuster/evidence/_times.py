"""By when a statement was there: what witnesses and a time-stamp authority say in a pack.

A cosigned checkpoint proves every entry below its size, once the log is shown to have only grown
from it to the pack's own checkpoint (RFC 6962 consistency). So each checkpoint that a witness
cosigned is in the pack, and a statement's time is that of the first one that has it.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from passmuster import merkle, note
from passmuster.errors import VerificationFailed
from passmuster.evidence._files import Files, lines, whole
from passmuster.evidence._report import Report
from passmuster.evidence._statements import Statement
from passmuster.note import Checkpoint, Note, VerifierKey
from passmuster.roster import Proven
from passmuster.text import from_epoch

T = TypeVar("T")
CHECKPOINT, WITNESSES = "log/checkpoint", "log/witnesses"
COSIGNED = "log/cosigned/"
NOTE, GROWN = ".checkpoint", ".consistency"
AUTHORITY = "the time-stamp authority"


@dataclass(frozen=True, slots=True)
class Seen:
    """That the first entries of the log were there by a time."""

    size: int
    at: str
    by: VerifierKey | None
    """The witness; None for the time-stamp authority."""

    @property
    def name(self) -> str:
        """Whoever says it."""
        return AUTHORITY if self.by is None else f"witness {self.by.name}"


def called(size: int) -> tuple[str, str]:
    """The files of an earlier checkpoint of that size."""
    name = f"{COSIGNED}{size:06d}"
    return name + NOTE, name + GROWN


def named(name: str, work: Callable[[], T]) -> T:
    """What *work* returns; a failure tells the file."""
    try:
        return work()
    except VerificationFailed as error:
        raise VerificationFailed(f"{name}: {error}") from None


def witnesses(files: Files, names: set[str]) -> tuple[VerifierKey, ...]:
    """The keys in `log/witnesses`."""
    if WITNESSES not in names:
        return ()
    rows = [line.decode() for line in lines(files, WITNESSES)]
    found = tuple(named(WITNESSES, lambda: note.parse_key(row)) for row in rows)  # noqa: B023
    if rows != sorted(set(map(str, found))):
        raise VerificationFailed(f"{WITNESSES}: not each witness once and in order")
    return found


def read(files: Files, names: set[str], origin: str) -> list[Seen]:
    """What the witnesses of the pack say, once each line of theirs holds.

    Whether the log's own people signed the checkpoint is asked by `_log.check`.
    """
    known = witnesses(files, names)
    if any(key.kind != note.COSIGNATURE for key in known):
        raise VerificationFailed(f"{WITNESSES}: names a witness by a key that is none")
    newest = named(CHECKPOINT, lambda: note.parse(whole(files, CHECKPOINT)))
    last = named(CHECKPOINT, lambda: note.parse_checkpoint(newest.text))
    found = _seen(CHECKPOINT, newest, last, known)
    there = {name for name in names if name.startswith(COSIGNED)}
    for name in sorted(n for n in there if n.endswith(NOTE)):
        found += _earlier(files, name, origin, last, known)
    expected = {part for one in found if one.size < last.size for part in called(one.size)}
    for name in sorted(there ^ expected):
        raise VerificationFailed(f"{name}: has no place in a pack, or is missing")
    if {one.by for one in found} != set(known):
        raise VerificationFailed(f"{WITNESSES}: names a witness that did not cosign")
    return found


def _seen(
    name: str, signed: Note, said: Checkpoint, known: tuple[VerifierKey, ...]
) -> list[Seen]:  # fmt: skip
    if not {(k.name, k.id) for k in known} & {(line.name, line.id) for line in signed.lines}:
        return []
    by = named(name, lambda: note.verify(signed, known))
    return [Seen(said.size, from_epoch(one.at), one.key) for one in by if one.at is not None]


def _earlier(
    files: Files, name: str, origin: str, last: Checkpoint, known: tuple[VerifierKey, ...]
) -> list[Seen]:  # fmt: skip
    """An earlier checkpoint: cosigned, of this log, and the log only grew from it."""
    data = whole(files, name)
    signed = named(name, lambda: note.parse(data))
    said = named(name, lambda: note.parse_checkpoint(signed.text))
    found = _seen(name, signed, said, known)
    if str(signed).encode() != data or len(found) != len(signed.lines):
        raise VerificationFailed(f"{name}: has other lines than witnesses make")
    if said.origin != origin or not 0 < said.size < last.size or called(said.size)[0] != name:
        raise VerificationFailed(f"{name}: is of another log or of another size")
    grown = called(said.size)[1]
    rows = [line.decode() for line in lines(files, grown)]
    proof = named(grown, lambda: note.parse_proof(rows))
    named(grown, lambda: merkle.check_consistency(
        said.size, last.size, proof, said.root, last.root))  # fmt: skip
    return found


def first(seen: Collection[Seen], index: int) -> Seen | None:
    """The first time by which the statement at *index* was there; None without one.

    The seal (index 0) stands in no checkpoint of the pack.
    """
    there = [one for one in seen if one.size >= index] if index else []
    return min(there, key=lambda one: (one.at, one.name), default=None)


def proven(seen: Collection[Seen]) -> Proven:
    """The times of *seen*, as `roster.judge` asks for them."""

    def at(index: int) -> str | None:
        one = first(seen, index)
        return None if one is None else one.at

    return at


def trusted(seen: Collection[Seen], named_by_caller: Collection[VerifierKey]) -> list[Seen]:
    """Of *seen* what the witnesses say whose keys the caller got by another way."""
    return [one for one in seen if one.by in named_by_caller]


def tell(
    report: Report, statements: list[Statement], seen: Collection[Seen],
    asked: Collection[VerifierKey],
) -> None:  # fmt: skip
    """Put into *report* which times are proven, and by whom: by those that the caller named."""
    for statement in statements:
        if (one := first(seen, statement.index)) is not None:
            report.proven.append({"statement": statement.folder, "at": one.at, "by": one.name})
    for key in asked:
        if key not in {one.by for one in seen}:
            report.notes.append(f"witness {key.name} cosigned nothing here: it proves no time")
