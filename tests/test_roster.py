"""Rosters: which may follow which, who counts, and by what a statement is judged."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from passmuster import attestations, roster, store, tlog
from passmuster.attestations import Attestation, Link
from passmuster.errors import Conflict, UsageError, VerificationFailed
from passmuster.keys import SigningKey
from passmuster.model import SSH_NAMESPACE
from passmuster.roster import Line, Person, Roster
from passmuster.store import Database
from passmuster.text import canonical, sha256
from tests.scene import BOSS, NOW, REV, SECOND, key

T0, T1, T2, T3 = (f"2026-11-2{n}T12:00:00Z" for n in range(4))
A, B, C, ROBOT = "a@example.com", "b@example.com", "c@example.com", "bot@example.com"
KA, KB, KC, KR = (key(who, seed) for who, seed in ((A, 11), (B, 12), (C, 13), (ROBOT, 14)))
CHAIN = "c" * 32


def line(one: SigningKey, after: str | None = T0, before: str | None = None,
         principal: str | None = None) -> Line:  # fmt: skip
    return Line(principal or one.principal, " ".join(one.public.split()[:2]), after, before)


def person(principal: str, *roles: str, kind: str = "person", uid: str | None = None) -> Person:
    return Person(principal, kind, roster.given_roles(roles or ("registrar",)), uid)  # type: ignore[arg-type]


THREE = (person(A), person(B), person(C, "reviewer"))
LINES = (line(KA), line(KB), line(KC))


def made(
    before: Roster | None, *signers: SigningKey, people: Sequence[Person] = THREE,
    lines: Sequence[Line] = LINES, threshold: int = 2, at: str = T1,
    pins: frozenset[str] = frozenset(), instead: dict[str, Any] | None = None,
) -> tuple[bytes, bytes]:  # fmt: skip
    """(envelope, allowed_signers) of a version that may be wrong in any way."""
    text = roster.written(tuple(lines))
    version, previous = (before.version + 1, before.name) if before else (1, None)
    more = instead or {}
    said = roster.body(version, previous, threshold, tuple(people), pins) | more
    said_previous = more.get("previous", previous)
    link = Link(CHAIN, more.get("version", version), said_previous, said_previous)
    payload = attestations.statement("roster", {"allowed_signers": sha256(text)}, said, link, at, A)
    return attestations.sign(payload, *signers), text


def succeed(made_: tuple[bytes, bytes], before: Roster | None = None) -> Roster:
    return roster.succeed(*made_, before)


@pytest.fixture
def one() -> Roster:
    """Version 1: two of A and B must sign; C reviews."""
    return succeed(made(None, KA, KB, at=T0))


def test_only_the_enrolment_of_a_newcomer_may_name_no_roster(one: Roster) -> None:
    # who has just made a key, and comes to a team, has seen none of its rosters
    body = {"publicKey": KR.public, "fingerprint": KR.fingerprint, "keyKind": "software",
            "store": "memory"}  # fmt: skip
    for named, why in ((None, None), (one.name, None), ("0" * 64, "not in the log before it")):
        link = Link("d" * 32, 1, None, named)
        payload = attestations.statement("enrolment", {"key.pub": "0" * 64}, body, link, T1, ROBOT)
        said = attestations.unchecked(attestations.sign(payload, KR))
        if why is None:
            assert roster.judge(said, [one], [one], None) is not None
        else:
            with pytest.raises(VerificationFailed, match=why):
                roster.judge(said, [one], [one], None)
    payload = attestations.statement("chain", {}, {}, Link("d" * 32, 1, None, None), T1, A)
    with pytest.raises(VerificationFailed, match="names no roster"):
        roster.judge(attestations.unchecked(attestations.sign(payload, KA)), [one], [one], None)


# --- succession


def test_a_version_follows_when_enough_of_the_old_and_of_its_own_signed(one: Roster) -> None:
    people = (person(A), person(B), person(C, "registrar"))
    two = succeed(made(one, KA, KB, people=people), one)
    assert (two.version, two.previous) == (2, one.name)
    three = succeed(made(two, KB, KC, people=people, at=T2), two)
    assert three.version == 3


@pytest.mark.parametrize(("signers", "why"), [
    ((KA,), "signed by 1 of the 2 people who must sign as registrars of the version before"),
    ((KA, KC), "signed by 1 of the 2 .* of the version before"),  # C is a registrar of the new only
    ((KC,), "signed by 0 of the 2 .* of the version before"),
])  # fmt: skip
def test_a_version_signed_by_too_few_of_the_old_registrars_is_refused(
    one: Roster, signers: tuple[SigningKey, ...], why: str
) -> None:
    people = (person(A), person(B), person(C, "registrar"))
    with pytest.raises(VerificationFailed, match=why):
        succeed(made(one, *signers, people=people), one)


def test_a_version_signed_by_too_few_of_its_own_registrars_is_refused(one: Roster) -> None:
    people = (person(A), person(B), person(C, "registrar"))
    with pytest.raises(VerificationFailed, match=r"signed by 2 of the 3 .* of its own"):
        succeed(made(one, KA, KB, people=people, threshold=3), one)


def test_the_first_version_needs_its_own_threshold() -> None:
    with pytest.raises(VerificationFailed, match="signed by 1 of the 2"):
        succeed(made(None, KA))


@pytest.mark.parametrize(("more", "why"), [
    ({"version": 3}, "skips a version"),
    ({"version": 1, "previous": None}, "a step back"),
    ({"previous": "0" * 64}, "follows another version"),
])  # fmt: skip
def test_a_version_out_of_its_order_is_refused(one: Roster, more: dict[str, Any], why: str) -> None:
    with pytest.raises(VerificationFailed, match=why):
        succeed(made(one, KA, KB, instead=more), one)


def test_going_back_to_an_earlier_version_is_refused(one: Roster) -> None:
    first = made(None, KA, KB, at=T0)
    two = succeed(made(one, KA, KB), one)
    with pytest.raises(VerificationFailed, match="a step back"):
        succeed(first, two)
    with pytest.raises(VerificationFailed, match="has no version before it"):
        succeed(made(one, KA, KB), None)


def test_a_version_of_other_rosters_is_refused(one: Roster) -> None:
    with pytest.raises(VerificationFailed, match="follows another version"):
        succeed(made(one, KA, KB), replace(one, device="d" * 32))


def test_a_version_that_is_older_than_the_one_before_is_refused(one: Roster) -> None:
    two = succeed(made(one, KA, KB, at=T2), one)
    with pytest.raises(VerificationFailed, match="older than"):
        succeed(made(two, KA, KB, at=T1), two)


def test_one_key_under_two_names_counts_once(one: Roster) -> None:
    """Two signatures of A's key under two key ids; and two keys of one human being."""
    envelope, text = made(one, KA)
    twice = json.loads(envelope)
    (_, ssh) = twice["signatures"]
    twice["signatures"] = [ssh, ssh | {"keyid": f"sshsig:{KB.fingerprint}"}]
    with pytest.raises(VerificationFailed, match="names another key"):
        roster.succeed(canonical(twice), text, one)
    same = (person(A, uid="p1"), person(B, uid="P1"), person(C))
    with pytest.raises(VerificationFailed, match="signed by 1 of the 2"):
        succeed(made(None, KA, KB, people=same))
    assert succeed(made(None, KA, KC, people=same)).version == 1


def test_a_key_that_is_listed_for_two_people_is_refused() -> None:
    shared = (*LINES[:2], line(KA, principal=C))
    with pytest.raises(VerificationFailed, match="for two people"):
        succeed(made(None, KA, KB, lines=shared))
    one = (person(A, uid="p1"), person(B), person(C, uid="p1"))
    with pytest.raises(VerificationFailed, match="signed by 1 of the 2"):
        succeed(made(None, KA, people=one, lines=shared))


def test_a_robot_counts_as_nobody() -> None:
    people = (person(A), person(B), person(ROBOT, "reviewer", kind="robot"))
    lines = (*LINES[:2], line(KR))
    with pytest.raises(VerificationFailed, match="signed by 1 of the 2"):
        succeed(made(None, KA, KR, people=people, lines=lines))
    for role in ("registrar", "second"):
        wrong = (person(A), person(B), person(ROBOT, role, kind="robot"))
        with pytest.raises(VerificationFailed, match="is a robot"):
            succeed(made(None, KA, KB, people=wrong, lines=lines))
    both = (person(A), person(B), person(ROBOT, "reviewer", kind="robot", uid=A))
    with pytest.raises(VerificationFailed, match="for two people"):
        succeed(made(None, KA, KB, people=both, lines=(*LINES[:2], line(KA, principal=ROBOT))))


def test_a_registrar_whose_key_has_ended_counts_no_more(one: Roster) -> None:
    two = succeed(made(one, KA, KB, people=(*THREE[:2], person(C)),
                       lines=(LINES[0], line(KB, before=T2), LINES[2])), one)  # fmt: skip
    people, lines = two.people, two.lines
    assert succeed(made(two, KA, KB, people=people, lines=lines, at=T2), two).version == 3
    with pytest.raises(VerificationFailed, match="signed by 1 of the 2"):
        succeed(made(two, KA, KB, people=people, lines=lines, at=T3), two)


def test_a_roster_that_could_not_be_followed_is_refused() -> None:
    with pytest.raises(VerificationFailed, match="needs 3 registrars and has 2"):
        succeed(made(None, KA, KB, threshold=3))


def test_a_key_is_ended_and_never_taken_out_or_made_good_for_longer(one: Roster) -> None:
    with pytest.raises(VerificationFailed, match=r"drops .* never taken out"):
        succeed(made(one, KA, KB, people=THREE[:2], lines=LINES[:2]), one)
    ended = (*LINES[:2], line(KC, before=T2))
    two = succeed(made(one, KA, KB, lines=ended), one)
    for longer in (None, T3):
        with pytest.raises(VerificationFailed, match="valid for longer"):
            succeed(made(two, KA, KB, lines=(*LINES[:2], line(KC, before=longer)), at=T2), two)
    again = (*ended, line(KC, after=T3))
    assert succeed(made(two, KA, KB, lines=again, at=T2), two).version == 3


def test_a_strangers_signature_on_a_roster_is_refused(one: Roster) -> None:
    with pytest.raises(VerificationFailed, match="not among the known keys"):
        succeed(made(one, KA, KB, key(A, 99)), one)


def test_a_raw_signature_alone_does_not_count(one: Roster) -> None:
    """Stock tools check the other form, and must count the same people."""
    raw = replace(KB, signers=KB.signers[:1])
    with pytest.raises(VerificationFailed, match="signed by 1 of the 2"):
        succeed(made(one, KA, raw), one)


@pytest.mark.parametrize("more", [
    {"threshold": 0}, {"threshold": True}, {"threshold": "2"}, {"version": 0}, {"people": None},
    {"people": [{"principal": A}]}, {"pinRequired": [KB.fingerprint, KA.fingerprint]},
    {"people": [person(A).as_json() | {"roles": ["registrar", "king"]}]},
    {"people": [person(A).as_json() | {"roles": ["registrar", "reviewer"]}]},
    {"people": [person(A).as_json() | {"kind": "cat"}]},
    {"people": [person(A).as_json() | {"person_uid": ""}]},
])  # fmt: skip
def test_a_roster_of_another_form_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(VerificationFailed):
        succeed(made(None, KA, KB, instead=more))


@pytest.mark.parametrize(("people", "lines", "why"), [
    (THREE[:2], LINES, "who is not listed"),
    (THREE, LINES[:2], "no key of c@example.com"),
    ((person(B), person(A), person(C)), LINES, "not in order"),
    ((person(A), person("A@example.com"), person(C)), LINES, "twice"),
    (THREE, (*LINES, LINES[0]), "a line twice"),
])  # fmt: skip
def test_people_and_keys_must_fit(
    people: tuple[Person, ...], lines: tuple[Line, ...], why: str
) -> None:
    with pytest.raises(VerificationFailed, match=why):
        succeed(made(None, KA, KB, people=people, lines=lines))


def test_a_key_whose_pin_must_be_given_signs_with_it_or_not_at_all() -> None:
    """A software key cannot: its signature has no flags."""
    with pytest.raises(VerificationFailed, match="PIN"):
        succeed(made(None, KA, KB, pins=frozenset({KB.fingerprint})))
    with pytest.raises(VerificationFailed, match="not listed"):
        succeed(made(None, KA, KB, pins=frozenset({KR.fingerprint})))


# --- allowed_signers

KEY_A = " ".join(KA.public.split()[:2])
SMALL = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)).decode()
HUGE = base64.b64encode(
    b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + (2**255 - 19 + 3).to_bytes(32, "little")
).decode()


def test_what_is_written_is_read_again() -> None:
    lines = (line(KA, None), line(KB, T0), line(KC, None, T1), line(KA, T2, T3))
    assert roster.parsed(roster.written(lines)) == lines


@pytest.mark.parametrize("text", [
    "", f"{A} {KEY_A}\n", f'{A} namespaces="{SSH_NAMESPACE}" {KEY_A}',
    f'{A} namespaces="git" {KEY_A}\n', f'{A} namespaces="{SSH_NAMESPACE},git" {KEY_A}\n',
    f'*@example.com namespaces="{SSH_NAMESPACE}" {KEY_A}\n',
    f'{A},{B} namespaces="{SSH_NAMESPACE}" {KEY_A}\n',
    f'{A} cert-authority,namespaces="{SSH_NAMESPACE}" {KEY_A}\n',
    f'{A} namespaces="{SSH_NAMESPACE}",valid-after="20260101000000" {KEY_A}\n',  # local time
    f'{A} namespaces="{SSH_NAMESPACE}",valid-after="20260101Z" {KEY_A}\n',
    f'{A} namespaces="{SSH_NAMESPACE}",valid-after="20260230000000Z" {KEY_A}\n',
    f'{A} namespaces="{SSH_NAMESPACE}",valid-after="20260101006000Z" {KEY_A}\n',
    f'{A} namespaces="{SSH_NAMESPACE}",valid-after="20260101000060Z" {KEY_A}\n',
    f'{A} namespaces="{SSH_NAMESPACE}",valid-after="20260101000000Z",'
    f'valid-before="20260101000000Z" {KEY_A}\n',
    f'{A} namespaces="{SSH_NAMESPACE}" {KEY_A} a comment\n',
    f'{A}  namespaces="{SSH_NAMESPACE}" {KEY_A}\n', f"# a comment\n{A} {KEY_A}\n",
    f'{A} namespaces="{SSH_NAMESPACE}" {KEY_A}\r\n',
    f'{A} namespaces="{SSH_NAMESPACE}" {KEY_A}\n\n',
    f'{A} namespaces="{SSH_NAMESPACE}" ssh-ed25519 AAAA\n',
    f'{A} namespaces="{SSH_NAMESPACE}" ssh-rsa {KEY_A.split()[1]}\n',
    f'{A} namespaces="{SSH_NAMESPACE}" ssh-ed25519 {SMALL}\n',  # a point of order 4
    f'{A} namespaces="{SSH_NAMESPACE}" ssh-ed25519 {HUGE}\n',  # y is not reduced
    f'a\u200b@example.com namespaces="{SSH_NAMESPACE}" {KEY_A}\n',
])  # fmt: skip
def test_allowed_signers_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(VerificationFailed, match="allowed_signers"):
        roster.parsed(text.encode())


def test_a_certificate_authority_is_refused_in_words() -> None:
    with pytest.raises(VerificationFailed, match="certificates are not supported"):
        roster.parsed(f'{A} cert-authority,namespaces="x" {KEY_A}\n'.encode())


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not here")
def test_the_ends_of_a_window_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    payload = attestations.statement(
        "close", {"campaign": "a" * 64}, {}, Link(CHAIN, 1, None), T0, A
    )
    said = attestations.unchecked(attestations.sign(payload, KA))
    (tmp_path / "sig").write_bytes(said.signature("ssh") or b"")
    window = line(KA, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
    (tmp_path / "allowed").write_bytes(roster.written((window,)))
    for at in ("2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2026-01-15T10:00:00Z",
               "2026-02-01T00:00:00Z", "2026-02-01T00:00:01Z"):  # fmt: skip
        done = subprocess.run(
            ["ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", A, "-n", SSH_NAMESPACE, "-s",
             "sig", "-O", f"verify-time={roster.stamp(at)}"],
            input=said.pae, cwd=tmp_path, capture_output=True, check=False,
        )  # fmt: skip
        assert (done.returncode == 0) == window.holds_at(at), (at, done.stderr)


# --- judging


def decided(roster_: Roster | None, by: SigningKey = KC, at: str = T1, kind: str = "decisions",
            principal: str | None = None) -> Attestation:  # fmt: skip
    link = Link("d" * 32, 1, None, roster_.name if roster_ else None)
    payload = attestations.statement(kind, {"x": "a" * 64}, {}, link, at, principal or by.principal)
    return attestations.unchecked(attestations.sign(payload, by))


def void(said: Attestation, rosters: list[Roster], known: list[Roster], at: str | None) -> str:
    """Why the statement is void; empty when it is not."""
    time = roster.judge(said, rosters, known, at)
    assert time is not None
    return time.void


def test_who_is_listed_with_the_role_may_sign(one: Roster) -> None:
    assert roster.judge(decided(one), [one], [one], None) == (T1, False, "")
    assert roster.judge(decided(one), [one], [one], T2) == (T2, True, "")
    assert roster.judge(decided(None), [], [], T2) is None


@pytest.mark.parametrize(("statement", "why"), [
    (lambda one: decided(one, KR), "bot@example.com is not on roster version 1"),
    (lambda one: decided(one, key(C, 99)), "is not a key of c@example.com"),
    (lambda one: decided(one, KA, principal=C), "is not a key of c@example.com"),
    (lambda one: decided(one, kind="campaign"), "has not the role owner"),
    (lambda one: decided(one, kind="countersign"), "has not the role second"),
    (lambda one: decided(one, KA), "has not the role reviewer or oncall"),
    (lambda _: decided(None), "names no roster"),
    (lambda one: decided(replace(one, name="0" * 64)), "names a roster that is not in the log"),
])  # fmt: skip
def test_who_may_not_sign_is_refused_with_the_reason(one: Roster, statement: Any, why: str) -> None:
    with pytest.raises(VerificationFailed, match=why):
        roster.judge(statement(one), [one], [one], None)


def test_a_statement_that_names_a_roster_where_there_is_none_is_refused(one: Roster) -> None:
    with pytest.raises(VerificationFailed, match="not in the log before it"):
        roster.judge(decided(one), [], [one], None)


def test_an_enrolment_proves_possession_and_needs_no_place_on_the_roster(one: Roster) -> None:
    assert roster.judge(decided(one, KR, kind="enrolment"), [one], [one], None) is not None
    new = decided(None, KR, kind="enrolment")
    assert roster.judge(new, [one], [one], None) is not None, "who is new knows of no roster"
    with pytest.raises(VerificationFailed, match="not in the log before it"):
        roster.judge(decided(one, KR, kind="enrolment"), [], [one], None)
    later = succeed(made(one, KA, KB), one)
    with pytest.raises(VerificationFailed, match="not in the log before it"):
        roster.judge(decided(later, KR, kind="enrolment"), [one], [one, later], None)


def test_every_kind_of_statement_has_its_roles() -> None:
    assert set(roster.FOR) == {*attestations.PREDICATES, "emergency"}


def test_outside_its_window_a_key_may_not_sign(one: Roster) -> None:
    assert "not at 2026-11-20T11:59:59Z" in void(decided(one), [one], [one], "2026-11-20T11:59:59Z")
    ended = succeed(made(one, KA, KB, lines=(*LINES[:2], line(KC, before=T2))), one)
    assert roster.judge(decided(ended), [one, ended], [one, ended], T2)
    assert "not at" in void(decided(ended), [one, ended], [one, ended], "2026-11-22T12:00:01Z")
    with pytest.raises(VerificationFailed, match=r"until .*, not at"):
        roster.judge(decided(ended, at=T3), [one, ended], [one, ended], None)


def test_what_a_witness_saw_before_a_key_was_stolen_stays_good_and_nothing_after(
    one: Roster,
) -> None:
    """Told at T3 that it was stolen at T2; both statements were logged under version 1."""
    told = succeed(made(one, KA, KB, lines=(*LINES[:2], line(KC, before=T2)), at=T3), one)
    assert void(decided(one), [one], [one, told], T1) == ""
    late = "2026-11-22T15:00:00Z"
    assert "until" in void(decided(one), [one], [one, told], late)  # whatever he claims
    assert "until" in void(decided(one, at=late), [one], [one, told], None)
    assert void(decided(one), [one], [one, told], None) == ""  # a claim, and said to be one


@pytest.mark.parametrize("kind", ["campaign", "close", "pack"])
def test_what_a_review_stands_on_cannot_be_void(kind: str) -> None:
    people = (person(A, "registrar", "owner"), THREE[1], THREE[2])
    one = succeed(made(None, KA, KB, people=people, at=T0))
    told = succeed(made(one, KA, KB, people=people, lines=(line(KA, before=T2), *LINES[1:]),
                        at=T3, threshold=1), one)  # fmt: skip
    with pytest.raises(VerificationFailed, match="until"):
        roster.judge(decided(one, KA, kind=kind), [one], [one, told], "2026-11-22T15:00:00Z")


def test_what_was_never_let_in_is_refused_and_not_void(one: Roster) -> None:
    """Neither a theft that is told later nor a witness makes a stranger's signature harmless."""
    told = succeed(made(one, KA, KB, lines=(*LINES[:2], line(KC, before=T2)), at=T3), one)
    for bad in (decided(one, key(C, 99), at=T3), decided(one, KA, at=T3), decided(None, at=T3)):
        with pytest.raises(VerificationFailed):
            roster.judge(bad, [one], [one, told], T3)


def test_a_key_that_ends_from_now_on_keeps_what_a_witness_saw_only_later(one: Roster) -> None:
    """Told at T2 that it ends at T2; the witness came at T3 and saw both, in this order."""
    told = succeed(made(one, KA, KB, lines=(*LINES[:2], line(KC, before=T2)), at=T2), one)
    assert void(decided(one), [one], [one, told], T3) == ""
    assert f"not at {T3}" in void(decided(told), [one, told], [one, told], T3)


def test_a_thief_cannot_claim_to_have_signed_before_the_roster_that_ended_the_key(
    one: Roster,
) -> None:
    told = succeed(made(one, KA, KB, lines=(*LINES[:2], line(KC, before=T2)), at=T3), one)
    with pytest.raises(VerificationFailed, match=f"not at {T3}"):
        roster.judge(decided(told, at=T1), [one, told], [one, told], None)


def test_nobody_is_let_in_afterwards(one: Roster) -> None:
    """Listed by version 2 since always: what he signed under version 1 stays nobody's."""
    people = tuple(sorted([*THREE, person(ROBOT, "reviewer")], key=lambda p: p.principal))
    two = succeed(made(one, KA, KB, people=people, lines=(*LINES, line(KR, None))), one)
    with pytest.raises(VerificationFailed, match="not on roster version 1"):
        roster.judge(decided(one, KR), [one], [one, two], T1)
    assert roster.judge(decided(one, KR), [one, two], [one, two], T1)


# --- people


def test_two_principals_or_two_keys_may_be_one_human_being() -> None:
    people = (person(A, uid="p1"), person(B, uid="P1"), person(C))
    made_ = succeed(made(None, KA, KC, people=people))
    assert roster.person_of(made_, A) == roster.person_of(made_, "B@Example.com", KB.fingerprint)
    assert roster.same_person(made_, (A, KA.fingerprint), (B, KB.fingerprint))
    assert not roster.same_person(made_, (A, KA.fingerprint), (C, KC.fingerprint))
    assert roster.same_person(None, (A, KA.fingerprint), (C, KA.fingerprint))
    assert roster.same_person(None, (A, None), (A.upper(), None))
    assert not roster.same_person(None, (A, None), (C, None))
    assert roster.person_of(made_, "alias@example.com", KC.fingerprint) == C
    robots = (person(A), person(B), person(ROBOT, "reviewer", kind="robot"))
    with_robot = succeed(made(None, KA, KB, people=robots, lines=(*LINES[:2], line(KR))))
    assert roster.is_robot(with_robot, ROBOT.upper())
    assert not roster.is_robot(with_robot, A)
    assert not roster.is_robot(None, ROBOT)


# --- in a workspace


@pytest.fixture
def other_db(tmp_path: Path) -> Iterator[Database]:
    """Another registrar's workspace."""
    opened = store.create(tmp_path / "other")
    yield opened
    opened.close()


def begin(db: Database, *others: tuple[SigningKey, str]) -> SigningKey:
    """A roster with Boss as registrar and owner, and others with a role."""
    boss = key(BOSS, 1)
    tlog.enrol(db, boss, NOW)
    me = person(BOSS, "registrar", "owner", "reviewer")
    roster.keep(db, roster.first(db, me, line(boss, NOW), NOW, CHAIN))
    for one, role in others:
        base = roster.base_of(db)
        roster.keep(db, roster.change(
            db, BOSS, NOW, people=roster.with_person(base, person(one.principal, role)),
            lines=(*base.lines, line(one, NOW)),
        ))  # fmt: skip
    sign(db, boss)
    return boss


def sign(db: Database, one: SigningKey, now: str = NOW) -> None:
    drafted = roster.draft(db)
    assert drafted is not None
    tlog.append_roster(db, roster.signed(db, drafted, one), now)
    roster.drop(db)


def closes(db: Database, one: SigningKey, at: str = NOW, link: Link | None = None) -> bytes:
    payload = attestations.statement(
        "close",
        {"campaign": "a" * 64},
        {"note": "x"},
        link or tlog.next_link(db),
        at,
        one.principal,
    )
    return attestations.sign(payload, one)


def append(db: Database, envelope: bytes) -> int:
    with db.atomic():
        return tlog.append(db, envelope, tlog.known_keys(db), None, NOW)


def test_a_log_takes_only_what_the_roster_in_force_lets_in(db: Database) -> None:
    rev = key(REV, 2)
    tlog.enrol(db, rev, NOW)
    boss = begin(db)
    name = roster.current_name(db)
    assert tlog.next_link(db).roster == name
    append(db, closes(db, boss))
    with pytest.raises(VerificationFailed, match="not on roster version 1"):
        append(db, closes(db, rev))
    with pytest.raises(Conflict, match="the roster was changed"):
        append(db, closes(db, boss, link=replace(tlog.next_link(db), roster=None)))
    assert tlog.check(db) == 4
    assert [tlog.look_up(db, n).wrong for n in range(1, 5)] == [""] * 4


def test_an_entry_that_the_roster_does_not_let_in_is_found_out(db: Database) -> None:
    """Put past `append` by whoever writes the file."""
    rev = key(REV, 2)
    tlog.enrol(db, rev, NOW)
    begin(db)
    forged = closes(db, rev)
    from passmuster.tlog import _entries

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_entries, "_in_place", lambda *_: None)
        entry = append(db, forged)
    with pytest.raises(VerificationFailed, match=r"log entry 4: .*is not on roster"):
        tlog.check(db)
    assert "not on roster version 1" in tlog.look_up(db, entry).wrong


def test_the_next_version_is_in_force_for_what_comes_after(db: Database) -> None:
    rev = key(REV, 2)
    boss = begin(db, (rev, "owner"))
    tlog.enrol(db, rev, NOW)
    append(db, closes(db, rev))
    lines = roster.ended(roster.base_of(db), REV, T3)
    roster.keep(db, roster.change(db, BOSS, T3, lines=lines))
    sign(db, boss)
    with pytest.raises(VerificationFailed, match="is valid from"):
        append(db, closes(db, rev, "2026-11-23T12:00:01Z"))
    assert tlog.check(db) == 5
    assert [r.version for r in roster.history(db)] == [1, 2]


def test_a_compromise_that_is_told_later_shows_in_the_log(db: Database) -> None:
    """With no witness the time is the signer's claim; that one is after the theft."""
    rev, theft = key(REV, 2), "2026-11-23T09:00:00Z"
    boss = begin(db, (rev, "owner"))
    tlog.enrol(db, rev, NOW)
    append(db, closes(db, rev, "2026-11-23T10:00:00Z"))
    lines = roster.ended(roster.base_of(db), rev.fingerprint, theft)
    roster.keep(db, roster.change(db, BOSS, T3, lines=lines))
    assert tlog.check(db) == 4
    sign(db, boss)
    with pytest.raises(VerificationFailed, match=r"log entry 4: .* until 2026-11-23T09:00:00Z"):
        tlog.check(db)


def test_a_draft_of_several_is_carried_signed_and_joined(db: Database, other_db: Database) -> None:
    rev = key(REV, 2)
    boss = begin(db, (rev, "registrar"))
    tlog.enrol(other_db, rev, NOW)
    roster.keep(db, roster.change(db, BOSS, T3, threshold=2))
    drafted = roster.draft(db)
    assert drafted is not None
    half = roster.signed(db, drafted, boss)
    roster.keep(db, half)
    assert "signed by 1 of the 2" in roster.lacking(db, half)
    with pytest.raises(VerificationFailed, match="signed by 1 of the 2"):
        tlog.append_roster(db, half, NOW)
    file = b"".join(roster.carried(*both) for both in roster.envelopes(db)) + half.line
    first = roster.history(db)[0].name
    with pytest.raises(UsageError, match="compare that with what a registrar tells"):
        tlog.take_rosters(other_db, file, None, NOW)
    with pytest.raises(VerificationFailed, match="not the one you trust"):
        tlog.take_rosters(other_db, file, "0" * 64, NOW)
    assert roster.current(other_db) is None
    assert roster.draft(other_db) is None
    taken = tlog.take_rosters(other_db, file, first, NOW)
    assert taken.versions == [1]
    assert taken.draft is not None
    done = roster.signed(other_db, taken.draft, rev)
    assert tlog.take_rosters(db, done.line, None, NOW).versions == [2]
    assert roster.draft(db) is None
    assert roster.history(db)[-1].threshold == 2
    tlog.append_roster(other_db, done, NOW)
    assert roster.current_name(other_db) == roster.current_name(db)
    assert (tlog.check(db), tlog.check(other_db)) == (3, 3)


def test_two_rosters_of_one_version_are_told(db: Database, other_db: Database) -> None:
    boss = begin(db)
    file = b"".join(roster.carried(*both) for both in roster.envelopes(db))
    tlog.take_rosters(other_db, file, roster.current_name(db), NOW)
    tlog.enrol(other_db, boss, NOW)
    for where, number in ((db, T1), (other_db, T2)):
        roster.keep(where, roster.change(where, BOSS, max(NOW, number).replace("12", "13")))
        if where is other_db:
            roster.keep(where, roster.change(where, BOSS, "2026-11-25T00:00:00Z"))
        sign(where, boss)
    fork = b"".join(roster.carried(*both) for both in roster.envelopes(other_db))
    with pytest.raises(VerificationFailed, match="two rosters of version 2"):
        tlog.take_rosters(db, fork, None, NOW)


def test_a_change_drops_the_signatures_on_the_draft(db: Database) -> None:
    rev = key(REV, 2)
    boss = begin(db, (rev, "registrar"))
    drafted = roster.change(db, BOSS, T3, threshold=2)
    roster.keep(db, roster.signed(db, drafted, boss))
    again = roster.change(db, BOSS, T3)
    assert again.envelope is None
    assert again.roster.threshold == 2


def test_a_signature_that_counts_for_nothing_is_not_made(db: Database) -> None:
    rev = key(REV, 2)
    begin(db, (rev, "reviewer"))
    drafted = roster.change(db, BOSS, T3, threshold=1)
    with pytest.raises(UsageError, match="would count for nothing"):
        roster.signed(db, drafted, rev)


@pytest.mark.parametrize("data", [
    b"", b"x\n", b"{}\n", b'{"allowedSigners":"x","envelope":{}}\n', b"[" * 100_000,
    b'{"allowedSigners":"x","envelope":{"payload":"!","payloadType":"x","signatures":[]}}\n',
    b'{"allowedSigners":"x","envelope":[]}\n',
], ids=range(7))  # fmt: skip
def test_a_file_that_is_no_roster_is_refused(db: Database, data: bytes) -> None:
    with pytest.raises(VerificationFailed):
        tlog.take_rosters(db, data, None, NOW)


def test_a_key_under_my_name_that_i_do_not_know_sounds_the_alarm(db: Database) -> None:
    rev, fake = key(REV, 2), key(REV, 66)
    tlog.enrol(db, rev, NOW)
    begin(db, (rev, "reviewer"), (fake, "reviewer"))
    assert [x.fingerprint for x in roster.strange_keys(db, "Rev@Example.com")] == [fake.fingerprint]
    assert fake.fingerprint in roster.alarm(db, REV)
    assert rev.fingerprint not in roster.alarm(db, REV)
    assert not roster.alarm(db, BOSS)
    roster.mine(db, REV, fake.fingerprint, NOW)
    assert not roster.alarm(db, REV)


def test_an_enrolment_proves_that_its_writer_holds_the_key(db: Database) -> None:
    rev = key(REV, 2)
    tlog.enrol(db, rev, NOW)
    envelope = tlog.enrolment(db, rev.fingerprint)
    asked = roster.possession(envelope)
    assert (asked.principal, asked.fingerprint) == (REV, rev.fingerprint)
    said = attestations.unchecked(envelope)
    for wrong, why in (
        (attestations.sign(said.payload, key(SECOND, 3)), "not among the known keys"),
        (closes(db, rev), "a close statement"),
        (envelope.replace(b"sshsig:", b"sshsix:"), "no request to be listed"),
    ):
        with pytest.raises(VerificationFailed, match=why):
            roster.possession(wrong)
