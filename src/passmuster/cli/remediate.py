"""`muster remediate`: carry decisions out, see them refused, put them back; all of it signed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from passmuster.cli.common import Bench, emit, json_option, now, pass_bench, passphrase_option, talk
from passmuster.cli.remedy_run import (
    asked,
    carry_out,
    confirm_destroy,
    hold,
    named,
    nothing_due,
    read_secret,
    to_apply,
)
from passmuster.cli.remedy_text import (
    PLANNED,
    STANDING,
    plan_lines,
    plan_row,
    result_row,
    standing_row,
)
from passmuster.errors import MusterError, UsageError
from passmuster.text import plural

if TYPE_CHECKING:
    from passmuster.connectors import Live
    from passmuster.remediation import Remedy

ids_argument = click.argument("ids", nargs=-1, metavar="[ID]...")
yes_option = click.option("--yes", is_flag=True, help="Do not ask once more.")


@click.group("remediate")
def remediate_command() -> None:
    """Carry signed decisions out on the platforms, and prove it.

    \b
    Examples:
      muster remediate plan
      muster remediate apply --yes
      muster remediate verify --wait
      muster remediate status
    """


@remediate_command.command("plan")
@click.option("--destroy", is_flag=True, help="Plan the end of secrets that are stopped already.")
@json_option
@pass_bench
def plan_command(bench: Bench, destroy: bool, as_json: bool) -> None:
    """Plan what the decisions ask for and is not done; nothing is sent anywhere.

    What can be undone is planned first. Each plan has the vendor's own lines, their undo, how long
    the platform may go on accepting it, and what goes on working nevertheless.

    \b
    Example:
      muster remediate plan --json | jq -r '.[] | .stop[]'
    """
    from passmuster import remediation

    bench.may_decide()
    found = remediation.plan(bench.db, now(), destroy=destroy)
    if as_json:
        emit([plan_row(one) for one in found], {}, as_json=True)
        return
    emit((plan_row(one) for one in found), PLANNED)
    for one in found:
        for line in plan_lines(one):
            talk(line)
    talk("Nothing is sent yet. Next: muster remediate apply" if found
         else "nothing to plan: no signed decision asks for a stop that is not done")  # fmt: skip


@remediate_command.command("apply")
@ids_argument
@click.option("--verify", "also_verify", is_flag=True, help="Then ask the platform, and wait.")
@click.option(
    "--accept-changed",
    is_flag=True,
    help="Stop it although its evidence changed since it was decided.",
)
@click.option(
    "--all-of-them",
    type=int,
    metavar="N",
    help="Go on where the circuit breaker holds: N identities are stopped.",
)
@click.option("--destroy", is_flag=True, help="Also what cannot be undone, where it is named.")
@click.option(
    "--yes-destroy",
    "confirmed",
    multiple=True,
    metavar="ID",
    help="The second confirmation of --destroy, without being asked.",
)
@yes_option
@passphrase_option
@json_option
@pass_bench
def apply_command(
    bench: Bench,
    ids: tuple[str, ...],
    also_verify: bool,
    accept_changed: bool,
    all_of_them: int | None,
    destroy: bool,
    confirmed: tuple[str, ...],
    yes: bool,
    passphrase_fd: int | None,
    as_json: bool,
) -> None:
    """Stop what is planned: read, compare, save, write, read again.

    Nothing is sent where somebody changed the thing since. Running it again does nothing twice.

    \b
    Examples:
      muster remediate apply --yes --verify
      muster remediate apply k3p7q2ab --accept-changed
    """
    from passmuster import remediation

    run = to_apply(bench, ids, destroy)
    if not run:
        talk(nothing_due(bench))
        _tell(run, as_json)
        return
    meant = yes or all(one.name in confirmed for one in run)
    hold(bench, run, accept_changed, all_of_them, meant)
    for one in run:
        if one.undo_class == "R3":
            confirm_destroy(bench, one, confirmed)

    def step(one: "Remedy", live: "Live") -> "Remedy":
        done = remediation.apply(bench.db, one, live, now, destroy=destroy)
        return asked(bench, done, live) if also_verify and done.state == "applied" else done

    found = carry_out(bench, run, step, passphrase_fd)
    _tell(found, as_json)
    failed = [one for one in found if one.state not in remediation.STOPPED]
    if failed:
        raise MusterError(f"{len(failed)} of {plural(len(found), 'remediation')} not applied: "
                          "run it again after what is said above")  # fmt: skip
    if any(one.state == "applied" for one in found):
        talk("Applied is not refused yet. Next: muster remediate verify --wait")


@remediate_command.command("verify")
@ids_argument
@click.option("--wait", is_flag=True, help="Ask until it is refused, as long as it may take.")
@click.option(
    "--secret-stdin",
    is_flag=True,
    help="Read the stopped secret from stdin, try it, keep it nowhere.",
)
@passphrase_option
@json_option
@pass_bench
def verify_command(
    bench: Bench, ids: tuple[str, ...], wait: bool, secret_stdin: bool, passphrase_fd: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Ask the platform whether it refuses what was stopped; exit code 1 where it does not.

    Told apart: refused, flag read back (nobody tried it), still works, unknown.

    \b
    Examples:
      muster remediate verify --wait
      muster remediate verify k3p7q2ab --secret-stdin < token
    """
    from passmuster import remediation

    chosen = named(bench, ids) or [
        one for one in remediation.remedies(bench.db)
        if one.state == "applied" and one.act is not None
    ]  # fmt: skip
    if secret_stdin and len(chosen) != 1:
        raise UsageError("--secret-stdin tries one secret: name one remediation")
    if not chosen:
        talk("nothing to ask for: nothing is applied that is not verified")
        _tell(chosen, as_json)
        return
    secret = read_secret(bench) if secret_stdin else None
    found = carry_out(
        bench, chosen, lambda one, live: asked(bench, one, live, wait=wait, secret=secret),
        passphrase_fd,
    )  # fmt: skip
    _tell(found, as_json)
    if left := [one for one in found if one.verdict not in ("refused", "flag")]:
        raise MusterError(f"{len(left)} of {plural(len(found), 'remediation')} not refused yet")


@remediate_command.command("restore")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@yes_option
@passphrase_option
@json_option
@pass_bench
def restore_command(
    bench: Bench, ids: tuple[str, ...], yes: bool, passphrase_fd: int | None, as_json: bool
) -> None:
    """Put back exactly what was there before; that it was put back is signed too.

    \b
    Example:
      muster remediate restore k3p7q2ab
    """
    from passmuster import remediation

    chosen = named(bench, ids)
    for one in chosen:
        talk(f"  put back: {one.what} ({one.name}, {one.state})")
    bench.confirm("Let these in again?", yes=yes)
    found = carry_out(
        bench, chosen, lambda one, live: remediation.restore(bench.db, one, live, now),
        passphrase_fd,
    )  # fmt: skip
    _tell(found, as_json)
    if left := [one for one in found if one.state != "reverted"]:
        raise MusterError(f"{len(left)} of {plural(len(found), 'remediation')} not put back")


@remediate_command.command("script")
@ids_argument
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file to write.")
@passphrase_option
@json_option
@pass_bench
def script_command(
    bench: Bench, ids: tuple[str, ...], out: Path, passphrase_fd: int | None, as_json: bool
) -> None:
    """Write the vendor's lines as a shell script, for somebody who is connected where you are not.

    PowerShell's lines go into a script of their own beside it, that ends in .ps1. The digest of
    each is signed; that it was run is proved by the next import.

    \b
    Example:
      muster remediate script --out stop.sh
    """
    from passmuster import remediation

    bench.may_decide()
    bench.passphrase_fd = passphrase_fd
    wanted = named(bench, ids) or list(remediation.remedies(bench.db))
    made = {_named_for(out, one.shell): one for one in remediation.scripts(wanted, now())}
    if not made:
        raise UsageError("nothing that a script can carry: muster remediate plan")
    key = bench.key()
    remediation.may_sign(bench.db, key, now())
    for path in made:
        if path.exists():
            raise UsageError(f"{path} is there already: name a new file")
    found = []
    for path, one in made.items():
        path.touch(mode=0o700)
        path.write_bytes(one.data)
        found += remediation.keep(bench.db, one, now())
    remediation.sign(bench.db, key, now())
    _tell(found, as_json)
    for path, one in made.items():
        talk(f"{path}: {plural(len(one.remedies), 'stop')}, sha256 {one.sha256}")
    talk("After it was run, import the sources anew: muster remediate status tells")


def _named_for(out: Path, shell: str) -> Path:
    """*out* for a POSIX shell; for PowerShell the same name with its own ending."""
    if shell == "powershell":
        return out.with_suffix(".ps1")
    if out.suffix.lower() == ".ps1":
        raise UsageError(f"{out}: some lines are for a POSIX shell: name a file that ends in .sh; "
                         "PowerShell's lines go beside it")  # fmt: skip
    return out


@remediate_command.command("status")
@click.option("--open", "only_open", is_flag=True, help="Only where somebody has to do something.")
@json_option
@pass_bench
def status_command(bench: Bench, only_open: bool, as_json: bool) -> None:
    """Where each remediation stands, with what the imports since say of it.

    \b
    Example:
      muster remediate status --open
    """
    from passmuster import remediation

    rows = [
        standing_row(one) for one in remediation.status(bench.db, now())
        if one.is_open or not only_open
    ]  # fmt: skip
    if not emit(rows, STANDING, as_json=as_json) and not as_json:
        talk("nothing here: muster remediate plan")
    if waits := remediation.unsigned(bench.db):
        talk(f"{plural(waits, 'result')} not signed yet: the next run signs them")


def _tell(found: "list[Remedy]", as_json: bool) -> None:
    rows: list[dict[str, Any]] = [result_row(one) for one in found]
    emit(rows, {"id": "ID", "state": "STATE", "verdict": "VERDICT", "what": "WHAT"},
         as_json=as_json)  # fmt: skip
