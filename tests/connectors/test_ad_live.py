"""Active Directory as Samba serves it: a disabled account is refused, a restored one accepted."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.samba import BASE, REALM, Controller, controller

from passmuster import connectors
from passmuster.connectors import Act, Context, Live, Plan
from passmuster.connectors._ldap3 import Directory, Found
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.model import Grant, Identity, Problem, Record

pytestmark = pytest.mark.ci
USERS = f"CN=Users,{BASE}"
SECRET = "Of-svc-x-4lone"


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    with controller(tmp_path_factory.mktemp("samba")) as found:
        found.tool("user", "create", "svc-x", SECRET)
        found.tool("user", "setexpiry", "svc-x", "--noexpiry")
        found.tool("user", "create", "jo", SECRET)
        found.tool("group", "add", "ops")
        found.tool("group", "addmembers", "ops", "svc-x,jo")
        yield found


@pytest.fixture
def live(domain: Controller) -> Iterator[Live]:
    found = connectors.connect(domain.where())
    yield found
    found.close()


def collected(domain: Controller, folder: Path) -> tuple[bytes, list[Record]]:
    folder /= "collected"
    folder.mkdir(exist_ok=True)
    connectors.collect(domain.where(), folder)
    (path,) = folder.iterdir()
    data = path.read_bytes()
    fmt = connectors.recognise(data[: connectors.SNIFF_BYTES], path.name)
    assert fmt.name == "ad.ldif"
    return data, list(connectors.read(fmt, io.BytesIO(data), Context()))


def planned(
    domain: Controller, tmp_path: Path, name: str, target: str | None = None
) -> tuple[Plan, Act]:
    """What would be planned of an account as it was collected."""
    _, records = collected(domain, tmp_path)
    (one,) = [r for r in records if isinstance(r, Identity) and r.display_name == name]
    grants = [
        {"entitlement": r.entitlement_uid, "via": r.via, "chain": []}
        for r in records if isinstance(r, Grant) and r.principal_uid == one.uid_alt
    ]  # fmt: skip
    identity = one._asdict() | {"attributes": list(json.loads(one.attributes).items())}
    dossier: dict[str, Any] = {
        "source": {"platform": "ad"}, "identity": identity, "grants": grants
    }  # fmt: skip
    plan = connectors.plan(dossier, "disable", target)[-1]
    assert plan.act is not None
    return plan, plan.act


def test_a_disabled_account_is_refused_and_comes_back_with_all_its_flags(
    domain: Controller, live: Live, tmp_path: Path
) -> None:
    _, act = planned(domain, tmp_path, "svc-x")
    before = live.read(act)
    assert before == act.known == {"userAccountControl": 66048}
    assert live.refused(act, SECRET)[0] == "works"
    began = time.monotonic()
    live.write(act, act.wanted)
    verdict, words = live.refused(act, SECRET)
    print(f"refused after {time.monotonic() - began:.3f} s: {words}")
    assert (verdict, "data 533" in words) == ("refused", True)
    assert live.refused(act)[0] == "flag"
    assert live.read(act) == act.wanted == {"userAccountControl": 66050}
    live.write(act, act.wanted)
    live.write(act, before)
    assert live.read(act) == before
    assert live.refused(act, SECRET)[0] == "works"


def test_a_wrong_password_or_none_proves_no_refusal(
    domain: Controller, live: Live, tmp_path: Path
) -> None:
    _, act = planned(domain, tmp_path, "jo")
    verdict, words = live.refused(act, "another")
    assert (verdict, "data 52e" in words) == ("unknown", True)
    live.write(act, act.wanted)
    assert live.refused(act, "another")[0] == "unknown"
    assert live.refused(act, "")[0] == "flag"
    live.write(act, act.known)


def test_the_lines_of_the_plan_do_the_same(domain: Controller, live: Live, tmp_path: Path) -> None:
    plan, act = planned(domain, tmp_path, "jo")
    domain.modify(plan.stop[0])
    assert live.refused(act, SECRET)[0] == "refused"
    domain.modify(plan.undo[0])
    assert live.read(act) == act.known


def test_a_membership_ends_and_comes_back_even_after_the_account_was_moved(
    domain: Controller, live: Live, tmp_path: Path
) -> None:
    _, act = planned(domain, tmp_path, "svc-x", f"cn=ops,{USERS}".lower() + "#member")
    domain.tool("ou", "create", "OU=robots")
    domain.tool("user", "move", "svc-x", "OU=robots")
    before = live.read(act)
    assert before == {"member": f"CN=svc-x,OU=robots,{BASE}"}
    assert live.refused(act)[0] == "works"
    live.write(act, None)
    live.write(act, None)
    assert live.read(act) is None
    assert live.refused(act)[0] == "flag"
    live.write(act, before)
    live.write(act, before)
    assert live.read(act) == before


def test_what_is_not_there_or_may_not_be_is_told(
    domain: Controller, live: Live, tmp_path: Path
) -> None:
    gone = Act("ad.account.control", {"sid": "S-1-5-21-1-2-3-4"}, {"userAccountControl": 514})
    assert live.read(gone) is None
    with pytest.raises(Declined) as caught:
        live.write(gone, gone.wanted)
    assert caught.value.status == 404
    _, act = planned(domain, tmp_path, "svc-x")
    mere = connectors.connect(domain.where(user=f"jo@{REALM}", password=SECRET))
    with pytest.raises(Declined) as caught:
        mere.write(act, act.wanted)
    assert caught.value.status == 403
    mere.close()


def test_the_collected_export_is_what_the_vendors_command_writes(
    domain: Controller, tmp_path: Path
) -> None:
    from passmuster.connectors.ad._export import ATTRIBUTES, FILTER

    data, records = collected(domain, tmp_path)
    theirs = domain.search(FILTER, *ATTRIBUTES)
    assert data == theirs.removesuffix(b"# pagedresults: cookie=\n")
    assert {"svc-x", "jo", "ops", "krbtgt"} <= {
        r.display_name for r in records if isinstance(r, Identity)
    }
    assert [r for r in records if isinstance(r, Problem)] == []
    for secret in (b"unicodePwd", b"supplementalCredentials", b"msDS-ManagedPassword:"):
        assert secret not in data


def test_the_rest_of_a_long_list_of_members_is_fetched(domain: Controller) -> None:
    at = Directory(domain.where())
    match = "(sAMAccountName=ops)"
    (part,) = [f for f in at.entries(BASE, match, ["member;range=0-0"]) if isinstance(f, Found)]
    assert sorted(part.values) == ["member"]
    assert len(part.values["member"]) == 2
    at.close()


def test_tls_and_tenant_are_checked(domain: Controller) -> None:
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        connectors.connect(domain.where(endpoint="ldaps://localhost"))
    with pytest.raises(Declined, match="answered 8 to the login") as caught:
        connectors.connect(domain.where(endpoint="ldap://127.0.0.1", ca=""))
    assert caught.value.status == 403
    connectors.connect(domain.where(endpoint="ldap://127.0.0.1")).close()
    where = domain.where()
    with pytest.raises(UsageError, match=f"has {REALM}, and not other"):
        connectors.connect(connectors.Where("ad:other.example", where.settings, where.secret))
