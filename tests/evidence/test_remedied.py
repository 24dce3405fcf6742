"""The pack says what came of each stop, from signed results; whoever changes that is caught."""

import csv
import io
from pathlib import Path

import pytest

from passmuster import evidence, remediation
from passmuster.connectors import Verdict
from passmuster.errors import VerificationFailed
from passmuster.evidence import _check
from passmuster.evidence._files import Memory
from passmuster.remediation import State
from passmuster.remediation._table import record
from passmuster.store import Database
from passmuster.text import canonical, strict_json
from tests.evidence.conftest import read
from tests.evidence.test_attacks import Content, chain, payload_of, put, seal, set_chain
from tests.evidence.test_stock_tools import MISSING, Stock, stock, write
from tests.evidence.test_urgent import CALL, stop
from tests.scene import END, Scene, open_scene

__all__ = ["stock"]
RESULTS = "remediation-results.jsonl"
STEPS: list[tuple[State, Verdict | None, str]] = [
    ("apply_failed", None, '403: no, "ü" |'), ("applied", "works", "not yet"),
    ("verified", "refused", "401"), ("reverted", None, "=put back"),
]  # fmt: skip


@pytest.fixture
def remedied(scene: Scene, tmp_path: Path) -> Path:
    """The pack of a review that ended, and whose stops were then carried out in two runs."""
    first, second = remediation.plan(scene.db, END)
    for number, (state, verdict, said) in enumerate(STEPS):
        record(scene.db, first, state, said, END, verdict=verdict)
        if number % 2:
            remediation.sign(scene.db, scene.boss, END)
    record(scene.db, second, "not_supported", "by hand", END)
    remediation.sign(scene.db, scene.rev, END)
    evidence.build_pack(scene.db, scene.campaign, tmp_path / "pack", scene.boss, END)
    return tmp_path / "pack"


@pytest.fixture
def content(remedied: Path) -> Content:
    return read(remedied)


def test_the_newest_result_of_each_stands_in_the_tables(content: Content, remedied: Path) -> None:
    assert evidence.verify(remedied).items == 3
    found = [strict_json(line) for line in content[RESULTS].splitlines()]
    assert [(r["state"], r["verdict"]) for r in found] == [
        ("reverted", None), ("not_supported", None),
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(content["remediations.csv"].decode())))
    assert [(r["state"], r["said"]) for r in rows] == [
        ("reverted", "'=put back"), ("not_supported", "by hand"),
    ]  # fmt: skip


@pytest.mark.ci
@pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}")
def test_the_commands_of_the_page_come_to_the_same(remedied: Path, stock: Stock) -> None:
    done = stock(remedied)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.splitlines()[-1] == "VERIFIED"


@pytest.fixture
def hurried(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A review during which somebody on call stopped one thing, and it was refused."""
    scene = open_scene(db, tmp_path, monkeypatch)
    stop(scene, "ci-deploy")
    (asked,) = remediation.wanted(db, END)
    record(db, remediation.plan_one(db, asked, END), "verified", "401", END, verdict="refused")
    remediation.sign(db, CALL, END)
    evidence.build_pack(db, scene.campaign, tmp_path / "pack", scene.boss, END)
    return scene


def test_what_came_of_an_emergency_stands_in_the_pack_that_it_counts_in(
    hurried: Scene, tmp_path: Path
) -> None:
    content = read(tmp_path / "pack")
    evidence.verify(tmp_path / "pack")
    (row,) = csv.DictReader(io.StringIO(content["remediations.csv"].decode()))
    assert (row["verb"], row["state"], row["verdict"]) == ("disable", "verified", "refused")
    (folder,) = {n.rpartition("/")[0] for n in content if n.endswith("/remediations.jsonl")}
    other = payload_of(content, folder)
    other["predicate"]["basis"] = {"emergency": "e" * 64}
    name = put(content, folder, canonical(other), CALL)
    rows = [
        [*r[:4], name, *r[5:]] if r[-1] == folder else r for r in chain(content)
    ]  # fmt: skip
    set_chain(content, rows)
    with pytest.raises(VerificationFailed, match="belongs to another campaign"):
        _check.check(Memory(seal(content, hurried.boss)))


@pytest.mark.ci
@pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}")
def test_the_commands_of_the_page_know_it_too(hurried: Scene, tmp_path: Path, stock: Stock) -> None:
    done = stock(tmp_path / "pack")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert hurried.db.value("SELECT count(*) FROM entry WHERE predicate = 'remediation'") == 1


def changed(content: Content, attack: str) -> Content:
    folder = next(n.rpartition("/")[0] for n in content if n.endswith("/remediations.jsonl"))
    match attack:
        case "result":
            content[RESULTS] = content[RESULTS].replace(b'"reverted"', b'"verified"')
        case "left out":
            del content[RESULTS]
        case "table":
            table = content["remediations.csv"]
            content["remediations.csv"] = table.replace(b",not_supported,", b",applied,")
        case "row":
            name = f"{folder}/remediations.jsonl"
            row = strict_json(content[name].splitlines()[0])
            rest = content[name].split(b"\n", 1)[1]
            content[name] = canonical({**row, "state": "applied"}) + b"\n" + rest
        case "row left out":
            name = f"{folder}/remediations.jsonl"
            content[name] = content[name].split(b"\n", 1)[1]
    return content


ATTACKS = ["result", "left out", "row", "row left out"]


@pytest.mark.parametrize("attack", [*ATTACKS, "table"])
def test_a_result_that_nobody_signed_is_caught(attack: str, content: Content, scene: Scene) -> None:
    _check.check(Memory(seal(dict(content), scene.boss)))
    with pytest.raises(VerificationFailed):
        _check.check(Memory(seal(changed(content, attack), scene.boss)))


@pytest.mark.ci
@pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}")
@pytest.mark.parametrize("attack", ATTACKS)
def test_the_commands_of_the_page_catch_it_too(
    attack: str, content: Content, scene: Scene, remedied: Path, stock: Stock
) -> None:
    """But for the table, whose cells hold line breaks: that is the word of who seals the folder."""
    write(remedied, seal(changed(content, attack), scene.boss))
    done = stock(remedied)
    assert done.returncode and "NOT VERIFIED" in done.stderr


def test_the_workspace_is_checked_against_what_was_signed(scene: Scene, remedied: Path) -> None:
    folder = scene.db.path.parent
    evidence.verify(folder)
    with scene.db.atomic():
        scene.db.execute("DROP TRIGGER remediation_result_stays")
        scene.db.execute("DELETE FROM remediation_result WHERE id = 1")
    with pytest.raises(VerificationFailed, match="its rows are not what was signed"):
        evidence.verify(folder)
    assert remedied.is_dir()
