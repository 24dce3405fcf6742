"""GitHub as its OpenAPI description has it, for `tests.code_server`: an organisation with state."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from passmuster.text import Json
from tests.code_server import pages

ORG = "example-org"
ALIVE, DEAD, OUT, APP = "alive", "dead", "out of sso", "ghs_app"
BLOB = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"k" * 32
KEY = "ssh-ed25519 " + base64.b64encode(BLOB).decode()
PRINT = "SHA256:" + base64.b64encode(hashlib.sha256(BLOB).digest()).decode().rstrip("=")


class GitHub:
    """An organisation with two repositories."""

    def __init__(self) -> None:
        self.url = ""
        self.next = 900
        self.graphql_error = False
        self.keys: dict[str, list[Json]] = {f"{ORG}/shop": [], f"{ORG}/infra": []}
        self.add_key(f"{ORG}/shop", "old jenkins", KEY, read_only=False)
        for n in range(4):
            self.add_key(f"{ORG}/infra", f"key {n}", f"ssh-ed25519 placeholder{n}", read_only=True)
        self.hook = {
            "id": 501, "active": True, "events": ["push"], "created_at": "2024-01-02T03:04:05Z",
            "config": {"url": "https://ci.example.com", "secret": "********"},
        }  # fmt: skip
        self.suspended: str | None = None
        self.sso = [{"login": "m", "credential_id": n, "credential_type": "SSH key",
                     "credential_authorized_at": "2024-01-02T03:04:05Z",
                     "credential_accessed_at": None} for n in (61, 62, 63)]  # fmt: skip
        self.grants = [{"id": 41, "owner": {"login": "bot", "id": 1}, "token_id": 1,
                        "access_granted_at": "2024-01-02T03:04:05Z", "token_name": "t",
                        "permissions": {}}]  # fmt: skip
        self.secrets = [{"name": "DEPLOY", "created_at": "2024-01-02T03:04:05Z",
                         "updated_at": "2024-01-02T03:04:05Z", "visibility": "all"}]  # fmt: skip

    def add_key(self, repository: str, title: str, key: str, *, read_only: bool) -> Json:
        self.next += 1
        made = {
            "id": self.next, "key": key, "title": title, "verified": True, "read_only": read_only,
            "url": f"https://api.github.com/repos/{repository}/keys/{self.next}", "enabled": True,
            "created_at": "2024-01-02T03:04:05Z", "added_by": "m", "last_used": None,
        }  # fmt: skip
        self.keys[repository].append(made)
        return made

    def __call__(  # noqa: C901, PLR0911, PLR0912 - a table of routes
        self, method: str, path: str, query: dict[str, str], body: Any, headers: Mapping[str, str]
    ) -> tuple[Any, ...]:
        token = headers["Authorization"].removeprefix("Bearer ")
        if token == DEAD:
            return 401, {"message": "Bad credentials"}
        if token == OUT:
            return 403, {"message": "Resource protected by organization SAML enforcement."}
        match path.split("/"):
            case ["orgs", _, "repos"]:
                return self.page(path, [{"full_name": name} for name in self.keys], query)
            case ["repos", owner, name, "keys", *rest]:
                return self.on_keys(method, path, f"{owner}/{name}", rest, query, body)
            case ["repos", _, _, "hooks"]:
                return 200, []
            case ["orgs", _, "hooks", *rest]:
                return self.on_hook(method, path, rest, query, body)
            case ["orgs", _, "installations"]:
                return self.page(path, [self.installation()], query, "installations")
            case ["app", "installations", _, "suspended"]:
                if token != APP:
                    return 401, {"message": "A JSON web token could not be decoded"}
                self.suspended = "2026-11-27T12:00:00Z" if method == "PUT" else None
                return 204, None
            case ["orgs", _, "credential-authorizations", *rest]:
                return self.on_list(method, path, self.sso, "credential_id", rest, query)
            case ["orgs", _, "personal-access-tokens", *rest]:
                return self.on_list(method, path, self.grants, "id", rest, query)
            case ["orgs", _, "actions", "secrets", *rest]:
                return self.on_secrets(method, path, rest, query)
            case ["orgs", _, "actions", "oidc", *_]:
                return 200, {"include_claim_keys": ["repo", "context"]}
            case ["graphql"]:
                return 200, self.members(body)
            case ["orgs", _, "teams"]:
                return 200, []
        return 404, {"message": "Not Found"}

    def page(
        self, path: str, items: list[Any], query: dict[str, str], inside: str = ""
    ) -> tuple[Any, ...]:
        def wrap(some: list[Any]) -> Any:
            return {"total_count": len(items), inside: some} if inside else some

        return pages(self.url, path, items, query, wrap)

    def on_keys(
        self, method: str, path: str, repository: str, rest: list[str], query: Any, body: Any
    ) -> tuple[Any, ...]:
        mine = self.keys[repository]
        if not rest and method == "POST":
            if any(k["key"] == body["key"] for k in mine):
                return 422, {"message": "key is already in use"}
            return 201, self.add_key(repository, body["title"], body["key"],
                                     read_only=body["read_only"])  # fmt: skip
        if not rest:
            return self.page(path, mine, query)
        found = [k for k in mine if str(k["id"]) == rest[0]]
        if not found:
            return 404, {"message": "Not Found"}
        if method == "DELETE":
            mine.remove(found[0])
            return 204, None
        return 200, found[0]

    def on_hook(
        self, method: str, path: str, rest: list[str], query: Any, body: Any
    ) -> tuple[Any, ...]:
        hook = self.hook | {"url": f"https://api.github.com/orgs/{ORG}/hooks/501",
                            "deliveries_url": "https://api.github.com/x"}  # fmt: skip
        if not rest:
            return self.page(path, [hook], query)
        if method == "PATCH":
            assert "config" not in body, "GitHub would drop the secret"
            self.hook |= body
        return 200, hook | self.hook

    def members(self, body: Json) -> Json:
        if self.graphql_error:
            return {"data": {"organization": None}, "errors": [{"message": "planted"}]}
        second = body["variables"]["endCursor"] == "next"
        login = "j-okafor" if second else "m"
        edge = {"hasTwoFactorEnabled": second, "role": "ADMIN" if second else "MEMBER",
                "node": {"login": login, "name": None, "email": ""}}  # fmt: skip
        page = {"hasNextPage": not second, "endCursor": None if second else "next"}
        return {"data": {"organization": {"membersWithRole": {"edges": [edge], "pageInfo": page}}}}

    def installation(self) -> Json:
        return {
            "id": 3001, "app_slug": "renovate", "access_tokens_url": "https://api.github.com/x",
            "account": {"login": ORG, "id": 1}, "permissions": {"contents": "read"}, "app_id": 1,
            "created_at": "2024-01-02T03:04:05Z", "suspended_at": self.suspended,
        }  # fmt: skip

    def on_list(
        self, method: str, path: str, items: list[Any], name: str, rest: list[str], query: Any
    ) -> tuple[Any, ...]:
        if not rest:
            return self.page(path, items, query)
        found = [i for i in items if str(i[name]) == rest[0]]
        if not found:
            return 404, {"message": "Not Found"}
        items.remove(found[0])
        return 204, None

    def on_secrets(self, method: str, path: str, rest: list[str], query: Any) -> tuple[Any, ...]:
        if not rest:
            return self.page(path, self.secrets, query, "secrets")
        if not self.secrets:
            return 404, {"message": "Not Found"}
        if method == "DELETE":
            self.secrets.clear()
            return 204, None
        return 200, self.secrets[0]
