"""A real OpenBao: entities, AppRoles, secret ids and tokens are read, stopped and put back."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from passmuster import connectors, model
from passmuster.connectors import Act, Context, Where
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.transport import Patience
from tests.exports import of
from tests.live import services
from tests.live.services import Bao
from tests.wire import wire_to

pytestmark = pytest.mark.ci
Login = dict[str, Any]


@pytest.fixture(scope="module")
def bao(an_openbao: Bao) -> Bao:
    policy = {"policy": 'path "x/*" {capabilities=["read"]}'}
    an_openbao.ask("POST", "sys/policies/acl/reader", policy)
    return an_openbao


@pytest.fixture
def login(bao: Bao) -> Iterator[Login]:
    """An AppRole that has logged in: its role id, secret id, their accessors, entity and token."""
    role = "auth/approle/role/ci"
    bao.ask("POST", role, {"token_policies": ["reader"], "token_ttl": "1h"})
    metadata = '{"owner":"ops@example.com"}'
    given = bao.ask("POST", f"{role}/secret-id", {"metadata": metadata})["data"]
    given["role_id"] = bao.ask("GET", f"{role}/role-id")["data"]["role_id"]
    given |= logged_in(bao, given)
    yield given
    bao.ask("DELETE", role)
    bao.ask("DELETE", f"identity/entity/id/{given['entity_id']}")


def logged_in(bao: Bao, given: Login) -> Login:
    asked = {"role_id": given["role_id"], "secret_id": given["secret_id"]}
    auth: Login = bao.ask("POST", "auth/approle/login", asked, token="")["auth"]
    return auth


def where(url: str, source: str = "openbao:", token: str = Bao.TOKEN) -> Where:
    def secret(_name: str, command: Any) -> str:
        assert command == ("bao", "print", "token")
        return token

    return Where(source, {"endpoint": url}, secret)


def collected(folder: Path, at: Where) -> list[Any]:
    connectors.collect(at, folder)
    data = (folder / "openbao.jsonl").read_bytes()
    fmt = connectors.recognise(data[: connectors.SNIFF_BYTES], "openbao.jsonl")
    return list(connectors.read(fmt, io.BytesIO(data), Context()))


def dossier(records: list[Any], uid: str) -> dict[str, Any]:
    (identity,) = [i._asdict() for i in of(records, model.Identity) if i.uid == uid]
    identity["attributes"] = [
        [k, ", ".join(v) if isinstance(v, list) else v]
        for k, v in json.loads(identity["attributes"]).items()
    ]
    return {
        "source": {"platform": "openbao"}, "identity": identity, "grants": [],
        "credentials": [c._asdict() for c in of(records, model.Credential)
                        if c.identity_uid == uid],
    }  # fmt: skip


def stop_and_put_back(bao: Bao, plan: Any, secret: str, words: str) -> None:
    live = connectors.connect(where(bao.url))
    saved = live.read(plan.act)
    assert saved == plan.act.known or plan.act.known is None
    assert live.refused(plan.act, secret)[0] == "works"
    began = time.monotonic()
    live.write(plan.act, plan.act.wanted)
    while (told := live.refused(plan.act, secret))[0] != "refused":
        assert time.monotonic() - began < 20, told
    print(f"openbao: {plan.act.name} to refused {time.monotonic() - began:.3f} s: {told[1]}")
    assert words in told[1]
    assert live.refused(plan.act)[0] == "flag"
    live.write(plan.act, plan.act.wanted)
    live.write(plan.act, saved)
    assert live.refused(plan.act, secret)[0] == "works"
    assert live.read(plan.act) == saved
    live.close()


def test_a_disabled_entity_is_refused_and_the_same_token_works_again(
    bao: Bao, login: Login, tmp_path: Path
) -> None:
    records = collected(tmp_path, where(bao.url))
    (plan,) = connectors.plan(dossier(records, login["entity_id"]), "disable")
    assert plan.act is not None
    stop_and_put_back(bao, plan, login["client_token"], "permission denied")
    live = connectors.connect(where(bao.url))
    assert live.refused(plan.act, "s.none") == ("unknown", "OpenBao does not know this token")
    assert live.refused(plan.act, Bao.TOKEN)[0] in ("unknown", "works")
    live.close()


def test_an_approle_is_stopped_by_its_entity_or_loses_its_policies(
    bao: Bao, login: Login, tmp_path: Path
) -> None:
    records = collected(tmp_path, where(bao.url))
    entity, policies = connectors.plan(dossier(records, "auth/approle/role/ci"), "disable")
    stop_and_put_back(bao, entity, login["secret_id"], "permission denied")
    stop_and_put_back(bao, policies, login["secret_id"], "no policy but default")


def test_a_secret_id_and_a_token_are_destroyed_for_good(
    bao: Bao, login: Login, tmp_path: Path
) -> None:
    records = collected(tmp_path, where(bao.url))
    live = connectors.connect(where(bao.url))
    for uid, target, secret in (
        (login["entity_id"], login["accessor"], login["client_token"]),
        ("auth/approle/role/ci", login["secret_id_accessor"], login["secret_id"]),
    ):
        (plan,) = connectors.plan(dossier(records, uid), "revoke", target)
        assert (plan.undo_class, plan.undo) == ("R3", ())
        assert plan.act is not None
        assert live.read(plan.act)
        assert live.refused(plan.act, secret)[0] == "works"
        began = time.monotonic()
        live.write(plan.act, None)
        told = live.refused(plan.act, secret)
        print(f"openbao: {plan.act.name} to refused {time.monotonic() - began:.3f} s: {told[1]}")
        assert told[0] == "refused"
        live.write(plan.act, None)
        assert live.read(plan.act) is None
        assert live.refused(plan.act)[0] == "flag"
        with pytest.raises(Declined, match="cannot be made again"):
            live.write(plan.act, {"created": "x"})
    live.close()


def test_the_lines_of_a_plan_do_the_same(bao: Bao, login: Login, tmp_path: Path) -> None:
    services.program("jq")
    records = collected(tmp_path, where(bao.url))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"BAO_ADDR": bao.url, "BAO_TOKEN": bao.TOKEN, "PATH": path, "HOME": str(tmp_path)}
    uids = (login["entity_id"], "auth/approle/role/ci")
    for plan in [connectors.plan(dossier(records, uid), "disable")[0] for uid in uids]:
        for lines, may in ((plan.stop, False), (plan.undo, True)):
            said = "\n".join(lines)
            subprocess.run(
                ["sh", "-ec", said], check=True, capture_output=True, timeout=60, env=env
            )
            try:
                logged_in(bao, login)
                assert may
            except httpx.HTTPStatusError:
                assert not may


def test_what_is_collected_is_what_the_vendors_commands_make(
    bao: Bao, login: Login, tmp_path: Path
) -> None:
    services.program("jq")
    records = collected(tmp_path, where(bao.url))
    assert login["client_token"] not in str(records)
    assert login["secret_id"] not in str(records)
    assert login["client_token"] not in (tmp_path / "openbao.jsonl").read_text()
    fmt = connectors.named("openbao.answers.jsonl")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"BAO_ADDR": bao.url, "BAO_TOKEN": bao.TOKEN, "PATH": path, "HOME": str(tmp_path)}
    (tmp_path / "by-hand").mkdir()
    subprocess.run(["bash", "-c", fmt.howto], timeout=60, env=env, cwd=tmp_path / "by-hand",
                   capture_output=True, check=True)  # fmt: skip
    data = (tmp_path / "by-hand" / "openbao.jsonl").read_bytes()
    by_hand = list(connectors.read(fmt, io.BytesIO(data), Context()))

    def plain(found: list[Any]) -> list[str]:
        # by hand each token that lists is there as well; the order of members differs
        return sorted(str(r._replace(line=None)) for r in found if hasattr(r, "line"))

    assert plain(by_hand) == plain(records)
    assert of(records, model.Source) == of(by_hand, model.Source)
    assert not of(records, model.Problem)


def test_what_is_gone_or_not_allowed_is_declined(bao: Bao, login: Login) -> None:
    role = {"mount": "auth/approle", "role": "nobody"}
    weak = bao.ask("POST", "auth/token/create", {"policies": ["reader"]})["auth"]["client_token"]
    live, other = connectors.connect(where(bao.url)), connectors.connect(where(bao.url, token=weak))
    entity = Act("openbao.entity.disabled", {"id": login["entity_id"]}, {"disabled": True})
    for act, state, status in (
        (Act("openbao.entity.disabled", {"id": "x/../../../sys/seal"}, None), entity.wanted, 400),
        (Act("openbao.approle.disabled", role, None), entity.wanted, 404),
        (Act("openbao.approle.policies", role, None), {"token_policies": []}, 404),
        (Act("openbao.elsewhere", role, None), None, 400),
        (Act("openbao.entity.disabled", {}, None), entity.wanted, 400),
    ):
        with pytest.raises(Declined) as declined:
            live.write(act, state)
        assert declined.value.status == status, (act, declined.value)
    for verb, given in (
        ("read", (entity,)), ("write", (entity, entity.wanted)),
        ("refused", (entity,)), ("refused", (entity, login["client_token"])),
    ):  # fmt: skip
        with pytest.raises(Declined) as declined:
            getattr(other, verb)(*given)
        assert declined.value.status == 403
    live.close()
    other.close()
    with pytest.raises(Declined, match="is the cluster"):
        connectors.connect(where(bao.url, "openbao:264ece9c-30e7-6427-0df7-3a6142161c0b"))


@pytest.mark.parametrize("mode", ["cut", "drip", "mute"])
@pytest.mark.parametrize("verb", ["read", "write", "refused", "connect", "collect"])
def test_a_connection_that_breaks_is_unreachable_and_nothing_else(
    bao: Bao, login: Login, mode: str, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from passmuster.connectors.openbao import _live

    monkeypatch.setattr(_live, "PATIENCE", Patience(tries=1))
    monkeypatch.setattr(_live, "DEADLINE_S", 0.5)
    act = Act("openbao.entity.disabled", {"id": login["entity_id"]}, {"disabled": False})
    with wire_to(("127.0.0.1", bao.port)) as wire:
        at = where(f"http://127.0.0.1:{wire.port}")
        live = connectors.connect(at) if verb in ("read", "write", "refused") else None
        wire.mode = mode
        with pytest.raises(Unreachable) as broken:
            if live is not None:
                given = (act, act.wanted) if verb == "write" else (act,)
                getattr(live, verb)(*given)
            elif verb == "connect":
                connectors.connect(at)
            else:
                connectors.collect(at, tmp_path)
        assert not isinstance(broken.value, Declined)
        if live is not None:
            live.close()


def test_settings_that_cannot_work_are_told() -> None:
    with pytest.raises(UsageError, match="endpoint ="):
        connectors.connect(Where("openbao:"))
    with pytest.raises(UsageError, match="https"):
        connectors.connect(where("http://bao.example.com"))
