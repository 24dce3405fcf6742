"""What was let in rightly and fell later is void: the pack holds, and it counts for nothing.

And by when a statement was there, as witnesses in a pack prove it.
"""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from passmuster import attestations, campaigns, evidence, policy, roster, tlog
from passmuster.config import Settings
from passmuster.errors import VerificationFailed
from passmuster.evidence import _check
from passmuster.evidence._files import Memory
from passmuster.note import VerifierKey
from passmuster.store import Database
from tests.conftest import Muster
from tests.evidence.conftest import other_db, read
from tests.evidence.test_attacks import payload_of, seal_files
from tests.evidence.test_rosters import CHAIN, OURS_AND_STOCK, change, line, persons
from tests.evidence.test_stock_tools import blocks, stock, write
from tests.scene import BOSS, END, LATER, NOW, REV, SECOND, Scene, draft, freeze_chance, key
from tests.scene import open_scene as open_review

__all__ = ["other_db", "stock"]
EARLY, STOLEN = "2026-11-23T10:00:00Z", "2026-11-24T09:00:00Z"
TOLD = "2026-11-25T08:00:00Z"
WITNESS, OTHER = key("wit@example.com", 40), key("other@example.com", 41)
ITEM = "ci-deploy"


@pytest.fixture
def team(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Rev approved an item early and stops it late; so at least the log says."""
    freeze_chance(db, monkeypatch)
    boss = key(BOSS, 1)
    tlog.enrol(db, boss, NOW)
    first = roster.Person(BOSS, "person", ("owner", "registrar"))
    made = roster.first(db, first, line(boss), NOW, CHAIN)
    tlog.append_roster(db, roster.signed(db, made, boss), NOW)
    people = persons((BOSS, "registrar owner"), (REV, "reviewer"), (SECOND, "reviewer"))
    change(db, boss, people=people, lines=(line(boss), line(key(REV, 2)), line(key(SECOND, 3))))
    return open_review(db, tmp_path, monkeypatch)


def decide(scene: Scene, verdict: str, at: str) -> None:
    campaigns.save_draft(scene.db, scene.item(ITEM), draft(verdict, "so"), at)
    scene.sign(scene.rev, at)


def tell(scene: Scene, stolen: str = STOLEN, at: str = TOLD) -> None:
    """The registrars say since when Rev's key is a thief's."""
    now = roster.current(scene.db)
    assert now is not None
    change(scene.db, scene.boss, at=at, lines=roster.ended(now, REV, stolen))
    campaigns.reopen(scene.db)


def effect(scene: Scene) -> str:
    uri = scene.db.value("SELECT uri FROM item WHERE id = ?", (scene.item(ITEM),))
    return campaigns.outcomes_of(scene.db, scene.campaign)[uri].effect


def seen(scene: Scene, other: Database, at: str, name: str = "auditor.example/w1",
         who: object = WITNESS) -> VerifierKey:  # fmt: skip
    """A witness cosigns the log as it is."""
    tlog.enrol(other, who, NOW)  # type: ignore[arg-type]
    vkey = tlog.cosigner(other, who.public, name)  # type: ignore[attr-defined]
    tlog.checkpoint(scene.db, scene.boss, at)
    asked = tlog.request(scene.db, vkey, at)
    log_key = tlog.key_forms(scene.boss.public, tlog.origin(scene.db))[0]
    answer = tlog.cosign(other, asked.encode(), who, at, log_key)  # type: ignore[arg-type]
    tlog.cosigned(scene.db, answer.body.encode())
    return vkey


def packed(scene: Scene, tmp_path: Path, *, close: bool = True) -> Path:
    if close:
        scene.close()
    evidence.build_pack(scene.db, scene.campaign, tmp_path / "p", scene.boss, END)
    return tmp_path / "p"


def read_as(pack: Path) -> str:
    rows = map(json.loads, (pack / "outcomes.jsonl").read_text().splitlines())
    return str(next(r["effect"] for r in rows if r["item"].endswith("/u1")))


def agree(request: pytest.FixtureRequest, pack: Path, *, stock_tools: bool, void: int = 0) -> None:
    if stock_tools:
        done = request.getfixturevalue("stock")(pack)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert done.stdout.count("it holds, and counts for nothing") == void


@OURS_AND_STOCK
def test_a_decision_of_a_thief_is_void_and_the_pack_holds(
    team: Scene, folder: Path, tmp_path: Path, request: pytest.FixtureRequest, stock_tools: bool
) -> None:
    """The earlier decision counts again, in the workspace and in the pack."""
    decide(team, "approve", EARLY)
    decide(team, "revoke", LATER)
    assert effect(team) == "stops"
    tell(team)
    assert effect(team) == "stands"
    pack = packed(team, tmp_path)
    report = evidence.verify(pack)
    assert read_as(pack) == "stands"
    (void,) = report.void
    assert (void["principal"], void["kind"]) == (REV, "decisions")
    assert f"until {STOLEN}, not at {LATER}" in void["why"]
    assert report.lines()[0].startswith("verified, 1 statement void: ")
    assert any(f"void      {void['statement']}" in text for text in report.lines())
    (row,) = csv.DictReader((pack / "void.csv").read_text().splitlines())
    assert (row["statement"], row["signed_by"]) == (void["statement"], REV)
    page = (pack / "report.html").read_text()
    assert "1 signed statement void" in page
    assert void["statement"] in page
    assert evidence.verify(folder).void[0]["why"] == void["why"]
    agree(request, pack, stock_tools=stock_tools, void=1)


def test_a_void_statement_is_told_where_the_log_is_read_and_the_pack_is_checked(
    team: Scene, tmp_path: Path, inside: Muster
) -> None:
    decide(team, "approve", LATER)
    tell(team)
    ((entry, why),) = tlog.voids(team.db).items()
    found = tlog.look_up(team.db, entry)
    assert (found.wrong, found.void) == ("", why)
    told = inside("verify", str(packed(team, tmp_path))).stdout
    assert told.startswith("verified, 1 statement void: pack, ")
    with team.db.atomic():
        team.db.execute("DELETE FROM void_entry")
    with pytest.raises(VerificationFailed, match="table of what is void"):
        tlog.check(team.db)
    tlog.rebuild(team.db)
    assert tlog.check(team.db) == tlog.size(team.db)


def test_an_item_whose_only_decision_is_void_is_open_again(team: Scene, tmp_path: Path) -> None:
    decide(team, "approve", LATER)
    tell(team)
    state = team.db.value("SELECT state FROM item WHERE id = ?", (team.item(ITEM),))
    assert (state, effect(team)) == ("open", "no_response")
    assert read_as(packed(team, tmp_path)) == "no_response"
    assert evidence.verify(tmp_path / "p").outcomes == {"no_response": 3}


def test_an_item_that_a_thief_handed_over_is_its_reviewers_again(
    team: Scene, tmp_path: Path
) -> None:
    """What the one decided who was given it by a thief counts for nothing either."""
    item = team.item(ITEM)
    campaigns.save_own(team.db, [item], SECOND, None, LATER, reassign=True)
    team.sign(team.rev)
    campaigns.save_draft(team.db, item, draft("approve", "mine"), LATER)
    team.sign(team.second)
    assert effect(team) == "stands"
    tell(team)
    assert effect(team) == "no_response"
    who = team.db.one("SELECT reviewer, state FROM item WHERE id = ?", (item,))
    assert tuple(who) == (REV, "open")
    assert read_as(packed(team, tmp_path)) == "no_response"
    assert evidence.verify(tmp_path / "p").void[0]["kind"] == "own"


@OURS_AND_STOCK
def test_a_theft_that_is_told_after_the_end_leaves_the_end_as_it_was(
    team: Scene, tmp_path: Path, request: pytest.FixtureRequest, stock_tools: bool
) -> None:
    decide(team, "approve", LATER)
    team.close()
    tell(team, at=END)
    assert effect(team) == "no_response"
    pack = packed(team, tmp_path, close=False)
    report = evidence.verify(pack)
    assert (report.outcomes, len(report.void)) == ({"no_response": 3}, 1)
    assert any("signs the outcomes of then" in note for note in report.notes)
    agree(request, pack, stock_tools=stock_tools, void=1)


@OURS_AND_STOCK
def test_what_a_witness_saw_only_after_the_theft_is_void_whatever_it_claims(
    team: Scene, other_db: Database, tmp_path: Path, request: pytest.FixtureRequest,
    stock_tools: bool,
) -> None:  # fmt: skip
    """The thief claims an hour before the theft; the witness came after it."""
    seen(team, other_db, EARLY)
    decide(team, "approve", EARLY)
    vkey = seen(team, other_db, LATER)
    assert effect(team) == "stands"
    tell(team)
    assert effect(team) == "no_response"
    pack = packed(team, tmp_path)
    assert evidence.verify(pack).outcomes == {"no_response": 3}
    report = evidence.verify(pack, None, None, (vkey,))
    assert f"not at {LATER}" in report.void[0]["why"]
    at = {one["statement"].partition("-")[2]: one["at"] for one in report.proven}
    assert at["campaign"] == EARLY
    assert at["decisions"] == LATER
    assert {one["by"] for one in report.proven} == {"witness auditor.example/w1"}
    agree(request, pack, stock_tools=stock_tools, void=1)
    if stock_tools:
        (tmp_path / "keys of witnesses").write_text(f"{vkey}\n")
        script = f"WITNESSES='{tmp_path}/keys of witnesses'\n" + blocks(pack)
        done = request.getfixturevalue("stock")(pack, script)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert f"proven     {len(report.proven)} statements" in done.stdout


def test_only_the_witness_that_is_named_proves_a_time(
    team: Scene, other_db: Database, tmp_path: Path, inside: Muster
) -> None:
    decide(team, "approve", LATER)
    vkey = seen(team, other_db, TOLD)
    pack = packed(team, tmp_path)
    assert evidence.verify(pack).proven == []
    report = evidence.verify(pack, None, None, (vkey,))
    there = {one["statement"] for one in report.proven}
    assert not any(name.endswith("-close") for name in there)  # it came after the witness
    assert any(name.endswith("-decisions") for name in there)
    assert any(text.startswith("proven    ") and vkey.name in text for text in report.lines())
    told = inside("verify", str(pack), "--witness", str(vkey)).stdout
    assert told.startswith("verified: pack, ")
    assert f"statements by witness {vkey.name}: there by {TOLD}" in told
    tlog.enrol(other_db, OTHER, NOW)
    stranger = tlog.cosigner(other_db, OTHER.public, "auditor.example/w1")
    report = evidence.verify(pack, None, None, (stranger,))
    assert report.proven == []
    assert any("it proves no time" in note for note in report.notes)


# somebody who holds the key that seals, and a void decision that he wants back, or a good one gone


@OURS_AND_STOCK
@pytest.mark.parametrize("stolen", [True, False])
def test_whoever_seals_neither_hides_nor_makes_up_what_is_void(
    team: Scene, tmp_path: Path, request: pytest.FixtureRequest, stolen: bool, stock_tools: bool
) -> None:
    decide(team, "approve", LATER)
    if stolen:
        tell(team)
    pack = packed(team, tmp_path, close=False)
    content = read(pack)
    folder = next(n for n in content if n.endswith("decisions.jsonl")).rpartition("/")[0]
    name = attestations.unchecked(content[f"{folder}/statement.dsse.json"]).name
    ext = payload_of(content, "pack")["predicate"]["ext"]
    assert ext == ({"void": [name]} if stolen else {})
    write(pack, seal_files(content, team.boss, ext={} if stolen else {"void": [name]}))
    why = "is void, and the pack counts it" if stolen else "is left out as void, and it is not"
    with pytest.raises(VerificationFailed, match=why):
        evidence.verify(pack)
    if stock_tools:
        assert (
            why.replace("the pack", "this folder") in request.getfixturevalue("stock")(pack).stderr
        )


def test_a_bad_signature_is_never_passed_off_as_void(team: Scene, tmp_path: Path) -> None:
    decide(team, "approve", LATER)
    tell(team)
    content = read(packed(team, tmp_path))
    folder = next(n for n in content if n.endswith("decisions.jsonl")).rpartition("/")[0]
    name = f"{folder}/statement.dsse.json"
    outer = json.loads(content[name])
    sig = outer["signatures"][0]["sig"]
    content[name] = content[name].replace(sig.encode(), (sig[:9] + "A" + sig[10:]).encode())
    with pytest.raises(VerificationFailed, match=folder):
        _check.check(Memory(seal_files(content, team.boss)))


Change = Callable[[dict[str, bytes], str], None]


def _no_proof(content: dict[str, bytes], name: str) -> None:
    content[name + ".consistency"] = b""


def _other_root(content: dict[str, bytes], name: str) -> None:
    rows = content[name + ".checkpoint"].split(b"\n")
    content[name + ".checkpoint"] = b"\n".join([*rows[:2], b"A" * 43 + b"=", *rows[3:]])


def _other_hash(content: dict[str, bytes], name: str) -> None:
    rows = content[name + ".consistency"].split(b"\n")
    content[name + ".consistency"] = b"\n".join([b"A" * 43 + b"=", *rows[1:]])


def _no_checkpoint(content: dict[str, bytes], name: str) -> None:
    del content[name + ".checkpoint"]


def _no_line(content: dict[str, bytes], name: str) -> None:
    head = content[name + ".checkpoint"].partition(b"\n\n")[0]
    content[name + ".checkpoint"] = head + b"\n\n"


@OURS_AND_STOCK
@pytest.mark.parametrize("bend", [_no_proof, _other_root, _other_hash, _no_checkpoint, _no_line])
def test_an_earlier_checkpoint_is_cosigned_and_proved_or_refused(
    team: Scene, other_db: Database, tmp_path: Path, request: pytest.FixtureRequest, bend: Change,
    stock_tools: bool,
) -> None:  # fmt: skip
    seen(team, other_db, EARLY)
    decide(team, "approve", LATER)
    seen(team, other_db, LATER)
    pack = packed(team, tmp_path)
    content = read(pack)
    names = sorted(n.partition(".")[0] for n in content if n.endswith(".consistency"))
    assert len(names) == 2
    bend(content, names[0])
    write(pack, seal_files(content, team.boss))
    with pytest.raises(VerificationFailed, match="log/cosigned/"):
        evidence.verify(pack)
    if stock_tools:
        done = request.getfixturevalue("stock")(pack)
        assert done.returncode == 1
        assert "log/cosigned/" in done.stderr, done.stderr


def test_what_a_thief_decided_is_no_review(team: Scene) -> None:
    decide(team, "approve", LATER)

    def known() -> tuple[bool, list[str], int, bool]:
        identity = team.db.value(
            "SELECT identity_id FROM item WHERE id = ?", (team.item(ITEM),)
        )  # fmt: skip
        ((_, dossier),) = campaigns.dossiers(team.db, [identity])
        policy.evaluate(team.db, Settings(), TOLD)
        overdue = team.db.value(
            "SELECT detail FROM finding WHERE rule = 'not-reviewed' AND identity_id = ?"
            " AND cleared_at IS NULL", (identity,),
        )  # fmt: skip
        reviewed = policy.rank_identities(team.db, "reviewed:<90d", TOLD)
        signed = sum(batch.items for batch in campaigns.course(team.db, team.campaign).batches)
        return (
            overdue is None, [b["verdict"] for b in dossier["before"]], signed,
            identity in reviewed,
        )  # fmt: skip

    assert known() == (True, ["approve"], 1, True)
    tell(team)
    assert known() == (False, [], 0, False)


def test_an_item_counts_from_the_first_decision_that_holds(team: Scene) -> None:
    decide(team, "approve", EARLY)
    decide(team, "revoke", LATER)

    def first() -> list[str]:
        return [batch.at for batch in campaigns.course(team.db, team.campaign).batches]

    assert first() == [EARLY]
    team.db.execute("INSERT INTO void_entry SELECT min(entry_id), 'a lost key' FROM decision")
    assert first() == [LATER]
