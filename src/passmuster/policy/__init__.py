"""Policy: rules as SQL files, what they found, how risky that makes an identity.

Findings and the listing are written here and read everywhere; nothing here writes the inventory.
"""

from typing import TYPE_CHECKING

from passmuster import lazily

if TYPE_CHECKING:
    from passmuster.policy._evaluate import (
        RuleRun,
        evaluate,
        missing,
        not_evaluated,
        stale,
        supplied,
    )
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
    )
    from passmuster.policy._identities import (
        ORDERS,
        IdentityRow,
        count_identities,
        identities,
        identity_rows,
        listed_as_of,
        rank_identities,
    )
    from passmuster.policy._listing import rules_of
    from passmuster.policy._names import names
    from passmuster.policy._query import findings
    from passmuster.policy._risk import SEVERITY_ORDER, points, risk
    from passmuster.policy._rulebook import (
        NEEDS,
        Rule,
        catalogue,
        check,
        control_owner,
        controls,
        load_rules,
        parse,
        thresholds,
    )
else:
    __getattr__ = lazily.names(__name__, {
        "_evaluate": "RuleRun evaluate missing not_evaluated stale supplied",
        "_hits":
            "HIT_ORDERS HitRow Hits Supply count_hits hit_rows hits_by_rule last_import "
            "rank_hits rule_runs supplies",
        "_identities":
            "ORDERS IdentityRow count_identities identities identity_rows listed_as_of "
            "rank_identities",
        "_listing": "rules_of",
        "_names": "names",
        "_query": "findings",
        "_risk": "SEVERITY_ORDER points risk",
        "_rulebook":
            "NEEDS Rule catalogue check control_owner controls load_rules parse thresholds",
    })  # fmt: skip

__all__ = [
    "HIT_ORDERS", "NEEDS", "ORDERS", "SEVERITY_ORDER", "HitRow", "Hits", "IdentityRow", "Rule",
    "RuleRun", "Supply", "catalogue", "check", "control_owner", "controls", "count_hits",
    "count_identities", "evaluate", "findings", "hit_rows", "hits_by_rule", "identities",
    "identity_rows", "last_import", "listed_as_of", "load_rules", "missing", "names",
    "not_evaluated", "parse", "points", "rank_hits", "rank_identities", "risk", "rule_runs",
    "rules_of", "stale", "supplied", "supplies", "thresholds",
]  # fmt: skip
