"""Plans for AWS: reversible, exact, and safe against hostile names."""

import json
import shlex
from typing import Any

import pytest

from passmuster.connectors import Act, plan

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"


def dossier(arn: str, *credentials: dict[str, Any], detail: str | None = None) -> dict[str, Any]:
    return {
        "source": {"platform": "aws"}, "identity": {"uid": arn, "nhi_detail": detail},
        "credentials": list(credentials), "grants": [],
    }  # fmt: skip


def key(uid: str, **more: Any) -> dict[str, Any]:
    return {
        "uid": uid, "credential_detail": "aws.access_key", "status": "enabled",
        "display_name": None, "created_at": "2020-01-02T03:04:05Z",
    } | more  # fmt: skip


USER = f"arn:aws:iam::{ACCOUNT}:user/team/ci"


def test_a_key_with_its_id_is_set_inactive_and_can_be_set_active_again() -> None:
    found, last = plan(dossier(USER, key("AKIAIOSFODNN7EXAMPLE"), key("AKIAI44QH8DHBEXAMPLE")),
                       "revoke", "AKIAIOSFODNN7EXAMPLE")  # fmt: skip
    line = "aws iam update-access-key --user-name ci --access-key-id AKIAIOSFODNN7EXAMPLE --status"
    assert (found.stop, found.undo) == ((f"{line} Inactive",), (f"{line} Active",))
    assert (found.undo_class, last.undo_class, last.undo) == ("R1", "R3", ())
    assert found.act == Act(
        "aws.access_key.status", {"user": "ci", "key": "AKIAIOSFODNN7EXAMPLE", "arn": USER},
        {"status": "Inactive"}, {"status": "Active"},
    )  # fmt: skip


def test_a_key_known_by_its_number_is_looked_up_first() -> None:
    (found,) = plan(dossier(USER, key(f"{USER}#1")), "disable", f"{USER}#1")
    assert found.stop[0] == "aws iam list-access-keys --user-name ci"
    assert "2020-01-02T03:04:05" in found.stop[1]
    assert '--access-key-id "$ID" --status Inactive' in found.stop[-1]
    assert found.act is not None
    assert found.act.on["created"] == "2020-01-02T03:04:05Z"


def test_stopping_a_user_denies_everything_and_then_stops_live_keys() -> None:
    off = key("AKIAI44QH8DHBEXAMPLE", status="disabled")
    found = plan(dossier(USER, key("AKIAIOSFODNN7EXAMPLE"), off), "revoke")
    assert len(found) == 2
    assert "put-user-policy" in found[0].stop[0]
    document = json.loads(shlex.split(found[0].stop[0])[-1])
    assert document["Statement"] == [{"Effect": "Deny", "Action": "*", "Resource": "*"}]
    assert not any("delete" in line for p in found for line in p.stop)


def test_a_role_is_denied_and_a_service_linked_one_cannot_be_stopped() -> None:
    found, trust = plan(dossier(ROLE), "disable")
    assert (trust.undo_class, "let nobody assume" in trust.what) == ("R1", True)
    assert found.undo == ("aws iam delete-role-policy --role-name app --policy-name MusterStop",)
    assert plan(dossier(ROLE, detail="aws.role.service_linked"), "disable") == []


@pytest.mark.parametrize("name", ["x; rm -rf ~", "$(id)", "--profile", "a b", "it's", "-x"])
def test_a_hostile_name_is_one_argument_and_never_an_option(name: str) -> None:
    for found in plan(dossier(f"arn:aws:iam::{ACCOUNT}:user/{name}"), "revoke"):
        for line in (*found.stop, *found.undo):
            words = shlex.split(line)
            given = [w for w in words if w.endswith(name)]
            assert given in ([name], [f"--user-name={name}"])
            assert not name.startswith("-") or given != [name]


def test_a_managed_policy_is_detached_and_a_membership_ended_so_that_both_can_be_undone() -> None:
    held = dossier(USER)
    admin, member = "arn:aws:iam::aws:policy/X", f"arn:aws:iam::{ACCOUNT}:group/ops#member"
    held["grants"] = [{"entitlement": admin, "chain": []}, {"entitlement": member, "chain": []}]
    assert plan(held, "revoke", admin)[0].undo == (
        f"aws iam attach-user-policy --user-name ci --policy-arn {admin}",
    )
    undo = plan(held, "revoke", member)[0].undo
    assert undo == ("aws iam add-user-to-group --user-name ci --group-name ops",)


def test_the_root_and_other_verbs_have_no_plan() -> None:
    assert plan(dossier(f"arn:aws:iam::{ACCOUNT}:root"), "revoke") == []
    assert plan(dossier(USER), "rotate") == []


def test_the_console_password_is_only_told_and_last() -> None:
    console = key(f"{USER}#console", credential_detail="aws.console_password")
    deny, delete = plan(dossier(USER, console), "revoke", f"{USER}#console")
    assert (deny.undo_class, delete.undo_class) == ("R1", "R3")
    assert delete.act is None
    assert "delete-login-profile" in delete.stop[0]


def test_a_whole_user_is_never_stopped_by_what_cannot_be_undone() -> None:
    found = plan(dossier(USER, key("AKIAIOSFODNN7EXAMPLE")), "revoke")
    assert {p.undo_class for p in found} == {"R1"}


def test_a_trust_target_replaces_the_trust_policy_and_an_inline_policy_is_saved_first() -> None:
    trusting = {**dossier(ROLE), "trusts": [{"from_uid": "444455556666"}]}
    (found,) = plan(trusting, "revoke", "444455556666")
    assert found.act is not None
    assert found.act.name == "aws.role.trust"
    held = dossier(USER)
    held["grants"] = [{"entitlement": f"{USER}#inline/own", "chain": []}]
    (found,) = plan(held, "revoke", f"{USER}#inline/own")
    assert (found.undo_class, found.stop[0].startswith("aws iam get-user-policy")) == ("R2", True)


def test_roles_anywhere_is_disabled_in_its_region() -> None:
    at = f"arn:aws:rolesanywhere:eu-west-1:{ACCOUNT}:trust-anchor/abc"
    (found,) = plan(dossier(at), "disable")
    line = "aws rolesanywhere disable-trust-anchor --trust-anchor-id abc --region eu-west-1"
    assert found.stop == (line,)
    assert found.undo == (line.replace("disable", "enable"),)
    assert found.act is not None
    assert found.act.wanted == {"enabled": False}
