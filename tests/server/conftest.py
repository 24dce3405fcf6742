"""A central API of one's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="passmuster[server] is not installed")

from tests.server.people import Place, place  # noqa: E402


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Place]:
    """A server with an empty log."""
    with place(tmp_path / "central") as found:
        yield found
