"""`muster key`: my signing keys."""

import os
from typing import TYPE_CHECKING, Any

import click

from passmuster.cli.common import Bench, emit, json_option, now, pass_bench, passphrase_option, talk
from passmuster.errors import NotFound, UsageError

if TYPE_CHECKING:
    from passmuster.keys import SigningKey

FORMS = ("openssh", "pem", "allowed-signers")
store_option = click.option(
    "--key-store", metavar="WHERE",
    help="auto, keyring, file, or ssh for a key of --ssh-key.",
)  # fmt: skip
ssh_option = click.option(
    "--ssh-key", metavar="KEY",
    help="Sign with this SSH key: its file, SHA256:… of one in the agent, or `agent` for the one.",
)  # fmt: skip


@click.group("key")
def key_command() -> None:
    """My signing keys.

    \b
    Example:
      muster key new
      muster key new --ssh-key ~/.ssh/id_ed25519_sk
    """


@key_command.command("new")
@store_option
@ssh_option
@passphrase_option
@json_option
@pass_bench
def new_command(
    bench: Bench, key_store: str | None, ssh_key: str | None, passphrase_fd: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Make my signing key, or take an SSH key that I have as one.

    A new key goes into the system's keyring, else into a file under a passphrase; which, and why,
    is said. With --ssh-key nothing is copied: ssh-keygen signs with the key where it lies (a file,
    the SSH agent, a FIDO2 token, which must be touched each time).

    \b
    Example:
      muster key new --key-store file
      muster key new --ssh-key agent
    """
    bench.passphrase_fd = passphrase_fd
    before = _signing(bench)
    key, why = _make(bench, key_store, ssh_key, None)
    if before:
        talk(f"It signs from now on, instead of {before['fingerprint']}, "
             "which stays valid for what it signed.")  # fmt: skip
    _say(key, why, as_json=as_json)


@key_command.command("rotate")
@store_option
@ssh_option
@passphrase_option
@json_option
@pass_bench
def rotate_command(
    bench: Bench, key_store: str | None, ssh_key: str | None, passphrase_fd: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """A new key in the place of my old one.

    The new key is enrolled by a statement signed with itself, which names the key that it
    replaces. The old one signs nothing more here and stays valid for what it signed; its private
    half is left where it is. A verifier sees two keys of one person: that both are yours is for you
    to tell, by giving both fingerprints by another way than the evidence.

    \b
    Example:
      muster key rotate
      muster key rotate --ssh-key ~/.ssh/id_ecdsa_sk
    """
    bench.passphrase_fd = passphrase_fd
    before = _signing(bench)
    if before is None:
        raise NotFound("there is no key to replace: make one with `muster key new`")
    key, why = _make(bench, key_store, ssh_key, before["fingerprint"])
    if key.fingerprint == before["fingerprint"]:
        raise UsageError(f"{key.fingerprint} is the key that signs already")
    talk(f"It replaces {before['fingerprint']}, which stays valid for what it signed.")
    _say(key, why, as_json=as_json)


def _signing(bench: Bench) -> dict[str, str] | None:
    from passmuster import keys

    return keys.signs_for(bench.db, bench.me)


def _make(
    bench: Bench, key_store: str | None, ssh_key: str | None, replaces: str | None
) -> "tuple[SigningKey, str]":
    """Make or adopt the key, and enrol it; with why it is kept where it is."""
    from passmuster import keys, tlog

    where = key_store or (keys.SSH if ssh_key else bench.settings.key_store)
    if where not in (*keys.STORES, keys.SSH):
        raise UsageError(f"--key-store is auto, keyring or file, or ssh with --ssh-key,"
                         f" not {where!r}")  # fmt: skip
    if (where == keys.SSH) != bool(ssh_key):
        raise UsageError("--key-store ssh and --ssh-key belong together: name the SSH key")
    if ssh_key:
        found = keys.resolve(ssh_key)
        if any(row["fingerprint"] == keys.fingerprint(found.public)
               for row in keys.listed(bench.db)):  # fmt: skip
            raise UsageError(
                f"{keys.fingerprint(found.public)} is known here already (muster key list): name"
                " another key"
            )
        if found.warning:
            talk(f"warning: {found.warning}")
        key, why = keys.adopt(found, bench.me, bench.talk()), "as you asked"
    else:
        where, why = keys.choose(where, bench.settings.keyring_timeout_s)
        key = keys.new(bench.db, bench.me, where, lambda: _new_passphrase(bench), now(),
                       bench.settings.keyring_timeout_s)  # fmt: skip
    tlog.enrol(bench.db, key, now(), replaces)
    return key, why


def _say(key: "SigningKey", why: str, *, as_json: bool) -> None:
    from passmuster import keys

    if as_json:
        emit([{"principal": key.principal, "fingerprint": key.fingerprint, "store": key.store,
               "kind": key.kind, "place": key.place, "why": why, "public": key.public}],
             {}, as_json=True)  # fmt: skip
        return
    print(key.fingerprint)
    row = {"store": key.store, "kind": key.kind, "place": key.place or ""}
    talk(f"{key.principal} signs with this key. Kept in: {keys.kept_in(row)} ({why}).")
    talk("Tell your auditor the fingerprint by another way than the evidence.")


def _new_passphrase(bench: Bench) -> bytes:
    unattended = bench.passphrase_fd is not None or "MUSTER_KEY_PASSPHRASE_FILE" in os.environ
    if unattended or bench.no_input:
        return bench.passphrase()
    answer: str = click.prompt(
        "New passphrase for the key file", hide_input=True, confirmation_prompt=True, err=True
    )
    return answer.encode()


def _rows(bench: Bench) -> list[dict[str, Any]]:
    from passmuster import keys

    return [
        {
            **row,
            "kept": keys.kept_in(row),
            "signs": keys.signs_for(bench.db, row["principal"]) == row,
        }
        for row in keys.listed(bench.db)
    ]


@key_command.command("list")
@json_option
@pass_bench
def list_command(bench: Bench, as_json: bool) -> None:
    """The keys of this workspace: public parts only.

    \b
    Example:
      muster key list --json
    """
    columns = {"principal": "PRINCIPAL", "fingerprint": "FINGERPRINT", "kept": "KEPT IN",
               "made_at": "MADE", "signs": "SIGNS"}  # fmt: skip
    if not emit(_rows(bench), columns, as_json=as_json) and not as_json:
        talk("no key yet: muster key new")


def _one(bench: Bench, mark: str | None) -> dict[str, Any]:
    """The key that was named, else mine."""
    from passmuster import keys

    found = keys.find(bench.db, mark) if mark else _signing(bench)
    if found is None:
        raise NotFound(f"no signing key for {bench.me}: make one with `muster key new`")
    return next(row for row in _rows(bench) if row["fingerprint"] == found["fingerprint"])


@key_command.command("show")
@click.argument("fingerprint", required=False)
@json_option
@pass_bench
def show_command(bench: Bench, fingerprint: str | None, as_json: bool) -> None:
    """One key, mine if none is named: where it is kept, whether it can sign now, its enrolment.

    \b
    Example:
      muster key show
      muster key show SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8
    """
    from passmuster import keys, tlog
    from passmuster.text import visible

    row = _one(bench, fingerprint)
    wrong = keys.reachable(bench.db, row, bench.settings.keyring_timeout_s)
    facts = {
        "fingerprint": row["fingerprint"], "principal": row["principal"], "public": row["public"],
        "kind": row["kind"], "store": row["store"], "place": row["place"], "kept": row["kept"],
        "signs": row["signs"], "can_sign": not wrong, "why_not": wrong or None,
        "replaced_by": row["replaced_by"], "made_at": row["made_at"],
        "enrolment": tlog.enrolments(bench.db).get(row["fingerprint"]),
    }  # fmt: skip
    if as_json:
        emit([facts], {}, as_json=True)
        return
    signs = "yes" if row["signs"] else "no, another key does"
    if row["replaced_by"]:
        signs = f"no, {row['replaced_by']} does in its place"
    now_ = {"signs": f"{signs}; not now: {wrong}" if wrong else signs}
    for name in ("fingerprint", "principal", "public", "kind", "kept", "signs", "made_at",
                 "enrolment"):  # fmt: skip
        told = now_.get(name) or facts[name] or "-"
        print(f"{name.replace('_at', ''):12} {visible(str(told))}")


@key_command.command("export")
@click.argument("fingerprint", required=False)
@click.option("--as", "form", type=click.Choice(FORMS), default="openssh", show_default=True,
              help="For ssh-keygen, for openssl, or for an allowed_signers file.")  # fmt: skip
@json_option
@pass_bench
def export_command(bench: Bench, fingerprint: str | None, form: str, as_json: bool) -> None:
    """The public half of a key, mine if none is named. The private half is never given out.

    \b
    Example:
      muster key export --as allowed-signers
    """
    from passmuster import keys

    row = _one(bench, fingerprint)
    forms = keys.forms(row["principal"], row["public"])
    if as_json:
        emit([{"fingerprint": row["fingerprint"], "principal": row["principal"], **forms}],
             {}, as_json=True)  # fmt: skip
        return
    text = forms[form]
    if text is None:
        raise UsageError("a hardware key has no PEM form: openssl cannot check what it signs")
    print(text, end="")
