"""The hammer, small: nothing that was acknowledged is lost, doubled, moved or reordered."""

from pathlib import Path

import pytest

from tests.bench.hammer import hammer
from tests.server.postgres import Cluster

SEED = 20261127


@pytest.mark.long
@pytest.mark.parametrize(("seconds", "seed"), [(60, SEED), (60, SEED + 1)])
def test_two_replicas_over_a_postgresql_that_are_all_killed_keep_every_promise(
    tmp_path: Path, cluster: Cluster, seconds: int, seed: int
) -> None:
    found = hammer(tmp_path, cluster, seconds, 6, 2, seed)
    print(found.known.words, dict(found.faults))
    assert not found.known.wrong
    assert found.known.indexes
    assert {"postgresql", "kill"} & set(found.faults)


@pytest.mark.long
def test_a_server_over_sqlite_that_is_killed_keeps_every_promise(tmp_path: Path) -> None:
    found = hammer(tmp_path, None, 60, 6, 2, SEED)
    print(found.known.words, dict(found.faults))
    assert not found.known.wrong
    assert found.known.indexes


@pytest.mark.ci
def test_two_replicas_under_many_clients_keep_every_promise(
    tmp_path: Path, cluster: Cluster
) -> None:
    found = hammer(tmp_path, cluster, 4, 4, 0, SEED)
    assert not found.known.wrong
    assert found.known.indexes
