"""A central API of one's own; and one over SQLite with a town in its log that speaks HTTP."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

for needed in ("starlette", "uvicorn", "msgspec", "jwt"):
    pytest.importorskip(needed, reason="passmuster[server] is not installed")

from passmuster.server import Central  # noqa: E402
from tests.server.people import Place, place  # noqa: E402
from tests.server.postgres import Cluster, started  # noqa: E402
from tests.server.running import Client, opened, running, settle  # noqa: E402
from tests.server.town import Town  # noqa: E402

Speak = Callable[..., Client]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    """A server with an empty log."""
    with place(tmp_path / "central") as found:
        yield found


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of one's own."""
    with started() as found:
        yield found


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.ci)])
def database(request: pytest.FixtureRequest) -> str | None:
    """Each database that a server may have; None for its own file."""
    if request.param == "sqlite":
        return None
    found: Cluster = request.getfixturevalue("cluster")
    return found.database()


@pytest.fixture
def shared(tmp_path: Path, database: str | None) -> Iterator[Place]:
    """A server with an empty log over the one database or the other, to be given replicas."""
    with place(tmp_path / "central", database=database) as found:
        yield found


@pytest.fixture
def served(tmp_path: Path, town: Town, database: str | None) -> Central:
    """A server that does not serve yet; its log has the town's roster."""
    made = opened(tmp_path / "central", database=database)
    settle(made, town, [town.roster()])
    return made


@pytest.fixture
def speak(served: Central, town: Town) -> Iterator[Speak]:
    """The server runs; called with somebody's name it gives a client with their session."""
    made: list[Client] = []
    with running(served) as url:

        def client(who: str | None = None) -> Client:
            made.append(Client(url, town, who))
            return made[-1]

        yield client
        for one in made:
            one.http.close()
