"""Timeline, record and search: pure, so these tests need no screen."""

import copy
import json

import pytest

from passmuster import campaigns, store
from passmuster.text import Json, sha256
from passmuster.tui import raw
from passmuster.tui.finding import Index
from passmuster.tui.lines import Line, Span, plain, width_of
from passmuster.tui.timeline import lines
from tests.tui.conftest import NOW, Review
from tests.tui.test_dossier import dossiers

__all__ = ["dossiers"]


def drawn(dossier: Json, width: int = 100, due: str | None = None) -> list[str]:
    return [plain(line) for line in lines(dossier, NOW, width, due)]


def test_what_is_to_come_stands_above_today_and_all_is_newest_first(
    dossiers: dict[str, Json],
) -> None:
    about = copy.deepcopy(dossiers["ci-deploy"])
    about["credentials"][0]["expires_at"] = "2027-06-01T00:00:00Z"
    about["credentials"][1]["expires_at"] = "2026-01-01T00:00:00Z"
    about["grants"][0]["expires_at"] = "2026-12-24T00:00:00Z"
    about["before"] = [{"verdict": "approve", "decided_at": "2026-05-14T08:00:00Z",
                        "until": "2027-03-31", "principal": "jane@example.com",
                        "reason_text": "audit", "campaign": "Spring"}]  # fmt: skip
    found = drawn(about, due="2026-12-01T00:00:00Z")
    dates = [line[:10] for line in found if line[:10].strip() and line[0].isdigit()]
    assert dates == sorted(dates, reverse=True)
    today = next(n for n, line in enumerate(found) if line.startswith("── today 2026-11-23 "))
    ahead = "\n".join(found[:today])
    behind = "\n".join(found[today:])
    assert "2027-06-01  in 189 days     access key AKIA1 …Q71X expires" in ahead
    assert "2027-03-31  in 127 days     the approval of 2026-05-14 ends" in ahead
    assert "AdministratorAccess ends" in ahead
    assert "2026-12-01  in 7 days       this campaign is due" in ahead
    assert "2026-01-01  326 days ago    access key AKIA2 …Q72X expired" in behind
    assert "approved by jane@example.com “audit”, Spring" in behind
    assert "leak seen in github.com/example-org/shop ◀" in behind
    assert "rows.txt imported" in behind
    assert f"2021-03-02  5 years ago     created by {about['identity']['created_by']}" in behind


def test_what_has_no_date_is_named_and_put_nowhere(dossiers: dict[str, Json]) -> None:
    found = drawn(dossiers["hostile"])
    assert found[-1] == "when is unknown: created"


@pytest.mark.parametrize("width", [24, 59, 100])
def test_no_event_is_wider_than_the_pane(dossiers: dict[str, Json], width: int) -> None:
    for dossier in dossiers.values():
        for line in lines(dossier, NOW, width, NOW):
            assert width_of(line) <= width
            assert plain(line).isprintable()


def test_the_record_shows_the_digest_that_was_frozen(review: Review) -> None:
    db = store.open_(review.folder)
    for item_id in campaigns.rank(db, review.campaign.id, None):
        dossier = campaigns.item_dossier(db, item_id)
        frozen = db.value("SELECT dossier FROM item WHERE id = ?", (item_id,))
        assert plain(raw.lines(dossier, 100)[0]) == f"sha256 {frozen}"
        assert sha256(raw.canonical(dossier).encode()) == frozen
    db.close()


@pytest.mark.parametrize("width", [24, 79, 200])
def test_every_value_of_the_record_is_there_and_fits(dossiers: dict[str, Json], width: int) -> None:
    for dossier in dossiers.values():
        found = raw.lines(dossier, width)
        assert all(width_of(line) <= width for line in found)
        assert all(plain(line).isprintable() for line in found)
        if width == 200:
            assert json.loads("".join(plain(line) for line in found[3:])) == dossier


def test_keys_of_the_record_stand_out_and_values_do_not(dossiers: dict[str, Json]) -> None:
    keys = set()
    for line in raw.lines(dossiers["ci-deploy"], 200)[3:]:
        found = "".join(span.text for span in line if span.role == "accent")
        assert not found or plain(line).strip().startswith(found)
        keys.add(found.strip(' ":'))
    assert keys >= {"identity", "display_name", "permission_level"}
    assert "ci-deploy" not in keys


def fed(*rows: str) -> tuple[list[Line], Index]:
    made: list[Line] = [[Span("        "), Span(row)] for row in rows]
    return made, Index(made)


def shown(row: Line) -> str:
    """What is marked, in brackets."""
    return "".join(f"[{s.text}]" if s.role == "caret" else s.text for s in row)


def test_what_a_fold_has_broken_is_found_and_marked_on_both_lines() -> None:
    made, index = fed("see arn:aws:iam::11112", "2223333:user/x and more")
    hits = index.find("ARN:aws:iam::111122223333:user")
    assert [hit.line for hit in hits] == [0]
    assert shown(index.marked(0, made[0], hits)) == "        see [arn:aws:iam::11112]"
    assert shown(index.marked(1, made[1], hits)) == "        [2223333:user]/x and more"


def test_words_with_spaces_are_found_across_lines_and_more_than_once() -> None:
    made, index = fed("access key one", "two", "access  key", "three")
    hits = index.find("access key")
    assert [hit.line for hit in hits] == [0, 2]
    assert shown(index.marked(2, made[2], hits)) == "        [access  key]"
    assert index.marked(1, made[1], hits) is made[1]
    assert index.find("  ") == index.find("nothing such") == []


def test_a_letter_that_grows_in_lower_case_moves_no_mark() -> None:
    made, index = fed("İİ target")
    assert shown(index.marked(0, made[0], index.find("TARGET"))) == "        İİ [target]"


def test_the_timeline_of_ten_thousand_grants_is_one_line_each(dossiers: dict[str, Json]) -> None:
    about = copy.deepcopy(dossiers["ci-deploy"])
    ends = {**about["grants"][0], "expires_at": "2026-12-24T00:00:00Z"}
    about["grants"] = [{**ends, "display_name": f"g{n}"} for n in range(10_000)]
    assert sum(" ends" in line for line in drawn(about)) == 10_000
