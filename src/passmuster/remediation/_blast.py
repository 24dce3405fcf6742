"""What stops when something is stopped at once: said before anybody is asked to confirm it.

From the dossier alone, but for what trusts the identity elsewhere. What no source says is said to
be unknown: an empty line would read as "nothing".
"""

from collections.abc import Iterator
from typing import NamedTuple

from passmuster.connectors import Plan
from passmuster.remediation._remedy import ONLY_LINES
from passmuster.remediation._urgent import Offer
from passmuster.store import Database
from passmuster.text import Json, plural, visible

NAMED = 3
"""Of several, how many are named."""
HIGH = ("admin", "owner")
UNDO = {
    "R1": "yes: a flag is set back (R1)", "R2": "yes: it is made anew from what is saved (R2)",
    "R3": "no: a secret is destroyed (R3)",
}  # fmt: skip
INTO = (
    "SELECT y.display_name, s.uid FROM trust t LEFT JOIN identity y ON y.id = t.identity_id"
    " JOIN source s ON s.id = t.source_id WHERE t.from_uid IN (?, ?) AND t.absent_since IS NULL"
    " LIMIT 9"
)


class Fact(NamedTuple):
    """One line: a word on the left, the rest on the right."""

    label: str
    words: str
    grave: bool = False
    """Whether somebody in a hurry must not miss it."""


def blast(db: Database, dossier: Json, offered: Offer, now: str) -> list[Fact]:
    """What it is, who answers for it, what will break, what goes on, and how it is undone."""
    return [*_what(dossier), *_use(dossier, now), *_reach(db, dossier), *_stop(dossier, offered)]


def subject(dossier: Json) -> str:
    """What is stopped, in a few words."""
    who = visible(str(dossier["identity"]["display_name"]))
    if dossier["of"] != "credential":
        return who
    held = _credential(dossier)
    return f"{visible(held['display_name'] or held['uid'])} of {who}"


def handle(dossier: Json) -> str:
    """The platform's own name of what is stopped: its last four signs confirm it."""
    return str(dossier["subject"] or dossier["identity"]["uid"])


def _credential(dossier: Json) -> Json:
    found: Json = next(c for c in dossier["credentials"] if c["uid"] == dossier["subject"])
    return found


def _what(dossier: Json) -> Iterator[Fact]:
    held, source = dossier["identity"], dossier["source"]
    kind = held["nhi_detail"] or held["kind"]
    where = visible(str(source["name"] or source["uid"]))
    off = held["status"] in ("disabled", "deleted") or held["absent_since"] is not None
    status = f"gone since {held['absent_since'][:10]}" if held["absent_since"] else held["status"]
    parts = [str(kind), where, *filter(None, (held["environment"],)), str(status)]
    yield Fact(
        "identity", f"{visible(held['display_name'])}  {' · '.join(map(visible, parts))}", off
    )
    if dossier["of"] == "credential":
        one = _credential(dossier)
        made = f", made {one['created_at'][:10]}" if one["created_at"] else ""
        off = one["status"] in ("disabled", "deleted")
        is_now = f"{one['credential_detail']}, {one['status']}{made}"
        yield Fact("stops", f"{visible(one['uid'])}  {is_now}", off)
    else:
        live = [c for c in dossier["credentials"] if c["status"] not in ("disabled", "deleted")]
        yield Fact("stops", "the whole account" + (f" with {plural(len(live), 'live credential')}"
                                                   if live else ""))  # fmt: skip
    here = list(dict.fromkeys(map(_owner, dossier["owners"])))
    gone = all(o["person_active"] == 0 for o in dossier["owners"])  # as for nobody at all
    yield Fact("owner", _some(here) if here else "nobody is known to answer for it", gone)


def _owner(said: Json) -> str:
    name = visible(said["person_name"] or said["team"] or said["handle"])
    return f"{name}, who has left" if said["person_active"] == 0 else name


def _use(dossier: Json, now: str) -> Iterator[Fact]:
    about = _credential(dossier) if dossier["of"] == "credential" else dossier["identity"]
    state, since = about["last_used_state"], dossier["source"]["usage_since"]
    reach = f"usage is known since {since[:10]}" if since else "no source says how far back"
    recent = False
    match state:
        case "known":
            recent = about["last_used_at"][:7] == now[:7]
            words = f"{about['last_used_at'][:16].replace('T', ' ')} ({reach})"
        case "never":
            words = f"never, as far as is told ({reach})"
        case "not_tracked":
            words = "the platform does not track it"
        case _:
            words = "not known"
    yield Fact("last used", words, recent)
    users = [visible(u["consumer"]) for u in dossier["usage"]]
    yield Fact("used by", f"{_some(users)}: will break" if users
               else "not known: no source says who uses it", bool(users))  # fmt: skip


def _reach(db: Database, dossier: Json) -> Iterator[Fact]:
    held = dossier["identity"]
    grants = dossier["grants"]
    high = [visible(g["display_name"]) for g in grants if g["permission_level"] in HIGH]
    rest = len(grants) - len(high) + dossier["left_out"].get("grants", 0)
    said = [_some(high)] if high else []
    said += [f"{plural(rest, 'grant')}{' more' if high else ''}"] if rest else []
    yield Fact("may", ", ".join(said) or "nothing that a source tells", bool(high))
    into = [f"{visible(name or '?')} ({source})" for name, source in db.execute(
        INTO, (held["uid"], held["uid_alt"] or held["uid"]))]  # fmt: skip
    if into:
        yield Fact("becomes", f"{_some(into)}: out of reach for it", True)
    others = [visible(t["from_uid"]) for t in dossier["trusts"]]
    if others and dossier["of"] == "identity":
        yield Fact("trusts", f"{_some(others)} can become it no more", True)


def _stop(dossier: Json, offered: Offer) -> Iterator[Fact]:
    plan = offered.plan
    if plan is None:
        why = "muster knows no command for it: stop it by hand"
        if offered.destroys:
            why = "the platform has no stop that can be undone, and this never destroys a secret"
        yield Fact("act", why, True)
        return
    yield Fact("act", visible(plan.what))
    if plan.act is None:
        yield Fact("", ONLY_LINES, True)
    yield Fact("undo", UNDO[plan.undo_class])
    yield Fact("refused", f"within {_span(plan)}")
    yield Fact("goes on", visible(plan.residual))
    if dossier["of"] == "credential":
        left = [c for c in dossier["credentials"] if c["uid"] != dossier["subject"]
                and c["status"] not in ("disabled", "deleted")]  # fmt: skip
        if left:
            yield Fact("", f"{plural(len(left), 'other live credential')} of it goes on working"
                       if len(left) == 1 else f"{len(left)} other live credentials of it go on"
                       " working", True)  # fmt: skip


def _span(plan: Plan) -> str:
    seconds = plan.propagation_s
    return f"{plural(seconds, 'second')}" if seconds < 120 else plural(seconds // 60, "minute")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
