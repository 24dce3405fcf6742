"""A run is held up that would stop more than somebody can have meant, also in several pieces."""

import json

import pytest

from passmuster import remediation
from passmuster.config import Settings
from passmuster.model import Change
from passmuster.remediation import Remedy, Tripped
from tests.conftest import Muster
from tests.remediation.conftest import Estate
from tests.remediation.test_command import command

__all__ = ["command"]
SOON, LATER = "2026-11-25T00:59:00Z", "2026-11-25T02:00:00Z"


def planned(estate: Estate, *uids: str) -> list[Remedy]:
    at = estate.opened()
    for uid in uids:
        estate.decide(at, uid, "disable")
    estate.sign_off(at)
    return remediation.plan(estate.db, estate.clock())


def held(
    estate: Estate, run: list[Remedy], now: str = SOON, *, most: int = 99, percent: int = 100
) -> Tripped | None:
    settings = Settings(stop_most=most, stop_percent=percent)
    return remediation.breaker(estate.db, run, settings, now)


def test_it_counts_identities_and_not_their_keys(estate: Estate) -> None:
    run = planned(estate, "svc-a", "svc-b")
    tripped = held(estate, run, most=1)
    assert tripped and tripped.identities == 2 and "stop_most is 1" in tripped.why[0]
    assert not held(estate, run, percent=67) and held(estate, run, percent=66)
    assert not held(estate, run[:1], percent=1)
    estate.apply(*run)
    assert not held(estate, list(remediation.remedies(estate.db)), most=1), "it is done"


def test_two_keys_of_one_identity_are_one(estate: Estate) -> None:
    at = estate.opened()
    both = [Change("disable", f"svc-a-k{n}") for n in (1, 2)]
    estate.decide(at, "svc-a", "approve", changes=both)
    estate.sign_off(at)
    run = remediation.plan(estate.db, estate.clock())
    assert len(run) == 2 and not held(estate, run, most=1, percent=1)


def test_one_run_in_two_pieces_is_one_run(estate: Estate) -> None:
    first, *rest = planned(estate, "svc-a", "svc-b", "svc-c")
    estate.apply(first)
    tripped = held(estate, rest, most=2)
    assert tripped and tripped.identities == 2
    assert "2 identities in one run, and 1 stopped or tried in the hour before" in tripped.why[0]
    assert held(estate, rest, percent=99) and not held(estate, rest, percent=100)
    assert not held(estate, rest, LATER, most=2, percent=99), "that was longer ago"
    assert not held(estate, rest[:1], percent=1), "a share holds up no single one"


@pytest.mark.parametrize("fault", ["500", "nothing", "403"])
def test_what_an_earlier_run_tried_in_vain_counts_as_well(estate: Estate, fault: str) -> None:
    first, *rest = planned(estate, "svc-a", "svc-b", "svc-c")
    estate.toy.faults = dict.fromkeys(range(99), fault)
    (failed,) = estate.apply(first)
    assert failed.state == "apply_failed"
    assert held(estate, rest, most=2) and not held(estate, rest, LATER, most=2)
    again = [failed, *rest]
    assert not held(estate, again, most=3), "what is tried again is counted once"


def test_what_was_put_back_counts_no_more(estate: Estate) -> None:
    first, *rest = planned(estate, "svc-a", "svc-b", "svc-c")
    estate.restore(*estate.apply(first))
    assert not held(estate, rest, most=2)


def test_asking_again_is_no_stop(estate: Estate) -> None:
    """A stop of last week that is verified now is none of this hour."""
    first, *rest = planned(estate, "svc-a", "svc-b", "svc-c")
    estate.apply(first)
    estate.ticks = 90
    estate.verify(first)
    assert not held(estate, rest, "2026-11-25T01:40:00Z", most=2)


def test_by_command_the_second_piece_is_held_up(command: Muster, estate: Estate) -> None:
    for uid in ("svc-d", "svc-e"):
        estate.toy.account(uid)
    estate.bring_in("2026-11-23T09:00:00Z")
    settings = estate.db.path.parent / "config.toml"
    settings.write_text(f"stop_most = 2\nstop_percent = 99\n{settings.read_text()}")
    names = [one.name for one in planned(estate, "svc-a", "svc-b", "svc-d")]
    command("remediate", "apply", *names[:2], "--yes")
    done = command("remediate", "apply", names[2], "--yes", code=1)
    assert "1 identity in one run, and 2 stopped or tried" in done.stderr
    assert "--all-of-them 1" in done.stderr
    (one,) = json.loads(
        command("remediate", "apply", names[2], "--all-of-them", "1", "--json").stdout
    )
    assert one["state"] == "applied"
