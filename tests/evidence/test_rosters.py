"""A pack of a team with a roster: who might sign, as our check and as stock tools see it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from passmuster import attestations, evidence, roster, tlog
from passmuster.errors import VerificationFailed
from passmuster.keys import SigningKey
from passmuster.store import Database
from passmuster.text import canonical
from tests.evidence.conftest import read
from tests.evidence.test_attacks import chain, payload_of, seal, set_chain
from tests.evidence.test_stock_tools import MISSING, stock, write
from tests.scene import BOSS, END, LATER, NOW, REV, SECOND, Scene, freeze_chance, key, open_scene
from tests.sk import NO_TOUCH, TOUCH, TOUCH_AND_PIN, Token

__all__ = ["stock"]
Stock = Callable[..., subprocess.CompletedProcess[str]]
CHAIN = "c" * 32
NEXT, AFTER = "2026-11-30T08:00:00Z", "2026-11-30T09:00:00Z"
with_tools = pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}")
OURS_AND_STOCK = pytest.mark.parametrize("stock_tools", [
    pytest.param(False, id="ours"),
    pytest.param(True, id="stock", marks=[pytest.mark.ci, with_tools]),
])  # fmt: skip
REGISTRAR = "reg@example.com"
REG = Token(21, TOUCH_AND_PIN).key(REGISTRAR)
"""A registrar with a hardware key and its PIN, in a workspace of his own: it is enrolled nowhere
here.
"""


def line(one: SigningKey, after: str = NOW) -> roster.Line:
    return roster.Line(one.principal, " ".join(one.public.split()[:2]), after)


def change(db: Database, *signers: SigningKey, at: str = NOW, **what: object) -> None:
    """The next version, signed and logged."""
    made = roster.change(db, BOSS, at, **what)  # type: ignore[arg-type]
    for one in signers:
        made = roster.signed(db, made, one)
    tlog.append_roster(db, made, at)


def persons(*given: tuple[str, str]) -> tuple[roster.Person, ...]:
    return tuple(
        roster.Person(who, "person", roster.given_roles(roles.split()), None)
        for who, roles in sorted(given)
    )


PEOPLE = persons(
    (BOSS, "registrar owner"), (REV, "reviewer"), (SECOND, "reviewer"), (REGISTRAR, "registrar")
)


@pytest.fixture
def team(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Three versions: Boss alone, then with the others and two who must sign; Second ends."""
    freeze_chance(db, monkeypatch)
    boss, rev, second = key(BOSS, 1), key(REV, 2), key(SECOND, 3)
    tlog.enrol(db, boss, NOW)
    made = roster.first(
        db, roster.Person(BOSS, "person", ("owner", "registrar")), line(boss), NOW, CHAIN
    )
    tlog.append_roster(db, roster.signed(db, made, boss), NOW)
    everyone = (line(boss), line(rev), line(second), line(REG))
    change(db, boss, REG, people=PEOPLE, lines=everyone, threshold=2, pins={REG.fingerprint})
    scene = open_scene(db, tmp_path, monkeypatch)
    scene.decide()
    now = roster.current(db)
    assert now is not None
    change(db, boss, REG, at=NEXT, lines=roster.ended(now, SECOND, NEXT))
    scene.close()
    return scene


@pytest.fixture
def packed(team: Scene, tmp_path: Path) -> Path:
    evidence.build_pack(team.db, team.campaign, tmp_path / "team", team.boss, END)
    return tmp_path / "team"


ROSTERS = [f"statements/{n:06d}-roster" for n in (2, 3, 10)]


def test_a_pack_with_rosters_verifies_and_names_the_first(packed: Path, team: Scene) -> None:
    first = roster.history(team.db)[0].name
    report = evidence.verify(packed, {"roster": first})
    assert (report.roster, report.roster_version) == (first, 3)
    assert (REGISTRAR, REG.fingerprint) in report.people
    assert any("no witness" in note for note in report.notes)
    names = {p.relative_to(packed).as_posix() for p in packed.rglob("*")}
    assert {f"{ROSTERS[1]}/allowed_signers", f"{ROSTERS[1]}/2.sshsig"} <= names
    with pytest.raises(VerificationFailed, match="not the one you gave"):
        evidence.verify(packed, {"roster": "0" * 64})
    with pytest.raises(VerificationFailed, match="not the fingerprint you gave"):
        evidence.verify(packed, {REGISTRAR: "SHA256:x"})


@pytest.mark.ci
@with_tools
def test_stock_tools_say_the_same(packed: Path, stock: Stock, team: Scene) -> None:
    done = stock(packed)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    first = roster.history(team.db)[0].name
    assert f"roster     version 3; compare the first, {first}" in done.stdout


Forge = Callable[[dict[str, bytes], Scene], None]


def _resign(content: dict[str, bytes], folder: str, *signers: SigningKey) -> None:
    """The same roster with other signatures."""
    envelope = attestations.sign(canonical(payload_of(content, folder)), *signers)
    for name in [n for n in content if n.startswith(f"{folder}/") and n.endswith(".sshsig")]:
        del content[name]
    content[f"{folder}/statement.dsse.json"] = envelope
    marks = [s for s in attestations.unchecked(envelope).signatures if s.form == "ssh"]
    for number, signature in enumerate(marks, 1):
        content[f"{folder}/{number}.sshsig"] = signature.data


def _too_few(content: dict[str, bytes], team: Scene) -> None:
    _resign(content, ROSTERS[2], team.boss)


def _one_twice(content: dict[str, bytes], team: Scene) -> None:
    """Boss signs once more under the registrar's name."""
    _resign(content, ROSTERS[2], team.boss)
    envelope = json.loads(content[f"{ROSTERS[2]}/statement.dsse.json"])
    again = [
        one | {"keyid": one["keyid"].replace(team.boss.fingerprint, REG.fingerprint)}
        for one in envelope["signatures"]
    ]
    envelope["signatures"] += again
    content[f"{ROSTERS[2]}/statement.dsse.json"] = canonical(envelope)
    content[f"{ROSTERS[2]}/2.sshsig"] = content[f"{ROSTERS[2]}/1.sshsig"]


def _no_pin(content: dict[str, bytes], team: Scene) -> None:
    _resign(content, ROSTERS[2], team.boss, Token(21, TOUCH).key(REGISTRAR))


def _no_touch(content: dict[str, bytes], team: Scene) -> None:
    _resign(content, ROSTERS[2], team.boss, Token(21, NO_TOUCH).key(REGISTRAR))


def _gone(content: dict[str, bytes], team: Scene) -> None:
    """The last version, which ends a key, is called one of another review."""
    for name in [n for n in content if n.startswith(f"{ROSTERS[2]}/")]:
        del content[name]
    rows = [[*r[:6], "-" if r[6] == ROSTERS[2] else r[6]] for r in chain(content)]
    set_chain(content, rows)
    content["roster/allowed_signers"] = content[f"{ROSTERS[1]}/allowed_signers"]


def _newest(content: dict[str, bytes], team: Scene) -> None:
    content["roster/allowed_signers"] = content[f"{ROSTERS[1]}/allowed_signers"]


def _signers(content: dict[str, bytes], team: Scene) -> None:
    name = f"{ROSTERS[2]}/allowed_signers"
    content[name] = content[name].replace(b"20261130", b"20261231")
    content["roster/allowed_signers"] = content[name]


@OURS_AND_STOCK
@pytest.mark.parametrize(("forge", "why", "stock_why"), [
    (_too_few, "signed by 1 of the 2", "too few of its own registrars"),
    (_one_twice, "000010-roster: ", "too few of its own registrars"),
    (_no_pin, "PIN", "too few of its own registrars"),
    (_no_touch, "touch", "too few of its own registrars"),
    (_gone, "roster", "not here before it"),
    (_newest, "is not that of the newest", "not that of the newest"),
    (_signers, "not the file that the roster is about", "is not the file that was signed"),
])  # fmt: skip
def test_a_forged_roster_is_caught_by_both(
    packed: Path,
    request: pytest.FixtureRequest,
    team: Scene,
    forge: Forge,
    why: str,
    stock_why: str,
    stock_tools: bool,
) -> None:
    content = read(packed)
    forge(content, team)
    gone: dict[str, object] = {}
    if forge is _gone:
        gone = {"statements": len(chain(content)) - 2, "namedByDigestOnly": 1}
    write(packed, seal(content, team.boss, **gone))
    with pytest.raises(VerificationFailed, match=why):
        evidence.verify(packed)
    if stock_tools:
        done = request.getfixturevalue("stock")(packed)
        assert done.returncode == 1
        assert stock_why in done.stderr, done.stderr


@OURS_AND_STOCK
def test_a_roster_that_only_the_seal_knew_is_missed_by_both(
    team: Scene, tmp_path: Path, request: pytest.FixtureRequest, stock_tools: bool
) -> None:
    """The sealer hides the version after the end, which ends Rev's key at an earlier day."""
    third = roster.current(team.db)
    assert third is not None
    change(team.db, team.boss, REG, at=END, lines=roster.ended(third, REV, LATER))
    pack = tmp_path / "p"
    evidence.build_pack(team.db, team.campaign, pack, team.boss, END)
    content = read(pack)
    folder = next(n for n in content if n.endswith("-roster/allowed_signers") and "12" in n)
    folder = folder.rpartition("/")[0]
    for name in [n for n in content if n.startswith(f"{folder}/")]:
        del content[name]
    set_chain(content, [[*r[:6], "-" if r[6] == folder else r[6]] for r in chain(content)])
    content["roster/allowed_signers"] = content[f"{ROSTERS[2]}/allowed_signers"]
    rows = len(chain(content)) - 2
    write(pack, seal(content, team.boss, rosterDigest=third.name, statements=rows,
                     namedByDigestOnly=1))  # fmt: skip
    with pytest.raises(VerificationFailed, match="the roster at 12 is not in the pack"):
        evidence.verify(pack)
    if stock_tools:
        assert "a roster is not here" in request.getfixturevalue("stock")(pack).stderr


def _bend(monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace whose log takes what the roster does not let in."""
    from passmuster.tlog import _entries

    monkeypatch.setattr(_entries, "_in_place", lambda *_: None)


@OURS_AND_STOCK
@pytest.mark.parametrize(("at", "why"), [
    (AFTER, "until 2026-11-30T08:00:00Z, not at 2026-11-30T09:00:00Z"),
    (LATER, "until 2026-11-30T08:00:00Z, not at 2026-11-30T08:00:01Z"),  # he claims to be earlier
])  # fmt: skip
def test_a_row_signed_after_its_key_was_stolen_is_caught_by_both(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest,
    at: str, why: str, stock_tools: bool,
) -> None:  # fmt: skip
    from passmuster import campaigns
    from tests.scene import draft

    freeze_chance(db, monkeypatch)
    boss, rev = key(BOSS, 1), key(REV, 2)
    tlog.enrol(db, boss, NOW)
    made = roster.first(
        db, roster.Person(BOSS, "person", ("owner", "registrar")), line(boss), NOW, CHAIN
    )
    tlog.append_roster(db, roster.signed(db, made, boss), NOW)
    change(db, boss, people=persons((BOSS, "registrar owner"), (REV, "reviewer")),
           lines=(line(boss), line(rev)))  # fmt: skip
    scene = open_scene(db, tmp_path, monkeypatch)
    now = roster.current(db)
    assert now is not None
    change(db, boss, at="2026-11-30T08:00:01Z", lines=roster.ended(now, REV, NEXT))
    _bend(monkeypatch)
    campaigns.save_draft(db, scene.item("ci-deploy"), draft("approve", "mine"), LATER)
    scene.sign(rev, at)
    evidence.build_pack(db, scene.campaign, tmp_path / "p", boss, END)
    with pytest.raises(VerificationFailed, match=f"decisions: .*{why}"):
        evidence.verify(tmp_path / "p")
    with pytest.raises(VerificationFailed, match=why):
        tlog.check(db)
    if stock_tools:
        done = request.getfixturevalue("stock")(tmp_path / "p")
        assert done.returncode == 1
        assert "was not good at" in done.stderr, done.stderr


@OURS_AND_STOCK
def test_an_owner_whose_key_was_rotated_by_the_roster_closes_and_seals(
    team: Scene, tmp_path: Path, request: pytest.FixtureRequest, stock_tools: bool
) -> None:
    """The close is by the old key, the seal by the new one, which only the roster knows."""
    new, now = key(BOSS, 31), roster.current(team.db)
    assert now is not None
    tlog.enrol(team.db, new, NEXT)
    lines = (*roster.ended(now, BOSS, END), line(new, NEXT))
    change(team.db, team.boss, REG, at=NEXT, lines=lines)
    evidence.build_pack(team.db, team.campaign, tmp_path / "r", new, END)
    assert evidence.verify(tmp_path / "r").roster_version == 4
    if stock_tools:
        done = request.getfixturevalue("stock")(tmp_path / "r")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr


@OURS_AND_STOCK
def test_who_lacks_the_role_is_caught_by_both(
    team: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest,
    stock_tools: bool,
) -> None:  # fmt: skip
    """Boss decides, who is no reviewer; a build that takes in what came after the end."""
    from passmuster import campaigns
    from tests.scene import draft

    _bend(monkeypatch)
    monkeypatch.setattr(campaigns, "late", lambda *_: frozenset())
    with team.db.atomic():
        team.db.execute("UPDATE campaign SET closed_at = NULL")
        team.db.execute("UPDATE item SET reviewer = ? WHERE state = 'open'", (BOSS,))
    campaigns.save_draft(team.db, team.item("vendor-etl"), draft("approve", "mine"), LATER)
    team.sign(team.boss, AFTER)
    with team.db.atomic():
        team.db.execute("UPDATE item SET reviewer = ? WHERE reviewer = ?", (REV, BOSS))
    evidence.build_pack(team.db, team.campaign, tmp_path / "p", team.boss, END)
    with pytest.raises(VerificationFailed, match="has not the role reviewer or oncall"):
        evidence.verify(tmp_path / "p")
    if stock_tools:
        done = request.getfixturevalue("stock")(tmp_path / "p")
        assert "is not on the roster in a role that a decisions statement needs" in done.stderr


@pytest.mark.ci
def test_every_byte_of_a_roster_matters(packed: Path, team: Scene) -> None:
    """The forger seals anew with the genuine key whatever was flipped."""
    from passmuster.evidence import _check
    from passmuster.evidence._files import Memory

    content, tries = read(packed), 0
    sealed = _check._seal(Memory(content), set(content), _check._claimed_keys(
        Memory(content), set(content)))  # fmt: skip
    for name in [n for n in content if n.startswith((ROSTERS[2], "roster/"))]:
        for at in range(0, len(content[name]), 31):
            bent = bytearray(content[name])
            bent[at] ^= 1
            tries += 1
            files = Memory(content | {name: bytes(bent)})
            with pytest.raises(VerificationFailed):
                _check.check_contents(files, set(content), sealed)
    print(f"\n{tries} flips in a roster, each refused")


def test_the_statements_of_a_team_stand_on_a_link_that_names_its_roster(team: Scene) -> None:
    names = [r.name for r in roster.history(team.db)]
    said = [
        attestations.unchecked(e.envelope).predicate["rosterDigest"] for e in tlog.entries(team.db)
    ]
    assert said[:3] == [None, None, names[0]]
    assert set(said[3:9]) == {names[1]}
    assert said[9:] == [names[1], names[2]]
