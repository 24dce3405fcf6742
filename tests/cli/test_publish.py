"""A campaign is published from the command line."""

import json
from pathlib import Path

from tests.conftest import ME, Muster
from tests.estates import report


def test_a_campaign_is_published_once(
    inside: Muster, tmp_path: Path, passphrase_file: Path
) -> None:
    inside("init")
    inside("key", "new", "--key-store", "file")
    (tmp_path / "r.csv").write_text(report("svc-a", "svc-b"))
    inside("import", str(tmp_path / "r.csv"))
    opening = ("campaign", "open", "--reviewer", ME, "--due", "2030-12-31")
    inside(*opening, "November")
    assert "2 items for 1 reviewer can travel" in inside("campaign", "publish", "November").stderr
    again = inside("campaign", "publish", "November")
    assert "published already: nothing changed" in again.stderr
    (made,) = json.loads(inside("campaign", "publish", "November", "--json").stdout)
    assert (made["new"], made["items"], made["chunks"]) == (False, 2, 3)
    inside(*opening, "December", "--publish")
    listed = json.loads(inside("campaign", "list", "--json").stdout)
    assert {row["name"]: row["travels"] for row in listed} == {"November": "out", "December": "out"}
    (status,) = json.loads(inside("campaign", "status", "November", "--json").stdout)
    assert status["disputed"] == []
