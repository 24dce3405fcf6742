"""OSCAL assessment results: whole, small, and never claiming what was not evaluated."""

import json
import re
import shutil
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from passmuster.evidence._walk import Judged
from passmuster.evidence.formats import ocsf, oscal
from passmuster.evidence.formats._objectives import (
    NO_VERDICT,
    OBJECTIVES,
    REVIEWED,
    objective,
    token,
)
from passmuster.outcomes import Outcome
from passmuster.policy import controls
from passmuster.policy._rulebook import load_rules
from passmuster.text import sha256
from tests.conftest import REPOSITORY
from tests.evidence.again import (
    finding_row,
    judged,
    make,
    redraft,
    rule_row,
    some_states,
    with_rows,
)
from tests.evidence.test_formats import hostile
from tests.evidence.test_second import decide, packed, say, two
from tests.scene import END, Scene

SCHEMAS = REPOSITORY / "tests" / "schemas"
SCHEMA = SCHEMAS / "oscal_assessment-results_schema.json"
Json = dict[str, Any]
__all__ = ["two"]


@pytest.fixture
def document(pack: Path) -> Json:
    """The document of a small pack."""
    return read(pack / oscal.FILE)


def read(path: Path) -> Json:
    found: Json = json.loads(path.read_text())["assessment-results"]
    return found


def pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every (key, value) in a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from pairs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from pairs(inner)


def check_references(document: Json) -> int:
    """Every reference leads to what has that name, and no name is there twice; how many."""
    names = Counter(v for k, v in pairs(document) if k == "uuid")
    assert not [name for name, count in names.items() if count > 1]
    references = [v for k, v in pairs(document) if k.endswith("-uuid")]
    references += [v[1:] for k, v in pairs(document) if k == "href" and v.startswith("#")]
    assert not set(references) - set(names)
    roles = {role["id"] for role in document["metadata"]["roles"]}
    assert {v for k, v in pairs(document) if k == "role-id"} <= roles
    resources = {r["uuid"] for r in document["back-matter"]["resources"]}
    assert document["import-ap"]["href"][1:] in resources
    risks = {r["uuid"] for r in document["results"][0].get("risks", [])}
    assert {v for k, v in pairs(document) if k == "risk-uuid"} <= risks
    return len(references)


def number(document: Json, name: str) -> int:
    (found,) = (p for p in document["results"][0]["props"] if p["name"] == name)
    return int(found["value"])


def test_every_reference_leads_somewhere(document: Json, pack: Path) -> None:
    assert check_references(document) > 25
    for resource in document["back-matter"]["resources"]:
        (link,) = resource["rlinks"]
        data = (pack / "exports" / link["href"]).read_bytes()
        assert link["hashes"] == [{"algorithm": "SHA-256", "value": sha256(data)}]
    linked = {r["rlinks"][0]["href"] for r in document["back-matter"]["resources"]}
    for name in ("population.jsonl", "decisions.jsonl", "../outcomes.jsonl"):
        assert any(href.endswith(name) for href in linked), name


def test_the_sweep_over_references_finds_one_that_dangles(document: Json) -> None:
    del document["back-matter"]["resources"][0]
    with pytest.raises(AssertionError):
        check_references(document)


@pytest.mark.skipif(not shutil.which("jq"), reason="not here: jq")
def test_stock_tools_check_every_file_that_is_referenced(document: Json, pack: Path) -> None:
    assert oscal.CHECK in document["metadata"]["remarks"]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(["sh", "-c", oscal.CHECK], cwd=pack / "exports", check=False,
                              capture_output=True, text=True)  # fmt: skip

    done = run()
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK\n") == len(document["back-matter"]["resources"])
    (pack / "outcomes.jsonl").write_text("{}\n")
    assert run().returncode != 0


def test_totals_and_exceptions_are_told(document: Json) -> None:
    assert number(document, "population-count") == 3
    assert number(document, "excluded-count") == 1
    assert number(document, "effect-stops") == 1
    assert number(document, "exception-stands-until") == 1
    assert number(document, "exception-no-response") == 1
    titles = [o["title"] for o in document["results"][0]["observations"]]
    assert "vendor-etl: nobody decided" in titles
    assert document["results"][0]["end"] == END
    (finding,) = (f for f in document["results"][0]["findings"]
                  if f["target"]["target-id"] == "ac-2_obj.j")  # fmt: skip
    assert finding["target"]["status"]["state"] == "not-satisfied"
    assert finding["description"] == "1 item without a decision that counts."


def test_a_whole_review_satisfies_its_objective_and_an_open_one_does_not(
    pack: Path, scene: Scene, tmp_path: Path
) -> None:
    draft = redraft(pack, scene, tmp_path / "x")
    stands = [replace(j, outcome=Outcome(j.uri, "stands", None, (), ())) for j in judged(draft)]
    states = {}
    for closed in (END, None):
        to = redraft(pack, scene, tmp_path / f"closed-{closed}")
        campaign = replace(scene.campaign, closed_at=closed)
        made = json.loads(make(replace(to, campaign=campaign), oscal, stands))
        (found,) = (f for f in made["assessment-results"]["results"][0]["findings"]
                    if f["target"]["target-id"] == "ac-2_obj.j")  # fmt: skip
        states[closed] = found["target"]["status"]["state"]
    assert states == {END: "satisfied", None: "not-satisfied"}


@pytest.mark.parametrize("seed", range(6))
def test_no_objective_is_satisfied_by_a_rule_that_was_not_evaluated(
    pack: Path, scene: Scene, tmp_path: Path, seed: int
) -> None:
    states = some_states(seed) if seed else dict.fromkeys(load_rules(), "clean")
    result = with_states(pack, scene, tmp_path, states)["results"][0]
    titles = {o["uuid"]: o["title"] for o in result["observations"]}
    unsure = {r for r, state in states.items() if state not in {"clean", "hit"}}
    told = [t for t in titles.values() if t.startswith("Not evaluated: ")]
    assert len(told) == len(unsure)
    for found in result["findings"]:
        target = found["target"]["target-id"]
        if target == REVIEWED["identity"][1]:
            continue
        speak = {r for r in states if r not in NO_VERDICT for c in controls(r)
                 if c["framework"] == "nist-800-53" and c["fit"] != "indirect"
                 and objective(r, token(c["id"])) == target}  # fmt: skip
        if found["target"]["status"]["state"] == "satisfied":
            assert {states[r] for r in speak} == {"clean"}, target
            assert not target.endswith("_obj")
        else:
            assert "hit" in {states[r] for r in speak}, target
    if not seed:
        met = {f["target"]["target-id"] for f in result["findings"]
               if f["target"]["status"]["state"] == "satisfied"}  # fmt: skip
        assert {"ac-2.3_obj.d", "ps-4_obj.a"} <= met


def with_states(pack: Path, scene: Scene, out: Path, states: dict[str, str]) -> Json:
    changed = with_rows(
        pack, out / "changed", rules=[rule_row(r, s) for r, s in states.items()],
        findings=[finding_row(r, "u1") for r, s in states.items() if s == "hit"],
    )  # fmt: skip
    draft = redraft(pack, scene, out / "made")
    text = make(replace(draft, files=type(draft.files)(changed)), oscal)
    found: Json = json.loads(text)["assessment-results"]
    check_references(found)
    return found


def test_every_objective_is_one_of_nists_and_no_control(document: Json) -> None:
    known = set((SCHEMAS / "800-53a-objectives.txt").read_text().split())
    spoken = {objective(r, token(c["id"])) for r in load_rules() for c in controls(r)
              if c["framework"] == "nist-800-53"}  # fmt: skip
    spoken |= {o for of in OBJECTIVES.values() for o in of.values()}
    spoken |= {o for _, o in REVIEWED.values()}
    assert spoken <= known
    for rule_id, of in OBJECTIVES.items():
        mapped = {token(c["id"]) for c in controls(rule_id) if c["framework"] == "nist-800-53"}
        assert of.keys() <= mapped, rule_id
        assert all(o.startswith(f"{control}_obj") for control, o in of.items())
    told = {f["target"]["target-id"] for f in document["results"][0]["findings"]}
    assert told <= known


def test_the_token_of_a_control_is_that_of_the_data_file() -> None:
    path = REPOSITORY / "src/passmuster/policy/controls.toml"
    for control in tomllib.loads(path.read_text())["control"]:
        if control["framework"] == "nist-800-53":
            assert token(control["id"]) == control["token"]


def many(items: list[Judged], copies: int) -> Iterator[Judged]:
    """Each item *copies* times, under names of their own."""
    for copy in range(copies):
        for item in items:
            yield replace(item, uri=f"{item.uri}-{copy:09d}")


def test_it_stays_small_whatever_the_population(pack: Path, scene: Scene, tmp_path: Path) -> None:
    sizes = {}
    for copies in (150, 3000):
        draft = redraft(pack, scene, tmp_path / str(copies))
        text = make(draft, oscal, many(judged(draft), copies))
        sizes[copies] = len(text)
        made = json.loads(text)["assessment-results"]
        check_references(made)
        assert number(made, "exception-no-response") == copies
        shown = made["results"][0]["local-definitions"]["inventory-items"]
        assert len(shown) == 3 * oscal.SHOWN
        left = 3 * (copies - oscal.SHOWN)
        assert f"{left:,} exceptions more" in made["results"][0]["description"]
    assert sizes[3000] - sizes[150] < 100
    assert sizes[150] < 700_000


def test_a_second_person_who_is_missing_or_objects_is_told_and_satisfies_nothing(
    two: Scene, tmp_path: Path
) -> None:
    decide(two)
    say(two, "object", "ci-deploy")
    say(two, "concur", "vendor-etl")
    made = read(packed(two, tmp_path) / oscal.FILE)
    check_references(made)
    assert number(made, "exception-objected") == number(made, "exception-awaiting-second") == 1
    (told,) = (o for o in made["results"][0]["observations"]
               if o["title"] == "ci-deploy: approved, and a second person objects")  # fmt: skip
    assert [a["role-id"] for a in told["origins"][0]["actors"]] == ["reviewer", "second-person"]
    assert len(told["relevant-evidence"]) == 2
    (found,) = (f for f in made["results"][0]["findings"]
                if f["target"]["target-id"] == "ac-2_obj.j")  # fmt: skip
    assert found["description"] == "2 items without a decision that counts."
    events = [json.loads(line) for line in (tmp_path / "p" / ocsf.FILE).read_text().splitlines()]
    decided = [e for e in events if e["class_uid"] == 3004]
    assert [e["status"] for e in decided] == ["Not decided"] * 2
    assert decided[0]["unmapped"]["seconds"] == ["object by second@example.com"]


def test_sign_offs_beyond_the_cap_are_referenced_through_the_outcomes(
    pack: Path, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oscal, "MAX_BATCHES", 1)
    made = json.loads(make(redraft(pack, scene, tmp_path / "x"), oscal))["assessment-results"]
    check_references(made)
    titles = Counter(r["title"] for r in made["back-matter"]["resources"])
    assert titles["Signed rows"] == 1


def test_markup_of_a_stranger_is_text(pack: Path, scene: Scene, tmp_path: Path) -> None:
    text = hostile(pack, scene, tmp_path, oscal)
    made = json.loads(text)["assessment-results"]
    check_references(made)
    for key, value in pairs(made):
        if key in {"title", "description", "statement"} and isinstance(value, str):
            assert not re.search(r"<|(?<!\\)[\[\]{}]|(?<!\\)\*", value), value
        if key == "value":
            assert re.fullmatch(r"\S(.*\S)?", value)


@pytest.mark.ci
def test_the_vendored_schema_is_the_one_of_the_table() -> None:
    digest = sha256(SCHEMA.read_bytes())
    assert f"`{digest}`" in (SCHEMAS / "README.md").read_text()


@pytest.mark.ci
@pytest.mark.parametrize("case", ["small", "hostile", "unsure", "nothing"])
def test_nists_schema_and_trestle_take_it(
    pack: Path, scene: Scene, tmp_path: Path, case: str
) -> None:
    import jsonschema_rs

    match case:
        case "small":
            text = (pack / oscal.FILE).read_text()
        case "hostile":
            text = hostile(pack, scene, tmp_path, oscal)
        case "unsure":
            made = with_states(pack, scene, tmp_path, some_states(3))
            text = json.dumps({"assessment-results": made})
        case _:
            bare = with_rows(pack, tmp_path / "bare", rules=[], findings=[])
            draft = redraft(pack, scene, tmp_path / "made")
            of_keys = replace(scene.campaign, item_kind="credential", closed_at=None)
            draft = replace(draft, files=type(draft.files)(bare), campaign=of_keys)
            text = make(draft, oscal, [])
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    errors = [f"{list(e.instance_path)}: {e.message}"
              for e in validator.iter_errors(json.loads(text))]  # fmt: skip
    assert not errors
    check_references(json.loads(text)["assessment-results"])
    assert trestle(tmp_path, text) == 0


@pytest.mark.ci
@pytest.mark.parametrize("damage", ["uuid", "state", "empty", "twice"])
def test_the_validators_are_awake(pack: Path, tmp_path: Path, damage: str) -> None:
    whole = json.loads((pack / oscal.FILE).read_text())
    result = whole["assessment-results"]["results"][0]
    match damage:
        case "uuid":
            result["uuid"] = "0197b0a0-0000-7000-8000-000000000001"
        case "state":
            result["findings"][0]["target"]["status"]["state"] = "fine"
        case "empty":
            result["risks"] = []
        case _:
            result["observations"][1]["uuid"] = result["observations"][0]["uuid"]
    import jsonschema_rs

    schema = json.loads(SCHEMA.read_text())
    assert jsonschema_rs.is_valid(schema, whole) == (damage == "twice")
    assert trestle(tmp_path, json.dumps(whole)) != 0


def trestle(folder: Path, text: str) -> int:
    """The exit code of `trestle validate` on the document, in a workspace of its own."""
    work = folder / "trestle"
    at = work / "assessment-results" / "review"
    (work / ".trestle").mkdir(parents=True)
    at.mkdir(parents=True)
    (work / ".trestle" / "config.ini").write_text("")
    (at / "assessment-results.json").write_text(text)
    done = subprocess.run(
        ["trestle", "validate", "-f", str(at / "assessment-results.json")], cwd=work,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(done.stdout, done.stderr)
    return done.returncode
