"""authorized_keys, certificates and sshd's log: what is read, what is refused, what is planned."""

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.exports import of
from tests.exports_keys import certificate, fingerprint, key, line, logged

from passmuster import connectors, inventory
from passmuster.connectors import Context
from passmuster.connectors._seen import Seen
from passmuster.connectors.ssh import _krl
from passmuster.errors import Declined, ImportRefused
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Owner,
    Problem,
    Record,
    Trust,
    Usage,
)  # fmt: skip
from passmuster.store import Database

REAL = Path(__file__).resolve().parents[2].parent / "shared/realdata/ssh/rustcrypto"
FILE = "# file: /home/deploy/.ssh/authorized_keys\n"


def read(data: str | bytes, name: str = "ssh.authorized_keys") -> list[Record]:
    raw = data.encode() if isinstance(data, str) else data
    return list(connectors.read(connectors.named(name), io.BytesIO(raw), Context("web1")))


def real(name: str) -> bytes:
    if not (REAL / name).exists():
        pytest.skip(f"{name} is not here")
    return (REAL / name).read_bytes()


def keys(records: list[Record]) -> list[Identity]:
    return [i for i in of(records, Identity) if i.kind != "role"]


def test_the_real_file_has_the_keys_that_ssh_keygen_counts() -> None:
    records = read(real("authorized_keys"))
    shown = subprocess.run(
        ["ssh-keygen", "-lf", REAL / "authorized_keys"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert [c.uid for c in of(records, Credential)] == [s.split()[1] for s in shown]
    assert len(shown) == 5
    assert of(records, Problem) == []
    assert [g.condition for g in of(records, Grant)] == [
        None, "command=/usr/bin/date", "environment=PATH",
        "from=10.0.0.?,*.example.com; no-x11-forwarding", None,
    ]  # fmt: skip
    assert [o.handle for o in of(records, Owner)] == [
        "user2@example.com", "user3@example.com", "user4@example.com",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind", "key_id", "ends"),
    [
        ("id_ecdsa_p256-cert.pub", "system", "ecdsa-nistp256", "2100-02-27T23:39:50Z"),
        ("id_ed25519-cert-with-rsa-ca.pub", "service", "ed25519-with-rsa-ca",
         "2100-03-05T14:36:26Z"),
        ("id_ed25519-cert.pub", "system", "ed25519", "2035-12-15T17:07:03Z"),
        ("id_rsa_4096-cert.pub", "service", "rsa", "2100-02-25T23:51:33Z"),
        ("id_sk_ed25519-cert.pub", "service", "sk-ed25519", "2100-03-02T17:28:36Z"),
    ],
)  # fmt: skip
def test_a_real_certificate_says_what_ssh_keygen_says_of_it(
    name: str, kind: str, key_id: str, ends: str
) -> None:
    records = read(real(name), "ssh.certificates")
    shown = subprocess.run(
        ["ssh-keygen", "-Lf", REAL / name], capture_output=True, text=True, check=True
    ).stdout
    (one,), (held,) = keys(records), of(records, Credential)
    assert (one.kind, one.display_name, held.expires_at) == (kind, key_id, ends)
    assert f"-CERT {one.uid}\n" in shown
    about = json.loads(one.attributes)
    assert f" {about['authority']} (using" in shown
    assert f"Serial: {about['serial']}\n" in shown
    assert of(records, Grant) == [], "no principals, or a host's: it opens no account"


def test_known_hosts_is_refused_and_says_what_it_is() -> None:
    data = real("known_hosts")
    assert connectors.recognise(data, "known_hosts").name == "ssh.authorized_keys"
    with pytest.raises(ImportRefused, match="known_hosts: which hosts somebody trusts"):
        read(data)


def test_a_file_without_the_name_of_its_host_is_refused() -> None:
    fmt = connectors.named("ssh.authorized_keys")
    with pytest.raises(ImportRefused, match="--source"):
        list(connectors.read(fmt, io.BytesIO(line(1).encode()), Context()))


@pytest.mark.parametrize(
    ("file", "account"),
    [
        ("/home/ci/.ssh/authorized_keys", "ci"), ("/root/.ssh/authorized_keys", "root"),
        ("/etc/ssh/keys/ci", "ci"), ("/etc/ssh/authorized_keys", "every account"),
        ("/srv/x/ci/.ssh/authorized_keys2", "ci"),
    ],
)  # fmt: skip
def test_the_account_is_the_one_whose_file_it_is(file: str, account: str) -> None:
    records = read(f"# file: {file}\n{line(1)}\n")
    (right,) = of(records, Entitlement)
    assert (right.uid, right.permission_level) == (
        f"login:{account}", "admin" if account in ("root", "every account") else "unknown",
    )  # fmt: skip
    assert [(g.entitlement_uid, g.via) for g in of(records, Grant)] == [(right.uid, file)]


def test_an_account_may_stand_in_the_name_of_the_source() -> None:
    fmt = connectors.named("ssh.authorized_keys")
    records = list(connectors.read(fmt, io.BytesIO(line(1).encode()), Context("ci@web1")))
    assert of(records, Grant)[0].entitlement_uid == "login:ci"


def test_one_key_in_two_accounts_is_one_identity_with_two_grants() -> None:
    records = read(f"{FILE}{line(1, 'a')}\n# file: /root/.ssh/authorized_keys\n{line(1, 'b')}\n")
    assert [i.uid for i in keys(records)] == [fingerprint(1)]
    assert [g.entitlement_uid for g in of(records, Grant)] == ["login:deploy", "login:root"]


@pytest.mark.parametrize(
    ("options", "comment", "kind"),
    [
        ("", "jo@example.com", "human"), ("", "svc-backup", "service"), ("", "", "service"),
        ("", "root@web2", "service"), ('command="/bin/x"', "jo@example.com", "service"),
    ],
)  # fmt: skip
def test_the_kind_is_guessed_from_comment_and_forced_command(
    options: str, comment: str, kind: str
) -> None:
    (one,) = keys(read(FILE + line(1, comment, options)))
    assert (one.kind, one.kind_origin) == (kind, "inferred")


def test_an_expiry_time_ends_the_grant() -> None:
    records = read(FILE + line(1, "", 'expiry-time="202612312359Z"'))
    assert [g.expires_at for g in of(records, Grant)] == ["2026-12-31T23:59:00Z"]
    assert [c.expires_state for c in of(records, Credential)] == ["set"]


def test_an_authority_is_a_trust_and_opens_nothing_by_itself() -> None:
    records = read(FILE + line(1, "ca", 'cert-authority,principals="a,b"'))
    (trust,) = of(records, Trust)
    assert (trust.from_uid, trust.from_kind, trust.to_identity_uid, trust.subject_pattern) == (
        fingerprint(1), "ssh_ca", "account:deploy", "a,b",
    )  # fmt: skip
    assert of(records, Grant) == []


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("no-ptty " + line(1), "unknown option"), ('from="a ' + line(1), "options"),
        (line(1).replace("ssh-ed25519", "ssh-rsa"), "another type"), ("ssh-ed25519", "no key"),
        ("ssh-ed25519 AAAA!", "base64"), (certificate(1, "x"), "certificate"),
        (line(1, "", 'expiry-time="tomorrow"'), "expiry-time"), ("1024 35 1234 jo", "unknown"),
    ],
)  # fmt: skip
def test_a_line_that_sshd_passes_over_is_a_problem_and_no_key(bad: str, why: str) -> None:
    records = read(f"{FILE}{line(2)}\n{bad}\n{line(3)}\n")
    (problem,) = of(records, Problem)
    assert problem.line == 3
    assert why in problem.why
    assert [i.uid for i in keys(records)] == [fingerprint(2), fingerprint(3)]


def test_quoted_commas_blanks_and_quotes_stay_in_their_option() -> None:
    records = read(FILE + line(1, "", r'command="a \"b, c\" d",no-pty'))
    assert of(records, Grant)[0].condition == 'command=a "b, c" d; no-pty'


@pytest.mark.parametrize(
    "options",
    ['environment="API_TOKEN=hunter2"', 'command="/bin/x --password=hunter2"',
     'command="/bin/x --token hunter2"', 'command="curl https://jo:hunter2@example.com"'],
)  # fmt: skip
def test_a_secret_in_an_option_is_not_shown(options: str) -> None:
    assert "hunter2" not in str(read(FILE + line(1, "", options)))


def test_a_certificate_opens_the_accounts_of_its_principals_until_it_ends() -> None:
    limits = (("source-address", "10.0.0.0/8"), ("force-command", "/x"))
    data = certificate(1, "jo@example.com", principals=("deploy", "root"), critical=limits)
    records = read(data, "ssh.certificates")
    assert [(g.entitlement_uid, g.condition, g.expires_at) for g in of(records, Grant)] == [
        (f"login:{a}", "source-address=10.0.0.0/8; force-command", "2027-01-15T08:00:00Z")
        for a in ("deploy", "root")
    ]  # fmt: skip
    (one,) = keys(records)
    assert (one.uid, one.kind) == (fingerprint(1), "human")


def test_a_certificate_that_never_ends_says_so() -> None:
    (held,) = of(read(certificate(1, "x", ends=2**64 - 1), "ssh.certificates"), Credential)
    assert (held.expires_at, held.expires_state) == (None, "none")


@pytest.mark.parametrize("cut", [40, 100, 200, 300])
def test_a_cut_certificate_is_a_problem(cut: int) -> None:
    data = f"{certificate(1, 'x')[:cut]}\n{certificate(2, 'y')}\n"
    assert [p.line for p in of(read(data, "ssh.certificates"), Problem)] == [1]


def test_the_last_login_counts_whatever_the_order_and_the_zone() -> None:
    data = "\n".join([
        logged(1, "2026-11-26T08:00:00+0100"), logged(1, "2026-11-26T07:30:00Z"),
        "2026-11-26T09:00:00Z web1 sshd[1]: Connection closed", logged(2, "2026-11-01T00:00:00Z"),
    ])  # fmt: skip
    records = read(data, "ssh.log")
    assert {i.uid: i.last_used_at for i in of(records, Identity)} == {
        fingerprint(1): "2026-11-26T07:30:00Z", fingerprint(2): "2026-11-01T00:00:00Z",
    }  # fmt: skip
    assert {u.consumer for u in of(records, Usage)} == {"10.0.0.1", "10.0.0.2"}


def test_a_log_without_years_is_refused() -> None:
    with pytest.raises(ImportRefused, match="without its year"):
        read(logged(1, "Nov 26 08:00:00"), "ssh.log")


def dossier(**identity: Any) -> dict[str, Any]:
    return {
        "source": {"platform": "ssh", "tenant_uid": "web1"},
        "identity": {"uid": fingerprint(1), "display_name": "$(id) 'x"} | identity,
        "credentials": [{"uid": "certificate:1"}],
        "grants": [{"entitlement": "login:ci", "via": "/home/c i/.ssh/authorized_keys"}],
    }


def test_the_list_of_revoked_keys_comes_first_and_the_line_where_it_is_asked_for() -> None:
    for target in (None, fingerprint(1), "certificate:1"):
        (plan,) = connectors.plan(dossier(), "revoke", target)
        assert (plan.undo_class, plan.propagation_s) == ("R1", 0)
        assert fingerprint(1) in plan.stop[1]
    (plan,) = connectors.plan(dossier(), "revoke", "login:ci")
    assert plan.undo_class == "R2"
    assert "$(id)" not in "".join(plan.stop + plan.undo)
    assert connectors.plan(dossier(), "revoke", "login:other") == []
    assert connectors.plan(dossier(uid="account:ci"), "revoke") == []


def test_taking_one_key_out_of_a_krl_leaves_every_other_entry(tmp_path: Path) -> None:
    def keygen(*words: str, given: str = "") -> None:
        subprocess.run(["ssh-keygen", *words], input=given, check=True, capture_output=True,
                       text=True, cwd=tmp_path)  # fmt: skip

    for at in (1, 2, 3):
        (tmp_path / f"{at}.pub").write_text(line(at) + "\n")
    keygen("-k", "-f", "krl", "-", given=f"hash: {fingerprint(1)}\n")
    keygen("-k", "-u", "-f", "krl", "2.pub")
    keygen("-k", "-u", "-f", "krl", "-s", "3.pub", "-", given="serial: 42-45\nid: jo\n")
    data = (tmp_path / "krl").read_bytes()
    assert [_krl.revoked(data, fingerprint(at)) for at in (1, 2, 3)] == [True, True, False]
    assert _krl.revoked(data, fingerprint(2), key(2))
    for gone in (1, 2):
        left = _krl.without(data, fingerprint(gone), 1_800_000_000)
        (tmp_path / "left").write_bytes(left)
        asked = subprocess.run(
            ["ssh-keygen", "-Q", "-l", "-f", "left", "1.pub", "2.pub"], cwd=tmp_path, check=False,
            capture_output=True, text=True,
        ).stdout  # fmt: skip
        assert "serial: 42-45" in asked
        assert "id: jo" in asked
        assert asked.count("REVOKED") == 1
        assert not _krl.revoked(left, fingerprint(gone))
        assert _krl.without(left, fingerprint(gone), 1_800_000_000)[28:] == left[28:]
    for cut in range(len(data) - 1):
        if cut > 8:
            with pytest.raises(Declined):
                list(_krl._sections(data[:cut]))
                raise Declined("it ends between two sections", "", 0)


def test_what_was_met_before_is_known_however_many_there_are() -> None:
    seen = Seen()
    assert all(seen.is_new(str(n)) for n in range(5_000))
    assert not any(seen.is_new(str(n)) for n in range(5_000))


def test_what_the_log_says_reaches_the_keys_of_the_file(db: Database, tmp_path: Path) -> None:
    """The files of one host are imported one after another, and speak of the same keys."""
    log = logged(1, "2026-11-20T08:00:00Z") + "\n" + logged(9, "2026-11-21T08:00:00Z") + "\n"
    files = {"keys": f"{FILE}{line(1, 'jo@example.com')}\n{line(2)}\n", "log": log,
             "certs": certificate(1, "jo")}  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_text(content)
        inventory.import_file(db, tmp_path / name, now="2026-11-27T08:00:00Z", by="x@example.com",
                              context=Context("web1"))  # fmt: skip
    rows = dict(db.execute("SELECT uid, last_used_at FROM identity WHERE uid LIKE 'SHA256:%'"))
    assert rows == {
        fingerprint(1): "2026-11-20T08:00:00Z", fingerprint(2): None,
        fingerprint(9): "2026-11-21T08:00:00Z",
    }  # fmt: skip
