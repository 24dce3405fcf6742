"""AWS live, against two emulators: ministack refuses Inactive keys, moto knows last use.

Neither is AWS. What only AWS can show (how long a stopped key is still taken, SSO) is not here.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.exports import of, recognised

from passmuster import connectors, inventory
from passmuster.connectors import Act, Where, plan
from passmuster.connectors.aws._collect import outside
from passmuster.connectors.aws._login import Login
from passmuster.errors import Declined, NoLogin, Unreachable, UsageError
from passmuster.model import Identity
from passmuster.store import Database

pytestmark = pytest.mark.ci
NOW = "2026-11-27T08:00:00Z"
ADMIN = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
TRUST = ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
         '"Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}')  # fmt: skip


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def serving(argv: list[str], port: int, folder: Path, **env: str) -> Iterator[str]:
    """A server of its own, answering at the address that this yields."""
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder,
                                  env={**os.environ, **env})  # fmt: skip
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                if server.poll() is not None:
                    pytest.fail((folder / "log").read_text()[-2000:])
                time.sleep(0.1)
        else:
            pytest.fail("the server did not begin to serve")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    yield from serving(
        [sys.executable, "-m", "ministack"], port, tmp_path_factory.mktemp("ministack"),
        AUTH="true", BIND_HOST="127.0.0.1", GATEWAY_PORT=str(port),
    )  # fmt: skip


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    yield from serving(argv, port, tmp_path_factory.mktemp("moto"),
                       MOTO_IAM_LOAD_MANAGED_POLICIES="false")  # fmt: skip


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"), "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def client_of(service: str, endpoint: str, **keys: str) -> Any:
    import boto3  # only CI has it

    return boto3.client(
        service, endpoint_url=endpoint, region_name="us-east-1", **(keys or ADMIN)
    )  # fmt: skip


def iam(endpoint: str) -> Any:
    return client_of("iam", endpoint)


def account(endpoint: str) -> str:
    return str(client_of("sts", endpoint).get_caller_identity()["Account"])


def live(endpoint: str, tenant: str | None = None) -> Any:
    tenant = account(endpoint) if tenant is None else tenant
    return connectors.connect(Where(f"aws:{tenant}", {"endpoint": endpoint}))


def enforce(moto: str, after: int) -> None:
    """From which request on moto asks whether one is allowed."""
    plain = {"Content-Type": "text/plain"}
    asked = urllib.request.Request(f"{moto}/moto-api/reset-auth", str(after).encode(), plain)
    urllib.request.urlopen(asked, timeout=5).close()


def dossier(arn: str, *credentials: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"source": {"platform": "aws"}, "identity": {"uid": arn, "nhi_detail": None},
            "credentials": list(credentials), "grants": [], "trusts": []} | more  # fmt: skip


def credential(uid: str, **more: Any) -> dict[str, Any]:
    return {"uid": uid, "credential_detail": "aws.access_key", "status": "enabled",
            "display_name": None, "created_at": None} | more  # fmt: skip


def act_of(found: connectors.Plan) -> Act:
    assert found.act is not None
    return found.act


@pytest.mark.usefixtures("login")
def test_a_key_is_refused_once_inactive_and_taken_again_once_active(ministack: str) -> None:
    client = iam(ministack)
    user = client.create_user(UserName="ci")["User"]
    made = client.create_access_key(UserName="ci")["AccessKey"]
    uid, secret = made["AccessKeyId"], f"{made['AccessKeyId']}:{made['SecretAccessKey']}"
    stop, delete = plan(dossier(user["Arn"], credential(uid)), "revoke", uid)
    act = act_of(stop)
    here = live(ministack)
    saved = here.read(act)
    assert saved == act.known == {"status": "Active"}
    assert here.refused(act, secret)[0] == "works"
    began = time.monotonic()
    here.write(act, act.wanted)
    assert here.read(act) == act.wanted
    verdict, words = here.refused(act, secret)
    assert (verdict, time.monotonic() - began < 60) == ("refused", True), words
    assert here.refused(act) == ("flag", "IAM says that it is as wanted")
    here.write(act, act.wanted)  # twice is as once
    here.write(act, saved)
    assert here.refused(act, secret)[0] == "works"
    assert "eventually consistent" in here.refused(act)[1]
    assert (stop.undo_class, delete.undo_class) == ("R1", "R3")
    gone = act_of(delete)
    here.write(gone, None)
    here.write(gone, None)
    assert here.read(gone) is None
    assert here.refused(gone)[0] == "flag"
    assert here.refused(gone, secret)[0] == "refused"
    with pytest.raises(Declined) as declined:
        here.write(gone, saved)
    assert declined.value.status == 404
    here.close()


@pytest.mark.usefixtures("login")
def test_a_key_that_the_report_numbers_is_found_by_its_second(ministack: str) -> None:
    client = iam(ministack)
    user = client.create_user(UserName="numbered")["User"]
    made = client.create_access_key(UserName="numbered")["AccessKey"]
    (listed,) = client.list_access_keys(UserName="numbered")["AccessKeyMetadata"]
    second = listed["CreateDate"].strftime("%Y-%m-%dT%H:%M:%SZ")
    one = credential(f"{user['Arn']}#1", created_at=second)
    (stop,) = plan(dossier(user["Arn"], one), "revoke", one["uid"])
    act = act_of(stop)
    here = live(ministack)
    here.write(act, act.wanted)
    secret = f"{made['AccessKeyId']}:{made['SecretAccessKey']}"
    assert here.refused(act, secret)[0] == "refused"
    other = Act(act.name, {**act.on, "created": "2001-01-01T00:00:00Z"}, act.wanted)
    assert here.read(other) is None


@pytest.mark.usefixtures("login")
def test_policies_trusts_and_memberships_are_put_back_as_they_were(ministack: str) -> None:
    client = iam(ministack)
    role = client.create_role(RoleName="app", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    user = client.create_user(UserName="holder")["User"]["Arn"]
    group = client.create_group(GroupName="ops")["Group"]["Arn"]
    client.add_user_to_group(UserName="holder", GroupName="ops")
    rights = TRUST.replace('"Principal":{"Service":"ec2.amazonaws.com"}', '"Resource":"*"')
    policy = client.create_policy(PolicyName="p", PolicyDocument=rights)["Policy"]["Arn"]
    client.attach_user_policy(UserName="holder", PolicyArn=policy)
    client.put_user_policy(UserName="holder", PolicyName="mine", PolicyDocument=rights)
    provider = client.create_open_id_connect_provider(
        Url="https://issuer.example.com", ClientIDList=["sts"], ThumbprintList=["0" * 40]
    )["OpenIDConnectProviderArn"]
    held = dossier(user, grants=[
        {"entitlement": policy, "chain": []}, {"entitlement": f"{group}#member", "chain": []},
        {"entitlement": f"{user}#inline/mine", "chain": []},
    ])  # fmt: skip
    plans = [
        *plan(dossier(role), "revoke"), plan(dossier(user), "disable")[0],
        plan(held, "revoke", policy)[0], plan(held, "revoke", f"{group}#member")[0],
        plan(held, "revoke", f"{user}#inline/mine")[0], plan(dossier(provider), "revoke")[0],
    ]  # fmt: skip
    assert [p.undo_class for p in plans] == ["R1", "R1", "R1", "R2", "R2", "R2", "R2"]
    here = live(ministack)
    for act in map(act_of, plans):
        before = here.read(act)
        assert act.known in (None, before), act.name
        here.write(act, act.wanted)
        assert here.read(act) == act.wanted, act.name
        assert here.refused(act)[0] == "flag", act.name
        here.write(act, act.wanted)
        here.write(act, before)
        assert here.read(act) == before, act.name
        here.write(act, before)


@pytest.mark.usefixtures("login")
def test_a_user_to_whom_everything_is_denied_is_told_so_by_name_of_the_deny(moto: str) -> None:
    client = iam(moto)
    user = client.create_user(UserName="denied")["User"]["Arn"]
    everything = plan(dossier(user), "revoke")[0].stop[0].split("'")[1].replace("Deny", "Allow")
    client.put_user_policy(UserName="denied", PolicyName="all", PolicyDocument=everything)
    made = client.create_access_key(UserName="denied")["AccessKey"]
    secret = f"{made['AccessKeyId']}:{made['SecretAccessKey']}"
    act = act_of(plan(dossier(user), "revoke")[0])
    here = live(moto)
    here.write(act, act.wanted)
    try:
        enforce(moto, 0)
        denied = here.refused(act, secret)
        enforce(moto, 1000000)
        here.write(act, None)
        enforce(moto, 0)
        allowed = here.refused(act, secret)
    finally:
        enforce(moto, 1000000)
    # moto says "not authorized" without AWS's words "with an explicit deny"
    assert denied[0] in ("refused", "flag")
    assert "AccessDenied" in denied[1]
    assert allowed[0] == "works"


@pytest.mark.usefixtures("login")
def test_nothing_is_done_at_another_account_or_at_an_address_that_is_none(ministack: str) -> None:
    with pytest.raises(Declined, match="not 444455556666") as declined:
        live(ministack, "444455556666")
    assert declined.value.status == 403
    with pytest.raises(UsageError, match="https"):
        live("http://iam.example.com", "")
    with pytest.raises(Unreachable):
        live(f"http://127.0.0.1:{free_port()}", "")
    here = live(ministack)
    with pytest.raises(Declined, match="ACCESS-KEY-ID:SECRET"):
        here.refused(Act("aws.access_key.status", {"user": "x", "key": "y"}, {}), "AKIAONLY")
    with pytest.raises(Declined, match="does not do that"):
        here.read(Act("aws.moon", {}, None))


SSO = """[profile over]
sso_account_id = 111122223333
sso_role_name = reader
sso_region = us-east-1
sso_start_url = https://example.awsapps.com/start
"""


@pytest.mark.parametrize(
    ("profile", "why"),
    [(None, "nobody is logged in"), ("none", "could not be found"), ("over", "SSO")],
)
def test_without_a_login_nothing_is_asked_and_the_words_say_what_to_do(
    profile: str | None, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, login: None
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "none").write_text(SSO)
    nobody_answers = {"endpoint": f"http://127.0.0.1:{free_port()}"}
    where = Where("aws:111122223333", nobody_answers | ({"profile": profile} if profile else {}))
    for begin in (connectors.connect, lambda at: connectors.collect(at, tmp_path)):
        with pytest.raises(NoLogin, match=why) as told:
            begin(where)
        assert "aws sso login" in str(told.value) and "profile =" in str(told.value)


@pytest.mark.usefixtures("login")
def test_what_is_collected_imports_as_keys_with_their_last_use_each_once(
    moto: str, db: Database, tmp_path: Path
) -> None:
    client = iam(moto)
    client.create_user(UserName="etl", Path="/team/")
    client.create_user(UserName="idle")
    keys = [client.create_access_key(UserName=name)["AccessKey"] for name in ("etl", "idle")]
    client.update_access_key(UserName="idle", AccessKeyId=keys[1]["AccessKeyId"], Status="Inactive")
    client.create_role(RoleName="app", AssumeRolePolicyDocument=TRUST)
    client.create_open_id_connect_provider(
        Url="https://issuer.example.com", ClientIDList=["sts"], ThumbprintList=["0" * 40]
    )
    client_of(
        "sts", moto, aws_access_key_id=keys[0]["AccessKeyId"],
        aws_secret_access_key=keys[0]["SecretAccessKey"],
    ).get_caller_identity()  # fmt: skip
    connectors.collect(Where(f"aws:{account(moto)}", {"endpoint": moto}), tmp_path)
    files = sorted(tmp_path.glob("*.*"))
    assert [f.name for f in files] == [
        "access-keys.json", "authorization-details.json", "credential-report.csv",
        "federation.json",
    ]  # fmt: skip
    inventory.import_files(db, files, now=NOW, by=None)
    found = db.execute(
        "SELECT i.display_name, c.uid, c.status, c.last_used_state FROM credential c"
        " JOIN identity i ON i.id = c.identity_id WHERE c.absent_since IS NULL"
        " AND credential_detail = 'aws.access_key' AND i.display_name <> 'denied' ORDER BY 1"
    ).fetchall()
    assert found == [
        ("etl", keys[0]["AccessKeyId"], "enabled", "known"),
        ("idle", keys[1]["AccessKeyId"], "disabled", "never"),
    ]
    assert db.execute("SELECT why, uid FROM problem LIMIT 3").fetchall() == []
    assert all(s.encode() not in f.read_bytes() for f in files
               for s in (k["SecretAccessKey"] for k in keys))  # fmt: skip


@pytest.mark.usefixtures("login")
def test_a_collection_that_fails_half_way_is_raised(ministack: str, tmp_path: Path) -> None:
    with pytest.raises(Declined):
        connectors.collect(Where("aws:444455556666", {"endpoint": ministack}), tmp_path)
    assert urllib.request.urlopen(f"{ministack}/_ministack/health", timeout=5).status == 200


@pytest.mark.usefixtures("login")
def test_a_trust_anchor_is_disabled_and_enabled_again_at_the_documented_addresses(
    ministack: str,
) -> None:
    # no emulator has Roles Anywhere: botocore itself checks the question and makes the answer
    from botocore.stub import Stubber

    arn = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/" + "1" * 36
    act = act_of(plan(dossier(arn), "disable")[0])
    here = live(ministack)
    uid = {"trustAnchorId": act.on["id"]}
    with Stubber(here._login.client("rolesanywhere", "eu-west-1")) as stub:
        for name, enabled in (("get", True), ("disable", False), ("get", False), ("enable", True)):
            stub.add_response(f"{name}_trust_anchor", {"trustAnchor": {"enabled": enabled}}, uid)
        saved = here.read(act)
        here.write(act, act.wanted)
        assert here.read(act) == act.wanted
        here.write(act, saved)
        stub.assert_no_pending_responses()


@pytest.mark.usefixtures("login")
def test_roles_anywhere_is_collected_from_the_regions_that_are_named(ministack: str) -> None:
    # no emulator has it: botocore itself checks the question and makes the answer
    from botocore.stub import Stubber

    where = Where(f"aws:{account(ministack)}", {"endpoint": ministack})
    here = Login(where)
    assert "trust-anchor" not in outside(here, ()), "of no region where none is named"
    kept = ExitStack()
    for region in ("eu-west-1", "us-east-1"):
        at = f"arn:aws:rolesanywhere:{region}:{account(ministack)}"
        stub = kept.enter_context(Stubber(here.client("rolesanywhere", region)))
        anchor = {
            "trustAnchorArn": f"{at}:trust-anchor/a",
            "name": f"ca of {region}",
            "enabled": True,
            "source": {
                "sourceType": "CERTIFICATE_BUNDLE",
                "sourceData": {"x509CertificateData": "PEM"},
            },
        }
        stub.add_response("list_trust_anchors", {"trustAnchors": [anchor]}, {})
        profile = {"profileArn": f"{at}:profile/p", "name": "edge", "enabled": False}
        stub.add_response("list_profiles", {"profiles": [profile]}, {})
    with kept:
        data = outside(here, ("eu-west-1", "us-east-1")).encode()
    here.close()
    found = of(recognised(data, "aws.federation.json"), Identity)
    assert {(i.display_name, i.status) for i in found if "rolesanywhere" in i.uid} == {
        ("ca of eu-west-1", "enabled"), ("ca of us-east-1", "enabled"), ("edge", "disabled"),
    }  # fmt: skip


@pytest.mark.usefixtures("login")
def test_the_regions_of_the_settings_are_the_ones_that_are_asked(moto: str, tmp_path: Path) -> None:
    where = Where(f"aws:{account(moto)}", {"endpoint": moto, "regions": "eu-west-1, us-east-1"})
    with pytest.raises(Unreachable, match="rolesanywhere list_trust_anchors"):
        connectors.collect(where, tmp_path)  # moto has it not, and says so
