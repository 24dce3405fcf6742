"""A town for each test that asks for one; it is begun once and copied."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="passmuster[server] is not installed")

from tests.sync.town import Plan, Town, built, plan

collect_ignore = [] if find_spec("apsw") else ["test_power_loss.py"]
"""What `make long` runs, with the extra that has the driver."""


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan(tmp_path_factory.mktemp("begun"), synced=False)


@pytest.fixture(scope="session")
def at_rest(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan(tmp_path_factory.mktemp("rest"), synced=True)


@pytest.fixture
def place(begun: Plan, tmp_path: Path) -> Iterator[Town]:
    """A server and two desks that have never synced."""
    with built(begun, tmp_path / "town") as found:
        yield found


@pytest.fixture
def synced(at_rest: Plan, tmp_path: Path) -> Iterator[Town]:
    """A server and two desks that have all that it has."""
    with built(at_rest, tmp_path / "town") as found:
        yield found
