"""`muster evidence`, `verify`."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

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
from passmuster.errors import UsageError, VerificationFailed

if TYPE_CHECKING:
    from passmuster import note


@click.command("evidence")
@click.argument("campaign_name", metavar="CAMPAIGN")
@click.option(
    "--out", type=click.Path(path_type=Path), help="A new folder; of a sample a new file."
)
@click.option("--no-timestamp", is_flag=True, help="Do not ask the authority of `tsa_url`.")
@click.option("--sample", "sample_size", type=click.IntRange(1), metavar="N",
              help="Draw N items to look at; CAMPAIGN may be the folder of a pack.")  # fmt: skip
@click.option("--seed", metavar="WORDS", help="What the sample is drawn by; the auditor says it.")
@click.option("--per", type=click.Choice(["outcome"]), help="Draw N of each outcome.")
@passphrase_option
@json_option
@pass_bench
def evidence_command(
    bench: Bench, campaign_name: str, out: Path | None, no_timestamp: bool,
    sample_size: int | None, seed: str | None, per: str | None, passphrase_fd: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Write the folder that an auditor gets; it verifies with stock tools alone.

    With --sample nothing is written but a list of items, the same for everybody who has the
    words of --seed: from the campaign, or from a pack and without a workspace.

    \b
    Example:
      muster evidence November --out november-evidence
      muster evidence november-evidence --sample 25 --seed "audit of 2027-01-14"
    """
    bench.passphrase_fd = passphrase_fd
    if sample_size is not None:
        if seed is None:
            raise UsageError("--sample needs --seed: words that the auditor says, not the reviewer")
        _sample(bench, campaign_name, sample_size, seed, per, out, as_json)
    elif seed is not None or per is not None:
        raise UsageError("--seed and --per are for --sample N")
    elif out is None:
        raise UsageError("--out: name a new folder for the pack")
    else:
        _pack(bench, campaign_name, out, no_timestamp, as_json)


def _pack(
    bench: Bench, campaign_name: str, out: Path, no_timestamp: bool, as_json: bool
) -> None:  # fmt: skip
    from passmuster import evidence

    at = bench.campaign(campaign_name)
    settings = bench.settings
    authority = None
    if settings.tsa_url is not None and not no_timestamp:
        authority = evidence.Authority.at(settings.tsa_url, settings.tsa_ca)
    pack = evidence.build_pack(
        bench.db, at, out, bench.key(), now(), bar("Writing"), authority, settings
    )  # fmt: skip
    if as_json:
        emit([{"path": str(pack.path), "files": pack.files, "items": pack.items,
               "outcomes": pack.outcomes}], {}, as_json=True)  # fmt: skip
        return
    print(pack.path)
    ended = ", ".join(f"{n:,} {e}" for e, n in sorted(pack.outcomes.items()))
    talk(f"{pack.files} files, {pack.items:,} items: {ended}. VERIFY.md tells the auditor how,"
         " report.html what.")  # fmt: skip


def _sample(
    bench: Bench, name: str, size: int, seed: str, per: str | None, out: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """A folder with a pack in it goes before a campaign of that name."""
    from passmuster import evidence

    if (Path(name) / evidence.SUMS).is_file():
        picked = evidence.sample_pack(Path(name), size, seed, per)
        talk(f"the pack is taken as it is; check it with: muster verify {name}")
    else:
        at = bench.campaign(name)
        picked = evidence.sample_campaign(bench.db, at, size, seed, per)
        if at.closed_at is None:
            talk(f"{at.name} is not closed: outcomes are as they are now")
    if not per and len(picked) < size:
        talk(f"there are only {len(picked):,}: all of them are in the sample")
    rows = [pick.as_dict() for pick in picked]
    if not as_json:
        rows = [{**row, "leaves": "; ".join(row["leaves"]), "rows": "; ".join(row["rows"])}
                for row in rows]  # fmt: skip
    if out is None:
        emit(rows, {}, as_json=as_json, as_csv=not as_json)
        return
    try:
        with out.open("x", encoding="utf-8") as stream, contextlib.redirect_stdout(stream):
            emit(rows, {}, as_json=as_json, as_csv=not as_json)
    except FileExistsError:
        raise UsageError(f"{out} is there already: name a new file") from None
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}") from None
    print(out)


def _witness(words: str) -> "note.VerifierKey":
    from passmuster import note

    try:
        found = note.parse_key(words)
    except VerificationFailed as error:
        raise UsageError(f"--witness: {error}") from None
    if found.kind != note.COSIGNATURE:
        raise UsageError(f"--witness: {words[:60]!r} is the key of a log, not of a witness")
    return found


@click.command("verify")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--trust", multiple=True, metavar="EMAIL=SHA256:…",
              help="A fingerprint that you got by another way.")  # fmt: skip
@click.option("--tsa-ca", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Certificates of the time-stamp authority, got by another way.")  # fmt: skip
@click.option("--witness", "witnesses", multiple=True, metavar="VKEY",
              help="A witness's key, got by another way; only these prove times.")  # fmt: skip
@json_option
def verify_command(
    path: Path, trust: tuple[str, ...], tsa_ca: Path | None, witnesses: tuple[str, ...],
    as_json: bool,
) -> None:  # fmt: skip
    """Check an evidence pack (or a workspace); exit code 4 when it does not hold.

    A statement whose key was told later to have been stolen before is void: its signature holds,
    it counts for nothing, and the first line says how many there are. The pack holds all the same
    (exit code 0).

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
    roots = tsa_ca.read_bytes() if tsa_ca else None
    report = evidence.verify(path, trusted, roots, tuple(map(_witness, witnesses)))
    if as_json:
        emit([report.as_dict()], {}, as_json=True)
        return
    for line in report.lines():
        print(line)
