"""kill -9 between any two steps of an emergency: decided at most once, stopped once, all signed."""

import signal
import subprocess
import sys

import pytest

from passmuster import campaigns, remediation, tlog
from tests.conftest import REPOSITORY
from tests.remediation import urgently
from tests.remediation.conftest import Estate


@pytest.mark.ci
def test_whoever_is_killed_anywhere_goes_on_with_the_same_command(estate: Estate) -> None:
    """Each round is of another thing: a decision is final, so no round can begin anew."""
    kills, number, decided_first = 0, 0, 0
    while True:
        number += 1
        uid = f"svc-n{number}"
        estate.toy.account(uid, f"{uid}-k1")
        estate.bring_in(f"2026-11-23T09:{number:02}:00Z")
        code = killed_at(estate, uid, number)
        standing = campaigns.unreviewed(estate.db)
        before = [one for one in standing if uid in one.uri]
        stopped = f"PUT {uid}/{uid}-k1" in estate.toy.writes
        assert not stopped or before, "a stop that nobody answers for"
        decided_first += bool(before) and not stopped
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kills += 1
        urgently.UID, urgently.KEY = uid, f"{uid}-k1"
        result = urgently.run(estate.db, estate.toy.url)
        assert result.is_proved
        assert estate.toy.writes.count(f"PUT {uid}/{uid}-k1") == 1
        assert sum(uid in one.uri for one in campaigns.unreviewed(estate.db)) == 1
        (again,) = estate.restore(result.remedy)
        assert again.state == "reverted", "what was saved before the kill is put back"
        remediation.sign(estate.db, estate.rev, estate.clock())
    assert kills > 12
    assert decided_first > 3
    assert not remediation.unsigned(estate.db)
    assert tlog.check(estate.db)


def killed_at(estate: Estate, uid: str, number: int) -> int:
    code = (
        "import sys; from tests.remediation import urgently as u;"
        f" u.UID, u.KEY = {uid!r}, {uid + '-k1'!r}; u.main(*sys.argv[1:])"
    )
    words = [sys.executable, "-c", code, str(estate.db.path.parent), estate.toy.url, str(number)]
    return subprocess.run(words, cwd=REPOSITORY, timeout=60, check=False).returncode
