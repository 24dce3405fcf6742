"""Policy: rules as SQL files, what they found, how risky that makes an identity.

Findings and the listing are written here and read everywhere; nothing here writes the inventory.
"""

from passmuster.policy._evaluate import RuleRun, evaluate, missing, not_evaluated, stale, supplied
from passmuster.policy._hits import (
    HIT_ORDERS,
    HitRow,
    Hits,
    Supply,
    count_hits,
    hit_rows,
    hits_by_rule,
    last_import,
    rank_hits,
    rule_runs,
    supplies,
)  # fmt: skip
from passmuster.policy._identities import (
    ORDERS,
    IdentityRow,
    count_identities,
    identities,
    identity_rows,
    listed_as_of,
    rank_identities,
)  # fmt: skip
from passmuster.policy._listing import rules_of
from passmuster.policy._names import names
from passmuster.policy._query import findings
from passmuster.policy._risk import SEVERITY_ORDER, points, risk
from passmuster.policy._rulebook import NEEDS, Rule, check, controls, load_rules, parse, thresholds

__all__ = [
    "HIT_ORDERS", "NEEDS", "ORDERS", "SEVERITY_ORDER", "HitRow", "Hits", "IdentityRow", "Rule",
    "RuleRun", "Supply", "check", "controls", "count_hits", "count_identities", "evaluate",
    "findings", "hit_rows", "hits_by_rule", "identities", "identity_rows", "last_import",
    "listed_as_of", "load_rules", "missing", "names", "not_evaluated", "parse", "points",
    "rank_hits", "rank_identities", "risk", "rule_runs", "rules_of", "stale", "supplied",
    "supplies", "thresholds",
]  # fmt: skip
