"""RabbitMQ from files: users, tags, permissions; and plans that survive hostile names."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from tests.exports import of, parse, recognised

from passmuster import connectors
from passmuster.connectors import Context, plan
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Entitlement, Grant, Identity, Problem, Source

NAME = "rabbitmq.definitions.json"
SAMPLE = Path(__file__).parents[2] / "sample_data" / "rabbitmq" / "definitions.json"
ID = {"name": "internal_cluster_id", "value": "rabbitmq-cluster-id-1"}


def test_the_sample_says_what_its_readme_says() -> None:
    found = recognised(SAMPLE.read_bytes(), NAME, Context())
    assert not of(found, Problem)
    assert {i.uid: i.status for i in of(found, Identity)} == {
        "guest": "enabled", "orders": "enabled", "federation": "enabled", "old-shop": "disabled",
        "by-certificate": "enabled",
    }  # fmt: skip
    assert len(of(found, Credential)) == 4
    levels = {e.uid: e.permission_level for e in of(found, Entitlement)}
    assert levels["tag:administrator"] == "admin"
    assert levels["vhost:%2F configure=.* write=.* read=.*"] == "admin"
    assert levels["vhost:shop configure=federation.* write=.* read=.*"] == "write"
    assert levels["vhost:shop configure= write= read=events"] == "read"
    assert len(of(found, Grant)) == 7


def test_the_tenant_has_to_stand_before_the_users_or_to_be_named() -> None:
    users = {"users": [{"name": "ci"}], "rabbitmq_version": "3"}
    first = json.dumps({"global_parameters": [ID]} | users).encode()
    last = json.dumps(users | {"global_parameters": [ID]}).encode()
    fmt = connectors.named(NAME)
    assert of(parse(fmt, first, Context()), Source) == [Source("rabbitmq", ID["value"])]
    with pytest.raises(ImportRefused, match="--source"):
        parse(fmt, last, Context())
    assert of(parse(fmt, last, Context("mq")), Source) == [Source("rabbitmq", "mq")]


def dossier(name: str, vhost: str = "%2F", **more: Any) -> dict[str, Any]:
    identity = {"uid": name, "status": "enabled", "attributes": []} | more
    held = f"vhost:{vhost} configure=a b.* write=.* read="
    grants = [{"entitlement": held}, {"entitlement": "tag:administrator"}]
    return {"source": {"platform": "rabbitmq"}, "identity": identity, "grants": grants}


@pytest.mark.parametrize("name", ["x;id", "$(id)", "it's", "-x", "a b", "`id`"])
def test_a_hostile_name_is_one_word_and_never_an_option(name: str) -> None:
    (found,) = plan(dossier(name), "disable")
    words = shlex.split(found.stop[0])
    assert words[-2:] == [name, '{"max-connections": 0}']
    assert not name.startswith("-") or words[-3] == "--"
    assert shlex.split(found.undo[0])[-2:] == [name, "max-connections"]
    (leave,) = plan(dossier(name), "revoke", "vhost:%2F configure=a b.* write=.* read=")
    assert shlex.split(leave.undo[0])[-4:] == [name, "a b.*", ".*", ""]
    assert leave.act is not None
    assert leave.act.known == {"configure": "a b.*", "write": ".*", "read": ""}


def test_a_limit_that_was_there_is_put_back() -> None:
    (found,) = plan(dossier("ci", attributes=[["limits.max-connections", "20"]]), "disable")
    assert '{"max-connections": 20}' in found.undo[0]
    assert found.act is not None
    assert found.act.known == {"max-connections": 20}


def test_what_is_off_and_a_tag_have_no_plan() -> None:
    assert plan(dossier("ci", status="disabled"), "disable") == []
    assert plan(dossier("ci"), "revoke", "tag:administrator") == []
    assert plan(dossier("ci"), "rotate") == []
