"""Policy: rules as SQL files, what they found, how risky that makes an identity.

Findings and the listing are written here and read everywhere; nothing here writes the inventory.
"""

from passmuster.policy._evaluate import RuleRun, evaluate, missing, not_evaluated, stale, supplied
from passmuster.policy._listing import rules_of
from passmuster.policy._names import names
from passmuster.policy._query import findings
from passmuster.policy._risk import SEVERITY_ORDER, points, risk
from passmuster.policy._rulebook import Rule, check, controls, load_rules, parse, thresholds

__all__ = [
    "SEVERITY_ORDER", "Rule", "RuleRun", "check", "controls", "evaluate", "findings",
    "load_rules", "missing", "names", "not_evaluated", "parse", "points", "risk", "rules_of",
    "stale", "supplied", "thresholds",
]  # fmt: skip
