"""GitHub, live: stop, read back, put back, and whatever can go wrong on the way.

Against a small server that answers as GitHub's OpenAPI description says; GitHub itself was not
asked.
"""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.code_server import FAULTS, Server, quick, serving
from tests.github_server import ALIVE, APP, DEAD, KEY, ORG, OUT, GitHub

from passmuster import connectors
from passmuster.connectors import Act, Context, Where
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.text import Json


@pytest.fixture
def platform() -> GitHub:
    return GitHub()


@pytest.fixture
def server(platform: GitHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    quick(monkeypatch, "passmuster.connectors.github._live")
    with serving(platform) as found:
        platform.url = found.url
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "export"
    made.mkdir()
    return made


def where(server: Server, token: str = ALIVE) -> Where:
    def secret(_name: str, command: Any) -> str:
        assert list(command[:3]) == ["gh", "auth", "token"]
        return token

    return Where(f"github:{ORG}", {"endpoint": server.url}, secret)


def dossiers(server: Server, folder: Path, token: str = ALIVE) -> dict[str, Json]:
    """By uid: what a plan needs to know of each identity that a collection brings."""
    connectors.collect(where(server, token), folder)
    found: dict[str, Json] = {}
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        fmt = connectors.recognise(data, path.name)
        assert path.name == fmt.name
        with path.open("rb") as stream:
            for record in connectors.read(fmt, stream, Context(ORG)):
                _take(found, record)
    return found


def _take(found: dict[str, Json], record: Any) -> None:
    if type(record).__name__ == "Identity":
        flat = [[k, v] for k, v in json.loads(record.attributes).items()]
        one = found.setdefault(record.uid, {
            "source": {"platform": "github", "tenant_uid": ORG}, "credentials": [], "grants": [],
        })  # fmt: skip
        one["identity"] = record._asdict() | {"attributes": flat}
    elif type(record).__name__ == "Credential":
        found[record.identity_uid]["credentials"].append(record._asdict())


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    """What the inventory would know of the platform as it begins."""
    platform = GitHub()
    with serving(platform) as found:
        platform.url = found.url
        return dossiers(found, tmp_path_factory.mktemp("known"), APP)


STOPS = {
    "deploy key": (f"repos/{ORG}/shop/keys/901", None, "R2", ALIVE),
    "webhook": (f"orgs/{ORG}/hooks/501", None, "R1", ALIVE),
    "app": ("installations/3001", None, "R1", APP),
    "sso": ("user/m", f"orgs/{ORG}/credential-authorizations/62", "R2", ALIVE),
    "token": ("user/bot", f"orgs/{ORG}/personal-access-tokens/41", "R3", APP),
    "secret": (f"orgs/{ORG}/actions", f"orgs/{ORG}/actions/secrets/DEPLOY", "R3", ALIVE),
}
every_stop = pytest.mark.parametrize("name", STOPS)


def planned(known: dict[str, Json], name: str) -> connectors.Plan:
    uid, target, undo_class, _ = STOPS[name]
    (plan,) = connectors.plan(known[uid], "revoke", target)
    assert plan.undo_class == undo_class
    assert plan.residual
    return plan


def acted(known: dict[str, Json], name: str) -> Act:
    found = planned(known, name).act
    assert found
    return found


@every_stop
def test_a_stop_is_read_back_and_is_put_back_where_that_can_be(
    server: Server, known: dict[str, Json], name: str
) -> None:
    act = acted(known, name)
    live = connectors.connect(where(server, STOPS[name][3]))
    before = live.read(act)
    assert before is not None
    assert act.known is None or act.known.items() <= before.items()
    assert live.refused(act)[0] == "works"
    live.write(act, act.wanted)
    assert live.read(act) == act.wanted
    assert live.refused(act)[0] == "flag"
    if name in ("deploy key", "webhook", "app"):
        live.write(act, before)
        assert live.read(act) == before
        assert live.refused(act)[0] == "works"
    else:
        with pytest.raises(Declined):
            live.write(act, before)
    live.close()


@every_stop
def test_stopping_or_putting_back_twice_is_doing_it_once(
    server: Server, platform: GitHub, known: dict[str, Json], name: str
) -> None:
    act = acted(known, name)
    live = connectors.connect(where(server, STOPS[name][3]))
    before = live.read(act)
    live.write(act, act.wanted)
    live.write(act, act.wanted)
    assert live.read(act) == act.wanted
    if name == "deploy key":
        live.write(act, before)
        live.write(act, before)
        assert len(platform.keys[f"{ORG}/shop"]) == 1
        live.write(act, act.wanted)  # and under its new number it can be stopped again
        assert platform.keys[f"{ORG}/shop"] == []
    live.close()


@every_stop
def test_the_vendor_s_line_asks_what_muster_asks(
    server: Server, known: dict[str, Json], name: str
) -> None:
    plan = planned(known, name)
    assert plan.act
    live = connectors.connect(where(server, STOPS[name][3]))
    live.write(plan.act, plan.act.wanted)
    lines = [shlex.split(line, comments=True) for line in plan.stop]
    changing = [f"{w[3]} {w[4]}" for w in lines if w[:3] == ["gh", "api", "-X"] and w[3] != "GET"]
    assert server.changes() == changing
    live.close()


def test_to_disable_is_never_to_destroy_a_secret(known: dict[str, Json]) -> None:
    for dossier in known.values():
        for target in (None, *(c["uid"] for c in dossier["credentials"])):
            found = connectors.plan(dossier, "disable", target)
            assert "R3" not in {plan.undo_class for plan in found}


def test_a_deploy_key_s_undo_line_holds_all_that_it_is_made_of(known: dict[str, Json]) -> None:
    (line,) = planned(known, "deploy key").undo
    words = shlex.split(line)
    assert words[:5] == ["gh", "api", "-X", "POST", f"repos/{ORG}/shop/keys"]
    assert words[5:] == ["-f", "title=old jenkins", "-f", f"key={KEY}", "-F", "read_only=false"]


@pytest.mark.parametrize(
    ("token", "verdict"), [(DEAD, "refused"), (OUT, "refused"), (ALIVE, "works")]
)
def test_a_token_at_hand_is_tried(
    server: Server, known: dict[str, Json], token: str, verdict: str
) -> None:
    act = acted(known, "sso")
    live = connectors.connect(where(server))
    found, words = live.refused(act, token)
    assert found == verdict
    assert token not in words
    live.close()


def test_a_token_that_may_not_list_teams_proves_nothing(server: Server, platform: GitHub) -> None:
    act = Act("github.pat_access", {"place": f"orgs/{ORG}/personal-access-tokens/41"}, None)
    live = connectors.connect(where(server))
    server.fail("403", after=1)
    assert live.refused(act, "narrow")[0] == "unknown"
    server.fail("")
    platform.grants.clear()
    server.fail("403", after=1)
    assert live.refused(act, "narrow")[0] == "flag"
    live.close()


def test_an_app_is_suspended_by_its_own_login_only(server: Server, known: dict[str, Json]) -> None:
    act = acted(known, "app")
    live = connectors.connect(where(server))
    with pytest.raises(Declined) as told:
        live.write(act, act.wanted)
    assert told.value.status == 401
    live.close()


@pytest.mark.parametrize("verb", ["read", "write", "refused"])
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_the_platform_answers_is_told_and_a_run_after_it_goes_on(
    server: Server, known: dict[str, Json], verb: str, fault: str
) -> None:
    live = connectors.connect(where(server, APP))
    for name in STOPS:
        act = acted(known, name)
        server.asked.clear()
        server.fail(fault)
        told = called(live, verb, act)
        assert told == {"half": "none"}.get(fault, fault), act.name
        server.fail("", 0)
        live.write(act, act.wanted)
        assert live.read(act) == act.wanted
        assert len(server.changes()) == 1, act.name
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


def test_too_many_requests_is_waited_out(server: Server, known: dict[str, Json]) -> None:
    act = acted(known, "webhook")
    live = connectors.connect(where(server))
    server.fail("429", 1)
    live.write(act, act.wanted)
    assert live.read(act) == {"active": False}
    live.close()


# Collecting.


def test_a_collection_is_what_the_vendor_s_commands_write(
    server: Server, platform: GitHub, folder: Path
) -> None:
    found = dossiers(server, folder)
    assert {p.name.split(".")[1] for p in folder.iterdir()} == {
        "deploy_keys", "webhooks", "installations", "actions_secrets", "oidc_subject",
        "credential_authorizations", "members",
    }  # fmt: skip
    assert {"user/m", "user/j-okafor"} <= found.keys()
    keys = sum(len(keys) for keys in platform.keys.values())
    assert len([uid for uid in found if "/keys/" in uid]) == keys == 5
    assert f"GET repos/{ORG}/infra/keys" in server.asked
    assert server.asked.count(f"GET repos/{ORG}/infra/keys") == 2  # pages


def test_fine_grained_tokens_are_asked_for_by_an_app_alone(server: Server, folder: Path) -> None:
    assert "user/bot" in dossiers(server, folder, APP)
    assert f"GET orgs/{ORG}/personal-access-tokens" in server.asked


def test_a_list_without_a_row_makes_no_file(server: Server, platform: GitHub, folder: Path) -> None:
    platform.secrets.clear()
    platform.sso.clear()
    dossiers(server, folder)
    names = {p.name for p in folder.iterdir()}
    assert not {"github.actions_secrets.json", "github.credential_authorizations.json"} & names


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("after", [0, 3, 6])
def test_a_collection_that_is_not_whole_is_an_error(
    server: Server, folder: Path, fault: str, after: int
) -> None:
    server.fail(fault, after=after)
    with pytest.raises(Unreachable):
        connectors.collect(where(server), folder)


def test_an_error_in_an_answer_of_200_is_an_error(
    server: Server, platform: GitHub, folder: Path
) -> None:
    platform.graphql_error = True
    with pytest.raises(Unreachable, match="members"):
        connectors.collect(where(server), folder)


def test_only_where_there_is_no_single_sign_on_its_credentials_are_left_out(
    server: Server, folder: Path
) -> None:
    connectors.collect(where(server), folder)
    before = server.asked.index(f"GET orgs/{ORG}/credential-authorizations")
    server.fail("404", 1, before)
    (folder / "github.credential_authorizations.json").unlink()
    connectors.collect(where(server), folder)
    assert not (folder / "github.credential_authorizations.json").exists()
    server.fail("403", 1, before)
    with pytest.raises(Declined):
        connectors.collect(where(server), folder)


def test_the_login_is_lent_once_before_anything_is_asked(server: Server) -> None:
    lent = []

    def secret(name: str, command: Any) -> str:
        lent.append((name, tuple(command)))
        return ALIVE

    live = connectors.connect(Where(f"github:{ORG}", {"endpoint": server.url}, secret))
    assert lent == [("token", ("gh", "auth", "token", "--hostname", "127.0.0.1"))]
    assert server.asked == []
    for _ in range(3):
        live.read(Act("github.webhook.active", {"place": f"orgs/{ORG}/hooks/501"}, None))
    assert len(lent) == 1
    live.close()


@pytest.mark.parametrize("tenant", ["", "Example-Org", f"{ORG}/shop"])
def test_what_is_no_organisation_is_not_collected(
    server: Server, folder: Path, tenant: str
) -> None:
    with pytest.raises(UsageError):
        connectors.collect(Where(f"github:{tenant}", {"endpoint": server.url}), folder)
    assert server.asked == []


@pytest.mark.parametrize("source", [f"github:{ORG}", "gitlab:gitlab.example.com/example"])
def test_who_is_not_logged_in_is_told_so_before_anything_is_asked(source: str) -> None:
    def secret(_name: str, _command: Any) -> str:
        raise UsageError("no login")

    with pytest.raises(UsageError, match="no login"):
        connectors.connect(Where(source, {}, secret))
