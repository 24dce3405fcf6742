"""Risk, 0 to 100: the worst finding's base, and fixed points for each further one.

A number to sort by, not a probability. The same sum stands in Python, for the pane that explains
it, and in SQL, for a million rows; `tests/policy/test_risk.py` holds them to each other.
"""

from collections.abc import Mapping, Sequence

from passmuster.model import SEVERITIES

BASE = {"critical": 80, "high": 60, "medium": 40, "low": 15}
FURTHER = {"critical": 10, "high": 8, "medium": 4, "low": 1}
HIGHEST = 100
SEVERITY_ORDER = {severity: rank for rank, severity in enumerate(SEVERITIES)}
"""0 is the worst."""


def points(findings: Sequence[tuple[str, str]]) -> list[int]:
    """What each of an identity's open findings adds, in the order given as (rule, severity).

    The first of the highest severity has its base, every other one its further points. Their sum,
    at most `HIGHEST`, is the risk.
    """
    if not findings:
        return []
    ranks = [SEVERITY_ORDER[severity] for _, severity in findings]
    worst = ranks.index(min(ranks))
    return [(BASE if n == worst else FURTHER)[s] for n, (_, s) in enumerate(findings)]


def risk(findings: Sequence[tuple[str, str]]) -> int:
    """The risk of an identity with these open findings."""
    return min(HIGHEST, sum(points(findings)))


def _cases(values: Mapping[str, int]) -> str:
    return " ".join(f"WHEN '{severity}' THEN {value}" for severity, value in values.items())


_WORST = f"min(CASE severity {_cases(SEVERITY_ORDER)} END)"
_SWAP = " ".join(
    f"WHEN {rank} THEN {BASE[severity] - FURTHER[severity]}"
    for rank, severity in enumerate(SEVERITIES)
)
RISK_SQL = f"min({HIGHEST}, sum(CASE severity {_cases(FURTHER)} END) + CASE {_WORST} {_SWAP} END)"
"""The risk of a group of rows of `finding`; an aggregate."""
SEVERITY_SQL = (
    f"CASE {_WORST} {' '.join(f'WHEN {n} THEN {s!r}' for n, s in enumerate(SEVERITIES))} END"
)
"""The worst severity of a group of rows of `finding`; an aggregate."""
