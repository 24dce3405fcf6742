"""What a rule's hits say about NIST SP 800-53: objectives of 800-53A, by rule and control.

OSCAL's findings are about objectives, never about controls. The ids are those of NIST's catalog
of release 5.2.0 (`ac-2_obj.j` is SP 800-53A's AC-02j). Which one a rule speaks of is our
judgement, as `controls.toml` is; a pair that is not here speaks of the control's objectives as a
whole (`ac-6_obj`), of which a rule can show that they are not met, never that they are.
"""

FRAMEWORK = "nist-800-53"
NO_VERDICT = frozenset({"privileged", "not-reviewed"})
"""Rules whose hits fail no objective: that privileged identities exist is not wrong in itself,
and whether they are reviewed is what the review itself shows."""
OBJECTIVES: dict[str, dict[str, str]] = {
    "no-owner": {"ac-2": "ac-2_obj.b"},
    "owner-departed": {"ps-4": "ps-4_obj.a", "ac-2": "ac-2_obj.l-1", "ac-2.3": "ac-2.3_obj.b"},
    "unused": {"ac-2.3": "ac-2.3_obj.d", "ac-6.7": "ac-6.7_obj.b"},
    "credential-old": {"ia-5": "ia-5_obj.f"},
    "never-expires": {"ia-5": "ia-5_obj.f", "ia-13.3": "ia-13.3_obj.e-2"},
    "third-party-unreviewed": {"sa-9.3": "sa-9.3_obj-2", "ps-7": "ps-7_obj.e"},
    "human-use": {"ac-2.12": "ac-2.12_obj.a"},
    "secret-exposed": {"ia-5": "ia-5_obj.g"},
    "reactivated": {"ac-2": "ac-2_obj.f-2", "ac-2.4": "ac-2.4_obj-3", "ac-2.3": "ac-2.3_obj.c"},
    "weak-auth": {"ia-5": "ia-5_obj.c"},
    "auto-created-no-owner": {"ac-2": "ac-2_obj.b"},
    "ai-agent-unsupervised": {"ac-2": "ac-2_obj.g"},
}
REVIEWED = {
    "identity": ("ac-2", "ac-2_obj.j"),
    "grant": ("ac-6.7", "ac-6.7_obj.a"),
}
"""Kind of item → the control and the objective that a whole review of such items is about."""


def objective(rule_id: str, control: str) -> str:
    """The objective of *control* (an OSCAL token) that hits of a rule are about."""
    return OBJECTIVES.get(rule_id, {}).get(control, f"{control}_obj")


def is_whole(objective_id: str) -> bool:
    """Whether an id names all objectives of a control, which no rule alone can show to be met."""
    return objective_id.endswith("_obj")


def token(control: str) -> str:
    """The OSCAL id of an SP 800-53 control: `ac-2.3` for AC-2(3)."""
    return control.lower().replace("(", ".").removesuffix(")")
