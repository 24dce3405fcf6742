"""The protocol as a state machine over the real workspaces and the real server.

Two people sign and sync; requests and answers are lost, cut, sent twice; processes end in the
middle; the server is set back to a backup, without knowing it. At the end the network heals, the
operator recovers the log where somebody found it set back, and then everything that anybody has
signed must be in the log, once, and every desk must have verified all of it.

`python -m tests.sync.machine 1800 25` explores for that many seconds with runs of up to 25 steps;
`MUSTER_SEED` is the first seed (1 where it is not set), each hundred runs take the next one.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from passmuster import server, tlog
from passmuster.central import Limits
from passmuster.errors import MusterError, Unreachable, VerificationFailed
from tests.sync.town import BOSS, REV, Desk, Plan, Town, built
from tests.sync.town import plan as make_plan

FATES = st.lists(
    st.sampled_from(["ok", "ok", "ok", "no_request", "no_reply", "half", "twice"]), max_size=7
)
ENDS = st.sampled_from([
    None, None, None, "blob", "records", "results", "stage", "cover", "apply", "apply", "follow",
])  # fmt: skip
"""The step before which the process ends."""
End = str | None
WHO = st.sampled_from([BOSS, REV])


def other(who: str) -> str:
    """The other one of the two."""
    return REV if who == BOSS else BOSS


class Crash(BaseException):
    """The process ends."""


class Network(RuleBasedStateMachine):
    """What may happen, in any order."""

    plan: ClassVar[Plan]
    runs: ClassVar[int] = 0
    steps: ClassVar[int] = 0
    """Of all runs of this process."""

    def __init__(self) -> None:
        super().__init__()
        Network.runs += 1
        self.folder = Path(tempfile.mkdtemp(prefix="muster-model-"))
        self.open = ExitStack()
        self.town: Town = self.open.enter_context(built(self.plan, self.folder / "town"))
        self.said: list[str] = []
        self.backup: tuple[int, dict[str, bytes]] | None = None
        self.restored_to: int | None = None
        """The smallest size that was restored since the last recovery."""
        self.was_restored = False

    def sign(self, who: str) -> None:
        self.said.append(f"{len(self.said)} of {who}")
        self.town.desks[who].says(self.said[-1])

    def plainly(self, who: str, signs: int) -> None:
        """Sign and sync without a fault."""
        self.sync_of(who, signs, [], None, 3)

    @rule(
        who=WHO, signs=st.integers(0, 2), news=st.integers(0, 2), fates=FATES, end=ENDS,
        page=st.integers(1, 3),
    )  # fmt: skip
    def sync(
        self, who: str, signs: int, news: int, fates: list[str], end: End, page: int
    ) -> None:  # fmt: skip
        """The other one has sent something; then somebody syncs, and it fails as it is drawn."""
        if news:
            self.plainly(other(who), news)
        self.sync_of(who, signs, fates, end, page)

    def sync_of(self, who: str, signs: int, fates: list[str], end: End, page: int) -> None:
        for _ in range(signs):
            self.sign(who)
        desk = self.town.desks[who]
        left = list(fates)

        def before(step: str) -> None:
            if step == end:
                raise Crash

        desk.wire.fate = lambda *_: left.pop(0) if left else "ok"
        desk.before, desk.limits = before, Limits(feed=page, records=2)
        try:
            desk.sync()
        except Crash:
            desk.reopen()
        except Unreachable:
            pass  # what could not be sent is sent the next time
        except VerificationFailed as error:
            assert self.was_restored, f"false alarm: {error}"
        finally:
            desk.wire.fate, desk.before = (lambda *_: "ok"), (lambda _: None)
        self.comes_late(desk)

    @staticmethod
    def comes_late(desk: Desk) -> None:
        """A page of an earlier time arrives."""
        kept = tlog.staged(desk.db)
        assert not tlog.stage(desk.db, kept - 1, [tlog.Fed(b"\1" * 32, None)])
        assert tlog.staged(desk.db) == kept

    @invariant()
    def one_more(self) -> None:
        """After each step, and once before the first."""
        Network.steps += 1

    @rule()
    def make_backup(self) -> None:
        self.backup = len(self.town.server.lines), self.town.server.backup()

    @rule(
        who=WHO, ahead=st.integers(1, 2), behind=st.sampled_from([0, 1, 2, 3, 3]), old=st.booleans()
    )
    def restore(self, who: str, ahead: int, behind: int, old: bool) -> None:
        """The disk died, and nobody noticed that the backup is old; the anchor was on it too.

        *who* has seen more than it has; the other one may go on with it first.
        """
        kept = self.backup if old else None
        size, files = kept or (len(self.town.server.lines), self.town.server.backup())
        self.plainly(who, ahead)
        with self.town.server.stopped():
            self.town.server.put_back(files)
        self.was_restored = True
        self.restored_to = min(size, size if self.restored_to is None else self.restored_to)
        if behind:
            self.plainly(other(who), behind)

    @precondition(lambda self: self.found_out)
    @rule()
    def repair(self) -> None:
        """Somebody's sync was halted, and the operator hears of it."""
        self.recover()

    @property
    def found_out(self) -> bool:
        """Whether somebody knows that the log was set back."""
        return any(tlog.pinned(desk.db).halted for desk in self.town.desks.values())

    def recover(self) -> None:
        """The operator does what the page about recovery says."""
        at = self.town.server
        size = min(len(at.lines), len(at.lines) if self.restored_to is None else self.restored_to)
        with at.stopped():
            server.recover(at.here.settings, size, "it was set back")
        self.restored_to = None
        self.backup = None

    def heal(self, desk: Desk) -> bool:
        """Sync without faults; whether that went well."""
        desk.limits = Limits()
        try:
            desk.sync()
        except Unreachable as error:
            assert self.was_restored, f"cannot sync: {error}"
            return False
        except VerificationFailed as error:
            assert self.was_restored, f"false alarm: {error}"
            return False
        return True

    def teardown(self) -> None:
        try:
            self._end()
        finally:
            self.open.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        desks = list(self.town.desks.values())
        well = [self.heal(desk) for _ in range(2) for desk in desks]
        if not all(well):
            self.recover()
            well = [self.heal(desk) for _ in range(3) for desk in desks]
            assert all(well[-2:]), "the statement of recovery is not followed"
        lines = self.town.server.lines
        assert len(lines) == len(set(lines)), "there twice"
        for desk in desks:
            assert desk.words == sorted(self.said), f"lost: {set(self.said) - set(desk.words)}"
            there = {e.envelope for e in tlog.entries(desk.db)}
            assert there == set(lines), f"{desk.me} has other records than the log"
            at = tlog.pinned(desk.db)
            assert (at.size, at.halted, tlog.unsent(desk.db)) == (len(lines), None, 0)
            assert tlog.rejected(desk.db) == []
            assert tlog.void(desk.db) == []
            assert self.was_restored or not tlog.halts(desk.db), "evidence against nobody"


def explore(plan: Plan, examples: int, steps: int = 12, seed: int | None = None) -> None:
    """Run the machine; raises what it found. Always the same runs for the same numbers."""
    machine: Any = type("Network", (Network,), {"plan": plan})
    if seed is not None:
        machine = seeded(seed)(machine)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), derandomize=seed is None, print_blob=False,
            phases=[Phase.generate],
        ),
    )  # fmt: skip


def finds(plan: Plan, examples: int, look: Callable[[BaseException], bool]) -> bool:
    """Whether the machine finds something that *look* knows."""
    try:
        explore(plan, examples)
    except (AssertionError, MusterError, KeyError) as error:
        return look(error)
    return False


def explore_for(seconds: float, steps: int, seed: int) -> None:
    """Run the machine from *seed* on until the time is over, and print what was done."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="muster-rest-") as folder:
        at_rest = make_plan(Path(folder), synced=True)
        while time.monotonic() - begun < seconds:
            explore(at_rest, 100, steps, seed)
            spent = time.monotonic() - begun
            done = Network.steps - Network.runs
            print(f"seed {seed}: {Network.runs} runs, {done} steps, {spent:.0f} s", flush=True)
            seed += 1


if __name__ == "__main__":
    explore_for(float(sys.argv[1]), int(sys.argv[2]), int(os.environ.get("MUSTER_SEED", "1")))
