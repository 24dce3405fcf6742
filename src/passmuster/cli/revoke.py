"""`muster revoke`: something leaked, stop it now, and have the evidence signed before coffee.

Read, asked once, signed, stopped by what can be undone, asked of the platform again, signed again.
Nothing of it needs the central API; without a network the decision is signed all the same, and the
vendor's lines are on the screen for whoever has one.
"""

import sys
import textwrap
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
    width,
)
from passmuster.cli.inventory import need_inventory
from passmuster.cli.remedy_run import read_secret
from passmuster.errors import ConditionMet, MusterError, NotFound, UsageError
from passmuster.text import plural, visible

if TYPE_CHECKING:
    from passmuster.campaigns import Unreviewed
    from passmuster.inventory import Match
    from passmuster.remediation import Fact, Offer, Result
    from passmuster.text import Json

WIDE = 100_000
"""What reads a pipe gets one line for each fact."""


@click.command("revoke")
@click.argument("handle", required=False)
@click.option("--reason", metavar="TEXT", help="Why; it is signed. No secret.")
@click.option("--ticket", metavar="ID", help="The incident that it belongs to.")
@click.option("--for", "span", metavar="4h", help="When it is due to be given back (30m, 4h, 2d).")
@click.option("--yes", is_flag=True, help="Do not ask once more.")
@click.option("--dry-run", is_flag=True, help="Show what would stop, and stop nothing.")
@click.option("--secret-stdin", is_flag=True, help="Read the leaked secret and try it; not kept.")
@click.option("--wait", "wait_s", type=click.FloatRange(0, 3600), metavar="SECONDS",
              help="How long to ask whether it is refused.")  # fmt: skip
@click.option("--pending", is_flag=True, help="List emergency stops that nobody has reviewed.")
@passphrase_option
@json_option
@pass_bench
def revoke_command(
    bench: Bench, handle: str | None, reason: str | None, ticket: str | None, span: str | None,
    yes: bool, dry_run: bool, secret_stdin: bool, wait_s: float | None, pending: bool,
    passphrase_fd: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Stop an identity or a credential now, found by any handle, and see it refused.

    Only what can be undone is done. The decision is signed before anything is stopped, and is
    reviewed afterwards. Ends with 0 only when the platform refuses it or says that it is off; with
    3 when it was stopped and is not seen to be refused, with 1 when it was not stopped.

    \b
    Examples:
      muster revoke AKIAIOSFODNN7EXAMPLE --reason 'seen in a public gist' --ticket INC-7
      muster revoke ci@example.com --reason 'strange logins' --for 4h
      muster revoke --pending
    """
    if pending:
        _pending(bench, as_json)
        return
    from passmuster import campaigns

    need_inventory(bench)
    bench.passphrase_fd = passphrase_fd
    secret = read_secret(bench) if secret_stdin else None
    due = None if span is None else campaigns.restore_due(span, now())
    match = _meant(bench, handle, secret)
    dossier, offered = _shown(bench, match)
    if dry_run:
        _tell_lines(offered)
        for line in offered.plan.undo if offered.plan else ():
            talk(f"    undo: {line}")
        if as_json:
            _emit_dry(dossier, offered)
        return
    result, took_s = _stop(bench, dossier, offered, reason, ticket, due, secret, wait_s, yes)
    if as_json:
        _emit_result(result, took_s)
    _end(bench, result, offered, took_s)


# --- what is meant


def _meant(bench: Bench, handle: str | None, secret: str | None) -> "Match":
    from passmuster import inventory

    if handle is None and secret is None:
        raise UsageError("name what is to stop: a key id, an ARN, a fingerprint, an e-mail, a DN")
    if handle is not None and inventory.is_secret(handle):
        talk("What was pasted looks like the secret itself. It is not kept here, but it is in your "
             "shell's history now: clear that, and next time use --secret-stdin.")  # fmt: skip
    if handle is None:
        found = inventory.secret_matches(bench.db, secret or "")
        if not found:
            raise NotFound("no source lists a digest or an end of that secret: name its key id")
        if len(found) > 1 and bench.no_input:
            raise NotFound("the secret may be of several: " + "; ".join(m.words for m in found))
    else:
        found = inventory.matches(bench.db, handle)
        if len(found) == 1 or not found or bench.no_input:
            return inventory.only(bench.db, handle)
    return found[0] if len(found) == 1 else _choose(found)


def _choose(found: "list[Match]") -> "Match":
    for number, match in enumerate(found, 1):
        talk(f"  {number}  {match.words}")
    chosen: int = click.prompt("Which", type=click.IntRange(1, len(found)), err=True)
    return found[chosen - 1]


# --- what it comes to


def _shown(bench: Bench, match: "Match") -> "tuple[Json, Offer]":
    from passmuster import campaigns, remediation

    dossier = campaigns.shown(bench.db, match.identity_id, match.credential)
    offered = remediation.offer(dossier)
    talk(f"{remediation.subject(dossier)}  (found by its {match.why})")
    for fact in remediation.blast(bench.db, dossier, offered, now()):
        for line in fact_lines(fact, width() if sys.stderr.isatty() else WIDE):
            talk(line)
    return dossier, offered


def fact_lines(fact: "Fact", columns: int) -> list[str]:
    """A fact in *columns* cells, its words below each other; no word is cut."""
    words = fact.words + ("  ◀" if fact.grave else "")
    folded = textwrap.wrap(words, max(20, columns - 12), break_long_words=False,
                           break_on_hyphens=False, replace_whitespace=False) or [""]  # fmt: skip
    return [f"  {fact.label if not n else '':<10}{line}" for n, line in enumerate(folded)]


def _tell_lines(offered: "Offer") -> None:
    for line in offered.plan.stop if offered.plan else ():
        talk(f"    {line}")


def _stop(
    bench: Bench, dossier: "Json", offered: "Offer", reason: str | None, ticket: str | None,
    due: str | None, secret: str | None, wait_s: float | None, yes: bool,
) -> "tuple[Result, float]":  # fmt: skip
    import time

    from passmuster import campaigns, logins, remediation

    bench.may_decide()
    shown_at, held = now(), remediation.before(bench.db, dossier["uri"])
    if held is None:
        reason = _why(bench, reason)
        campaigns.check_emergency(bench.db, reason, ticket, bench.me)
    else:
        talk(f"  decided   {held.decided_at} by {held.principal}, “{held.reason}”: it is gone on"
             " with, and not decided a second time")  # fmt: skip
        if reason or ticket or due:
            talk("  signed    the --reason, --ticket and --for given now are not noted: what was"
                 " signed stays as it is")  # fmt: skip
        due = held.restore_due
    _confirm(bench, offered, due, yes=yes)
    key = bench.key()
    begun = time.monotonic()
    desk = remediation.Desk(
        key, now, lambda source: logins.where(bench.settings, source),
        lambda _step, words: talk(f"  {time.monotonic() - begun:5.1f} s  {words}"), wait_s, secret,
    )  # fmt: skip
    if held is not None:
        return remediation.go_on(bench.db, held, desk), time.monotonic() - begun
    urgent = campaigns.Emergency(
        dossier, offered.verdict, reason or "", ticket, bench.me, shown_at, shown_at, due
    )
    return remediation.stop_now(bench.db, urgent, desk), time.monotonic() - begun


def _why(bench: Bench, reason: str | None) -> str:
    """The reason; asked for where somebody can be asked, for at night nobody types it all again."""
    if reason or bench.no_input:
        return reason or ""
    return str(click.prompt("Why? It is signed; no secret", err=True))


def _confirm(bench: Bench, offered: "Offer", due: str | None, *, yes: bool) -> None:
    if due is not None:
        talk(f"  due       to be given back {due}: it is listed then; nothing is undone by itself")
    what = offered.plan.what if offered.plan else "nothing here: sign the decision alone"
    bench.confirm(f"Stop it now ({visible(what)})?", yes=yes)


# --- how it came out


def _end(bench: Bench, result: "Result", offered: "Offer", took_s: float) -> None:
    """Say how it came out; raises what the exit code is to be when it is not refused."""
    remedy, name = result.remedy, result.remedy.name
    if remedy.state not in ("applied", "verified", "object_gone"):
        talk("  The decision is signed. Until muster can do it, run:")
        _tell_lines(offered)
    if result.unsigned:
        talk(f"  the result waits for its signature: {result.unsigned}")
    if remedy.state in ("applied", "verified"):
        talk(f"  undo      muster remediate restore {name}")
    talk("  review    it waits for somebody's review: muster revoke --pending")
    if bench.db.value("SELECT 1 FROM central"):
        talk("  sent      with the next muster sync")
    said = f"{remedy.what}: {remedy.said}"
    if result.is_proved:
        talk(f"Refused after {took_s:.1f} s." if remedy.verdict == "refused"
             else f"Off, says the platform; not tried ({took_s:.1f} s).")  # fmt: skip
        return
    if remedy.state in ("applied", "verified", "object_gone"):
        raise ConditionMet(f"not seen to be refused: {said}; ask again with the same command")
    raise MusterError(f"not stopped: {said}")


def _emit_result(result: "Result", took_s: float) -> None:
    one, remedy = result.emergency, result.remedy
    plan = remedy.plan or {}
    emit([{
        "uri": one.uri, "name": one.name, "source": remedy.source, "decision": one.statement,
        "verdict": one.verdict, "reason": one.reason, "ticket": one.ticket,
        "decided_at": one.decided_at, "by": one.principal, "restore_due": one.restore_due,
        "remediation": remedy.name, "what": remedy.what, "state": remedy.state,
        "answer": remedy.verdict, "said": remedy.said, "undo_class": remedy.undo_class,
        "stop": plan.get("stop", []), "undo": plan.get("undo", []),
        "residual": plan.get("residual", ""), "results": list(result.statements),
        "seconds": round(took_s, 3),
    }], {}, as_json=True)  # fmt: skip


def _emit_dry(dossier: "Json", offered: "Offer") -> None:
    plan = offered.plan
    emit([{
        "uri": dossier["uri"], "verdict": offered.verdict, "what": plan.what if plan else None,
        "undo_class": plan.undo_class if plan else None, "stop": plan.stop if plan else [],
        "undo": plan.undo if plan else [], "residual": plan.residual if plan else "",
    }], {}, as_json=True)  # fmt: skip


# --- what waits


def _pending(bench: Bench, as_json: bool) -> None:
    from passmuster import campaigns

    moment = now()
    waiting = campaigns.unreviewed(bench.db)
    rows = [_row(bench, one, moment) for one in waiting]
    columns = {"decided_at": "STOPPED", "name": "WHAT", "source": "SOURCE", "state": "STATE",
               "by": "BY", "reason": "REASON", "due": "DUE"}  # fmt: skip
    if rows or as_json:
        emit(rows, columns, as_json=as_json)
    if not as_json:
        talk(f"{plural(len(rows), 'emergency stop')} to be reviewed: a campaign with the scope "
             "finding:emergency-unreviewed has them" if rows
             else "No emergency stop waits for its review.")  # fmt: skip


def _row(bench: Bench, one: "Unreviewed", moment: str) -> dict[str, Any]:
    from passmuster import remediation

    name = remediation.wanted_by(bench.db, one).name()
    state = bench.db.value("SELECT state FROM remediation WHERE name = ?", (name,))
    due = "" if one.restore_due is None else one.restore_due
    if one.is_due(moment) and state != "reverted":
        due = f"due to be restored: muster remediate restore {name}"
    return {
        "decided_at": one.decided_at, "name": one.name, "source": one.source, "uri": one.uri,
        "verdict": one.verdict, "state": state or "planned", "by": one.principal,
        "reason": one.reason, "ticket": one.ticket, "restore_due": one.restore_due, "due": due,
        "decision": one.statement, "remediation": name,
    }  # fmt: skip
