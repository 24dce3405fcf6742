"""`docs/deploy.md` says what is so: followed from top to bottom, and its tables looked up."""

import re
from pathlib import Path

import pytest

from passmuster import central
from passmuster.server import _metrics
from tests.conftest import REPOSITORY
from tests.server.deployed import PAGE, Company, company, missing, sections
from tests.server.postgres import Cluster

BOSS, REV = "boss@example.com", "rev@example.com"
CREDENTIALS = REPOSITORY / "sample_data/aws/credential-report.csv"


def size(place: Company, who: str) -> int:
    """How many entries of the central log somebody has verified."""
    said = place.line("muster sync --status", who)
    found = re.search(r"([\d,]+) entr(?:y|ies) verified", said)
    assert found is not None, said
    return int(found[1].replace(",", ""))


def campaign(place: Company, name: str) -> None:
    place.line(
        f"muster campaign open {name} --reviewer {REV} --due 2027-12-31 --publish", BOSS
    )  # fmt: skip


def one_machine(place: Company, page: dict[str, list[str]]) -> None:
    start, first, later = page["One machine"]
    place.block(start, host="alone")
    assert {"log", "key", "pin", "invite", "url"} == place.said.keys()
    place.block(first, BOSS)
    assert "ana@example.com" in place.block(later, host="alone")
    place.stop()


def replicas(place: Company, page: dict[str, list[str]]) -> None:
    """Two over PostgreSQL, with a registrar and a reviewer who were there before the backup."""
    first, second = page["Several replicas"]
    place.block(first)
    invitation = place.said["invite"]
    place.block(second)
    assert place.said["log"] in invitation or place.said["pin"] in invitation
    # a desk of the first section is of another log: these are other people
    (place.root / "homes" / BOSS).rename(place.root / "homes" / "before")
    place.said["invite"] = invitation
    place.block(page["One machine"][1], BOSS)
    place.line(f"muster init --me {REV}", REV)
    place.line("muster key new", REV)
    said = place.line(f"muster invite {REV} --role reviewer", BOSS)
    place.said["invite"] = next(x for x in said.splitlines() if "#m1." in x)
    place.line("muster enroll 'https://muster.example.com#m1.…'", REV)
    place.line(f"muster roster admit {REV} --yes", BOSS)
    place.line(f"muster import {CREDENTIALS}", BOSS)
    campaign(place, "before")
    place.line("muster sync", BOSS)


def lost_and_back(place: Company, page: dict[str, list[str]]) -> None:
    """A backup, records after it, the backup put back: the page's way out."""
    for block in page["Backup"]:
        place.block(block)
    backed = size(place, BOSS)
    campaign(place, "after")
    place.line("muster sync", BOSS)
    held = size(place, BOSS)
    assert held > backed
    place.stop()
    alone, restore, recover = page["Restore"]
    place.block(alone)
    place.block(page["One machine"][2], host="alone")
    refused = place.block(restore)
    assert "url" not in place.said
    assert f"the anchor has seen {held} records and the database has {backed}" in refused
    place.stop()
    told = place.block(recover)
    assert f"the first {backed} records" in told
    place.block(page["Several replicas"][0].splitlines()[-1])
    place.line("scp -p a.example.com:/srv/muster/log.key /srv/muster/log.key", host="b")
    place.block(page["Several replicas"][1].splitlines()[-1], host="b")
    assert "the disk of db was lost" in place.line("muster sync", BOSS)
    place.line("muster sync", REV)
    assert size(place, REV) == size(place, BOSS) == held


def lost_key(place: Company, page: dict[str, list[str]]) -> None:
    """The log's key is gone: put back from the backup, and then gone for good."""
    back, recover, accept = page["When log.key is lost"]
    start = page["Several replicas"][0].splitlines()[-1]
    place.block(page["Backup"][0])
    held = size(place, BOSS)
    key = place.root / "a/srv/muster/log.key"
    for way_out in (back, recover):
        place.stop()
        key.unlink()
        refused = place.block(start)
        assert "log.key: the log's key is not here: copy log.key from another" in refused
        assert "url" not in place.said
        assert not key.exists()
        place.stop()
        told = place.block(way_out)
        place.block(start)
        if way_out == back:
            place.line("muster sync", BOSS)
    (pin,) = re.findall(r"^pin +(\S+)$", told, re.MULTILINE)
    for who in (BOSS, REV):
        assert "under another key" in place.line("muster sync", who, code=4)
        place.block(accept.replace("PIN", pin), who)
        place.line("muster sync", who)
    assert size(place, REV) == size(place, BOSS) == held


def away(place: Company, page: dict[str, list[str]]) -> None:
    online, packets = page["A site without a network"]
    place.block(online)
    campaign(place, "later")
    place.line("muster packet export --out outbox.tar.gz", BOSS)
    assert "in the central log, 0 refused" in place.block(packets, BOSS)


@pytest.mark.ci
def test_the_page_can_be_followed_from_top_to_bottom(tmp_path: Path, cluster: Cluster) -> None:
    if name := missing():
        pytest.skip(f"{name} is not installed")
    page = sections()
    followed = {"One machine", "Several replicas", "Backup", "Restore", "When log.key is lost",
                "Upgrade", "A site without a network", "Watch it"}  # fmt: skip
    assert {name for name, blocks in page.items() if blocks} == followed
    with company(tmp_path, cluster) as place:
        one_machine(place, page)
        replicas(place, page)
        lost_and_back(place, page)
        lost_key(place, page)
        place.block(page["Upgrade"][0])
        away(place, page)
        (watch,) = page["Watch it"]
        shown = place.block(watch)
    table = PAGE.read_text().split("| alert when |")[1].split("\n\n")[0]
    for name in re.findall(r"`(muster_\w+)", table):
        assert f"# TYPE {name} " in shown, name


def test_every_alert_is_about_a_figure_that_is_counted() -> None:
    gauges = {"muster_log_size", "muster_log_stopped"}
    named = set(re.findall(r"muster_\w+", PAGE.read_text()))
    assert named
    assert not named - gauges - _metrics.NAMES.keys()


def test_the_limits_on_the_page_are_those_that_hold() -> None:
    limits = central.LIMITS
    table = PAGE.read_text().split("## Limits")[1].split("\n## ")[0]
    for said in (
        f"{limits.record_bytes:,} bytes",
        f"{limits.records:,}, and {limits.request_bytes >> 20} MiB",
        f"{limits.blob_bytes >> 30} GiB", f"| {limits.body_s} s", f"| {limits.connections:,} |",
        f"{limits.invite_s} s, {limits.session_s} s", f"| {limits.skew_s} s",
    ):  # fmt: skip
        assert said in table, said
