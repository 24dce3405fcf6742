"""Enrolling by the company's identity provider: what its token must be, and what it lets in."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa

from passmuster import central
from passmuster.errors import MusterError, Unreachable
from passmuster.server import _oidc
from passmuster.sync import _device
from tests.server.issuer import AUDIENCE, CLIENT, Issuer, issuer
from tests.server.people import BOSS, OTHER, REV, Place, Somebody, place
from tests.server.test_access import refused

STRANGER = new_rsa(65537, 2048)


@pytest.fixture
def idp() -> Iterator[Issuer]:
    with issuer() as made:
        made.email = REV
        yield made
    _oidc._known.clear()


@pytest.fixture
def there(idp: Issuer, tmp_path: Path) -> Iterator[Place]:
    """A server that believes the provider, with a roster."""
    with place(tmp_path / "central", oidc=idp.settings) as found:
        found.team(BOSS)
        idp.now = found.clock.seconds
        yield found


def mark(who: Somebody) -> str:
    return central.thumbprint(central.jwk(who.short))


def enrols(who: Somebody, token: str, **more: Any) -> Any:
    who.token = token
    return who.call("POST", "/v1/enrolments", json={"envelope": who.enrolment().decode()}, **more)


def test_whom_the_provider_vouches_for_can_enrol_and_has_no_access_before_they_are_listed(
    there: Place, idp: Issuer
) -> None:
    rev = there.somebody(REV)
    answer = enrols(rev, idp.token(mark(rev)))
    assert answer.status_code == 201, answer.text
    refused(rev.ask())
    [waits] = there.people[BOSS].call("GET", "/v1/enrolments").json()
    assert (waits["principal"], waits["issuer"], waits["invited_by"], waits["roles"]) == (
        REV, idp.url, None, [],
    )  # fmt: skip
    there.admit(rev)
    assert rev.session().lines()


def public(idp: Issuer) -> bytes:
    return idp.rsa.public_key().public_bytes(
        form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
    )


def password(idp: Issuer, thumbprint: str) -> str:
    """A token signed with the public key as if it were a shared secret."""
    import hashlib
    import hmac

    head, said, _ = idp.token(thumbprint).split(".")
    head = central.b64url(b'{"alg":"HS256","typ":"at+jwt","kid":"rsa"}')
    made = hmac.new(public(idp), f"{head}.{said}".encode(), hashlib.sha256).digest()
    return f"{head}.{said}.{central.b64url(made)}"


def unsigned(idp: Issuer, thumbprint: str) -> str:
    _, said, _ = idp.token(thumbprint).split(".")
    head = central.b64url(b'{"alg":"none","typ":"at+jwt","kid":"rsa"}')
    return f"{head}.{said}."


WRONG: dict[str, tuple[Callable[[Issuer, str], str], str]] = {
    "another audience": (lambda i, m: i.token(m, aud="another"), "Audience"),
    "the client as audience, as an ID token has it": (lambda i, m: i.token(m, aud=CLIENT), "Aud"),
    "no audience": (lambda i, m: i.token(m, aud=None), "aud"),
    "another issuer": (lambda i, m: i.token(m, iss="https://idp.example"), "issuer"),
    "ended": (lambda i, m: i.token(m, exp=i.now), "has ended"),
    "no end": (lambda i, m: i.token(m, exp=None), "exp"),
    "an end that is none": (lambda i, m: i.token(m, exp=str(i.now + 300)), "ended"),
    "not yet": (lambda i, m: i.token(m, nbf=i.now + 120), "not yet"),
    "of tomorrow": (lambda i, m: i.token(m, iat=i.now + 120), "not yet"),
    "bound to another key": (lambda i, m: i.token("x" * 43), "another key"),
    "bound to nothing": (lambda i, m: i.token(m, cnf=None), "cnf"),
    "bound to a certificate": (lambda i, m: i.token(m, cnf={"x5t#S256": "x"}), "another key"),
    "no address": (lambda i, m: i.token(m, email=None), "no e-mail address"),
    "an address that nobody verified": (lambda i, m: i.token(m, email_verified=False), "verified"),
    "an address that is said to be verified": (
        lambda i, m: i.token(m, email_verified="true"), "verified",
    ),
    "no word of it": (lambda i, m: i.token(m, email_verified=None), "verified"),
    "unsigned": (unsigned, "algorithm"),
    "the public key as a password": (password, "algorithm"),
    "signed by a stranger": (lambda i, m: i.token(m, key=STRANGER), "ignature"),
    "a key that is not published": (lambda i, m: i.token(m, head={"kid": "x"}), "no key"),
    "a key of another kind": (lambda i, m: i.token(m, head={"kid": "ec"}), "algorithm"),
    "no name of a key, of two": (lambda i, m: i.token(m, head={"kid": None}), "no key"),
    "a proof": (lambda i, m: i.token(m, head={"typ": "dpop+jwt"}), "type"),
    "a log-out": (lambda i, m: i.token(m, head={"typ": "logout+jwt"}), "type"),
    "rubbish": (lambda i, m: "a.b.c", "does not hold"),
    "long rubbish": (lambda i, m: "a" * 20_000, "too long"),
}  # fmt: skip


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Issuer]]:
    with issuer() as idp, place(tmp_path_factory.mktemp("idp") / "c", oidc=idp.settings) as found:
        found.team(BOSS)
        idp.email, idp.now = REV, found.clock.seconds
        yield found, idp
    _oidc._known.clear()


@pytest.mark.parametrize("how", WRONG)
def test_a_token_that_is_not_exactly_right_lets_nobody_in(
    standing: tuple[Place, Issuer], how: str
) -> None:
    there, idp = standing
    rev = there.somebody(REV)
    make, why = WRONG[how]
    said = refused(enrols(rev, make(idp, mark(rev))))
    assert why in said, said
    assert there.central.newest()[0].size == 3


@pytest.mark.parametrize("more", [
    {}, {"head": {"typ": "JWT"}}, {"head": {"typ": None}}, {"head": {"kid": "ec"}, "alg": "ES256"},
    {"alg": "PS256"}, {"aud": ["x", AUDIENCE]}, {"email": REV.upper()},
])  # fmt: skip
def test_a_right_token_in_its_forms_lets_one_in(
    there: Place, idp: Issuer, more: dict[str, Any]
) -> None:
    rev = there.somebody(REV)
    if more.get("alg") == "ES256":
        more = {**more, "key": idp.ec}
    assert enrols(rev, idp.token(mark(rev), **more)).status_code == 201


def test_a_token_that_somebody_else_saw_is_worth_nothing_to_them(there: Place, idp: Issuer) -> None:
    rev, thief = there.somebody(REV), there.somebody(REV)
    assert "another key" in refused(enrols(thief, idp.token(mark(rev))))


def test_a_proof_with_a_token_of_the_provider_is_good_once(there: Place, idp: Issuer) -> None:
    rev = there.somebody(REV)
    rev.token = idp.token(mark(rev))
    proof = rev.proof("POST", "/v1/enrolments")
    assert enrols(rev, rev.token, proof=proof).status_code == 201
    assert "used before" in refused(enrols(rev, rev.token, proof=proof))


def test_a_key_is_enrolled_for_whoever_logged_in_alone(there: Place, idp: Issuer) -> None:
    other = there.somebody(OTHER)
    said = refused(enrols(other, idp.token(mark(other))), "forbidden")
    assert said.startswith(f"you logged in as {REV}, and the key is for {OTHER}")


def test_a_key_that_the_provider_adds_is_found_and_its_keys_are_not_asked_for_each_time(
    there: Place, idp: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        rev = there.somebody(REV)
        assert enrols(rev, idp.token(mark(rev))).status_code == 201
    assert idp.asked.count("/keys") == 1
    added = STRANGER
    idp.published.append(idp.jwk("rsa2", added))
    rev = there.somebody(REV)
    token = idp.token(mark(rev), key=added, head={"kid": "rsa2"})
    refused(enrols(rev, token))  # asked a moment ago
    monkeypatch.setattr(_oidc, "AGAIN_S", 0.0)
    assert enrols(rev, token).status_code == 201
    assert idp.asked.count("/keys") == 2


def test_a_key_that_the_provider_took_back_is_worth_nothing_once_its_keys_are_asked_for(
    there: Place, idp: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rev = there.somebody(REV)
    idp.published = [key for key in idp.published if key["kid"] != "rsa"]
    assert "no key" in refused(enrols(rev, idp.token(mark(rev))))


def test_a_provider_that_does_not_answer_is_told_from_a_wrong_token(
    there: Place, idp: Issuer
) -> None:
    idp.get = lambda path: (500, {})  # type: ignore[method-assign]
    rev = there.somebody(REV)
    assert "does not answer" in refused(enrols(rev, idp.token(mark(rev))), "unavailable")


def test_addresses_of_a_provider_may_have_a_query(there: Place, idp: Issuer) -> None:
    real = idp.get
    idp.get = lambda path: (  # type: ignore[method-assign]
        (200, {**real(path)[1], "jwks_uri": f"{idp.url}/keys?p=b2c"}) if "well-known" in path
        else real(path.partition("?")[0])
    )  # fmt: skip
    rev = there.somebody(REV)
    assert enrols(rev, idp.token(mark(rev))).status_code == 201
    assert "/keys?p=b2c" in idp.asked


def test_keys_are_not_fetched_without_tls(there: Place, idp: Issuer) -> None:
    real = idp.get
    idp.get = lambda path: (200, {**real(path)[1], "jwks_uri": "http://evil.example/keys"})  # type: ignore[method-assign]
    rev = there.somebody(REV)
    assert "without TLS" in refused(enrols(rev, idp.token(mark(rev))), "unavailable")


def test_a_provider_of_another_name_is_not_believed(there: Place, idp: Issuer) -> None:
    real = idp.get
    idp.get = lambda path: (200, {**real(path)[1], "issuer": "https://x"})  # type: ignore[method-assign]
    rev = there.somebody(REV)
    refused(enrols(rev, idp.token(mark(rev))), "unavailable")


def test_the_roster_does_not_begin_by_logging_in(idp: Issuer, tmp_path: Path) -> None:
    with place(tmp_path / "central", oidc=idp.settings) as empty:
        idp.now = empty.clock.seconds
        rev = empty.somebody(REV)
        assert "no roster in the log yet" in refused(
            enrols(rev, idp.token(mark(rev))), "forbidden"
        )  # fmt: skip


# --- the log-in by code, on the client's side


def provider(idp: Issuer) -> _device.Provider:
    return _device.Provider(**idp.settings)


def log_in(idp: Issuer) -> tuple[_device.Bound, list[tuple[str, str]], list[float]]:
    shown: list[tuple[str, str]] = []
    slept: list[float] = []
    bound = _device.token(provider(idp), lambda *both: shown.append(both), slept.append)
    return bound, shown, slept


def test_the_code_is_shown_and_the_token_asked_for_until_somebody_has_logged_in(
    there: Place, idp: Issuer
) -> None:
    idp.now = int(time.time())
    idp.answers = [{"error": "authorization_pending"}, {"error": "slow_down"}]
    bound, shown, slept = log_in(idp)
    assert shown == [(f"{idp.url}/activate", "WDJB-MJHT")]
    assert slept == [1, 6]
    assert idp.forms[0] == {"client_id": CLIENT, "scope": "openid email", "resource": AUDIENCE}
    rev = there.somebody(REV)
    rev.token, rev.short = bound.token, bound.key
    assert enrols(rev, bound.token).status_code == 201


def test_a_provider_that_wants_a_nonce_in_the_proof_gets_it(idp: Issuer) -> None:
    idp.nonce = "n-1"
    bound, _, slept = log_in(idp)
    assert (bound.token.count("."), slept) == (2, [])


def test_a_provider_that_wants_another_nonce_each_time_is_not_asked_for_ever(idp: Issuer) -> None:
    idp.nonce, idp.never_content, idp.ends_in = "n", True, 7
    with pytest.raises(MusterError, match="nobody logged in in time"):
        log_in(idp)
    assert idp.asked.count("/token") == 7


@pytest.mark.parametrize(("answer", "why"), [
    ({"error": "access_denied"}, "the log-in was refused"),
    ({"error": "expired_token"}, "gives no token: expired_token"),
    ({"error": "invalid_grant", "error_description": "no\x1b[31m"}, r"no\x1b[31m"),
    ({}, "gives no token: 400"),
])  # fmt: skip
def test_a_log_in_that_fails_says_why(idp: Issuer, answer: dict[str, str], why: str) -> None:
    idp.answers = [answer]
    with pytest.raises(MusterError) as found:
        log_in(idp)
    assert why in str(found.value)


def test_nobody_waits_for_ever(idp: Issuer) -> None:
    idp.answers, idp.ends_in = [{"error": "authorization_pending"}] * 100, 7
    with pytest.raises(MusterError, match="nobody logged in in time"):
        log_in(idp)
    assert len(idp.answers) == 100 - 7


def test_a_token_that_anybody_could_use_is_not_taken(idp: Issuer) -> None:
    real = idp.post
    idp.post = lambda *a: (200, {**real(*a)[1], "token_type": "Bearer"})  # type: ignore[method-assign]
    with pytest.raises(Unreachable, match="does not bind its tokens"):
        log_in(idp)


def test_a_provider_without_log_in_by_code_is_told(idp: Issuer) -> None:
    real = idp.get
    idp.get = lambda path: (200, {k: v for k, v in real(path)[1].items() if "device" not in k})  # type: ignore[method-assign]
    with pytest.raises(Unreachable, match="no log-in by code"):
        log_in(idp)


def test_a_provider_cannot_send_the_client_to_a_place_without_tls(idp: Issuer) -> None:
    real = idp.get
    idp.get = lambda path: (200, {**real(path)[1], "token_endpoint": "http://evil.example/t"})  # type: ignore[method-assign]
    with pytest.raises(MusterError, match="without TLS"):
        log_in(idp)


def test_our_proof_to_the_provider_is_for_its_token_endpoint(idp: Issuer) -> None:
    proofs: list[str] = []
    real = idp.post

    def keep(path: str, form: dict[str, str], proof: str) -> tuple[int, Any]:
        proofs.append(proof)
        return real(path, form, proof)

    idp.post = keep  # type: ignore[method-assign]
    bound, *_ = log_in(idp)
    said = jwt.decode(proofs[-1], bound.key.public_key(), ["EdDSA"])
    assert (said["htm"], said["htu"]) == ("POST", f"{idp.url}/token")
    assert isinstance(bound.key, Ed25519PrivateKey)
