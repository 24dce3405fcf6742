"""Whatever people find in an alert names what leaked, by an index, and never by a guess."""

import base64
import hashlib

import pytest

from passmuster import inventory
from passmuster.errors import NotFound
from passmuster.inventory import _handles
from passmuster.store import Database

BLOB = base64.b64encode(b"\0\0\0\x0bssh-ed25519" + b"k" * 36).decode()
MARK = base64.b64encode(hashlib.sha256(base64.b64decode(BLOB)).digest()).decode().rstrip("=")
CERTIFICATE = hashlib.sha256(b"a certificate").hexdigest()
TOKEN = "ghp_" + "a1B2" * 9
DIGEST = base64.b64encode(hashlib.sha256(TOKEN.encode()).digest()).decode()
URI = "muster:aws:1/credential/arn%3Aci%231"


@pytest.fixture
def stock(db: Database) -> Database:
    """A few accounts, each with its handles, as the connectors name them."""
    for n, platform in enumerate(("aws", "ad", "ssh", "github"), 1):
        db.execute("INSERT INTO source (id, uid, platform, tenant_uid) VALUES (?, ?, ?, '1')",
                   (n, f"{platform}:1", platform))  # fmt: skip
    for n, (source, uid, alt, name, login, person) in enumerate((
        (1, "arn:ci", "ci", "ci-deploy", "AIDAX", None),
        (2, "S-1-5-7", "CN=svc,OU=Services,DC=corp", "svc", "svc@Corp.example", None),
        (2, "S-1-5-8", "CN=Lee,DC=corp", "lee", "lee@corp.example", "p-1"),
        (1, "arn:lee", "lee-admin", "lee-admin", None, "p-1"),
        (3, "host/root", None, "root on host", None, None),
        (4, "42", "bot", "bot", None, None),
    ), 1):  # fmt: skip
        db.execute(
            "INSERT INTO identity (id, source_id, uid, uid_alt, display_name, external_id,"
            " person_uid, kind, kind_origin, status, last_used_state, attributes, first_seen_run,"
            " last_seen_run) VALUES (?, ?, ?, ?, ?, ?, ?, 'service', 'stated', 'enabled',"
            " 'unknown', '{}', 1, 1)", (n, source, uid, alt, name, login, person),
        )  # fmt: skip
        db.execute(
            "INSERT INTO listing (identity_id, risk, findings, reasons, name, kind, source, status,"
            " is_privileged, last_used_state) VALUES (?, 0, 0, 0, ?, 'service', 's', 'enabled', 0,"
            " 'unknown')", (n, name),
        )  # fmt: skip
    for source, identity, uid, hint in (
        (1, 1, "AKIAIOSFODNN7EXAMPLE", None), (1, 1, "arn:ci#1", None),
        (3, 5, f"SHA256:{MARK}", None), (3, 5, CERTIFICATE, None),
        (4, 6, DIGEST, "a1B2"), (4, 6, "other", "zzzz"),
    ):  # fmt: skip
        db.execute(
            "INSERT INTO credential (source_id, identity_id, identity_uid, uid, hint, status,"
            " credential_type, credential_detail, expires_state, last_used_state, attributes,"
            " first_seen_run, last_seen_run) VALUES (?, ?, 'x', ?, ?, 'enabled', 'token', 't',"
            " 'none', 'unknown', '{}', 1, 1)", (source, identity, uid, hint),
        )  # fmt: skip
    db.execute("UPDATE credential SET display_name = 'ci/runner-token' WHERE uid = 'arn:ci#1'")
    db.execute("INSERT INTO alias (name, person_uid) VALUES ('lee@example.com', 'p-1')")
    return db


def meant(db: Database, handle: str) -> list[tuple[int, str | None]]:
    return [(m.identity_id, m.credential) for m in inventory.matches(db, handle)]


@pytest.mark.parametrize(("handle", "identity", "credential"), [
    ("arn:ci", 1, None), ("CI", 1, None), ("ci-deploy", 1, None), ("aidax", 1, None),
    ("AKIAIOSFODNN7EXAMPLE", 1, "AKIAIOSFODNN7EXAMPLE"), ("AKIAIOSFOD", 1, "AKIAIOSFODNN7EXAMPLE"),
    (" arn:ci#1\n", 1, "arn:ci#1"), ("ci/runner-token", 1, "arn:ci#1"),
    (URI, 1, "arn:ci#1"),
    ("muster:aws:1/identity/arn%3Aci", 1, None),
    ("muster:aws:1/grant/arn%3Aci%20Admin%20direct", 1, None),
    ("cn=svc,ou=services,dc=corp", 2, None), ("CN=svc, OU=Services, DC=corp", 2, None),
    ("SVC@corp.example", 2, None), ("lee@corp.example", 3, None),
    (f"SHA256:{MARK}", 5, f"SHA256:{MARK}"), (MARK, 5, f"SHA256:{MARK}"),
    (f"ssh-ed25519 {BLOB} root@host", 5, f"SHA256:{MARK}"),
    (CERTIFICATE.upper(), 5, CERTIFICATE), (f"sha256:{CERTIFICATE}", 5, CERTIFICATE),
    (":".join(CERTIFICATE[n : n + 2] for n in range(0, 64, 2)), 5, CERTIFICATE),
])  # fmt: skip
def test_each_handle_means_one_thing(
    stock: Database, handle: str, identity: int, credential: str | None
) -> None:
    assert meant(stock, handle) == [(identity, credential)]


def test_a_key_that_is_an_identity_and_its_own_credential_is_one_thing(stock: Database) -> None:
    stock.execute("UPDATE identity SET uid = ? WHERE id = 5", (f"SHA256:{MARK}",))
    assert meant(stock, f"SHA256:{MARK}") == [(5, None)]
    assert meant(stock, "42") == [(6, None)]


def test_a_persons_address_means_all_their_accounts(stock: Database) -> None:
    assert sorted(meant(stock, "lee@example.com"), key=str) == [(3, None), (4, None)]
    with pytest.raises(NotFound, match=r"'lee@example.com' is several: lee \(ad:1\).*lee-admin"):
        inventory.only(stock, "lee@example.com")


def test_a_leaked_token_is_found_by_its_digest_or_its_end_and_never_said(stock: Database) -> None:
    assert inventory.is_secret(TOKEN)
    assert meant(stock, TOKEN) == [(6, DIGEST)]
    other = "ghp_" + "b" * 32 + "zzzz"
    (found,) = inventory.matches(stock, other)
    assert (found.credential, "others may have" in found.why) == ("other", True)
    for token in (other[:-4] + "none", TOKEN):
        stock.execute("DELETE FROM credential WHERE uid = ?", (DIGEST,))
        try:
            said = str(inventory.only(stock, token))
        except NotFound as error:
            said = str(error)
        assert token not in said
        assert token[4:12] not in said
        assert "what was pasted" in said or "last four" in said


def test_an_item_is_found_by_the_beginning_of_its_short_id(stock: Database) -> None:
    stock.execute(
        "INSERT INTO campaign (id, name, item_kind, scope, due_at, opened_at, opened_by,"
        " population, excluded, definition) VALUES (1, 'c', 'credential', '', '', '', '', 1, 0, '')"
    )
    stock.execute(
        "INSERT INTO item (campaign_id, name, uri, subject_id, identity_id, reviewer, assigned,"
        " risk, dossier, material, chunk, position, salt) VALUES (1, 'abcdefgh2345', ?, 1, 1, 'r',"
        " 'named', 0, '', '', '', 0, '')", (URI,),
    )  # fmt: skip
    assert meant(stock, "ABCDEF") == [(1, "arn:ci#1")]


@pytest.mark.parametrize("nothing", [
    "", " ", "nobody", "x" * 30_000, "muster:aws:1/identity/%", "ssh-ed25519 !!!", "SHA256:!",
    "'; DROP TABLE identity; --",
])  # fmt: skip
def test_what_nothing_has_is_nothing(stock: Database, nothing: str) -> None:
    assert inventory.matches(stock, nothing) == []


@pytest.mark.parametrize(
    "arm", [*_handles.EXACT, _handles.PERSON, _handles.NAME, *_handles.BEGINNINGS, _handles.ENDS],
    ids=lambda arm: arm.why,
)  # fmt: skip
def test_every_look_up_is_by_an_index(db: Database, arm: _handles._Arm) -> None:
    rows = db.execute(f"EXPLAIN QUERY PLAN {arm.sql} LIMIT 9", ("AKIAX",)).fetchall()
    scans = [row[3] for row in rows if row[3].startswith("SCAN")]
    assert all(step.startswith("SCAN s") for step in scans), "sources are few; nothing else is"
