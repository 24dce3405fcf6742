"""Whatever somebody sends in place of a proof, a token, a session's request or an invitation is
refused in words, and nothing else happens.
"""

import contextlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from passmuster import central, keys
from passmuster.errors import UsageError, VerificationFailed
from passmuster.server import _dpop
from passmuster.text import canonical, from_epoch

NOW, URL, ORIGIN = 1_795_766_400, "https://c.example/v1/feed", "log.example"
KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
WHO = keys.from_private(KEY, "ana@example.com", "memory")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=3),
    max_leaves=8,
)  # fmt: skip
NAMES = ("htm", "htu", "iat", "jti", "ath", "iss", "aud", "exp", "sub", "cnf", "fingerprint")
CLAIMS = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON))
HEADS = st.fixed_dictionaries({"alg": st.sampled_from(["EdDSA", "none", "HS256", None])}, optional={
    "typ": st.sampled_from(["dpop+jwt", "at+jwt", None]) | JSON, "kid": JSON, "crit": JSON,
    "b64": JSON, "jwk": st.just(central.jwk(KEY)) | JSON,
})  # fmt: skip


def jws(head: Any, said: Any) -> str:
    """Signed rightly, whatever is in it."""
    parts = ".".join(central.b64url(json.dumps(part).encode()) for part in (head, said))
    return f"{parts}.{central.b64url(KEY.sign(parts.encode()))}"


@given(st.text() | st.builds(jws, HEADS, CLAIMS | JSON), st.none() | st.text(max_size=9))
def test_a_proof_of_any_form_is_refused_in_words(proof: str, token: str | None) -> None:
    with pytest.raises(VerificationFailed):
        _dpop.check(proof, "GET", URL, NOW, token)


@given(st.text() | st.builds(jws, HEADS, CLAIMS | JSON))
def test_a_token_of_any_form_is_refused_in_words(token: str) -> None:
    with pytest.raises(VerificationFailed):
        _dpop.opened(KEY.public_key(), ORIGIN, token, NOW)


@given(JSON, st.sampled_from(["payload", "keyid", "sig"]))
def test_a_request_for_a_session_of_any_form_is_refused_in_words(value: Any, name: str) -> None:
    good = central.ask(WHO, ORIGIN, "t" * 43, "n" * 32, from_epoch(NOW))
    listed = {WHO.fingerprint: " ".join(WHO.public.split()[:2])}
    assert central.check(good, listed, ORIGIN, from_epoch(NOW)).nonce == "n" * 32
    with contextlib.suppress(ValueError, UnicodeEncodeError):
        bad = canonical({**json.loads(good), name: value})
        with pytest.raises(VerificationFailed):
            central.check(bad, listed, ORIGIN, from_epoch(NOW))
        inner = canonical({**json.loads(json.loads(good)["payload"]), name: value}).decode()
        with pytest.raises(VerificationFailed):
            central.check(canonical({**json.loads(good), "payload": inner}), listed, ORIGIN,
                          from_epoch(NOW))  # fmt: skip


GOOD = str(central.Invitation("https://c.example", "t" * 32, "p" * 43, "ab" * 32))


@given(st.text(), st.integers(0, len(GOOD)), st.integers(0, len(GOOD)))
def test_an_invitation_with_anything_in_it_is_the_same_or_refused(
    text: str, at: int, to: int
) -> None:
    changed = GOOD[:at] + text + GOOD[to:]
    with contextlib.suppress(UsageError):
        found = central.invitation(changed)
        assert (found.token, found.pin, found.roster) == ("t" * 32, "p" * 43, "ab" * 32)


@given(st.text())
def test_an_address_of_any_form_is_one_or_refused(text: str) -> None:
    for one in (text, f"https://{text}", f"http://127.0.0.1{text}"):
        with contextlib.suppress(UsageError):
            found = central.address(one)
            assert found.startswith(("https://", "http://"))
            assert central.address(found) == found
