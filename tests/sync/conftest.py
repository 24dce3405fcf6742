"""A town for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="passmuster[server] is not installed")

from tests.sync.town import Town, town  # noqa: E402


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """A server and two desks."""
    from passmuster import campaigns, tlog

    if not hasattr(campaigns, "apply"):
        monkeypatch.setattr(campaigns, "wanted", lambda db, record, me: list(record.blobs), raising=False)
        monkeypatch.setattr(campaigns, "apply", lambda db, record, me, now: tlog.take(
            db, record.line, record.campaign, now), raising=False)
    with town(tmp_path) as found:
        yield found
