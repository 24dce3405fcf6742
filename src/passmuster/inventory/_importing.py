"""One file of an import: its records, in the order of the file, into tables."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from passmuster import __version__, blobs, connectors, text
from passmuster.connectors import Context, Format
from passmuster.errors import ImportRefused
from passmuster.inventory import _write
from passmuster.inventory._counted import Counted, Progress
from passmuster.model import Problem, Source
from passmuster.store import Database

MAX_RAW_BYTES = 32 * 1024 * 1024
"""The bytes of a file are kept as evidence up to this size; its digest always is."""
Batches = dict[tuple[int, str], int]
"""(source id, format) → the first run of this import: files imported together are one snapshot."""


@dataclass(slots=True)
class Run:
    """What one import did to one source."""

    source: str
    format: str
    file_name: str
    sha256: str
    identities: int = 0
    records: int = 0
    new: int = 0
    changed: int = 0
    absent: int = 0
    problems: list[Problem] = field(default_factory=list)
    """The first of them; `problem_count` is how many there are."""
    problem_count: int = 0
    unchanged_since: str | None = None
    """When this very file was imported already: then nothing was done."""


class Importing:
    """The state of one file's import, from the first record to the last."""

    def __init__(
        self, db: Database, path: Path, fmt: Format, context: Context,
        digest: str, size: int, now: str, by: str | None, batches: Batches,
    ) -> None:  # fmt: skip
        self.db, self.path, self.fmt, self.context = db, path, fmt, context
        self.digest, self.size, self.now, self.by = digest, size, now, by
        self.batches = batches
        self.writer = _write.Writer(db, fmt)
        self.runs: dict[int, Run] = {}
        self.sources: dict[int, int] = {}
        self.problems: list[Problem] = []

    def run(self, options: str, progress: Progress | None) -> list[Run]:
        _write.watch(self.db, self.now)
        with self.path.open("rb") as file:
            counted = Counted(file, self.size, progress)
            for record in connectors.read(self.fmt, counted, self.context):  # type: ignore[arg-type]
                if type(record) is Source:
                    self._switch(record, options)
                elif type(record) is Problem:
                    self.problems.append(record)
                    if self.writer.run_id and len(self.problems) >= _write.FLUSH_ROWS:
                        self._list_problems()
                elif not self.writer.run_id:
                    raise ImportRefused(f"{self.path.name}: names no source; give --source")
                else:
                    self.writer.add(record)
            counted.finish(self.digest, self.path.name)
        if not self.runs:
            why = f": {self.problems[0].why}" if self.problems else ""
            raise ImportRefused(f"{self.path.name}: nothing in it can be imported{why}")
        self.writer.flush()
        self._list_problems()
        for run_id, run in self.runs.items():
            run.records = self.writer.records[run_id]
        return list(self.runs.values())

    def _switch(self, source: Source, options: str) -> None:
        """Go on with *source*: its row and its run are made when first met."""
        self.writer.flush()
        self._list_problems()
        uid = f"{source.platform}:{source.tenant_uid}"
        name = self.context.source_label or source.name
        if self.context.label_is_tenant:  # what it was named once stays
            name = None if source.name == source.tenant_uid else source.name
        self.db.execute(
            "INSERT INTO source (uid, platform, tenant_uid, name) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (uid) DO UPDATE SET name = coalesce(excluded.name, name)",
            (uid, source.platform, source.tenant_uid, name),
        )
        source_id = int(self.db.value("SELECT id FROM source WHERE uid = ?", (uid,)))
        if source_id not in self.sources:
            self.sources[source_id] = self._start(source_id, options)
            self.runs[self.sources[source_id]] = Run(
                uid, self.fmt.name, self.path.name, self.digest
            )
        self.writer.source_id = source_id
        self.writer.run_id = self.sources[source_id]

    def _start(self, source_id: int, options: str) -> int:
        raw = None
        if self.fmt.keeps_raw and self.size <= MAX_RAW_BYTES:
            data = self.path.read_bytes()
            raw = blobs.put(self.db, data) if connectors.may_keep(self.fmt, data) else None
        cursor = self.db.execute(
            "INSERT INTO import_run (source_id, format, file_name, sha256, size, imported_at,"
            " imported_by, tool_version, supplies, options, raw, batch)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (
                source_id, self.fmt.name, text.visible(self.path.name), self.digest, self.size,
                self.now, self.by, __version__, json.dumps(self.fmt.supplies), options, raw,
            ),
        )  # fmt: skip
        run_id = int(cursor.lastrowid or 0)
        batch = self.batches.setdefault((source_id, self.fmt.name), run_id)
        self.db.execute("UPDATE import_run SET batch = ? WHERE id = ?", (batch, run_id))
        return run_id

    def _list_problems(self) -> None:
        if self.writer.run_id:
            _write.add_problems(self.db, self.writer.run_id, self.problems)
            self.problems.clear()
