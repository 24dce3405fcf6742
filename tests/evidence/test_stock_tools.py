"""VERIFY.md as an auditor runs it: dash, coreutils, awk, sed, openssl, ssh-keygen, jq."""

import base64
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from passmuster import campaigns, config, evidence
from passmuster.errors import VerificationFailed
from passmuster.evidence._statements import pem
from passmuster.model import Change
from passmuster.store import Database
from passmuster.text import canonical
from tests.evidence.conftest import read
from tests.evidence.test_attacks import DECISIONS, chain, payload_of, put, seal, set_chain
from tests.scene import BOSS, END, LATER, REV, Scene, draft, key, open_scene

TOOLS = ("dash", "awk", "sed", "perl", "openssl", "ssh-keygen", "jq")
COREUTILS = (
    "base64", "cat", "comm", "cp", "cut", "date", "echo", "expr", "head", "mkdir", "mktemp", "od",
    "printf", "rm", "sha256sum", "sort", "tail", "tr", "uniq", "wc",
)  # fmt: skip
MISSING = [tool for tool in (*TOOLS, *COREUTILS) if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}")


@pytest.fixture
def stock(tmp_path: Path) -> Callable[[Path], subprocess.CompletedProcess[str]]:
    """Run the blocks of a pack's VERIFY.md, with nothing but the tools it names on the PATH."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in (*TOOLS, *COREUTILS):
        (tools / tool).symlink_to(str(shutil.which(tool)))

    def run(pack: Path, script: str | None = None) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "check.sh"
        file.write_text(script or blocks(pack))
        return subprocess.run(
            [str(tools / "dash"), "-e", str(file)], cwd=pack, capture_output=True, text=True,
            env={"PATH": str(tools), "HOME": str(tmp_path)}, timeout=120, check=False,
        )  # fmt: skip

    return run


Stock = Callable[..., subprocess.CompletedProcess[str]]


def blocks(pack: Path) -> str:
    """What the one-liner in the page takes out of it."""
    done = subprocess.run(
        ["awk", "/^```sh$/{f=1;next} /^```$/{f=0} f", "VERIFY.md"], cwd=pack, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    return done.stdout


def write(pack: Path, content: dict[str, bytes]) -> None:
    shutil.rmtree(pack)
    for name, data in content.items():
        (pack / name).parent.mkdir(parents=True, exist_ok=True)
        (pack / name).write_bytes(data)


@pytest.mark.ci
def test_a_genuine_pack_verifies(pack: Path, stock: Stock, scene: Scene) -> None:
    before = read(pack)
    started = time.monotonic()
    done = stock(pack)
    print(f"\nthe stock check took {time.monotonic() - started:.1f} s")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.splitlines()[-1] == "VERIFIED"
    assert scene.rev.fingerprint in done.stdout
    assert "stops 1" in done.stdout
    assert read(pack) == before


@pytest.mark.ci
def test_what_management_adds_verifies_and_its_damage_is_caught(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stock: Stock
) -> None:
    analysis = tmp_path / "why quarterly.txt"
    analysis.write_text("because\n")
    scene = open_scene(db, tmp_path, monkeypatch)
    wanted = campaigns.Definition("Next", "2026-12-31", REV, risk_analysis=analysis)
    campaigns.open_campaign(db, wanted, scene.boss, config.Settings(), END)
    scene.campaign = campaigns.campaign(db, "Next")
    scene.close()
    campaigns.acknowledge(db, scene.campaign, "CEO", "Seen.", key("ceo@example.com", 30), END)
    pack = tmp_path / "pack"
    evidence.build_pack(db, scene.campaign, pack, scene.boss, END)
    assert "VERIFIED" in stock(pack).stdout
    content = read(pack)
    write(pack, seal(dict(content) | {"frequency/why_quarterly.txt": b"never\n"}, scene.boss))
    assert "risk analysis" in stock(pack).stderr
    (folder,) = {n.rsplit("/", 1)[0] for n in content if "-acknowledgement/" in n}
    payload = payload_of(content, folder)
    payload["subject"][0]["digest"]["sha256"] = "0" * 64
    put(content, folder, canonical(payload), key("ceo@example.com", 30))
    write(pack, seal(content, scene.boss))
    assert "acknowledges another end" in stock(pack).stderr


@pytest.mark.ci
def test_a_pack_with_gaps_and_without_an_end_verifies(
    scene: Scene, stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    winter = open_scene(scene.db, tmp_path, monkeypatch, name="Winter `x` {{people}}")
    evidence.build_pack(winter.db, winter.campaign, tmp_path / "w", winter.boss, END)
    done = stock(tmp_path / "w")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "gaps       7" in done.stdout
    assert "closed     not yet" in done.stdout


NASTY = "\x7f \\u007f \u2028 \U0001f511 é \"quoted\" \ttab </script> 'x' $(id) `id` | \\ %s"


@pytest.mark.ci
@pytest.mark.parametrize("of", campaigns.ITEM_KINDS)
def test_every_kind_of_item_with_nasty_words_verifies(
    db: Database, stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    """And the reviewer writes her address with capitals."""
    scene = open_scene(db, tmp_path, monkeypatch, of=of, rev="Rev@Example.com")
    items = [row[0] for row in db.execute("SELECT id FROM item ORDER BY id")]
    campaigns.save_draft(db, items[0], draft("revoke", NASTY), LATER)
    campaigns.save_own(db, [items[0]], "x@example.com", NASTY, LATER)
    scene.sign(scene.rev)
    scene.close()
    evidence.build_pack(db, scene.campaign, tmp_path / "p", scene.boss, END)
    report = evidence.verify(tmp_path / "p", {"rev@example.com": scene.rev.fingerprint})
    assert report.outcomes["stops"] == 1
    done = stock(tmp_path / "p")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@pytest.mark.ci
def test_damage_to_each_file_is_caught(pack: Path, stock: Stock) -> None:
    """A flip in each; the coarser kinds, which sha256sum tells as well, in one of each folder."""
    script, content, missed, tries = blocks(pack), read(pack), [], 0
    folders = set()
    for name, data in content.items():
        middle = len(data) // 2
        damaged = [data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]]
        if Path(name).parent.name.lstrip("0123456789-") not in folders:
            folders.add(Path(name).parent.name.lstrip("0123456789-"))
            damaged += [data[:-1], data + b"\n"]
        for changed in damaged:
            (pack / name).write_bytes(changed)
            tries += 1
            if stock(pack, script).returncode == 0:
                missed.append(f"{name} {len(changed) - len(data)}")
        if len(damaged) > 1:
            (pack / name).unlink()
            tries += 1
            if stock(pack, script).returncode == 0:
                missed.append(f"{name} deleted")
        (pack / name).write_bytes(data)
    assert not missed
    print(f"\n{tries} damaged packs, each refused by the stock tools")


@pytest.mark.parametrize("name", ["added", ".hidden", "pack/added", "statements/x", "..more"])
def test_an_added_file_is_caught(pack: Path, stock: Stock, name: str) -> None:
    (pack / name).write_bytes(b"")
    done = stock(pack)
    assert done.returncode == 1
    assert "does not list" in done.stderr


def test_an_added_link_is_caught(pack: Path, stock: Stock) -> None:
    (pack / "link").symlink_to("statements")
    assert stock(pack).returncode == 1


Forge = Callable[[dict[str, bytes], Scene], None]


def _outcome(content: dict[str, bytes], scene: Scene) -> None:
    content["outcomes.jsonl"] = content["outcomes.jsonl"].replace(b'"no_response"', b'"stands"')


def _assignment(content: dict[str, bytes], scene: Scene) -> None:
    name = "statements/000004-campaign/assignments.jsonl"
    content[name] = content[name].replace(b"rev@", b"boss@")


def _dossier(content: dict[str, bytes], scene: Scene) -> None:
    name = "statements/000004-campaign/dossiers.jsonl"
    content[name] = content[name].replace(b"ci-deploy", b"ci-deplox")


def _row(content: dict[str, bytes], scene: Scene) -> None:
    name = f"{DECISIONS}/decisions.jsonl"
    content[name] = content[name].replace(b"in use", b"unused")


def _stranger(content: dict[str, bytes], scene: Scene) -> None:
    from passmuster.text import canonical

    stranger = key(REV, 99)
    put(content, DECISIONS, canonical(payload_of(content, DECISIONS)), stranger)
    content["keys/4.pub"] = f"{stranger.public}\n".encode()
    content["keys/4.pem"] = pem(stranger.public)
    content["keys/principals.tsv"] += (
        f"4\t{REV}\t{stranger.fingerprint}\tstatements/000002-enrolment\n".encode()
    )


def _left_out(content: dict[str, bytes], scene: Scene) -> None:
    folder = "statements/000007-decisions"
    for name in [n for n in content if n.startswith(f"{folder}/")]:
        del content[name]
    set_chain(content, [[*r[:6], "-" if r[6] == folder else r[6]] for r in chain(content)])


def _reordered(content: dict[str, bytes], scene: Scene) -> None:
    rows = chain(content)
    rows[5], rows[6] = rows[6], rows[5]
    set_chain(content, rows)


def _pem(content: dict[str, bytes], scene: Scene) -> None:
    content["keys/1.pem"] = content["keys/2.pem"]


def _duplicate(content: dict[str, bytes], scene: Scene) -> None:
    """jq takes the last of two; the canonical form has one."""
    content["findings.jsonl"] += b'{"rule":"a","rule":"b"}\n'


def _rule(content: dict[str, bytes], scene: Scene) -> None:
    name = next(n for n in content if n.startswith("rules/"))
    content[name] += b"-- more\n"


def _raw(content: dict[str, bytes], scene: Scene) -> None:
    name = next(n for n in content if n.startswith("raw/"))
    content[name] += b"more\n"


def _signature(content: dict[str, bytes], scene: Scene) -> None:
    """The statement is the genuine one; its signature is nobody's."""
    name = f"{DECISIONS}/statement"
    old = content[f"{name}.sig"]
    new = old[:-1] + bytes([old[-1] ^ 1])
    content[f"{name}.sig"] = new
    content[f"{name}.dsse.json"] = content[f"{name}.dsse.json"].replace(
        base64.b64encode(old), base64.b64encode(new)
    )


def _another_persons_key(content: dict[str, bytes], scene: Scene) -> None:
    from passmuster.text import canonical

    put(content, DECISIONS, canonical(payload_of(content, DECISIONS)), scene.second)


@pytest.mark.ci
@pytest.mark.parametrize(("forge", "why"), [
    (_signature, "statements/000005-decisions: the signature does not match"),
    (_another_persons_key, "is not enrolled for rev@example.com"),
    (_outcome, "not what the signed rows come to"),
    (_assignment, "assignments.jsonl is not the file that was signed"),
    (_dossier, "dossiers.jsonl is not the file that was signed"),
    (_row, "decisions.jsonl is not the file that was signed"),
    (_stranger, "not the key that was enrolled"),
    (_left_out, "number of"),
    (_reordered, "chain.tsv is not what the statements say"),
    (_pem, "another key than"),
    (_duplicate, "not canonical"),
    (_rule, "a rule is not the one that was run"),
    (_raw, "original file"),
])  # fmt: skip
def test_whoever_holds_the_sealing_key_is_caught(
    pack: Path, stock: Stock, scene: Scene, forge: Forge, why: str
) -> None:
    """The forger has changed a file and sealed the folder anew with the genuine key."""
    content = read(pack)
    forge(content, scene)
    write(pack, seal(content, scene.boss))
    done = stock(pack)
    assert done.returncode == 1
    assert why in done.stderr, done.stderr


@pytest.mark.ci
def test_a_folder_that_another_than_the_opener_sealed_is_caught(
    pack: Path, stock: Stock, scene: Scene
) -> None:
    write(pack, seal(read(pack), scene.rev, principal=REV))
    done = stock(pack)
    assert done.returncode == 1
    assert "another key than the review was opened with" in done.stderr


@pytest.mark.ci
def test_a_stop_in_whose_place_another_statement_is_named_is_caught(
    pack: Path, stock: Stock, scene: Scene
) -> None:
    """All numbers are made to fit; but the next statement names the one that was there."""
    content = read(pack)
    _left_out(content, scene)
    rows = chain(content)
    rows[7][4] = "0" * 64
    set_chain(content, rows)
    write(pack, seal(content, scene.boss, statements=7, namedByDigestOnly=1))
    done = stock(pack)
    assert done.returncode == 1
    assert "chain.tsv: a statement is missing or out of order" in done.stderr


@pytest.mark.ci
def test_what_was_signed_after_the_end_is_caught(
    scene: Scene, stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workspace that was bent to take it, and a build that takes it in; the outcomes stay the
    same, so no number tells.
    """
    again = draft("approve", "said again", changes=(Change("revoke", "u1-key"),),
                  until="2027-03-31")  # fmt: skip
    with scene.db.atomic():
        scene.db.execute("UPDATE campaign SET closed_at = NULL")
    campaigns.save_draft(scene.db, scene.item("ci-deploy"), again, LATER)
    scene.sign(scene.rev)
    with scene.db.atomic():
        scene.db.execute("UPDATE campaign SET closed_at = ?", (END,))
    evidence.build_pack(scene.db, scene.campaign, tmp_path / "left-out", scene.boss, END)
    assert evidence.verify(tmp_path / "left-out").gaps == 1
    monkeypatch.setattr(campaigns, "late", lambda *_: frozenset())
    evidence.build_pack(scene.db, scene.campaign, tmp_path / "late", scene.boss, END)
    with pytest.raises(VerificationFailed, match="was signed after the end"):
        evidence.verify(tmp_path / "late")
    done = stock(tmp_path / "late")
    assert done.returncode == 1
    assert "was signed after the review was closed" in done.stderr


@pytest.mark.ci
def test_who_abstains_or_is_silent_approves_nothing(
    db: Database, stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = open_scene(db, tmp_path, monkeypatch)
    campaigns.save_draft(db, scene.item("ci-deploy"), draft("abstain", "not mine"), LATER)
    scene.sign(scene.rev)
    scene.close()
    evidence.build_pack(db, scene.campaign, tmp_path / "a", scene.boss, END)
    done = stock(tmp_path / "a")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    counted = [line for line in done.stdout.splitlines() if line.startswith("outcome")]
    assert counted == ["outcome    abstained 1", "outcome    no_response 2"]


@pytest.mark.ci
def test_a_row_by_somebody_who_was_not_asked_counts_for_nothing_here_either(
    scene: Scene, stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    winter = open_scene(scene.db, tmp_path, monkeypatch, name="Winter")
    item = winter.item("vendor-etl")
    for asked, who in ((BOSS, winter.boss), (REV, None)):
        with winter.db.atomic():
            winter.db.execute("UPDATE item SET reviewer = ? WHERE id = ?", (asked, item))
        if who is not None:
            campaigns.save_draft(winter.db, item, draft("approve", "fine"), LATER)
            winter.sign(who)
    evidence.build_pack(winter.db, winter.campaign, tmp_path / "w", winter.boss, END)
    done = stock(tmp_path / "w")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "outcome    no_response 3" in done.stdout


def test_the_commands_are_the_same_in_every_pack(pack: Path) -> None:
    from importlib import resources

    page = (resources.files("passmuster.evidence") / "verify.md").read_text("utf-8")
    (pack / "VERIFY.md").write_text(page)
    shipped = blocks(pack)
    assert "{{" not in shipped
    assert os.linesep in shipped


def test_a_foreign_dsse_tool_verifies_the_same_envelope(pack: Path, scene: Scene) -> None:
    """securesystemslib, with the key from the pack's PEM file."""
    import json

    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import SSlibKey

    lines = (pack / "keys" / "principals.tsv").read_text().splitlines()[1:]
    for line in lines:
        number, _, mark, _ = line.split("\t")
        public = load_pem_public_key((pack / "keys" / f"{number}.pem").read_bytes())
        known = SSlibKey.from_crypto(public, keyid=mark)
        for file in pack.rglob("statement.dsse.json"):
            outer = json.loads(file.read_bytes())
            if outer["signatures"][0]["keyid"] == mark:
                Envelope.from_dict(outer).verify([known], 1)
                bent = {**json.loads(file.read_bytes()), "payload": "e30="}
                with pytest.raises(VerificationError):
                    Envelope.from_dict(bent).verify([known], 1)
