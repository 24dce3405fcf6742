"""What holds for every format: same bytes, no stranger's markup, part of the sealed pack."""

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from passmuster import evidence
from passmuster.errors import VerificationFailed
from passmuster.evidence.formats import is_ours, ocsf, oscal, sarif
from passmuster.evidence.formats._common import EXCEPTIONS, Names
from passmuster.outcomes import Effect
from tests.evidence.again import HOSTILE, finding_row, judged, make, redraft, strings, with_rows
from tests.scene import Scene

FORMATS: list[Any] = [ocsf, oscal, sarif]
each = pytest.mark.parametrize("module", FORMATS, ids=lambda m: m.__name__.rsplit(".", 1)[1])


def hostile(pack: Path, scene: Scene, out: Path, module: Any) -> str:
    """What *module* makes of names that strangers chose, in items and in findings."""
    rows = [finding_row("admin-wildcard", f"u{n}", name, detail=name, subject=name,
                        subject_kind="credential") for n, name in enumerate(HOSTILE)]  # fmt: skip
    bad = with_rows(pack, out / "bad", findings=rows)
    draft = redraft(pack, scene, out / "made")
    draft = replace(draft, files=type(draft.files)(bad))
    items = []
    for number, name in enumerate(HOSTILE):
        for item in judged(redraft(pack, scene, out / f"x{number}")):
            identity = {**item.dossier["identity"], "display_name": name}
            dossier = {**item.dossier, "identity": identity, "of": "credential", "subject": name}
            ballots = [replace(b, row={**b.row, "reason": {"code": "1", "text": name}})
                       for b in item.ballots]  # fmt: skip
            items.append(replace(item, uri=f"{item.uri}{number}", dossier=dossier,
                                 ballots=ballots, reviewer=name))  # fmt: skip
    return make(draft, module, items)


@each
def test_the_same_pack_gives_the_same_bytes(
    pack: Path, scene: Scene, tmp_path: Path, module: Any
) -> None:
    once = make(redraft(pack, scene, tmp_path / "1"), module)
    assert once == make(redraft(pack, scene, tmp_path / "2"), module)
    assert once == (pack / module.FILES[0]).read_text()


@each
def test_no_name_brings_control_characters_or_breaks_the_form(
    pack: Path, scene: Scene, tmp_path: Path, module: Any
) -> None:
    text = hostile(pack, scene, tmp_path, module)
    documents = text.splitlines() if module is ocsf else [text]
    if module is ocsf:
        # U+2028 and the like would make one line two for some readers
        assert len(documents) == text.count("\n")
    for document in documents:
        for found in strings(json.loads(document)):
            assert found.isprintable()
            assert found


@each
def test_a_changed_export_shows(pack: Path, module: Any) -> None:
    evidence.verify(pack)
    name = module.FILES[0]
    assert is_ours(name)
    assert name.startswith("exports/")
    (pack / name).write_bytes((pack / name).read_bytes() + b" ")
    with pytest.raises(VerificationFailed, match="was changed after it was signed"):
        evidence.verify(pack)


@pytest.mark.ci
@each
def test_memory_does_not_grow_with_items_and_findings(
    pack: Path, scene: Scene, tmp_path: Path, module: Any
) -> None:
    peaks = []
    for size in (400, 8000):
        rows = [finding_row("unused", f"u{n}") for n in range(size)]
        changed = with_rows(pack, tmp_path / f"c{size}", findings=rows)
        draft = redraft(pack, scene, tmp_path / f"m{size}")
        items = judged(draft)
        draft = replace(draft, files=type(draft.files)(changed))
        tracemalloc.start()
        written = module.begin(draft)
        for number in range(size):
            written.item(replace(items[number % 3], uri=f"muster:x/identity/{number}"))
        written.end()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    print(module.__name__, peaks)
    assert peaks[1] < peaks[0] + 100_000


def test_no_export_has_a_secret_or_a_path_of_this_machine(pack: Path, tmp_path: Path) -> None:
    for path in (pack / "report.html", *filter(Path.is_file, (pack / "exports").rglob("*"))):
        text = path.read_text()
        assert str(tmp_path) not in text
        assert "PRIVATE KEY" not in text
        assert '"salt"' not in text


def test_every_outcome_has_words() -> None:
    assert set(EXCEPTIONS) == {*get_args(Effect), "parts"} - {"stands"}


def test_names_are_of_one_campaign() -> None:
    assert Names("a").of("file", "x") == Names("a").of("file", "x")
    assert len({Names("a").of("x"), Names("b").of("x"), Names("a").of("y"),
                Names("a").of("x", "y")}) == 4  # fmt: skip
