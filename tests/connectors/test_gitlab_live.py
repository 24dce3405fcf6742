"""GitLab, live: stop, read back, be refused, put back, and whatever can go wrong on the way.

Against a small server that answers as GitLab's API pages say; GitLab itself was not asked.
"""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.code_server import FAULTS, Server, quick, serving
from tests.gitlab_server import ADMIN, KEY, OWNER, GitLab

from passmuster import connectors
from passmuster.connectors import Act, Context, Where
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.text import Json

TENANT = "gitlab.example.com/example"
STOPS = {
    "bot": ("user/2102", None, 0, "R1"),
    "service account": ("user/57", None, 0, "R1"),
    "token of a project": ("user/2102", "personal_access_tokens/802", 1, "R3"),
    "token of an account": ("user/57", "personal_access_tokens/803", 1, "R3"),
    "deploy key": ("deploy_key/22", None, 0, "R2"),
    "runner": ("runners/6", None, 0, "R1"),
}
every_stop = pytest.mark.parametrize("name", STOPS)


@pytest.fixture
def platform() -> GitLab:
    return GitLab()


@pytest.fixture
def server(platform: GitLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    quick(monkeypatch, "passmuster.connectors.gitlab._live")
    with serving(platform) as found:
        platform.url = found.url
        yield found


def where(server: Server, token: str = ADMIN) -> Where:
    def secret(_name: str, command: Any) -> str:
        assert list(command) == ["glab", "config", "get", "token", "--host", "127.0.0.1"]
        return token

    return Where(f"gitlab:{TENANT}", {"endpoint": server.url}, secret)


def collected(server: Server, folder: Path) -> dict[str, Json]:
    """By uid: what a plan needs to know of each identity that a collection brings."""
    connectors.collect(where(server), folder)
    found: dict[str, Json] = {}
    for path in sorted(folder.iterdir()):
        fmt = connectors.recognise(path.read_bytes(), path.name)
        assert path.name == fmt.name
        with path.open("rb") as stream:
            for record in connectors.read(fmt, stream, Context(TENANT)):
                _take(found, record)
    return found


def _take(found: dict[str, Json], record: Any) -> None:
    kind = type(record).__name__
    values = record._asdict()
    if kind == "Identity":
        flat = [[k, {True: "yes", False: "no"}.get(v, v) if isinstance(v, bool) else str(v)]
                for k, v in json.loads(record.attributes).items()]  # fmt: skip
        one = found.setdefault(record.uid, {
            "source": {"platform": "gitlab", "tenant_uid": TENANT}, "credentials": [],
            "grants": [],
        })  # fmt: skip
        if record.line or "identity" not in one:
            one["identity"] = values | {"attributes": flat}
    elif kind == "Credential":
        found[record.identity_uid]["credentials"].append(values)
    elif kind == "Grant":
        found[record.principal_uid]["grants"].append(
            {"entitlement": record.entitlement_uid, "via": record.via}
        )


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    """What the inventory would know of the platform as it begins."""
    platform = GitLab()
    with serving(platform) as found:
        platform.url = found.url
        return collected(found, tmp_path_factory.mktemp("known"))


def planned(known: dict[str, Json], name: str) -> connectors.Plan:
    uid, target, position, undo_class = STOPS[name]
    plan = connectors.plan(known[uid], "revoke", target)[position]
    assert plan.undo_class == undo_class
    assert plan.residual
    return plan


def acted(known: dict[str, Json], name: str) -> Act:
    found = planned(known, name).act
    assert found
    return found


@every_stop
def test_a_stop_is_read_back_done_once_and_put_back_where_that_can_be(
    server: Server, known: dict[str, Json], name: str
) -> None:
    act = acted(known, name)
    live = connectors.connect(where(server))
    before = live.read(act)
    assert before is not None
    assert act.known is None or act.known.items() <= before.items()
    assert live.refused(act)[0] == "works"
    live.write(act, act.wanted)
    live.write(act, act.wanted)
    assert live.read(act) == act.wanted
    assert live.refused(act)[0] == "flag"
    if "token" in name:
        with pytest.raises(Declined):
            live.write(act, before)
    else:
        live.write(act, before)
        live.write(act, before)
        assert live.read(act) == before
        assert live.refused(act)[0] == "works"
    live.close()


@every_stop
def test_the_vendor_s_line_asks_what_muster_asks(
    server: Server, known: dict[str, Json], name: str
) -> None:
    plan = planned(known, name)
    assert plan.act
    live = connectors.connect(where(server))
    live.write(plan.act, plan.act.wanted)
    lines = [shlex.split(line, comments=True) for line in plan.stop]
    assert server.changes() == [f"{w[3]} {w[4]}" for w in lines if w[:3] == ["glab", "api", "-X"]]
    live.close()


def test_the_reversible_stop_comes_first_and_stops_the_very_token(
    server: Server, known: dict[str, Json]
) -> None:
    first, second = connectors.plan(known["user/2102"], "revoke", "personal_access_tokens/802")
    assert (first.undo_class, second.undo_class) == ("R1", "R3")
    assert first.act
    live = connectors.connect(where(server))
    assert live.refused(first.act, "the bot's")[0] == "works"
    live.write(first.act, first.act.wanted)
    verdict, words = live.refused(first.act, "the bot's")
    assert (verdict, "blocked" in words) == ("refused", True)
    live.write(first.act, {"state": "active"})
    assert live.refused(first.act, "the bot's")[0] == "works"
    assert second.act
    live.write(second.act, second.act.wanted)
    assert live.refused(second.act, "the bot's")[0] == "refused"
    live.close()


def test_who_may_not_block_is_told_so(server: Server, known: dict[str, Json]) -> None:
    act = acted(known, "bot")
    live = connectors.connect(where(server, OWNER))
    with pytest.raises(Declined) as told:
        live.write(act, act.wanted)
    assert told.value.status == 403
    live.close()


def test_a_token_that_is_not_shown_is_not_called_revoked(
    server: Server, known: dict[str, Json]
) -> None:
    act = acted(known, "token of an account")
    live = connectors.connect(where(server, OWNER))
    assert live.read(act) is None
    assert live.refused(act)[0] == "unknown"
    with pytest.raises(Declined):
        live.write(act, act.wanted)
    live.close()


def test_an_account_is_not_blocked_for_one_token_of_several(known: dict[str, Json]) -> None:
    account = known["user/57"]
    (old,) = account["credentials"]
    two = account | {"credentials": [old, old | {"uid": "personal_access_tokens/9"}]}
    (only,) = connectors.plan(two, "revoke", "personal_access_tokens/9")
    assert only.undo_class == "R3"
    dead = account | {"credentials": [old | {"status": "disabled"}]}
    assert connectors.plan(dead, "revoke", old["uid"]) == []


def test_to_disable_is_never_to_destroy_a_secret(known: dict[str, Json]) -> None:
    for dossier in known.values():
        for target in (None, *(c["uid"] for c in dossier["credentials"])):
            found = connectors.plan(dossier, "disable", target)
            assert "R3" not in {plan.undo_class for plan in found}


def test_a_person_is_not_blocked_for_a_token(known: dict[str, Json]) -> None:
    person = known["user/57"] | {
        "identity": known["user/57"]["identity"] | {"nhi_detail": "gitlab.user"}
    }
    assert connectors.plan(person, "revoke") == []
    (only,) = connectors.plan(person, "revoke", "personal_access_tokens/803")
    assert only.undo_class == "R3"


def test_a_deploy_key_of_a_project_that_is_not_told_is_for_a_person(known: dict[str, Json]) -> None:
    key = known["deploy_key/22"]
    about = [pair for pair in key["identity"]["attributes"] if pair[0] != "project"]
    (plan,) = connectors.plan(key | {"identity": key["identity"] | {"attributes": about}}, "revoke")
    assert plan.act is None
    assert plan.stop[0].startswith("read -r PROJECT")
    assert KEY in plan.undo[-1]


@pytest.mark.parametrize("verb", ["read", "write", "refused"])
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_the_platform_answers_is_told_and_a_run_after_it_goes_on(
    server: Server, known: dict[str, Json], verb: str, fault: str
) -> None:
    live = connectors.connect(where(server))
    for name in STOPS:
        act = acted(known, name)
        server.asked.clear()
        server.fail(fault)
        told = called(live, verb, act)
        hidden = fault == "404" and name in ("bot", "service account", "runner")
        assert told == {"half": "none"}.get(fault, fault) or hidden, name
        server.fail("", 0)
        live.write(act, act.wanted)
        assert live.read(act) == act.wanted
        assert len(server.changes()) == 1, name
    live.close()


def called(live: connectors.Live, verb: str, act: Act) -> str | None:
    """The fault that came out as the error that it is; None: none did."""
    try:
        if verb == "write":
            live.write(act, act.wanted)
        else:
            getattr(live, verb)(act)
    except Declined as error:
        return str(error.status)
    except Unreachable as error:
        planted = [f for f in ("429", "500") if f"planted {f}" in str(error)]
        return planted[0] if planted else "none"
    return None


def test_a_collection_brings_what_the_lists_have(
    server: Server, platform: GitLab, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    found = collected(server, folder)
    assert {p.name.split(".")[1] for p in folder.iterdir()} == {
        "access_tokens", "service_accounts", "members", "deploy_keys", "runners",
    }  # fmt: skip
    tokens = [
        c["uid"] for one in found.values() for c in one["credentials"] if "access" in c["uid"]
    ]
    assert sorted(tokens) == [f"personal_access_tokens/{n}" for n in sorted(platform.tokens)]
    assert "GET groups/example/service_accounts" in server.asked


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("after", [0, 5, 9])
def test_a_collection_that_is_not_whole_is_an_error(
    server: Server, tmp_path: Path, fault: str, after: int
) -> None:
    server.fail(fault, after=after)
    with pytest.raises(Unreachable):
        connectors.collect(where(server), tmp_path)


def test_a_source_without_a_server_is_an_error() -> None:
    with pytest.raises(UsageError):
        connectors.connect(Where("gitlab:"))
