"""Whether what was to go has gone: the sources as they are after the end of a review.

"Applied" is not "refused": a decision counts as carried out when a newer export of the same
source says so, and by nothing else. Where no such export was imported the answer is *not known*,
with the reason, and never *gone*. What is read here is the inventory of today; the exports that
it comes from are in `sources.jsonl` with their digests.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from passmuster import campaigns, outcomes
from passmuster.campaigns import Campaign
from passmuster.evidence._walk import Judged
from passmuster.store import Database
from passmuster.text import Json

AT_ONCE = 64
"""Items whose identities are read together."""
State = Literal["gone", "standing", "unknown"]
ENDS = outcomes.ENDS
ENDED = "approval has ended"


class Stop(NamedTuple):
    """Something that a decision stops or changes, and how its source has it by now."""

    verb: str
    part: str | None
    """None for the item as a whole."""
    state: State
    why: str


class After:
    """The identities of a campaign as they are now, in the order of its items."""

    def __init__(self, db: Database, campaign: Campaign, runs: Sequence[Json]) -> None:
        self.db, self.campaign = db, campaign
        self.unseen = _unseen(db, campaign, runs)
        """Source → why its state after the review is not known; a source not named is known."""

    def beside(self, walked: Iterable[Judged]) -> Iterator[Judged]:
        """The same items, each with `after` where that is known."""
        current = self._current()
        for judged in walked:
            judged.after = next(current, None)
            yield judged

    def _current(self) -> Iterator[Json | None]:
        """For each item the dossier of its identity now; None where no newer export speaks of it.

        A newer export that does not list an identity says that it is gone only where it was read
        whole (`absent_since`).
        """
        rows = campaigns.items_in_order(
            self.db, self.campaign.id,
            "i.identity_id, s.uid, y.absent_since IS NOT NULL OR r.imported_at > ?",
            " CROSS JOIN identity y ON y.id = i.identity_id"
            " CROSS JOIN source s ON s.id = y.source_id"
            " CROSS JOIN import_run r ON r.id = y.last_seen_run",
            self.campaign.closed_at,
        )  # fmt: skip
        held: dict[int, Json] = {}
        while chunk := rows.fetchmany(AT_ONCE):
            wanted = dict.fromkeys(i for i, source, told in chunk
                                   if told and source not in self.unseen)  # fmt: skip
            # an identity of 5,000 grants is 5,000 items: it is read once, not once a chunk
            held = {i: held[i] for i in wanted if i in held}
            held.update(campaigns.dossiers(self.db, [i for i in wanted if i not in held]))
            for identity_id, *_ in chunk:
                yield held.get(identity_id)


def _unseen(db: Database, campaign: Campaign, runs: Sequence[Json]) -> dict[str, str]:
    """A source is seen again when every format that the campaign knew it by was imported anew."""
    unseen: dict[str, str] = {}
    for source, format_ in sorted({(run["source"], run["format"]) for run in runs}):
        if campaign.closed_at is None:
            unseen[source] = "the review is not closed yet"
        elif not db.value(
            "SELECT 1 FROM import_run r JOIN source s ON s.id = r.source_id"
            " WHERE s.uid = ? AND r.format = ? AND r.imported_at > ? LIMIT 1",
            (source, format_, campaign.closed_at),
        ):
            # the very same file a second time is no new import: it says nothing of another day
            unseen.setdefault(source, f"no newer {format_} was imported after the review was"
                                      " closed: import one and write the pack anew")  # fmt: skip
    return unseen


def stops(judged: Judged, unseen: str | None) -> Iterator[Stop]:
    """Each thing that the outcome of an item stops or changes; *unseen* is why it is not known."""
    for verb, part in judged.outcome.remediations:
        yield Stop(verb, part, *state(judged, verb, part, unseen))
    if judged.after is not None:
        seen = min((run["imported_at"] for run in judged.after["runs"]), default="")
        if outcomes.has_ended(judged.outcome, seen):
            yield Stop(ENDS, None, *state(judged, ENDS, None, unseen))


def state(judged: Judged, verb: str, part: str | None, unseen: str | None) -> tuple[State, str]:
    """How the source has something by now, and what says so; *unseen* is why it is not known."""
    if judged.after is None:
        return "unknown", unseen or "no export after the review speaks of this identity"
    return _seen(judged, judged.after, verb, part)


def _seen(judged: Judged, after: Json, verb: str, part: str | None) -> tuple[State, str]:
    identity = after["identity"]
    if identity["absent_since"] is not None:
        return "gone", f"absent from the export since {identity['absent_since']}"
    if identity["status"] in ("disabled", "deleted"):
        return "gone", f"the identity is {identity['status']}"
    if part is None and judged.dossier["of"] == "identity":
        return _listed(identity["status"], verb)
    found = _part(judged, after, part) or _named_since(_part(judged, judged.dossier, part), after)
    if found is not None:
        return _of_part(found, _frozen(judged, part), verb)
    if after["left_out"]:
        return "unknown", "more parts than are listed: look it up in the export"
    return "gone", "the export no longer lists it"


def _part(judged: Judged, dossier: Json, part: str | None) -> Json | None:
    """The credential, grant or trust of *dossier* that *part*, or the item itself, is."""
    if part is None:
        of = judged.dossier["of"]
        uris = [uri for _, uri in campaigns.parts_of(dossier, of)]
        rows = dossier[f"{of}s"]
        found: Json | None = rows[uris.index(judged.uri)] if judged.uri in uris else None
        return found
    for name, key in (("credentials", "uid"), ("grants", "entitlement"), ("trusts", "from_uid")):
        for row in dossier[name]:
            if row[key] == part:
                return dict(row)
    return None


def _named_since(then: Json | None, after: Json) -> Json | None:
    """A credential that the export only numbered then, and names today (`model.Credential.uid`).

    Of two of one second the one that works, so that none counts as gone by mistake.
    """
    if then is None or not re.search(r"#\d+$", str(then.get("uid"))):
        return None
    same = [
        dict(c) for c in after["credentials"]
        if c["credential_detail"] == then.get("credential_detail")
        and c["created_at"] is not None and c["created_at"] == then.get("created_at")
    ]  # fmt: skip
    return min(same, key=lambda c: c["status"] != "enabled", default=None)


def _frozen(judged: Judged, part: str | None) -> Json:
    """The same part when the campaign froze it; nothing where the item was the part itself."""
    return (part and _part(judged, judged.dossier, part)) or {}


def _of_part(now: Json, then: Json, verb: str) -> tuple[State, str]:
    """How a part stands that the newer export still lists."""
    status = now.get("status")
    if status in ("disabled", "deleted"):
        return "gone", f"it is {status}"
    if verb == "rotate":
        stamps = [(now.get(n), then.get(n)) for n in ("last_rotated_at", "created_at")]
        if any(new is not None and new != old for new, old in stamps):
            return "gone", "it has another date than the one that was reviewed"
        if all(new is None for new, _ in stamps):
            return "unknown", "the export does not say when it was last changed"
        return "standing", "the export still has it with the date that was reviewed"
    if verb == "right_size":
        return "unknown", "compare what it may do with the decision"
    return _listed(status, verb)


def _listed(status: str | None, verb: str) -> tuple[State, str]:
    if verb == "disable" and status == "unknown":
        return "unknown", "the export lists it and does not say whether it is enabled"
    told = f" as {status}" if status in ("enabled", "unknown") else ""
    return "standing", f"the export still has it{told}"
