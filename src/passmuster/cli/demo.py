"""`muster demo`: a throw-away workspace, the whole job on made-up data."""

import getpass
import os
import re
import tempfile
import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from passmuster import config, resources
from passmuster.cli.common import Bench, now, pass_bench, talk
from passmuster.cli.inventory import bar
from passmuster.text import plural, rfc3339

if TYPE_CHECKING:
    from passmuster.inventory import Run
    from passmuster.store import Database

CAMPAIGN = "Demo review"


@click.command("demo")
@click.option("--keep", type=click.Path(path_type=Path), metavar="DIR",
              help="Keep the workspace in a new folder.")  # fmt: skip
@pass_bench
def demo_command(bench: Bench, keep: Path | None) -> None:
    """Try everything on made-up data; nothing outside a temporary folder is touched.

    Without a terminal, or as `muster --no-input demo`, it does the same work, decides nothing
    and prints what the screen would show.

    \b
    Example:
      muster demo
    """
    if keep is not None:
        _demo(bench, keep)
        return
    with tempfile.TemporaryDirectory(prefix="muster-demo-") as folder:
        _demo(bench, Path(folder) / "workspace")


def _demo(bench: Bench, folder: Path) -> None:
    from passmuster import campaigns, keys, policy, store, tlog

    bench.named = str(folder)
    bench.db = store.create(folder)
    me = os.environ.get("MUSTER_ME") or _me()
    # a demo must not write into, or read from, the person's own settings
    bench.settings = config.Settings(me=me)
    for run in import_samples(bench.db, me, now()):
        problems = f", {plural(run.problem_count, 'problem')}" if run.problem_count else ""
        talk(f"  {run.source:24} {run.format:32} {run.records:6,} records"
             f" {run.identities:4,} identities{problems}")  # fmt: skip
    policy.evaluate(bench.db, bench.settings, now())
    bench.held_key = keys.in_memory(me)
    tlog.enrol(bench.db, bench.held_key, now())
    due = rfc3339(datetime.fromisoformat(now()) + timedelta(days=8))
    wanted = campaigns.Definition(CAMPAIGN, due, me, fallback=me, rationale="a demonstration")
    opened = campaigns.open_campaign(
        bench.db, wanted, bench.held_key, bench.settings, now(), bar("Freezing")
    )
    talk(f"{CAMPAIGN}: {plural(opened.population, 'item')}, {opened.excluded:,} left out")
    if bench.no_input or not os.isatty(1):
        _summary(bench)
    else:
        bench.workstation(CAMPAIGN)


def _me() -> str:
    """The current user as an address; it names a reviewer, nothing is sent to it."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's uid without a name
        user = f"uid{os.getuid()}"
    return f"{re.sub(r'[^a-z0-9._-]', '', user.lower()) or 'reviewer'}@example.com"


def import_samples(db: "Database", by: str, at: str) -> "list[Run]":
    """Bring in `sample_data/` as its `demo.toml` says, in that order."""
    from passmuster import inventory
    from passmuster.connectors import Context

    folder = resources.folder("sample_data")
    plan = tomllib.loads((folder / "demo.toml").read_text("utf-8"))
    runs: list[Run] = []
    for step in plan["import"]:
        mapping: dict[str, Any] = {}
        if "mapping" in step:
            mapping = tomllib.loads((folder / step["mapping"]).read_text("utf-8"))
        runs += inventory.import_file(
            db, folder / step["file"], now=at, by=by, format_name=step.get("as"),
            context=Context(step.get("source"), mapping),
        )  # fmt: skip
    return runs


def _summary(bench: Bench) -> None:
    """What the workstation would show first, as text."""
    from passmuster import campaigns

    at = bench.campaign(CAMPAIGN)
    done = campaigns.progress(bench.db, at.id, bench.me)
    unowned = campaigns.rank(bench.db, at.id, bench.me, expression="owner:none", now=now())
    print(f"{at.name}: {done.signed} of {done.total} decided, {len(unowned)} unowned,"
          f" due {at.due_at[:10]}")  # fmt: skip
    print("The ten to look at first:")
    for row in campaigns.rows(bench.db, campaigns.rank(bench.db, at.id, bench.me)[:10]):
        used = row.last_used_at[:10] if row.last_used_at else row.last_used_state
        print(f"  {row.risk:3}  {row.display_name[:44]:44}  {row.source[:18]:18}  "
              f"{(row.owner or 'no owner')[:20]:20}  {used}")  # fmt: skip
    print("Findings:")
    for rule, hits, why in bench.db.execute(
        "SELECT rule, hits, not_evaluated FROM rule_run ORDER BY hits IS NULL, hits DESC, rule"
    ):
        print(f"  {rule:24} {hits if why is None else 'not evaluated: ' + why}")
    print("Nothing was decided: no terminal, or --no-input. In a terminal, `muster demo` opens"
          " the workstation on this.")  # fmt: skip
