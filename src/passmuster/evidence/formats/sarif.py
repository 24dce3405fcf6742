"""SARIF 2.1.0 of the findings, for viewers of what scanners report.

A finding that was there when the review was opened is `unchanged`, a later one `new`, one that
holds no longer `absent` (section 3.27.24). A rule that could not be evaluated is a notification,
so that a viewer does not take its silence for a pass. A finding whose risk was accepted in so many
words is suppressed (`_accepted`); an approval alone suppresses nothing. Viewers load a log whole,
and code hosts take 25,000 results: the riskiest come first, open ones before cleared ones, and the
rest is counted and referenced by digest. Every result is written as it is read.
"""

from collections.abc import Iterator
from itertools import islice

from passmuster import __version__, campaigns
from passmuster.evidence._walk import Judged
from passmuster.evidence.formats import Draft
from passmuster.evidence.formats._accepted import Accepted
from passmuster.evidence.formats._common import (
    EXPORTS,
    Names,
    Stated,
    findings,
    rules,
    said,
    when,
)
from passmuster.model import DOMAIN
from passmuster.text import Json, canonical, plural, sha256

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
FILE = f"{EXPORTS}/findings.sarif"
FILES = (FILE,)
MAX_RESULTS = 25_000
"""Results that are written; code hosts refuse a run with more."""
LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
FINGERPRINT = "finding/v1"


def begin(draft: Draft) -> "_Log":
    """Everything is written at the end."""
    return _Log(draft)


class _Log:
    def __init__(self, draft: Draft) -> None:
        self._draft, self._names = draft, Names(draft.campaign.digest)
        self._accepted = Accepted(draft, self._names)

    def item(self, judged: Judged) -> None:
        """Findings come from their own file; what of them is accepted comes from the items."""
        self._accepted.item(judged)

    def end(self) -> None:
        """One run: the rules, what they found, what they could not say."""
        stated = rules(self._draft)
        known = dict.fromkeys(stated)
        total = 0
        for found in findings(self._draft):
            known.setdefault(found["rule"])
            total += 1
        places = {rule_id: place for place, rule_id in enumerate(known)}
        head = canonical({"$schema": SCHEMA, "version": "2.1.0"})[:-1] + b',"runs":['
        run = canonical(self._run(stated, list(places), total))[:-1]
        with self._draft.writer.stream(FILE) as write:
            write(head + run + b',"results":[')
            between = b"\n"
            for result in islice(self._results(stated, places), MAX_RESULTS):
                write(between + canonical(result))
                between = b",\n"
            write(b"\n]}]}\n")

    def _results(self, stated: dict[str, Stated], places: dict[str, int]) -> Iterator[Json]:
        for cleared in (False, True):
            for found in findings(self._draft):
                if (found["cleared_at"] is not None) == cleared:
                    yield self._result(found, stated.get(found["rule"]), places)

    def _result(self, found: Json, rule: Stated | None, places: dict[str, int]) -> Json:
        identity = campaigns.uri(found["source"], "identity", found["identity"])
        kind, subject = found["subject_kind"], str(found["subject"])
        state = "unchanged" if found["first_seen"] <= self._draft.campaign.opened_at else "new"
        places_of: list[Json] = [
            {"fullyQualifiedName": identity, "name": said(found["name"]), "kind": "identity"}
        ]
        if kind != "identity":
            places_of.insert(0, {"fullyQualifiedName": f"{identity}/{kind}", "kind": kind,
                                 "name": said(subject)})  # fmt: skip
        title = rule.title if rule else found["rule"]
        mark = canonical([found["rule"], identity, kind, subject])
        properties = {"firstSeen": when(found["first_seen"], self._draft.now),
                      "severity": found["severity"]}  # fmt: skip
        if found["cleared_at"]:
            state = "absent"
            properties["clearedAt"] = when(found["cleared_at"], self._draft.now)
        return {
            "ruleId": found["rule"], "ruleIndex": places[found["rule"]], "kind": "fail",
            "level": LEVELS[found["severity"]], "baselineState": state,
            "message": {"text": _plain(f"{said(found['name'])}: {title}: {said(found['detail'])}")},
            "locations": [{"logicalLocations": places_of}],
            "partialFingerprints": {FINGERPRINT: sha256(mark)}, "properties": properties,
            # of every result, also where it is empty: absent would mean that nothing is known
            "suppressions": self._accepted.of(found),
        }  # fmt: skip

    def _run(self, stated: dict[str, Stated], rule_ids: list[str], total: int) -> Json:
        campaign, of = self._draft.campaign, self._names.of
        return {
            "tool": {"driver": {
                "name": "passmuster", "version": __version__, "guid": of("tool"),
                "informationUri": f"https://{DOMAIN}/",
                "rules": [_descriptor(i, stated.get(i)) for i in rule_ids],
            }},
            "automationDetails": {
                "id": f"access-review/{campaign.digest}", "guid": of("run"),
                "description": {"text": _plain(said(campaign.name))},
            },
            # what the rules said when the review was opened
            "baselineGuid": of("baseline"),
            "columnKind": "unicodeCodePoints",
            "artifacts": [self._artifact("findings.jsonl"), self._artifact("rules.jsonl")],
            "invocations": [{
                "executionSuccessful": True, "endTimeUtc": self._draft.now,
                "toolConfigurationNotifications": [
                    _unevaluated(rule, rule_ids.index(rule.id)) for rule in stated.values()
                    if rule.not_evaluated is not None
                ],
                "toolExecutionNotifications": [*_left_out(total),
                                               *_not_told(self._accepted.beyond)],
            }],
            "properties": {"campaign": campaign.digest, "findings": total,
                           "leftOut": max(0, total - MAX_RESULTS)},
        }  # fmt: skip

    def _artifact(self, name: str) -> Json:
        digest = self._draft.writer.digests[name]
        return {"location": {"uri": f"../{name}"}, "hashes": {"sha-256": digest}}


def _descriptor(rule_id: str, rule: Stated | None) -> Json:
    """A rule; of one that the campaign did not freeze nothing but its name is known."""
    if rule is None:
        text = "This rule was not among those that the campaign froze."
        return {"id": rule_id, "shortDescription": {"text": text}}
    return {
        "id": rule.id, "name": rule.id, "shortDescription": {"text": _plain(rule.title)},
        "fullDescription": {"text": _plain(rule.why)}, "help": {"text": _plain(rule.fix)},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {"tags": list(dict.fromkeys(
            f"{c['framework']} {c['id']}" for c in rule.controls))},
    }  # fmt: skip


def _unevaluated(rule: Stated, index: int) -> Json:
    text = f"Not evaluated: {rule.title}: {rule.not_evaluated}"
    return {"level": "warning", "message": {"text": _plain(text)},
            "associatedRule": {"id": rule.id, "index": index}}  # fmt: skip


def _left_out(total: int) -> list[Json]:
    if total <= MAX_RESULTS:
        return []
    text = (f"{plural(total - MAX_RESULTS, 'finding')} more than the {MAX_RESULTS:,} that this "
            "file takes stand in findings.jsonl, whose digest is under artifacts.")  # fmt: skip
    return [{"level": "warning", "message": {"text": text}}]


def _not_told(items: int) -> list[Json]:
    if not items:
        return []
    text = (f"Of {plural(items, 'item')} more the risk is accepted, and the findings are not marked"
            " as suppressed here: outcomes.csv has the reasons.")  # fmt: skip
    return [{"level": "note", "message": {"text": text}}]


def _plain(words: str) -> str:
    """*words* as message text: no link (3.11.6) and no placeholder (3.11.5) of a stranger's."""
    for char in "\\[]":
        words = words.replace(char, f"\\{char}")
    return words.replace("{", "{{").replace("}", "}}")
