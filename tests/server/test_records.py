"""What gets into the central log, in which place, and what is refused with which word."""

import gzip
from collections.abc import Callable
from typing import Any

import pytest

from passmuster import attestations, central, merkle, note
from passmuster.attestations import Link
from passmuster.central import LIMITS
from passmuster.server import Central
from passmuster.text import canonical, strict_json
from tests.server.conftest import Speak
from tests.server.running import Client, settle
from tests.server.town import BOSS, OTHER, REV, STRANGER, Town, leaf


def codes(answer: Any) -> list[Any]:
    """Of each result the status, or why it was refused."""
    return [r["code"] or r["status"] for r in answer["results"]]


@pytest.fixture
def campaign(served: Central, town: Town) -> str:
    """A published campaign with Rev in it; its digest."""
    opened, published = town.campaign()
    assert [r.status for r in settle(served, town, [opened, published])] == ["accepted"] * 2
    return attestations.unchecked(opened).name


def send(client: Client, town: Town, lines: list[bytes], **more: Any) -> Any:
    client.put(town.blobs.values())
    return client.send(lines, **more)


def test_records_of_a_request_stand_side_by_side_and_the_checkpoint_covers_them(
    speak: Speak, town: Town, campaign: str
) -> None:
    rev = speak(REV)
    lines = town.decisions(REV, campaign, 5)
    answer = send(rev, town, lines)
    assert [r["index"] for r in answer["results"]] == [3, 4, 5, 6, 7]
    assert answer["size"] == 8
    rows, signed = rev.feed()
    assert [row["index"] for row in rows] == list(range(8))
    assert [row["line"].encode() for row in rows[3:]] == lines
    checkpoint = note.parse_checkpoint(note.parse(signed).text)
    tree = merkle.Frontier()
    for row in rows:
        tree.append(bytes.fromhex(row["leaf"]))
    assert (checkpoint.size, checkpoint.root.hex()) == (8, tree.root())


def test_the_same_bytes_again_are_a_duplicate_at_their_first_place(
    speak: Speak, town: Town, campaign: str
) -> None:
    rev = speak(REV)
    lines = town.decisions(REV, campaign, 3)
    first = send(rev, town, lines[:2])
    again = rev.send([lines[1], lines[0], lines[2], lines[2]])
    assert [r["index"] for r in again["results"]] == [4, 3, 5, 5]
    assert codes(again) == ["duplicate", "duplicate", "accepted", "duplicate"]
    assert (first["size"], again["size"]) == (5, 6)
    whole = rev.send(lines)
    assert [(r["status"], r["index"]) for r in whole["results"]] == [
        ("duplicate", 3), ("duplicate", 4), ("duplicate", 5),
    ]  # fmt: skip


def test_another_signature_over_the_same_statement_is_a_duplicate(
    speak: Speak, town: Town, campaign: str
) -> None:
    rev = speak(REV)
    [line] = town.decisions(REV, campaign)
    one = strict_json(line)
    half = canonical(one | {"signatures": one["signatures"][:1]})
    assert half != line
    assert codes(send(rev, town, [line, half])) == ["accepted", "duplicate"]
    assert codes(rev.send([half])) == ["duplicate"]


def test_two_statements_at_one_place_of_a_chain_are_a_fork(
    speak: Speak, town: Town, campaign: str
) -> None:
    rev = speak(REV)
    [line] = town.decisions(REV, campaign)
    said = attestations.unchecked(line).predicate
    link = Link(said["device"], said["seq"], said["prev"], said["rosterDigest"])
    body = {"basis": {"campaign": campaign}, "count": 2}
    other = town.say("decisions", REV, body, {"decisions.jsonl": b"other\n"}, link=link)
    after = town.say("decisions", REV, body, {"decisions.jsonl": b"after\n"})
    # the second in one request, and in a request of its own; and what follows the wrong one
    assert codes(send(rev, town, [line, other])) == ["accepted", "chain-fork"]
    assert codes(rev.send([other, after])) == ["chain-fork", "chain-fork"]


def test_a_record_whose_bytes_have_not_arrived_waits_for_them(
    speak: Speak, town: Town, campaign: str
) -> None:
    rev = speak(REV)
    [line] = town.decisions(REV, campaign)
    refused = rev.send([line])["results"][0]
    assert refused["code"] == "blob-missing"
    [digest] = central.read(line).blobs
    assert digest in refused["detail"]
    rev.put([town.blobs[digest]])
    assert codes(rev.send([line])) == ["accepted"]


def test_a_publication_whose_chunks_have_not_arrived_waits_for_them(
    speak: Speak, town: Town
) -> None:
    boss = speak(BOSS)
    opened, published = town.campaign()
    chunk = next(d for d, data in town.blobs.items() if data.startswith(b"q1 items"))
    boss.put([data for digest, data in town.blobs.items() if digest != chunk])
    assert codes(boss.send([opened, published])) == ["accepted", "blob-missing"]
    boss.put([town.blobs[chunk]])
    assert codes(boss.send([published])) == ["accepted"]


def test_only_who_the_roster_lets_sign_gets_a_record_in(
    speak: Speak, town: Town, campaign: str
) -> None:
    """Not the session counts but the signature: anybody may carry what others signed."""
    boss = speak(BOSS)
    body = {"basis": {"campaign": campaign}, "count": 1}

    def decided(who: str, **more: Any) -> bytes:
        return town.say("decisions", who, body, {"decisions.jsonl": who.encode()}, **more)

    lines = [
        decided(REV),
        decided(STRANGER),
        decided(REV, by=town.keys[STRANGER]),
        decided(REV, by=town.keys[OTHER]),
        town.say("campaign", REV, {"name": "x"}, {"definition.json": b"x"}),
        decided(OTHER),
    ]
    assert codes(send(boss, town, lines)) == [
        "accepted", "not-listed", "not-listed", "not-listed", "not-listed", "not-yours",
    ]  # fmt: skip


def test_what_is_logged_is_a_duplicate_even_when_its_signer_has_left_since(
    speak: Speak, town: Town, campaign: str
) -> None:
    first, second = town.decisions(REV, campaign, 2)
    boss = speak(BOSS)
    assert codes(send(boss, town, [first])) == ["accepted"]
    town.lines = tuple(
        type(x)(x.principal, x.public, x.after, "2025-12-31T00:00:00Z") if x.principal == REV else x
        for x in town.lines
    )
    assert codes(send(boss, town, [town.roster(2)])) == ["accepted"]
    assert codes(boss.send([first, second])) == ["duplicate", "not-listed"]


def test_a_signature_that_does_not_hold_is_told(speak: Speak, town: Town, campaign: str) -> None:
    rev = speak(REV)
    one, two = (strict_json(line) for line in town.decisions(REV, campaign, 2))
    mixed = canonical(one | {"signatures": two["signatures"]})
    assert codes(send(rev, town, [mixed])) == ["bad-signature"]


FORMS: list[tuple[Callable[[bytes], bytes], str]] = [
    (lambda line: line + b" ", "not-a-record"),
    (lambda line: line[:-1], "not-a-record"),
    (lambda _: b"", "not-a-record"),
    (lambda _: b"{" * 5_000, "not-a-record"),
    (lambda _: b"\xff\xfe", "not-a-record"),
    (lambda line: b" " * 65_536 + line, "too-large"),
]


def test_what_is_no_record_in_its_one_form_is_refused_and_keeps_no_neighbour_out(
    speak: Speak, town: Town, campaign: str
) -> None:
    rev = speak(REV)
    lines = town.decisions(REV, campaign, 2 * len(FORMS))
    rev.put(town.blobs.values())
    for n, (change, code) in enumerate(FORMS):
        answer = rev.send([change(lines[2 * n]), lines[2 * n + 1]])
        assert codes(answer) == [code, "accepted"]
        assert answer["results"][1]["leaf"] == leaf(lines[2 * n + 1])


OTHER_FIELDS: list[dict[str, Any]] = [
    {"device": ""}, {"device": 7}, {"device": "a\x00b"}, {"seq": 0}, {"seq": True},
    {"seq": "1"}, {"prev": 3}, {"signedAt": "soon"}, {"principal": None}, {"ext": []},
    {"basis": None}, {"basis": {"campaign": 5}}, {"rosterDigest": {}},
]  # fmt: skip


def test_fields_of_another_form_are_refused_and_never_a_fault(
    speak: Speak, town: Town, campaign: str
) -> None:
    rev = speak(REV)
    [line] = town.decisions(REV, campaign)
    made = []
    for more in OTHER_FIELDS:
        said = strict_json(attestations.unchecked(line).payload)
        said["predicate"] |= more
        made.append(attestations.sign(canonical(said), town.keys[REV]))
    found = codes(send(rev, town, made))
    assert found == ["not-a-record"] * len(made)


def test_a_kind_that_is_newer_than_the_server_is_told_apart(
    speak: Speak, town: Town, campaign: str
) -> None:
    rev = speak(REV)
    [line] = town.decisions(REV, campaign)
    payload = attestations.unchecked(line).payload.replace(b"/decisions/v1", b"/decisions/v2")
    assert codes(rev.send([attestations.sign(payload, town.keys[REV])])) == ["unknown-kind"]


def test_a_campaign_that_is_not_in_the_log_and_one_of_somebody_else(
    speak: Speak, town: Town, campaign: str
) -> None:
    rev = speak(REV)
    lines = town.decisions(REV, "f" * 64)
    body = {"campaign": "e" * 64, "population": {}, "assignmentsRoot": ""}
    listed = central.queues("e" * 64, (), ())
    lines.append(town.say("publication", BOSS, body, {"queues.jsonl": listed}))
    assert codes(send(rev, town, lines)) == ["campaign-unknown", "campaign-unknown"]


def test_a_roster_comes_into_force_by_its_own_rule(
    served: Central, speak: Speak, town: Town, campaign: str
) -> None:
    boss = speak(BOSS)
    town.people = tuple(p for p in town.people if p.principal != OTHER)
    dropped, lines = town.lines, tuple(x for x in town.lines if x.principal != OTHER)
    town.lines = lines
    bad = town.roster(2)
    town.under = attestations.unchecked(bad).predicate["previous"]
    town.lines = tuple(
        x if x.principal != OTHER else type(x)(x.principal, x.public, None, "2026-02-01T00:00:00Z")
        for x in dropped
    )
    assert codes(send(boss, town, [bad])) == ["roster-order"]
    assert served is not None


def test_the_first_roster_and_a_stranger_s_enrolment_need_an_invitation(
    speak: Speak, town: Town
) -> None:
    boss = speak(BOSS)
    enrolment = town.enrolment(STRANGER)
    mine = town.enrolment(BOSS)
    other = Town(seed=50)
    assert codes(send(boss, town, [enrolment, mine])) == ["not-listed", "accepted"]
    assert codes(send(boss, other, [other.roster()])) == ["roster-order"]


# --- whole requests


def test_too_many_records_and_too_many_bytes_are_refused_as_a_whole(speak: Speak) -> None:
    rev = speak(REV)
    many = rev.ask("POST", "/v1/records", b"\n" * (LIMITS.records + 1))
    assert (many.status_code, many.json()["code"]) == (413, "too-large")
    large = rev.ask("POST", "/v1/records", b"x" * (LIMITS.request_bytes + 1))
    assert (large.status_code, large.json()["code"]) == (413, "too-large")


def test_a_few_bytes_that_unpack_to_many_are_refused(speak: Speak) -> None:
    rev = speak(REV)
    bomb = gzip.compress(bytes(64 << 20))
    assert len(bomb) < 100_000
    answer = rev.ask("POST", "/v1/records", bomb, Content_Encoding="gzip")
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


@pytest.mark.parametrize(
    "data",
    [b"not gzip", gzip.compress(b"x", mtime=0)[:-4], gzip.compress(b"x", mtime=0) + b"more"],
    ids=["no gzip", "cut", "more"],
)
def test_a_packed_body_that_is_cut_or_has_more_behind_it_is_refused(
    speak: Speak, data: bytes
) -> None:
    rev = speak(REV)
    answer = rev.ask("POST", "/v1/records", data, Content_Encoding="gzip")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")


def test_records_may_come_packed(speak: Speak, town: Town, campaign: str) -> None:
    rev = speak(REV)
    assert codes(send(rev, town, town.decisions(REV, campaign, 40), packed=True)) == (
        ["accepted"] * 40
    )


def test_without_a_session_nothing_is_written_and_nothing_read(speak: Speak, town: Town) -> None:
    nobody = speak()
    asks = [
        ("POST", "/v1/records"), ("GET", "/v1/feed"), ("POST", "/v1/blobs/missing"),
        ("PUT", f"/v1/blobs/{'0' * 64}"), ("GET", f"/v1/blobs/{'0' * 64}"),
        ("GET", f"/v1/records/{'0' * 64}"),
    ]  # fmt: skip
    for method, path in asks:
        answer = nobody.ask(method, path)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), path
        assert answer.headers["content-type"] == central.PROBLEM
        assert answer.headers[central.PROTOCOL_HEADER] == "1.0"
