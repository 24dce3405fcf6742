"""OCSF events: valid by class, one for each exception and finding, never a pass by silence."""

import functools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from passmuster.evidence.formats import ocsf
from passmuster.outcomes import Outcome
from tests.evidence.again import finding_row, judged, make, redraft, rule_row, with_rows
from tests.evidence.test_formats import hostile
from tests.scene import END, LATER, Scene

Json = dict[str, Any]


def events(text: str) -> list[Json]:
    return [json.loads(line) for line in text.splitlines()]


def made(pack: Path, scene: Scene, out: Path, **tables: list[Any]) -> list[Json]:
    """The events of a pack with other rules and findings."""
    changed = with_rows(pack, out / "changed", **tables)
    draft = redraft(pack, scene, out / "made")
    return events(make(replace(draft, files=type(draft.files)(changed)), ocsf))


def test_each_exception_and_finding_is_an_event(pack: Path) -> None:
    found = events((pack / ocsf.FILE).read_text())
    of = Counter(e["class_uid"] for e in found)
    assert of == {3004: 3, 2003: len((pack / "findings.jsonl").read_text().splitlines())}
    stops = next(e for e in found if e["message"] == "Autumn: =cmd|'/c calc'!A1: access is to stop")
    assert stops["actor"]["user"]["uid"] == "second@example.com"
    assert stops["comment"] == "=1+1"
    assert stops["time"] == 1795512600000
    silent = next(e for e in found if "nobody decided" in e["message"])
    assert "actor" not in silent
    assert silent["status"] == "Not decided"
    assert len({e["metadata"]["uid"] for e in found}) == len(found)


def test_no_decision_is_told_as_an_act(pack: Path) -> None:
    for event in events((pack / ocsf.FILE).read_text()):
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        if event["class_uid"] == 3004:
            assert (event["activity_id"], event["status_id"]) == (99, 99)


def test_what_simply_stands_is_no_event(pack: Path, scene: Scene, tmp_path: Path) -> None:
    draft = redraft(pack, scene, tmp_path / "x")
    items = [replace(j, outcome=Outcome(j.uri, "stands", None, (), ())) for j in judged(draft)]
    assert not [e for e in events(make(draft, ocsf, items)) if e["class_uid"] == 3004]


def test_a_rule_that_was_not_evaluated_is_no_pass(pack: Path, scene: Scene, tmp_path: Path) -> None:
    rows = [rule_row("unused", "unevaluated"), rule_row("no-owner", "never"),
            rule_row("weak-auth", "clean")]  # fmt: skip
    found = [e for e in made(pack, scene, tmp_path, rules=rows, findings=[])
             if e["class_uid"] == 2003]  # fmt: skip
    assert [e["compliance"]["status_id"] for e in found] == [0, 0]
    assert all(e["status"] == "Not evaluated" for e in found)
    assert "no source says so" in found[0]["message"]


def test_a_cleared_finding_is_closed_and_an_open_one_is_not(
    pack: Path, scene: Scene, tmp_path: Path
) -> None:
    rows = [finding_row("unused", "u1"), finding_row("unused", "u2", cleared_at=LATER)]
    open_one, cleared = [
        e for e in made(pack, scene, tmp_path, rules=[rule_row("unused", "hit")], findings=rows)
        if e["class_uid"] == 2003
    ]  # fmt: skip
    assert (open_one["type_uid"], open_one["status_id"]) == (200301, 1)
    assert (cleared["type_uid"], cleared["status_id"]) == (200303, 4)
    assert cleared["time"] > open_one["time"]
    assert "nist-800-53 AC-2(3)" in open_one["compliance"]["requirements"]


@functools.cache
def validator(class_uid: int) -> Any:
    import jsonschema_rs
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=ocsf.VERSION))
    name = {3004: "entity_management", 2003: "compliance_finding", 3001: "account_change",
            3005: "user_access"}[class_uid]  # fmt: skip
    return jsonschema_rs.validator_for(schema.get_class_schema(name))


def errors(event: Json) -> list[str]:
    found = validator(event["class_uid"]).iter_errors(event)
    return [f"{list(e.instance_path)}: {e.message}" for e in found]


@pytest.mark.ci
def test_every_event_is_valid_by_the_published_schema(
    pack: Path, scene: Scene, tmp_path: Path
) -> None:
    found = events((pack / ocsf.FILE).read_text())
    found += events(hostile(pack, scene, tmp_path / "hostile", ocsf))
    rules = [rule_row("unused", "unevaluated"), rule_row("weak-auth", "hit")]
    rows = [finding_row("weak-auth", "u1", cleared_at=END), finding_row("gone", "u2"),
            finding_row("weak-auth", "u1", subject_kind="grant")]  # fmt: skip
    found += made(pack, scene, tmp_path / "more", rules=rules, findings=rows)
    wrong = {str(errors(e)) + e["message"] for e in found if errors(e)}
    assert not wrong
    assert {e["class_uid"] for e in found} == {2003, 3004}


@pytest.mark.ci
@pytest.mark.parametrize("damage", ["missing", "unknown", "severity", "nested"])
def test_the_validator_is_awake(pack: Path, damage: str) -> None:
    event = events((pack / ocsf.FILE).read_text())[0]
    assert not errors(event)
    match damage:
        case "missing":
            del event["entity"]
        case "unknown":
            event["surprise"] = 1
        case "nested":
            event["entity"]["user"] = {"type_id": 4}
        case _:
            event["severity_id"] = 7
    assert errors(event)
