"""Carrying decisions out on the platforms: plan, apply, verify, restore; each result is signed.

Owns the tables remediation, saved_state and remediation_result. Nothing here knows which platform
it speaks with (`connectors.Live`), and nothing lends it a login but what is handed in.
"""

from typing import TYPE_CHECKING

from passmuster import lazily

if TYPE_CHECKING:
    from passmuster.remediation._applying import apply
    from passmuster.remediation._because import Because, because
    from passmuster.remediation._blast import Fact, blast, handle, subject
    from passmuster.remediation._breaker import Tripped, breaker
    from passmuster.remediation._destroying import asked_for, refuse_early
    from passmuster.remediation._folding import Standing, check_row, fold, result_row
    from passmuster.remediation._planning import plan, plan_one, plans_for, unplanned
    from passmuster.remediation._proved import Proof, alive_of, is_alive, proof_of
    from passmuster.remediation._refusing import Step, why_not
    from passmuster.remediation._remedy import (
        STATES,
        STOPPED,
        TASKS,
        Remedy,
        Saved,
        State,
        Wanted,
        saved,
    )
    from passmuster.remediation._restoring import restore
    from passmuster.remediation._running import (
        carry_out,
        connected,
        left_s,
        may_sign,
        stale,
        unasked,
    )
    from passmuster.remediation._scripting import Script, can_carry, keep, scripts
    from passmuster.remediation._signing import FILE, sign, unsigned
    from passmuster.remediation._status import Status, status
    from passmuster.remediation._stopping import Desk, Result, before, go_on, stop_now
    from passmuster.remediation._table import Came, history, remedies, remedy, results
    from passmuster.remediation._taking import rows_of, take
    from passmuster.remediation._urgent import Offer, offer, urgent, wanted_by
    from passmuster.remediation._verifying import IN_WORDS, verify
    from passmuster.remediation._wanting import wanted
else:
    __getattr__ = lazily.names(__name__, {
        "_applying": "apply",
        "_because": "Because because",
        "_blast": "Fact blast handle subject",
        "_breaker": "Tripped breaker",
        "_destroying": "asked_for refuse_early",
        "_folding": "Standing check_row fold result_row",
        "_planning": "plan plan_one plans_for unplanned",
        "_proved": "Proof alive_of is_alive proof_of",
        "_remedy": "STATES STOPPED TASKS Remedy Saved State Wanted saved",
        "_refusing": "Step why_not",
        "_restoring": "restore",
        "_running": "carry_out connected left_s may_sign stale unasked",
        "_scripting": "Script can_carry keep scripts",
        "_signing": "FILE sign unsigned",
        "_stopping": "Desk Result before go_on stop_now",
        "_table": "Came history remedies remedy results",
        "_urgent": "Offer offer urgent wanted_by",
        "_status": "Status status",
        "_taking": "rows_of take",
        "_verifying": "IN_WORDS verify",
        "_wanting": "wanted",
    })  # fmt: skip

__all__ = [
    "FILE", "IN_WORDS", "STATES", "STOPPED", "TASKS", "Because", "Came", "Desk", "Fact", "Offer",
    "Proof", "Remedy", "Result", "Saved", "Script", "Standing", "State", "Status", "Step",
    "Tripped", "Wanted", "alive_of", "apply", "asked_for", "because", "before", "blast", "breaker",
    "can_carry", "carry_out", "check_row", "connected", "fold", "go_on", "handle", "history",
    "is_alive", "keep", "left_s", "may_sign", "offer", "plan", "plan_one", "plans_for", "proof_of",
    "refuse_early", "remedies", "remedy", "restore", "result_row", "results", "rows_of", "saved",
    "scripts", "sign", "stale", "status", "stop_now", "subject", "take", "unasked", "unplanned",
    "unsigned", "urgent", "verify", "wanted", "wanted_by", "why_not",
]  # fmt: skip
