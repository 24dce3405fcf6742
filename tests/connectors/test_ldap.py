"""OpenLDAP and 389 Directory Server: accounts, roles and locks from an LDIF export."""

import io
import json
import sys
from pathlib import Path
from typing import Any, TypeVar

import pytest

from passmuster import connectors
from passmuster.connectors import Context
from passmuster.errors import ImportRefused, UsageError
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

REALDATA = Path(__file__).resolve().parents[2].parent / "shared/realdata/ldap"
FORMAT = connectors.named("ldap.ldif")
T = TypeVar("T")


def of(records: list[Record], kind: type[T]) -> list[T]:
    return [r for r in records if isinstance(r, kind)]


def read(data: str) -> list[Record]:
    return list(connectors.read(FORMAT, io.BytesIO(data.encode()), Context()))


def account(dn: str, classes: str = "inetOrgPerson", **values: Any) -> str:
    lines = [f"dn: {dn}", *(f"objectClass: {c}" for c in classes.split())]
    for key, value in values.items():
        lines += [f"{key}: {one}" for one in (value if isinstance(value, list) else [value])]
    return "\n".join(lines) + "\n\n"


def one(data: str) -> Identity:
    (found,) = of(read(data), Identity)
    return found


def real(file: str) -> list[Record]:
    path = REALDATA / file
    if not path.exists():
        pytest.skip(f"{file} is not here")
    with path.open("rb") as stream:
        return list(connectors.read(FORMAT, stream, Context()))


def test_the_389ds_example_has_the_counts_of_its_readme() -> None:
    records = real("389ds/Example-roles.ldif")
    kinds = [i.kind for i in of(records, Identity)]
    assert len(of(records, Person)) == 150
    assert (kinds.count("human"), kinds.count("role"), kinds.count("group")) == (150, 5, 0)
    assert len([i for i in of(records, Identity) if i.status == "disabled"]) == 0
    assert of(records, Problem) == []
    assert of(records, Source) == [Source("ldap", "example.com")]


def test_blanks_in_a_dn_do_not_part_a_person_from_the_manager() -> None:
    records = real("389ds/Example-roles.ldif")
    known = {p.uid for p in of(records, Person)}
    managers = {p.manager for p in of(records, Person) if p.manager}
    assert managers <= known


def test_the_passwords_that_stand_in_the_389ds_example_reach_no_record() -> None:
    records = real("389ds/Example-roles.ldif")
    path = REALDATA / "389ds/Example-roles.ldif"
    values = [line.split(": ")[1] for line in path.read_text().splitlines()
              if line.lower().startswith("userpassword: ")]  # fmt: skip
    assert len(values) == 150
    kept = repr([r for r in records if not isinstance(r, Identity | Person | Owner)])
    assert not [v for v in values if f"'{v}'" in kept or f'"{v}"' in kept]
    assert {json.loads(c.attributes)["scheme"] for c in of(records, Credential)} == {"plain text"}
    assert len(of(records, Sighting)) == 150


def test_the_openldap_example_has_the_counts_of_its_readme() -> None:
    records = real("docker-test-openldap/planetexpress.ldif")
    kinds = [i.kind for i in of(records, Identity)]
    assert (kinds.count("human"), kinds.count("group")) == (7, 2)
    assert len(of(records, Grant)) == 5
    assert {g.principal_uid for g in of(records, Grant)} <= {p.uid for p in of(records, Person)}
    assert of(records, Sighting) == [], "salted hashes are no plain text"
    assert "c3NoYX" not in repr(records)
    assert "e1NTSEF" not in repr(records)


@pytest.mark.parametrize(
    ("dn", "classes", "kind"),
    [
        ("cn=jo,ou=people,dc=x", "inetOrgPerson", "human"),
        ("uid=jo,ou=people,dc=x", "account posixAccount", "human"),
        ("cn=app,ou=people,dc=x", "applicationProcess", "service"),
        ("cn=bind,dc=x", "organizationalRole simpleSecurityObject", "group"),
        ("cn=bind,dc=x", "account simpleSecurityObject", "service"),
        ("cn=jo,ou=Services,dc=x", "inetOrgPerson", "service"),
        ("cn=svc-git,ou=people,dc=x", "inetOrgPerson", "service"),
        ("cn=x,ou=people,dc=x", "nsRoleDefinition nsManagedRoleDefinition", "role"),
        ("cn=x,ou=people,dc=x", "groupOfUniqueNames", "group"),
    ],
)  # fmt: skip
def test_the_kind_follows_from_class_place_and_name(dn: str, classes: str, kind: str) -> None:
    assert one(account(dn, classes)).kind == kind


def test_a_low_uid_number_is_a_system_account() -> None:
    assert one(account("uid=nslcd,dc=x", "account posixAccount", uidNumber=104)).kind == "system"


@pytest.mark.parametrize(
    ("values", "status", "locked"),
    [
        ({}, "unknown", None),
        ({"entryUUID": "1"}, "enabled", 0),
        ({"entryUUID": "1", "pwdAccountLockedTime": "000001010000Z"}, "disabled", 0),
        ({"entryUUID": "1", "pwdAccountLockedTime": "20261101120000Z"}, "enabled", 1),
        ({"nsAccountLock": "TRUE"}, "disabled", 0), ({"nsAccountLock": "false"}, "enabled", 0),
        ({"nsUniqueId": "1", "nsRoleDN": "cn=nsManagedDisabledRole,dc=x"}, "disabled", 0),
    ],
)  # fmt: skip
def test_each_server_locks_in_its_own_way_and_silence_is_not_enabled(
    values: dict[str, str], status: str, locked: int | None
) -> None:
    found = one(account("cn=jo,dc=x", **values))
    assert (found.status, found.is_locked) == (status, locked)


def test_last_use_is_known_only_where_the_server_keeps_it() -> None:
    known = one(account("cn=jo,dc=x", pwdLastSuccess="20261101120000.123456Z"))
    assert (known.last_used_at, known.last_used_state) == ("2026-11-01T12:00:00Z", "known")
    assert one(account("cn=jo,dc=x")).last_used_state == "unknown"
    assert "usage" not in FORMAT.supplies


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("20261231235959Z", "2026-12-31T23:59:59Z"), ("2026123123Z", "2026-12-31T23:00:00Z"),
        ("20261231235959+0130", "2026-12-31T22:29:59Z"), ("20261331000000Z", None), ("x", None),
    ],
)  # fmt: skip
def test_generalized_times_are_read_in_all_their_forms(value: str, expected: str | None) -> None:
    assert one(account("cn=jo,dc=x", createTimestamp=value)).created_at == expected


def test_the_stable_id_of_the_server_is_preferred_to_the_dn() -> None:
    assert one(account("cn=A, DC=X", entryUUID="u-1")).uid == "u-1"
    assert one(account("cn=A, DC=X", nsUniqueId="n-1")).uid == "n-1"
    assert one(account("cn=A, DC=X")).uid == "cn=a,dc=x"
    assert one(account("cn=A, DC=X", entryUUID="u-1")).uid_alt == "cn=a,dc=x"


def test_members_by_login_are_tied_to_their_entries_wherever_those_stand() -> None:
    group = account("cn=ops,dc=x", "posixGroup", memberUid=["jo", "gone"])
    grants = of(read(group + account("uid=jo,ou=p,dc=x", uid="jo")), Grant)
    assert [(g.principal_uid, g.via) for g in grants] == [
        ("uid=jo,ou=p,dc=x", "memberUid"), ("uid=gone", "memberUid"),
    ]  # fmt: skip


def test_a_unique_member_may_end_in_a_bit_string() -> None:
    group = account("cn=ops,dc=x", "groupOfUniqueNames", uniqueMember="cn=Jo,dc=x#'0101'B")
    assert [g.principal_uid for g in of(read(group), Grant)] == ["cn=jo,dc=x"]


def test_owner_manager_and_see_also_answer_for_a_service() -> None:
    data = account("cn=svc-a,dc=x", "account simpleSecurityObject", owner="cn=Jo, dc=x",
                   seeAlso="cn=Al,dc=x")  # fmt: skip
    assert [(o.handle, o.role) for o in of(read(data), Owner)] == [
        ("cn=jo,dc=x", "owner"), ("cn=al,dc=x", "technical"),
    ]  # fmt: skip


def test_an_admin_group_says_why_it_counts_as_one() -> None:
    (found,) = of(read(account("cn=Directory Administrators,dc=x", "groupOfNames")), Entitlement)
    assert found.permission_level == "admin"
    assert found.level_reason


def test_an_ssh_key_is_kept_as_the_fingerprint_that_sshd_logs() -> None:
    path = REALDATA.parent / "ssh/rustcrypto/authorized_keys"
    if not path.exists():
        pytest.skip("authorized_keys is not here")
    import subprocess

    keys = [k for k in path.read_text().splitlines() if k.startswith("ssh-ed25519")]
    (found,) = of(read(account("cn=jo,dc=x", sshPublicKey=keys[0])), Credential)
    shown = subprocess.run(
        ["ssh-keygen", "-lf", "-"], input=keys[0], capture_output=True, text=True, check=True
    ).stdout
    assert found.uid == shown.split()[1]
    assert [p.field for p in of(read(account("cn=jo,dc=x", sshPublicKey="x")), Problem)] == [
        "sshPublicKey"
    ]


def test_a_suffix_without_domain_parts_is_a_tenant_too() -> None:
    assert of(read(account("cn=jo,ou=p,o=Example,c=CH")), Source) == [Source("ldap", "c=ch")]


def test_a_file_without_accounts_is_refused() -> None:
    with pytest.raises(ImportRefused, match="no account and no group"):
        read("dn: dc=x\nobjectClass: domain\n\n")


def dossier(**attributes: str) -> dict[str, Any]:
    return {
        "source": {"platform": "ldap"}, "grants": [],
        "identity": {
            "uid": "u-1", "uid_alt": "uid=svc-a,dc=x", "display_name": "svc-a",
            "status": "enabled", "kind": "service", "attributes": list(attributes.items()),
        },
    }  # fmt: skip


def test_locking_is_undone_by_taking_away_what_was_added() -> None:
    (plan,) = connectors.plan(dossier(), "disable")
    assert plan.undo_class == "R1"
    assert "pwdAccountLockedTime: 000001010000Z" in plan.stop[0]
    assert "delete: pwdAccountLockedTime" in plan.undo[0]


def test_undo_puts_an_earlier_lock_back() -> None:
    (plan,) = connectors.plan(dossier(pwdAccountLockedTime="20261101120000Z"), "disable")
    assert "pwdAccountLockedTime: 20261101120000Z" in plan.undo[0]


def test_389ds_is_locked_in_its_own_way() -> None:
    (plan,) = connectors.plan(dossier(nsUniqueId="1-2"), "revoke")
    assert "nsAccountLock: true" in plan.stop[0]


def test_what_is_locked_already_is_not_planned() -> None:
    mine = dossier()
    mine["identity"]["status"] = "disabled"
    assert connectors.plan(mine, "disable") == []


def test_the_act_says_what_is_known_only_where_the_export_could_tell() -> None:
    (plan,) = connectors.plan(dossier(), "disable")
    assert plan.act is not None
    assert plan.act.known == {"pwdAccountLockedTime": None}
    mine = dossier()
    mine["identity"]["status"] = "unknown"
    (plan,) = connectors.plan(mine, "disable")
    assert plan.act is not None
    assert plan.act.known is None


def test_a_membership_has_a_line_for_each_way_to_keep_it_and_one_act() -> None:
    target = "cn=ops,dc=x#member"
    mine = dossier() | {"grants": [{"entitlement": target, "via": "direct", "chain": []}]}
    plans = connectors.plan(mine, "revoke", target)
    assert ["uniqueMember" in p.stop[0] for p in plans] == [False, True]
    assert len({str(p.act) for p in plans}) == 1
    assert {p.undo_class for p in plans} == {"R2"}
    login = dossier() | {"grants": [{"entitlement": target, "via": "memberUid", "chain": []}]}
    login["identity"]["external_id"] = "svc-a"
    (plan,) = connectors.plan(login, "revoke", target)
    assert "memberUid: svc-a" in plan.undo[0]
    assert connectors.plan(dossier(), "revoke", target) == []


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ldap3", None)
    where = connectors.Where("ldap:x", {"endpoint": "ldaps://x", "user": "cn=x"})
    with pytest.raises(UsageError, match=r"passmuster\[ldap\]"):
        connectors.connect(where)
