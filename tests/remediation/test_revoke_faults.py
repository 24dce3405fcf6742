"""The platform fails at every call of an emergency: a named state, a signed record, and the same
command goes on.
"""

import pytest

from passmuster import campaigns, remediation, tlog
from tests.remediation import urgently
from tests.remediation.conftest import Estate
from tests.remediation.server import FAULTS

CALLS = 4
"""Read, write, read back, ask."""


@pytest.fixture(autouse=True)
def of_svc_a(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urgently, "UID", "svc-a")
    monkeypatch.setattr(urgently, "KEY", "svc-a-k1")


@pytest.mark.ci
@pytest.mark.parametrize("call", range(CALLS))
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_fails_is_named_signed_and_gone_on_with(
    estate: Estate, fault: str, call: int
) -> None:
    before = len(estate.toy.calls)
    estate.toy.faults = {before + call: fault}
    first = urgently.run(estate.db, estate.toy.url)
    assert first.remedy.state in remediation.STATES
    assert first.statements and not first.unsigned
    if first.is_proved:
        assert len(estate.toy.writes) == 1
    estate.toy.faults = {}
    again = urgently.run(estate.db, estate.toy.url)
    assert again.is_proved, (first.remedy, again.remedy)
    assert again.emergency == first.emergency, "decided once"
    assert estate.toy.writes == ["PUT svc-a/svc-a-k1"], "stopped once"
    assert len(campaigns.unreviewed(estate.db)) == 1
    (back,) = estate.restore(again.remedy)
    assert back.state == "reverted" and estate.toy.objects["svc-a/svc-a-k1"]["enabled"]
    assert tlog.check(estate.db)
