"""`muster sign-off`: the one deliberate act that makes drafts evidence."""

from typing import Any

import click

from passmuster.cli.common import (
    Bench,
    campaign_option,
    emit,
    json_option,
    now,
    pass_bench,
    passphrase_option,
    talk,
)  # fmt: skip
from passmuster.errors import Conflict
from passmuster.seconds import CALLED
from passmuster.text import plural


@click.command("sign-off")
@click.option("--accept-changed", is_flag=True,
              help="Sign although evidence changed since it was frozen.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask once more.")
@campaign_option
@passphrase_option
@json_option
@pass_bench
def sign_off_command(
    bench: Bench, accept_changed: bool, yes: bool, campaign_name: str | None,
    passphrase_fd: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Sign my drafts: from then on they are evidence.

    Decisions, owners and countersignatures (`muster countersign`) are signed in one act.

    \b
    Example:
      muster sign-off --yes
    """
    from passmuster import campaigns

    bench.may_decide()
    bench.passphrase_fd = passphrase_fd
    at = bench.campaign(campaign_name)
    batch = campaigns.prepare(bench.db, at.id, bench.me)
    _show_batch(batch)
    if batch.changed and not accept_changed:
        first = batch.changed[0]
        raise Conflict(
            f"the evidence of {first.display_name} changed ({', '.join(first.changed)}) since it "
            "was frozen: look again, then sign with --accept-changed"
        )
    bench.confirm("Sign these?", yes=yes)
    signed = campaigns.sign_off(bench.db, batch, bench.key(), now())
    if as_json:
        emit([{
            "statements": signed.statements, "decisions": len(signed.rows),
            "owners": len(signed.own), "countersignatures": len(signed.seconds),
            "signed_at": signed.signed_at, "verdicts": batch.counts,
        }], {}, as_json=True)  # fmt: skip
        return
    stops = [signed.rows.acting[verdict] for verdict in ("revoke", "disable")]
    stopped = sum(some.count for some in stops)
    talk(f"Signed: {_counted(batch)}.")
    _tell_waiting(campaigns.waiting_for(bench.db, signed.rows.ids()))
    if stopped:
        named = sorted((r for some in stops for r in some.first), key=lambda r: r.item_id)[:5]
        names = ", ".join(r.display_name for r in named) + (" …" if stopped > 5 else "")
        talk(
            f"Nothing is stopped yet: {plural(stopped, 'account')} ({names}) must now be "
            "stopped on the platform. Next: muster remediate plan"
        )


def _tell_waiting(waits: Any) -> None:
    if waits.rows:
        who = " or ".join(waits.on) or "nobody may: muster campaign status says why"
        talk(
            f"{plural(waits.rows, 'approval')} will stand once a second person has concurred: "
            f"{who} (`muster countersign`)"
        )


def _show_batch(batch: Any) -> None:
    for second in batch.seconds:
        to = "concur with" if second.draft.verdict == "concur" else "object to"
        talk(f"  {to} {CALLED[second.verdict]} of {second.display_name} by"
             f" {second.decider.principal}{_quoted(second.draft)}")  # fmt: skip
    talk(f"To sign as {batch.principal}: {_counted(batch, verdicts=True)}")
    for row in batch.rows.risky:
        talk(f"  approve at risk {row.risk}  {row.display_name}{_quoted(row.draft)}")
    if (more := batch.rows.risky_count - len(batch.rows.risky)) > 0:
        talk(f"  … {plural(more, 'approval')} more at high risk")
    for row in batch.rows:
        if row.draft.verdict != "approve" or row.draft.changes:
            parts = "".join(f", {c.verb} {c.target}" for c in row.draft.changes)
            talk(f"  {row.draft.verdict}{parts}  {row.display_name}{_quoted(row.draft)}")
    if batch.undecided:
        talk(f"  {plural(batch.undecided, 'item')} of yours will still read no_response")


def _quoted(draft: Any) -> str:
    return f"  “{draft.reason_text}”" if draft.reason_text else ""


def _counted(batch: Any, *, verdicts: bool = False) -> str:
    """How much there is of each kind, what there is none of left out."""
    decided = [plural(len(batch.rows), "decision")] if batch.rows else []
    if verdicts:
        decided = [f"{n:,} {verdict}" for verdict, n in sorted(batch.counts.items())]
    named = [f"{plural(len(batch.own), 'owner')} named"] if batch.own else []
    seconds = [plural(len(batch.seconds), "countersignature")] if batch.seconds else []
    return "; ".join([", ".join(decided)] * bool(decided) + named + seconds)
