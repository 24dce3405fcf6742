"""`muster countersign`: what a second person says to signed decisions."""

import secrets
from typing import TYPE_CHECKING, Any

import click

from passmuster.cli.common import (
    Bench,
    campaign_option,
    csv_option,
    emit,
    json_option,
    now,
    pass_bench,
    talk,
)  # fmt: skip
from passmuster.model import Attention, Bulk, SecondDraft, SecondVerdict
from passmuster.seconds import CALLED
from passmuster.text import plural

if TYPE_CHECKING:
    from passmuster.campaigns import SecondRow


@click.group("countersign")
def countersign_command() -> None:
    """Concur with another person's decisions, or object to them.

    Where a campaign asks for two persons, an approval stands only once a second one has concurred.
    What you say is a draft until you sign it: `muster sign-off` signs your decisions and your
    countersignatures in one act.

    \b
    Example:
      muster countersign list
      muster countersign concur k3p7q2
      muster sign-off
    """


@countersign_command.command("list")
@click.option("--state", type=click.Choice(["waiting", "draft", "signed", "all"]),
              default="waiting", help="Drafts and signed rows of mine, or all that I may look at.",
              show_default=True)  # fmt: skip
@campaign_option
@json_option
@csv_option
@pass_bench
def list_command(
    bench: Bench, state: str, campaign_name: str | None, as_json: bool, as_csv: bool
) -> None:
    """What waits on me as the second person, the riskiest first.

    \b
    Example:
      muster countersign list --json
    """
    from passmuster import campaigns

    at = bench.campaign(campaign_name)
    ids = campaigns.second_rank(bench.db, at.id, bench.me, state)

    def rows() -> Any:
        for start in range(0, len(ids), 500):
            found = campaigns.second_rows(bench.db, ids[start : start + 500], bench.me)
            yield from (_as_dict(found[i], bench.me) for i in ids[start : start + 500])

    columns = {"item": "ITEM", "risk": "RISK", "name": "IDENTITY", "verdict": "VERDICT",
               "decided_by": "BY", "reason": "REASON", "you": "YOU"}  # fmt: skip
    if not emit(rows(), columns, as_json=as_json, as_csv=as_csv) and not (as_json or as_csv):
        talk(_nothing(bench, at, state))


def _as_dict(row: "SecondRow", me: str) -> dict[str, Any]:
    signed = next((s.verdict for s in reversed(row.signed) if s.principal == me), None)
    if row.torn:
        signed = "contested: say it again"
    return {
        "item": row.name, "risk": row.risk, "severity": row.severity, "name": row.display_name,
        "source": row.source, "verdict": row.verdict, "until": row.until,
        "changes": [f"{c.verb}:{c.target}" for c in row.changes], "reason": row.reason,
        "decided_by": row.decider, "decided_at": row.attention.decided,
        "details_opened": row.attention.details_opened,
        "bulk": row.bulk._asdict() if row.bulk else None,
        "draft": row.draft.verdict if row.draft else None,
        "you": f"{row.draft.verdict}, not signed" if row.draft else signed,
        "countersigned": [s._asdict() for s in row.signed], "row": row.leaf,
    }  # fmt: skip


def _nothing(bench: Bench, at: Any, state: str) -> str:
    from passmuster import campaigns

    policy = campaigns.policy_of(bench.db, at.definition)
    if policy is None:
        return f"{at.name} asks for no second person (`muster campaign open --second`)"
    if bench.me not in policy.by:
        return f"you are no second person of {at.name}: {', '.join(policy.by)} may be"
    if state == "waiting":
        return "nothing waits on you; `muster countersign list --state all` shows what was signed"
    return "nothing here; `muster countersign list` shows what waits on you"


def _say(
    bench: Bench, verdict: SecondVerdict, items: tuple[str, ...], reason: str,
    campaign_name: str | None,
) -> None:  # fmt: skip
    from passmuster import campaigns

    bench.may_decide()
    at = bench.campaign(campaign_name)
    ids = list(dict.fromkeys(campaigns.find_item(bench.db, at.id, h) for h in items))
    many = Bulk(secrets.token_hex(8), len(ids), "named on the command line")
    draft = SecondDraft(
        verdict, None, reason, Attention(None, now(), False), many if len(ids) > 1 else None
    )
    to = "concur with" if verdict == "concur" else "object to"
    for row in campaigns.save_seconds(bench.db, ids, draft, now(), bench.me):
        talk(f"drafted: {to} {CALLED[row.verdict]} of {row.display_name} by {row.decider}")
    talk("Nothing is signed yet: muster sign-off")


@countersign_command.command("concur")
@click.argument("items", nargs=-1, required=True)
@click.option("--reason", default="", help="Why, if you like.")
@campaign_option
@pass_bench
def concur_command(
    bench: Bench, items: tuple[str, ...], reason: str, campaign_name: str | None
) -> None:
    """Draft that you concur with the decision on these items.

    \b
    Example:
      muster countersign concur k3p7q2 --reason "checked with the team"
    """
    _say(bench, "concur", items, reason, campaign_name)


@countersign_command.command("object")
@click.argument("items", nargs=-1, required=True)
@click.option("--reason", default="", help="Why; always needed.")
@campaign_option
@pass_bench
def object_command(
    bench: Bench, items: tuple[str, ...], reason: str, campaign_name: str | None
) -> None:
    """Draft that you object: an approval then does not stand; a stop stops all the same.

    \b
    Example:
      muster countersign object k3p7q2 --reason "nobody uses it"
    """
    _say(bench, "object", items, reason, campaign_name)


@countersign_command.command("clear")
@click.argument("items", nargs=-1, required=True)
@campaign_option
@pass_bench
def clear_command(bench: Bench, items: tuple[str, ...], campaign_name: str | None) -> None:
    """Take drafts of yours back.

    \b
    Example:
      muster countersign clear k3p7q2
    """
    from passmuster import campaigns

    bench.may_decide()
    at = bench.campaign(campaign_name)
    ids = [campaigns.find_item(bench.db, at.id, h) for h in items]
    talk(f"{plural(campaigns.clear_seconds(bench.db, ids, bench.me), 'draft')} taken back")
