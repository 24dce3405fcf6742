"""A real sshd: a revoked key is refused, one that is allowed again is accepted."""

import io
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.sshd import Sshd, keygen, sshd

from passmuster import connectors
from passmuster.connectors import Act, Context, Live, Plan, Where
from passmuster.errors import Declined, UsageError
from passmuster.model import Grant, Identity, Record

pytestmark = pytest.mark.ci


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as found:
        yield found


@pytest.fixture
def live(server: Sshd) -> Iterator[Live]:
    (server.folder / "revoked").write_bytes(b"")
    found = connectors.connect(server.where)
    yield found
    found.close()


def allowed(server: Sshd, *names: str, options: str = "") -> list[str]:
    """The fingerprints of new keys that open the account."""
    for name in names:
        for old in server.folder.glob(f"{name}*"):
            old.unlink()
    made = [server.key(name) for name in names]
    server.keys.write_text(
        "".join(options + (server.folder / f"{name}.pub").read_text() for name in names)
    )
    return made


def collected(server: Sshd, folder: Path) -> list[Record]:
    folder /= "collected"
    folder.mkdir(exist_ok=True)
    connectors.collect(server.where, folder)
    (path,) = folder.iterdir()
    data = path.read_bytes()
    fmt = connectors.recognise(data[: connectors.SNIFF_BYTES], path.name)
    assert fmt.name == "ssh.authorized_keys"
    return list(connectors.read(fmt, io.BytesIO(data), Context("host")))


def planned(server: Sshd, folder: Path, key: str, target: str | None = None) -> tuple[Plan, Act]:
    records = collected(server, folder)
    (one,) = [r for r in records if isinstance(r, Identity) and r.uid == key]
    grants = [{"entitlement": r.entitlement_uid, "via": r.via}
              for r in records if isinstance(r, Grant) and r.principal_uid == key]  # fmt: skip
    dossier: dict[str, Any] = {
        "source": {"platform": "ssh", "tenant_uid": "host"}, "identity": one._asdict(),
        "grants": grants, "credentials": [],
    }  # fmt: skip
    (plan,) = connectors.plan(dossier, "revoke", target)
    assert plan.act is not None
    return plan, plan.act


def test_a_revoked_key_is_refused_and_accepted_again_once_it_is_off_the_list(
    server: Sshd, live: Live, tmp_path: Path
) -> None:
    key, other = allowed(server, "one", "two")
    _, act = planned(server, tmp_path, key)
    _, beside = planned(server, tmp_path, other)
    before = live.read(act)
    assert before == {"revoked": False}
    assert live.refused(act, server.secret("one")) == ("works", "sshd took the key")
    began = time.monotonic()
    live.write(act, act.wanted)
    verdict, words = live.refused(act, server.secret("one"))
    print(f"refused after {time.monotonic() - began:.3f} s: {words}")
    assert verdict == "refused"
    assert "revoked by file" in server.log()
    assert live.refused(act)[0] == "flag"
    asked = ["ssh-keygen", "-Q", "-f", f"{server.folder}/revoked", f"{server.folder}/one.pub"]
    assert subprocess.run(asked, check=False, timeout=30, capture_output=True).returncode == 1
    live.write(beside, beside.wanted)
    live.write(act, act.wanted)
    live.write(act, before)
    assert live.read(act) == before
    assert live.refused(act, server.secret("one"))[0] == "works"
    assert live.refused(beside, server.secret("two"))[0] == "refused", "the other stays revoked"
    assert subprocess.run(asked, check=False, timeout=30, capture_output=True).returncode == 0


def test_a_line_is_taken_out_and_put_back_with_its_options(
    server: Sshd, live: Live, tmp_path: Path
) -> None:
    key, _ = allowed(server, "one", "two", options='from="127.0.0.1,::1",no-pty ')
    text = server.keys.read_text()
    _, act = planned(server, tmp_path, key, f"login:{server.user}")
    assert act.on["file"] == str(server.keys)
    before = live.read(act)
    live.write(act, None)
    live.write(act, None)
    assert live.read(act) is None
    assert live.refused(act, server.secret("one"))[0] == "refused"
    live.write(act, before)
    live.write(act, before)
    assert live.read(act) == before
    assert sorted(server.keys.read_text().splitlines()) == sorted(text.splitlines())
    assert live.refused(act, server.secret("one"))[0] == "works"


@pytest.mark.parametrize("whole", [True, False])
def test_the_lines_of_the_plan_do_the_same(
    server: Sshd, live: Live, tmp_path: Path, whole: bool
) -> None:
    key, other = allowed(server, "one", "two", options="command=\"printf '%s\\\\n' a\" ")
    plan, act = planned(server, tmp_path, key, None if whole else f"login:{server.user}")
    _, beside = planned(server, tmp_path, other)
    krl = server.folder / "revoked"
    keygen("-q", "-k", "-f", str(krl), "/dev/null")

    def run(lines: tuple[str, ...]) -> None:
        for line in lines:
            mine = line.replace("/etc/ssh/revoked_keys", str(krl))
            subprocess.run(["sh", "-c", mine], check=True, timeout=30, capture_output=True)

    text = server.keys.read_text()
    run(plan.stop)
    assert live.refused(act, server.secret("one"))[0] == "refused"
    assert live.refused(beside, server.secret("two"))[0] == "works"
    run(plan.undo)
    assert live.refused(act, server.secret("one"))[0] == "works"
    assert server.keys.read_text() == text


def test_a_certificate_of_a_revoked_key_is_refused_too(
    server: Sshd, live: Live, tmp_path: Path
) -> None:
    (key,) = allowed(server, "one")
    _, act = planned(server, tmp_path, key)
    server.keys.write_text("")
    public = str(server.folder / "one.pub")
    keygen("-q", "-s", str(server.folder / "ca"), "-I", "ci", "-n", server.user, "-z", "7", public)

    def login() -> bool:
        words = ["ssh", "-F", "none", "-p", str(server.port), "-i", str(server.folder / "one"),
                 "-o", f"UserKnownHostsFile={server.folder}/known_hosts", "-o", "BatchMode=yes",
                 "-l", server.user, "127.0.0.1", "true"]  # fmt: skip
        return subprocess.run(words, check=False, timeout=30, capture_output=True).returncode == 0

    assert login()
    live.write(act, act.wanted)
    assert not login()
    data = (server.folder / "one-cert.pub").read_bytes() * 2
    fmt = connectors.recognise(data, "x")
    (one, _) = [r for r in connectors.read(fmt, io.BytesIO(data), Context("h"))
                if isinstance(r, Identity) and r.kind != "role"]  # fmt: skip
    assert one.uid == key


def test_the_log_tells_the_last_use_of_the_key(server: Sshd, live: Live, tmp_path: Path) -> None:
    (key,) = allowed(server, "one")
    _, act = planned(server, tmp_path, key)
    assert live.refused(act, server.secret("one"))[0] == "works"
    lines = [f"2026-11-27T12:00:00+0100 web1 sshd[1]: {line.rstrip()}\n"
             for line in server.log().splitlines() if line.startswith("Accepted")]  # fmt: skip
    data = "".join(lines).encode()
    fmt = connectors.recognise(data, "x")
    found = [r for r in connectors.read(fmt, io.BytesIO(data), Context("h"))
             if isinstance(r, Identity) and r.uid == key]  # fmt: skip
    assert found[0].last_used_at == "2026-11-27T11:00:00Z"


def test_a_private_key_of_another_or_with_a_passphrase_proves_nothing(
    server: Sshd, live: Live, tmp_path: Path
) -> None:
    key, _ = allowed(server, "one", "two")
    _, act = planned(server, tmp_path, key)
    live.write(act, act.wanted)
    assert live.refused(act, server.secret("two"))[0] == "unknown"
    assert live.refused(act, "no key")[0] == "unknown"
    locked = server.folder / "one"
    keygen("-q", "-p", "-P", "", "-N", "locked", "-f", str(locked))
    assert live.refused(act, server.secret("one"))[0] == "unknown"


def test_a_host_that_is_not_the_known_one_is_not_believed(
    server: Sshd, live: Live, tmp_path: Path
) -> None:
    (key,) = allowed(server, "one")
    _, act = planned(server, tmp_path, key)
    (tmp_path / "nobody").touch()
    where = Where(server.where.source, {**server.where.settings, "ca": str(tmp_path / "nobody")})
    verdict, words = connectors.connect(where).refused(act, server.secret("one"))
    assert (verdict, "Host key verification failed" in words) == ("unknown", True)


def test_what_cannot_be_done_says_why(server: Sshd, live: Live, tmp_path: Path) -> None:
    key, _ = allowed(server, "one", "two", options='environment="API_TOKEN=abcdef" ')
    _, act = planned(server, tmp_path, key, f"login:{server.user}")
    with pytest.raises(Declined, match="holds a secret"):
        live.read(act)
    link = tmp_path / "link"
    allowed(server, "one")
    link.symlink_to(server.keys)
    with pytest.raises(Declined, match="a link"):
        live.write(Act(act.name, {"file": str(link), "key": server.key("three")}, None),
                   {"lines": ["ssh-ed25519 x"]})  # fmt: skip
    with pytest.raises(UsageError, match="not elsewhere"):
        connectors.connect(Where("ssh:elsewhere"))
    (server.folder / "revoked").rename(server.folder / "away")
    with pytest.raises(Declined, match="refuses every key"):
        live.read(Act("ssh.key.revoked", {"key": key, "file": ""}, None))
    (server.folder / "away").rename(server.folder / "revoked")


def test_what_may_not_be_seen_is_not_gone(server: Sshd, live: Live, tmp_path: Path) -> None:
    beyond = tmp_path / ("x" * 300) / "authorized_keys"  # too long a name: neither there nor not
    with pytest.raises(Declined) as caught:
        live.read(Act("ssh.authorized_keys.line", {"file": str(beyond), "key": "SHA256:x"}, None))
    assert caught.value.status == 403


def test_a_list_of_whole_keys_is_kept_as_one(server: Sshd, live: Live, tmp_path: Path) -> None:
    key, _ = allowed(server, "one", "two")
    krl = server.folder / "revoked"
    krl.write_bytes((server.folder / "two.pub").read_bytes())
    _, act = planned(server, tmp_path, key)
    live.write(act, act.wanted)
    assert krl.read_bytes().count(b"ssh-ed25519") == 2
    assert live.refused(act, server.secret("one"))[0] == "refused"
    live.write(act, {"revoked": False})
    assert krl.read_bytes() == (server.folder / "two.pub").read_bytes()
    assert live.refused(act, server.secret("one"))[0] == "works"
