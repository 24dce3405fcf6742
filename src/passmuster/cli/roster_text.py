"""A roster in words and as JSON, and what a new version changes."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passmuster.cli.common import Bench, emit, talk
from passmuster.errors import ImportRefused, VerificationFailed
from passmuster.text import plural

if TYPE_CHECKING:
    from passmuster.roster import Draft, Line, Person, Request, Roster

MAX_BYTES = 64 << 20


def read(path: Path) -> bytes:
    """A file from somebody else."""
    with path.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImportRefused(f"{path}: too long to be an enrolment or a roster")
    return data


def lacks(bench: Bench, made: "Draft") -> str:
    """What a draft waits for, in words."""
    from passmuster import roster

    if roster.ready(bench.db) is not None:
        return "muster sync puts it in force"
    return roster.lacking(bench.db, made) or "it can be signed"


def tell_void(bench: Bench) -> None:
    """Say which statements count for nothing by what has just come, and open again what they
    decided.
    """
    from passmuster import campaigns, tlog

    found = tlog.voids(bench.db)
    opened = campaigns.reopen(bench.db)  # also where what was void is void no more
    for entry_id, why in found.items():
        talk(f"  void      log entry {entry_id}: {why}")
    if found:
        talk(f"{plural(len(found), 'statement')} in the log {'is' if len(found) == 1 else 'are'} "
             "void: the signature holds, and it counts for nothing. "
             + (f"To decide again: {plural(opened, 'item')}." if opened else ""))  # fmt: skip


def request(path: Path) -> "Request":
    """What somebody asks to be listed with, once it is theirs; the error names the file."""
    from passmuster import roster

    try:
        return roster.possession(read(path))
    except VerificationFailed as error:
        raise VerificationFailed(f"{path}: {error}") from None


def as_json(roster: "Roster", strange: list[str]) -> dict[str, Any]:
    """A version for `--json`; *strange* are keys under my name that are not known as mine."""
    return {
        "version": roster.version, "statement": roster.name, "previous": roster.previous,
        "signed_at": roster.signed_at, "threshold": roster.threshold,
        "registrars": len(roster.registrars(roster.signed_at)),
        "people": [
            person.as_json() | {"keys": [
                {"fingerprint": line.fingerprint, "valid_after": line.after,
                 "valid_before": line.before, "pin": line.fingerprint in roster.pins}
                for line in roster.lines if line.principal == person.principal
            ]} for person in roster.people
        ],
        "strange_keys": strange,
    }  # fmt: skip


def rows(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One row for each key, for a table."""
    for person in said["people"]:
        for key in person["keys"]:
            roles = " ".join(person["roles"]) or None
            yield {**person, **key, "roles": roles}


def changes(before: "Roster | None", new: "Roster") -> list[str]:
    """What *new* says that *before* did not, one line each: what is read before it is signed."""
    return [*_people(before, new), *_lines(before, new), *_threshold(before, new)]


def _people(before: "Roster | None", new: "Roster") -> Iterator[str]:
    for person in new.people:
        old = before.person(person.principal) if before else None
        if old is None:
            yield f"new       {_words(person)}"
        elif old != person:
            yield f"changed   {_words(person)}; was {_words(old)}"
    for old in before.people if before else ():
        if new.person(old.principal) is None:
            yield f"gone      {old.principal}"


def _words(person: "Person") -> str:
    uid = f", {person.person_uid}" if person.person_uid else ""
    return f"{person.principal} ({person.kind}{uid}): {', '.join(person.roles) or 'no role'}"


def _lines(before: "Roster | None", new: "Roster") -> Iterator[str]:
    old: dict[tuple[str, str, str | None], Line] = {
        (x.principal, x.public, x.after): x for x in (before.lines if before else ())
    }
    for line in new.lines:
        was = old.get((line.principal, line.public, line.after))
        pin = ", with its PIN" if line.fingerprint in new.pins else ""
        if was is None:
            until = f" until {line.before}" if line.before else ""
            yield f"key       {line.fingerprint} of {line.principal} from {line.after}{until}{pin}"
        elif was.before != line.before:
            yield f"ends      {line.fingerprint} of {line.principal} at {line.before}"
    for mark in sorted(new.pins ^ (before.pins if before else frozenset())):
        yield f"PIN       {'wanted' if mark in new.pins else 'no longer wanted'} of {mark}"


def _threshold(before: "Roster | None", new: "Roster") -> Iterator[str]:
    if before is None or before.threshold != new.threshold:
        was = f"; was {before.threshold}" if before else ""
        yield f"threshold {plural(new.threshold, 'registrar')} must sign{was}"


def table(said: dict[str, Any]) -> None:
    """Print what `as_json` says, for people."""
    print(f"version    {said['version']}, of {said['signed_at']}")
    print(f"statement  {said['statement']}")
    print(f"threshold  {said['threshold']} of {plural(said['registrars'], 'registrar')}")
    emit(rows(said), {
        "principal": "PRINCIPAL", "kind": "KIND", "roles": "ROLES", "fingerprint": "KEY",
        "valid_after": "FROM", "valid_before": "UNTIL",
    })  # fmt: skip
