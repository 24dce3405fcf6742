"""What the rules of a role let its holder do, as one level and one reason in words.

After "Role Based Access Control Good Practices" (kubernetes.io): the powers from which the whole
namespace or cluster can be taken count as admin.
"""

from collections.abc import Iterator
from typing import Any

from passmuster.connectors._json import listed, mapping

Judgement = tuple[str, str | None]

_READING = frozenset(("get", "list", "watch"))
# these ask the API server a question; "create" is how they are asked
_REVIEWS = frozenset((
    "tokenreviews", "subjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectreviews",
    "selfsubjectrulesreviews", "localsubjectaccessreviews",
))  # fmt: skip
# (API group, resource, verbs any of which is enough, why)
_POWERS = (
    ("", "secrets", ("get", "list", "watch"), "may read every secret"),
    ("", "pods/exec", ("create", "get"), "may run commands in any pod"),
    ("", "pods/attach", ("create", "get"), "may attach to any pod"),
    ("", "nodes/proxy", ("get", "create", "update", "patch", "delete"),
     "may reach the kubelet of any node"),
    ("", "serviceaccounts/token", ("create",), "may make tokens of any service account"),
    ("", "users", ("impersonate",), "may impersonate users"),
    ("", "groups", ("impersonate",), "may impersonate groups"),
    ("", "serviceaccounts", ("impersonate",), "may impersonate service accounts"),
    ("rbac.authorization.k8s.io", "roles", ("escalate", "bind"), "may raise its own rights"),
    ("rbac.authorization.k8s.io", "clusterroles", ("escalate", "bind"),
     "may raise its own rights"),
)  # fmt: skip
_BY_NAME = {"cluster-admin": "admin", "admin": "admin", "edit": "write", "view": "read"}
_SHOWN_RULES = 20


def judge(rules: Any, aggregated: bool = False) -> Judgement:
    """(permission_level, level_reason) of a role's rules."""
    every = [_Rule(mapping(rule)) for rule in listed(rules)]
    if not every:
        if aggregated:
            return "unknown", "its rules are gathered from other roles by the cluster"
        return "read", "allows nothing: no rule"
    for rule in every:
        if reason := rule.admin():
            return "admin", reason
    for rule in every:
        if reason := rule.writing():
            return "write", reason
    return "read", "get, list and watch only"


def judge_name(name: str) -> Judgement:
    """A role that is bound, but is not in the export."""
    level = _BY_NAME.get(name, "unknown")
    if level == "unknown":
        return level, "the role is not in the export"
    return level, f"by its name only, {name}: the role is not in the export"


def words(rules: Any) -> list[str]:
    """The first rules as people read them: `get list pods, services`."""
    return [rule.words() for rule in (_Rule(mapping(r)) for r in listed(rules)[:_SHOWN_RULES])]


class _Rule:
    def __init__(self, rule: dict[str, Any]) -> None:
        self.verbs = _texts(rule.get("verbs"))
        self.groups = _texts(rule.get("apiGroups"))
        self.resources = _texts(rule.get("resources"))
        self.names = _texts(rule.get("resourceNames"))
        self.urls = _texts(rule.get("nonResourceURLs"))

    def admin(self) -> str | None:
        """Why the rule makes its holder an admin."""
        if self.names:
            return None
        if "*" in self.verbs and "*" in self.resources and {"*", ""} & set(self.groups):
            return "every verb on every resource"
        for group, resource, verbs, why in _POWERS:
            applies = {group, "*"} & set(self.groups) and self._has(resource)
            if applies and {*verbs, "*"} & set(self.verbs):
                return f"{why} ({self.words()})"
        return None

    def _has(self, resource: str) -> bool:
        name, _, part = resource.partition("/")
        wanted = {"*", resource, f"*/{part}"} if part else {"*", name}
        return bool(wanted & set(self.resources))

    def writing(self) -> str | None:
        """What the rule lets its holder change."""
        if set(self.verbs) <= _READING:
            return None
        if self.resources and set(self.resources) <= _REVIEWS and set(self.verbs) <= {"create"}:
            return None
        return self.words()

    def words(self) -> str:
        things = list(self._things())
        more = f" and {len(things) - 3} more" if len(things) > 3 else ""
        return f"{' '.join(self.verbs)} {', '.join(things[:3])}{more}"

    def _things(self) -> Iterator[str]:
        for resource in self.resources:
            only = f" {self.names[0]}" if len(self.names) == 1 else ""
            only = f" ({len(self.names)} by name)" if len(self.names) > 1 else only
            yield f"{resource}{only}"
        yield from self.urls


def _texts(value: Any) -> list[str]:
    return [word for word in listed(value) if isinstance(word, str)]
