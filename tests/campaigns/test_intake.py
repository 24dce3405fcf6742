"""What automation made since the last export waits for an answer, and for no campaign to come."""

from pathlib import Path
from typing import Any

import pytest

from passmuster import attestations, campaigns, config, inventory
from passmuster.errors import NotFound, PreflightFailed, UsageError
from passmuster.keys import SigningKey
from passmuster.model import Attention, Draft
from passmuster.store import Database
from passmuster.text import Json
from tests.bench.estate import ACCOUNT
from tests.conftest import Muster
from tests.estates import ME, NOW, bring_in, report, reviewer

PEOPLE = (
    "email,name,kind,active,left_on,manager,aliases,teams\n"
    "jane@example.com,Jane,person,yes,,,jane,\n"
)


def export(db: Database, tmp_path: Path, *names: str) -> None:
    bring_in(db, tmp_path / "credential-report.csv", report(*names))


@pytest.fixture
def grown(db: Database, tmp_path: Path) -> Database:
    """A source whose second export has one identity more than its first."""
    bring_in(db, tmp_path / "people.csv", PEOPLE, format_name="people")
    export(db, tmp_path, "old")
    export(db, tmp_path, "old", "made-by-ci")
    return db


def waiting(db: Database, expression: str = "") -> list[tuple[str, tuple[str, ...]]]:
    return [(one.name, one.lacks) for one in campaigns.arrivals(db, expression, NOW)]


def opening(db: Database, key: SigningKey, **more: Any) -> campaigns.Campaign:
    wanted = campaigns.Definition(
        "intake", "2026-12-07", "owner", ME, campaigns.INTAKE_SCOPE, kind="intake", **more
    )
    campaigns.open_campaign(db, wanted, key, config.Settings(), NOW)
    return campaigns.campaign(db, "intake")


def identity(db: Database, name: str = "made-by-ci") -> int:
    return int(db.value("SELECT id FROM identity WHERE display_name = ?", (name,)))


def dossier(db: Database) -> Json:
    return next(campaigns.dossiers(db, [identity(db)]))[1]


def sign(db: Database, at: campaigns.Campaign, key: SigningKey) -> None:
    campaigns.sign_off(db, campaigns.prepare(db, at.id, key.principal), key, NOW)


def test_a_first_export_is_the_start_and_nothing_in_it_waits(db: Database, tmp_path: Path) -> None:
    export(db, tmp_path, "a", "b")
    assert waiting(db) == []


def test_what_came_later_lacks_all_three_and_waits_through_further_exports(
    grown: Database, tmp_path: Path
) -> None:
    lacks = ("purpose", "owner", "approval")
    assert waiting(grown) == [("made-by-ci", lacks)]
    export(grown, tmp_path, "old", "made-by-ci", "newest")
    assert waiting(grown) == [("newest", lacks), ("made-by-ci", lacks)]
    assert waiting(grown, "newest kind:service") == [("newest", lacks)]
    export(grown, tmp_path, "old", "other")
    assert waiting(grown) == [("other", lacks)], "what is gone waits no more"


def test_the_intake_campaign_holds_exactly_what_is_new_and_says_that_it_is_one(
    grown: Database, tmp_path: Path
) -> None:
    key = reviewer(grown)
    at = opening(grown, key)
    assert at.population == 1
    assert grown.value("SELECT identity_id FROM item") == identity(grown)
    envelope = grown.value("SELECT envelope FROM entry WHERE predicate = 'campaign'")
    said = attestations.verify(bytes(envelope), {key.fingerprint: key.public}).predicate
    assert (said["kind"], said["scope"]["filter"]) == ("intake", "intake:new")
    (one,) = campaigns.arrivals(grown, "", NOW)
    assert (one.campaign, one.reviewer) == ("intake", ME)
    with pytest.raises(NotFound, match="nothing new waits"):
        campaigns.refuse_empty(grown, campaigns.INTAKE_SCOPE, NOW)


def test_once_it_has_purpose_owner_and_a_signed_approval_it_waits_no_more(
    grown: Database,
) -> None:
    key = reviewer(grown)
    at = opening(grown, key)
    done = campaigns.answer(grown, identity(grown), ME, NOW, purpose="deploys the shop",
                            owner="jane", approve=True, reason="asked in #ops")  # fmt: skip
    assert done == ["purpose kept", "drafted: jane answers for it", "drafted: approve"]
    assert [lacks for _, lacks in waiting(grown)] == [("owner", "approval")], "nothing is signed"
    sign(grown, at, key)
    assert waiting(grown) == []
    reason = grown.value("SELECT reason_text FROM decision")
    assert reason == "asked in #ops; for: deploys the shop", "what it is for is signed too"


def test_an_approval_alone_leaves_what_is_still_to_be_said(grown: Database) -> None:
    key = reviewer(grown)
    at = opening(grown, key)
    campaigns.answer(grown, identity(grown), ME, NOW, approve=True, reason="in use")
    sign(grown, at, key)
    assert waiting(grown) == [("made-by-ci", ("purpose", "owner"))]
    assert waiting(grown, "intake:incomplete") == waiting(grown)
    assert waiting(grown, "intake:new") == [], "it is not asked about a second time"


def test_an_approval_that_came_to_count_for_nothing_is_none(grown: Database) -> None:
    key = reviewer(grown)
    at = opening(grown, key)
    campaigns.answer(grown, identity(grown), ME, NOW, approve=True, reason="in use")
    sign(grown, at, key)
    grown.execute("INSERT INTO void_entry SELECT entry_id, 'a lost key' FROM decision")
    assert waiting(grown) == [("made-by-ci", ("purpose", "owner", "approval"))]


def test_what_was_decided_against_waits_no_more(grown: Database) -> None:
    key = reviewer(grown)
    at = opening(grown, key)
    item = campaigns.find_item(grown, at.id, "made-by-ci")
    draft = Draft("revoke", None, "nobody knows it", Attention(None, NOW, False))
    campaigns.save_draft(grown, item, draft, NOW)
    sign(grown, at, key)
    assert waiting(grown) == []


def test_a_purpose_stands_in_the_evidence_with_who_said_it_and_when(grown: Database) -> None:
    campaigns.answer(grown, identity(grown), ME, NOW, purpose="builds \x1b[2Jimages")
    said = dossier(grown)["identity"]["purpose"]
    assert said.isprintable()
    assert said.endswith(f"images ({ME}, 2026-11-23)")
    key = reviewer(grown)
    at = opening(grown, key)
    item = campaigns.find_item(grown, at.id, "made-by-ci")
    assert campaigns.item_dossier(grown, item)["identity"]["purpose"] == said


def test_a_purpose_survives_the_next_export_and_changes_no_material(
    grown: Database, tmp_path: Path
) -> None:
    before = campaigns.material(dossier(grown))
    inventory.say_purpose(grown, identity(grown), "builds images", ME, NOW)
    export(grown, tmp_path, "old", "made-by-ci", "third")
    assert "builds images" in dossier(grown)["identity"]["purpose"]
    assert campaigns.material(dossier(grown)) == before


@pytest.mark.parametrize(("said", "why"), [
    ({}, "say something"),
    ({"owner": "jane"}, "intake open"),
    ({"approve": True}, "intake open"),
    ({"purpose": "  "}, "1 to 500"),
    ({"purpose": "x" * 501}, "1 to 500"),
    ({"purpose": "token ghp_" + "a1B2" * 9}, "looks like a secret"),
])  # fmt: skip
def test_an_answer_that_cannot_be_kept_is_refused_and_leaves_nothing(
    grown: Database, said: dict[str, Any], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        campaigns.answer(grown, identity(grown), ME, NOW, **said)
    assert grown.value("SELECT count(*) FROM purpose") == 0


def test_an_answer_is_kept_whole_or_not_at_all(grown: Database) -> None:
    opening(grown, reviewer(grown))
    with pytest.raises(UsageError, match="nobody-here"):
        campaigns.answer(grown, identity(grown), ME, NOW, purpose="x", owner="nobody-here")
    assert grown.value("SELECT count(*) FROM purpose") == 0
    with pytest.raises(UsageError, match="to decide, not yours"):
        campaigns.answer(grown, identity(grown), "jane@example.com", NOW, purpose="x",
                         approve=True, reason="mine")  # fmt: skip
    assert grown.value("SELECT count(*) FROM purpose") == 0


def test_a_campaign_of_an_unknown_kind_is_refused(grown: Database) -> None:
    wanted = campaigns.Definition("x", "2026-12-07", ME, kind="intak")
    with pytest.raises(UsageError, match="intake"):
        campaigns.open_campaign(grown, wanted, reviewer(grown), config.Settings(), NOW)
    with pytest.raises(PreflightFailed):
        opening(grown, reviewer(grown, "boss@example.com"), of="trust")


def test_what_waits_is_found_by_the_runs_that_brought_it(db: Database) -> None:
    from passmuster import filters

    compiled = filters.compile_filter("intake:new", NOW)
    steps = [row[3] for row in db.execute(
        f"EXPLAIN QUERY PLAN SELECT l.identity_id {filters.FRAME} WHERE {compiled.sql}",
        compiled.params)]  # fmt: skip
    assert any("identity_first_seen (first_seen_run=?)" in step for step in steps), steps
    assert not [s for s in steps if s.startswith(("SCAN d", "SCAN n", "SCAN o", "SCAN i"))], steps


def test_from_the_command_line_it_is_listed_opened_answered_and_signed(
    grown: Database, inside: Muster, passphrase_file: Path
) -> None:
    assert f"arn:aws:iam::{ACCOUNT}:user/made-by-ci" in inside("intake", "--json").stdout
    assert "muster intake open" in inside("intake").stderr
    assert inside("intake", "kind:human").stdout == ""
    inside("intake", "kind:servce", code=2)
    inside("key", "new")
    opened = inside("intake", "open", "--due", "2099-12-31")
    assert "1 new identity" in opened.stderr
    assert "nothing new waits" in inside("intake", "open", code=1).stderr
    inside("intake", "answer", "made-by-ci", "--purpose", "deploys the shop", "--owner", "jane",
           "--approve", "--reason", "asked")  # fmt: skip
    inside("sign-off", "--yes")
    assert "nothing waits" in inside("intake").stderr
    assert "deploys the shop" in inside("show", "made-by-ci").stdout


def test_an_import_says_how_many_wait_and_nothing_of_it_when_none_does(
    db: Database, tmp_path: Path, inside: Muster
) -> None:
    path = tmp_path / "credential-report.csv"
    path.write_text(report("old"))
    assert "muster intake" not in inside("import", str(path)).stderr
    path.write_text(report("old", "made-by-ci"))
    assert "1 new identity in no review yet: muster intake" in inside("import", str(path)).stderr
