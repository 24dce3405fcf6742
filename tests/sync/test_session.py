"""The client's session: one signature for ten minutes, and nothing of it on the disk."""

import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from passmuster import central, keys
from passmuster.errors import Unreachable
from passmuster.keys import SigningKey
from passmuster.sync import Session
from passmuster.sync._session import SPARE_S
from passmuster.text import Json, from_epoch

ORIGIN, URL, NOW = "log.example", "https://c.example/v1/feed", 1_795_766_400


class Server:
    """What a session needs of one; counts."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.clock, self.slept, self.signed = 0.0, 0, 0
        self.key = keys.in_memory("ana@example.com")
        self.answer: Any = {"token_type": "DPoP", "expires_in": 600}

    def post(self, body: bytes) -> Json:
        self.asked.append(body)
        named: Json = {"access_token": f"token-{len(self.asked)}"}
        return named | self.answer if isinstance(self.answer, dict) else self.answer

    def session(self) -> Session:
        def key() -> SigningKey:
            self.signed += 1
            return self.key

        return Session(ORIGIN, key, self.post, lambda: NOW + self.slept, lambda: self.clock)


def said(proof: str) -> tuple[Json, Json]:
    head, claims = (
        json.loads(base64.urlsafe_b64decode(part + "==")) for part in proof.split(".")[:2]
    )
    return head, claims


def test_one_signature_is_for_many_requests_and_each_has_a_proof_of_its_own() -> None:
    server = Server()
    session = server.session()
    proofs = [session.headers("GET", f"{URL}?after={n}") for n in range(5)]
    assert (server.signed, len(server.asked)) == (1, 1)
    assert {h["Authorization"] for h in proofs} == {"DPoP token-1"}
    assert len({said(h["DPoP"])[1]["jti"] for h in proofs}) == 5
    assert {said(h["DPoP"])[1]["htu"] for h in proofs} == {URL}


def test_what_the_server_is_asked_holds_there_and_names_the_key_that_makes_the_proofs() -> None:
    server = Server()
    headers = server.session().headers("PUT", URL)
    public = {server.key.fingerprint: " ".join(server.key.public.split()[:2])}
    found = central.check(server.asked[0], public, ORIGIN, from_epoch(NOW))
    head, claims = said(headers["DPoP"])
    assert found.principal == "ana@example.com"
    assert found.thumbprint == central.thumbprint(head["jwk"])
    assert (claims["htm"], claims["iat"]) == ("PUT", NOW)
    assert jwt.decode(headers["DPoP"], jwt.PyJWK(head["jwk"], "EdDSA"), ["EdDSA"],
                      options={"verify_iat": False})  # fmt: skip


@pytest.mark.parametrize(("after", "asks"), [
    (600 - SPARE_S - 1, 1), (600 - SPARE_S, 2), (10_000, 2),
])  # fmt: skip
def test_a_session_that_ends_soon_is_asked_for_again_with_another_key(
    after: float, asks: int
) -> None:
    server = Server()
    session = server.session()
    first = session.headers("GET", URL)
    server.clock = after
    second = session.headers("GET", URL)
    assert len(server.asked) == asks
    same = said(first["DPoP"])[0]["jwk"] == said(second["DPoP"])[0]["jwk"]
    assert same is (asks == 1)


def test_a_laptop_that_slept_asks_again_though_its_own_clock_stood_still() -> None:
    server = Server()
    session = server.session()
    session.headers("GET", URL)
    server.slept = 900
    assert session.headers("GET", URL)["Authorization"] == "DPoP token-2"


def test_a_session_can_be_ended() -> None:
    server = Server()
    session = server.session()
    session.headers("GET", URL)
    session.end()
    assert session.headers("GET", URL)["Authorization"] == "DPoP token-2"


@pytest.mark.parametrize("answer", [
    {"token_type": "Bearer", "expires_in": 600}, {"token_type": "DPoP"},
    {"token_type": "DPoP", "expires_in": "600"}, {"token_type": "DPoP", "expires_in": True},
    {"access_token": None, "token_type": "DPoP", "expires_in": 600}, [], None,
])  # fmt: skip
def test_what_is_no_session_is_not_used(answer: Any) -> None:
    server = Server()
    server.answer = answer
    session = server.session()
    with pytest.raises(Unreachable, match="no session"):
        session.headers("GET", URL)
    server.answer = {"token_type": "DPoP", "expires_in": 600}
    assert session.headers("GET", URL)


def test_neither_token_nor_key_is_shown_or_kept(tmp_path: Path) -> None:
    server = Server()
    session = server.session()
    token = session.headers("GET", URL)["Authorization"].removeprefix("DPoP ")
    assert token not in repr(session)
    assert "PrivateKey" not in repr(session)
