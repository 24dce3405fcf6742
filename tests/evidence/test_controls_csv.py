"""`controls.csv`: every control is there, with numbers or with the reason why there are none."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from passmuster import config, evidence, policy
from passmuster.config import Settings
from passmuster.errors import UsageError
from passmuster.evidence._tally import Hits
from passmuster.evidence._walk import Judged
from passmuster.evidence.formats import Draft, controls
from passmuster.store import Database
from tests.evidence.again import judged, redraft
from tests.scene import END, Scene, open_scene

A_RULE = "admin-wildcard"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def written(draft: Draft, items: list[Judged]) -> list[dict[str, str]]:
    made = controls.begin(draft)
    for item in items:
        made.item(item)
    made.end()
    return rows_of(draft.writer.root / controls.FILE)


def test_every_control_of_the_catalogue_is_there_and_every_mapping_once(pack: Path) -> None:
    rows = rows_of(pack / controls.FILE)
    catalogue = policy.catalogue()
    names = {f: about["name"] for f, about in catalogue["framework"].items()}
    assert {(r["framework"], r["control"]) for r in rows} == {
        (names[c["framework"]], c["id"]) for c in catalogue["control"]
    }  # fmt: skip
    mapped = sorted((names[f], c["id"], rule["id"]) for rule in catalogue["rule"]
                    for f, served in rule["map"].items() for c in served)  # fmt: skip
    assert sorted((r["framework"], r["control"], r["rule"]) for r in rows if r["rule"]) == mapped
    assert all(r["not_evaluated"] == controls.NO_RULE for r in rows if not r["rule"])


def test_a_rule_has_numbers_or_a_reason_and_never_both(
    pack: Path, scene: Scene, tmp_path: Path
) -> None:
    draft = redraft(pack, scene, tmp_path / "x")
    for row in written(draft, judged(draft)):
        assert bool(row["population"]) != bool(row["not_evaluated"])
        assert bool(row["population"]) == (row["rule"] == A_RULE)


def test_hits_are_stopped_accepted_or_undecided(pack: Path, scene: Scene, tmp_path: Path) -> None:
    draft = redraft(pack, scene, tmp_path / "x")
    items = judged(draft)
    found = {"rule": A_RULE}
    hit = [replace(item, dossier={**item.dossier, "findings": [found, found]}) for item in items]
    assert [item.outcome.effect for item in items] == ["stands_until", "stops", "no_response"]
    (row,) = {tuple(r.values())[8:] for r in written(draft, hit) if r["rule"] == A_RULE}
    assert row == ("3", "3", "6", "1", "1", "1", "")


def test_a_rule_that_was_not_evaluated_says_why(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = open_scene(db, tmp_path, monkeypatch, rules=0)
    evidence.build_pack(db, scene.campaign, tmp_path / "p", scene.boss, END)
    draft = redraft(tmp_path / "p", scene, tmp_path / "x")
    made = controls.begin(draft)
    made.tally.rules[A_RULE] = replace(made.tally.rules.get(A_RULE, Hits()), items=7)
    made.not_evaluated = {A_RULE: "no source says so"}
    made.end()
    for row in rows_of(draft.writer.root / controls.FILE):
        if row["rule"] == A_RULE:
            assert (row["hits"], row["not_evaluated"]) == ("", "no source says so")
        elif row["rule"]:
            assert row["not_evaluated"] == "this rule was not part of the review"


def test_the_owner_of_a_control_goes_before_that_of_its_framework(
    scene: Scene, tmp_path: Path
) -> None:
    owners = Settings(control_owners={"iso27001": "ciso@example.com", "iso27001 A.5.18": "=iam"})
    evidence.build_pack(
        scene.db, scene.campaign, tmp_path / "p", scene.boss, END, settings=owners
    )  # fmt: skip
    told = {(r["framework"], r["control"]): r["control_owner"]
            for r in rows_of(tmp_path / "p" / controls.FILE)}  # fmt: skip
    assert told["ISO/IEC 27001", "A.5.18"] == "'=iam"
    assert told["ISO/IEC 27001", "A.8.2"] == "ciso@example.com"
    assert told["PCI DSS", "7.2.5.1"] == ""


@pytest.mark.parametrize(("name", "why"), [
    ("iso27002 A.5.18", "no framework 'iso27002'; did you mean iso27001?"),
    ("iso27001 A.5.81", "iso27001 has no 'A.5.81'; did you mean A.5.1?"),
    ("pci-dss 99", "pci-dss has no '99'"),
])  # fmt: skip
def test_an_owner_of_no_control_is_refused(name: str, why: str) -> None:
    with pytest.raises(UsageError, match=why.replace("?", r"\?")):
        policy.check(Settings(control_owners={name: "x"}))


@pytest.mark.parametrize("line", ['"ISO 27001!" = "x"', 'iso27001 = ""', "iso27001 = 3"])
def test_a_setting_of_another_shape_stops_the_command(tmp_path: Path, line: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"[control_owners]\n{line}\n")
    with pytest.raises(UsageError, match="control_owners"):
        config.alone(path)


def test_the_example_of_the_page_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[control_owners]\niso27001 = "a"\n"iso27001 A.5.18" = "b"\n')
    settings = config.alone(path)
    policy.check(settings)
    assert policy.control_owner(settings, "iso27001", "A.5.18") == "b"
