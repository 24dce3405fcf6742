"""GitLab as its API pages have it, for `tests.code_server`: a group with state."""

from collections.abc import Mapping
from typing import Any

from passmuster.text import Json
from tests.code_server import pages

ADMIN, OWNER = "an administrator's", "an owner's"
KEY = "ssh-ed25519 placeholder"
PRINT = "SHA256:exampleexampleexampleexampleexampleexample0"
SECRETS = {"the bot's": (2102, 802), "nightly's": (57, 803)}
"""A token's value: (user, token)."""


def _token(number: int, user: int, **more: Any) -> Json:
    return {
        "id": number, "name": f"token {number}", "revoked": False, "active": True,
        "created_at": "2024-01-02T03:04:05Z", "last_used_at": None, "scopes": ["api"],
        "user_id": user, "expires_at": None,
    } | more  # fmt: skip


class GitLab:
    """Group 9 with one project, 71, and two service accounts."""

    def __init__(self) -> None:
        self.url = ""
        self.next = 21
        self.users = {57: "active", 58: "active", 2102: "active"}
        self.tokens = {
            802: _token(802, 2102, access_level=40, resource_type="project", resource_id=71),
            803: _token(803, 57),
        }
        self.keys = [self.key("edge sync", KEY, can_push=True)]
        self.runner = {"id": 6, "description": "build-6", "runner_type": "group_type",
                       "is_shared": False, "paused": False}  # fmt: skip

    def key(self, title: str, key: str, *, can_push: bool) -> Json:
        self.next += 1
        return {
            "id": self.next, "title": title, "key": key, "can_push": can_push,
            "created_at": "2024-01-02T03:04:05Z", "fingerprint_sha256": PRINT,
            "projects_with_write_access": [{"id": 71, "path_with_namespace": "example/shop"}],
        }  # fmt: skip

    def __call__(  # noqa: C901, PLR0911, PLR0912 - a table of routes
        self, method: str, path: str, query: dict[str, str], body: Any, headers: Mapping[str, str]
    ) -> tuple[Any, ...]:
        token = headers["Authorization"].removeprefix("Bearer ")
        if token in SECRETS:
            return self.tried(*SECRETS[token])
        admin = token == ADMIN
        match path.split("/"):
            case ["user"]:
                return 200, {"id": 1, "is_admin": True} if admin else {"id": 2}
            case ["users", number]:
                return 200, {"id": int(number), "state": self.users[int(number)]}
            case ["users", number, verb]:
                return self.moderate(int(number), verb, admin=admin)
            case ["groups", _, "projects"]:
                return self.page(path, [{"id": 71}], query)
            case ["groups", _, "service_accounts"]:
                accounts = [{"id": n, "username": f"service_account_{n}", "name": f"account {n}"}
                            for n in (57, 58)]  # fmt: skip
                return self.page(path, accounts, query)
            case ["groups", _, "service_accounts", user, "personal_access_tokens"]:
                mine = [t for t in self.tokens.values() if t["user_id"] == int(user)]
                return self.page(path, mine, query)
            case ["projects", _, "access_tokens", *rest]:
                mine = [t for t in self.tokens.values() if "access_level" in t]
                return self.on_token(method, path, rest, mine, query)
            case ["personal_access_tokens", number]:
                if not admin:
                    return 404, {"message": "404 Not Found"}
                return self.on_token(method, path, [number], list(self.tokens.values()), query)
            case ["projects", _, "deploy_keys", *rest]:
                return self.on_key(method, path, rest, query, body)
            case ["groups", _, "members", "all"]:
                return self.page(path, [{
                    "id": 2102, "username": "project_71_bot_x", "name": "token 802",
                    "state": self.users[2102], "access_level": 40, "web_url": "https://x",
                }], query)  # fmt: skip
            case ["groups", _, "runners"]:
                return self.page(path, [self.runner], query)
            case ["runners", _]:
                self.runner |= body or {}
                return 200, self.runner
            case ["groups" | "projects", *_]:
                return 200, []
        return 404, {"message": "404 Not Found"}

    def page(self, path: str, items: list[Any], query: dict[str, str]) -> tuple[Any, ...]:
        return pages(self.url, path, items, query)

    def tried(self, user: int, token: int) -> tuple[Any, ...]:
        if self.tokens[token]["revoked"]:
            return 401, {"message": "401 Unauthorized"}
        if self.users[user] == "blocked":
            return 403, {"message": "403 Forbidden - Your account has been blocked."}
        return 200, self.tokens[token]

    def moderate(self, user: int, verb: str, *, admin: bool) -> tuple[Any, ...]:
        before, after = {"block": ("active", "blocked"), "unblock": ("blocked", "active")}[verb]
        if not admin or self.users[user] != before:
            return 403, {"message": f"403 Forbidden - cannot {verb}"}
        self.users[user] = after
        return 201, True

    def on_token(
        self, method: str, path: str, rest: list[str], mine: list[Any], query: Any
    ) -> tuple[Any, ...]:
        if not rest:
            return self.page(path, mine, query)
        found = [t for t in mine if str(t["id"]) == rest[0]]
        if not found or (found[0]["revoked"] and method == "DELETE"):
            return 404, {"message": "404 Not Found"}
        if method == "DELETE":
            found[0] |= {"revoked": True, "active": False}
            return 204, None
        return 200, found[0]

    def on_key(
        self, method: str, path: str, rest: list[str], query: Any, body: Any
    ) -> tuple[Any, ...]:
        if not rest and method == "POST":
            self.keys.append(self.key(**body))
            return 201, self.keys[-1]
        if not rest:
            return self.page(path, self.keys, query)
        found = [k for k in self.keys if str(k["id"]) == rest[0]]
        if not found:
            return 404, {"message": "404 Not Found"}
        if method == "DELETE":
            self.keys.remove(found[0])
            return 204, None
        return 200, found[0]
