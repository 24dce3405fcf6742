"""`muster init`, `import`, `identities`, `show`: what is there."""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from passmuster import config, text
from passmuster.cli.common import Bench, csv_option, emit, json_option, now, pass_bench, talk
from passmuster.errors import ImportRefused, NotFound, UsageError


@click.command("init")
@click.option("--me", metavar="EMAIL", help="Who you are; kept in config.toml.")
@pass_bench
def init_command(bench: Bench, me: str | None) -> None:
    """Make a workspace: a folder that only you may enter.

    \b
    Example:
      muster init --me you@example.com
    """
    from passmuster import store

    if me is not None and ("@" not in me or not me.isprintable() or '"' in me):
        raise UsageError(f"--me takes an e-mail address, not {me!r}")
    store.create(bench.folder)
    settings = bench.folder / "config.toml"
    if me:
        if config.alone(settings).me not in (None, me):
            raise UsageError(f"{settings} has another `me`: edit it there")
        config.change(settings, "me", me)
    who = "" if me or bench.settings.me else "muster init --me you@example.com, then "
    talk(f"The workspace is {bench.folder}. Next: {who}muster key new, then muster import FILE")


@click.command("import")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--as", "format_name", metavar="FORMAT", help="Name the format instead of guessing.")
@click.option("--source", metavar="LABEL", help="Label the source; names it if the file cannot.")
@click.option("--mapping", type=click.Path(path_type=Path), help="TOML for generic.csv and .jsonl.")
@click.option("--dry-run", is_flag=True, help="Read and compare, change nothing.")
@click.option("--just-made", is_flag=True,
              help="The export is of now, even if an older one had the same bytes.")  # fmt: skip
@click.option("--formats", is_flag=True, help="List the formats (of PLATFORM), how to make them.")
@json_option
@pass_bench
def import_command(
    bench: Bench, files: tuple[Path, ...], format_name: str | None, source: str | None,
    mapping: Path | None, dry_run: bool, just_made: bool, formats: bool, as_json: bool,
) -> None:  # fmt: skip
    """Bring exports in; the format is recognised from the content.

    \b
    Examples:
      muster import credential-report.csv account-authorization-details.json
      muster import rbac.json --source prod-eu
      muster import people.csv --as people
      muster import --formats github
    """
    if formats:
        _list_formats([str(word) for word in files], as_json)
        return
    if not files:
        raise UsageError("name a file to import (`muster import --formats` lists what is known)")
    from passmuster import intake
    from passmuster.connectors import Context

    context = Context(
        source, _mapping(mapping) if mapping else {}, bench.settings.max_yaml_mib * 1024 * 1024
    )
    runs = intake.import_files(
        bench.db, files, bench.settings, now=now(), format_name=format_name, context=context,
        dry_run=dry_run, just_made=just_made, progress=bar("Importing"),
    )  # fmt: skip
    summarise(bench, runs, as_json, dry_run)


def bar(label: str) -> Any:
    """A progress callback that draws on a terminal's stderr and nowhere else."""
    if not sys.stderr.isatty():
        return None
    last = [-1]

    def draw(done: int, total: int) -> None:
        percent = 100 * done // max(total, 1)
        if percent != last[0]:
            last[0] = percent
            end = "\r\x1b[K" if done >= total else ""
            sys.stderr.write(f"\r{label} {'█' * (percent // 4):░<25} {percent:3d} %{end}")
            sys.stderr.flush()

    return draw


def _mapping(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ImportRefused(f"{path}: no such mapping file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ImportRefused(f"{path}: not TOML: {error}") from None


def _list_formats(words: list[str], as_json: bool) -> None:
    """All formats, or those of the platforms (or with the names) that *words* say."""
    from passmuster import connectors

    known = connectors.formats()
    for word in words:
        if not any(_begins_with(name, word) for name in known):
            platforms = {name.partition(".")[0] for name in known}
            raise UsageError(f"no format of {word!r}{text.nearest(word, platforms)}")
    rows = [
        {"format": f.name, "title": f.title, "howto": f.howto}
        for f in known.values()
        if not words or any(_begins_with(f.name, word) for word in words)
    ]
    if as_json:
        emit(rows, {}, as_json=True)
        return
    for row in rows:
        print(f"{row['format']}  {row['title']}")
        for line in row["howto"].splitlines():
            print(f"    {line}")


def _begins_with(name: str, word: str) -> bool:
    return f"{name}.".startswith(f"{word.casefold()}.")


def summarise(bench: Bench, runs: list[Any], as_json: bool, dry_run: bool) -> None:
    """What imports did, for a person or as JSON."""
    rows = [
        {
            "source": run.source, "format": run.format, "file": run.file_name,
            "sha256": run.sha256, "records": run.records, "identities": run.identities,
            "new": run.new,
            "changed": run.changed, "absent": run.absent, "problems": run.problem_count,
            "unchanged_since": run.unchanged_since,
        }
        for run in runs
    ]  # fmt: skip
    if as_json:
        emit(rows, {}, as_json=True)
        return
    columns = {k: k for k in ("source", "format", "records", "identities", "new",
                              "changed", "absent", "problems")}  # fmt: skip
    emit(rows, columns)
    for run in runs:
        if run.unchanged_since:
            talk(f"{run.file_name}: imported on {run.unchanged_since} already; nothing changed")
        for problem in run.problems[:5]:
            where = f"line {problem.line}" if problem.line else problem.uid or "?"
            talk(f"  problem in {run.file_name}, {where}: {problem.why}")
        if run.problem_count > 5:
            talk(f"  … {run.problem_count - 5:,} more problems, kept in the evidence")
    if dry_run:
        talk("Dry run: nothing was changed.")
    else:
        at_risk = bench.db.value("SELECT count(*) FROM listing WHERE risk >= 60")
        talk(f"{text.plural(at_risk, 'identity')} at high risk: muster identities 'risk:>=60'")
        from passmuster import policy

        if waiting := policy.count_identities(bench.db, "intake:new", now()):
            talk(f"{text.plural(waiting, 'new identity')} in no review yet: muster intake")


@click.command("identities")
@click.argument("filter_words", nargs=-1, metavar="[FILTER]")
@json_option
@csv_option
@pass_bench
def identities_command(
    bench: Bench, filter_words: tuple[str, ...], as_json: bool, as_csv: bool
) -> None:
    """List identities, the riskiest first.

    \b
    Examples:
      muster identities kind:service owner:none unused:'>90d'
      muster identities --json | jq '.[] | select(.is_privileged)'
    """
    shown = {
        "risk": "RISK", "name": "IDENTITY", "kind": "KIND", "source": "SOURCE",
        "owner": "OWNER", "last_used": "LAST USED", "findings": "FINDINGS",
    }  # fmt: skip
    count = emit(_identities(bench, " ".join(filter_words)), shown, as_json=as_json, as_csv=as_csv)
    from passmuster import policy

    for rule, why in policy.not_evaluated(bench.db).items():
        if f"finding:{rule}" in " ".join(filter_words):
            talk(f"not evaluated: {rule} ({why})")
    if not count and not (as_json or as_csv):
        talk("nothing matches")


def _identities(bench: Bench, expression: str) -> Iterator[dict[str, Any]]:
    from passmuster import policy

    need_inventory(bench)
    for row in policy.identities(bench.db, expression, now()):
        used = row["last_used_at"][:10] if row["last_used_at"] else row["last_used_state"]
        yield {**row, "last_used": used}


def need_inventory(bench: Bench) -> None:
    """Fail when nothing was ever imported: an empty answer would read as a clean one."""
    if bench.db.value("SELECT 1 FROM import_run LIMIT 1") is None:
        raise NotFound("the inventory is empty: import an export first (`muster import FILE`)")


@click.command("show")
@click.argument("handle")
@json_option
@pass_bench
def show_command(bench: Bench, handle: str, as_json: bool) -> None:
    """Everything known of one identity, found by any handle.

    \b
    Example:
      muster show AKIAIOSFODNN7EXAMPLE
    """
    from passmuster import campaigns, inventory

    need_inventory(bench)
    found = inventory.only(bench.db, handle)
    ((_, dossier),) = campaigns.dossiers(bench.db, [found.identity_id])
    if as_json:
        emit([dossier], {}, as_json=True)
        return
    from passmuster.cli.dossier_text import lines

    for line in lines(dossier, now()):
        print(line)
