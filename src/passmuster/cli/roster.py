"""`muster roster`: who may sign, and who says so."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from passmuster.cli import roster_text
from passmuster.cli.admit import admit_command
from passmuster.cli.common import Bench, emit, json_option, now, pass_bench, passphrase_option, talk
from passmuster.errors import KeyUnavailable, NotFound, UsageError

if TYPE_CHECKING:
    from passmuster import roster

role_option = click.option(
    "--role", "roles", multiple=True, metavar="ROLE",
    help="reviewer, second, oncall, owner, registrar, auditor; repeat it for several.",
)  # fmt: skip
uid_option = click.option(
    "--person-uid", metavar="ID", help="Of the human being, as the register of people has it."
)
kind_option = click.option("--kind", metavar="KIND", help="person or robot.")


@click.group("roster")
def roster_command() -> None:
    """Who may sign what, with which key, and when; signed by the registrars.

    A change makes a draft; it is in force once enough registrars have signed it.

    \b
    Example:
      muster roster init
      muster roster sign
      muster roster show
    """


roster_command.add_command(admit_command)


@roster_command.command("init")
@role_option
@uid_option
@pass_bench
def init_command(bench: Bench, roles: tuple[str, ...], person_uid: str | None) -> None:
    """Draft the first roster, with me and my newest key as its registrar.

    Without --role I am reviewer and owner (of campaigns) as well.

    \b
    Example:
      muster roster init --role registrar --role owner
    """
    import secrets

    from passmuster import keys, roster

    bench.may_decide()
    own = keys.signs_for(bench.db, bench.me)
    if own is None:
        raise KeyUnavailable(f"no key of {bench.me}: make one with `muster key new`")
    if roster.draft(bench.db) is not None:
        raise UsageError("there is a draft already: `muster roster drop` throws it away")
    given = roster.given_roles(("registrar", *(roles or ("reviewer", "owner"))))
    at = now()
    public = " ".join(own["public"].split()[:2])
    me = roster.Person(own["principal"], "person", given, person_uid)
    made = roster.first(
        bench.db, me, roster.Line(me.principal, public, at), at, secrets.token_hex(16)
    )
    _keep(bench, made)


@roster_command.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@role_option
@kind_option
@uid_option
@click.option("--pin", is_flag=True, help="A hardware key that must be given its PIN each time.")
@pass_bench
def add_command(
    bench: Bench, file: Path, roles: tuple[str, ...], kind: str | None, person_uid: str | None,
    pin: bool,
) -> None:  # fmt: skip
    """Draft that the key of an enrolment may sign from now on.

    FILE is what `muster enroll request` wrote; it proves that its writer holds the key. Compare
    the fingerprint with what the person tells you by another way. For somebody who is listed
    already, the key is one more.

    \b
    Example:
      muster roster add ana-key.json --role reviewer --person-uid p-17
    """
    from passmuster import roster

    bench.may_decide()
    asked = roster_text.request(file)
    base, at = roster.base_of(bench.db), now()
    if base.lines_of(asked.fingerprint, asked.principal):
        raise UsageError(f"{asked.fingerprint} is listed for {asked.principal} already")
    person = _person(base.person(asked.principal), asked.principal, roles, kind, person_uid)
    lines = (*base.lines, roster.Line(asked.principal, asked.public, at))
    made = roster.change(
        bench.db, bench.me, at, people=roster.with_person(base, person), lines=lines,
        pins={*base.pins, asked.fingerprint} if pin else base.pins,
    )  # fmt: skip
    talk(f"{asked.principal} holds {asked.fingerprint}: compare it with what they tell you.")
    _keep(bench, made)


def _person(
    there: "roster.Person | None", principal: str, roles: tuple[str, ...], kind: str | None,
    person_uid: str | None,
) -> "roster.Person":  # fmt: skip
    """Somebody with what was given; what was not stays as it was."""
    from passmuster import roster

    if kind is not None and kind not in roster.KINDS:
        raise UsageError(f"--kind is person or robot, not {kind!r}")
    if there is None and not roles:
        raise UsageError(f"{principal} is new: say what they may do with --role")
    said = roster.given_roles(roles) if roles else there.roles if there else ()
    is_a: roster.Kind = (
        "robot" if kind == "robot" else "person" if kind or there is None else there.kind
    )
    return roster.Person(
        there.principal if there else principal, is_a, said,
        person_uid or (there.person_uid if there else None),
    )  # fmt: skip


@roster_command.command("set")
@click.argument("principal")
@role_option
@kind_option
@uid_option
@pass_bench
def set_command(
    bench: Bench, principal: str, roles: tuple[str, ...], kind: str | None, person_uid: str | None
) -> None:
    """Draft other roles, or another number of the human being, for somebody who is listed.

    \b
    Example:
      muster roster set ana@example.com --role reviewer --role second
    """
    from passmuster import roster

    bench.may_decide()
    base = roster.base_of(bench.db)
    there = base.person(principal)
    if there is None:
        raise NotFound(f"{principal} is not on the roster: `muster roster add` lists a new key")
    person = _person(there, principal, roles, kind, person_uid)
    _keep(bench, roster.change(
        bench.db, bench.me, now(), people=roster.with_person(base, person)
    ))  # fmt: skip


@roster_command.command("retire")
@click.argument("which", metavar="PRINCIPAL|FINGERPRINT")
@click.option("--at", metavar="TIME", help="Since when the key is no good; else now.")
@pass_bench
def retire_command(bench: Bench, which: str, at: str | None) -> None:
    """Draft the end of a key, or of all keys of somebody.

    What was signed, and seen by a witness, until then stays good; what came after is not, even
    if it is in the log already. Give --at for a key that was stolen before today.

    \b
    Example:
      muster roster retire ana@example.com --at 2026-11-20T18:00:00Z
    """
    from passmuster import roster, text

    bench.may_decide()
    since = now() if at is None else text.utc(at)
    if since is None:
        raise UsageError(f"--at takes a time such as 2026-11-20T18:00:00Z, not {at!r}")
    lines = roster.ended(roster.base_of(bench.db), which, since)
    _keep(bench, roster.change(bench.db, bench.me, now(), lines=lines))


@roster_command.command("set-threshold")
@click.argument("number", type=click.IntRange(1))
@pass_bench
def set_threshold_command(bench: Bench, number: int) -> None:
    """Draft how many registrars, as human beings, must sign a version.

    \b
    Example:
      muster roster set-threshold 2
    """
    from passmuster import roster

    bench.may_decide()
    _keep(bench, roster.change(bench.db, bench.me, now(), threshold=number))


def _keep(bench: Bench, made: "roster.Draft") -> None:
    from passmuster import roster

    before = roster.draft(bench.db)
    roster.keep(bench.db, made)
    for line in roster_text.changes(roster.current(bench.db), made.roster):
        talk(f"  {line}")
    if before is not None and before.envelope is not None:
        talk("The signatures on the draft were for what it said before: they are gone.")
    talk(f"A draft of version {made.roster.version}. In force when signed: muster roster sign")


@roster_command.command("show")
@click.option("--draft", "of_draft", is_flag=True, help="The draft, not the roster in force.")
@click.option("--allowed-signers", is_flag=True, help="The file for ssh-keygen alone.")
@json_option
@pass_bench
def show_command(bench: Bench, of_draft: bool, allowed_signers: bool, as_json: bool) -> None:
    """Who may sign, since when, and whether there is a key under my name that is not mine.

    \b
    Example:
      muster roster show --json
    """
    from passmuster import roster

    made, me = roster.draft(bench.db), _me(bench)
    shown = roster.current(bench.db)
    if of_draft:
        shown = made.roster if made else None
    alarm = roster.alarm(bench.db, me)
    if alarm:
        talk(alarm)
    if shown is None:
        if as_json:
            emit([], {}, as_json=True)
        elif of_draft or made is None:
            talk("no draft" if of_draft else "no roster: muster roster init")
        else:
            talk(
                f"no roster in force; muster roster show --draft shows the draft of version"
                f" {made.roster.version}, muster roster sign puts it in force"
            )
        return
    if allowed_signers:
        sys.stdout.write(shown.text.decode())
        return
    strange = [line.fingerprint for line in roster.strange_keys(bench.db, me)]
    said = roster_text.as_json(shown, strange)
    if as_json:
        emit([said | {"draft": made.roster.version if made else None}], {}, as_json=True)
        return
    roster_text.table(said)
    if made is not None and not of_draft:
        talk(f"A draft of version {made.roster.version} waits: {roster_text.lacks(bench, made)}")


def _me(bench: Bench) -> str:
    try:
        return bench.me
    except UsageError:
        return ""


@roster_command.command("sign")
@click.option("--yes", is_flag=True, help="Do not ask once more.")
@passphrase_option
@pass_bench
def sign_command(bench: Bench, yes: bool, passphrase_fd: int | None) -> None:
    """Sign the draft as a registrar; with enough signatures it is in force at once.

    \b
    Example:
      muster roster sign --yes
    """
    from passmuster import roster, tlog

    bench.may_decide()
    bench.passphrase_fd = passphrase_fd
    made = _drafted(bench)
    talk(f"Roster version {made.roster.version}, {made.roster.name}:")
    for line in roster_text.changes(roster.current(bench.db), made.roster):
        talk(f"  {line}")
    bench.confirm("Sign this roster?", yes=yes)
    made = roster.signed(bench.db, made, bench.key())
    if lacking := roster.lacking(bench.db, made):
        roster.keep(bench.db, made)
        talk(f"Signed. {lacking}. Take it to them: muster roster export --out FILE")
        return
    done = tlog.enact(bench.db, made, now())
    print(made.roster.name)
    if not done:
        talk(f"Signed by all who must. Roster version {made.roster.version} is in force once the "
             "central log has it: muster sync")  # fmt: skip
        return
    roster.drop(bench.db)
    talk(f"Roster version {made.roster.version} is in force.")
    roster_text.tell_void(bench)


def _drafted(bench: Bench) -> "roster.Draft":
    from passmuster import roster

    if (made := roster.draft(bench.db)) is None:
        raise NotFound("there is no draft of a roster: change something first")
    return made


@roster_command.command("export")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE",
              help="A new file.")  # fmt: skip
@pass_bench
def export_command(bench: Bench, out: Path) -> None:
    """Write every version, and the draft with the signatures that it has, for somebody else.

    \b
    Example:
      muster roster export --out roster.jsonl
    """
    from passmuster import roster

    if out.exists():
        raise UsageError(f"{out} is there already: name another file")
    made = roster.draft(bench.db)
    lines = [roster.carried(*both) for both in roster.envelopes(bench.db)]
    lines += [made.line] if made else []
    if not lines:
        raise NotFound("there is no roster: make one with `muster roster init`")
    with out.open("xb") as stream:
        stream.writelines(lines)
    if first := next(iter(roster.history(bench.db)), None):
        print(first.name)
        talk("That is the digest of the first version: tell it to others by another way.")


@roster_command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--trust", metavar="DIGEST", help="Of the first version, told by another way.")
@pass_bench
def import_command(bench: Bench, file: Path, trust: str | None) -> None:
    """Take over the versions and the draft of somebody's `muster roster export`.

    \b
    Example:
      muster roster import roster.jsonl
    """
    from passmuster import roster, tlog

    bench.may_decide()
    taken = tlog.take_rosters(bench.db, roster_text.read(file), trust, now())
    if taken.versions:
        last = taken.versions[-1]
        talk(f"Roster version {last} is in force.")
    if taken.draft is not None:
        for line in roster_text.changes(roster.current(bench.db), taken.draft.roster):
            talk(f"  {line}")
        talk(f"A draft of version {taken.draft.roster.version}: "
             f"{roster_text.lacks(bench, taken.draft)}")  # fmt: skip
    if not taken.versions and taken.draft is None:
        talk("Nothing in it is new.")
    roster_text.tell_void(bench)
    if alarm := roster.alarm(bench.db, _me(bench)):
        talk(alarm)


@roster_command.command("drop")
@pass_bench
def drop_command(bench: Bench) -> None:
    """Throw the draft away; what is in force stays.

    \b
    Example:
      muster roster drop
    """
    from passmuster import roster

    roster.drop(bench.db)
    talk("The draft is gone.")


@roster_command.command("mine")
@click.argument("fingerprint")
@pass_bench
def mine_command(bench: Bench, fingerprint: str) -> None:
    """Say that a key under my name on the roster is mine, kept in another place.

    \b
    Example:
      muster roster mine SHA256:oVzkNb7SNXhJuBpMMXcbDSTfNAVY0GTjcBT2pfcvSnk
    """
    from passmuster import roster

    roster.mine(bench.db, bench.me, fingerprint, now())
    talk(f"{fingerprint} is taken to be yours from now on.")
