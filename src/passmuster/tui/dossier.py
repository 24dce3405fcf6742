"""What a reviewer reads about one item, as lines: a pure function of the dossier.

The first three lines answer what it is, who answers for it, and what stops if it is stopped.
Then comes what is riskiest; what cannot change the decision stands last. Unknown is said in
words, and a long list says how much of it is not shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from passmuster.campaigns import COUNTED, NAMED, Around, Candidate, cut_off
from passmuster.model import Draft
from passmuster.text import Json, plural
from passmuster.tui import sections, words
from passmuster.tui.lines import Line, Span, say, short
from passmuster.tui.parts import NOT_LIVE, change_words
from passmuster.tui.sections import ALARM, LABEL, View, block, cut

STALE_DAYS = 90
"""Without use for so long, an identity is said to be unused rather than used."""


@dataclass(frozen=True, slots=True)
class Own:
    """A drafted owner, as far as it is shown."""

    owner: str
    reassign: bool


def dossier_lines(
    dossier: Json, view: View, draft: Draft | None = None, own: Own | None = None,
    beside: Around | None = None,
) -> list[Line]:  # fmt: skip
    """The whole pane for *dossier*, with what has been drafted on it.

    *beside* is what was looked up today (`campaigns.around`) and is no part of what is signed.
    """
    out = _title(dossier, view)
    found = candidates(dossier, view.now) if beside is None else beside.candidates
    owner = _owner(dossier, found, view)
    out += block("owner", [cut(owner, view.width - LABEL) if view.short else owner], view)
    out += block("impact", [_impact(dossier, beside, view)], view)
    out += _drafted(dossier, draft, own, view)
    if dossier["identity"]["purpose"]:
        purpose: Line = [say(dossier["identity"]["purpose"])]
        out += block("purpose", [cut(purpose, view.width - LABEL) if view.short else purpose], view)
    if not view.short:
        out.append([])
    out += sections.all_of(dossier, view, [] if beside is None else _hanging(beside, view))
    return out


def _title(dossier: Json, view: View) -> list[Line]:
    identity = dossier["identity"]
    name = identity["display_name"] if view.full else short(identity["display_name"])
    line: Line = [say(name, "strong"), Span("  ")]
    if dossier["of"] != "identity":
        line[:0] = [Span(f"{dossier['of']} "), say(_part(dossier), "strong"), Span("  of ")]
    source = dossier["source"]
    what = words.kind_of(dossier)
    kind = [] if identity["kind"] in what.split() else [identity["kind"]]
    facts = [
        what,
        *kind,
        source["name"] or source["tenant_uid"],
        identity["environment"] or f"{'env' if view.short else 'environment'} unknown",
    ]
    line.append(say(" · ".join(facts)))
    if identity["absent_since"]:
        line += [say(f" · gone since {identity['absent_since'][:10]}", "strong"), ALARM]
    elif identity["status"] != "enabled" or view.full:
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


def _owner(dossier: Json, found: Sequence[Candidate], view: View) -> Line:
    """Who answers for it, on what evidence; a name that nobody knows is no owner."""
    owners = dossier["owners"]
    known = [o for o in owners if (o["person_uid"] and o["person_active"]) or o["team"]]
    if known:
        line: Line = [say(owner_name(known[0]), "strong"), say(_evidence(known[0]), "dim")]
        if len(known) > 1:
            line.append(Span(f"  and {len(known) - 1} more", "dim"))
        return line
    gone = next((o for o in owners if o["person_uid"]), None)
    if gone is None:
        return [Span("none", "strong"), ALARM, *_offered(found, view)]
    what = "has left" if gone["person_active"] == 0 else "is not in the register any more"
    line = [Span("none: "), say(f"{owner_name(gone)} {what}", "strong")]
    if view.full:
        line.append(say(_evidence(gone), "dim"))
    return [*line, ALARM, *_offered(found, view)]


def _offered(found: Sequence[Candidate], view: View) -> Line:
    if not found:
        return []
    named = [one.who.rsplit("/", 1)[-1] for one in found[:2]]
    if view.short:
        names = ", ".join(who.partition("@")[0] for who in named)
    else:
        pairs = zip(named, found, strict=False)
        names = ", ".join(f"{who} ({one.brief})" for who, one in pairs)
    key = [Span("  (o)", "dim")] if view.verbs else []
    return [Span(f"  {plural(len(found), 'candidate')}: "), say(names), *key]


def owner_name(owner: Json) -> str:
    """The person or team, else the handle that the source wrote."""
    return str(owner["person_name"] or owner["team"] or owner["person_uid"] or owner["handle"])


def _evidence(owner: Json) -> str:
    return f"  {owner['evidence'] or owner['origin']}"


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


def _impact(dossier: Json, beside: Around | None, view: View) -> Line:
    """What stops when it is stopped: who uses it, since when nobody does, what hangs on it."""
    live = [c for c in dossier["credentials"] if c["status"] not in NOT_LIVE]
    parts = []
    if live:
        stop = "stops" if len(live) == 1 else "stop"
        parts.append(f"{plural(len(live), 'credential')} {stop}")
    outside = sum(1 for t in dossier["trusts"] if t["is_external"])
    if outside:
        many = "outside parties" if outside > 1 else "outside party"
        parts.append(f"{outside} {many} locked out")
    if inside := cut_off(dossier):
        verb = "becomes" if inside == 1 else "become"
        parts.append(f"{plural(inside, 'identity')} no longer {verb} it")
    if beside is not None:
        parts += _lost(beside)
    return [*_use(dossier, view), *([say(f"; {', '.join(parts)}")] if parts else [])]


def _lost(beside: Around) -> list[str]:
    out, inside, members = [], len(beside.lets_in), len(beside.members)
    if inside:
        out.append(f"{_counted(inside, NAMED, 'identity')} {'let' * (inside > 1) or 'lets'} it in"
                   " today")  # fmt: skip
    if members:
        out.append(f"{_counted(members, COUNTED, 'member')} {'lose' * (members > 1) or 'loses'}"
                   " it today")  # fmt: skip
    return out


def _counted(found: int, limit: int, noun: str) -> str:
    return f"more than {plural(limit, noun)}" if found > limit else plural(found, noun)


def _hanging(beside: Around, view: View) -> list[Line]:
    """By name, what lets it in and who is in it: of today, so not part of what is signed."""
    if view.short:
        return []
    most = NAMED if view.full else sections.CAPS["trusts"]
    rows: list[Line] = []
    for one, many, found in (("lets it in", "let it in", beside.lets_in),
                             ("is in it", "are in it", beside.members)):  # fmt: skip
        rows += [[say(name), say(f"  {kind}, {one} today", "dim")] for kind, name in found[:most]]
        if len(found) > most:
            rows.append([Span(f"… more {many} today", "dim")])
    return rows


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
            return [say(f"unused since {words.dated(at, view.now)}", "strong")]
        return [
            say(f"used {words.dated(at, view.now)}", "strong"),
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
