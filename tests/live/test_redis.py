"""A real Redis: its users are read, switched off, refused and switched on."""

import io
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from passmuster import connectors, model
from passmuster.connectors import Act, Context, Where
from passmuster.connectors.redis import _live
from passmuster.errors import Declined, Unreachable, UsageError
from tests.exports import of
from tests.live import services
from tests.wire import free_port, wire_to

pytestmark = pytest.mark.ci
SECRET = "a-real-passw0rd"
OFF = Act("redis.user.on", {"user": "ci"}, {"on": False}, {"on": True})


@pytest.fixture(scope="module")
def server(a_redis: Path) -> Path:
    return a_redis


def where(server: Path, user: str | None = None) -> Where:
    settings = {"endpoint": f"redis://{server}"} | ({} if user is None else {"user": user})
    return Where("redis:cache", settings, lambda _name, _command: SECRET)


@pytest.fixture
def user(server: Path) -> Iterator[str]:
    live = _live.connect(where(server))
    live.ask("ACL", "SETUSER", "ci", "on", f">{SECRET}", "~jobs:*", "+get", "+set", "+ping")
    yield "ci"
    live.ask("ACL", "DELUSER", "ci")
    live.close()


def collected(folder: Path, at: Where) -> list[Any]:
    connectors.collect(at, folder)
    data = (folder / "acl.txt").read_bytes()
    fmt = connectors.recognise(data, "acl.txt")
    return list(connectors.read(fmt, io.BytesIO(data), Context("cache")))


def stop(server: Path, folder: Path) -> Any:
    records = collected(folder, where(server))
    (identity,) = [i for i in of(records, model.Identity) if i.uid == "ci"]
    found = {"source": {"platform": "redis"}, "identity": identity._asdict(), "grants": []}
    (plan,) = connectors.plan(found, "disable")
    return plan


def session(server: Path) -> socket.socket:
    """A connection as `ci` that is used before and after."""
    raw = socket.socket(socket.AF_UNIX)
    raw.settimeout(10)
    raw.connect(str(server))
    raw.sendall(f"AUTH ci {SECRET}\r\n".encode())
    assert raw.recv(100) == b"+OK\r\n"
    return raw


def test_a_user_is_stopped_refused_and_put_back(server: Path, user: str, tmp_path: Path) -> None:
    plan = stop(server, tmp_path)
    raw = session(server)
    live = connectors.connect(where(server))
    saved = live.read(plan.act)
    assert saved == plan.act.known
    assert live.refused(plan.act, SECRET) == ("works", "AUTH was accepted")
    began = time.monotonic()
    live.write(plan.act, plan.act.wanted)
    while (told := live.refused(plan.act, SECRET))[0] != "refused":
        assert time.monotonic() - began < 20, told
    print(f"redis: off to refused {time.monotonic() - began:.3f} s: {told[1]}")
    assert "WRONGPASS" in told[1]
    assert raw.recv(100) == b""
    raw.close()
    assert live.refused(plan.act)[0] == "flag"
    assert live.refused(plan.act, "wrong")[0] == "flag"
    live.write(plan.act, plan.act.wanted)
    live.write(plan.act, saved)
    assert live.refused(plan.act, "wrong")[0] == "unknown"
    assert live.refused(plan.act, SECRET) == ("works", "AUTH was accepted")
    live.close()


def test_the_lines_of_a_plan_do_the_same(server: Path, user: str, tmp_path: Path) -> None:
    client = services.program("redis-cli")
    plan = stop(server, tmp_path)
    live = connectors.connect(where(server))
    for lines, on in ((plan.stop, False), (plan.undo, True)):
        for line in lines:
            asked = line.replace("redis-cli", f"{client} -s {server}", 1)
            subprocess.run(["sh", "-c", asked], check=True, capture_output=True, timeout=60)
        assert live.read(plan.act) == {"on": on}
    live.close()


def test_what_is_collected_is_what_the_vendors_command_makes_and_holds_no_hash(
    server: Path, user: str, tmp_path: Path
) -> None:
    client = services.program("redis-cli")
    records = collected(tmp_path, where(server))
    asked = connectors.named("redis.acl_list.txt").howto.replace(
        "redis-cli", f"{client} -s {server}"
    )
    subprocess.run(["sh", "-c", asked.replace("acl.txt", "by-hand.txt")], cwd=tmp_path, check=True,
                   timeout=60)  # fmt: skip
    assert (tmp_path / "by-hand.txt").read_bytes() == (tmp_path / "acl.txt").read_bytes()
    assert [i.uid for i in of(records, model.Identity)] == ["ci", "default"]
    assert len(of(records, model.Credential)) == 1
    assert not of(records, model.Problem)


def test_what_is_gone_or_not_allowed_is_declined(server: Path, user: str) -> None:
    live = connectors.connect(where(server))
    gone = Act(OFF.name, {"user": "nobody"}, {"on": False})
    assert live.read(gone) is None
    assert live.refused(gone)[0] == "flag"
    for act, state, status in (
        (gone, {"on": True}, 404), (OFF, None, 400), (Act(OFF.name, {}, None), {"on": True}, 400),
        (Act("redis.elsewhere", {"user": "ci"}, None), None, 400),
        (Act(OFF.name, {"user": "default"}, None), {"on": False}, 409),
    ):  # fmt: skip
        with pytest.raises(Declined) as declined:
            live.write(act, state)
        assert declined.value.status == status, act
    assert live.read(gone) is None
    live.close()
    with pytest.raises(Declined, match="NOPERM"):  # it may not even ask who it is
        connectors.connect(where(server, user="ci"))
    with pytest.raises(Declined, match="WRONGPASS"):
        connectors.connect(where(server, user="nobody"))


@pytest.mark.parametrize("mode", ["cut", "drip", "mute"])
@pytest.mark.parametrize("verb", ["read", "write", "refused", "connect", "collect"])
def test_a_connection_that_breaks_is_unreachable_and_nothing_else(
    server: Path, user: str, mode: str, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(_live, "DEADLINE_S", 0.3)
    near = tmp_path / "w"
    with wire_to(str(server), near) as wire:
        at = where(near)
        live = connectors.connect(at) if verb in ("read", "write", "refused") else None
        wire.mode = mode
        with pytest.raises(Unreachable) as broken:
            if live is not None:
                given = (OFF, {"on": True}) if verb == "write" else (OFF,)
                getattr(live, verb)(*given)
            elif verb == "connect":
                connectors.connect(at)
            else:
                connectors.collect(at, tmp_path)
        assert not isinstance(broken.value, Declined)
        if live is not None:
            with pytest.raises(Unreachable):
                live.read(OFF)
            live.close()


def test_tls_is_spoken_and_the_certificate_verified(tmp_path: Path) -> None:
    ours, others = trustme.CA(), trustme.CA()
    certificate = ours.issue_cert("localhost")
    paths = {name: str(tmp_path / name) for name in ("ca", "other", "cert", "key")}
    ours.cert_pem.write_to_path(paths["ca"])
    others.cert_pem.write_to_path(paths["other"])
    certificate.cert_chain_pems[0].write_to_path(paths["cert"])
    certificate.private_key_pem.write_to_path(paths["key"])
    port = free_port()
    words = [services.program("redis-server"), "--port", "0", "--tls-port", str(port), "--save", "",
             "--tls-cert-file", paths["cert"], "--tls-key-file", paths["key"],
             "--tls-ca-cert-file", paths["ca"], "--tls-auth-clients", "no"]  # fmt: skip

    def answers() -> bool:
        with socket.create_connection(("localhost", port), 5):
            return True

    with services.running(words, tmp_path):
        services.until(answers, "redis-server does not start")
        settings = {"endpoint": f"rediss://localhost:{port}", "ca": paths["ca"]}
        live = connectors.connect(Where("redis:x", settings))
        assert live.read(OFF) is None
        live.close()
        with pytest.raises(Unreachable, match="certificate verify failed"):
            connectors.connect(Where("redis:x", settings | {"ca": paths["other"]}))


def test_settings_that_would_weaken_it_are_refused() -> None:
    for endpoint in ("redis://cache.example.com", "rediss://u:p@h", "http://h", "redis://"):
        with pytest.raises(UsageError):
            connectors.connect(Where("redis:x", {"endpoint": endpoint}))
    with pytest.raises(UsageError, match="endpoint ="):
        connectors.connect(Where("redis:x"))
    with pytest.raises(Unreachable):
        connectors.connect(Where("redis:x", {"endpoint": "redis://127.0.0.1:1"}))
