"""OSCAL assessment results 1.2.3: totals and exceptions, the rest by digest.

A campaign is one `result`; a rule is one observation and, once it hit, one risk; an exception is
one observation about one inventory item. What a decision stops is a risk that is tracked by what
came of it (`_tracking`). Findings are about objectives of SP 800-53A (`_objectives`). An objective
is *satisfied* only where every rule that speaks of it was evaluated and hit nothing; what could
not be evaluated is an observation that says so, and no finding.

Small whatever the population: of each kind of exception the first `SHOWN` are told, all are
counted, and `outcomes.jsonl` has every one. `attestations` are left out, since no form of them
passes NIST's own constraints (oscal-content issue 278); the envelopes are resources instead.
Markup is CommonMark to its readers, so text of strangers is escaped.
"""

import json
from collections import Counter

from passmuster import __version__
from passmuster.evidence._statements import ENVELOPE, ROWS
from passmuster.evidence._walk import Judged
from passmuster.evidence.formats import Draft
from passmuster.evidence.formats._common import (
    EXCEPTIONS,
    EXPORTS,
    MAIL,
    Names,
    counted,
    counted_seconds,
    exception,
    item_name,
    said,
    when,
)
from passmuster.evidence.formats._judgement import Judgement, evidence, markup, prop, ref, tool
from passmuster.evidence.formats._tracking import CARRIER, Tracking
from passmuster.model import DOMAIN
from passmuster.outcomes import STANDING
from passmuster.text import Json, plural, utc

VERSION = "1.2.3"
NAME = "oscal-assessment-results.json"
FILE = f"{EXPORTS}/{NAME}"
FILES = (FILE,)
SHOWN = 100
"""Exceptions of one kind that are told one by one."""
MAX_BATCHES = 1000
"""Files of signed rows that are referenced one by one; `outcomes.jsonl` names every row."""
OPENER, REVIEWER, SECOND = "campaign-owner", "reviewer", "second-person"
CHECK = (
    f"""jq -r '."assessment-results"."back-matter".resources[].rlinks[]"""
    f"""|"\\(.hashes[0].value)  \\(.href)"' {NAME} | sha256sum --strict -c"""
)
"""The check of every reference with stock tools, from the folder that the document lies in."""
TABLES = {
    "outcomes.jsonl": "Outcome of each item, with the digest of each row that it follows from",
    "outcomes.csv": "Outcomes as a table",
    "remediations.csv": "What must be stopped, how, and what came of it",
    "remediation-results.jsonl": "What came of it, by the newest signed result of each",
    "rules.jsonl": "Rules as run, with thresholds, controls, and why one was not evaluated",
    "findings.jsonl": "What the rules found",
    "sources.jsonl": "Imports that the population comes from",
    "problems.jsonl": "What could not be read from them",
    "keys/allowed_signers": "Keys, as ssh-keygen reads them",
}
FROZEN = {
    "population.jsonl": "Population", "assignments.jsonl": "Who was asked for each item",
    "excluded.jsonl": "What the scope left out", "dossiers.jsonl": "Evidence as frozen",
}  # fmt: skip


def begin(draft: Draft) -> "_Results":
    """Count as the items go by."""
    return _Results(draft)


class _Results:
    """What is kept of the items: counts, and the first few of each kind of exception."""

    def __init__(self, draft: Draft) -> None:
        self.draft, self.campaign = draft, draft.campaign
        self.names = Names(draft.campaign.digest)
        self.id = self.names.of
        self.kinds: Counter[str] = Counter()
        self.effects: Counter[str] = Counter()
        self.late = 0
        self.items: list[Json] = []
        self.observations: list[Json] = []
        self.parties: dict[str, Json] = {}
        self.tracking = Tracking(draft, self.names, self._person)
        self._listed: set[str] = set()
        """Items that are in the document: as many as are shown at most."""
        self.due = utc(draft.campaign.due_at) or draft.campaign.due_at
        batches = [s for s in draft.statements if s.attestation.kind in ROWS][:MAX_BATCHES]
        self.batches = {s.index: f"{s.folder}/{ROWS[s.attestation.kind]}" for s in batches}

    def item(self, judged: Judged) -> None:
        """Count it; keep it when it is among the first exceptions of its kind."""
        self.effects[judged.outcome.effect] += 1
        self.late += any(b.row["attention"]["decided"] > self.due for b in counted(judged))
        if self.tracking.item(judged):
            self._list(judged)
        kind = exception(judged)
        if kind is None:
            return
        self.kinds[kind] += 1
        if self.kinds[kind] <= SHOWN:
            self._keep(judged, kind)

    def end(self) -> None:
        """Write the document."""
        text = json.dumps({"assessment-results": self._document()}, indent=1, ensure_ascii=False)
        self.draft.writer.add(FILE, f"{text}\n".encode())

    def _keep(self, judged: Judged, kind: str) -> None:
        rows, outcome, name = counted(judged), judged.outcome, item_name(judged)
        item = self._list(judged)
        what = [prop("exception", kind), prop("effect", outcome.effect)]
        what += [prop("until", outcome.until)] if outcome.until else []
        what += [prop("change", f"{verb} {part}" if part else verb)
                 for verb, part in outcome.remediations[:SHOWN]]  # fmt: skip
        seconds = counted_seconds(judged)
        people = dict.fromkeys((b.batch.principal, REVIEWER) for b in rows)
        people |= dict.fromkeys((b.batch.principal, SECOND) for b in seconds)
        actors = [self._person(*who) for who in people] or [tool(self.id)]
        files = [self.batches.get(b.batch.index, "outcomes.jsonl") for b in (*rows, *seconds)]
        found = [evidence(self.id, file, f"Row {b.leaf}")
                 for file, b in zip(files, (*rows, *seconds), strict=True)]  # fmt: skip
        silence = self.campaign.closed_at or self.draft.now
        reasons = "; ".join(markup(b.row["reason"]["text"]) for b in rows)
        self.observations.append({
            "uuid": self.id("exception", judged.uri),
            "title": f"{markup(name)}: {EXCEPTIONS[kind]}",
            "description": f"Reason: {reasons}" if rows
            else f"Asked: {markup(judged.reviewer)}. No signed row of theirs is there.",
            "props": what, "methods": ["EXAMINE"], "types": ["finding"],
            "origins": [{"actors": actors}],
            "subjects": [{"subject-uuid": item, "type": "inventory-item"}],
            "relevant-evidence": found or [evidence(self.id, "outcomes.jsonl")],
            "collected": max((when(b.row["attention"]["decided"], silence) for b in rows),
                             default=silence),
        })  # fmt: skip

    def _list(self, judged: Judged) -> str:
        """Put an item into the document, once; its UUID there."""
        item, name = self.id("item", judged.uri), item_name(judged)
        if item not in self._listed:
            self._listed.add(item)
            self.items.append({
                "uuid": item, "description": f"{judged.dossier['of']} {markup(name)}",
                "props": [prop("item-id", judged.uri), prop("item-name", name),
                          prop("dossier", json.loads(judged.population)["dossier"])],
            })  # fmt: skip
        return item

    def _document(self) -> Json:
        campaign = self.campaign
        result = self._result()  # first: it is what parties are named by
        return {
            "uuid": self.id("assessment-results"),
            "metadata": {
                "title": f"Access review {markup(campaign.name)}",
                "last-modified": self.draft.now, "version": self.draft.now,
                "oscal-version": VERSION,
                "document-ids": [{"scheme": f"https://{DOMAIN}/campaign",
                                  "identifier": campaign.digest}],
                "roles": [{"id": OPENER, "title": "Who opened the review and signs its evidence"},
                          {"id": REVIEWER, "title": "Access reviewer"},
                          {"id": SECOND, "title": "Who concurs with or objects to a decision"},
                          {"id": CARRIER, "title": "Who carries a decision out, and signs what "
                           "came of it"}],
                "parties": list(self.parties.values()),
                "remarks": "The signed files beside this document are the evidence; this tells"
                f" totals and exceptions. In the folder of this document, `{CHECK}` checks every"
                " file that is referenced.",
            },
            "import-ap": {"href": ref(self.id, f"{self.draft.opened.folder}/definition.json"),
                          "remarks": "The campaign's definition, as signed, stands for the plan."},
            "results": [result],
            "back-matter": {"resources": self._resources()},
        }  # fmt: skip

    def _result(self) -> Json:
        campaign = self.campaign
        silent = sum(n for e, n in self.effects.items() if e not in {*STANDING, "stops"})
        judged = Judgement(self.draft, self.names, silent)
        opened = self._person(campaign.opened_by, OPENER)
        log = [("opened", "Campaign opened", campaign.opened_at)]
        log += [("closed", "Campaign closed", campaign.closed_at)] if campaign.closed_at else []
        by = {"party-uuid": opened["actor-uuid"], "role-id": OPENER}
        program = tool(self.id)["actor-uuid"]
        local: Json = {"inventory-items": self.items} if self.items else {}
        local["assessment-assets"] = {
            "components": [{
                "uuid": program, "type": "software", "title": "passmuster",
                "description": "Ran the rules and counted the signed rows.",
                "props": [{"name": "version", "value": __version__}],
                "status": {"state": "operational"},
            }],
            "assessment-platforms": [{
                "uuid": self.id("platform"), "uses-components": [{"component-uuid": program}],
            }],
        }  # fmt: skip
        result = {
            "uuid": self.id("result"), "title": f"Access review {markup(campaign.name)}",
            "description": self._totals(), "start": campaign.opened_at,
            **({"end": campaign.closed_at} if campaign.closed_at else {}),
            "props": self._numbers(), "local-definitions": local,
            "reviewed-controls": judged.reviewed(),
            "assessment-log": {"entries": [
                {"uuid": self.id("log", key), "title": title, "start": at, "logged-by": [by]}
                for key, title, at in log
            ]},
            "observations": [self._whole(), *judged.observations, *self.observations,
                             *self.tracking.observations],
            "risks": [*judged.risks, *self.tracking.risks], "findings": judged.findings,
        }  # fmt: skip
        return {name: value for name, value in result.items() if value}

    def _numbers(self) -> list[Json]:
        numbers = {"population-count": self.campaign.population,
                   "excluded-count": self.campaign.excluded, "decided-late-count": self.late,
                   "shown-per-exception": SHOWN}  # fmt: skip
        numbers |= {f"effect-{effect}": n for effect, n in sorted(self.effects.items())}
        numbers |= {f"exception-{kind}": n for kind, n in sorted(self.kinds.items())}
        numbers |= dict(self.tracking.numbers())
        return [prop(name, str(number)) for name, number in numbers.items()]

    def _totals(self) -> str:
        campaign = self.campaign
        counts = [f"{plural(self.kinds[k], 'item')}: {words}"
                  for k, words in EXCEPTIONS.items() if self.kinds[k]]  # fmt: skip
        more = sum(max(0, n - SHOWN) for n in self.kinds.values())
        told = (f" Of each kind the first {SHOWN} stand here; {plural(more, 'exception')} more "
                "stand in outcomes.jsonl, referenced by digest.") if more else ""  # fmt: skip
        closed = f"closed {campaign.closed_at}" if campaign.closed_at else "not closed yet"
        return (
            f"{plural(campaign.population, campaign.item_kind)} to decide, {campaign.excluded:,} "
            f"left out by the scope; due {campaign.due_at}, {closed}. "
            f"Exceptions: {'; '.join(counts) or 'none'}.{told}{self.tracking.totals()}"
        )

    def _whole(self) -> Json:
        folder = self.draft.opened.folder
        names = [*(f"{folder}/{name}" for name in FROZEN), *self.batches.values(), "outcomes.jsonl"]
        return {
            "uuid": self.id("population"), "title": "Population and signed decisions",
            "description": self._totals(), "methods": ["EXAMINE"], "types": ["control-objective"],
            "origins": [{"actors": [self._person(self.campaign.opened_by, OPENER)]}],
            "relevant-evidence": [evidence(self.id, name) for name in names],
            "collected": self.campaign.closed_at or self.draft.now,
        }  # fmt: skip

    def _resources(self) -> list[Json]:
        folder, statements = self.draft.opened.folder, self.draft.statements
        found = {f"{folder}/definition.json": "Definition of the campaign: scope, rules, due date"}
        found |= {f"{folder}/{name}": title for name, title in FROZEN.items()}
        found |= dict.fromkeys(self.batches.values(), "Signed rows")
        for s in statements:
            if s.index in self.batches or s.attestation.kind not in (*ROWS, "enrolment"):
                found[f"{s.folder}/{ENVELOPE}"] = f"Signed statement: {s.attestation.kind}"
        written = self.draft.writer.digests
        found |= {name: title for name, title in TABLES.items() if name in written}
        found |= {n: "Risk analysis that sets how often this is reviewed"
                  for n in written if n.startswith("frequency/")}  # fmt: skip
        return [
            {"uuid": ref(self.id, name)[1:], "title": title, "rlinks": [{
                "href": f"../{name}",
                "hashes": [{"algorithm": "SHA-256", "value": written[name]}],
            }]}
            for name, title in found.items()
        ]  # fmt: skip

    def _person(self, principal: str, role: str) -> Json:
        party: Json = {"uuid": self.id("party", principal.lower()), "type": "person",
                       "name": said(principal)}  # fmt: skip
        if MAIL.fullmatch(principal):
            party["email-addresses"] = [principal]
        self.parties.setdefault(principal.lower(), party)
        return {"type": "party", "actor-uuid": party["uuid"], "role-id": role}
