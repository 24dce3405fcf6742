"""`exports/controls.csv`: each control of the catalogue, and what this review says of it.

For the risk register and the Statement of Applicability: a row for each control and rule that is
evidence for it, and one for each control that no rule is evidence for, so that what is not
covered is seen. The mapping is this project's judgement and no published crosswalk.
"""

from collections.abc import Iterator
from typing import Any

from passmuster import campaigns, policy
from passmuster.evidence._tables import csv_line
from passmuster.evidence._tally import Hits, Tally
from passmuster.evidence._walk import Judged
from passmuster.evidence.formats import Draft
from passmuster.text import strict_json

FILE = "exports/controls.csv"
FILES = (FILE,)
COLUMNS = (
    "framework", "version", "control", "title", "control_owner", "rule", "rule_title", "fit",
    "population", "hits", "findings", "stopped", "exceptions", "undecided", "not_evaluated",
)  # fmt: skip
NO_RULE = "no rule is evidence for this control"


def begin(draft: Draft) -> "Controls":
    """The export of a pack; raises UsageError for an owner of a control that does not exist."""
    policy.check(draft.settings)
    return Controls(draft)


class Controls:
    """A tally of rules, written out by control at the end."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        definition = strict_json(campaigns.definition(draft.db, draft.campaign))
        self.not_evaluated: dict[str, str] = definition["notEvaluated"]
        self.tally = Tally(definition["rules"])

    def item(self, judged: Judged) -> None:
        """Count it."""
        self.tally.count(judged)

    def end(self) -> None:
        """Write the file."""
        self.draft.writer.add(FILE, map(csv_line, self._rows()))

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        yield COLUMNS
        catalogue = policy.catalogue()
        served: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for rule in catalogue["rule"]:
            for control in policy.controls(rule["id"]):
                key = (control["framework"], control["id"])
                served.setdefault(key, []).append((rule["id"], control["fit"]))
        titles = {rule["id"]: rule["title"] for rule in catalogue["rule"]}
        for control in catalogue["control"]:
            framework, number = control["framework"], control["id"]
            about = catalogue["framework"][framework]
            owner = policy.control_owner(self.draft.settings, framework, number)
            head = (about["name"], about["version"], number, control["title"], owner)
            rules = served.get((framework, number), [])
            for rule_id, fit in rules:
                yield (*head, rule_id, titles[rule_id], fit, *self._counted(rule_id))
            if not rules:
                yield (*head, *(None,) * 9, NO_RULE)

    def _counted(self, rule: str) -> tuple[Any, ...]:
        """Numbers and no reason, or a reason and no numbers."""
        if rule not in self.tally.rules:
            return (*(None,) * 6, "this rule was not part of the review")
        if rule in self.not_evaluated:
            return (*(None,) * 6, self.not_evaluated[rule])
        hits: Hits = self.tally.rules[rule]
        return (self.tally.items, hits.items, hits.findings, hits.stopped, hits.exceptions,
                hits.undecided, None)  # fmt: skip
