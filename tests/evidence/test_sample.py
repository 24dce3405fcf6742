"""A sample is the same for the pack, for the workspace, and for sha256sum."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from passmuster import evidence, merkle
from passmuster.evidence import _sample
from passmuster.text import canonical
from tests.conftest import REPOSITORY, Muster
from tests.scene import Scene

TOOLS = ("dash", "jq", "sha256sum", "cut", "tr", "sort", "head")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
SEED = "audit of 2027-01-14"


def commands(page: str) -> str:
    """The block of *page* that draws a sample with stock tools."""
    blocks = re.findall(r"```(?:sh|text)\n(.*?)```", page, re.DOTALL)
    (block,) = [b for b in blocks if "sort | head -n 25" in b]
    return re.sub(r"^cd .*\n", "", block)


@pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}")
@pytest.mark.parametrize("seed", [SEED, "", "two\nlines", "  'x' $(id) \\n %s é \U0001f4a9"])
def test_the_commands_on_both_pages_draw_the_same_items(pack: Path, seed: str) -> None:
    ours = [(p.rank, p.item) for p in evidence.sample_pack(pack, 25, seed)]
    for page in ((REPOSITORY / "docs" / "evidence.md"), pack / "VERIFY.md"):
        block, count = re.subn(r"seed='[^']*'\n", "", commands(page.read_text()))
        assert count == 1
        done = subprocess.run(
            ["dash", "-e", "-c", block], cwd=pack, capture_output=True, text=True, check=True,
            env={**os.environ, "seed": seed},
        )  # fmt: skip
        assert [tuple(line.split(" ")) for line in done.stdout.splitlines()] == ours


def test_pack_and_workspace_draw_the_same(pack: Path, scene: Scene) -> None:
    for per in (None, "outcome"):
        picked = evidence.sample_pack(pack, 2, SEED, per)
        assert picked == evidence.sample_campaign(scene.db, scene.campaign, 2, SEED, per)
        assert len(picked) == (3 if per else 2)


def test_what_is_signed_on_an_item_is_where_the_sample_says(pack: Path) -> None:
    picked = evidence.sample_pack(pack, 3, SEED)
    assert Counter(len(p.rows) for p in picked) == {1: 2, 0: 1}
    for pick in picked:
        for place, leaf in zip(pick.rows, pick.leaves, strict=True):
            name, _, number = place.rpartition(":")
            row = (pack / name).read_bytes().splitlines()[int(number) - 1]
            assert merkle.leaf_hash(row).hex() == leaf
            assert json.loads(row)["item"] == pick.item
        (folder,) = pack.glob("statements/*-campaign")
        for name in ("population", "assignments"):
            lines = (folder / f"{name}.jsonl").read_text().splitlines()
            assert json.loads(lines[pick.line - 1])["item"] == pick.item


def big(folder: Path, size: int) -> Path:
    """A pack of nothing but outcomes."""
    folder.mkdir()
    effects = ("stands", "stops", "no_response")
    with (folder / "outcomes.jsonl").open("wb") as out:
        for n in range(size):
            out.write(canonical({
                "item": f"muster:x/identity/{n}", "effect": effects[n % 3], "until": None,
                "reviewer": "r@example.com", "remediations": [], "rows": [], "ignored": [],
            }) + b"\n")  # fmt: skip
    (folder / "SHA256SUMS").write_text("")
    return folder


def test_the_lowest_are_taken_of_all_and_of_each_outcome(tmp_path: Path) -> None:
    folder = big(tmp_path / "b", 500)
    items = [f"muster:x/identity/{n}" for n in range(500)]
    ranked = sorted(items, key=lambda item: _sample.rank(SEED, item))
    assert [p.item for p in evidence.sample_pack(folder, 40, SEED)] == ranked[:40]
    strata = evidence.sample_pack(folder, 4, SEED, "outcome")
    assert Counter(p.outcome for p in strata) == {"stands": 4, "stops": 4, "no_response": 4}
    stops = [i for i in ranked if int(i.rsplit("/", 1)[1]) % 3 == 1]
    assert [p.item for p in strata if p.outcome == "stops"] == stops[:4]
    other = evidence.sample_pack(folder, 40, SEED + ".")
    assert {p.item for p in other} != set(ranked[:40])


@pytest.mark.ci
def test_memory_of_a_sample_does_not_grow_with_the_pack(tmp_path: Path) -> None:
    import tracemalloc

    peaks = []
    for size in (500, 10_000):
        folder = big(tmp_path / str(size), size)
        tracemalloc.start()
        evidence.sample_pack(folder, 25, SEED)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 50_000, peaks


def test_an_auditor_needs_no_workspace(pack: Path, inside: Muster, tmp_path: Path) -> None:
    done = inside("evidence", str(pack), "--sample", "2", "--seed", SEED)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [r["item"] for r in rows] == [p.item for p in evidence.sample_pack(pack, 2, SEED)]
    assert "muster verify" in done.stderr
    as_json = json.loads(inside("evidence", str(pack), "--sample", "9", "--seed", SEED,
                                "--json").stdout)  # fmt: skip
    assert len(as_json) == 3
    out = tmp_path / "sample.csv"
    told = inside("evidence", str(pack), "--sample", "2", "--seed", SEED, "--out", str(out))
    assert (told.stdout, out.read_text()) == (f"{out}\n", done.stdout)
    again = inside("evidence", str(pack), "--sample", "2", "--seed", SEED, "--out", str(out),
                   code=2)  # fmt: skip
    assert "is there already" in again.stderr


def test_a_campaign_that_is_called_by_its_name(scene: Scene, inside: Muster) -> None:
    told = inside("evidence", "Autumn", "--sample", "1", "--seed", SEED, "--json").stdout
    assert json.loads(told) == [
        p.as_dict() for p in evidence.sample_campaign(scene.db, scene.campaign, 1, SEED)
    ]


@pytest.mark.parametrize(("words", "why"), [
    (["--sample", "25"], "--sample needs --seed"), (["--seed", "x"], "are for --sample"),
    (["--per", "outcome"], "are for --sample"), ([], "--out"),
    (["--sample", "0", "--seed", "x"], "--sample"),
])  # fmt: skip
def test_half_a_question_is_refused(
    scene: Scene, inside: Muster, words: list[str], why: str
) -> None:
    assert scene.campaign.closed_at
    assert why in inside("evidence", "Autumn", *words, code=2).stderr


def test_the_csv_of_hostile_items_has_no_formula(tmp_path: Path, inside: Muster) -> None:
    folder = big(tmp_path / "b", 1)
    line = (folder / "outcomes.jsonl").read_text()
    (folder / "outcomes.jsonl").write_text(line.replace("r@example.com", "=1+1"))
    done = inside("evidence", str(folder), "--sample", "1", "--seed", "x")
    assert ",'=1+1," in done.stdout
