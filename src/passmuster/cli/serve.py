"""`muster serve`: the central API that the workstations of a team write to."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from passmuster.cli.common import emit, json_option, talk
from passmuster.errors import UsageError

if TYPE_CHECKING:
    from passmuster.server import Settings

DEFAULT_LISTEN = "127.0.0.1:8470"
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - no address that anybody could call


@click.group("serve", invoke_without_command=True)
@click.option("--folder", metavar="DIR", type=click.Path(path_type=Path),
              help="Where key and database are; made at the first start.")  # fmt: skip
@click.option("--database", metavar="URL", help="postgresql://… for several replicas, or a file.")
@click.option("--anchor", metavar="PATH", help="A file on other storage, or postgresql://….")
@click.option("--listen", metavar="HOST:PORT", default=DEFAULT_LISTEN, show_default=True)
@click.option("--tls-cert", metavar="FILE", type=click.Path(exists=True, path_type=Path),
              help="Its certificate with the chain, PEM.")  # fmt: skip
@click.option("--tls-key", metavar="FILE", type=click.Path(exists=True, path_type=Path),
              help="The certificate's key, PEM, without a passphrase.")  # fmt: skip
@click.option("--behind-proxy", is_flag=True, help="Something in front of it does TLS.")
@click.option("--url", metavar="URL", help="The address by which people call it.")
@click.option("--witness", "witnesses", metavar="VKEY=URL", multiple=True,
              help="Who cosigns checkpoints; may be given several times.")  # fmt: skip
@click.option("--oidc", "issuer", metavar="URL",
              help="An identity provider by which people may enrol.")  # fmt: skip
@click.option("--oidc-client", metavar="ID", default="muster", show_default=True)
@click.option("--oidc-audience", metavar="NAME", help="Of its access tokens; else --url.")
@click.pass_context
def serve_command(
    ctx: click.Context, folder: Path | None, database: str | None, anchor: str | None, listen: str,
    tls_cert: Path | None, tls_key: Path | None, behind_proxy: bool, url: str | None,
    witnesses: tuple[str, ...], issuer: str | None, oidc_client: str, oidc_audience: str | None,
) -> None:  # fmt: skip
    """Serve the central log; without any option on this machine alone, over SQLite.

    The first start makes the folder (0700) with the log's key, and prints the pin of that key,
    which every client compares, and the first invitation. Keep the anchor on other storage than
    the database: it is how the server itself notices that it was set back.

    \b
    Example:
      muster serve
      muster serve --url https://muster.example.com --behind-proxy --listen 0.0.0.0:8470
      muster serve --database postgresql://muster@db/muster --anchor /mnt/other/anchor.db
    """
    from passmuster import central

    try:
        from passmuster.server import Settings, witness_of
    except ImportError as error:
        raise UsageError(
            f"the server's parts are not installed ({error.name}): pip install 'passmuster[server]'"
        ) from None
    ctx.obj = Settings(folder or _default_folder(), database, anchor,
                       tuple(map(witness_of, witnesses)), url and central.address(url),
                       _oidc(issuer, oidc_client, oidc_audience or url))  # fmt: skip
    if ctx.invoked_subcommand is None:
        _serve(ctx.obj, listen, tls_cert, tls_key, behind_proxy)


def _oidc(issuer: str | None, client: str, audience: str | None) -> dict[str, str] | None:
    from passmuster import central

    if issuer is None:
        return None
    if audience is None:
        raise UsageError("--oidc needs --oidc-audience (or --url): for whom its tokens shall be")
    central.address(issuer)  # as it names itself: a `/` at its end belongs to the name
    return {"issuer": issuer, "client_id": client, "audience": audience}


def _default_folder() -> Path:
    from passmuster import config

    return config.default_workspace() / "central"


def _serve(
    settings: "Settings", listen: str, certificate: Path | None, key: Path | None,
    behind_proxy: bool,
) -> None:  # fmt: skip
    from passmuster import central
    from passmuster.server import first_invitation, open_central, serve
    from passmuster.server import listen as listen_at

    where = listen_at(listen, certificate, key, behind_proxy=behind_proxy)
    if settings.url is None and (behind_proxy or where.host in EVERYWHERE):
        raise UsageError("give --url https://…, the address by which people call this server: "
                         "requests are signed for it, and invitations name it")  # fmt: skip
    here = open_central(settings)
    print(f"log     {here.key.origin}")
    print(f"key     {here.key.verifier}")
    print(f"pin     {central.pin_of(str(here.key.verifier))}")

    def ready(url: str) -> None:
        if invitation := first_invitation(here, settings.url or url):
            print(f"invite  {invitation}", flush=True)
            talk("Whoever uses that invitation, within 15 minutes, begins the roster as registrar: "
                 "muster enroll '…the invitation…'")  # fmt: skip
        print(f"url     {url}")
        sys.stdout.flush()

    talk(f"folder {settings.folder}; stop with ctrl+c")
    serve(here, where, ready)


@serve_command.command("invite")
@click.argument("principal")
@click.option("--role", "roles", multiple=True, metavar="ROLE",
              help="What a registrar is proposed to let them do.")  # fmt: skip
@click.pass_obj
def invite_command(settings: "Settings", principal: str, roles: tuple[str, ...]) -> None:
    """Let somebody enrol, from the server's own machine; prints one string to give them.

    It is good once, for fifteen minutes. A registrar has to admit them afterwards: the server lists
    nobody. With --url before `invite` the string says where to go as well.

    \b
    Example:
      muster serve --url https://muster.example.com invite ana@example.com --role reviewer
    """
    from passmuster.server import invitation, open_central

    here = open_central(settings, begin=False)
    try:
        print(invitation(here, settings.url, principal, roles))
    finally:
        here.close()
    where = "'…that string…'" if settings.url else "URL --invite '…that string…'"
    talk(
        f"For {principal}, once, for 15 minutes. They run, after `muster init` and "
        f"`muster key new`: muster enroll {where}"
    )


@serve_command.command("invites")
@json_option
@click.pass_obj
def invites_command(settings: "Settings", as_json: bool) -> None:
    """Every invitation that was ever made: by whom, for whom, and what came of it.

    \b
    Example:
      muster serve --folder /srv/muster invites --json
    """
    from passmuster.server import invites, open_central

    here = open_central(settings, begin=False)
    try:
        with here.store.reading() as tx:
            rows = invites(tx)
    finally:
        here.close()
    emit(rows, {
        "principal": "FOR", "roles": "ROLES", "made_by": "BY", "made_at": "MADE",
        "ends_at": "UNTIL", "used_at": "USED",
    }, as_json=as_json)  # fmt: skip


@serve_command.command("recover")
@click.option("--to", "size", type=int, metavar="SIZE",
              help="How many records of the database are as clients have seen them.")  # fmt: skip
@click.option("--reason", required=True, metavar="TEXT", help="Told to every client.")
@click.option(
    "--without-old-key",
    is_flag=True,
    help="Nobody has the old log.key any more: people have to compare the new pin.",
)
@click.pass_obj
def recover_command(
    settings: "Settings", size: int | None, reason: str, without_old_key: bool
) -> None:
    """Go on under a new name and a new key after the log was set back.

    Stop every replica first. The statement that both keys sign says what the old log is worth: its
    first SIZE records, which is what the backup had. Every record of the database stays where it
    is; clients compare their own copies, follow the new name, and offer again what they hold.
    Where log.key is lost as well, --without-old-key: then each person has to vouch for the new one.
    What says which log it is (--folder, --database, --anchor) stands before `recover`.

    \b
    Example:
      muster serve --folder /srv/muster recover --to 51200 --reason "disk lost on 3 May"
    """
    from passmuster.central import pin_of
    from passmuster.server import recover

    said = recover(settings, size, reason, without_old_key=without_old_key)
    print(f"log     {said.new_origin}")
    print(f"key     {said.new_key}")
    print(f"whole   the first {said.size} records, root {said.root}")
    print(f"pin     {pin_of(said.new_key)}")
    if without_old_key:
        talk("nobody's sync follows this by itself: start the server again, tell everybody the new "
             "pin by another way, and each runs: muster sync --accept-recovery PIN")  # fmt: skip
        return
    talk("keep the old key's file beside the new one; start the server again, and tell the new "
         "pin to everybody by another way")  # fmt: skip
