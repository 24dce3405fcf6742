"""Anthropic's API keys: import, and stop and put back against a server that keeps state."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.code_server import FAULTS, Server, quick, serving
from tests.exports import of, parse, recognised

from passmuster import connectors
from passmuster.connectors import Context, Where
from passmuster.errors import Declined, ImportRefused, Unreachable
from passmuster.model import Credential, Identity
from passmuster.text import Json

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data" / "anthropic" / "api-keys.json"
REAL = ROOT.parent / "shared" / "realdata" / "saas" / "cartography" / "anthropic_apikeys.json"
NAME = "anthropic.api_keys.json"
FORMAT = connectors.named(NAME)
ADMIN, KEY = "the admin key", "the key itself"


class Anthropic:
    """An organisation whose list has two keys on a page."""

    def __init__(self) -> None:
        self.keys: list[Json] = json.loads(SAMPLE.read_text())["data"]

    def __call__(
        self, method: str, path: str, query: dict[str, str], body: Any, headers: Mapping[str, str]
    ) -> tuple[Any, ...]:
        who = {n.lower(): v for n, v in headers.items()}["x-api-key"]
        if path == "v1/models":
            off = self.keys[0]["status"] != "active" and who == KEY
            return (401, {"error": {"message": "invalid x-api-key"}}) if off else (200, {})
        assert who == ADMIN
        if path == "v1/organizations/api_keys":
            ids = [k["id"] for k in self.keys]
            start = ids.index(query["after_id"]) + 1 if "after_id" in query else 0
            page = self.keys[start : start + 2]
            return 200, {"data": page, "has_more": start + 2 < len(ids), "last_id": page[-1]["id"]}
        key = next(k for k in self.keys if path.endswith(k["id"]))
        if method == "POST":
            key |= body
        return 200, key


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    quick(monkeypatch, "passmuster.connectors.anthropic")
    with serving(Anthropic()) as found:
        yield found


def where(server: Server) -> Where:
    return Where("anthropic:example", {"endpoint": server.url}, lambda _name, _command: ADMIN)


def planned() -> connectors.Plan:
    key = of(parse(FORMAT, SAMPLE.read_bytes()), Identity)[0]
    flat = list(json.loads(key.attributes).items())
    dossier = {"source": {"platform": "anthropic"},
               "identity": key._asdict() | {"attributes": flat}}  # fmt: skip
    (plan,) = connectors.plan(dossier, "disable")
    return plan


def test_the_real_file_is_one_active_key() -> None:
    if not REAL.exists():
        pytest.skip("the real file is not here")
    data = json.dumps(json.loads(REAL.read_text())["ANTHROPIC_APIKEYS"]).encode()
    found = recognised(data, NAME, Context("example"))
    ((key,), (credential,)) = of(found, Identity), of(found, Credential)
    assert (key.status, key.last_used_state, credential.hint) == ("enabled", "not_tracked", "igAA")
    assert "R2D" not in str(found)


def test_a_list_that_goes_on_is_refused_and_its_pages_are_read_together() -> None:
    page = json.loads(SAMPLE.read_text())
    more = json.dumps(page | {"has_more": True}).encode()
    with pytest.raises(ImportRefused, match="goes on"):
        parse(FORMAT, more)
    last = json.dumps(page | {"data": [page["data"][0] | {"id": "apikey_other"}]}).encode()
    assert len(of(parse(FORMAT, more + b"\n" + last), Identity)) == 4


def test_a_key_is_refused_when_inactive_and_works_again(server: Server) -> None:
    act = planned().act
    assert act
    live = connectors.connect(where(server))
    before = live.read(act)
    assert before == act.known
    assert live.refused(act, KEY)[0] == live.refused(act)[0] == "works"
    live.write(act, act.wanted)
    live.write(act, act.wanted)
    assert live.read(act) == act.wanted
    assert live.refused(act)[0] == "flag"
    verdict, words = live.refused(act, KEY)
    assert verdict == "refused"
    assert KEY not in words
    live.write(act, before)
    assert live.refused(act, KEY)[0] == "works"
    for state in (None, {"status": "archived"}):
        with pytest.raises(Declined):
            live.write(act, state)
    live.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_is_answered_is_told_and_a_run_after_it_goes_on(
    server: Server, fault: str
) -> None:
    act = planned().act
    assert act
    live = connectors.connect(where(server))
    server.fail(fault)
    with pytest.raises(Unreachable):
        live.write(act, act.wanted)
    if fault == "404":
        assert live.read(act) is None
        assert live.refused(act)[0] == "unknown"
    server.fail("", 0)
    live.write(act, act.wanted)
    assert live.read(act) == act.wanted
    live.close()


def test_every_page_is_collected(server: Server, tmp_path: Path) -> None:
    connectors.collect(where(server), tmp_path)
    found = recognised((tmp_path / NAME).read_bytes(), NAME, Context("example"))
    assert [i.uid for i in of(found, Identity)] == [f"apikey_example{n}" for n in (1, 2, 3)]
    server.fail("500", after=1)
    with pytest.raises(Unreachable):
        connectors.collect(where(server), tmp_path)


def test_a_key_that_is_off_has_nothing_to_stop() -> None:
    last = of(parse(FORMAT, SAMPLE.read_bytes()), Identity)[-1]
    assert last.status == "disabled"
    dossier = {"source": {"platform": "anthropic"}, "identity": last._asdict() | {"attributes": []}}
    assert connectors.plan(dossier, "revoke") == []
