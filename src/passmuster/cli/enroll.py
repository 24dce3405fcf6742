"""`muster enroll`: come to a central log, or ask to be listed on the roster by a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from passmuster.cli.common import Bench, emit, json_option, now, pass_bench, passphrase_option, talk
from passmuster.errors import KeyUnavailable, UsageError

if TYPE_CHECKING:
    from passmuster.central import Invitation
    from passmuster.keys import SigningKey
    from passmuster.sync import About, Enrolled
    from passmuster.transport import Caller

THERE = "URL|INVITATION"
"""The command that `muster enroll https://…` means; its name is what help shows."""


class _Enroll(click.Group):
    """Whatever is no command of the group is an address or an invitation."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = [THERE, *args]
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; for an address the one that goes there."""
        return super().get_command(ctx, THERE if "://" in cmd_name else cmd_name)


@click.group("enroll", cls=_Enroll)
def enroll_command() -> None:
    """Come to a central log with my key; or ask by a file to be put on the roster.

    \b
    Example:
      muster enroll 'https://muster.example.com#m1.…'
      muster enroll https://muster.example.com --oidc
      muster enroll pending
      muster enroll request --out my-key.json
    """


@enroll_command.command(THERE)
@click.argument("where", metavar="URL|INVITATION")
@click.option("--invite", metavar="INVITATION", help="Where only its address was pasted before.")
@click.option("--oidc", is_flag=True, help="Log in at the company's identity provider.")
@click.option("--pin", metavar="PIN", help="Of the server's log, as somebody told it to me.")
@passphrase_option
@json_option
@pass_bench
def central_command(
    bench: Bench, where: str, invite: str | None, oidc: bool, pin: str | None,
    passphrase_fd: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Enrol my key in a central log, by an invitation or by logging in.

    An invitation is one string from a registrar; it says where to go and what to trust there, and
    is good once, for fifteen minutes. With --oidc a code is shown, which you type on a page of your
    identity provider, on any device. Either way a registrar admits you afterwards.

    \b
    Example:
      muster enroll 'https://muster.example.com#m1.…'
      muster enroll https://muster.example.com --oidc
    """
    from passmuster import central, keys, sync

    bench.may_decide()
    bench.passphrase_fd = passphrase_fd
    by = central.invitation(invite or where) if invite or "#" in where else None
    url = central.address(where) if "#" not in where else by.url if by else None
    if url is None:
        raise UsageError("the invitation does not say where: muster enroll URL --invite INVITATION")
    if (by is None) != oidc:
        raise UsageError("give an invitation, or --oidc" if by is None else
                         "an invitation and --oidc do not go together")  # fmt: skip
    if keys.signs_for(bench.db, bench.me) is None:
        raise KeyUnavailable(f"no key of {bench.me} to enrol: make one with `muster key new`")
    with sync.connect(bench.db, url, _ca(bench)) as caller:
        found = sync.about(caller)
        _trust(bench, found, url, by.pin if by else pin)
        if by is not None:
            done = sync.enrol(
                bench.db, caller, found, bench.me, now(), key=key_of(bench), by=by
            )  # fmt: skip
        else:
            done = _logged_in(bench, found, url)
    _tell(done, found, by, as_json=as_json)


def _trust(bench: Bench, found: "About", url: str, pin: str | None) -> None:
    """Compare the server's key with what a person was told; ask them where nobody told anything."""
    from passmuster import sync

    if pin is not None:
        sync.check_pin(found, pin, url)
        return
    talk(f"{url} has the log {found.origin}, whose key has the pin")
    talk(f"  {found.pin}")
    if bench.no_input:
        raise UsageError("ask a registrar for the pin of this server, then give it with --pin")
    click.confirm("Is that the pin that a registrar tells you?", abort=True, err=True)


def _logged_in(bench: Bench, found: "About", url: str) -> "Enrolled":
    from passmuster import sync

    if found.oidc is None:
        raise UsageError(f"{url} has no identity provider: ask a registrar for an invitation")

    def show(page: str, code: str) -> None:
        talk("Open this page on any device, and log in:")
        print(page)
        talk("and compare or type this code:")
        print(code, flush=True)

    bound = sync.token(found.oidc, show)
    with sync.connect(bench.db, url, _ca(bench), authorize=bound.headers) as caller:
        return sync.enrol(bench.db, caller, found, bench.me, now(), key=key_of(bench))


def _tell(
    done: "Enrolled", found: "About", by: "Invitation | None", *, as_json: bool
) -> None:  # fmt: skip
    if as_json:
        emit([{**done._asdict(), "log": found.origin, "pin": found.pin}], {}, as_json=True)
        return
    print(done.fingerprint)
    talk(f"Enrolled in {found.origin}, pinned: {found.pin}")
    if done.founded:
        talk(f"The roster begins with you as registrar, owner and reviewer: {done.roster}")
        talk("Invite others: muster invite NAME@… --role reviewer")
    elif done.is_listed:
        talk("You are on the roster already: muster sync")
    else:
        if by is None or by.roster is None:
            talk(f"Its first roster is {done.roster}: compare that with what a registrar tells you")
        talk("A registrar has to admit you: tell them the fingerprint above, by another way than "
             "this server; then: muster sync")  # fmt: skip


@enroll_command.command("pending")
@passphrase_option
@json_option
@pass_bench
def pending_command(bench: Bench, passphrase_fd: int | None, as_json: bool) -> None:
    """Who enrolled and is not on the roster yet; for registrars and auditors.

    \b
    Example:
      muster enroll pending
    """
    from passmuster import sync

    bench.passphrase_fd = passphrase_fd
    with member(bench) as caller:
        rows = sync.waiting(caller)
    count = emit(
        ({**row._asdict(), "roles": list(row.roles) if as_json else " ".join(row.roles) or None}
         for row in rows),
        {"principal": "PRINCIPAL", "fingerprint": "KEY", "roles": "ASKS FOR", "by": "SAYS",
         "at": "SINCE"}, as_json=as_json,
    )  # fmt: skip
    if not as_json:
        talk("Compare the fingerprint with what they tell you; then: muster roster admit PRINCIPAL"
             if count else "Nobody waits.")  # fmt: skip


@enroll_command.command("request")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE",
              help="A new file, for a registrar.")  # fmt: skip
@click.option("--key", "mark", metavar="SHA256:…", help="Which key; else the one that signs.")
@pass_bench
def request_command(bench: Bench, out: Path, mark: str | None) -> None:
    """Write the statement by which my key proved that I hold it.

    Nothing in it is secret. The registrar compares its fingerprint with what you tell them.

    \b
    Example:
      muster enroll request --out my-key.json
    """
    from passmuster import keys, tlog

    if out.exists():
        raise UsageError(f"{out} is there already: name another file")
    found = keys.signs_for(bench.db, bench.me)
    if mark is not None:
        theirs = (k for k in keys.listed(bench.db) if k["principal"].lower() == bench.me)
        found = next((k for k in theirs if k["fingerprint"] == mark), None)
    if found is None:
        raise KeyUnavailable(f"no such key of {bench.me}: make one with `muster key new`")
    fingerprint = found["fingerprint"]
    with out.open("xb") as stream:
        stream.write(tlog.enrolment(bench.db, fingerprint))
    print(fingerprint)
    talk(f"Give {out} to a registrar, and tell them this fingerprint by another way.")


@click.command("invite")
@click.argument("principal")
@click.option(
    "--role", "roles", multiple=True, metavar="ROLE",
    help="reviewer, second, oncall, owner, registrar, auditor; repeat it for several.",
)  # fmt: skip
@passphrase_option
@json_option
@pass_bench
def invite_command(
    bench: Bench, principal: str, roles: tuple[str, ...], passphrase_fd: int | None, as_json: bool
) -> None:
    """Let somebody enrol in the central log; prints one string to give them.

    It is good once, for fifteen minutes, for that address alone. Give it to them by a way that
    others cannot read. The roles are what `muster roster admit` will propose.

    \b
    Example:
      muster invite ana@example.com --role reviewer --role second
    """
    from passmuster import roster, sync

    bench.passphrase_fd = passphrase_fd
    roster.check_principal(principal)
    given = roster.given_roles(roles)
    with member(bench) as caller:
        made, ends_at = sync.invite(bench.db, caller, principal, given)
    if as_json:
        emit([{"invitation": made, "principal": principal, "roles": list(given),
               "expires_at": ends_at}], {}, as_json=True)  # fmt: skip
        return
    print(made)
    talk(f"For {principal}, once, until {ends_at}. They run: muster enroll '…that string…'")


# --- what these commands and `muster roster admit` share


def _ca(bench: Bench) -> Path | None:
    ca = bench.settings.central_ca
    return Path(ca).expanduser() if ca else None


def key_of(bench: Bench) -> Any:
    """My key, unlocked when it is first needed and kept for the rest of the command."""

    def key() -> "SigningKey":
        if bench.held_key is None:
            bench.held_key = bench.key()
        return bench.held_key

    return key


@contextmanager
def member(bench: Bench) -> Iterator["Caller"]:
    """Who speaks with the pinned central log, in my name."""
    from passmuster import sync

    with sync.speak(bench.db, key_of(bench), _ca(bench)) as caller:
        yield caller
