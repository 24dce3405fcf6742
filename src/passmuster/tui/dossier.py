"""What a reviewer reads about one item, as lines: a pure function of the dossier.

The first three lines answer what it is, who answers for it, and what stops if it is stopped.
Then comes what is riskiest; what cannot change the decision stands last. Unknown is said in
words, and a long list says how much of it is not shown.
"""

from dataclasses import dataclass
from typing import NamedTuple

from passmuster.model import Draft
from passmuster.text import Json, plural
from passmuster.tui import sections, words
from passmuster.tui.lines import Line, Role, Span, say
from passmuster.tui.parts import NOT_LIVE, change_words
from passmuster.tui.sections import ALARM, View, block

STALE_DAYS = 90
"""Without use for so long, an identity is said to be unused rather than used."""


@dataclass(frozen=True, slots=True)
class Own:
    """A drafted owner, as far as it is shown."""

    owner: str
    reassign: bool


def dossier_lines(
    dossier: Json, view: View, draft: Draft | None = None, own: Own | None = None
) -> list[Line]:
    """The whole pane for *dossier*, with what has been drafted on it."""
    out = _title(dossier, view)
    out += block("owner", [_owner(dossier, view)], view)
    out += block("impact", [_impact(dossier, view)], view)
    out += _drafted(dossier, draft, own, view)
    out.append([])
    out += sections.all_of(dossier, view)
    return out


def _title(dossier: Json, view: View) -> list[Line]:
    identity = dossier["identity"]
    line: Line = [say(identity["display_name"], "strong"), Span("  ")]
    if dossier["of"] != "identity":
        line[:0] = [Span(f"{dossier['of']} "), say(_part(dossier), "strong"), Span("  of ")]
    source = dossier["source"]
    what = words.kind_of(dossier)
    kind = [] if identity["kind"] in what.split() else [identity["kind"]]
    facts = [
        what,
        *kind,
        source["name"] or source["tenant_uid"],
        identity["environment"] or "environment unknown",
    ]
    line.append(say(" · ".join(facts)))
    if identity["absent_since"]:
        line += [say(f" · gone since {identity['absent_since'][:10]}", "strong"), ALARM]
    else:
        status = "status unknown" if identity["status"] == "unknown" else identity["status"]
        line.append(say(f" · {status}", "plain" if status == "enabled" else "strong"))
    if identity["is_privileged"]:
        line += [Span(" · "), Span("privileged", "strong"), ALARM]
    return block("", [line], view, label_width=0)


def _part(dossier: Json) -> str:
    for row in dossier["credentials"]:
        if dossier["of"] == "credential" and row["uid"] == dossier["subject"]:
            return words.credential(row)
    for row in dossier["grants"]:
        if dossier["of"] == "grant" and row["entitlement"] in dossier["subject"]:
            return str(row["display_name"])
    return str(dossier["subject"])


def _owner(dossier: Json, view: View) -> Line:
    """Who answers for it, on what evidence; a name that nobody knows is no owner."""
    owners = dossier["owners"]
    known = [o for o in owners if (o["person_uid"] and o["person_active"]) or o["team"]]
    if known:
        line: Line = [say(owner_name(known[0]), "strong"), say(_evidence(known[0]), "dim")]
        if len(known) > 1:
            line.append(Span(f"  and {len(known) - 1} more", "dim"))
        return line
    gone = next((o for o in owners if o["person_uid"]), None)
    if gone is not None:
        what = "has left" if gone["person_active"] == 0 else "is not in the register any more"
        return [
            Span("none: "),
            say(f"{owner_name(gone)} {what}", "strong"),
            say(_evidence(gone), "dim"),
            ALARM,
        ]
    line = [Span("none", "strong"), ALARM]
    found = candidates(dossier, view.now)
    if found:
        line.append(Span(f"  {plural(len(found), 'candidate')}: "))
        line.append(say(", ".join(
            f"{one.who.rsplit('/', 1)[-1]} ({one.brief})" for one in found[:2]
        )))  # fmt: skip
        if view.verbs:
            line.append(Span("  (o)", "dim"))
    return line


def owner_name(owner: Json) -> str:
    """The person or team, else the handle that the source wrote."""
    return str(owner["person_name"] or owner["team"] or owner["person_uid"] or owner["handle"])


def _evidence(owner: Json) -> str:
    return f"  {owner['evidence'] or owner['origin']}"


class Candidate(NamedTuple):
    """Somebody who may be the owner."""

    who: str
    brief: str
    """The evidence."""
    why: str
    """The evidence, with how much it is worth."""


def candidates(dossier: Json, now: str) -> list[Candidate]:
    """Everybody that the evidence names, the best known first."""
    found: dict[str, Candidate] = {}
    rows = sorted(dossier["owners"], key=lambda o: not (o["person_uid"] or o["team"]))
    for owner in rows:
        if owner["person_active"] == 0:
            continue
        known = owner["person_uid"] or owner["team"]
        why = owner["evidence"] or owner["origin"]
        worth = why if known else f"{why}; not in the registers"
        found.setdefault(owner["handle"], Candidate(owner["handle"], why, worth))
    maker = dossier["identity"]["created_by"]
    if maker and not maker.startswith("automation:"):
        made = dossier["identity"]["created_at"]
        why = f"created it {words.dated(made, now)}" if made else "created it"
        found.setdefault(maker, Candidate(maker, "created it", why))
    return list(found.values())


def _impact(dossier: Json, view: View) -> Line:
    """What stops when it is stopped: who uses it, since when nobody does, what hangs on it."""
    line = [*_use(dossier, view)]
    live = [c for c in dossier["credentials"] if c["status"] not in NOT_LIVE]
    parts = []
    if live:
        parts.append(f"{plural(len(live), 'credential')} would stop")
    outside = sum(1 for t in dossier["trusts"] if t["is_external"])
    if outside:
        many = "outside parties" if outside > 1 else "outside party"
        parts.append(f"{outside} {many} would be locked out")
    if parts:
        line.append(say(f"; {', '.join(parts)}"))
    return line


def _use(dossier: Json, view: View) -> Line:
    identity, users = dossier["identity"], dossier["usage"]
    state, at = identity["last_used_state"], identity["last_used_at"]
    if users:
        kinds: dict[str, int] = {}
        for user in users:
            kinds[user["consumer_kind"]] = kinds.get(user["consumer_kind"], 0) + 1
        counted = " and ".join(_users(n, kind) for kind, n in sorted(kinds.items()))
        left = dossier["left_out"].get("usage", 0)
        more = f" and {left:,} more" if left else ""
        verb = "uses it" if len(users) == 1 else "use it"
        seen = f", {words.last_use(at, state, view.now)}" if state == "known" and at else ""
        return [say(f"{counted}{more} {verb}", "strong"), say(seen)]
    if state == "known" and at:
        if (words.days_since(at, view.now) or 0) >= STALE_DAYS:
            return [
                Span("nothing has used it since ", "strong"),
                say(words.dated(at, view.now), "strong"),
            ]
        return [
            say(f"in use: {words.last_use(at, state, view.now)}", "strong"),
            Span(", by what is unknown"),
        ]
    if state == "never":
        made = identity["created_at"]
        since = f" since it was created {words.dated(made, view.now)}" if made else ""
        return [say(f"never used{since}", "strong")]
    why = {"not_tracked": "this platform does not track use"}.get(
        state, "no imported source says when it was used"
    )
    return [Span("unknown", "strong"), say(f": {why}")]


def _users(count: int, kind: str) -> str:
    return f"{count:,} people" if kind == "person" and count > 1 else plural(count, kind)


def _drafted(dossier: Json, draft: Draft | None, own: Own | None, view: View) -> list[Line]:
    out: list[Line] = []
    if draft is not None:
        line: Line = [say(decision_words(dossier, draft), "strong")]
        if draft.reason_text:
            line.append(say(f"  {draft.reason_text}"))
        line.append(Span("  not signed yet, u takes it back", "dim"))
        out += block("draft", [line], view)
    if own is not None:
        text = f"{own.owner} is to own it" + (" and to decide it" if own.reassign else "")
        line = [say(text, "strong"), Span("  not signed yet, u takes it back", "dim")]
        out += block("draft" if draft is None else "", [line], view)
    return out


def decision_words(dossier: Json, draft: Draft) -> str:
    """`approve until 2027-03-31 + rotate access key AKIA…Q7`."""
    head = draft.verdict + (f" until {draft.until[:10]}" if draft.until else "")
    return " + ".join([head, *(change_words(dossier, change) for change in draft.changes)])


def verdict_role(verdict: str | None) -> Role:
    """Stops stand out in a list; the word is always there too."""
    return "strong" if verdict in ("revoke", "disable") else "plain"
