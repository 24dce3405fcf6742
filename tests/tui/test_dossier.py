"""What a reviewer reads: a pure function, so these tests need no screen."""

import copy
import re
from pathlib import Path

import pytest

from passmuster import campaigns, store
from passmuster.model import Attention, Change, Draft
from passmuster.text import Json
from passmuster.tui.dossier import Own, dossier_lines
from passmuster.tui.lines import Span, fold, plain, width_of
from passmuster.tui.sections import View
from tests.tui.conftest import NOW, Review


@pytest.fixture
def dossiers(review: Review) -> dict[str, Json]:
    db = store.open_(review.folder)
    found = {}
    for item_id in campaigns.rank(db, review.campaign.id, None):
        dossier = campaigns.item_dossier(db, item_id)
        found[dossier["identity"]["uid"].rsplit("/", 1)[-1]] = dossier
    db.close()
    return found


def drawn(dossier: Json, width: int = 100, *, full: bool = False, draft: Draft | None = None,
          own: Own | None = None) -> list[str]:  # fmt: skip
    return [plain(x) for x in dossier_lines(dossier, View(width, NOW, full), draft, own)]


def test_the_first_three_lines_say_what_who_and_what_stops(dossiers: dict[str, Json]) -> None:
    what, who, impact = drawn(dossiers["ci-deploy"])[:3]
    assert what == ("ci-deploy  AWS IAM user · service · aws-prod · prod · enabled · privileged ◀")
    assert who.startswith(
        "owner   none ◀  2 candidates: nobody-known (tag team=nobody-known), jane (created it)"
    )
    assert impact == (
        "impact  nothing has used it since 2025-10-07 (412 days ago); 2 credentials would stop"
    )


@pytest.mark.parametrize(("name", "said"), [
    ("payments", "1 workload uses it, last used 2026-11-20 (3 days ago)"),
    ("vendor-etl", "never used since it was created 2021-03-02"),
    ("left-behind", "unknown: this platform does not track use"),
    ("hostile", "unknown: no imported source says when it was used"),
    ("batch-01", "in use: last used 2026-11-20 (3 days ago), by what is unknown"),
])  # fmt: skip
def test_each_kind_of_not_knowing_the_use_has_its_words(
    dossiers: dict[str, Json], name: str, said: str
) -> None:
    assert said in next(x for x in drawn(dossiers[name]) if x.startswith("impact"))


def test_an_owner_who_left_is_no_owner(dossiers: dict[str, Json]) -> None:
    assert "none: Gus Gone has left" in drawn(dossiers["left-behind"])[1]
    assert drawn(dossiers["payments"])[1].startswith("owner   Jane Okafor  tag owner=jane")


def test_what_decides_stands_before_what_would_mend_it(dossiers: dict[str, Json]) -> None:
    text = "\n".join(drawn(dossiers["ci-deploy"], 160))
    order = [text.index(f"\n{label}") for label in ("found", "keys", "may", "seen", "before",
                                                    "to fix", "purpose", "from", "id")]  # fmt: skip
    assert order == sorted(order)
    assert "1,210 days old, last used 2025-10-07 (412 days ago), enabled, never expires ◀" in text
    assert re.search(r"Secret found.*critical \+\d+ ◀", text)
    assert "AdministratorAccess  admin, 111122223333, direct ◀" in text


def test_a_long_list_says_how_much_of_it_is_not_shown(dossiers: dict[str, Json]) -> None:
    many = copy.deepcopy(dossiers["ci-deploy"])
    many["grants"] = many["grants"] * 4_985
    assert any("… 4,980 more  (→ shows them)" in line for line in drawn(many))
    whole = drawn(many, full=True)
    assert sum("AdministratorAccess  admin" in line for line in whole) == 4_985
    many["left_out"] = {"grants": 7}
    assert any("… 7 more" in line for line in drawn(many, full=True))


def test_a_draft_stands_above_the_fold_in_the_words_that_will_be_signed(
    dossiers: dict[str, Json],
) -> None:
    dossier = dossiers["ci-deploy"]
    change = Change("rotate", dossier["credentials"][0]["uid"])
    draft = Draft("approve", "1", "in use", Attention(None, NOW, False), "2027-03-31", (change,))
    lines = drawn(dossier, 140, draft=draft, own=Own("jane", True))
    assert lines[3].startswith("draft   approve until 2027-03-31 + rotate access key AKIA1 …Q71X")
    assert "jane is to own it and to decide it" in lines[4]


@pytest.mark.parametrize("width", [20, 49, 78, 200])
def test_no_line_is_wider_than_the_pane_and_none_can_move_the_terminal(
    dossiers: dict[str, Json], width: int
) -> None:
    for dossier in dossiers.values():
        for full in (False, True):
            for line in dossier_lines(dossier, View(width, NOW, full)):
                assert width_of(line) <= width + 2
                assert plain(line).isprintable()


def test_folding_keeps_every_word_and_chops_what_is_too_long() -> None:
    lines = fold([Span("one two "), Span("x" * 25, "strong"), Span(" 三三三三三三 end")], 10)
    assert all(width_of(line) <= 10 for line in lines)
    assert "".join(plain(line) for line in lines).replace(" ", "") == (
        "onetwo" + "x" * 25 + "三三三三三三end"
    )


def test_a_theme_of_the_users_own_folder_is_found(tmp_path: Path) -> None:
    from passmuster.tui.themes import load

    (tmp_path / "bad.toml").write_text('name = "bad"\nforegrund = "#fff"\n')
    (tmp_path / "worse.toml").write_text("name = ")
    (tmp_path / "good.toml").write_text(
        'primary="#fff"\naccent="#fff"\nerror="#f00"\nforeground="#fff"\nbackground="#000"\n'
    )
    found, wrong = load([tmp_path, tmp_path / "missing"])
    assert list(found) == ["good"]
    assert len(wrong) == 2
    assert any("did you mean foreground" in w for w in wrong)
