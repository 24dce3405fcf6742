"""`muster roster admit`: whoever enrolled in the central log comes onto the roster, in one step."""

from typing import Any

import click

from passmuster.cli import roster_text
from passmuster.cli.common import Bench, now, pass_bench, passphrase_option, talk
from passmuster.cli.enroll import key_of, member
from passmuster.cli.sync import work_of
from passmuster.errors import UsageError


@click.command("admit")
@click.argument("principals", metavar="PRINCIPAL", nargs=-1)
@click.option("--all", "everybody", is_flag=True, help="Everybody who waits.")
@click.option("--role", "roles", multiple=True, metavar="ROLE",
              help="Instead of what their invitation proposes; repeat it for several.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask once more.")
@passphrase_option
@pass_bench
def admit_command(
    bench: Bench, principals: tuple[str, ...], everybody: bool, roles: tuple[str, ...], yes: bool,
    passphrase_fd: int | None,
) -> None:  # fmt: skip
    """List those who enrolled in the central log: draft, sign and log the next version.

    Compare the fingerprint of each with what they tell you by another way than the server. Where
    more than one registrar must sign, the draft is left for the others.

    \b
    Example:
      muster roster admit ana@example.com
      muster roster admit --all --role reviewer
    """
    bench.may_decide()
    bench.passphrase_fd = passphrase_fd
    _admit(bench, principals, everybody, roles, yes)


def _admit(
    bench: Bench, which: tuple[str, ...], everybody: bool, roles: tuple[str, ...], yes: bool
) -> None:
    from passmuster import roster, sync

    if bool(which) == everybody:
        raise UsageError("name whom to admit, or give --all")
    with member(bench) as caller:
        rows = [row for row in sync.waiting(caller) if everybody or row.principal in which]
        if missing := set(which) - {row.principal for row in rows}:
            raise UsageError(f"{min(missing)} does not wait: see `muster enroll pending`")
        if not rows:
            talk("Nobody waits.")
            return
        base = roster.base_of(bench.db)
        them = [(sync.asked(caller, row), _person(base, row, roles)) for row in rows]
        made = sync.list_them(bench.db, them, bench.me, now())
        for line in roster_text.changes(roster.current(bench.db), made.roster):
            talk(f"  {line}")
        talk("Compare each fingerprint with what they tell you by another way.")
        bench.confirm("Sign this roster?", yes=yes)
        made = roster.signed(bench.db, made, key_of(bench)())
        if lacking := roster.lacking(bench.db, made):
            roster.keep(bench.db, made)
            talk(f"Signed. {lacking}. Take it to them: muster roster export --out FILE")
            return
        sync.put_in_force(work_of(bench, caller), made)
    print(made.roster.name)
    talk(f"Roster version {made.roster.version} is in force, here and in the central log.")


def _person(base: Any, row: Any, roles: tuple[str, ...]) -> Any:
    """Somebody with the roles that were given, else what they have, else what was proposed."""
    from passmuster import roster

    there = base.person(row.principal)
    given = roster.given_roles(roles or (there.roles if there else row.roles))
    if not given and there is None:
        raise UsageError(f"{row.principal} is new: say what they may do with --role")
    return roster.Person(
        row.principal, there.kind if there else "person", given, there.person_uid if there else None
    )
