"""A login on each platform that has no server here, at the small server that its tests have.

They keep their state, so a round over them is a whole one; what they cannot show is said in
`docs/platforms/README.md`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests import replay
from tests.code_server import quick, serving
from tests.connectors import api_server, test_anthropic
from tests.connectors import test_entra_live as entra
from tests.connectors import test_gcp_live as gcp
from tests.connectors import test_gitlab_live as gitlab
from tests.connectors import test_kubernetes_live as kubernetes
from tests.connectors import test_okta_live as okta
from tests.github_server import ORG, GitHub
from tests.gitlab_server import ADMIN, GitLab
from tests.live.rounds import Round

Patch = pytest.MonkeyPatch


@contextmanager
def _replayed(
    platform: replay.Platform, patch: Patch, source: str, logs_in: Callable[[], bool], **more: Any
) -> Iterator[Round]:
    with replay.served(platform, patch):
        yield Round(source, {"endpoint": platform.url}, more.pop("secret", ""), logs_in,
                    login=replay.TOKEN, name=None, **more)  # fmt: skip


@contextmanager
def _coded(
    platform: Any, patch: Patch, source: str, logs_in: Callable[[], bool], module: str,
    **more: Any,
) -> Iterator[Round]:  # fmt: skip
    quick(patch, f"passmuster.connectors.{module}")
    with serving(platform) as found:
        platform.url = found.url
        yield Round(source, {"endpoint": found.url}, more.pop("secret", ""), logs_in, name=None,
                    **more)  # fmt: skip


@contextmanager
def of_entra(patch: Patch) -> Iterator[Round]:
    one = entra.Graph()
    with _replayed(
        one, patch, f"entra:{entra.TENANT}", lambda: one.enabled, secret=entra.SECRET,
        mark=entra.APP, part=entra.CERT,
        has=lambda: [c for c in one.app["keyCredentials"] if c["keyId"] == entra.CERT],
    ) as found:  # fmt: skip
        yield found


@contextmanager
def of_gcp(patch: Patch) -> Iterator[Round]:
    one = gcp.Cloud()
    with _replayed(
        one, patch, f"gcp:{gcp.PROJECT}", lambda: not one.account.get("disabled"), mark="/111",
        part=gcp.KEY, has=lambda: gcp.KEY in one.keys,
    ) as found:  # fmt: skip
        yield found


@contextmanager
def of_okta(patch: Patch) -> Iterator[Round]:
    one = okta.Org()
    scopes = f"/api/v1/apps/{okta.APP}/grants"
    with _replayed(
        one, patch, f"okta:{okta.ORG}", lambda: one.app["status"] == "ACTIVE", mark=okta.APP,
        secret=okta.SECRET, part="okta.users.read",
        has=lambda: [entry["scopeId"] for entry in one.lists[scopes]],
    ) as found:  # fmt: skip
        yield found


@contextmanager
def of_github(patch: Patch) -> Iterator[Round]:
    one = GitHub()
    with _coded(
        one, patch, f"github:{ORG}", lambda: bool(one.keys[f"{ORG}/shop"]), "github._live",
        login="the login of an engineer", mark="/shop/keys/901", part="actions/secrets/deploy",
        has=lambda: list(one.secrets),
    ) as found:  # fmt: skip
        yield found


@contextmanager
def of_gitlab(patch: Patch) -> Iterator[Round]:
    one = GitLab()
    with _coded(
        one, patch, f"gitlab:{gitlab.TENANT}", lambda: one.users[2102] == "active",
        "gitlab._live", login=ADMIN, mark="user/2102", secret="the bot's",
    ) as found:  # fmt: skip
        yield found


@contextmanager
def of_anthropic(patch: Patch) -> Iterator[Round]:
    one = test_anthropic.Anthropic()
    with _coded(
        one, patch, "anthropic:example", lambda: one.keys[0]["status"] == "active", "anthropic",
        login=test_anthropic.ADMIN, mark="apikey_example1", secret=test_anthropic.KEY,
    ) as found:  # fmt: skip
        yield found


@contextmanager
def of_kubernetes(patch: Patch) -> Iterator[Round]:
    one = kubernetes.small()
    with api_server.serving(one) as address:
        yield Round(
            "kubernetes:eu-1", {"endpoint": address}, "",
            lambda: "runner" in kubernetes.subjects(one, kubernetes.ADMINS),
            login=api_server.ADMIN, mark="sa-uid", name=None, part="clusterrole:",
            has=lambda: sorted(kubernetes.subjects(one, kubernetes.ADMINS)),
        )  # fmt: skip
