"""Stopping an account of a directory: reversible, exact, and safe to paste into a shell."""

import shlex
import subprocess
from typing import Any

import pytest

from passmuster import connectors

DOMAIN = "S-1-5-21-1-2-3"


def dossier(**identity: Any) -> dict[str, Any]:
    base = {
        "uid": f"{DOMAIN}-1105", "uid_alt": "CN=O'Hara\\, Jo,DC=corp", "display_name": "svc-x",
        "nhi_detail": "ad.service_user", "kind": "service", "status": "enabled",
        "attributes": [["userAccountControl", 66048]],
    }  # fmt: skip
    return {"source": {"platform": "ad"}, "identity": base | identity, "grants": []}


def test_undo_writes_the_saved_flags_back_and_not_a_default() -> None:
    for plan in connectors.plan(dossier(), "disable"):
        assert plan.undo_class == "R1"
        assert "66048" in plan.undo[0]
        assert "512" not in plan.undo[0].replace("66048", "")
    shell, ldap = connectors.plan(dossier(), "revoke")
    assert shell.stop == (f"Disable-ADAccount -Identity '{DOMAIN}-1105'",)
    assert "userAccountControl: 66050" in ldap.stop[0]
    assert ldap.act == shell.act
    assert ldap.act is not None
    assert (ldap.act.wanted, ldap.act.known) == (
        {"userAccountControl": 66050}, {"userAccountControl": 66048},
    )  # fmt: skip


def test_plans_are_one_line_each_and_hold_no_name_that_a_shell_obeys() -> None:
    evil = "CN=$(reboot)`id`'\",DC=corp\ndelete: x"
    for plan in connectors.plan(dossier(uid_alt=evil, display_name="a"), "disable"):
        for line in (*plan.stop, *plan.undo):
            assert "\n" not in line
            assert not {"$(reboot)`id`'\",DC=corp", "delete: x"} & set(shlex.split(line))


def test_the_shell_gives_ldapmodify_the_change_and_nothing_else() -> None:
    evil = "CN=O'Hara\\, $(id) %s\\n,DC=corp"
    change = connectors.plan(dossier(uid_alt=evil), "disable")[1].stop[0]
    command, _, rest = change.rpartition(" | ")
    assert rest.startswith("ldapmodify ")
    out = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert out.splitlines() == [
        f"dn: {evil}", "changetype: modify", "replace: userAccountControl",
        "userAccountControl: 66050",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "identity",
    [{"attributes": []}, {"attributes": [["userAccountControl", "514"]]}, {"uid": "CN=x'; rm"}],
)
def test_what_cannot_be_put_back_is_not_planned(identity: dict[str, Any]) -> None:
    assert connectors.plan(dossier(**identity), "disable") == []


def test_leaving_a_group_is_planned_only_where_the_membership_is_direct() -> None:
    held = {"entitlement": "cn=ops,dc=corp#member", "via": "direct"}
    mine = dossier() | {"grants": [held]}
    (plan,) = connectors.plan(mine, "revoke", "cn=ops,dc=corp#member")
    assert plan.undo_class == "R2"
    assert "delete: member" in plan.stop[0]
    assert "add: member" in plan.undo[0]
    inherited = dossier() | {"grants": [held | {"chain": ["Outer"]}]}
    assert connectors.plan(inherited, "revoke", "cn=ops,dc=corp#member") == []
