"""A real RabbitMQ: its users are read, kept out, refused and let in."""

import io
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from passmuster import connectors, model
from passmuster.connectors import Act, Context, Where
from passmuster.connectors.rabbitmq import _amqp, _live
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.transport import Patience
from tests.exports import of
from tests.live import services
from tests.wire import wire_to

pytestmark = pytest.mark.ci
SECRET = "a-real-passw0rd"
LIMIT = Act("rabbitmq.user.max_connections", {"user": "ci"}, {"max-connections": 0})
VHOST = "vhost:%2F configure=ci-.* write=.* read="


@pytest.fixture(scope="module")
def broker(a_rabbitmq: str) -> str:
    return a_rabbitmq


def ask(broker: str, method: str, path: str, body: Any = None) -> Any:
    answer = httpx.request(method, f"{broker}/api/{path}", json=body, auth=("guest", "guest"),
                           timeout=30)  # fmt: skip
    answer.raise_for_status()
    return answer.json() if answer.content else None


def where(url: str, user: str = "guest", source: str = "rabbitmq:") -> Where:
    passwords = {"guest": "guest", "ci": SECRET, "nobody": "x"}
    return Where(source, {"endpoint": url, "user": user}, lambda _n, _c: passwords[user])


@pytest.fixture
def user(broker: str) -> Iterator[str]:
    ask(broker, "PUT", "users/ci", {"password": SECRET, "tags": ""})
    rights = {"configure": "ci-.*", "write": ".*", "read": ""}
    ask(broker, "PUT", "permissions/%2F/ci", rights)
    yield "ci"
    ask(broker, "DELETE", "users/ci")


def dossier(folder: Path, broker: str) -> dict[str, Any]:
    connectors.collect(where(broker), folder)
    data = (folder / "definitions.json").read_bytes()
    assert b'"password_hash"' not in data
    fmt = connectors.recognise(data, "definitions.json")
    records = list(connectors.read(fmt, io.BytesIO(data), Context()))
    assert not of(records, model.Problem)
    assert of(records, model.Source)[0].tenant_uid.startswith("rabbitmq-cluster-id-")
    assert len(of(records, model.Credential)) == len(of(records, model.Identity)) == 2
    (identity,) = [i._asdict() for i in of(records, model.Identity) if i.uid == "ci"]
    return {
        "source": {"platform": "rabbitmq"}, "identity": identity | {"attributes": []},
        "grants": [{"entitlement": g.entitlement_uid} for g in of(records, model.Grant)
                   if g.principal_uid == "ci"],
    }  # fmt: skip


def amqp(broker: str) -> tuple[str, int]:
    listeners = ask(broker, "GET", "overview")["listeners"]
    return "127.0.0.1", next(x["port"] for x in listeners if x["protocol"] == "amqp")


@pytest.mark.parametrize("target", [None, VHOST])
def test_a_user_is_stopped_refused_and_put_back(
    broker: str, user: str, tmp_path: Path, target: str | None
) -> None:
    found = dossier(tmp_path, broker)
    assert [g["entitlement"] for g in found["grants"]] == [VHOST]
    (plan,) = connectors.plan(found, "revoke", target)
    act = plan.act
    assert act is not None
    live = connectors.connect(where(broker))
    saved = live.read(act)
    assert saved == act.known
    assert live.refused(act, SECRET) == ("works", "it logged in")
    began = time.monotonic()
    live.write(act, act.wanted)
    while (told := live.refused(act, SECRET))[0] != "refused":
        assert time.monotonic() - began < 30, told
    print(f"rabbitmq: {act.name} to refused {time.monotonic() - began:.3f} s: {told[1]}")
    assert "530" in told[1]
    assert live.refused(act, "wrong")[0] == "flag"
    assert live.refused(act)[0] == "flag"
    live.write(act, act.wanted)
    live.write(act, saved)
    assert live.refused(act, "wrong")[0] == "unknown"
    assert live.refused(act, SECRET) == ("works", "it logged in")
    assert live.read(act) == saved
    live.close()


def test_an_open_connection_is_ended(
    broker: str, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, port = amqp(broker)
    with socket.create_connection((host, port), 20) as raw:
        close = _amqp._send

        def not_closing(wire: socket.socket, method: tuple[int, int], arguments: bytes) -> None:
            if method != _amqp.CLOSE:
                close(wire, method, arguments)

        monkeypatch.setattr(_amqp, "_send", not_closing)
        _amqp._talk(raw, "it", "ci", SECRET, "/")
        services.until(lambda: ask(broker, "GET", "connections/username/ci"), "it is not listed")
        live = connectors.connect(where(broker))
        live.write(LIMIT, LIMIT.wanted)
        raw.settimeout(20)
        said = b""
        while b"CONNECTION_FORCED" not in said:
            piece = raw.recv(4096)
            assert piece
            said += piece
        live.write(LIMIT, {"max-connections": 7})
        assert live.read(LIMIT) == {"max-connections": 7}
        live.close()


def test_what_is_gone_or_not_allowed_is_declined(broker: str, user: str) -> None:
    live = connectors.connect(where(broker))
    gone = Act(LIMIT.name, {"user": "no/body"}, LIMIT.wanted)
    assert live.read(gone) is None
    assert live.refused(gone)[0] == "flag"
    for act, state, status in (
        (gone, LIMIT.wanted, 404), (LIMIT, None, 400), (Act(LIMIT.name, {}, None), {}, 400),
        (Act("rabbitmq.elsewhere", {"user": "ci"}, None), None, 400),
        (Act(LIMIT.name, {"user": "guest"}, None), LIMIT.wanted, 409),
    ):  # fmt: skip
        with pytest.raises(Declined) as declined:
            live.write(act, state)
        assert declined.value.status == status, act
    live.close()
    for name in ("ci", "nobody"):
        with pytest.raises(Declined) as declined:
            connectors.connect(where(broker, name))
        assert declined.value.status == 401
    with pytest.raises(Declined, match="not rabbitmq-cluster-id-other"):
        connectors.connect(where(broker, source="rabbitmq:rabbitmq-cluster-id-other"))


@pytest.mark.parametrize("mode", ["cut", "drip"])
@pytest.mark.parametrize("verb", ["read", "write", "refused", "connect", "collect"])
def test_a_connection_that_breaks_is_unreachable_and_nothing_else(
    broker: str, user: str, mode: str, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(_live, "PATIENCE", Patience(tries=1))
    monkeypatch.setattr(_live, "DEADLINE_S", 0.3)
    with wire_to(("127.0.0.1", urlsplit(broker).port or 0)) as wire:
        at = where(f"http://127.0.0.1:{wire.port}")
        live = connectors.connect(at) if verb in ("read", "write", "refused") else None
        wire.mode = mode
        with pytest.raises(Unreachable) as broken:
            if live is not None:
                given = (LIMIT, {"max-connections": None}) if verb == "write" else (LIMIT,)
                getattr(live, verb)(*given)
            elif verb == "connect":
                connectors.connect(at)
            else:
                connectors.collect(at, tmp_path)
        assert not isinstance(broken.value, Declined)
        if live is not None:
            live.close()


@pytest.mark.parametrize("mode", ["cut", "drip", "mute"])
def test_a_login_that_breaks_is_unreachable(broker: str, user: str, mode: str) -> None:
    with wire_to(amqp(broker)) as wire:
        wire.mode = mode
        with pytest.raises(Unreachable) as broken:
            _amqp.login(("127.0.0.1", wire.port), None, "ci", SECRET, "/", 0.5)
        assert not isinstance(broken.value, Declined)


def test_settings_that_cannot_work_are_told() -> None:
    with pytest.raises(UsageError, match="endpoint ="):
        connectors.connect(Where("rabbitmq:"))
    with pytest.raises(UsageError, match="https"):
        connectors.connect(where("http://mq.example.com"))
