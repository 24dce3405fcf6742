"""OpenLDAP, a real one: what is stopped is refused, what is restored is accepted."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.slapd import ADMIN, SUFFIX, Slapd, slapd

from passmuster import connectors
from passmuster.connectors import Act, Context, Live, Where
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.model import Grant, Identity, Record

pytestmark = pytest.mark.ci
LOCK = "pwdAccountLockedTime"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with slapd(tmp_path_factory.mktemp("slapd")) as found:
        yield found


@pytest.fixture
def live(server: Slapd) -> Iterator[Live]:
    found = connectors.connect(server.where())
    yield found
    found.close()


def collected(where: Where, folder: Path) -> tuple[bytes, list[Record]]:
    folder /= "collected"
    folder.mkdir()
    connectors.collect(where, folder)
    (path,) = folder.iterdir()
    data = path.read_bytes()
    fmt = connectors.recognise(data[: connectors.SNIFF_BYTES], path.name)
    return data, list(connectors.read(fmt, io.BytesIO(data), Context()))


def dossier(records: list[Record], name: str) -> dict[str, Any]:
    """As a campaign would make it of what was collected."""
    (one,) = [r for r in records if isinstance(r, Identity) and r.display_name == name]
    grants = [
        {"entitlement": r.entitlement_uid, "via": r.via, "chain": []}
        for r in records if isinstance(r, Grant) and r.principal_uid == one.uid_alt
    ]  # fmt: skip
    identity = one._asdict() | {"attributes": list(json.loads(one.attributes).items())}
    return {"source": {"platform": "ldap"}, "identity": identity, "grants": grants}


def account(server: Slapd, tmp_path: Path, name: str, target: str | None = None) -> Act:
    _, records = collected(server.where(), tmp_path)
    act = connectors.plan(dossier(records, name), "disable", target)[0].act
    assert act is not None
    return act


def test_a_locked_account_is_refused_and_accepted_again_after_restore(
    server: Slapd, live: Live, tmp_path: Path
) -> None:
    act = account(server, tmp_path, "svc-a")
    before = live.read(act)
    assert before == act.known == {LOCK: None}
    assert live.refused(act, "hers")[0] == "works"
    began = time.monotonic()
    live.write(act, act.wanted)
    verdict, words = live.refused(act, "hers")
    print(f"refused after {time.monotonic() - began:.3f} s: {words}")
    assert verdict == "refused"
    assert "Invalid credentials (49)" in words
    assert live.refused(act)[0] == "flag"
    assert live.read(act) == act.wanted
    live.write(act, act.wanted)
    live.write(act, before)
    assert live.read(act) == before
    assert live.refused(act, "hers")[0] == "works"


def test_the_lines_of_the_plan_do_the_same(server: Slapd, live: Live, tmp_path: Path) -> None:
    _, records = collected(server.where(), tmp_path)
    plan = connectors.plan(dossier(records, "svc-b"), "disable")[0]
    assert plan.act is not None
    server.modify(plan.stop[0])
    assert live.refused(plan.act, "his")[0] == "refused"
    server.modify(plan.undo[0])
    assert live.refused(plan.act, "his")[0] == "works"


def test_a_wrong_password_proves_no_refusal(server: Slapd, live: Live, tmp_path: Path) -> None:
    act = account(server, tmp_path, "svc-a")
    verdict, words = live.refused(act, "not hers")
    assert (verdict, "not its password" in words) == ("unknown", True)
    assert live.refused(act, "")[0] == "works", "an empty password is let in as nobody: not tried"


def test_a_policy_that_says_locked_is_believed(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "c").mkdir()
    with slapd(tmp_path / "s", "ppolicy_use_lockout") as server:
        act = account(server, tmp_path / "c", "svc-a")
        live = connectors.connect(server.where())
        live.write(act, act.wanted)
        verdict, words = live.refused(act, "hers")
        assert (verdict, "policy says" in words) == ("refused", True)
        live.close()


def test_a_lock_that_the_server_does_not_obey_reads_works(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "c").mkdir()
    with slapd(tmp_path / "s") as server:
        server.modify(
            f"printf 'dn: cn=policy,{SUFFIX}\\nchangetype: modify\\nreplace: pwdLockout\\n"
            f'pwdLockout: FALSE\\n\' | ldapmodify -H "$LDAP_URI" -x -D "$LDAP_BIND_DN" -W'
        )
        act = account(server, tmp_path / "c", "svc-a")
        live = connectors.connect(server.where())
        live.write(act, act.wanted)
        assert live.refused(act)[0] == "flag"
        verdict, words = live.refused(act, "hers")
        assert (verdict, "pwdLockout" in words) == ("works", True)
        live.close()


@pytest.mark.parametrize("group", ["ops", "logins"])
def test_a_membership_ends_and_comes_back_and_twice_is_as_once(
    server: Slapd, live: Live, tmp_path: Path, group: str
) -> None:
    dn = f"cn={group},{SUFFIX}"
    act = account(server, tmp_path, "svc-a", f"{dn}#member")
    before = live.read(act)
    assert before
    assert live.refused(act)[0] == "works"
    live.write(act, None)
    live.write(act, None)
    assert live.read(act) is None
    assert live.refused(act)[0] == "flag"
    live.write(act, before)
    live.write(act, before)
    assert live.read(act) == before


def test_the_last_member_of_a_group_that_may_not_be_empty_is_told(
    server: Slapd, live: Live, tmp_path: Path
) -> None:
    act = account(server, tmp_path, "svc-a", f"cn=alone,{SUFFIX}#member")
    with pytest.raises(Declined, match="65") as caught:
        live.write(act, None)
    assert caught.value.status == 409


def test_somebody_elses_change_between_look_and_change_is_not_overwritten(
    server: Slapd, live: Live, tmp_path: Path
) -> None:
    act = account(server, tmp_path, "svc-b")
    live.read(act)
    other = connectors.connect(server.where())
    other.write(act, {LOCK: "20260101000000Z"})
    with pytest.raises(Declined, match="just now"):
        live.write(act, act.wanted)
    other.write(act, {LOCK: None})
    other.close()


def test_an_entry_that_took_the_name_of_another_is_not_touched(live: Live) -> None:
    other = "11111111-2222-3333-4444-555555555555"
    on = {"dn": f"uid=svc-a,{SUFFIX}", "lock": LOCK, "uid": other}
    act = Act("ldap.account.lock", on, None)
    assert live.read(act) is None
    with pytest.raises(Declined) as caught:
        live.write(act, {LOCK: "000001010000Z"})
    assert caught.value.status == 404


def test_the_collected_export_is_what_the_vendors_command_writes(
    server: Slapd, tmp_path: Path
) -> None:
    from passmuster.connectors.ldap._live import ATTRIBUTES

    data, records = collected(server.where(), tmp_path)
    assert data == server.search("(objectClass=*)", *ATTRIBUTES)
    assert b"userPassword" not in data
    assert {r.display_name for r in records if isinstance(r, Identity)} >= {"svc-a", "svc-b", "ops"}


def test_more_entries_than_a_server_gives_at_once_are_all_collected(tmp_path: Path) -> None:
    for name in "scn":
        (tmp_path / name).mkdir()
    with slapd(tmp_path / "s") as server:
        many = "".join(
            f"dn: uid=m{n},{SUFFIX}\nchangetype: add\nobjectClass: account\nuid: m{n}\n\n"
            for n in range(2_100)
        )
        (tmp_path / "many").write_text(many)
        server.modify(f'ldapmodify -H "$LDAP_URI" -x -D "$LDAP_BIND_DN" -W -f {tmp_path}/many')
        reader = {"user": f"cn=reader,{SUFFIX}", "password": "reads"}
        data, _ = collected(server.where(**reader), tmp_path / "c")
        assert data.count(b"\ndn: uid=m") == 2_100
        # whom the server gives 500 entries at most gets none at all
        limited = {"user": f"uid=svc-b,{SUFFIX}", "password": "his"}
        with pytest.raises(Declined, match="answered 4 to searching") as caught:
            connectors.collect(server.where(**limited), tmp_path / "n")
        assert caught.value.status == 413


def test_who_may_only_read_is_declined_a_change(server: Slapd, tmp_path: Path) -> None:
    act = account(server, tmp_path, "svc-b")
    reader = connectors.connect(server.where(user=f"cn=reader,{SUFFIX}", password="reads"))
    with pytest.raises(Declined) as caught:
        reader.write(act, act.wanted)
    assert caught.value.status == 403
    reader.close()


def test_tls_is_checked_and_start_tls_is_used_where_an_authority_is_named(server: Slapd) -> None:
    safe = f"ldaps://localhost:{server.tls_port}"
    for endpoint in (safe, f"ldap://localhost:{server.port}"):
        connectors.connect(server.where(endpoint=endpoint, ca=server.ca)).close()
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        connectors.connect(server.where(endpoint=safe))
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        wrong = server.where(endpoint=safe.replace("localhost", "127.0.0.1"), ca=server.ca)
        connectors.connect(wrong)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"password": "wrong"}, Declined, "answered 49 to the login"),
        ({"password": ""}, UsageError, "no password for"),
        ({"user": ""}, UsageError, "say user"),
        ({"endpoint": "https://x"}, UsageError, "no address of a directory"),
        ({"endpoint": "ldap://127.0.0.1:9"}, Unreachable, "refused"),
        ({"tenant": "corp.example.com"}, UsageError, "has lab.example.org, and not"),
    ],
)  # fmt: skip
def test_a_login_that_cannot_be_says_why(
    server: Slapd, settings: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        connectors.connect(server.where(**settings))
    assert "wrong" not in str(caught.value)
    assert "of the lab" not in str(caught.value)


def test_a_server_that_speaks_no_ldap_or_goes_away_is_unreachable(server: Slapd) -> None:
    import socket
    import threading

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            for words in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x30\x84", b""):
                with listening.accept()[0] as one:
                    one.recv(64)
                    one.sendall(words)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        for _ in range(3):
            with pytest.raises(Unreachable):
                connectors.connect(
                    server.where(endpoint=f"ldap://127.0.0.1:{listening.getsockname()[1]}")
                )
        thread.join(timeout=10)


def test_a_server_that_does_not_answer_is_waited_for_so_long_and_no_longer(
    server: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr("passmuster.connectors._ldap3.ANSWER_S", 1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        where = server.where(endpoint=f"ldap://127.0.0.1:{listening.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(Unreachable):
            connectors.connect(where)
        assert time.monotonic() - began < 10


def test_the_tenant_need_not_be_known_where_there_is_one(server: Slapd, tmp_path: Path) -> None:
    data, _ = collected(server.where(tenant=""), tmp_path)
    assert data.startswith(f"dn: {SUFFIX}\n".encode())
    assert ADMIN
