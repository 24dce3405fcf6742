"""What a reviewer reads: a pure function, so these tests need no screen."""

import copy
import re
from pathlib import Path

import pytest

from passmuster import campaigns, store
from passmuster.campaigns import Around, Candidate
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
          own: Own | None = None, short: bool = False, beside: Around | None = None,
          ) -> list[str]:  # fmt: skip
    view = View(width, NOW, full, short=short)
    return [plain(x) for x in dossier_lines(dossier, view, draft, own, beside)]


def test_the_first_three_lines_say_what_who_and_what_stops(dossiers: dict[str, Json]) -> None:
    what, who, impact = drawn(dossiers["ci-deploy"])[:3]
    assert what == ("ci-deploy  AWS IAM user · service · aws-prod · prod · privileged ◀")
    assert who.startswith(
        "owner   none ◀  2 candidates: nobody-known (tag team=nobody-known), jane (created it)"
    )
    assert impact == ("impact  unused since 2025-10-07 (412 days ago); 2 credentials stop")


@pytest.mark.parametrize(("name", "said"), [
    ("payments", "1 workload uses it, last used 2026-11-20 (3 days ago)"),
    ("vendor-etl", "never used since it was created 2021-03-02"),
    ("left-behind", "unknown: this platform does not track use"),
    ("hostile", "unknown: no imported source says when it was used"),
    ("batch-01", "used 2026-11-20 (3 days ago), by what is unknown"),
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
    order = [text.index(f"\n{label}") for label in ("purpose", "found", "keys", "may", "seen",
                                                    "before", "to fix", "from", "id")]  # fmt: skip
    assert order == sorted(order)
    assert "1,210 days old, last used 2025-10-07 (412 days ago), never expires ◀" in text
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


SHORT_PANE = (79, 15)
"""What 80 by 24 leaves to the evidence."""


@pytest.mark.parametrize("name", ["ci-deploy", "vendor-etl", "payments", "left-behind", "hostile"])
def test_at_80_by_24_what_decides_stands_within_fifteen_lines(
    dossiers: dict[str, Json], name: str
) -> None:
    lines = drawn(dossiers[name], SHORT_PANE[0], short=True)
    seen, rest = lines[: SHORT_PANE[1]], lines[SHORT_PANE[1] :]
    for section in ("owner", "impact", "found", "keys", "may"):
        assert any(line.startswith(section) for line in seen), section
    for section in ("found", "keys", "may", "trusts", "used by"):
        assert not any(line.startswith(section) for line in rest), section


def test_in_a_short_pane_a_finding_is_one_line_with_its_severity_and_its_rule(
    dossiers: dict[str, Json],
) -> None:
    lines = drawn(dossiers["ci-deploy"], 79, short=True)
    at = next(n for n, line in enumerate(lines) if line.startswith("found"))
    count = len(dossiers["ci-deploy"]["findings"])
    assert all(line[8:10] in ("C ", "H ", "M ", "L ") for line in lines[at : at + min(5, count)])
    assert lines[at].startswith("found   C secret-exposed  ")
    assert lines[at].endswith(" ◀")
    assert all(len(line) <= 79 for line in lines)


def test_the_last_review_and_what_is_new_since_stand_right_behind_the_findings(
    dossiers: dict[str, Json],
) -> None:
    about = copy.deepcopy(dossiers["payments"])
    about["before"] = [{"verdict": "approve", "decided_at": "2026-05-14T08:00:00Z", "until": None,
                        "principal": "jane@example.com", "reason_text": "migration until June",
                        "campaign": "Spring"}]  # fmt: skip
    about["changed"] = [{"subject": "credential k2", "field": "credential", "old": None,
                         "new": "k2", "observed_at": "2026-09-01T08:00:00Z"}]  # fmt: skip
    text = "\n".join(drawn(about))
    order = [text.index(f"\n{label}") for label in ("found", "before", "changed", "keys", "may")]
    assert order == sorted(order)
    assert "approved 2026-05-14 (193 days ago) by jane@example.com  “migration until June”" in text
    assert "new credential k2" in text


def test_the_riskiest_part_stands_first_and_is_not_what_is_left_out(
    dossiers: dict[str, Json],
) -> None:
    about = copy.deepcopy(dossiers["ci-deploy"])
    key, trust = about["credentials"][0], dossiers["vendor-etl"]["trusts"][0]
    young = {**key, "uid": "y", "display_name": "young", "created_at": "2026-11-01T00:00:00Z"}
    about["credentials"] = [*[young] * 9, {**key, "uid": "o", "display_name": "oldest",
                                           "created_at": "2011-01-01T00:00:00Z"}]  # fmt: skip
    about["trusts"] = [*[trust] * 9, {**trust, "from_uid": "anybody-at-all", "is_wildcard": 1}]
    lines = drawn(about, 120)
    assert next(x for x in lines if x.startswith("keys")).startswith("keys    oldest")
    assert next(x for x in lines if x.startswith("trusts")).startswith("trusts  anybody-at-all")


def test_what_was_looked_up_today_is_drawn_as_of_today(dossiers: dict[str, Json]) -> None:
    beside = Around([Candidate("li@example.com", "uses it", "uses it")], [("role", "deployer")],
                    [("service", f"m{n}") for n in range(201)])  # fmt: skip
    lines = drawn(dossiers["ci-deploy"], 160, beside=beside)
    assert lines[1] == "owner   none ◀  1 candidate: li@example.com (uses it)  (o)"
    assert lines[2].endswith(
        "2 credentials stop, 1 identity lets it in today, more than 200 members lose it today"
    )
    text = "\n".join(lines)
    assert "breaks  deployer  role, lets it in today" in text
    assert "m3  service, is in it today" in text
    assert "… more are in it today" in text


def test_a_role_that_nobody_is_known_to_take_on_is_said_in_words(
    dossiers: dict[str, Json],
) -> None:
    assert "trusts  nobody else is known who may become it" in drawn(dossiers["payments"])


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
