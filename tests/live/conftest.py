"""Servers that start once and serve all tests here; each test leaves them as it found them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.samba import Controller, controller
from tests.connectors.slapd import Slapd, slapd
from tests.connectors.sshd import Sshd, sshd
from tests.connectors.test_aws_live import ministack as ministack
from tests.live import services
from tests.live.services import Bao
from tests.server import postgres


@pytest.fixture(scope="session")
def a_postgres() -> Iterator[postgres.Cluster]:
    with postgres.started() as found:
        yield found


@pytest.fixture(scope="session")
def a_mariadb() -> Iterator[Path]:
    with services.mariadb() as found:
        yield found


@pytest.fixture(scope="session")
def an_openbao() -> Iterator[Bao]:
    with services.openbao() as found:
        found.ask("POST", "sys/auth/approle", {"type": "approle"})
        yield found


@pytest.fixture(scope="session")
def a_redis() -> Iterator[Path]:
    with services.redis() as found:
        yield found


@pytest.fixture(scope="session")
def a_rabbitmq() -> Iterator[str]:
    with services.rabbitmq() as found:
        yield found


@pytest.fixture(scope="session")
def a_slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with slapd(tmp_path_factory.mktemp("slapd")) as found:
        yield found


@pytest.fixture(scope="session")
def an_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as found:
        yield found


@pytest.fixture(scope="module")
def a_domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    """Only as long as a module needs it: its ports are the machine's, one at a time."""
    with controller(tmp_path_factory.mktemp("samba")) as found:
        yield found
