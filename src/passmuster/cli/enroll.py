"""`muster enroll`: ask to be listed on the roster."""

from pathlib import Path

import click

from passmuster.cli.common import Bench, pass_bench, talk
from passmuster.errors import KeyUnavailable, UsageError


@click.group("enroll")
def enroll_command() -> None:
    """Ask a registrar to put my key on the roster.

    \b
    Example:
      muster enroll request --out my-key.json
    """


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
