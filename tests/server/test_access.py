"""Who gets a session, what a request must prove, and what a token is worth."""

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from passmuster import central, keys
from passmuster.central import LIMITS
from passmuster.server import _dpop
from tests.server.people import BASE, BOSS, OTHER, REV, Place, Somebody, place, replica
from tests.sk import NO_TOUCH, TOUCH, TOUCH_AND_PIN, Token

ABOUT_ME = "/v1/feed?after=0"


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server with a team, for tables of requests that it refuses."""
    with place(tmp_path_factory.mktemp("standing") / "central") as found:
        found.team(REV)
        yield found


def refused(answer: Any, code: str = "unauthorized") -> str:
    """The detail of a problem with this code."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    said = answer.json()
    assert said["code"] == code, said
    return str(said.get("detail", said["title"]))


# --- sessions


def test_a_listed_key_gets_a_session_of_ten_minutes_that_its_short_key_alone_can_use(
    here: Place,
) -> None:
    [rev] = here.team(REV)
    answer = rev.ask()
    assert answer.json() | {"access_token": ""} == {
        "access_token": "", "token_type": "DPoP", "expires_in": 600,
    }  # fmt: skip
    assert rev.call("GET", ABOUT_ME).status_code == 200
    here.clock.seconds += LIMITS.session_s
    assert "has ended" in refused(rev.call("GET", ABOUT_ME))
    assert rev.session().call("GET", ABOUT_ME).status_code == 200


def test_before_there_is_a_roster_nobody_has_a_session(here: Place) -> None:
    assert "no roster in the log yet" in refused(here.somebody(REV).ask())


def test_a_key_that_is_enrolled_and_not_listed_gets_no_session(here: Place) -> None:
    here.team()
    rev = here.somebody(REV)
    token = here.invitation(REV, "reviewer").token
    body = {"envelope": rev.enrolment().decode(), "invite": token}
    assert here.http.post("/v1/enrolments", json=body).status_code == 201
    said = refused(rev.ask())
    assert rev.key.fingerprint in said
    assert "a registrar has to admit you" in said


def test_a_key_whose_time_is_over_gets_no_session(here: Place) -> None:
    [rev] = here.team(REV)
    here.clock.seconds += 10
    here.admit(ended={REV: here.clock()})
    here.clock.seconds += 1
    assert "is valid from" in refused(rev.ask())


def test_a_key_of_somebody_else_gets_no_session_in_my_name(here: Place) -> None:
    rev, other = here.team(REV, OTHER)
    theirs = keys.SigningKey(BOSS, other.key.fingerprint, other.key.public, "memory",
                             other.key.signers)  # fmt: skip
    assert f"is not a key of {BOSS}" in refused(rev.ask(key=theirs))


def test_a_request_for_a_session_is_good_once(here: Place) -> None:
    [rev] = here.team(REV)
    body = central.ask(rev.key, here.central.key.origin, "t" * 43, secrets.token_hex(16),
                       here.clock())  # fmt: skip
    assert rev.ask(body=body).status_code == 200
    assert "was sent before" in refused(rev.ask(body=body))


@pytest.mark.parametrize(("off", "fine"), [(-60, True), (60, True), (-61, False), (61, False)])
def test_a_clock_that_is_off_is_told_by_how_much(standing: Place, off: int, fine: bool) -> None:
    from passmuster.text import from_epoch

    rev = standing.people[REV].session()
    answer = rev.ask(at=from_epoch(standing.clock.seconds + off))
    assert (answer.status_code == 200) is fine
    if not fine:
        assert f"your clock is {abs(off)} s off the server's: set it" in refused(answer)


def test_a_hardware_key_is_touched_for_a_session_and_given_its_pin_where_the_roster_says_so(
    here: Place,
) -> None:
    here.team()
    token = Token(flags=TOUCH)
    rev = Somebody(here, token.key(REV))
    here.admit(rev)
    assert rev.ask().status_code == 200
    token.flags = NO_TOUCH
    assert "not touched" in refused(rev.ask())
    here.admit(rev, pins=frozenset({rev.key.fingerprint}))
    token.flags = TOUCH
    assert "PIN was not given" in refused(rev.ask())
    token.flags = TOUCH_AND_PIN
    assert rev.ask().status_code == 200


def test_a_request_for_another_log_begins_no_session_here(here: Place) -> None:
    [rev] = here.team(REV)
    assert "of another log" in refused(rev.ask(origin="passmuster.example/central/other"))


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"keyid":1,"payload":"","sig":""}'])
def test_what_is_no_request_for_a_session_is_refused_in_words(standing: Place, body: bytes) -> None:
    rev = standing.people[REV].session()
    assert "not a request for a session" in refused(rev.ask(body=body))


# --- proofs


def test_a_proof_is_good_once(here: Place) -> None:
    [rev] = here.team(REV)
    proof = rev.proof("GET", ABOUT_ME)
    assert rev.call("GET", ABOUT_ME, proof=proof).status_code == 200
    assert "used before" in refused(rev.call("GET", ABOUT_ME, proof=proof))


def test_a_proof_is_good_once_on_all_replicas_together(shared: Place) -> None:
    [rev] = shared.team(REV)
    with replica(shared) as other:
        there = Somebody(other, rev.key, short=rev.short, token=rev.token)
        proof = rev.proof("GET", ABOUT_ME)
        assert there.call("GET", ABOUT_ME, proof=proof).status_code == 200
        assert "used before" in refused(rev.call("GET", ABOUT_ME, proof=proof))


def test_a_request_for_a_session_is_good_once_on_all_replicas_together(shared: Place) -> None:
    [rev] = shared.team(REV)
    body = central.ask(rev.key, shared.central.key.origin, "t" * 43, secrets.token_hex(16),
                       shared.clock())  # fmt: skip
    with replica(shared) as other:
        answers = [p.http.post("/v1/sessions", content=body).status_code for p in (other, shared)]
    assert answers == [200, 401]


def test_who_is_taken_off_the_roster_on_one_replica_has_no_access_on_the_other(
    shared: Place,
) -> None:
    [rev] = shared.team(REV)
    with replica(shared) as other:
        there = Somebody(other, rev.key, short=rev.short, token=rev.token)
        assert there.call("GET", ABOUT_ME).status_code == 200
        shared.clock.seconds += 10
        shared.admit(ended={REV: shared.clock()})
        shared.clock.seconds += 1
        other.clock.seconds = shared.clock.seconds
        assert "is valid from" in refused(there.call("GET", ABOUT_ME))


Wrong = Callable[[Somebody], str]


def signed(head: dict[str, Any], said: dict[str, Any], key: Ed25519PrivateKey) -> str:
    parts = ".".join(central.b64url(json.dumps(part).encode()) for part in (head, said))
    return f"{parts}.{central.b64url(key.sign(parts.encode()))}"


def claims(who: Somebody, **instead: Any) -> dict[str, Any]:
    made = jwt.decode(who.proof("GET", ABOUT_ME), options={"verify_signature": False})
    return {k: v for k, v in (made | instead).items() if v is not None}


def header(who: Somebody, **instead: Any) -> dict[str, Any]:
    return {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": central.jwk(who.short)} | instead


WRONG: dict[str, tuple[Wrong, str]] = {
    "another method": (lambda w: w.proof("POST", ABOUT_ME), "another request"),
    "another path": (lambda w: w.proof("GET", "/v1/records"), "another request"),
    "another server": (
        lambda w: signed(header(w), claims(w, htu="http://evil.example/v1/feed"), w.short),
        "another request",
    ),
    "too old": (lambda w: w.proof("GET", ABOUT_ME, at=w.here.clock.seconds - 61), "61 s behind"),
    "too early": (lambda w: w.proof("GET", ABOUT_ME, at=w.here.clock.seconds + 61), "61 s ahead"),
    "another token": (lambda w: w.proof("GET", ABOUT_ME, token="x"), "another token"),
    "no token": (lambda w: w.proof("GET", ABOUT_ME, token=None), "another token"),
    "another key": (
        lambda w: w.proof("GET", ABOUT_ME, short=Ed25519PrivateKey.generate()), "another key",
    ),
    "a stolen key in its header": (
        lambda w: signed(header(w), claims(w), Ed25519PrivateKey.generate()), "not a proof",
    ),
    "no signature": (
        lambda w: jwt.encode(claims(w), "", "none", header(w, alg="none")), "not a proof",
    ),
    "the key as a password": (
        lambda w: jwt.encode(
            claims(w), w.short.public_key().public_bytes_raw(), "HS256", header(w, alg="HS256")
        ), "not a proof",
    ),
    "a private key inside": (
        lambda w: signed(header(w, jwk=central.jwk(w.short) | {"d": "x"}), claims(w), w.short),
        "no public Ed25519 key",
    ),
    "another type": (lambda w: signed(header(w, typ="JWT"), claims(w), w.short), "no proof"),
    "no name": (lambda w: signed(header(w), claims(w, jti=None), w.short), "lacks"),
    "no time": (lambda w: signed(header(w), claims(w, iat=None), w.short), "lacks"),
    "a time that is none": (lambda w: signed(header(w), claims(w, iat=True), w.short), "lacks"),
    "rubbish": (lambda _: "a.b.c", "not a proof"),
    "too long": (lambda w: signed(header(w), claims(w, x="x" * 9_000), w.short), "too long"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("how", WRONG)
def test_a_wrong_proof_is_refused(standing: Place, how: str) -> None:
    rev = standing.people[REV].session()
    make, why = WRONG[how]
    answer = rev.call("GET", ABOUT_ME, proof=make(rev))
    assert answer.status_code == 401
    assert why in refused(answer)
    assert answer.headers["www-authenticate"].startswith("DPoP")


def test_a_right_proof_of_the_table_is_taken(here: Place) -> None:
    [rev] = here.team(REV)
    proof = signed(header(rev), claims(rev), rev.short)
    assert rev.call("GET", ABOUT_ME, proof=proof).status_code == 200


@pytest.mark.parametrize("headers", [
    {}, {"Authorization": "DPoP x"}, {"DPoP": "x"}, {"Authorization": "Bearer x", "DPoP": "x"},
    {"Authorization": "DPoP ", "DPoP": "x"}, {"Authorization": "DPoP x", "DPoP": b"\xff"},
])  # fmt: skip
@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/v1/feed"), ("POST", "/v1/records"), ("GET", f"/v1/records/{'0' * 64}"),
    ("GET", f"/v1/blobs/{'0' * 64}"), ("PUT", f"/v1/blobs/{'0' * 64}"),
    ("POST", "/v1/blobs/missing"), ("GET", "/v1/enrolments"), ("POST", "/v1/invites"),
])  # fmt: skip
def test_without_a_session_nothing_but_what_is_public_answers(
    standing: Place, method: str, path: str, headers: dict[str, str | bytes]
) -> None:
    refused(standing.http.request(method, path, headers=headers))


def test_two_proofs_are_none(here: Place) -> None:
    [rev] = here.team(REV)
    headers = [("Authorization", f"DPoP {rev.token}"), ("DPoP", rev.proof("GET", ABOUT_ME)),
               ("DPoP", rev.proof("GET", ABOUT_ME))]  # fmt: skip
    refused(here.http.get(ABOUT_ME, headers=headers))


# --- tokens


def test_a_token_with_a_proof_of_another_key_is_worth_nothing(here: Place) -> None:
    rev, other = here.team(REV, OTHER)
    thief = Somebody(here, other.key, short=other.short, token=rev.token)
    assert "another key than the token" in refused(thief.call("GET", ABOUT_ME))


def test_a_token_that_another_key_signed_is_refused(here: Place) -> None:
    [rev] = here.team(REV)
    forged = _dpop.Token(BOSS, rev.key.fingerprint, central.thumbprint(central.jwk(rev.short)))
    rev.token = _dpop.issue(
        Ed25519PrivateKey.generate(), here.central.key.origin, forged, here.clock.seconds, "x"
    )
    assert "not an access token of this log" in refused(rev.call("GET", ABOUT_ME))


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("alg", ["none", "HS256"])
def test_a_token_whose_header_chooses_another_algorithm_is_refused(here: Place, alg: str) -> None:
    [rev] = here.team(REV)
    said = jwt.decode(rev.token, options={"verify_signature": False})
    public = here.central.key.private.public_key().public_bytes_raw()
    rev.token = jwt.encode(said, "" if alg == "none" else public, alg, {"typ": "at+jwt"})
    assert "not an access token" in refused(rev.call("GET", ABOUT_ME))


def test_a_proof_is_no_token(here: Place) -> None:
    [rev] = here.team(REV)
    rev.token = signed({"typ": "dpop+jwt", "alg": "EdDSA"}, {
        "iss": here.central.key.origin, "aud": here.central.key.origin, "sub": BOSS,
        "fingerprint": rev.key.fingerprint, "exp": here.clock.seconds + 600,
        "cnf": {"jkt": central.thumbprint(central.jwk(rev.short))},
    }, here.central.key.private)  # fmt: skip
    assert "not an access token" in refused(rev.call("GET", ABOUT_ME))


def test_whoever_is_taken_off_the_roster_has_no_access_from_the_next_request_on(
    here: Place,
) -> None:
    rev, boss = here.team(REV, BOSS)
    assert rev.call("GET", ABOUT_ME).status_code == 200
    here.clock.seconds += 10
    here.admit(ended={REV: here.clock()})
    here.clock.seconds += 1
    assert "is valid from" in refused(rev.call("GET", ABOUT_ME))
    assert boss.call("GET", ABOUT_ME).status_code == 200


def test_a_role_that_was_taken_away_is_gone_from_a_living_token(here: Place) -> None:
    other, boss = here.team(OTHER, BOSS)
    roles = {BOSS: ("registrar",), OTHER: ("registrar",)}
    here.admit(roles=roles)
    assert other.call("GET", "/v1/enrolments").status_code == 200
    here.admit(roles=roles | {OTHER: ("reviewer",)})
    said = refused(other.call("GET", "/v1/enrolments"), "forbidden")
    assert "for a registrar or auditor" in said
    assert boss.call("GET", "/v1/enrolments").status_code == 200


def test_what_is_spent_is_forgotten_when_it_would_be_too_old_anyhow(here: Place) -> None:
    [rev] = here.team(REV)
    for _ in range(5):
        assert rev.call("GET", ABOUT_ME).status_code == 200
    here.clock.seconds += 200
    assert rev.call("GET", ABOUT_ME).status_code == 200
    with here.central.store.reading() as tx:
        assert tx.value("SELECT count(*) FROM spent") == 1


def test_the_name_of_a_key_is_the_one_of_the_rfc() -> None:
    # RFC 8037 appendix A.3
    public = {"crv": "Ed25519", "kty": "OKP", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert central.thumbprint(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_our_proofs_hold_for_another_library(here: Place) -> None:
    short = Ed25519PrivateKey.generate()
    proof = central.prove(short, "GET", f"{BASE}/v1/feed?after=3#x", 7, "jti", "token")
    said = jwt.decode(proof, short.public_key(), ["EdDSA"], options={"verify_iat": False})
    assert said == {
        "htm": "GET", "htu": f"{BASE}/v1/feed", "iat": 7, "jti": "jti",
        "ath": "PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A",
    }  # fmt: skip
