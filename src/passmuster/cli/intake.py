"""`muster intake [FILTER] | open | answer`: what came since the first export, and what it lacks."""

from datetime import datetime, timedelta
from typing import Any

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
from passmuster.cli.inventory import bar, need_inventory
from passmuster.text import plural

DAYS = 14
"""To answer in, unless --due says otherwise."""


class Intake(click.Group):
    """A group whose other words are a filter."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """`muster intake kind:service` lists; `list` may be left out."""
        if args and self.get_command(ctx, args[0]) is None:
            args = ["list", *args]
        return super().resolve_command(ctx, args)


@click.group("intake", cls=Intake, invoke_without_command=True)
@json_option
@click.pass_context
def intake_command(ctx: click.Context, as_json: bool) -> None:
    """New identities that lack a purpose, an owner or an approval.

    New is what came with a later export than the first of its source; it waits here until it has
    all three, or is decided against, whatever is imported meanwhile.

    \b
    Examples:
      muster intake
      muster intake list kind:service source:aws --json
      muster intake open --fallback you@example.com
      muster intake answer ci-deploy-7 --purpose "deploys the shop" --owner platform --approve
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command, filter_words=(), as_json=as_json)


@intake_command.command("list")
@click.argument("filter_words", nargs=-1, metavar="[FILTER]")
@json_option
@pass_bench
def list_command(bench: Bench, filter_words: tuple[str, ...], as_json: bool) -> None:
    """What waits, the newest first.

    \b
    Example:
      muster intake list kind:service
    """
    from passmuster import campaigns

    need_inventory(bench)
    bench.refresh()
    found = list(campaigns.arrivals(bench.db, " ".join(filter_words), now()))
    rows = [{
        "name": one.name, "kind": one.kind, "source": one.source, "uid": one.uid,
        "created_by": one.created_by, "first_seen": one.first_seen, "risk": one.risk,
        "lacks": list(one.lacks) if as_json else ", ".join(one.lacks), "purpose": one.purpose,
        "owner": one.owner, "campaign": one.campaign, "item": one.item,
        "reviewer": one.reviewer,
    } for one in found]  # fmt: skip
    columns = {"risk": "RISK", "name": "IDENTITY", "kind": "KIND", "source": "SOURCE",
               "created_by": "MADE BY", "lacks": "LACKS", "campaign": "ASKED IN"}  # fmt: skip
    emit(rows, columns, as_json=as_json)
    if as_json:
        return
    unasked = sum(one.campaign is None and "approval" in one.lacks for one in found)
    if not found:
        talk("nothing waits: all that came since the first export of its source is answered for")
    elif unasked:
        talk(f"{plural(unasked, 'identity')} in no review: muster intake open")
    else:
        talk("answer with muster intake answer IDENTITY --purpose … --owner … --approve")


@intake_command.command("open")
@click.argument("filter_words", nargs=-1, metavar="[FILTER]")
@click.option("--name", metavar="NAME", help="Default: `intake` and today.")
@click.option("--reviewer", default="owner", metavar="EMAIL|owner", help="Who decides.")
@click.option("--fallback", metavar="EMAIL", help="Who decides what has no owner; default: you.")
@click.option("--due", metavar="DATE", help=f"The last day, in UTC; default: in {DAYS} days.")
@passphrase_option
@json_option
@pass_bench
def open_command(
    bench: Bench, filter_words: tuple[str, ...], name: str | None, reviewer: str,
    fallback: str | None, due: str | None, passphrase_fd: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Open a review of kind intake over exactly what is new and in no review yet.

    \b
    Example:
      muster intake open --fallback you@example.com --due 2026-12-31
    """
    from passmuster import campaigns

    bench.may_decide()
    need_inventory(bench)
    bench.passphrase_fd = passphrase_fd
    bench.refresh()
    at = now()
    scope = " ".join((campaigns.INTAKE_SCOPE, *filter_words))
    campaigns.refuse_empty(bench.db, scope, at)
    wanted = campaigns.Definition(
        name or _name(bench, at), due or str((datetime.fromisoformat(at)
                                              + timedelta(days=DAYS)).date()),
        reviewer, fallback or bench.me, scope, kind="intake",
        rationale="what came since the first export of its source and was never approved",
    )  # fmt: skip
    opened = campaigns.open_campaign(
        bench.db, wanted, bench.key(), bench.settings, at, bar("Freezing")
    )
    if as_json:
        emit([{
            "name": opened.name, "digest": opened.digest, "population": opened.population,
            "unowned": opened.unowned, "due_at": opened.due_at, "reviewers": opened.reviewers,
        }], {}, as_json=True)  # fmt: skip
        return
    talk(f"{opened.name}: {plural(opened.population, 'new identity')} for "
         f"{plural(len(opened.reviewers), 'reviewer')}, due {opened.due_at[:10]}. Next: "
         "muster intake answer IDENTITY --purpose … --owner … --approve, or muster")  # fmt: skip


def _name(bench: Bench, at: str) -> str:
    """`intake 2026-11-27`, and a number where that is taken."""
    from passmuster import campaigns

    taken = {one.name for one in campaigns.campaigns(bench.db)}
    first = f"intake {at[:10]}"
    return next(n for n in (first, *(f"{first} {i}" for i in range(2, 10_000))) if n not in taken)


@intake_command.command("answer")
@click.argument("handle", metavar="IDENTITY")
@click.option("--purpose", metavar="WORDS", help="What it is for; kept with your name and the day.")
@click.option("--owner", metavar="WHO", help="Who answers for it: an e-mail, an alias or a team.")
@click.option("--approve", is_flag=True, help="Draft that it may stay.")
@click.option("--reason", default="", help="Why it may.")
@json_option
@pass_bench
def answer_command(
    bench: Bench, handle: str, purpose: str | None, owner: str | None, approve: bool, reason: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Say what it is for, who answers for it, and that it may stay.

    The purpose is kept at once; owner and approval are drafts until `muster sign-off`.

    \b
    Example:
      muster intake answer ci-deploy-7 --purpose "deploys the shop" --owner platform --approve
    """
    from passmuster import campaigns, inventory

    bench.may_decide()
    need_inventory(bench)
    done: Any = campaigns.answer(
        bench.db, inventory.only(bench.db, _identity(bench, handle)).identity_id, bench.me, now(),
        purpose=purpose, owner=owner, approve=approve, reason=reason,
    )  # fmt: skip
    if as_json:
        emit([{"identity": handle, "done": done}], {}, as_json=True)
        return
    talk(f"{handle}: {', '.join(done)}")
    if owner is not None or approve:
        talk("Nothing is signed yet: muster sign-off")


def _identity(bench: Bench, handle: str) -> str:
    """The uri of the identity where *handle* is the short name of an item, else as it is."""
    found = bench.db.value(
        "SELECT n.uri FROM item n JOIN campaign c ON c.id = n.campaign_id WHERE n.name = ?"
        " AND c.closed_at IS NULL AND c.item_kind = 'identity'",
        (handle.lower(),),
    )
    return handle if found is None else str(found)
