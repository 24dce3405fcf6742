"""Redis from files: users and what they may do; and a plan that survives hostile names."""

import shlex
from typing import Any

import pytest
from tests.exports import of, parse, recognised

from passmuster import connectors
from passmuster.connectors import Context, plan
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Entitlement, Identity, Problem

NAME = "redis.acl_list.txt"
HASH = "#" + "ab" * 32


def users(*lines: str) -> list[Any]:
    return recognised("".join(f"{line}\n" for line in lines).encode(), NAME)


def test_users_passwords_and_what_they_may_do() -> None:
    found = users("user default on nopass sanitize-payload ~* &* +@all",
                  f"user ci on {HASH} {HASH} ~jobs:* resetchannels -@all +get +set",
                  f"user old off {HASH} -@all", "# a comment", "nonsense")  # fmt: skip
    assert [(i.uid, i.kind, i.status) for i in of(found, Identity)] == [
        ("default", "system", "enabled"), ("ci", "service", "enabled"),
        ("old", "service", "disabled"),
    ]  # fmt: skip
    assert '"not asked for"' in of(found, Identity)[0].attributes
    assert [c.uid for c in of(found, Credential)] == [
        "ci#password1", "ci#password2", "old#password1"
    ]  # fmt: skip
    assert [(e.uid, e.permission_level) for e in of(found, Entitlement)] == [
        ("~* &* +@all", "admin"), ("~jobs:* resetchannels -@all +get +set", "write")
    ]  # fmt: skip
    assert [p.line for p in of(found, Problem)] == [5]
    assert HASH[1:] not in str(found)


@pytest.mark.parametrize(
    ("rule", "level"),
    [("+@all", "admin"), ("+config|set", "admin"), ("-@all +@read", "read"), ("+ping", "unknown"),
     ("-@all (~x +@dangerous)", "admin")],
)  # fmt: skip
def test_the_level_of_a_rule(rule: str, level: str) -> None:
    (found,) = of(users(f"user ci on {HASH} ~* {rule}"), Entitlement)
    assert found.permission_level == level


def test_a_list_of_an_unnamed_server_or_without_its_end_is_refused() -> None:
    with pytest.raises(ImportRefused, match="--source"):
        parse(connectors.named(NAME), b"user ci on +@all\n", Context())
    with pytest.raises(ImportRefused, match="inside a line"):
        parse(connectors.named(NAME), b"user ci on +@all\nuser x on")


@pytest.mark.parametrize("name", ["x;id", "$(id)", "it's", "-x", "`id`"])
def test_a_hostile_name_is_one_word(name: str) -> None:
    identity = {"uid": name, "status": "enabled"}
    dossier = {"source": {"platform": "redis"}, "identity": identity}
    (found,) = plan(dossier, "disable", f"{name}#password1")
    assert shlex.split(found.stop[0]) == ["redis-cli", "ACL", "SETUSER", name, "off"]
    assert shlex.split(found.undo[0])[-2:] == [name, "on"]
    assert plan(dossier | {"identity": identity | {"status": "disabled"}}, "disable") == []
    assert plan(dossier, "disable", "~* +@all") == []
