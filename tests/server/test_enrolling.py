"""Invitations, enrolments, the first roster, and who waits to be admitted."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from passmuster import central, keys
from passmuster.attestations import unchecked
from passmuster.central import LIMITS
from passmuster.errors import UsageError
from passmuster.server import _enrolling, _invites
from passmuster.server._http import Problem
from passmuster.text import sha256
from tests.server.people import BASE, BOSS, EYE, OTHER, REV, Place, Somebody, place, replica
from tests.server.postgres import Cluster
from tests.server.test_access import refused


def enrols(who: Somebody, token: str, line: bytes | None = None) -> Any:
    body = {"envelope": (line or who.enrolment()).decode(), "invite": token}
    return who.here.http.post("/v1/enrolments", json=body)


# --- invitations


def test_an_invitation_lets_one_enrolment_in(here: Place) -> None:
    here.team()
    one, other = here.somebody(REV), here.somebody(REV)
    token = here.invitation(REV, "reviewer").token
    answer = enrols(one, token)
    assert answer.status_code == 201
    assert answer.json()["index"] == here.central.newest()[0].size - 1
    assert "was used at" in refused(enrols(other, token), "invite")


def test_whoever_got_no_answer_sends_the_very_same_enrolment_again(here: Place) -> None:
    here.team()
    one, token = here.somebody(REV), here.invitation(REV).token
    line = one.enrolment()
    first = enrols(one, token, line)
    here.clock.seconds += LIMITS.invite_s + 1
    assert enrols(one, token, line).json() == first.json()


def test_of_two_uses_at_once_one_enrolment_comes_in_whichever_replica_they_go_to(
    shared: Place,
) -> None:
    here = shared
    here.team()
    with replica(here) as other:
        for _ in range(6):
            token = here.invitation(REV).token
            people = [p.somebody(REV) for p in (here, other, here, other)]
            barrier = threading.Barrier(len(people))
            got: list[Any] = []

            def go(
                one: Somebody, line: bytes, token: str = token, barrier: Any = barrier,
                got: list[Any] = got,
            ) -> None:  # fmt: skip
                barrier.wait()
                got.append(enrols(one, token, line))

            threads = [threading.Thread(target=go, args=(p, p.enrolment())) for p in people]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(answer.status_code for answer in got) == [201, 403, 403, 403]
    with here.central.store.reading() as tx:
        assert tx.value("SELECT count(*) FROM record WHERE kind = 'enrolment'") == 1 + 6
        assert tx.value("SELECT count(*) FROM admission") == 1 + 6


def test_an_invitation_ends_after_fifteen_minutes(here: Place) -> None:
    here.team()
    early, late = here.invitation(REV).token, here.invitation(REV).token
    here.clock.seconds += LIMITS.invite_s - 1
    assert enrols(here.somebody(REV), early).status_code == 201
    here.clock.seconds += 1
    assert "ended at" in refused(enrols(here.somebody(REV), late), "invite")


def test_an_invitation_is_for_the_one_whom_it_names(here: Place) -> None:
    here.team()
    token = here.invitation(REV).token
    said = refused(enrols(here.somebody(OTHER), token), "invite")
    assert said == f"this invitation is for {REV}, not for {OTHER}"
    assert enrols(here.somebody(REV), token).status_code == 201


def test_an_unknown_invitation_is_worth_nothing(here: Place) -> None:
    here.team()
    assert "not known here" in refused(enrols(here.somebody(REV), "x" * 32), "invite")


def test_an_enrolment_that_is_refused_does_not_use_the_invitation_up(here: Place) -> None:
    here.team()
    token, one = here.invitation(REV).token, here.somebody(REV)
    line = one.enrolment()
    fork = Somebody(here, keys.in_memory(REV), device=one.device).enrolment()
    assert enrols(one, here.invitation(REV).token, line).status_code == 201
    refused(enrols(one, token, fork), "chain-fork")
    assert enrols(here.somebody(REV), token).status_code == 201


def test_only_the_hash_of_an_invitation_is_kept(here: Place) -> None:
    here.team()
    token = here.invitation(REV, "reviewer").token
    enrols(here.somebody(REV), token)
    folder = here.central.settings.folder
    kept = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert token.encode() not in kept
    assert sha256(token.encode()).encode() in kept


def test_who_invited_whom_and_what_came_of_it_is_kept(here: Place) -> None:
    [boss] = here.team(BOSS)
    answer = boss.call("POST", "/v1/invites", json={"principal": REV, "roles": ["reviewer"]})
    made = answer.json()
    assert answer.status_code == 201
    one, began = here.somebody(REV), here.clock()
    here.clock.seconds += 5
    leaf = enrols(one, made["token"]).json()["leaf"]
    with here.central.store.reading() as tx:
        [kept] = [row for row in _invites.invites(tx) if row["principal"] == REV]
    assert kept == {
        "principal": REV, "roles": "reviewer", "made_by": BOSS, "made_at": began,
        "ends_at": made["expires_at"], "used_at": here.clock(), "leaf": leaf,
    }  # fmt: skip


@pytest.mark.parametrize("who", [REV, EYE, OTHER])
def test_only_a_registrar_invites(here: Place, who: str) -> None:
    [one] = here.team(who)
    answer = one.call("POST", "/v1/invites", json={"principal": who, "roles": []})
    assert "for a registrar" in refused(answer, "forbidden")


@pytest.mark.parametrize("body", [
    {"principal": "not an address", "roles": []}, {"principal": REV, "roles": ["king"]},
    {"principal": "*@example.com"}, {"principal": REV, "roles": [], "more": 1}, {}, [],
])  # fmt: skip
def test_an_invitation_for_nobody_is_none(here: Place, body: Any) -> None:
    [boss] = here.team(BOSS)
    refused(boss.call("POST", "/v1/invites", json=body), "bad-request")


# --- enrolments


def test_an_enrolment_in_the_name_of_another_key_is_refused(here: Place) -> None:
    here.team()
    victim, thief = here.somebody(REV), here.somebody(REV)
    mixed = keys.SigningKey(REV, victim.key.fingerprint, victim.key.public, "memory",
                            thief.key.signers)  # fmt: skip
    line = Somebody(here, mixed).enrolment()
    refused(enrols(thief, here.invitation(REV).token, line), "bad-signature")


@pytest.mark.parametrize("line", [b"", b"{}", b"rubbish", b'{"payload":1}'])
def test_what_is_no_enrolment_is_refused_before_the_invitation_is_looked_at(
    here: Place, line: bytes
) -> None:
    here.team()
    token = here.invitation(REV).token
    refused(here.http.post(
        "/v1/enrolments", json={"envelope": line.decode(), "invite": token}
    ), "bad-signature")  # fmt: skip
    assert enrols(here.somebody(REV), token).status_code == 201


def test_another_statement_is_no_enrolment(here: Place) -> None:
    [rev] = here.team(REV)
    line = rev.says("chain", {"head": "0" * 64}, {"knew": None})
    refused(enrols(rev, here.invitation(REV).token, line), "bad-signature")


def test_without_an_invitation_an_enrolment_does_not_come_in_by_another_way(here: Place) -> None:
    rev = here.team(REV)[0]
    [result] = rev.sends(here.somebody(OTHER).enrolment())
    assert (result["status"], result["code"]) == ("rejected", "not-listed")
    body = {"envelope": here.somebody(OTHER).enrolment().decode()}
    refused(here.http.post("/v1/enrolments", json=body), "unauthorized")
    answer = rev.call("POST", "/v1/enrolments", json=body)
    assert "takes invitations only" in refused(answer, "invite")


def test_a_newcomer_who_knows_no_roster_can_enrol_and_nobody_else_may_name_none(
    here: Place,
) -> None:
    [rev] = here.team(REV)
    assert here.roster is not None
    one = here.somebody(OTHER)
    known, here.roster = here.roster, None
    line = one.enrolment()
    said = rev.says("chain", {"head": "0" * 64}, {"knew": None})
    here.roster = known
    assert unchecked(line).predicate["rosterDigest"] is None
    assert enrols(one, here.invitation(OTHER).token, line).status_code == 201
    [result] = rev.sends(said)
    assert (result["status"], result["code"]) == ("rejected", "not-listed")
    assert "names no roster" in result["detail"]


# --- the first roster


def test_the_first_invitation_brings_the_first_roster(here: Place) -> None:
    answer = here.first()
    assert answer.status_code == 201
    assert here.roster is not None
    assert answer.json()["roster"] == here.roster.name
    boss = here.people[BOSS].session()
    assert boss.lines() == ["enrolment", "roster"]


def test_the_first_roster_is_of_whoever_enrols_with_it(here: Place) -> None:
    boss, thief = here.somebody(BOSS), here.somebody(BOSS)
    refused(here.first(who=boss, signer=thief, listed=[thief]), "roster-order")
    refused(here.first(who=boss, signer=thief, listed=[boss]), "roster-order")
    assert here.first(who=here.somebody(BOSS)).status_code == 201


def test_an_invitation_of_a_reviewer_begins_no_roster(here: Place) -> None:
    said = refused(here.first(roles=("reviewer",)), "forbidden")
    assert "no roster in the log yet" in said
    assert here.central.newest()[0].size == 0


def test_a_second_first_roster_is_left_aside_and_its_sender_told_which_one_stands(
    here: Place,
) -> None:
    token = here.invitation(_invites.ANYBODY, *_enrolling.FOUNDERS).token
    here.first()
    first = here.roster
    assert first is not None
    late = here.somebody(OTHER)
    answer = here.first(who=late, invite=token)
    assert answer.status_code == 201
    assert answer.json()["roster"] == first.name
    refused(late.ask())


def test_the_first_roster_comes_no_other_way(here: Place) -> None:
    boss = here.somebody(BOSS)
    line, text = here.version(None, boss, [boss])
    results, _ = here.http.portal.call(  # type: ignore[union-attr]
        here.central.sequencer.submit, [line]
    )
    assert results[0].code in ("not-listed", "blob-missing")
    assert text


def test_a_first_roster_that_is_refused_leaves_nothing(here: Place) -> None:
    token = here.invitation(_invites.ANYBODY, *_enrolling.FOUNDERS).token
    boss = here.somebody(BOSS)
    line, text = here.version(None, boss, [boss])
    body = {"envelope": boss.enrolment().decode(), "invite": token, "roster": line.decode(),
            "allowed_signers": text.decode().replace("boss", "loss")}  # fmt: skip
    refused(here.http.post("/v1/enrolments", json=body), "roster-order")
    with here.central.store.reading() as tx:
        assert tx.value("SELECT count(*) FROM stored_blob") == 0
        assert tx.value("SELECT used_at FROM invite") is None


def test_nobody_enrols_before_there_is_a_roster_and_the_invitation_stays_good(here: Place) -> None:
    rev, token = here.somebody(REV), here.invitation(REV, "reviewer", "registrar").token
    line = rev.enrolment()
    assert "no roster in the log yet" in refused(enrols(rev, token, line), "forbidden")
    here.first()
    assert enrols(rev, token, line).status_code == 201


# --- who waits


def test_registrars_see_who_waits_and_who_invited_them_until_they_are_listed(here: Place) -> None:
    [boss] = here.team(BOSS)
    made = boss.call("POST", "/v1/invites", json={"principal": REV, "roles": ["reviewer"]})
    rev = here.somebody(REV)
    leaf = enrols(rev, made.json()["token"]).json()["leaf"]
    assert boss.call("GET", "/v1/enrolments").json() == [{
        "leaf": leaf, "principal": REV, "fingerprint": rev.key.fingerprint, "roles": ["reviewer"],
        "invited_by": BOSS, "issuer": None, "at": here.clock(),
    }]  # fmt: skip
    line = boss.call("GET", f"/v1/records/{leaf}").content
    assert unchecked(line).predicate["fingerprint"] == rev.key.fingerprint
    here.admit(rev)
    assert boss.call("GET", "/v1/enrolments").json() == []
    assert rev.session().token


@pytest.mark.parametrize(("who", "may"), [(REV, False), (OTHER, False), (EYE, True)])
def test_who_waits_is_for_registrars_and_auditors(here: Place, who: str, may: bool) -> None:
    [one] = here.team(who)
    assert (one.call("GET", "/v1/enrolments").status_code == 200) is may


# --- one string to paste


def test_an_invitation_is_one_string_that_says_where_to_go_and_what_to_trust(here: Place) -> None:
    here.team()
    assert here.roster is not None
    text = _enrolling.invitation(here.central, BASE + "/", REV, ("reviewer",))
    found = central.invitation(f"  {text[:40]}\n{text[40:]} ")
    about = here.http.get("/v1/about").json()
    assert str(found) == text
    assert found.url == BASE
    assert found.pin == central.pin_of(about["key"])
    with here.central.store.reading() as tx:
        line = tx.value("SELECT line FROM record WHERE kind = 'roster' ORDER BY idx LIMIT 1")
    assert found.roster == unchecked(bytes(line)).name
    assert enrols(here.somebody(REV), found.token).status_code == 201


def test_before_there_is_a_roster_the_string_names_none(here: Place) -> None:
    assert here.invitation(_invites.ANYBODY, "registrar").roster is None


SAMPLE = str(central.Invitation("https://c.example/muster", "t" * 32, "p" * 43, "ab" * 32))


def test_a_string_that_is_cut_or_mistyped_is_told_from_a_wrong_one() -> None:
    for at in range(len(SAMPLE) - 1, SAMPLE.index("#"), -7):
        with pytest.raises(UsageError, match="copy the invitation whole"):
            central.invitation(SAMPLE[:at])
    with pytest.raises(UsageError, match="cut off or mistyped"):
        central.invitation(SAMPLE.replace("ttt", "ttu", 1))
    with pytest.raises(UsageError, match="is no invitation"):
        central.invitation("https://c.example")


@pytest.mark.parametrize("url", [
    "http://c.example", "ftp://c.example", "c.example", "https://", "https://a b",
    "https://u:p@c.example", "https://c.example/?x=1", "http://127.0.0.1.evil.example",
])  # fmt: skip
def test_an_address_that_could_be_anybody_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        central.address(url)


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.8.0.1", "http://[::1]:7"])
def test_without_tls_this_machine_alone_is_spoken_to(url: str) -> None:
    assert central.address(url + "/") == url


def test_a_body_with_other_fields_is_refused(here: Place) -> None:
    body = json.dumps({"envelope": "", "invite": "", "admin": True})
    refused(here.http.post("/v1/enrolments", content=body), "bad-request")


def test_the_string_of_the_server_machine_may_leave_out_where_it_is(here: Place) -> None:
    text = _enrolling.invitation(here.central, None, REV, ("reviewer",))
    assert text.startswith("#m1.")
    assert central.invitation(text).url is None


@pytest.mark.parametrize(("who", "roles"), [("nobody", ()), (REV, ("king",)), ("*@x.example", ())])
def test_the_server_machine_invites_no_such_person(
    here: Place, who: str, roles: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError):
        _enrolling.invitation(here.central, BASE, who, roles)


@pytest.mark.ci
def test_between_the_look_at_an_invitation_and_its_use_another_replica_may_have_used_it(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, meanwhile = _invites.look, ["b" * 64]
    with place(tmp_path / "central", database=cluster.database()) as there:
        there.team()
        token, store, now = there.invitation(REV).token, there.central.store, there.clock()

        def look(tx: Any, *said: str) -> Any:
            found = real(tx, *said)
            if meanwhile:
                with store.transaction() as other:
                    _invites.use(other, token, REV, meanwhile.pop(), now)
            return found

        monkeypatch.setattr(_invites, "look", look)
        with pytest.raises(Problem, match="used just now"), store.transaction() as tx:
            _invites.use(tx, token, REV, "a" * 64, now)
        with store.reading() as tx:
            assert tx.value("SELECT leaf FROM invite WHERE principal = ?", (REV,)) == "b" * 64
