"""Coming to a central log, and letting others in: the commands, against a server that runs."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from passmuster import central, keys, roster, store, sync, tlog
from passmuster.text import rfc3339
from passmuster.transport import Caller
from tests.conftest import Muster
from tests.fresh import fresh

for needed in ("starlette", "uvicorn", "msgspec", "jwt"):
    pytest.importorskip(needed, reason="passmuster[server] is not installed")

from passmuster import server  # noqa: E402
from passmuster.server import Central, _enrolling  # noqa: E402
from tests.server.running import opened, running  # noqa: E402

BOSS, ANA, BEN = "boss@example.com", "ana@example.com", "ben@example.com"
Run = Callable[..., subprocess.CompletedProcess[str]]


class Team:
    """A server, and a workspace with a key for each person."""

    def __init__(
        self, here: Central, url: str, folder: Path, inside: Muster, patch: pytest.MonkeyPatch
    ) -> None:
        self.here, self.url = here, url
        self._folder, self._inside, self._patch = folder, inside, patch

    def person(self, who: str) -> Run:
        """`muster` in the workspace of *who*, whose key is made."""
        folder = self._folder / who

        def run(*words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
            self._patch.setenv("MUSTER_ME", who)
            done = self._inside("--workspace", str(folder), *words, code=code)
            said = [line for line in done.stderr.splitlines() if not line.startswith('{"at"')]
            done.stderr = "\n".join(said)  # without what the server in this process logs
            return done

        if not folder.exists():
            fresh(folder).close()
            run("key", "new", "--key-store", "file")
        return run

    def db(self, who: str) -> store.Database:
        return store.open_(self._folder / who)

    def first(self) -> Run:
        """The first person, enrolled."""
        boss = self.person(BOSS)
        made = server.first_invitation(self.here, self.url)
        assert made is not None
        boss("enroll", made)
        return boss


@pytest.fixture
def team(
    tmp_path: Path, inside: Muster, passphrase_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Team]:
    here = opened(tmp_path / "central")
    with running(here) as url:
        yield Team(here, url, tmp_path / "people", inside, monkeypatch)


def test_from_the_first_invitation_to_a_team_in_five_commands(team: Team) -> None:
    boss = team.first()
    invitation = boss("invite", ANA, "--role", "reviewer", "--role", "second").stdout.strip()
    ana = team.person(ANA)
    said = ana("enroll", invitation)
    mark = said.stdout.strip()
    assert mark.startswith("SHA256:")
    assert "A registrar has to admit you: tell them the fingerprint above" in said.stderr
    waits = boss("enroll", "pending").stdout
    assert mark in waits
    assert "reviewer second" in waits
    assert (
        f"new       {ANA} (person): reviewer, second"
        in boss("roster", "admit", ANA, "--yes").stderr
    )
    assert "Nobody waits." in boss("enroll", "pending").stderr
    db = team.db(ANA)
    with _caller(team, ANA) as caller:
        assert caller.call("GET", "/v1/feed?after=0", accept=central.NDJSON).status == 200
    in_force = roster.current(team.db(BOSS))
    assert in_force is not None
    assert in_force.version == 2
    assert sync.trusted_roster(db) == roster.history(team.db(BOSS))[0].name


def test_whoever_was_admitted_syncs_and_then_knows_the_roster_of_the_team(team: Team) -> None:
    boss = team.first()
    ana = team.person(ANA)
    ana("enroll", boss("invite", ANA, "--role", "reviewer").stdout.strip())
    assert "a registrar has to admit you" in ana("sync", code=1).stderr
    boss("roster", "admit", ANA, "--yes")
    ana("sync")
    shown = json.loads(ana("roster", "show", "--json").stdout)[0]
    assert shown["version"] == 2
    assert shown["strange_keys"] == []
    boss("sync")
    assert json.loads(boss("sync", "--status", "--json").stdout)[0]["waiting"] == 0
    ben = team.person(BEN)
    ben("enroll", boss("invite", BEN, "--role", "second").stdout.strip())
    boss("roster", "admit", "--all", "--yes")
    ana("sync")
    assert json.loads(ana("roster", "show", "--json").stdout)[0]["version"] == 3
    ana("log", "verify")


def test_a_roster_that_the_invitation_did_not_name_does_not_come_in_by_a_sync(team: Team) -> None:
    boss = team.first()
    ana = team.person(ANA)
    ana("enroll", boss("invite", ANA, "--role", "reviewer").stdout.strip())
    boss("roster", "admit", ANA, "--yes")
    store.remember(team.db(ANA), sync.FIRST_ROSTER, "0" * 64)
    said = ana("sync", code=None)
    assert "not the one that you were told to trust" in said.stderr
    assert roster.current(team.db(ANA)) is None


def _caller(team: Team, who: str) -> Caller:
    db = team.db(who)
    return sync.speak(db, lambda: keys.load(db, who, lambda: b"correct horse battery", 1.0))


def test_the_first_person_is_told_what_they_are_now(team: Team) -> None:
    boss = team.person(BOSS)
    made = server.first_invitation(team.here, team.url)
    assert made is not None
    said = boss("enroll", made)
    assert "The roster begins with you as registrar, owner and reviewer" in said.stderr
    shown = json.loads(boss("roster", "show", "--json").stdout)[0]
    assert [(p["principal"], p["roles"]) for p in shown["people"]] == [
        (BOSS, ["reviewer", "owner", "registrar"])
    ]
    assert server.first_invitation(team.here, team.url) is None
    again = boss("enroll", made)
    assert again.stdout == said.stdout
    assert json.loads(boss("roster", "show", "--json").stdout)[0]["version"] == 1


def test_a_workspace_with_a_roster_of_its_own_brings_it_along(team: Team) -> None:
    boss = team.person(BOSS)
    boss("roster", "init", "--role", "owner")
    boss("roster", "sign", "--yes")
    mine = roster.history(team.db(BOSS))[0].name
    made = server.first_invitation(team.here, team.url)
    assert made is not None
    said = json.loads(boss("enroll", made, "--json").stdout)[0]
    assert (said["founded"], said["roster"]) == (True, mine)
    other = team.person(BEN)
    other("roster", "init")
    other("roster", "sign", "--yes")
    invitation = boss("invite", BEN, "--role", "reviewer").stdout.strip()
    assert "use another workspace" in other("enroll", invitation, code=4).stderr


def test_an_invitation_that_is_used_or_ended_or_for_another_says_what_to_do(team: Team) -> None:
    boss = team.first()
    invitation = boss("invite", ANA, "--role", "reviewer").stdout.strip()
    ben = team.person(BEN)
    assert f"for {ANA}, not for {BEN}" in ben("enroll", invitation, code=1).stderr
    ana = team.person(ANA)
    ana("enroll", invitation)
    with team.here.store.transaction() as tx:
        tx.execute("UPDATE invite SET principal = ? WHERE principal = ?", (BEN, ANA))
    assert "was used at" in ben("enroll", invitation, code=1).stderr
    late = boss("invite", BEN).stdout.strip()
    with team.here.store.transaction() as tx:
        tx.execute("UPDATE invite SET ends_at = '2026-01-01T00:00:00Z' WHERE leaf IS NULL")
    said = ben("enroll", late, code=1).stderr
    assert "ended at" in said
    assert "ask for a new one" in said
    assert len(said.splitlines()) == 1


def test_a_server_with_another_key_than_the_pinned_one_gets_nothing(team: Team) -> None:
    boss = team.first()
    good = central.invitation(boss("invite", ANA).stdout.strip())
    wrong = str(central.Invitation(good.url, good.token, central.pin_of("x"), good.roster))
    ana = team.person(ANA)
    said = ana("enroll", wrong, code=4).stderr
    assert "another server than the one you were invited to" in said
    assert tlog.central(team.db(ANA)) is None
    with team.here.store.reading() as tx:
        assert tx.value("SELECT count(*) FROM invite WHERE used_at IS NOT NULL") == 1


def test_a_log_that_begins_with_another_roster_than_the_invitation_says_is_not_followed(
    team: Team,
) -> None:
    boss = team.first()
    good = central.invitation(boss("invite", ANA).stdout.strip())
    wrong = str(central.Invitation(good.url, good.token, good.pin, "0" * 64))
    assert "do not use this server" in team.person(ANA)("enroll", wrong, code=4).stderr
    assert tlog.central(team.db(ANA)) is None


def test_a_workspace_has_one_central_log(team: Team, tmp_path: Path) -> None:
    team.first()
    with running(other := opened(tmp_path / "other")) as url:
        made = server.first_invitation(other, url)
        assert made is not None
        assert "use another workspace" in team.person(BOSS)("enroll", made, code=4).stderr


@pytest.mark.parametrize(("words", "why"), [
    (("http://evil.example",), "without TLS"),
    (("https://x.example",), "give an invitation, or --oidc"),
    (("https://x.example#m1.a.b.c.d",), "cut off or mistyped"),
    (("https://x.example#m1.a.b.c",), "copy the invitation whole"),
    (("nonsense",), "no address of a server"),
])  # fmt: skip
def test_words_that_lead_nowhere_are_refused_in_one_line(
    team: Team, words: tuple[str, ...], why: str
) -> None:
    said = team.person(ANA)("enroll", *words, code=2).stderr
    assert why in said
    assert len(said.splitlines()) == 1


def test_without_a_key_there_is_nothing_to_enrol(team: Team, inside: Muster, db: object) -> None:
    made = server.first_invitation(team.here, team.url)
    assert made is not None
    assert "muster key new" in inside("enroll", made, code=1).stderr


def test_without_the_log_nobody_is_invited_or_admitted(team: Team) -> None:
    ana = team.person(ANA)
    for words in (("invite", BEN), ("enroll", "pending"), ("roster", "admit", BEN)):
        assert "no central log: `muster enroll INVITATION`" in ana(*words, code=1).stderr


def test_whoever_is_not_admitted_yet_is_told_so(team: Team) -> None:
    boss = team.first()
    ana = team.person(ANA)
    mark = ana("enroll", boss("invite", ANA).stdout.strip()).stdout.strip()
    said = ana("invite", BEN, code=1).stderr
    assert f"{mark} is not on the roster: a registrar has to admit you" in said
    assert len(said.splitlines()) == 1


def test_whose_key_has_ended_is_told_since_when(team: Team) -> None:
    boss = team.first()
    ana = team.person(ANA)
    ana("enroll", boss("invite", ANA, "--role", "registrar").stdout.strip())
    boss("roster", "admit", "--all", "--yes")
    assert "valid from" not in ana("invite", BEN).stderr
    boss("roster", "retire", ANA, "--at", _in(2))
    boss("roster", "sign", "--yes")
    boss("sync")
    team.here.clock = lambda: _in(10)
    said = ana("invite", BEN, code=1).stderr
    assert "until" in said
    assert "a registrar has to list your key" in said


def _in(seconds: int) -> str:
    return rfc3339(datetime.now(UTC) + timedelta(seconds=seconds))


def test_a_reviewer_neither_invites_nor_admits(team: Team) -> None:
    boss = team.first()
    ana = team.person(ANA)
    ana("enroll", boss("invite", ANA, "--role", "reviewer").stdout.strip())
    boss("roster", "admit", ANA, "--yes")
    for words in (("invite", BEN), ("enroll", "pending"), ("roster", "admit", BEN)):
        assert "that is for a registrar" in ana(*words, code=1).stderr


def test_somebody_who_does_not_wait_is_not_admitted(team: Team) -> None:
    boss = team.first()
    assert "does not wait" in boss("roster", "admit", ANA, code=2).stderr
    assert "name whom to admit" in boss("roster", "admit", code=2).stderr
    assert "Nobody waits." in boss("roster", "admit", "--all").stderr


def test_whoever_was_invited_without_a_role_needs_one_to_be_admitted(team: Team) -> None:
    boss = team.first()
    team.person(ANA)("enroll", boss("invite", ANA).stdout.strip())
    assert "say what they may do with --role" in boss("roster", "admit", ANA, code=2).stderr
    boss("roster", "admit", ANA, "--role", "auditor", "--yes")
    shown = json.loads(boss("roster", "show", "--json").stdout)[0]
    assert shown["people"][0]["roles"] == ["auditor"]


def test_with_two_registrars_the_draft_is_left_for_the_other(team: Team) -> None:
    boss = team.first()
    ana, ben = team.person(ANA), team.person(BEN)
    ana("enroll", boss("invite", ANA, "--role", "registrar").stdout.strip())
    boss("roster", "admit", ANA, "--yes")
    boss("roster", "set-threshold", "2")
    ben("enroll", boss("invite", BEN, "--role", "reviewer").stdout.strip())
    said = boss("roster", "admit", BEN, "--yes").stderr
    assert "signed by 1 of the 2 people" in said
    assert "muster roster export" in said
    assert roster.draft(team.db(BOSS)) is not None
    assert json.loads(boss("roster", "show", "--json").stdout)[0]["version"] == 2


def test_a_change_that_waits_for_the_log_goes_with_an_admission(team: Team) -> None:
    boss = team.first()
    ana = team.person(ANA)
    ana("enroll", boss("invite", ANA, "--role", "reviewer").stdout.strip())
    boss("roster", "set", BOSS, "--role", "registrar", "--role", "auditor")
    said = boss("roster", "sign", "--yes").stderr
    assert "in force once the central log has it: muster sync" in said
    assert "muster sync puts it in force" in boss("roster", "show").stderr
    boss("roster", "admit", ANA, "--yes")
    with team.here.store.reading() as tx:
        assert tx.value("SELECT count(*) FROM record WHERE kind = 'roster'") == 2
    in_force = roster.current(team.db(BOSS))
    assert in_force is not None
    assert in_force.version == 2
    assert {p.principal: p.roles for p in in_force.people} == {
        BOSS: ("registrar", "auditor"), ANA: ("reviewer",)
    }  # fmt: skip


def test_invitations_of_the_server_machine_let_in_as_well(team: Team) -> None:
    boss = team.first()
    made = _enrolling.invitation(team.here, team.url, ANA, ("auditor",))
    team.person(ANA)("enroll", team.url, "--invite", made.partition("#")[2].join(("#", "")))
    rows = json.loads(boss("enroll", "pending", "--json").stdout)
    assert [(r["principal"], r["roles"], r["by"]) for r in rows] == [
        (ANA, ["auditor"], "the server's machine")
    ]


def test_a_clock_that_is_off_is_told_by_how_much(team: Team) -> None:
    boss = team.first()
    team.here.clock = lambda: _in(-3_600)
    said = boss("invite", ANA, code=1).stderr
    assert re.search(r"your clock is 3\d\d\d s off the server's: set it", said)
    assert len(said.splitlines()) == 1


# --- muster doctor


def session_line(run: Run, code: int = 0) -> tuple[str, str]:
    """(state, what was found) of the doctor's line about the session."""
    rows = json.loads(run("doctor", "--json", code=code).stdout)
    [row] = [row for row in rows if row["check"] == "session"]
    return row["state"], row["found"]


def test_doctor_says_whether_a_session_can_be_had(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss, ana = team.first(), team.person(ANA)
    assert "gives SHA256:" in session_line(boss)[1]
    ana("enroll", boss("invite", ANA, "--role", "reviewer").stdout.strip())
    state, found = session_line(ana, code=1)
    assert state == "broken"
    assert "is not on the roster: a registrar has to admit you" in found
    monkeypatch.delenv("MUSTER_KEY_PASSPHRASE_FILE")
    assert "the key would have to be unlocked" in session_line(boss)[1]


def test_doctor_tells_a_server_that_does_not_answer_from_one_that_refuses(
    team: Team, tmp_path: Path
) -> None:
    boss = team.first()
    team.db(BOSS).execute("UPDATE central SET url = 'http://127.0.0.1:9'")
    state, found = session_line(boss)
    assert state == "warning"
    assert "nothing listens there" in found


def test_without_a_central_log_doctor_says_nothing_of_a_session(team: Team) -> None:
    rows = json.loads(team.person(ANA)("doctor", "--json").stdout)
    assert "session" not in {row["check"] for row in rows}
