"""What commands that change something on a platform share: whom, whether, and the run itself."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from passmuster.cli.common import Bench, now, talk
from passmuster.errors import Conflict, UsageError

if TYPE_CHECKING:
    from passmuster.connectors import Live
    from passmuster.remediation import Remedy

MAX_SECRET = 16_384
Step = Callable[["Remedy", "Live"], "Remedy"]


def read_secret(bench: Bench) -> str:
    """A secret to be tried: from stdin, or typed where that is a terminal; kept by nobody."""
    if not bench.no_input:
        found = str(click.prompt("The secret that is to be refused", hide_input=True, err=True))
    elif sys.stdin.isatty():
        raise UsageError("--secret-stdin: nobody can be asked here: give it on stdin")
    else:
        found = sys.stdin.buffer.read(MAX_SECRET + 1).decode("utf-8", "replace")
    found = found.strip()
    if not found:
        raise UsageError("--secret-stdin: there is nothing on stdin")
    if len(found) > MAX_SECRET:
        raise UsageError(f"--secret-stdin: more than {MAX_SECRET:,} characters are no secret")
    return found


def named(bench: Bench, ids: Sequence[str]) -> "list[Remedy]":
    """The remediations of these ids, each once."""
    from passmuster import remediation

    return [remediation.remedy(bench.db, word) for word in dict.fromkeys(ids)]


def to_apply(bench: Bench, ids: Sequence[str], destroy: bool) -> "list[Remedy]":
    """What is to be applied; what is not asked for any more is told and left out."""
    from passmuster import remediation

    bench.may_decide()
    chosen = named(bench, ids) or [
        one for one in remediation.remedies(bench.db)
        if one.undo_class != "R3" and one.plan is not None and one.verb not in remediation.TASKS
        and _is_due(bench, one)
    ]  # fmt: skip
    for one in chosen:
        if one.plan is None:
            raise UsageError(f"{one.name}: was planned in another workspace, and only what came of "
                             "it is known here: muster remediate plan")  # fmt: skip
        if one.verb in remediation.TASKS:
            raise UsageError(f"{one.name}: {one.what} is a task for people: the import that shows "
                             "it done closes it")  # fmt: skip
        if one.undo_class == "R3" and not destroy:
            raise UsageError(f"{one.name}: {one.what} cannot be undone: it needs --destroy")
    dropped = remediation.unasked(bench.db, chosen, now())
    for one in chosen:
        if one.name in dropped:
            talk(
                f"left out: {one.name} {one.what}: it was decided otherwise since,"
                " or stopped in an emergency"
            )
    found = [one for one in chosen if one.name not in dropped]
    if ids and not found:
        raise UsageError("nothing to apply: muster remediate status tells how these stand")
    return found


def nothing_due(bench: Bench) -> str:
    """Why a run without names has nothing to do: that is success, for it may run every night."""
    from passmuster import remediation

    back = [one.name for one in remediation.remedies(bench.db) if one.state == "reverted"]
    more = f"; what was put back is stopped again only by its id: {', '.join(back[:5])}"
    return f"nothing to apply{more if back else ': muster remediate plan makes new plans'}"


def _is_due(bench: Bench, one: "Remedy") -> bool:
    """Whether a run without names takes it: what nobody can do here, once, to sign that."""
    from passmuster import remediation

    if one.state == "not_supported":
        return not remediation.results(bench.db, one.name)
    due = ("planned", "apply_failed", "object_gone")
    return one.state in due or remediation.is_alive(bench.db, one)


def hold(
    bench: Bench, run: "list[Remedy]", accept_changed: bool, all_of_them: int | None, yes: bool
) -> None:
    """Show what is about to happen; stop here unless everything that has to be said is said."""
    from passmuster import remediation

    for one in run:
        talk(f"  {one.name}  {one.what}  ({one.undo_class or 'by hand'})")
    for name, parts in (stale := remediation.stale(bench.db, run)).items():
        talk(f"  {name}: its evidence changed since it was decided: {', '.join(parts)}")
    if stale:
        bench.confirm("Stop them all the same?", yes=accept_changed, flag="--accept-changed")
    tripped = remediation.breaker(bench.db, run, bench.settings, now())
    if tripped is None:
        bench.confirm("Stop these now?", yes=yes)
        return
    why, count = "; ".join(tripped.why), tripped.identities
    if all_of_them is None and not bench.no_input:
        talk(f"Held up: {why}")
        all_of_them = click.prompt("How many identities are stopped", type=int, err=True)
    if all_of_them != count:
        raise Conflict(f"held up: {why}; nothing is done without --all-of-them {count}")


def confirm_destroy(bench: Bench, one: "Remedy", confirmed: Sequence[str]) -> None:
    """Refuse, or ask a second time, before a secret is destroyed."""
    from passmuster import remediation

    remediation.refuse_early(bench.db, one, bench.settings, now())
    if one.name in confirmed:
        return
    if bench.no_input:
        raise UsageError(f"{one.what} cannot be undone: --yes-destroy {one.name} says that you "
                         "mean it")  # fmt: skip
    said = click.prompt(f"{one.what} cannot be undone. Type {one.name} to do it", err=True)
    if said.strip() != one.name:
        raise UsageError("called off: nothing was done")


def carry_out(
    bench: Bench, run: "list[Remedy]", step: Step, passphrase_fd: int | None
) -> "list[Remedy]":
    """Do *step* for each, and sign what came of it, however the run ends."""
    from passmuster import connectors, logins, remediation

    bench.may_decide()
    if not run:
        raise UsageError("nothing to do: muster remediate status")
    bench.passphrase_fd = passphrase_fd

    def connect(source: str) -> "Live":
        return connectors.connect(logins.where(bench.settings, source))

    return remediation.carry_out(
        bench.db, run, bench.key(), now, connect, step,
        lambda one: talk(f"  {one.name}  {one.state.replace('_', ' ')}: {one.said}"),
    )  # fmt: skip


def asked(
    bench: Bench, one: "Remedy", live: "Live", *, wait: bool = True, secret: str | None = None
) -> "Remedy":
    """Ask the platform; with *wait* as long as it may take by the plan, since it was sent."""
    from passmuster import remediation

    left = remediation.left_s(one, now()) if wait else 0.0
    return remediation.verify(bench.db, one, live, now, wait_s=left, secret=secret)
