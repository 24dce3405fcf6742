"""Active Directory: what an account is, what it may do, and how to stop it, from an LDIF export."""

import base64
import io
import json
import struct
from collections import Counter
from pathlib import Path
from typing import Any, TypeVar

import pytest

from passmuster import connectors
from passmuster.connectors import Context
from passmuster.errors import ImportRefused
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Owner,
    Person,
    Problem,
    Record,
    Sighting,
    Source,
)  # fmt: skip

REAL = Path(__file__).resolve().parents[2].parent / "shared/realdata/ad/samba-flintstones.ldif"
FORMAT = connectors.named("ad.ldif")
T = TypeVar("T")
DOMAIN = "S-1-5-21-1-2-3"


def sid(rid: int, domain: tuple[int, ...] = (21, 1, 2, 3)) -> str:
    parts = (*domain, rid)
    raw = bytes([1, len(parts)]) + (5).to_bytes(6, "big") + struct.pack(f"<{len(parts)}I", *parts)
    return base64.b64encode(raw).decode()


def entry(name: str, rid: int, classes: str = "user", **values: Any) -> str:
    lines = [f"dn: CN={name},OU=X,DC=corp,DC=example,DC=com"]
    lines += [f"objectClass: {c}" for c in classes.split()]
    lines += [f"objectSid:: {sid(rid)}", f"sAMAccountName: {name}"]
    for key, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            lines.append(f"{key.replace('_', '-')}: {one}")
    return "\n".join(lines) + "\n\n"


def read(*entries: str, label: str | None = None) -> list[Record]:
    data = "".join(entries).encode()
    return list(connectors.read(FORMAT, io.BytesIO(data), Context(label)))


def of(records: list[Record], kind: type[T]) -> list[T]:
    return [r for r in records if isinstance(r, kind)]


def one(*entries: str) -> Identity:
    (found,) = of(read(*entries), Identity)
    return found


@pytest.fixture(scope="module")
def real() -> list[Record]:
    if not REAL.exists():
        pytest.skip(f"{REAL.name} is not here")
    with REAL.open("rb") as stream:
        return list(connectors.read(FORMAT, stream, Context()))


def test_the_real_export_has_the_counts_of_its_readme(real: list[Record]) -> None:
    identities = of(real, Identity)
    accounts = [i for i in identities if i.kind != "group" and i.nhi_detail != "ad.computer"]
    assert len(identities) == 47
    assert len([i for i in identities if i.kind == "group"]) == 38
    assert len(accounts) == 8
    assert len([i for i in accounts if i.status == "disabled"]) == 2
    assert len([i for i in accounts if "servicePrincipalName" in i.attributes]) == 2
    assert len([i for i in accounts if i.last_used_state == "never"]) == 5
    assert of(real, Problem) == []
    assert of(real, Source) == [Source("ad", "samdom.example.com")]


def test_the_real_export_tells_people_from_services_and_builtin_accounts(
    real: list[Record],
) -> None:
    kinds = {i.display_name: i.kind for i in of(real, Identity) if i.kind != "group"}
    assert kinds == {
        "Barney": "human", "Betty": "human", "Fred": "human", "Wilma": "human",
        "Administrator": "system", "Guest": "system", "krbtgt": "system", "VM$": "system",
        "dns-vm": "service",
    }  # fmt: skip


def test_memberships_have_the_same_name_from_both_sides(real: list[Record]) -> None:
    entitlements = Counter(e.uid for e in of(real, Entitlement))
    pairs = Counter((g.principal_uid, g.entitlement_uid) for g in of(real, Grant))
    assert {uid for _, uid in pairs} <= set(entitlements)
    barney = [p for p in pairs if p[0].startswith("CN=Barney,")]
    assert [pairs[p] for p in barney] == [2], "once from memberOf, once from member"


def test_a_group_that_was_described_is_not_overwritten_by_a_mention(real: list[Record]) -> None:
    admins = [e for e in of(real, Entitlement) if e.uid.startswith("cn=domain admins,")]
    assert {e.permission_level for e in admins} == {"admin"}
    assert admins[-1].line is not None


@pytest.mark.parametrize(
    ("classes", "name", "values", "expected"),
    [
        ("user computer msDS-GroupManagedServiceAccount", "gmsa1$", {},
         ("service", "stated", "ad.gmsa")),
        ("user computer", "HOST1$", {}, ("system", "stated", "ad.computer")),
        ("user", "anna", {}, ("human", "inferred", "ad.user")),
        ("user", "anna", {"servicePrincipalName": "MSSQLSvc/db"},
         ("service", "inferred", "ad.service_user")),
        ("user", "svc-backup", {}, ("service", "inferred", "ad.service_user")),
        ("user", "sa_sql", {}, ("service", "inferred", "ad.service_user")),
        ("user", "Sally", {}, ("human", "inferred", "ad.user")),
        ("inetOrgPerson", "Savarin", {}, ("human", "inferred", "ad.user")),
        ("user", "krbtgt_4711", {}, ("system", "stated", "ad.system_account")),
    ],
)  # fmt: skip
def test_the_kind_follows_from_class_spn_and_name(
    classes: str, name: str, values: dict[str, str], expected: tuple[str, str, str]
) -> None:
    found = one(entry(name, 1105, classes, **values))
    assert (found.kind, found.kind_origin, found.nhi_detail) == expected


def test_a_renamed_administrator_is_known_by_its_rid() -> None:
    assert one(entry("Hausmeister", 500)).kind == "system"


def test_the_flags_of_an_account_are_said_in_words_and_the_number_is_kept() -> None:
    control = 0x200 | 0x2 | 0x10000 | 0x80000 | 0x400000
    found = one(entry("svc-x", 1105, userAccountControl=control))
    about = json.loads(found.attributes)
    assert found.status == "disabled"
    assert about["userAccountControl"] == control
    assert about["flags"] == [
        "password never expires", "unconstrained delegation", "no Kerberos pre-authentication",
    ]  # fmt: skip


def test_without_account_control_the_status_is_unknown() -> None:
    assert one(entry("anna", 1105)).status == "unknown"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, (None, "unknown")),
        ({"lastLogon": 0}, (None, "never")),
        ({"lastLogon": 0, "lastLogonTimestamp": 134398061654538780},
         ("2026-11-22T07:29:25Z", "known")),
        ({"lastLogon": 134398061654538780, "lastLogonTimestamp": 134398060531264880},
         ("2026-11-22T07:29:25Z", "known")),
        ({"lastLogon": "soon"}, (None, "unknown")),
        ({"lastLogon": 9223372036854775806}, (None, "unknown")),
    ],
)  # fmt: skip
def test_last_use_has_four_states(values: dict[str, Any], expected: tuple[str, str]) -> None:
    found = one(entry("anna", 1105, **values))
    assert (found.last_used_at, found.last_used_state) == expected


def test_a_time_that_is_none_is_a_problem_and_not_a_guess() -> None:
    records = read(entry("anna", 1105, pwdLastSet="yesterday", accountExpires=2**63))
    assert [(p.line, p.field) for p in of(records, Problem)] == [
        (1, "accountexpires"), (1, "pwdlastset"),
    ]  # fmt: skip


@pytest.mark.parametrize(("control", "state"), [(512, "unknown"), (66048, "none")])
def test_a_password_that_never_expires_says_so(control: int, state: str) -> None:
    records = read(entry("svc-x", 1105, userAccountControl=control, pwdLastSet=134398060582149960))
    (password,) = of(records, Credential)
    assert password.uid == f"{DOMAIN}-1105#password"
    assert (password.expires_state, password.last_rotated_at) == (state, "2026-11-22T07:27:38Z")


def test_a_managed_password_is_not_called_an_ordinary_one() -> None:
    records = read(entry("g$", 1105, "user msDS-GroupManagedServiceAccount",
                         pwdLastSet=134398060582149960,
                         msDS_ManagedPasswordInterval=30))  # fmt: skip
    (password,) = of(records, Credential)
    assert password.credential_detail == "ad.managed_password"
    assert json.loads(password.attributes)["interval_days"] == 30


@pytest.mark.parametrize(
    ("values", "locked"),
    [
        ({}, None), ({"lockoutTime": 0}, 0), ({"lockoutTime": 134398060582149960}, 1),
        # the time stays after the lock has run out; what the server computed is right
        ({"lockoutTime": 134398060582149960, "msDS_User_Account_Control_Computed": 0}, 0),
        ({"msDS_User_Account_Control_Computed": 16}, 1),
    ],
)  # fmt: skip
def test_a_lockout_is_told_from_one_that_has_run_out(
    values: dict[str, Any], locked: int | None
) -> None:
    assert one(entry("anna", 1105, **values)).is_locked == locked


@pytest.mark.parametrize(
    ("name", "rid", "builtin", "admin"),
    [
        ("Domain Admins", 512, False, True), ("Domänen-Admins", 512, False, True),
        ("Administrators", 544, True, True), ("DnsAdmins", 1101, False, True),
        ("Domain Users", 513, False, False), ("Team 544", 544, False, False),
    ],
)  # fmt: skip
def test_admin_groups_are_known_by_rid_in_any_language(
    name: str, rid: int, builtin: bool, admin: bool
) -> None:
    text = entry(name, rid, "group")
    if builtin:
        text = text.replace(sid(rid), sid(rid, (32,)))
    (found,) = of(read(text), Entitlement)
    assert (found.permission_level == "admin") is admin
    assert bool(found.level_reason) is admin


def test_membership_by_primary_group_is_not_hidden() -> None:
    records = read(
        entry("sneaky", 1105, primaryGroupID=512), entry("Domain Admins", 512, "group"),
        entry("normal", 1106, primaryGroupID=513),
    )  # fmt: skip
    assert [(g.principal_uid[:9], g.via) for g in of(records, Grant)] == [
        ("CN=sneaky", "primary group")
    ]


def test_a_primary_group_that_is_not_in_the_file_is_a_problem() -> None:
    (problem,) = of(read(entry("sneaky", 1105, primaryGroupID=512)), Problem)
    assert "S-1-5-21-1-2-3-512" in problem.why


def test_who_manages_a_service_is_its_owner_and_of_a_person_the_manager() -> None:
    anna = "CN=anna,OU=X,DC=corp,DC=example,DC=com"
    records = read(
        entry("svc-x", 1105, manager=anna), entry("berta", 1106, manager=anna, mail="b@x.org"),
        entry("Team", 1107, "group", managedBy=anna),
    )  # fmt: skip
    assert [(o.identity_uid[-4:], o.handle, o.origin) for o in of(records, Owner)] == [
        ("1105", anna, "managedBy"), ("1107", anna, "managedBy"),
    ]  # fmt: skip
    (berta,) = of(records, Person)
    assert (berta.email, berta.manager) == ("b@x.org", anna)


def test_a_disabled_user_is_a_person_who_is_not_active() -> None:
    (person,) = of(read(entry("anna", 1105, userAccountControl=514)), Person)
    assert person.active == 0


@pytest.mark.parametrize(
    "secret",
    ["unicodePwd", "ntPwdHistory", "supplementalCredentials", "ms-Mcs-AdmPwd", "userPassword",
     "msDS-ManagedPassword", "ms-LAPS-Password", "ms-LAPS-EncryptedPassword", "krbPrincipalKey",
     "jpegPhoto", "msDS-GroupMSAMembership"],
)  # fmt: skip
def test_no_secret_attribute_reaches_a_record(secret: str) -> None:
    text = entry("anna", 1105, userAccountControl=512).rstrip() + f"\n{secret}: Geheim4711\n"
    text += f"{secret};binary:: R2VoZWltNDcxMQ==\n\n"
    assert "Geheim4711" not in repr(read(text))
    assert "R2VoZWlt" not in repr(read(text))


@pytest.mark.parametrize(
    "note", ["pw: Summer2026!", "Password = Summer2026!", "the pwd is Summer2026!"]
)
def test_a_password_in_a_description_is_taken_out_and_reported(note: str) -> None:
    records = read(entry("svc-x", 1105, description=f"backup, {note}"))
    assert "Summer2026" not in repr(records)
    (seen,) = of(records, Sighting)
    assert (seen.what, seen.identity_uid) == ("plain_text", f"{DOMAIN}-1105")


def test_a_certificate_is_kept_as_its_fingerprint_only() -> None:
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "svc-x")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(7)
        .public_key(key.public_key()).not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC)).sign(key, hashes.SHA256())
    )  # fmt: skip
    coded = base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()
    text = entry("svc-x", 1105).rstrip() + f"\nuserCertificate:: {coded}\n"
    (found,) = of(read(text + "userCertificate:: AAAA\n"), Credential)
    assert found.uid == f"sha256:{made.fingerprint(hashes.SHA256()).hex()}"
    assert (found.expires_at, found.expires_state) == ("2027-01-01T00:00:00Z", "set")
    assert coded[:40] not in repr(found)
    assert [p.field for p in of(read(text + "userCertificate:: AAAA\n"), Problem)] == [
        "userCertificate"
    ]


def test_an_entry_without_a_sid_is_told_and_left_out() -> None:
    text = entry("anna", 1105).replace("objectSid::", "x::") + entry("berta", 1106)
    records = read(text)
    assert [i.display_name for i in of(records, Identity)] == ["berta"]
    assert [(p.line, p.field) for p in of(records, Problem)] == [(1, "objectSid")]


@pytest.mark.parametrize("broken", ["AAAA", "AQUAAAAAAAUVAAAA", "S-1-5-x", "S-1-5-21-1;rm"])
def test_a_broken_sid_is_no_identity(broken: str) -> None:
    with_colon = broken if broken.startswith("S-") else f": {broken}"
    text = entry("anna", 1105).replace(f":: {sid(1105)}", f":{with_colon}")
    records = read(text, entry("berta", 1106))
    assert [i.display_name for i in of(records, Identity)] == ["berta"]
    assert [p.field for p in of(records, Problem)] == ["objectSid"]


def test_a_sid_that_ldbsearch_wrote_as_text_is_read() -> None:
    text = entry("anna", 1105).replace(f":: {sid(1105)}", f": {DOMAIN}-1105")
    assert one(text).uid == f"{DOMAIN}-1105"


def test_a_hostile_name_comes_through_as_harmless_text() -> None:
    evil = "x\x1b]52;c;ZXZpbA==\x07[red]\u202egpj"
    coded = base64.b64encode(f"CN={evil},DC=corp,DC=example".encode()).decode()
    text = (
        entry("anna", 1105).replace("dn: CN=anna,OU=X,DC=corp,DC=example,DC=com", f"dn:: {coded}")
        + "\n"
    )
    assert "\x1b" not in repr(read(text)).replace("\\x1b", "")
    assert all(s.isprintable() for r in read(text) for s in r if isinstance(s, str))


def test_a_forest_becomes_one_source_for_each_domain() -> None:
    other = entry("berta", 1106).replace("DC=corp,", "DC=lab,")
    sources = of(read(entry("anna", 1105), other, label="forest"), Source)
    assert sources == [
        Source("ad", "corp.example.com", "forest"), Source("ad", "lab.example.com", "forest"),
    ]  # fmt: skip


def test_a_file_without_accounts_is_refused() -> None:
    with pytest.raises(ImportRefused, match="no account and no group"):
        read("dn: OU=X,DC=corp,DC=example\nobjectClass: organizationalUnit\n\n")
    with pytest.raises(ImportRefused, match="no account and no group"):
        read(entry("anna", 1105).replace("objectSid::", "x::"))


def test_a_member_list_that_the_server_cut_is_a_problem() -> None:
    text = entry("Big", 1105, "group").rstrip() + "\nmember;range=0-1499: CN=a,DC=x\n"
    (problem,) = of(read(text), Problem)
    assert problem.field == "member"


def test_an_export_of_active_directory_is_known_from_one_of_openldap() -> None:
    assert connectors.named("ad.ldif").sniff(entry("anna", 1105).encode())
    assert connectors.recognise(entry("anna", 1105).encode(), "x").name == "ad.ldif"
    plain = b"dn: cn=a,dc=x\nobjectClass: groupOfNames\ngroupType: 4\ncn: a\n"
    assert connectors.recognise(plain, "x").name == "ldap.ldif"
