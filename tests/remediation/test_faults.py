"""The platform fails at every call of every step: the state is a named one, and nothing is done
twice once it works again.
"""

import itertools

import pytest

from passmuster.remediation import STATES, Remedy
from tests.remediation.conftest import Estate
from tests.remediation.server import FAULTS

SOME = ("500", "late")
"""Faults that are tried each time; the others where there is a minute for it."""
OTHERS = [f for f in FAULTS if f not in SOME]


def rounds(estate: Estate, one: Remedy, fault: str, step: str) -> int:
    """*fault* at each call of *step* in turn, each in a whole loop; how many calls it has."""
    for number in itertools.count():
        estate.toy.writes.clear()
        before = dict(estate.toy.objects["svc-a"])
        for name in ("apply", "verify", "restore"):
            do = getattr(estate, name)
            if name == step:
                estate.toy.calls.clear()
                estate.toy.faults = {number: fault}
                (one,) = do(one)
                estate.toy.faults = {}
                assert one.state in STATES, (fault, number)
                if number >= len(estate.toy.calls):
                    return number
                assert one.state != "object_gone" or fault == "404"
            (one,) = do(one)  # run again
        assert one.state == "reverted", (fault, number, one.said)
        assert estate.toy.writes == ["PUT svc-a"] * 2, (fault, number)
        assert estate.toy.objects["svc-a"] == before
    raise AssertionError


@pytest.mark.parametrize(
    "fault", [*SOME, *(pytest.param(fault, marks=pytest.mark.ci) for fault in OTHERS)]
)
@pytest.mark.parametrize(("step", "calls"), [("apply", 3), ("verify", 1), ("restore", 3)])
def test_a_fault_at_any_call_leaves_a_named_state_and_nothing_is_done_twice(
    estate: Estate, revoked: Remedy, fault: str, step: str, calls: int
) -> None:
    assert rounds(estate, revoked, fault, step) == calls


@pytest.mark.parametrize("fault", FAULTS)
def test_a_verification_that_fails_is_no_refusal(
    estate: Estate, revoked: Remedy, fault: str
) -> None:
    (one,) = estate.apply(revoked)
    estate.toy.faults = {len(estate.toy.calls): fault}
    (one,) = estate.verify(one)
    if fault == "half":  # a status says it, whatever comes after it
        assert one.verdict in ("refused", "unknown")
    else:
        assert (one.state, one.verdict) == ("applied", "unknown")


def test_what_was_not_answered_is_looked_at_before_it_is_sent_again(
    estate: Estate, revoked: Remedy
) -> None:
    """The write was done, its answer and the question after it were lost."""
    estate.toy.calls.clear()
    estate.toy.faults = {1: "late", 2: "nothing"}
    (one,) = estate.apply(revoked)
    assert one.state == "apply_failed" and "not known whether it was done" in one.said
    estate.toy.calls.clear()
    (one,) = estate.apply(one)
    assert one.state == "applied" and estate.toy.calls == ["GET /objects/svc-a"]
    assert estate.toy.writes == ["PUT svc-a"]


def test_the_first_saved_state_is_the_one_that_is_put_back(estate: Estate, revoked: Remedy) -> None:
    """A run that failed after the write must not take the stopped state for the one before."""
    before = dict(estate.toy.objects["svc-a"])
    estate.toy.calls.clear()
    estate.toy.faults = {1: "late", 2: "nothing"}
    (one,) = estate.apply(revoked)
    (one,) = estate.apply(one)
    estate.restore(one)
    assert estate.toy.objects["svc-a"] == before
