"""kill -9 between any two steps: the next run goes on, and does nothing twice."""

import signal
import subprocess
import sys

import pytest

from passmuster import remediation, tlog
from passmuster.remediation import Remedy
from tests.conftest import REPOSITORY
from tests.remediation import killed
from tests.remediation.conftest import Estate


@pytest.mark.ci
def test_a_run_that_is_killed_anywhere_is_ended_by_the_next(
    estate: Estate, revoked: Remedy
) -> None:
    before = dict(estate.toy.objects["svc-a"])
    kills = 0
    for number in range(1, 100):
        estate.toy.writes.clear()
        code = run(estate, number)
        kills += code != 0
        if code:
            assert code == -signal.SIGKILL
            estate.live = estate.live or estate.connect("toy:t1")
            killed.run(estate.db, estate.live)
        (one,) = remediation.remedies(estate.db)
        assert one.state == "reverted", (number, one)
        assert estate.toy.writes == ["PUT svc-a"] * 2, number
        assert estate.toy.objects["svc-a"] == before
        assert not remediation.unsigned(estate.db)
        if not code:
            break
        anew(estate, one)
    assert kills > 20, "it was killed at each step"
    assert tlog.check(estate.db)


def run(estate: Estate, number: int) -> int:
    words = [sys.executable, "-m", "tests.remediation.killed", str(estate.db.path.parent),
             estate.toy.url, str(number)]  # fmt: skip
    return subprocess.run(words, cwd=REPOSITORY, timeout=60, check=False).returncode


def anew(estate: Estate, one: Remedy) -> None:
    """As it was planned, for the next round."""
    with estate.db.atomic():
        estate.db.execute(
            "UPDATE remediation SET state = 'planned', prior_id = NULL, sent_at = NULL,"
            " restoring_at = NULL WHERE name = ?", (one.name,),
        )  # fmt: skip
