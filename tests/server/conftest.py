"""A server over SQLite with a town in its log, and people who may speak with it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from passmuster.server import Central
from tests.server.running import Client, opened, running, settle
from tests.server.town import Town

Speak = Callable[..., Client]


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def here(tmp_path: Path, town: Town) -> Central:
    """A server that does not serve yet; its log has the roster."""
    made = opened(tmp_path / "central")
    settle(made, town, [town.roster()])
    return made


@pytest.fixture
def speak(here: Central, town: Town) -> Iterator[Speak]:
    """The server runs; called with somebody's name it gives a client with their session."""
    made: list[Client] = []
    with running(here) as url:

        def client(who: str | None = None) -> Client:
            made.append(Client(url, town, who))
            return made[-1]

        yield client
        for one in made:
            one.http.close()
