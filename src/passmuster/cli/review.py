"""`muster queue`, `decide`, `own`, `drafts`: the review without a screen."""

import secrets
from typing import Any

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
from passmuster.errors import UsageError
from passmuster.model import CHANGE_VERBS, Attention, Bulk, Change, Draft
from passmuster.text import nearest, plural, visible


@click.command("queue")
@click.argument("filter_words", nargs=-1, metavar="[FILTER]")
@click.option("--all", "everybody", is_flag=True, help="Every reviewer's items, not only mine.")
@click.option("--open", "only_open", is_flag=True, help="Only what is not decided yet.")
@campaign_option
@json_option
@csv_option
@pass_bench
def queue_command(
    bench: Bench, filter_words: tuple[str, ...], everybody: bool, only_open: bool,
    campaign_name: str | None, as_json: bool, as_csv: bool,
) -> None:  # fmt: skip
    """What I must decide, the riskiest first.

    \b
    Example:
      muster queue --open unused:'>90d' --json
    """
    from passmuster import campaigns

    at = bench.campaign(campaign_name)
    ids = campaigns.rank(
        bench.db, at.id, None if everybody else bench.me,
        expression=" ".join(filter_words), now=now(), state="open" if only_open else None,
    )  # fmt: skip

    def rows() -> Any:
        for start in range(0, len(ids), 500):
            for row in campaigns.rows(bench.db, ids[start : start + 500]):
                stopped = row.emergency and row.state != "draft"  # whatever was signed before
                yield {
                    "item": row.name, "risk": row.risk, "severity": row.severity,
                    "name": row.display_name, "kind": row.kind, "source": row.source,
                    "owner": row.owner, "last_used_at": row.last_used_at,
                    "last_used_state": row.last_used_state, "assigned": row.assigned,
                    "state": row.state, "verdict": row.verdict, "uri": row.uri,
                    "emergency": row.emergency,
                    "decision": "emergency stop" if stopped else row.verdict,
                }  # fmt: skip

    columns = {"item": "ITEM", "risk": "RISK", "name": "IDENTITY", "source": "SOURCE",
               "owner": "OWNER", "state": "STATE", "decision": "DECISION"}  # fmt: skip
    if not emit(rows(), columns, as_json=as_json, as_csv=as_csv) and not (as_json or as_csv):
        talk("nothing here; `muster queue --all` shows everybody's")


def _items(bench: Bench, campaign_id: int, handles: tuple[str, ...]) -> list[int]:
    """The named items, each once, all of them mine."""
    from passmuster import campaigns

    ids = list(dict.fromkeys(campaigns.find_item(bench.db, campaign_id, h) for h in handles))
    for item_id in ids:
        reviewer = bench.db.value("SELECT reviewer FROM item WHERE id = ?", (item_id,))
        if reviewer != bench.me:
            (row,) = campaigns.rows(bench.db, [item_id])
            raise UsageError(f"{row.name} ({row.display_name}) is {reviewer}'s to decide")
    return ids


def _change(words: str) -> Change:
    """`VERB:TARGET[:to=…]`; the target is a key id, an entitlement or a trust."""
    verb, _, target = words.partition(":")
    verb = verb.replace("-", "_")
    if verb not in CHANGE_VERBS:
        raise UsageError(f"no change {verb!r}{nearest(verb, CHANGE_VERBS)}")
    if not target:
        raise UsageError(f"--change {words}: write VERB:TARGET, for example rotate:AKIA…")
    target, _, to = target.partition(":to=")
    return Change(verb, target, to or None)


@click.command("decide")
@click.argument("verdict")
@click.argument("items", nargs=-1, required=True)
@click.option("--reason", default="", help="Why; needed for all but low-risk approvals.")
@click.option("--until", metavar="DATE", help="Approve only until this day.")
@click.option("--change", "changes", multiple=True, metavar="VERB:TARGET",
              help="Change a part: revoke, disable, rotate or right_size.")  # fmt: skip
@campaign_option
@json_option
@pass_bench
def decide_command(
    bench: Bench, verdict: str, items: tuple[str, ...], reason: str, until: str | None,
    changes: tuple[str, ...], campaign_name: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Draft a decision: approve, revoke, disable or abstain. Nothing is signed yet.

    \b
    Examples:
      muster decide revoke k3p7q2 --reason "not used since 2024"
      muster decide approve k3p7q2 --reason "in use" --change rotate:AKIAIOSFODNN7EXAMPLE
    """
    from passmuster import campaigns

    bench.may_decide()
    at = bench.campaign(campaign_name)
    ids = _items(bench, at.id, items)
    size = len(ids)
    draft = Draft(
        verdict, None, reason, Attention(None, now(), False),  # type: ignore[arg-type]
        f"{until}T23:59:59Z" if until and len(until) == 10 else until,
        tuple(_change(words) for words in changes),
        Bulk(secrets.token_hex(8), size, "named on the command line") if size > 1 else None,
    )  # fmt: skip
    campaigns.save_drafts(bench.db, ids, draft, now(), bench.me)
    _print_plans(bench, ids, draft, as_json)


def _print_plans(bench: Bench, ids: list[int], draft: Draft, as_json: bool) -> None:
    """For what would be stopped: the vendor's lines that stop it, and those that undo it."""
    from passmuster import campaigns, connectors

    rows: list[dict[str, Any]] = []
    for row in campaigns.rows(bench.db, ids):
        dossier = campaigns.item_dossier(bench.db, row.id)
        wanted = [(draft.verdict, dossier["subject"])] + [(c.verb, c.target) for c in draft.changes]
        plans = [
            {"what": p.what, "stop": list(p.stop), "undo": list(p.undo),
             "undo_class": p.undo_class, "residual": p.residual}
            for verb, target in wanted if verb in ("revoke", "disable")
            for p in connectors.plan(dossier, verb, target)
        ]  # fmt: skip
        rows.append({"item": row.name, "name": row.display_name, "verdict": draft.verdict,
                     "plans": plans})  # fmt: skip
    if as_json:
        emit(rows, {}, as_json=True)
        return
    for row_ in rows:
        talk(f"drafted: {row_['verdict']} {row_['name']} ({row_['item']})")
        stops = row_["verdict"] in ("revoke", "disable")
        if stops and not row_["plans"]:
            talk("  muster knows no reversible stop for it: stop it on the platform by hand")
        for plan in row_["plans"]:
            print(visible(f"# {row_['name']}: {plan['what']} ({plan['undo_class']})"))
            print("\n".join(map(visible, plan["stop"])))
            print("# undo:")
            print("\n".join(visible(f"# {line}") for line in plan["undo"]))
    talk("Nothing is signed yet: muster drafts, then muster sign-off")


@click.command("own")
@click.argument("owner")
@click.argument("items", nargs=-1, required=True)
@click.option("--evidence", help="How you know.")
@click.option("--hand-over", is_flag=True, help="Let the new owner decide the item.")
@campaign_option
@pass_bench
def own_command(
    bench: Bench, owner: str, items: tuple[str, ...], evidence: str | None, hand_over: bool,
    campaign_name: str | None,
) -> None:  # fmt: skip
    """Draft who answers for an identity: a person's e-mail, an alias or a team.

    \b
    Example:
      muster own platform-team k3p7q2 --evidence "asked in #platform"
    """
    from passmuster import campaigns

    bench.may_decide()
    at = bench.campaign(campaign_name)
    ids = _items(bench, at.id, items)
    campaigns.save_own(bench.db, ids, owner, evidence, now(), reassign=hand_over, by=bench.me)
    if hand_over:
        draft = Draft("abstain", None, f"handed over to {owner}", Attention(None, now(), False))
        campaigns.save_drafts(bench.db, ids, draft, now(), bench.me)
    talk(f"drafted: {owner} owns {plural(len(ids), 'item')}; signed at the next muster sign-off")


@click.command("drafts")
@click.option("--clear", "clear", multiple=True, metavar="ITEM", help="Take a draft back.")
@campaign_option
@json_option
@pass_bench
def drafts_command(
    bench: Bench, clear: tuple[str, ...], campaign_name: str | None, as_json: bool
) -> None:
    """What I decided and have not signed.

    \b
    Example:
      muster drafts --clear k3p7q2
    """
    from passmuster import campaigns

    at = bench.campaign(campaign_name)
    if clear:
        bench.may_decide()
        ids = _items(bench, at.id, clear)
        count = campaigns.clear_drafts(bench.db, ids) + campaigns.clear_own(bench.db, ids)
        talk(f"{plural(count, 'draft')} taken back")
        return
    ids_ = campaigns.rank(bench.db, at.id, bench.me, state="draft")
    rows = []
    for row in campaigns.rows(bench.db, ids_):
        draft = campaigns.draft_of(bench.db, row.id)
        assert draft is not None
        rows.append({
            "item": row.name, "verdict": draft.verdict, "name": row.display_name,
            "until": draft.until, "reason": draft.reason_text,
            "changes": [f"{c.verb}:{c.target}" for c in draft.changes], "owner": row.own,
        })  # fmt: skip
    columns = {"item": "ITEM", "verdict": "VERDICT", "name": "IDENTITY", "until": "UNTIL",
               "reason": "REASON"}  # fmt: skip
    if not emit(rows, columns, as_json=as_json) and not as_json:
        talk("no drafts; `muster queue --open` shows what is to decide")
