"""`report.html`: it says what is so, opens without a network or a script, and stays small."""

import re
import shutil
import subprocess
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from passmuster import campaigns, evidence
from passmuster.evidence import _facts, _paper
from passmuster.evidence._walk import Judged
from passmuster.evidence.formats import Draft, audit_csv, controls, ocsf, oscal, report, sarif
from passmuster.model import Attention, Bulk
from passmuster.store import Database
from tests.evidence.again import HOSTILE, judged, redraft
from tests.evidence.later import import_again, speaks_for_all
from tests.scene import BOSS, END, LATER, REV, Scene, draft, open_scene

VOID = {"meta", "link", "br", "img", "input", "hr"}
OURS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "section", "h1", "h2", "p",
    "dl", "dt", "dd", "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "a", "code",
    "span", "ul", "li",
}  # fmt: skip


class Reader(HTMLParser):
    """Checks that the page is well formed, and keeps what it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(pack: Path) -> Reader:
    return Reader((pack / "report.html").read_text("utf-8"))


def test_it_has_our_elements_alone_and_asks_for_nothing_from_outside(pack: Path) -> None:
    page = read(pack)
    assert {tag for tag, _ in page.tags} == OURS
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "src"]
        assert not re.match(r"\w+:|//", attributes.get("href") or "")
    policy = [a for t, a in page.tags if t == "meta" and "http-equiv" in a]
    assert policy[0]["content"] == _paper.POLICY
    assert "default-src 'none'" in _paper.POLICY
    assert "url(" not in (pack / "report.html").read_text()


def test_every_file_that_it_names_is_there(pack: Path) -> None:
    links = {a["href"] for t, a in read(pack).tags if t == "a"}
    assert len(links) > 10
    assert all((pack / str(link)).is_file() for link in links)


def test_a_screen_reader_finds_its_way(pack: Path) -> None:
    page = read(pack)
    kinds = [tag for tag, _ in page.tags]
    assert (kinds.count("h1"), kinds.count("main")) == (1, 1)
    assert kinds.count("table") == kinds.count("caption") > 8
    assert all(a.get("scope") in ("col", "row") for t, a in page.tags if t == "th")
    assert ("html", {"lang": "en"}) in page.tags


def test_it_tells_the_totals_the_silent_and_the_keys(pack: Path, scene: Scene) -> None:
    said = read(pack).said
    for words in (
        "items 3 access stands 0 stands until a day 1 access stops 1 nobody judged it 0"
        " no response 1", "1 item where access neither stands nor stops : silence approves nothing",
        "Closed 2026-12-01 17:00 UTC", "Why this scope a test", "Why this often not stated",
        f"{BOSS} {scene.boss.fingerprint}", "no statement of it is here",
        "No count from outside was given", "Without a verdict: 1", "revoke 0 0 2",
    ):  # fmt: skip
        assert words in said, words


def test_late_is_marked_where_it_happened(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = open_scene(db, tmp_path, monkeypatch)
    campaigns.save_draft(db, scene.item("vendor-etl"), draft("approve", "so"), LATER)
    scene.sign(scene.rev, "2027-01-02T08:00:00Z")
    campaigns.close(db, scene.campaign, scene.boss, "2027-01-03T08:00:00Z")
    scene.campaign = campaigns.campaign(db, "Autumn")
    evidence.build_pack(db, scene.campaign, tmp_path / "p", scene.boss, "2027-01-04T08:00:00Z")
    said = read(tmp_path / "p").said
    assert "Closed 2027-01-03 08:00 UTC , late" in said
    assert f"decisions {REV} 2027-01-02 08:00 UTC , late 1" in said


def test_pace_bulk_and_approval_are_told(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = open_scene(db, tmp_path, monkeypatch)
    for name, seconds, opened, bulk in (
        ("ci-deploy", 3, False, None), ("vendor-etl", 59, True, None),
        ("=cmd|'/c calc'!A1", 1, False, Bulk("b", 40, "marked by hand")),
    ):  # fmt: skip
        seen = Attention("2026-11-24T09:00:00Z", f"2026-11-24T09:00:{seconds:02}Z", opened)
        words = draft("approve", "so", bulk=bulk)._replace(attention=seen)
        campaigns.save_draft(db, scene.item(name), words, LATER)
    scene.sign(scene.rev)
    evidence.build_pack(db, scene.campaign, tmp_path / "p", scene.boss, END)
    said = read(tmp_path / "p").said
    assert "Approval rate 100.0 %" in said
    assert f"{REV} 3 0 3 0 0 100.0 % 1 1 0" in said
    for row in ("2 to 5 s 1 33.3 %", "15 to 60 s 1 33.3 %", "under 2 s 0 0.0 %",
                "decided together 1 33.3 %", f"{REV} 40 marked by hand"):  # fmt: skip
        assert row in said, row
    assert "opening the details: 1 item reviewer what ci-deploy" in said


def test_changed_evidence_that_a_statement_admits_is_an_exception(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaks_for_all(monkeypatch)
    scene = open_scene(db, tmp_path, monkeypatch)
    item = scene.item("vendor-etl")

    def off(record: object) -> object:
        return record._replace(status="disabled") if getattr(record, "uid", "") == "u3" else record  # type: ignore[attr-defined]

    import_again(db, tmp_path, monkeypatch, off, at="2026-11-24T09:00:00Z")  # type: ignore[arg-type]
    campaigns.save_draft(db, item, draft("approve", "so"), LATER)
    scene.sign(scene.rev)
    evidence.build_pack(db, scene.campaign, tmp_path / "p", scene.boss, END)
    said = read(tmp_path / "p").said
    assert "and the statement says so: 1" in said
    assert "muster:testbed:t1/identity/u3" in said


def items(pack: Path, scene: Scene, folder: Path, size: int, name: str) -> Iterator[Judged]:
    """Those of the pack over and over, as items of their own."""
    few = judged(redraft(pack, scene, folder))
    for number in range(size):
        one = few[number % 3]
        identity = {**one.dossier["identity"], "display_name": name, "uid": f"u{number}"}
        yield replace(one, uri=f"muster:testbed:t1/identity/{number}",
                      dossier={**one.dossier, "identity": identity})  # fmt: skip


def test_a_hostile_name_is_text(pack: Path, scene: Scene, tmp_path: Path) -> None:
    for number, name in enumerate(HOSTILE):
        draft_ = redraft(pack, scene, tmp_path / f"x{number}")
        page = report.begin(draft_)
        for item in items(pack, scene, tmp_path / f"y{number}", 3, name):
            row = {"reason": {"code": None, "text": name}}
            page.item(replace(item, reviewer=name, ballots=[
                replace(b, row={**b.row, **row}) for b in item.ballots]))  # fmt: skip
        page.end()
        text = (draft_.writer.root / "report.html").read_text("utf-8")
        assert {tag for tag, _ in Reader(text).tags} <= OURS, name
        assert all(c.isprintable() or c == "\n" for c in text), name


def peak(module: object, draft_: Draft, items_: Iterator[Judged]) -> int:
    tracemalloc.start()
    written = module.begin(draft_)  # type: ignore[attr-defined]
    for item in items_:
        written.item(item)
    written.end()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


@pytest.mark.ci
@pytest.mark.parametrize("module", [report, audit_csv, controls, oscal, ocsf, sarif],
                         ids=["page", "csv", "controls", "oscal", "ocsf", "sarif"])  # fmt: skip
def test_memory_and_the_page_do_not_grow_with_the_items(
    pack: Path, scene: Scene, tmp_path: Path, module: object
) -> None:
    peaks, pages = [], []
    for size in (300, 6000):
        draft_ = redraft(pack, scene, tmp_path / f"d{size}")
        many = items(pack, scene, tmp_path / f"i{size}", size, "svc")
        peaks.append(peak(module, draft_, many))
        page = draft_.writer.root / "report.html"
        pages.append(page.stat().st_size if page.exists() else 0)
    assert peaks[1] < peaks[0] + 100_000, peaks
    assert pages[1] < pages[0] + 5_000, pages


def test_of_exceptions_the_first_are_shown_and_the_rest_is_counted(
    pack: Path, scene: Scene, tmp_path: Path
) -> None:
    draft_ = redraft(pack, scene, tmp_path / "x")
    page = report.begin(draft_)
    for item in items(pack, scene, tmp_path / "y", 99, "svc"):
        page.item(item)
    page.end()
    said = Reader((draft_.writer.root / "report.html").read_text()).said
    assert "Without a verdict: 33" in said
    assert f"{33 - _facts.SHOWN} more: see exports/audit/tests-exceptions.csv" in said


def test_the_largest_acts_are_kept_whatever_their_number() -> None:
    facts = _facts.Facts.__new__(_facts.Facts)
    facts.acts = {}
    for size in range(1000):
        facts._act({"id": f"b{size}", "size": size, "how": "x"}, REV)
    assert sorted(size for size, *_ in facts.acts.values()) == list(range(990, 1000))


def test_a_page_and_its_files_are_the_same_every_time(
    pack: Path, scene: Scene, tmp_path: Path
) -> None:
    made = []
    for number in (1, 2):
        draft_ = redraft(pack, scene, tmp_path / str(number))
        for module in (report, audit_csv, controls):
            written = module.begin(draft_)
            for item in judged(draft_):
                written.item(item)
            written.end()
        made.append({k: v for k, v in draft_.writer.digests.items() if k.startswith("exports/")
                     or k == "report.html"})  # fmt: skip
    assert made[0] == made[1]
    assert len(made[0]) == 14


@pytest.mark.ci
@pytest.mark.skipif(shutil.which("chromium") is None, reason="not here: chromium")
def test_it_prints(pack: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.pdf"
    subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--print-to-pdf={out}",
         f"--user-data-dir={tmp_path / 'profile'}", (pack / "report.html").as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert out.read_bytes().startswith(b"%PDF")
