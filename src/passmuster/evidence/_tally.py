"""How often each rule hit the items of a review, and what became of those items.

Counted from the dossiers as they were frozen, so an auditor gets the same numbers from
`dossiers.jsonl` and `outcomes.jsonl`. Rules that were not evaluated have no numbers at all.
"""

from dataclasses import dataclass
from typing import Any

from passmuster.evidence._walk import Judged


@dataclass(slots=True)
class Hits:
    """Items of the review that a rule hit."""

    items: int = 0
    findings: int = 0
    """Findings in their dossiers; in a review of parts, the parts of an identity repeat its own."""
    stopped: int = 0
    exceptions: int = 0
    """Their access stands by a signed decision although the rule hit."""
    undecided: int = 0
    """No verdict: they are neither accepted nor stopped."""


class Tally:
    """The hits of each rule of the definition; a counter a rule."""

    def __init__(self, rules: Any) -> None:
        self.items = 0
        self.rules: dict[str, Hits] = {rule: Hits() for rule in rules}

    def count(self, judged: Judged) -> None:
        """Add an item."""
        self.items += 1
        found = [finding["rule"] for finding in judged.dossier["findings"]]
        for rule in self.rules.keys() & set(found):
            hits = self.rules[rule]
            hits.items += 1
            hits.findings += found.count(rule)
            match judged.outcome.effect:
                case "stops":
                    hits.stopped += 1
                case "stands" | "stands_until":
                    hits.exceptions += 1
                case _:
                    hits.undecided += 1
