"""`muster campaign open|publish|list|status|close|acknowledge`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from passmuster.cli.common import (
    Bench,
    emit,
    json_option,
    now,
    pass_bench,
    passphrase_option,
    talk,
)  # fmt: skip
from passmuster.cli.inventory import bar
from passmuster.text import plural, visible

if TYPE_CHECKING:
    from passmuster.campaigns import Disputed

MOST_OBJECTIONS = 20
"""Objections that `status` tells; `muster evidence` has all."""


@click.group("campaign")
def campaign_command() -> None:
    """Open, watch and close a review.

    \b
    Example:
      muster campaign open "November" --reviewer owner --fallback you@example.com --due 2026-12-31
    """


@campaign_command.command("open")
@click.argument("name")
@click.option("--reviewer", required=True, metavar="EMAIL|owner", help="Who decides.")
@click.option("--fallback", metavar="EMAIL", help="Who decides what has no owner.")
@click.option("--due", required=True, metavar="DATE", help="The last day, in UTC.")
@click.option("--scope", default="", metavar="FILTER", help="Default: everything present.")
@click.option("--of", "of", default="identity", metavar="KIND",
              help="identity, credential, grant or trust.")  # fmt: skip
@click.option("--rationale", help="Why this scope; kept in the evidence.")
@click.option("--frequency-basis", help="The risk analysis that sets how often, in a sentence.")
@click.option("--risk-analysis", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", help="That analysis itself; kept in the evidence.")  # fmt: skip
@click.option("--expect", multiple=True, metavar="[FILTER=]COUNT",
              help="How many identities there must be, by another count.")  # fmt: skip
@click.option("--against", multiple=True, metavar="FILE",
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A second export, got by another way, to compare with.")  # fmt: skip
@click.option("--explain", metavar="WORDS", help="Why a difference to those is right.")
@click.option("--second", metavar="EMAIL[,EMAIL…]|none",
              help="Who must countersign; default: the settings.")  # fmt: skip
@click.option("--second-when", metavar="WHEN",
              help="Which approvals need that: privileged, all, risk:70.")  # fmt: skip
@click.option("--publish", is_flag=True, help="Let it travel to its reviewers at once.")
@passphrase_option
@json_option
@pass_bench
def open_command(
    bench: Bench, /, passphrase_fd: int | None, as_json: bool, second: str | None, publish: bool,
    **wanted: Any,
) -> None:  # fmt: skip
    """Freeze what will be judged, and sign that.

    With --second, an approval stands only once one of these persons has concurred with it; never
    the one who decided, never an owner.

    \b
    Example:
      muster campaign open November --scope kind:service --reviewer you@example.com \\
        --due 2026-12-31 --expect 'source:aws=418'
      muster campaign open December --reviewer owner --fallback you@example.com \\
        --due 2026-12-31 --second sec@example.com,ops@example.com --second-when privileged
    """
    from passmuster import campaigns

    bench.may_decide()
    bench.passphrase_fd = passphrase_fd
    bench.refresh()  # what is frozen must be what the rules say today
    key = bench.key()
    opened = campaigns.open_campaign(
        bench.db, campaigns.Definition(**wanted, second=_named(second)), key, bench.settings,
        now(), bar("Freezing"),
    )  # fmt: skip
    if publish:
        campaigns.publish(bench.db, campaigns.campaign(bench.db, opened.digest), key, now())
    if as_json:
        emit([{
            "name": opened.name, "digest": opened.digest, "population": opened.population,
            "excluded": opened.excluded, "unowned": opened.unowned, "due_at": opened.due_at,
            "reviewers": opened.reviewers, "needing_second": opened.needing_second,
        }], {}, as_json=True)  # fmt: skip
        return
    talk(
        f"{opened.name}: {plural(opened.population, 'item')} for "
        f"{plural(len(opened.reviewers), 'reviewer')}, {opened.unowned:,} unowned, "
        f"{opened.excluded:,} left out, due {opened.due_at[:10]}{_needing(opened)}. Next: muster"
    )
    for line in _unlisted(bench, campaigns.campaign(bench.db, opened.name)):
        talk(line)


def _named(second: str | None) -> tuple[str, ...] | None:
    return None if second is None else tuple(filter(None, map(str.strip, second.split(","))))


def _unlisted(bench: Bench, at: Any) -> list[str]:
    from passmuster import campaigns

    return [
        f"{who} is not on the roster with the role second: what they countersign is refused until"
        " a registrar lists them (muster roster add, muster roster sign)"
        for who in campaigns.unlisted(bench.db, at)
    ]


def _needing(opened: Any) -> str:
    if not opened.needing_second:
        return ""
    return f"; {plural(opened.needing_second, 'approval')} would need a second person"


@campaign_command.command("publish")
@click.argument("name", required=False)
@passphrase_option
@json_option
@pass_bench
def publish_command(
    bench: Bench, name: str | None, passphrase_fd: int | None, as_json: bool
) -> None:
    """Let a campaign travel: its reviewers get their items when they sync.

    Each gets their own items alone, and what proves that the population is whole. Publishing it
    again changes nothing.

    \b
    Example:
      muster campaign publish November
    """
    from passmuster import campaigns

    bench.may_decide()
    bench.passphrase_fd = passphrase_fd
    at = bench.campaign(name)
    made = campaigns.publish(bench.db, at, bench.key(), now())
    if as_json:
        emit([{"name": at.name, "digest": at.digest, "statement": made.statement,
               "items": made.items, "reviewers": made.reviewers, "chunks": made.chunks,
               "new": made.new}], {}, as_json=True)  # fmt: skip
        return
    if not made.new:
        talk(f"{at.name} is published already: nothing changed")
        return
    talk(f"{at.name}: {plural(made.items, 'item')} for {plural(made.reviewers, 'reviewer')} can "
         "travel. Next: muster sync")  # fmt: skip


@campaign_command.command("list")
@json_option
@pass_bench
def list_command(bench: Bench, as_json: bool) -> None:
    """Every campaign, newest first.

    \b
    Example:
      muster campaign list --json
    """
    from passmuster import campaigns

    rows = [status_row(bench, c) for c in campaigns.campaigns(bench.db)]
    columns = {k: k.upper() for k in ("name", "state", "items", "signed", "drafts", "open",
                                      "due_at")}  # fmt: skip
    if not emit(rows, columns, as_json=as_json) and not as_json:
        talk("no campaigns yet: muster campaign open")


def status_row(bench: Bench, at: Any) -> dict[str, Any]:
    """One campaign, as `list` and `status` show it."""
    from passmuster import campaigns

    p = campaigns.progress(bench.db, at.id)
    state = "closed" if at.closed_at else "overdue" if at.due_at < now() else "open"
    return {
        "name": at.name, "digest": at.digest, "state": state, "of": at.item_kind,
        "scope": at.scope, "items": p.total, "signed": p.signed, "drafts": p.drafts,
        "open": p.open, "unowned": p.unowned, "excluded": at.excluded, "due_at": at.due_at,
        "opened_at": at.opened_at, "opened_by": at.opened_by, "closed_at": at.closed_at,
        "travels": at.travels,
    }  # fmt: skip


@campaign_command.command("status")
@click.argument("name", required=False)
@json_option
@pass_bench
def status_command(bench: Bench, name: str | None, as_json: bool) -> None:
    """How far each reviewer is; an unanswered item is never approved.

    \b
    Example:
      muster campaign status November
    """
    from passmuster import campaigns

    at = bench.campaign(name)
    effects: dict[str, int] = {}
    for outcome in campaigns.each_outcome(bench.db, at):
        effects[outcome.effect] = effects.get(outcome.effect, 0) + 1
    reviewers = [
        {"reviewer": p.reviewer, "items": p.total, "signed": p.signed, "drafts": p.drafts,
         "open": p.open, "unowned": p.unowned}
        for p in campaigns.by_reviewer(bench.db, at.id)
    ]  # fmt: skip
    if as_json:
        row = status_row(bench, at) | {"outcomes": effects, "reviewers": reviewers}
        waits = campaigns.waiting(bench.db, at)
        row |= {
            "waiting_for_second": waits.rows,
            "waiting_on": waits.on,
            "nobody_may_countersign": campaigns.stranded(bench.db, at).items,
            "disputed": [disputed_row(d) for d in campaigns.disputed(bench.db, at)],
        }
        emit([row], {}, as_json=True)
        return
    row = status_row(bench, at)
    print(f"{row['name']}: {row['state']}, {row['signed']:,} of {row['items']:,} signed, "
          f"due {at.due_at[:10]}")  # fmt: skip
    emit(reviewers, {k: k.upper() for k in ("reviewer", "items", "signed", "drafts", "open",
                                            "unowned")})  # fmt: skip
    print("As it stands: " + ", ".join(f"{n:,} {e}" for e, n in sorted(effects.items())))
    waits, stranded = campaigns.waiting(bench.db, at), campaigns.stranded(bench.db, at)
    if waits.on:
        on = "; ".join(f"{who} may countersign {count:,}" for who, count in waits.on.items())
        print(visible(f"{plural(waits.rows, 'approval')} waiting for a second person: {on}"))
    for line in [*([stranded.words] if stranded.items else []), *_unlisted(bench, at)]:
        print(visible(line))
    for o in campaigns.objections(bench.db, at, MOST_OBJECTIONS):
        print(visible(f"{o.by} objects to {o.display_name} ({o.item}): “{o.reason}”; {o.decider} is"
                      " to decide it again"))  # fmt: skip

    for line in disputed_lines(campaigns.disputed(bench.db, at, MOST_OBJECTIONS)):
        print(line)


def disputed_row(one: "Disputed") -> dict[str, Any]:
    """A contested or stale item, as `status --json` has it."""
    return {
        "item": one.name, "display_name": one.display_name, "reviewer": one.reviewer,
        "kind": one.kind, "changed": list(one.parts), "by_second": one.by_second,
        "decisions": [r._asdict() for r in one.rows],
    }  # fmt: skip


def disputed_lines(found: "Sequence[Disputed]") -> list[str]:
    """What somebody has to look at again, and why."""
    lines = []
    for one in found:
        said = "; ".join(f"{row.principal} {row.verdict}: “{row.reason}”" for row in one.rows)
        again = "say it again: muster countersign" if one.by_second else "decide again"
        why = f"contested, neither had seen the other ({said}); {one.reviewer} is to {again}"
        if one.kind == "stale":
            why = f"stale: since it was approved its {', '.join(one.parts)} changed ({said})"
        lines.append(visible(f"{one.display_name} ({one.name}) is {why}"))
    return lines


@campaign_command.command("close")
@click.argument("name", required=False)
@click.option("--leave-drafts", is_flag=True, help="Close although decisions are not signed.")
@click.option("--leave-waiting", is_flag=True,
              help="Close although approvals wait for a second person.")  # fmt: skip
@passphrase_option
@json_option
@pass_bench
def close_command(
    bench: Bench, name: str | None, leave_drafts: bool, leave_waiting: bool,
    passphrase_fd: int | None, as_json: bool,
) -> None:  # fmt: skip
    """End a campaign and sign how it ended; nothing can be decided in it after.

    \b
    Example:
      muster campaign close November
    """
    from passmuster import campaigns

    bench.may_decide()
    bench.passphrase_fd = passphrase_fd
    at = bench.campaign(name)
    counts = campaigns.close(
        bench.db, at, bench.key(), now(), leave_drafts=leave_drafts, leave_waiting=leave_waiting
    )
    if as_json:
        emit([{"name": at.name, "digest": at.digest, "outcomes": counts}], {}, as_json=True)
        return
    ended = ", ".join(f"{n:,} {e}" for e, n in sorted(counts.items()))
    talk(f"{at.name} is closed: {ended}. Next: muster evidence {at.name!r} --out DIR")


@campaign_command.command("acknowledge")
@click.argument("name")
@click.option("--as", "capacity", required=True, metavar="TITLE", help="In which role you say so.")
@click.option("--statement", required=True, metavar="WORDS", help="What you acknowledge.")
@passphrase_option
@json_option
@pass_bench
def acknowledge_command(
    bench: Bench, name: str, capacity: str, statement: str, passphrase_fd: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Sign, as management, that you have seen how a closed review ended.

    \b
    Example:
      muster campaign acknowledge November --as "Head of IT" --statement "seen"
    """
    from passmuster import campaigns

    bench.may_decide()
    bench.passphrase_fd = passphrase_fd
    at = bench.campaign(name)
    digest = campaigns.acknowledge(bench.db, at, capacity, statement, bench.key(), now())
    if as_json:
        emit([{"name": at.name, "statement": digest}], {}, as_json=True)
        return
    talk(f"acknowledged: {at.name}, as {capacity}. It is in the evidence from now on: muster "
         f"evidence {at.name!r} --out DIR")  # fmt: skip
