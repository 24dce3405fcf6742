"""The vendor's lines of a plan as a script, for an operator who is connected where muster is not.

The script is text from the connectors, quoted for a POSIX shell; each undo line stands beside its
stop as a comment. Its digest is in the signed result, so what was handed over is known; that it
was run is proved by the next import and by nothing else.
"""

from collections.abc import Sequence
from typing import NamedTuple

from passmuster.remediation._remedy import TASKS, Remedy
from passmuster.remediation._table import record
from passmuster.store import Database
from passmuster.text import plural, sha256, visible

CARRIED: tuple[str, ...] = ("planned", "not_supported", "apply_failed", "object_gone")
HEAD = """\
#!/bin/sh
# {count} that signed decisions ask for, made by `muster remediate script` at {now}.
# Read it before you run it. After it was run, export the sources anew: the import proves it.
# A line that fails does not keep the next from being run; how many failed is said at the end.
failed=0
"""
TAIL = """
[ "$failed" -eq 0 ] || echo "$failed failed" >&2
exit "$((failed > 0))"
"""


class Script(NamedTuple):
    """A script and whose lines are in it."""

    text: str
    remedies: list[Remedy]

    @property
    def sha256(self) -> str:
        """What the results name it by."""
        return sha256(self.text.encode())


def can_carry(remedy: Remedy) -> bool:
    """Whether a script can carry it: there are lines, it is not done, and it can be undone."""
    plan = remedy.plan
    return (
        plan is not None and bool(plan["stop"]) and remedy.verb not in TASKS
        and remedy.state in CARRIED and remedy.undo_class != "R3"
    )  # fmt: skip


def script(run: Sequence[Remedy], now: str) -> Script:
    """The script of those of *run* that one can carry."""
    chosen = [one for one in run if can_carry(one)]
    count = plural(len(chosen), "stop")
    blocks = [_block(one) for one in chosen]
    return Script("".join([HEAD.format(count=count, now=now), *blocks, TAIL]), chosen)


def _block(one: Remedy) -> str:
    assert one.plan is not None
    plan = one.plan
    comments = [
        f"{one.name}: {plan['what']}", f"plan {one.plan_digest}", f"item {one.uri}",
        f"takes up to {plan['propagation_s']} s; goes on nevertheless: {plan['residual']}",
        *(f"undo: {line}" for step in plan["undo"] for line in step.split("\n")),
    ]  # fmt: skip
    lines = "\n".join(plan["stop"])
    return (
        "\n" + "".join(f"# {visible(line)}\n" for line in comments)
        + f"{{\n{lines}\n}} || failed=$((failed + 1))\n"
    )  # fmt: skip


def keep(db: Database, made: Script, now: str) -> list[Remedy]:
    """Record that *made* carries what is in it; to be signed as any result."""
    return [
        record(db, one, "planned", f"handed over as a script, sha256 {made.sha256}", now,
               script=made.sha256)
        for one in made.remedies
    ]  # fmt: skip
