"""A format of a pack, made once more from the pack's own files, or from changed ones."""

import json
import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from passmuster.evidence import _check
from passmuster.evidence._after import After
from passmuster.evidence._files import Folder, Writer
from passmuster.evidence._remedies import Newest
from passmuster.evidence._walk import Judged, walk
from passmuster.evidence.formats import Draft
from passmuster.policy._rulebook import load_rules
from tests.scene import END, NOW, Scene

HOSTILE = (
    "\x1b]52;c;ZWNobyBoaQ==\x07", "\u202egnp.exe", "  led by spaces ", "\t", "", "a\nb\r\nc",
    "<script>alert(1)</script>", "[click](javascript:1) ![x](http://x/y)", "{{ insert: param, x }}",
    "{0} {{1}} \\[a\\](0)", "*_`~^$|", "=cmd|'/c calc'!A1", "\u200b\ufeff", "\U0001f4a9\u0301",
    ']}],"results":[', "'; DROP TABLE x; --", "\u2028\u2029\x85", "x" * 5000,
)  # fmt: skip
"""Names that somebody gave an account."""


def redraft(pack: Path, scene: Scene, out: Path) -> Draft:
    """The draft that a format of *pack* is made from; it writes into *out*."""
    files = Folder(pack)
    names = files.names()
    seal = _check._seal(files, names, _check._claimed_keys(files, names))
    sealed = _check._statements(files, names, seal, lambda _: None)
    out.mkdir(parents=True)
    writer = Writer(out)
    for line in (pack / "SHA256SUMS").read_text().splitlines():
        if not line[66:].startswith(("exports/", "VERIFY.md", "chain.tsv")):
            writer.digests[line[66:]] = line[:64]
    runs = sealed.opened.attestation.predicate["runs"]
    return Draft(
        scene.db, scene.campaign, files, writer, sealed.statements, sealed.opened, END,
        unseen=After(scene.db, scene.campaign, runs).unseen,
        results=Newest(files, sealed.statements, ()),
    )  # fmt: skip


def judged(draft: Draft) -> list[Judged]:
    """The items of its pack."""
    batches = [s.batch for s in draft.statements if s.batch is not None]
    return list(walk(draft.files, draft.opened.folder, batches))


def make(draft: Draft, module: Any, items: Iterable[Judged] | None = None) -> str:
    """What *module* writes of *items*, or of those of the pack."""
    written = module.begin(draft)
    for item in judged(draft) if items is None else items:
        written.item(item)
    written.end()
    path: Path = draft.writer.root / module.FILES[0]
    return path.read_text("utf-8")


def with_rows(pack: Path, to: Path, **tables: Iterable[Any]) -> Path:
    """A copy of *pack* whose tables (`rules`, `findings`) have other rows; its seal is not made."""
    shutil.copytree(pack, to)
    for name, rows in tables.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (to / f"{name}.jsonl").write_text(text, "utf-8")
    return to


def rule_row(rule_id: str, state: str) -> dict[str, Any]:
    """A line of `rules.jsonl`; state: clean, hit, unevaluated, never, other-text."""
    rule = load_rules()[rule_id]
    latest = {"ranAt": NOW, "sha256": "0" * 64 if state == "other-text" else rule.sha256,
              "params": {}, "hits": 0,
              "notEvaluated": "no source says so" if state == "unevaluated" else None}  # fmt: skip
    return {
        "id": rule_id, "title": rule.title, "severity": rule.severity, "subject": rule.subject,
        "sha256": rule.sha256, "why": rule.why, "fix": rule.fix, "notEvaluatedAtOpening": None,
        "latest": None if state == "never" else latest,
    }  # fmt: skip


def finding_row(rule_id: str, uid: str, name: str = "ci-deploy", **more: Any) -> dict[str, Any]:
    """A line of `findings.jsonl`."""
    row = {
        "rule": rule_id, "severity": "high", "subject_kind": "identity", "subject": uid,
        "identity": uid, "name": name, "source": "testbed:t1", "detail": "as it is",
        "first_seen": NOW, "cleared_at": None,
    }  # fmt: skip
    return row | more


def some_states(seed: int) -> dict[str, str]:
    """A state for each rule, the same for the same seed."""
    chance = random.Random(seed)
    states = ("clean", "clean", "clean", "hit", "unevaluated", "never", "other-text")
    return {rule_id: chance.choice(states) for rule_id in load_rules()}


def strings(value: Any) -> Iterable[str]:
    """Every string in a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
