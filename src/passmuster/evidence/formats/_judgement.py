"""What the rules, and a review as a whole, say about controls, as parts of an OSCAL document.

A finding is made only where something can be said: a rule's hits show that an objective is not
met, and only all of its rules, evaluated and without a hit, that it is. Anything else is an
observation.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from passmuster.evidence.formats import Draft
from passmuster.evidence.formats._common import Names, Stated, findings, rules, said, when
from passmuster.evidence.formats._objectives import (
    FRAMEWORK,
    NO_VERDICT,
    REVIEWED,
    is_whole,
    objective,
    token,
)
from passmuster.model import DOMAIN
from passmuster.text import Json, plural

NS = f"https://{DOMAIN}/ns/oscal"
GENERAL = "ac-2"
"""The control that a review of access serves when nothing can be said of any objective."""


class Judgement:
    """What the rules, and the review as a whole, say about controls and objectives."""

    def __init__(self, draft: Draft, names: Names, silent: int) -> None:
        self.campaign, self.id, self.silent = draft.campaign, names.of, silent
        self.open: Counter[str] = Counter()
        self.cleared: Counter[str] = Counter()
        for found in findings(draft):
            (self.cleared if found["cleared_at"] else self.open)[found["rule"]] += 1
        self.rules = list(rules(draft).values())
        self.observations = [self._observation(rule) for rule in self.rules]
        self.risks = [self._risk(rule) for rule in self.rules if self._ever(rule)]
        self.about = _about(self.rules)
        self.findings = [*self._review(), *filter(None, map(self._finding, self.about))]

    def _ever(self, rule: Stated) -> int:
        return self.open[rule.id] + self.cleared[rule.id]

    def _observation(self, rule: Stated) -> Json:
        hits = (f"{plural(self.open[rule.id], 'finding')} now, {self.cleared[rule.id]:,} cleared; "
                "findings.jsonl has each.")  # fmt: skip
        why = rule.not_evaluated
        served = ", ".join(f"{c['framework']} {c['id']} ({c['fit']})" for c in rule.controls)
        return {
            "uuid": self.id("rule", rule.id),
            "title": f"{'Not evaluated' if why else 'Rule'}: {markup(rule.title)}",
            "description": f"Not evaluated: {markup(why)}. {hits}" if why else hits,
            "props": [prop("rule", rule.id), prop("evaluated", "no" if why else "yes"),
                      prop("open-count", str(self.open[rule.id])),
                      prop("cleared-count", str(self.cleared[rule.id]))],
            "methods": ["TEST"],
            "types": ["finding" if self.open[rule.id] else "control-objective"],
            "origins": [{"actors": [tool(self.id)]}],
            "relevant-evidence": [evidence(self.id, name)
                                  for name in ("findings.jsonl", "rules.jsonl")],
            "collected": when(rule.ran_at, self.campaign.opened_at),
            "remarks": f"Serves, in our judgement: {markup(served)}." if served
            else "No control is mapped to it.",
        }  # fmt: skip

    def _risk(self, rule: Stated) -> Json:
        return {
            "uuid": self.id("risk", rule.id), "title": markup(rule.title),
            "description": f"{plural(self.open[rule.id], 'finding')} now, "
            f"{self.cleared[rule.id]:,} cleared.",
            "statement": markup(rule.why), "props": [prop("severity", rule.severity)],
            "status": "open" if self.open[rule.id] else "closed",
            "remediations": [{"uuid": self.id("fix", rule.id), "lifecycle": "recommendation",
                              "title": "What to do", "description": markup(rule.fix)}],
            "related-observations": [{"observation-uuid": self.id("rule", rule.id)}],
        }  # fmt: skip

    def _finding(self, target: str) -> Json | None:
        """None where it can be said neither that the objective is met nor that it is not."""
        mapped = self.about[target]
        hit = [(rule, fit) for rule, fit in mapped if self.open[rule.id]]
        if hit:
            reason = "fail" if any(fit == "direct" for _, fit in hit) else "other"
            state = {"state": "not-satisfied", "reason": reason}
            said_of = f"Rules that speak of it have findings: {_ids(hit)}."
        elif (
            is_whole(target)
            or any(rule.not_evaluated for rule, _ in mapped)
            or not any(fit == "direct" for _, fit in mapped)
        ):
            return None
        else:
            state = {"state": "satisfied", "reason": "pass"}
            said_of = (
                f"Every rule that speaks of it was evaluated and found nothing: {_ids(mapped)}."
            )
        risks = [{"risk-uuid": self.id("risk", r.id)} for r, _ in mapped if self._ever(r)]
        return self._about(
            target, state, said_of, [self.id("rule", r.id) for r, _ in mapped], risks
        )

    def _review(self) -> list[Json]:
        """The finding on the review itself, where its items are what an objective is about."""
        kind = self.campaign.item_kind
        if kind not in REVIEWED:
            return []
        state = {"state": "satisfied", "reason": "pass"}
        words = "Every item of the population has a signed decision and the review is closed."
        if self.silent:
            state = {"state": "not-satisfied", "reason": "fail"}
            words = f"{plural(self.silent, 'item')} without a decision that counts."
        elif self.campaign.closed_at is None:
            state = {"state": "not-satisfied", "reason": "other"}
            words = "The review is not closed yet."
        return [self._about(REVIEWED[kind][1], state, words, [self.id("population")], [])]

    def _about(
        self, target: str, state: Json, words: str, seen: list[str], risks: list[Json]
    ) -> Json:
        found = {
            "uuid": self.id("finding", target), "title": f"{target}: {state['state']}",
            "description": words, "target": {
                "type": "objective-id", "target-id": target, "status": {
                    **state, "remarks": "By these rules and this population alone: no assessment "
                    "of the control as a whole. Which rule speaks of which objective is our "
                    "judgement."}},
            "related-observations": [{"observation-uuid": one} for one in seen],
            "related-risks": risks,
        }  # fmt: skip
        return {name: value for name, value in found.items() if value}

    def reviewed(self) -> Json:
        """The controls and objectives that something is said of; no claim on any other."""
        targets = [str(f["target"]["target-id"]) for f in self.findings]
        note = ("Ids of NIST SP 800-53 Rev. 5, release 5.2.0, and of SP 800-53A. What could not be "
                "evaluated is not here: an observation says why.")  # fmt: skip
        controls = dict.fromkeys(t.split("_obj")[0] for t in targets) or {GENERAL: None}
        found: Json = {"control-selections": [
            {"description": note, "include-controls": [{"control-id": c} for c in controls]}
        ]}  # fmt: skip
        if targets:
            found["control-objective-selections"] = [
                {"include-objectives": [{"objective-id": t} for t in targets]}
            ]
        return found


def _about(stated: list[Stated]) -> dict[str, list[tuple[Stated, str]]]:
    """Objective → the rules that speak of it directly or in part, with how well."""
    found: dict[str, list[tuple[Stated, str]]] = {}
    for rule in stated:
        for control in rule.controls if rule.id not in NO_VERDICT else ():
            if control["framework"] == FRAMEWORK and control["fit"] != "indirect":
                target = objective(rule.id, token(control["id"]))
                # of a control as a whole, a rule that covers a part of it proves nothing
                if control["fit"] == "direct" or not is_whole(target):
                    found.setdefault(target, []).append((rule, control["fit"]))
    return dict(sorted(found.items()))


def _ids(mapped: list[tuple[Stated, str]]) -> str:
    return ", ".join(f"{rule.id} ({fit})" for rule, fit in mapped)


def prop(name: str, value: Any) -> Json:
    """A property of our own namespace: others mean something else by the same name."""
    return {"name": name.replace("_", "-"), "ns": NS, "value": said(value)}


def ref(names: Callable[..., str], file: str) -> str:
    """The reference to the resource of a file of the pack."""
    return "#" + names("file", file)


def evidence(names: Callable[..., str], file: str, words: str | None = None) -> Json:
    """A file of the pack as evidence of something; *words* say which part of it."""
    return {"href": ref(names, file), "description": words or file}


def tool(names: Callable[..., str]) -> Json:
    """What an observation is from when no person made it."""
    return {"type": "tool", "actor-uuid": names("tool")}


def markup(words: Any) -> str:
    """Text from outside as CommonMark that shows exactly that text."""
    text = said(words).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_{}[]|~^$" else c for c in text)
