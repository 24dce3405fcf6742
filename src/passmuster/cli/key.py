"""`muster key`."""

import click

from passmuster.cli.common import Bench, emit, json_option, now, pass_bench, passphrase_option, talk
from passmuster.errors import UsageError


@click.group("key")
def key_command() -> None:
    """My signing key.

    \b
    Example:
      muster key new
    """


@key_command.command("new")
@click.option("--key-store", metavar="WHERE", help="auto, keyring or file.")
@passphrase_option
@json_option
@pass_bench
def new_command(
    bench: Bench, key_store: str | None, passphrase_fd: int | None, as_json: bool
) -> None:
    """Make my signing key: in the system's keyring, else in a file under a passphrase.

    \b
    Example:
      muster key new --key-store file
    """
    from passmuster import keys, tlog

    where = key_store or bench.settings.key_store
    if where not in ("auto", "keyring", "file"):
        raise UsageError(f"--key-store is auto, keyring or file, not {where!r}")
    bench.passphrase_fd = passphrase_fd
    before = [k["fingerprint"] for k in keys.listed(bench.db) if k["principal"] == bench.me]
    key = keys.new(
        bench.db, bench.me, where, lambda: _new_passphrase(bench), now(),
        bench.settings.keyring_timeout_s,
    )  # fmt: skip
    tlog.enrol(bench.db, key, now())
    if as_json:
        emit([{"principal": key.principal, "fingerprint": key.fingerprint, "store": key.store,
               "public": key.public}], {}, as_json=True)  # fmt: skip
        return
    print(key.fingerprint)
    if before:
        talk(f"It signs from now on, instead of {before[0]}, which stays valid for what it signed.")
    talk(f"{key.principal} signs with this key, kept in the {key.store}. Tell your auditor the "
         "fingerprint by another way than the evidence.")  # fmt: skip


def _new_passphrase(bench: Bench) -> bytes:
    import os

    unattended = bench.passphrase_fd is not None or "MUSTER_KEY_PASSPHRASE_FILE" in os.environ
    if unattended or bench.no_input:
        return bench.passphrase()
    answer: str = click.prompt(
        "New passphrase for the key file", hide_input=True, confirmation_prompt=True, err=True
    )
    return answer.encode()


@key_command.command("show")
@json_option
@pass_bench
def show_command(bench: Bench, as_json: bool) -> None:
    """The keys of this workspace: public parts only.

    \b
    Example:
      muster key show --json
    """
    from passmuster import keys

    columns = {"principal": "PRINCIPAL", "fingerprint": "FINGERPRINT", "store": "STORE",
               "made_at": "MADE"}  # fmt: skip
    if not emit(keys.listed(bench.db), columns, as_json=as_json) and not as_json:
        talk("no key yet: muster key new")
