"""Makers of exports of databases and brokers (see `tests.exports`)."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from typing import Any


def make_roles(n: int, name: str, secret: str, bad: bool) -> bytes:
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(["oid", "rolname", "rolsuper", "rolinherit", "rolcreaterole", "rolcreatedb",
           "rolcanlogin", "rolpassword", "rolvaliduntil", "comment"])  # fmt: skip
    for at in range(n):
        write([16384 + at, f"{name}{at}", "f", "t", "f", "t", "t", secret, "2031-01-01 00:00:00+00",
               f"owner: {name}@x password: {secret}" if secret else ""])  # fmt: skip
        if bad and at == n // 2:
            write(["none", "x", "f", "t", "f", "t", "t", "", "", ""])
    return out.getvalue().encode()


def make_members(n: int, name: str, secret: str, bad: bool) -> bytes:
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(["role", "member", "grantor", "admin_option", "password"])
    for at in range(n):
        write(["readers", f"{name}{at}", "postgres", "t", secret])
        if bad and at == n // 2:
            write(["readers", "x", "postgres", "perhaps", ""])
    return out.getvalue().encode()


def make_dump(n: int, name: str, secret: str, bad: bool) -> bytes:
    said = ["-- PostgreSQL database cluster dump", ""]
    for at in range(n):
        role = '"' + f"{name}{at}".replace('"', '""') + '"'
        said += [
            f"CREATE ROLE {role};",
            f"ALTER ROLE {role} WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$4096:{secret}';",
            f"COMMENT ON ROLE {role} IS 'it''s for\n--{name};';".replace("'; DROP", "''; DROP"),
            f"GRANT readers TO {role} GRANTED BY postgres;",
        ]
        if bad and at == n // 2:
            said.append("ALTER ROLE nobody WITH LOGIN;")
    return "\n".join([*said, "-- PostgreSQL database cluster dump complete", ""]).encode()


def _tab(cells: list[str]) -> str:
    """A row as `mariadb -B` writes it."""
    escapes = str.maketrans({"\0": "\\0", "\t": "\\t", "\n": "\\n", "\\": "\\\\"})
    return "\t".join(cell.translate(escapes) for cell in cells)


def make_accounts(n: int, name: str, secret: str, bad: bool) -> bytes:
    rows = ["Host\tUser\tPriv"]
    for at in range(n):
        priv = {"access": 3, "plugin": "ed25519", "authentication_string": secret,
                "auth_or": [{"plugin": "mysql_native_password", "authentication_string": secret}],
                "password_last_changed": 1_600_000_000}  # fmt: skip
        rows.append(_tab(["%", f"{name}{at}", json.dumps(priv)]))
        if bad and at == n // 2:
            rows.append(_tab(["%", "x", '{"access": "much"}']))
    return ("\n".join(rows) + "\n").encode()


def make_mapping(n: int, name: str, secret: str, bad: bool) -> bytes:
    rows = ["Host\tUser\tRole\tAdmin_option\tpassword"]
    for at in range(n):
        rows.append(_tab(["%", f"{name}{at}", "readers", "Y", secret]))
        if bad and at == n // 2:
            rows.append(_tab(["%", "x", "readers", "perhaps", ""]))
    return ("\n".join(rows) + "\n").encode()


def make_answers(n: int, name: str, secret: str, bad: bool) -> bytes:
    rows: list[dict[str, Any]] = []
    for at in range(n):
        entity = {"id": f"e{at}", "name": f"{name}{at}", "aliases": [], "disabled": False,
                  "metadata": {"owner": f"{name}@x", "password": secret}}  # fmt: skip
        rows.append({"path": f"identity/entity/id/e{at}", "lease_id": "", "data": entity,
                     "auth": {"client_token": secret}})  # fmt: skip
        if bad and at == n // 2:
            rows.append({"path": "identity/entity/id/x", "lease_id": "", "data": {"id": 7}})
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def make_acl(n: int, name: str, secret: str, bad: bool) -> bytes:
    rows = []
    for at in range(n):
        hashed = hashlib.sha256(str(at).encode()).hexdigest()
        called = "".join(f"{name}{at}".split())  # a name of Redis has no blank
        rows.append(f"user {called} on #{hashed} >{secret} ~{at}:* &* +@read")
        if bad and at == n // 2:
            rows.append("member x on")
    return ("\n".join(rows) + "\n").encode()


def make_definitions(n: int, name: str, secret: str, bad: bool) -> bytes:
    users: list[Any] = []
    for at in range(n):
        users.append({"name": f"{name}{at}", "password_hash": secret, "tags": ["monitoring"],
                      "hashing_algorithm": "rabbit_password_hashing_sha256" * 8,
                      "limits": {"max-connections": 3, "password": secret}})  # fmt: skip
        if bad and at == n // 2:
            users.append({"name": 7})
    rights = {"user": name, "vhost": "/", "configure": "", "write": ".*", "read": ""}
    return json.dumps({
        "rabbitmq_version": "3.10.8", "users": users, "permissions": [rights],
        "parameters": [{"value": {"uri": f"amqp://x:{secret}@h"}}],
    }).encode()  # fmt: skip


MAKERS: dict[str, Callable[[int, str, str, bool], bytes]] = {
    "postgres.roles.csv": make_roles,
    "postgres.members.csv": make_members,
    "postgres.roles.sql": make_dump,
    "rabbitmq.definitions.json": make_definitions,
    "redis.acl_list.txt": make_acl,
    "openbao.answers.jsonl": make_answers,
    "mariadb.global_priv.tsv": make_accounts,
    "mariadb.roles_mapping.tsv": make_mapping,
}
