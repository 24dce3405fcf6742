"""`muster rules`, `findings`: policy and what it found."""

from pathlib import Path
from typing import Any

import click

from passmuster.cli.common import Bench, csv_option, emit, json_option, now, pass_bench, talk
from passmuster.cli.inventory import need_inventory
from passmuster.errors import ConditionMet, NotFound, UsageError
from passmuster.model import SEVERITIES
from passmuster.text import nearest, plural


@click.group("rules")
def rules_command() -> None:
    """The rules: what they look for, why, and what they found.

    \b
    Example:
      muster rules list
    """


@rules_command.command("list")
@json_option
@pass_bench
def list_command(bench: Bench, as_json: bool) -> None:
    """Every rule with its hits, or why it could not be evaluated.

    \b
    Example:
      muster rules list --json
    """
    from passmuster import policy

    bench.refresh()
    ran = policy.rule_runs(bench.db)
    never = policy.RuleRun("", None, "not run yet: import an export")
    rows = []
    for rule in policy.load_rules().values():
        run = ran.get(rule.id, never)
        hits, why = run.hits, run.not_evaluated
        rows.append({
            "rule": rule.id, "severity": rule.severity, "title": rule.title, "hits": hits,
            "not_evaluated": why, "result": str(hits) if why is None else f"not evaluated: {why}",
        })  # fmt: skip
    columns = {"rule": "RULE", "severity": "SEVERITY", "result": "HITS", "title": "TITLE"}
    emit(rows, columns, as_json=as_json)


@rules_command.command("show")
@click.argument("rule_id")
@json_option
@pass_bench
def show_command(bench: Bench, rule_id: str, as_json: bool) -> None:
    """One rule: why, what to do, thresholds with their sources, controls, and its SQL.

    \b
    Example:
      muster rules show unused
    """
    from passmuster import policy

    rules = policy.load_rules()
    if rule_id not in rules:
        raise UsageError(f"no rule {rule_id!r}{nearest(rule_id, rules)}")
    rule = rules[rule_id]
    params = {**rule.params, **bench.settings.rules.get(rule_id, {})}
    if as_json:
        emit([{
            "rule": rule.id, "title": rule.title, "severity": rule.severity,
            "subject": rule.subject, "params": params, "needs": list(rule.needs),
            "why": rule.why, "fix": rule.fix, "controls": policy.controls(rule),
            "sha256": rule.sha256, "sql": rule.sql,
        }], {}, as_json=True)  # fmt: skip
        return
    print(f"{rule.id}: {rule.title} ({rule.severity}, one finding per {rule.subject})")
    print(f"why   {rule.why}\nfix   {rule.fix}")
    for name, value in params.items():
        source = rule.sources.get(name)
        print(f"set   {name} = {value}" + (f"   {source}" if source else ""))
    for control in policy.controls(rule):
        print(f"maps  {control['framework']} {control['id']} {control['title']}"
              f" ({control['fit']})")  # fmt: skip
    print("The mapping to controls is this project's judgement, not a published crosswalk.")
    print(rule.sql.rstrip())


@rules_command.command("test")
@click.argument("rule", metavar="RULE|FILE.sql")
@click.option("--limit", default=20, show_default=True, help="Hits to show.")
@json_option
@pass_bench
def test_command(bench: Bench, rule: str, limit: int, as_json: bool) -> None:
    """Run a rule, ours or a file of your own, and keep nothing.

    A file runs read-only in a process of its own that may read the inventory and nothing else.

    \b
    Example:
      muster rules test unused
    """
    from passmuster import policy
    from passmuster.policy import sandbox

    need_inventory(bench)
    path = Path(rule)
    rules = policy.load_rules()
    if rule in rules:
        tried = rules[rule]
    elif path.suffix == ".sql":
        try:
            tried = policy.parse(path.read_bytes(), path.stem)
        except OSError as error:
            raise NotFound(f"{path}: {error.strerror}") from None
    else:
        raise UsageError(f"no rule {rule!r}{nearest(rule, rules)}; a file ends in .sql")
    if why := policy.missing(tried, policy.supplied(bench.db)):
        emit([], {}, as_json=as_json)
        talk(f"{tried.id}: not evaluated ({why})")
        return
    params: dict[str, Any] = {**tried.params, **bench.settings.rules.get(rule, {}), "now": now()}
    hits = sandbox.run_untrusted(bench.db.path, tried.sql, params, 1_000_000)
    shown = []
    for subject_id, identity_id, detail in hits[:limit]:
        name = bench.db.value("SELECT display_name FROM identity WHERE id = ?", (identity_id,))
        shown.append({"identity": name, "subject": subject_id, "detail": detail})
    emit(shown, {"identity": "IDENTITY", "detail": "DETAIL"}, as_json=as_json)
    talk(f"{tried.id}: {plural(len(hits), 'hit')}; nothing was kept")


@click.command("findings")
@click.argument("filter_words", nargs=-1, metavar="[FILTER]")
@click.option("--rule", metavar="RULE", help="Only what this rule found.")
@click.option("--fail-on", metavar="SEVERITY", help="Exit 3 if there is one this bad or worse.")
@json_option
@csv_option
@pass_bench
def findings_command(
    bench: Bench, filter_words: tuple[str, ...], rule: str | None, fail_on: str | None,
    as_json: bool, as_csv: bool,
) -> None:  # fmt: skip
    """What the rules found, the riskiest identity first.

    \b
    Examples:
      muster findings --rule unused kind:service
      muster findings --fail-on high
    """
    from passmuster import filters, policy

    if fail_on is not None and fail_on not in SEVERITIES:
        raise UsageError(f"no severity {fail_on!r}{nearest(fail_on, SEVERITIES)}")
    need_inventory(bench)
    bench.refresh()
    where = filters.compile_filter(" ".join(filter_words), now())
    bad = SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on else ()
    failing = 0

    def rows() -> Any:
        nonlocal failing
        for row in policy.findings(bench.db, rule=rule, where=where):
            failing += row["severity"] in bad
            yield row

    columns = {"severity": "SEVERITY", "rule": "RULE", "name": "IDENTITY", "source": "SOURCE",
               "detail": "DETAIL"}  # fmt: skip
    emit(rows(), columns, as_json=as_json, as_csv=as_csv)
    for missed, why in policy.not_evaluated(bench.db).items():
        if rule in (None, missed):
            talk(f"not evaluated: {missed} ({why})")
    if failing:
        raise ConditionMet(f"{plural(failing, 'finding')} of {fail_on} or worse")
