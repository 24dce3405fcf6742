"""The vendor's lines of a plan as a script, for an operator who is connected where muster is not.

The lines are text from the connectors, quoted for the shell that they are for, and a script has
lines of one shell alone; each undo line stands beside its stop as a comment. Its digest is in the
signed result, so what was handed over is known; that it was run is proved by the next import and by
nothing else.
"""

from collections.abc import Sequence
from typing import NamedTuple

from passmuster.remediation._remedy import TASKS, Remedy
from passmuster.remediation._table import record
from passmuster.store import Database
from passmuster.text import plural, sha256, visible

CARRIED: tuple[str, ...] = ("planned", "not_supported", "apply_failed", "object_gone")
HEAD = """\
# {count} that signed decisions ask for, made by `muster remediate script` at {now}.
# Read it before you run it. After it was run, export the sources anew: the import proves it.
# A line that fails does not keep the next from being run; how many failed is said at the end.
"""


class _Shell(NamedTuple):
    """How a script of one shell is written."""

    first: str
    begin: str
    """What stands after the head."""
    block: str
    """One stop: its `{lines}`."""
    end: str
    coding: str


SHELLS = {
    "sh": _Shell(
        "#!/bin/sh\n", "failed=0\n", "{{\n{lines}\n}} || failed=$((failed + 1))\n",
        '\n[ "$failed" -eq 0 ] || echo "$failed failed" >&2\nexit "$((failed > 0))"\n', "utf-8",
    ),
    "powershell": _Shell(
        "", "$ErrorActionPreference = 'Stop'\n$failed = 0\n",
        "try {{\n{lines}\n}} catch {{\n"
        '[Console]::Error.WriteLine("$_")\n$failed++\n}}\n',
        '\nif ($failed) {\n[Console]::Error.WriteLine("$failed failed")\n}\n'
        "exit [int]($failed -gt 0)\n",
        "utf-8-sig",  # Windows PowerShell 5.1 takes a file without its mark for another code page
    ),
}  # fmt: skip


class Script(NamedTuple):
    """A script and whose lines are in it."""

    shell: str
    data: bytes
    remedies: list[Remedy]

    @property
    def sha256(self) -> str:
        """What the results name it by."""
        return sha256(self.data)


def can_carry(remedy: Remedy) -> bool:
    """Whether a script can carry it: there are lines, it is not done, and it can be undone."""
    plan = remedy.plan
    return (
        plan is not None and bool(plan["stop"]) and remedy.verb not in TASKS
        and remedy.state in CARRIED and remedy.undo_class != "R3"
    )  # fmt: skip


def scripts(run: Sequence[Remedy], now: str) -> list[Script]:
    """The scripts of those of *run* that one can carry: at most one for each shell."""
    by_shell: dict[str, list[Remedy]] = {name: [] for name in SHELLS}
    for one in filter(can_carry, run):
        assert one.plan is not None
        by_shell[one.plan.get("shell", "sh")].append(one)  # plans of before have none
    return [_script(name, chosen, now) for name, chosen in by_shell.items() if chosen]


def _script(name: str, chosen: list[Remedy], now: str) -> Script:
    shell = SHELLS[name]
    head = HEAD.format(count=plural(len(chosen), "stop"), now=now)
    blocks = [_block(one, shell) for one in chosen]
    text = "".join([shell.first, head, shell.begin, *blocks, shell.end])
    return Script(name, text.encode(shell.coding), chosen)


def _block(one: Remedy, shell: _Shell) -> str:
    assert one.plan is not None
    plan = one.plan
    comments = [
        f"{one.name}: {plan['what']}", f"plan {one.plan_digest}", f"item {one.uri}",
        f"takes up to {plan['propagation_s']} s; goes on nevertheless: {plan['residual']}",
        *(f"undo: {line}" for step in plan["undo"] for line in step.split("\n")),
    ]  # fmt: skip
    said = "".join(f"# {visible(line)}\n" for line in comments)
    return "\n" + said + shell.block.format(lines="\n".join(plan["stop"]))


def keep(db: Database, made: Script, now: str) -> list[Remedy]:
    """Record that *made* carries what is in it; to be signed as any result."""
    return [
        record(db, one, "planned", f"handed over as a script, sha256 {made.sha256}", now,
               script=made.sha256)
        for one in made.remedies
    ]  # fmt: skip
