"""A pack under a two-person rule: our check and the stock tools come to the same, and to nothing
standing that nobody concurred with.
"""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from passmuster import attestations, campaigns, evidence, merkle
from passmuster.campaigns import _countersigning
from passmuster.errors import VerificationFailed
from passmuster.evidence import _check, _walk
from passmuster.evidence._files import Memory
from passmuster.evidence._tables import OUTCOME_COLUMNS, SECOND_COLUMNS
from passmuster.keys import SigningKey
from passmuster.model import Attention, SecondDraft, SecondVerdict
from passmuster.store import Database
from passmuster.text import canonical, sha256
from tests.evidence.conftest import read
from tests.evidence.test_attacks import chain, payload_of, put, seal, set_chain
from tests.evidence.test_stock_tools import MISSING, Stock, stock
from tests.once import once
from tests.scene import END, LATER, SECOND, Scene, again, bring_in, draft, key, open_scene

THIRD = "Third@Example.com"
THIRD_KEY = key(THIRD, 7)
NAMES = ("ci-deploy", "=cmd|'/c calc'!A1", "vendor-etl")
__all__ = ["stock"]
needs_tools = pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}")


@pytest.fixture
def two(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A review in which every item needs two persons."""
    who = (SECOND, THIRD)
    once(db, ("open", *who, "all"),
         lambda: open_scene(db, tmp_path, monkeypatch, second=who, when="all"))  # fmt: skip
    return again(db, tmp_path, monkeypatch)


def decide(scene: Scene, verdict: str = "approve", *names: str, **more: object) -> None:
    for name in names or NAMES:
        campaigns.save_draft(scene.db, scene.item(name), draft(verdict, "so", **more), LATER)
    scene.sign(scene.rev)


def say(scene: Scene, verdict: SecondVerdict, *names: str, third: bool = False) -> None:
    who = THIRD_KEY if third else scene.second
    words = SecondDraft(verdict, None, "=looked", Attention(None, LATER, False))
    ids = [scene.item(name) for name in names or NAMES]
    campaigns.save_seconds(scene.db, ids, words, LATER, who.principal)
    scene.sign(who)


def packed(scene: Scene, tmp_path: Path, *, close: bool = True) -> Path:
    if close:
        campaigns.close(scene.db, scene.campaign, scene.boss, END, leave_waiting=True)
        scene.campaign = campaigns.campaign(scene.db, scene.campaign.name)
    evidence.build_pack(scene.db, scene.campaign, tmp_path / "p", scene.boss, END)
    return tmp_path / "p"


A, B, C = NAMES


def _mixed(scene: Scene) -> None:
    """One of each: it stands, is objected to, waits."""
    decide(scene, "approve", A, until="2027-03-31")
    decide(scene, "approve", B, C)
    say(scene, "concur", A)
    say(scene, "object", B)


def _superseded(scene: Scene) -> None:
    decide(scene)
    say(scene, "concur")
    decide(scene, "approve", A)
    decide(scene, "disable", B)


def _stopped(scene: Scene) -> None:
    decide(scene, "revoke", A)
    decide(scene, "abstain", B)
    say(scene, "object", A)


def _changed_minds(scene: Scene) -> None:
    decide(scene)
    say(scene, "object", A, B)
    say(scene, "concur", A, C, third=True)
    say(scene, "concur", A)


def _handed_over(scene: Scene) -> None:
    """The second person decides one; a third concurs with both who approved it."""
    decide(scene, "approve", A, B)
    own = [scene.item(A), scene.item(B)]
    campaigns.save_own(scene.db, own, SECOND, None, LATER, reassign=True)
    scene.sign(scene.rev)
    for item in own:
        campaigns.save_draft(scene.db, item, draft("approve", "too"), LATER)
    scene.sign(scene.second)
    say(scene, "concur", A, B, third=True)
    say(scene, "concur", A, third=True)


SCENES: dict[Callable[[Scene], None], dict[str, str]] = {
    _mixed: {A: "stands_until", B: "objected", C: "awaiting_second"},
    _superseded: {A: "awaiting_second", B: "stops", C: "stands"},
    _stopped: {A: "stops", B: "abstained", C: "no_response"},
    _changed_minds: {A: "stands", B: "objected", C: "stands"},
    _handed_over: {A: "stands", B: "awaiting_second", C: "no_response"},
}


@pytest.mark.parametrize(
    ("play", "ended"), SCENES.items(), ids=lambda v: getattr(v, "__name__", "")
)
def test_workspace_and_pack_come_to_the_same(
    two: Scene, folder: Path, tmp_path: Path, play: Callable[[Scene], None], ended: dict[str, str]
) -> None:
    play(two)
    by_uri = campaigns.outcomes_of(two.db, two.campaign)
    uris = {n: two.db.value("SELECT uri FROM item WHERE id = ?", (two.item(n),)) for n in NAMES}
    assert {n: by_uri[uris[n]].effect for n in NAMES} == ended
    pack = packed(two, tmp_path)
    report = evidence.verify(pack)
    assert sum(report.outcomes.values()) == 3
    rows = [json.loads(line) for line in (pack / "outcomes.jsonl").read_text().splitlines()]
    assert {r["item"]: r["effect"] for r in rows} == {uris[n]: ended[n] for n in NAMES}
    for row in rows:
        assert row["seconds"] == list(by_uri[row["item"]].seconds)
    assert evidence.verify(folder).kind == "workspace"


@pytest.mark.ci
@pytest.mark.parametrize("play", SCENES, ids=lambda play: play.__name__)
@needs_tools
def test_stock_tools_come_to_the_same(
    two: Scene, tmp_path: Path, stock: Stock, play: Callable[[Scene], None]
) -> None:
    """They work the outcomes out by themselves and compare: a pack that differs is refused."""
    play(two)
    done = stock(packed(two, tmp_path))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    for effect in set(SCENES[play].values()):
        assert f"outcome    {effect} " in done.stdout


@pytest.fixture
def forbidden(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Concurrences of who may not, signed by a program of their own: an owner, somebody who was
    not named, and who decided it.
    """
    bring_in(db, tmp_path, monkeypatch)
    with db.atomic():
        db.execute("UPDATE owner SET handle = ?", (THIRD.upper(),))
    scene = open_scene(db, tmp_path, monkeypatch, second=(SECOND, THIRD), when="all")
    decide(scene, "approve", A, C)
    campaigns.save_own(db, [scene.item(B)], SECOND, None, LATER, reassign=True)
    scene.sign(scene.rev)
    campaigns.save_draft(db, scene.item(B), draft("approve", "mine"), LATER)
    scene.sign(scene.second)
    for name, who in ((A, THIRD_KEY), (C, scene.boss), (B, scene.second)):
        _say_anyway(scene, scene.item(name), who, monkeypatch)
    return scene


def test_what_people_signed_who_may_not_counts_for_nothing_here_and_in_a_pack(
    forbidden: Scene, tmp_path: Path
) -> None:
    effects = {o.effect for o in campaigns.outcomes_of(forbidden.db, forbidden.campaign).values()}
    assert effects == {"awaiting_second"}
    report = evidence.verify(packed(forbidden, tmp_path))
    assert report.outcomes == {"awaiting_second": 3}
    assert any("3 rows are by people who were not asked" in note for note in report.notes)


@pytest.mark.ci
@needs_tools
def test_what_people_signed_who_may_not_counts_for_nothing_to_stock_tools(
    forbidden: Scene, tmp_path: Path, stock: Stock
) -> None:
    done = stock(packed(forbidden, tmp_path))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "awaiting_second 3" in done.stdout


def _say_anyway(scene: Scene, item: int, who: SigningKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A concurrence of *who* with the newest row on the item, past every check."""
    heed = json.dumps(Attention(None, LATER, False)._asdict())
    with scene.db.atomic():
        scene.db.execute(
            "INSERT INTO second_draft SELECT leaf, ?, item_id, 'concur', NULL, '', ?, NULL, ?"
            " FROM decision WHERE item_id = ? ORDER BY entry_id DESC LIMIT 1",
            (who.principal.lower(), heed, LATER, item),
        )
    with monkeypatch.context() as patch:
        patch.setattr(_countersigning, "MINE", "1")
        patch.setattr(_countersigning, "refuse_unless_second", lambda *_: None)
        scene.sign(who)


def test_the_table_names_the_second_persons(two: Scene, tmp_path: Path) -> None:
    _mixed(two)
    pack = packed(two, tmp_path, close=False)
    table = list(csv.DictReader(io.StringIO((pack / "outcomes.csv").read_text())))
    assert tuple(table[0]) == OUTCOME_COLUMNS + SECOND_COLUMNS
    said = [(r["needs_second"], r["second"], r["second_verdict"], r["second_reason"])
            for r in table]  # fmt: skip
    assert said == [
        ("yes", SECOND, "concur", "'=looked"), ("yes", SECOND, "object", "'=looked"),
        ("yes", "", "", ""),
    ]  # fmt: skip


# attacks by somebody who holds the key that seals


@pytest.fixture
def content(two: Scene, tmp_path: Path) -> dict[str, bytes]:
    """A pack, still open, in which one approval stands by a concurrence."""
    decide(two, "approve", A)
    say(two, "concur", A)
    return read(packed(two, tmp_path, close=False))


FOLDER = "countersign"


def folder_of(content: dict[str, bytes], kind: str) -> str:
    return next(n for n in sorted(content) if f"-{kind}/" in n).rsplit("/", 1)[0]


def refused(content: dict[str, bytes], why: str) -> None:
    with pytest.raises(VerificationFailed, match=why):
        _check.check(Memory(content))


def test_the_pack_itself_verifies(content: dict[str, bytes]) -> None:
    assert _check.check(Memory(content)).outcomes == {"no_response": 2, "stands": 1}


@pytest.mark.parametrize("kind", [FOLDER, "decisions"])
def test_a_dropped_statement_is_not_passed_over(
    content: dict[str, bytes], two: Scene, kind: str
) -> None:
    """Not even by the sealer, who says that it belongs to another review."""
    folder = folder_of(content, kind)
    left = {n: d for n, d in content.items() if not n.startswith(f"{folder}/")}
    set_chain(left, [[*r[:6], "-"] if r[6] == folder else r for r in chain(left)])
    body = payload_of(content, "pack")["predicate"]
    seal(left, two.boss, statements=body["statements"] - 1,
         namedByDigestOnly=body["namedByDigestOnly"] + 1)  # fmt: skip
    refused(left, "outcomes.jsonl|has no such row")


def test_a_dropped_row_is_not_passed_over(content: dict[str, bytes], two: Scene) -> None:
    name = f"{folder_of(content, FOLDER)}/countersignatures.jsonl"
    content[name] = b""
    refused(seal(content, two.boss), "is not the file that was signed")


def resigned(
    content: dict[str, bytes], two: Scene, change: Callable[[dict[str, object]], None]
) -> dict[str, bytes]:
    """The pack as if the second person had signed a row that *change* made."""
    folder = folder_of(content, FOLDER)
    name = f"{folder}/countersignatures.jsonl"
    row = json.loads(content[name])
    change(row)
    content[name] = canonical(row) + b"\n"
    body = payload_of(content, folder)
    body["subject"][0]["digest"]["sha256"] = sha256(content[name])
    body["predicate"]["root"] = merkle.root([canonical(row)])
    digest = put(content, folder, canonical(body), two.second)
    rows = chain(content)
    rows[-1][4] = digest
    set_chain(content, rows)
    return seal(content, two.boss, prev=digest)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"verdict": "approve"}, "no verdict 'approve' of a second person"),
        ({"capacity": "reviewer"}, "of a second person"),
        ({"more": 1}, "other fields"),
        ({"row": "0" * 64}, "has no such row"),
        ({"row": None}, "has no such row"),
        ({"dossier": "0" * 64}, r"other evidence \(dossier\)"),
        ({"material": "0" * 64}, r"other evidence \(material\)"),
        ({"item": "muster:testbed:t1/identity/u9"}, r"outcomes.jsonl|is no item"),
        ({"verdict": "object"}, "outcomes.jsonl"),
    ],
)
def test_a_row_of_another_form_or_on_something_else_is_refused(
    content: dict[str, bytes], two: Scene, change: dict[str, object], why: str
) -> None:
    refused(resigned(content, two, lambda row: row.update(change)), why)


@pytest.mark.ci
@needs_tools
@pytest.mark.parametrize(
    "change", [{"verdict": "approve"}, {"row": "0" * 64}, {"dossier": "0" * 64},
               {"verdict": "object"}],
)  # fmt: skip
def test_the_stock_tools_refuse_it_too(
    content: dict[str, bytes], two: Scene, stock: Stock, tmp_path: Path, change: dict[str, object]
) -> None:
    for name, data in resigned(content, two, lambda row: row.update(change)).items():
        (tmp_path / "p" / name).write_bytes(data)
    assert stock(tmp_path / "p").returncode == 1


def test_a_rule_that_the_definition_has_otherwise_is_refused(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody opens a review whose statement names another second person than its definition."""
    real = attestations.statement

    def other(kind: str, *rest: object) -> bytes:
        if kind == "campaign":
            rest = (*rest[:-1], json.loads(json.dumps(rest[-1]).replace("all", "privileged")))
        return real(kind, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(attestations, "statement", other)
        scene = open_scene(db, tmp_path, monkeypatch, second=(SECOND,), when="all")
    pack = packed(scene, tmp_path, close=False)
    refused(read(pack), "has another two-person rule")


def test_a_countersignature_where_no_rule_asks_for_one_is_refused(
    content: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(content, "campaign")
    batches = [
        _walk.Batch(7, kind, who, f"{folder_of(content, kind)}/{name}.jsonl", who)
        for kind, who, name in (("decisions", "rev@example.com", "decisions"),
                                (FOLDER, SECOND, "countersignatures"))
    ]  # fmt: skip
    with pytest.raises(VerificationFailed, match="needs no second person"):
        list(_walk.walk(Memory(content), folder, batches, None))
