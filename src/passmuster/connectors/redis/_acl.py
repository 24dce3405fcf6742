"""`ACL LIST`: one user a line, `user NAME on #HASH ~KEYS &CHANNELS +COMMANDS` ("ACL" of Redis's
documentation). The hash of a password is a plain SHA-256: it is dropped, that there is one is kept.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors._input import head_text
from passmuster.connectors._table import lines, not_empty
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Entitlement, Grant, Identity, Problem, Record, Source

_LINE = re.compile(r"user \S+ (?:on|off|reset|nopass|resetpass|[#>~&%+(-]\S*)(?: |$)")
_SECRET = ("#", ">", "<", "!")
_ADMIN = {
    "+@all": "may run every command", "+@admin": "may run the commands of administrators",
    "+@dangerous": "may run the commands called dangerous", "+acl": "may make users",
    "+config": "may change the configuration", "allcommands": "may run every command",
}  # fmt: skip
_WRITE = (
    "+set",
    "+del",
    "+@write",
    "+hset",
    "+lpush",
    "+rpush",
    "+xadd",
    "+sadd",
    "+eval",
    "+incr",
)
_WORDS = frozenset(("on", "off", "nopass", "resetpass", "sanitize-payload",
                    "skip-sanitize-payload", "reset"))  # fmt: skip


def sniff(head: bytes) -> bool:
    """A first line that is a user's; comments may stand before it."""
    for line in head_text(head).lstrip("\ufeff").splitlines():
        if line.strip() and not line.startswith("#"):
            return _LINE.match(line) is not None
    return False


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Users, with what they may do."""
    tenant = context.named("a list of users does not name its server: give --source <server>")
    yield from not_empty(_records(stream, tenant))


def _records(stream: BinaryIO, tenant: str) -> Iterator[Record]:
    yield Source("redis", tenant)
    for number, line in enumerate(lines(stream), 1):
        if not line.endswith("\n"):
            raise ImportRefused(f"line {number}: the file ends inside a line")
        if not line.strip() or line.startswith("#"):
            continue
        words = line.rstrip("\r\n").split(" ")
        if words[0] != "user" or len(words) < 3 or not words[1]:
            yield Problem(number, None, "no line of a user; it was left out")
        else:
            yield from _user(words[1], [word for word in words[2:] if word], number)


def _user(name: str, words: list[str], line: int) -> Iterator[Record]:
    status = "enabled" if "on" in words and "off" not in words else "disabled"
    secrets = [word for word in words if word.startswith(_SECRET)]
    shown = {"password": "not asked for" if "nopass" in words else None,
             "passwords": len(secrets) or None}  # fmt: skip
    yield Identity(
        name, None, name, "system" if name == "default" else "service",
        "stated" if name == "default" else "inferred", nhi_type="local_account",
        nhi_detail="redis.default_user" if name == "default" else "redis.user", status=status,
        last_used_state="not_tracked",
        attributes=text.json_text({k: v for k, v in shown.items() if v is not None}), line=line,
    )  # fmt: skip
    for at, _ in enumerate(secrets, 1):
        yield Credential(
            name, f"{name}#password{at}", "static_secret", "redis.password", f"password {at}",
            status=status, expires_state="none", last_used_state="not_tracked", line=line,
        )  # fmt: skip
    rules = [word for word in words if word not in _WORDS and not word.startswith(_SECRET)]
    if not rules or rules == ["-@all"]:
        return
    uid = " ".join(rules)
    level, why = _level(rules)
    yield Entitlement(
        uid, uid, resource_kind="server", permission_level=level, level_reason=why, scope="server",
        line=line,
    )  # fmt: skip
    yield Grant(name, uid, line=line)


def _level(rules: list[str]) -> tuple[str, str | None]:
    given = [rule.strip("()").lower() for rule in rules]
    for rule in given:
        if rule.partition("|")[0] in _ADMIN:
            return "admin", _ADMIN[rule.partition("|")[0]]
    if any(rule.startswith(_WRITE) for rule in given):
        return "write", None
    return ("read" if "+@read" in given else "unknown"), None
