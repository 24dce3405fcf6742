"""Who is waited for as the second person, and which items nobody may countersign.

An item is opened with somebody who may. It is left with nobody when it comes to be decided by the
only one who could countersign it: handing it over to that person is refused, and where it has
happened all the same (an address changed meanwhile) it is told wherever a campaign is looked at.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from passmuster.campaigns import _who
from passmuster.campaigns._campaign import Campaign
from passmuster.campaigns._queue import part_name
from passmuster.campaigns._second_policy import policy_of
from passmuster.campaigns._seconding import NEWEST, STOPS, WAITS
from passmuster.errors import UsageError
from passmuster.store import Database

AT_ONCE = 10_000
"""Items asked for in one query."""
NAMED = 3
"""Items that a sentence names."""


class Waiting(NamedTuple):
    """Approvals that do not stand yet, for want of a second person."""

    rows: int
    on: dict[str, int]
    """How many each person may countersign; one row may wait on several."""
    nobody: int
    """Rows that nobody named may countersign any more: the item was handed to them."""


def waiting(db: Database, at: Campaign) -> Waiting:
    """What waits on whom; reads every row that needs a second person."""
    return _waiting(db, at.definition, "n.campaign_id = ?", (at.id,))


def waiting_for(db: Database, item_ids: Iterable[int]) -> Waiting:
    """What waits on whom of these items, which are of one campaign."""
    found, rest = Waiting(0, {}, 0), iter(item_ids)
    while chunk := list(islice(rest, AT_ONCE)):
        definition = db.value(
            "SELECT c.definition FROM item n JOIN campaign c ON c.id = n.campaign_id"
            " WHERE n.id = ?", (chunk[0],),
        )  # fmt: skip
        if definition is None or policy_of(db, definition) is None:
            break
        more = _waiting(db, definition, f"n.id IN ({','.join(map(str, chunk))})", ())
        on = Counter(found.on) + Counter(more.on)
        found = Waiting(found.rows + more.rows, _most_first(on), found.nobody + more.nobody)
    return found


def _waiting(db: Database, definition: str, which: str, values: tuple[int, ...]) -> Waiting:
    policy = policy_of(db, definition)
    found = Waiting(0, {}, 0)
    if policy is None:
        return found
    same = _who.not_another(db, policy.by)
    rows = db.execute(
        "SELECT d.principal, n.barred FROM item n JOIN decision d ON d.item_id = n.id"
        f" WHERE {which} AND n.needs_second = 1 AND {NEWEST} AND {WAITS}",
        values,
    )
    # counted here: SQLite would sort them first, in memory
    for (decider, barred), count in sorted(Counter(rows).items()):
        who = _free(same, barred, decider)
        for email in who:
            found.on[email] = found.on.get(email, 0) + count
        found = found._replace(rows=found.rows + count, nobody=found.nobody + (0 if who else count))
    return found._replace(on=_most_first(found.on))


def _most_first(on: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(on.items(), key=lambda p: (-p[1], p[0])))


def _free(same: Mapping[str, set[str]], barred: str, decider: str) -> list[str]:
    """Who may countersign what *decider* decides of an item with these *barred*.

    *same* has those named in the campaign, each with the addresses that are no other person.
    """
    return [
        e for e, no_other in same.items()
        if f" {e} " not in barred and e != decider and decider not in no_other
    ]  # fmt: skip


class Stranded(NamedTuple):
    """Items whose approval nobody may countersign, as it stands."""

    items: int
    names: tuple[str, ...]
    """Of the riskiest few."""
    deciders: tuple[str, ...]
    """Who is to decide them, or has."""

    @property
    def words(self) -> str:
        """What is wrong and what to do about it."""
        more, one = " …" if self.items > len(self.names) else "", self.items == 1
        return (
            f"nobody may countersign {'this item' if one else f'these {self.items:,} items'}"
            f" ({', '.join(self.names)}{more}): {' and '.join(self.deciders)} decides"
            f" {'it' if one else 'them'}, and nobody else was named who could. Let that person hand"
            f" {'it' if one else 'them'} on: muster own PERSON ITEM --hand-over"
        )


# every item that needs a second person, with who decides it, unless it is settled without one
_OPEN = f"""
SELECT n.id AS id, n.reviewer AS decider, n.barred AS barred FROM item n
WHERE n.campaign_id = ?1 AND n.needs_second = 1 AND n.state <> 'signed' AND NOT {STOPS}
UNION SELECT n.id, d.principal, n.barred FROM item n JOIN decision d ON d.item_id = n.id
WHERE n.campaign_id = ?1 AND n.needs_second = 1 AND {NEWEST} AND {WAITS}
"""


def stranded(db: Database, at: Campaign) -> Stranded:
    """What nobody may countersign; reads every item that needs a second person."""
    policy = policy_of(db, at.definition)
    if policy is None or at.closed_at:
        return Stranded(0, (), ())
    same = _who.not_another(db, policy.by)
    stuck = [
        (decider, barred)
        for decider, barred in db.execute(
            f"SELECT DISTINCT decider, barred FROM ({_OPEN})", (at.id,)
        )
        if not _free(same, barred, decider)
    ]
    if not stuck:
        return Stranded(0, (), ())
    pairs = ",".join("(?, ?)" for _ in stuck)
    found = db.execute(
        f"SELECT DISTINCT n.id, y.display_name, n.uri, y.uid FROM ({_OPEN}) o"
        " JOIN item n ON n.id = o.id JOIN identity y ON y.id = n.identity_id"
        f" WHERE (o.decider, o.barred) IN (VALUES {pairs}) ORDER BY n.risk DESC, n.id",
        [at.id, *(value for pair in stuck for value in pair)],
    ).fetchall()
    names = tuple(part_name(name, uri, uid) for _, name, uri, uid in found[:NAMED])
    return Stranded(len(found), names, tuple(sorted({decider for decider, _ in stuck})))


def unlisted(db: Database, at: Campaign) -> list[str]:
    """Second persons whose countersignatures the roster in force would not let into the log."""
    from passmuster import roster

    policy, listed = policy_of(db, at.definition), roster.current(db)
    if policy is None or listed is None or at.closed_at:
        return []
    may = {p.principal.lower() for p in listed.people if {*roster.FOR["countersign"]} & {*p.roles}}
    return [email for email in policy.by if email not in may]


def check_hand_over(db: Database, item_ids: Iterable[int], to: str) -> None:
    """Raise UsageError when an item would be left with nobody to countersign it, were it *to* that
    person to decide.
    """
    to, ids, stuck = to.lower(), list(item_ids), list[str]()
    named_by = dict[str, dict[str, set[str]]]()
    for start in range(0, len(ids), AT_ONCE):
        for definition, barred, *named in db.execute(
            "SELECT c.definition, n.barred, y.display_name, n.uri, y.uid FROM item n"
            " JOIN campaign c ON c.id = n.campaign_id JOIN identity y ON y.id = n.identity_id"
            " WHERE n.needs_second = 1"
            f" AND n.id IN ({','.join(map(str, ids[start : start + AT_ONCE]))})"
        ):
            if definition not in named_by:
                policy = policy_of(db, definition)
                named_by[definition] = _who.not_another(db, policy.by) if policy else {}
            same = named_by[definition]
            if same and not _free(same, barred, to):
                stuck.append(part_name(*named))
    if stuck:
        which = ", ".join(stuck[:NAMED]) + (" …" if len(stuck) > NAMED else "")
        raise UsageError(
            f"{to} is the only second person for {which}, and nobody countersigns what they decide:"
            f" hand {'it' if len(stuck) == 1 else 'them'} to somebody else, or decide"
            f" {'it' if len(stuck) == 1 else 'them'} yourself"
        )


def second_drafts(db: Database, campaign_id: int, by: str | None = None) -> int:
    """Drafts of *by*, or of everybody, that are not signed."""
    return int(db.value(
        "SELECT count(*) FROM second_draft f JOIN item n ON n.id = f.item_id"
        " WHERE n.campaign_id = ?1 AND (?2 IS NULL OR f.author = ?2)",
        (campaign_id, by),
    ))  # fmt: skip
