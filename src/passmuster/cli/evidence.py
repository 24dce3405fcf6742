"""`muster evidence`, `verify`."""

from pathlib import Path

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
from passmuster.cli.inventory import bar
from passmuster.errors import UsageError


@click.command("evidence")
@click.argument("campaign_name", metavar="CAMPAIGN")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option("--no-timestamp", is_flag=True, help="Do not ask the authority of `tsa_url`.")
@passphrase_option
@json_option
@pass_bench
def evidence_command(
    bench: Bench, campaign_name: str, out: Path, no_timestamp: bool, passphrase_fd: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Write the folder that an auditor gets; it verifies with stock tools alone.

    \b
    Example:
      muster evidence November --out november-evidence
    """
    from passmuster import evidence

    bench.passphrase_fd = passphrase_fd
    at = bench.campaign(campaign_name)
    settings = bench.settings
    authority = None
    if settings.tsa_url is not None and not no_timestamp:
        authority = evidence.Authority.at(settings.tsa_url, settings.tsa_ca)
    pack = evidence.build_pack(
        bench.db, at, out, bench.key(), now(), bar("Writing"), authority
    )  # fmt: skip
    if as_json:
        emit([{"path": str(pack.path), "files": pack.files, "items": pack.items,
               "outcomes": pack.outcomes}], {}, as_json=True)  # fmt: skip
        return
    print(pack.path)
    ended = ", ".join(f"{n:,} {e}" for e, n in sorted(pack.outcomes.items()))
    talk(f"{pack.files} files, {pack.items:,} items: {ended}. VERIFY.md tells the auditor how.")


@click.command("verify")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--trust", multiple=True, metavar="EMAIL=SHA256:…",
              help="A fingerprint that you got by another way.")  # fmt: skip
@click.option("--tsa-ca", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Certificates of the time-stamp authority, got by another way.")  # fmt: skip
@json_option
def verify_command(path: Path, trust: tuple[str, ...], tsa_ca: Path | None, as_json: bool) -> None:
    """Check an evidence pack (or a workspace); exit code 4 when it does not hold.

    \b
    Example:
      muster verify november-evidence
    """
    from passmuster import evidence

    trusted = {}
    for words in trust:
        email, equals, mark = words.partition("=")
        is_roster = email == "roster" and len(mark) == 64
        if not equals or not (mark.startswith("SHA256:") or is_roster):
            raise UsageError(
                f"--trust takes EMAIL=SHA256:… or roster=DIGEST of the first one, not {words!r}"
            )
        trusted[email.lower()] = mark
    report = evidence.verify(path, trusted, tsa_ca.read_bytes() if tsa_ca else None)
    if as_json:
        emit([report.as_dict()], {}, as_json=True)
        return
    for line in report.lines():
        print(line)
