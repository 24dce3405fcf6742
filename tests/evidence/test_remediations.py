"""Promise 8 in the pack: what is to be stopped, by which line, and by which it is put back."""

import csv
from pathlib import Path

from passmuster import campaigns, evidence
from passmuster.model import Attention, Change, Draft
from passmuster.store import Database
from tests.estates import ME, NOW, opened


def test_each_line_that_stops_stands_beside_the_line_that_undoes_it(
    db: Database, tmp_path: Path
) -> None:
    key, at = opened(db, tmp_path, "svc-a", "svc-b", "svc-c")
    seen = Attention(None, NOW, False)
    first, second, _ = campaigns.rank(db, at.id, ME)
    part = db.value("SELECT c.uid FROM credential c JOIN item i USING (identity_id)"
                    " WHERE i.id = ? AND c.uid LIKE '%#1'", (second,))  # fmt: skip
    keep = Draft("approve", None, "but one key", seen, None, (Change("disable", part),))
    campaigns.save_draft(db, first, Draft("revoke", None, "gone", seen), NOW)
    campaigns.save_draft(db, second, keep, NOW)
    campaigns.sign_off(db, campaigns.prepare(db, at.id, ME), key, NOW)
    evidence.build_pack(db, at, tmp_path / "pack", key, NOW)
    with (tmp_path / "pack" / "remediations.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["undo_class"] for row in rows} == {"R1"}, "a flag is what is offered first"
    put_back = [("put-user-policy", "delete-user-policy"), ("Inactive", "Active"),
                ("Inactive", "Active")]  # fmt: skip
    for row, (stop, undo) in zip(rows, put_back, strict=True):
        assert stop in row["stop"] and undo in row["undo"] and stop not in row["undo"]
    assert [row["part"] for row in rows] == ["", "", part]
