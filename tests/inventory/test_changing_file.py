"""Promise 3: a file that somebody is still writing is refused, with nothing changed."""

from pathlib import Path

import pytest

from passmuster.errors import ImportRefused
from passmuster.store import Database
from tests.estates import report
from tests.inventory.test_import import everything, load


def test_a_file_that_changes_while_it_is_read_is_refused_whole(
    db: Database, tmp_path: Path
) -> None:
    path, before = tmp_path / "a.csv", everything(db)
    names = [f"svc-{n:05}" for n in range(9000)]

    def still_writing(done: int, size: int) -> None:
        if done < size:
            with path.open("a") as stream:
                stream.write(report("svc-late").splitlines()[1] + "\n")

    with pytest.raises(ImportRefused, match="changed while it was being read"):
        load(db, path, report(*names), progress=still_writing)
    assert everything(db) == before
