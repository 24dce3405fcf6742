"""What each rule hits, and what it must leave alone: outside parties, conduct, review.

Every test builds a small estate of its own; the near misses beside each hit are the claim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.policy.conftest import Estate

OLD, NEW = "2024-02-01T00:00:00Z", "2026-11-15T00:00:00Z"


def test_third_party_unreviewed(estate: Estate) -> None:
    reviewed = {"reviewed_at": NEW}
    year_ago = "2025-11-30T00:00:00Z"
    suppliers: list[dict[str, object]] = [
        {"uid": "good", "tenant_uids": '["100000000001", "idp.good.example"]', **reviewed},
        {"uid": "stale", "display_name": "Stale", "tenant_uids": '["100000000002"]',
         "reviewed_at": "2024-01-01T00:00:00Z"},
        {"uid": "never", "display_name": "Never", "tenant_uids": '["100000000003"]'},
        {"uid": "ended", "display_name": "Ended", "contract_ends_at": OLD, **reviewed},
        {"uid": "off", "display_name": "Off", "active": 0, **reviewed},
        {"uid": "due", "display_name": "Due", "reviewed_at": year_ago},
    ]  # fmt: skip
    for values in suppliers:
        estate.row("supplier", **values)

    def trusting(account: str, **values: object) -> int:
        subject = estate.identity(f"role {account} {values}", kind="role")
        uid = account if ":" in account else f"arn:aws:iam::{account}:root"
        estate.row("trust", identity_id=subject, from_uid=uid, **values)
        return subject

    def held(supplier: str) -> int:
        return estate.identity(f"held by {supplier}", supplier=supplier)

    def arn(account: str) -> str:
        return f"arn:aws:iam::{account}:root"

    expected = {
        trusting("100000000002"): f"{arn('100000000002')} of Stale: last reviewed 2024-01-01",
        trusting("100000000003"): f"{arn('100000000003')} of Never: never reviewed",
        trusting("999999999999"): f"{arn('999999999999')}: no supplier on record",
        trusting("999999999998", supplier="Ghost"):
            f"{arn('999999999998')} of Ghost: not in the supplier register",
        held("ended"): "held by Ended: contract ended 2024-02-01",
        held("OFF"): "held by Off: is no longer a supplier",
        held("who"): "held by who: not in the supplier register",
    }  # fmt: skip
    two = trusting("100000000003")
    estate.row("trust", identity_id=two, from_uid=arn("999999999999"))
    expected[two] = f"{arn('100000000003')} of Never: never reviewed; 1 more"
    trusting("100000000001")
    trusting("https://idp.good.example/realm")
    not_theirs = trusting("https://not-idp.good.example")
    expected[not_theirs] = "https://not-idp.good.example: no supplier on record"
    trusting("999999999999", is_external=0)
    trusting("999999999999", absent_since=OLD)
    held("good")
    due = held("due")
    assert estate.hits("third-party-unreviewed") == expected
    assert set(estate.hits("third-party-unreviewed", max_days=300)) == {*expected, due}


def test_shared_reused(estate: Estate) -> None:
    def used(name: str, *consumers: str, **values: str) -> int:
        subject = estate.identity(name, **values)
        for n, consumer in enumerate(consumers):
            kind = "host" if n % 2 else "workload"
            estate.row("usage", identity_id=subject, consumer=consumer, consumer_kind=kind)
        return subject

    two = used("two", "api", "batch")
    five = used("five", "e", "d", "c", "b", "a")
    used("one", "api")
    used("the same one twice", "api", "api")
    used("a human at two hosts", "a", "b", kind="human")
    past = used("past", "a")
    estate.row("usage", identity_id=past, consumer="b", absent_since=OLD)
    person = used("with a person", "a")
    estate.row("usage", identity_id=person, consumer="Ann", consumer_kind="person")
    assert estate.hits("shared-reused") == {
        two: "used by 2: api, batch", five: "used by 5: a, b, c …",
    }  # fmt: skip
    assert set(estate.hits("shared-reused", max_consumers=2)) == {five}


def test_human_use(estate: Estate) -> None:
    seen = {"consumer_kind": "person", "consumer": "console sign-in"}
    expected = {}
    for kind in ("service", "system", "workload", "app", "agent", "role", "human"):
        subject = estate.identity(kind, kind=kind)
        estate.row("usage", identity_id=subject, last_at=NEW, how="password", **seen)
        if kind not in ("role", "human"):
            expected[subject] = "console sign-in by password, last on 2026-11-15"
    machine = estate.identity("machine")
    estate.row("usage", identity_id=machine, consumer_kind="host")
    past = estate.identity("past")
    estate.row("usage", identity_id=past, absent_since=OLD, **seen)
    assert estate.hits("human-use") == expected


def test_secret_exposed(estate: Estate) -> None:
    def seen(name: str, **values: str | None) -> int:
        subject = estate.identity(name)
        estate.row("sighting", identity_id=subject, **{"seen_at": "2026-06-01T00:00:00Z", **values})
        return subject

    def with_key(name: str, **values: str | None) -> int:
        subject = seen(name, credential_uid=f"AKIA-{name}")
        estate.row("credential", identity_id=subject, uid=f"AKIA-{name}", **values)
        return subject

    expected = {
        seen("leak"): "leaked: github.com/x on 2026-06-01",
        seen("plain", what="plain_text", place="Jenkins job", seen_at=None):
            "in plain text: Jenkins job",
        seen("misuse", what="misuse", place="host x"): "misused: host x on 2026-06-01",
        with_key("still good", created_at=OLD): "leaked: github.com/x on 2026-06-01",
        seen("of a key nobody knows", credential_uid="AKIA0"):
            "leaked: github.com/x on 2026-06-01",
    }  # fmt: skip
    with_key("switched off", status="disabled")
    with_key("deleted", absent_since=NEW)
    with_key("rotated since", created_at=OLD, last_rotated_at=NEW)
    seen("withdrawn", absent_since=NEW)
    assert estate.hits("secret-exposed") == expected


def test_cross_environment(estate: Estate) -> None:
    for uid, tier in (("live", "prod"), ("staging", "nonprod"), ("lab", "dev")):
        estate.row("environment", uid=uid, tier=tier)
    prod_right = estate.row("entitlement", display_name="deploy", environment="live")
    lab_right = estate.row("entitlement", display_name="test", environment="lab")

    def reach(name: str, *, home: str | None = None, used: str = "", rights: tuple[int, ...] = (),
              kind: str = "service") -> int:  # fmt: skip
        subject = estate.identity(name, environment=home, kind=kind)
        for place in used.split():
            estate.row("usage", identity_id=subject, environment=place)
        for right in rights:
            estate.row("grant", identity_id=subject, entitlement_id=right)
        return subject

    expected = {
        reach("home and use", home="live", used="staging"): "lives in live; used from staging",
        reach("two rights", rights=(prod_right, lab_right)): "deploy in live; test in lab",
        reach("use and right", used="LIVE", rights=(lab_right,)): "used from LIVE; test in lab",
        reach("home lab", home="lab", rights=(prod_right,)): "deploy in live; lives in lab",
        reach("by the tier's name", used="prod dev"): "used from prod; used from dev",
    }
    reach("all prod", home="live", used="live", rights=(prod_right,))
    reach("two test ones", home="lab", used="staging")
    reach("unregistered", home="live", used="blue")
    reach("a human", home="live", used="lab", kind="human")
    past = reach("past", home="live")
    estate.row("usage", identity_id=past, environment="lab", absent_since=OLD)
    assert estate.hits("cross-environment") == expected


def test_reactivated(estate: Estate) -> None:
    june, july = "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"
    early = estate.run(imported_at=NEW, exported_at="2026-05-01T00:00:00Z")

    def decided(name: str, *verdicts: str, **values: object) -> int:
        subject = estate.identity(name, **values)
        for n, verdict in enumerate(verdicts):
            estate.decide(verdict, subject, subject, at=(june, july)[n])
        return subject

    told = "by a decision of 2026-06-01, still active in the export of 2026-11-20"
    expected = {
        decided("revoked", "revoke"): f"revoked {told}",
        decided("disabled", "disable"): f"disabled {told}",
        decided("then abstained", "revoke", "abstain"): f"revoked {told}",
        decided("twice", "approve", "revoke"): f"revoked {told.replace('06-01', '07-01')}",
    }
    decided("approved", "approve")
    decided("superseded", "revoke", "approve")
    decided("carried out", "revoke", status="disabled")
    decided("gone", "revoke", absent_since=NEW)
    decided("not looked at since", "revoke", last_seen_run=early)
    owner = estate.identity("its key")
    key = estate.row("credential", identity_id=owner, uid="AKIA1")
    estate.decide("revoke", key, owner, at=june, of="credential")
    expected[owner] = f"credential AKIA1: revoked {told}"
    stopped = estate.identity("its dead key")
    key = estate.row("credential", identity_id=stopped, status="disabled")
    estate.decide("revoke", key, stopped, at=june, of="credential")
    holder = estate.identity("its grant")
    grant = estate.row("grant", identity_id=holder, entitlement_uid="Admin")
    estate.decide("revoke", grant, holder, at=june, of="grant")
    expected[holder] = f"grant Admin: revoked {told}"
    truster = estate.identity("its trust")
    trust = estate.row("trust", identity_id=truster, from_uid="acme")
    estate.decide("disable", trust, truster, at=june, of="trust")
    expected[truster] = f"trust in acme: disabled {told}"
    alive = estate.identity("stopped at night", uid="night")
    estate.stop("identity", alive, at=june)
    expected[alive] = f"disabled {told}"
    back = estate.identity("approved after the night", uid="back")
    estate.stop("identity", back, at=june)
    estate.decide("approve", back, back, at=july)
    assert estate.hits("reactivated") == expected


def test_emergency_unreviewed(estate: Estate) -> None:
    june, july, may = "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z", "2026-05-01T00:00:00Z"
    estate.run()

    def stopped(name: str, **values: object) -> int:
        subject = estate.identity(name, uid=name, **values)
        estate.stop("identity", subject, at=june)
        return subject

    def reviewed(subject: int, verdict: str, at: str, uri: str, of: str = "identity") -> None:
        estate.decide(verdict, subject, subject, at=at, of=of)
        with estate.db.atomic():
            estate.db.execute("DROP TRIGGER decision_is_final")
            estate.db.execute(
                "UPDATE decision SET uri = ? WHERE entry_id = (SELECT max(id) FROM entry)", (uri,)
            )
            estate.db.execute("CREATE TRIGGER decision_is_final BEFORE UPDATE ON decision"
                              " BEGIN SELECT raise(ABORT, 'never'); END")  # fmt: skip

    source = estate.db.value("SELECT uid FROM source")
    told = "disabled in an emergency on 2026-06-01"
    expected = {stopped("alive"): told, stopped("off by now", status="disabled"): told}
    for name, verdict, at, counts in (
        ("decided", "approve", july, True), ("abstained", "abstain", july, False),
        ("decided before", "approve", may, False),
    ):  # fmt: skip
        subject = stopped(name)
        reviewed(subject, verdict, at, f"muster:{source}/identity/{name}")
        if not counts:
            expected[subject] = told
    void = stopped("void")
    estate.row("void_entry", entry_id=estate.db.value("SELECT max(id) FROM entry"), why="stolen")
    for n, (of, counts) in enumerate((("identity", True), ("grant", False))):
        owner = estate.identity(f"holder {n}", uid=f"holder{n}")
        key = estate.row("credential", identity_id=owner, uid=f"AKIA{n}")
        estate.stop("credential", key, at=june)
        reviewed(owner, "approve", july, f"muster:{source}/{of}/holder{n}", of)
        if not counts:
            expected[owner] = f"credential AKIA{n}: {told}"
    found = estate.hits("emergency-unreviewed")
    assert found == expected
    assert void not in found


def test_weak_auth(estate: Estate) -> None:
    def password(name: str, mfa: int | None, **values: str) -> int:
        subject = estate.identity(name, kind="human", has_mfa=mfa)
        given = {"credential_detail": "aws.console_password", **values}
        estate.row("credential", identity_id=subject, **given)
        return subject

    def flagged(name: str, *flags: str) -> int:
        words = ", ".join(f'"{flag}"' for flag in flags)
        return estate.identity(name, attributes=f'{{"ad.ldif": {{"flags": [{words}]}}}}')

    expected = {
        password("no mfa", 0): "password sign-in without a second factor",
        flagged("roastable", "no Kerberos pre-authentication"): "no Kerberos pre-authentication",
        flagged("two", "password not required", "DES keys only", "password never expires"):
            "DES keys only; 1 more",
    }  # fmt: skip
    anyone = estate.identity("anyone", kind="role")
    estate.row(
        "trust", identity_id=anyone, from_uid="token.example", is_wildcard=1,
        subject_pattern="repo:*",
    )  # fmt: skip
    expected[anyone] = "anybody at token.example may become it: repo:*"
    static = estate.identity("static")
    estate.row("credential", identity_id=static)
    estate.row("usage", identity_id=static, consumer="ci")
    expected[static] = "static key in the workload ci, where a role needs none"

    password("mfa", 1)
    password("not said", None)
    password("no password", 0, credential_detail="aws.access_key")
    password("password off", 0, status="disabled")
    flagged("harmless flag", "password never expires")
    estate.identity("not a list", attributes='{"ad.ldif": {"flags": null}}')
    bound = estate.identity("bound", kind="role")
    estate.row("trust", identity_id=bound)
    by_host = estate.identity("at a host")
    estate.row("credential", identity_id=by_host)
    estate.row("usage", identity_id=by_host, consumer_kind="host")
    keyless = estate.identity("keyless")
    estate.row("credential", identity_id=keyless, credential_type="federated",
               credential_detail="k8s.token")  # fmt: skip
    estate.row("usage", identity_id=keyless)
    assert estate.hits("weak-auth") == expected


def test_not_reviewed(estate: Estate) -> None:
    def reviewed(name: str, verdict: str, at: str, **values: str) -> int:
        subject = estate.identity(name, **{"created_at": OLD, **values})
        estate.decide(verdict, subject, subject, at=at)
        return subject

    long_ago = "2026-05-14T00:00:00Z"
    expected = {
        reviewed("long ago", "approve", long_ago): "last reviewed 2026-05-14",
        reviewed("abstained", "abstain", NEW): "never reviewed",
        estate.identity("never", created_at=OLD): "never reviewed",
        estate.identity("undated"): "never reviewed",
        estate.identity("human", kind="human", created_at=OLD): "never reviewed",
    }
    recently = reviewed("recently", "revoke", "2026-10-10T00:00:00Z")
    estate.identity("younger than the period", created_at=NEW)
    estate.identity("laptop", kind="system", nhi_detail="ad.computer", created_at=OLD)
    part = estate.identity("only its key", created_at=OLD)
    key = estate.row("credential", identity_id=part)
    estate.decide("approve", key, part, at=NEW, of="credential")
    expected[part] = "never reviewed"
    assert estate.hits("not-reviewed") == expected
    assert set(estate.hits("not-reviewed", max_days=30)) == {*expected, recently}


def test_ai_agent_unsupervised(estate: Estate) -> None:
    full = {"kind": "agent", "purpose": "triage", "acts_for": "support"}

    def agent(name: str, owner: str | None, **values: str | None) -> int:
        subject = estate.identity(name, **{**full, **values})
        estate.row("owner", identity_id=subject, handle="x", team_uid=owner, role="sponsor")
        return subject

    expected = {
        agent("unmatched owner", None): "not recorded: owner",
        agent("no purpose", "t", purpose=""): "not recorded: purpose",
        agent("for nobody", "t", acts_for=None): "not recorded: for whom it acts",
        agent("no switch", "t", status="unknown"): "not recorded: whether it is switched on",
        agent("nothing", None, purpose=None, acts_for=None, status="unknown"):
            "not recorded: owner, purpose, for whom it acts, whether it is switched on",
    }  # fmt: skip
    agent("well kept", "t")
    estate.identity("a service without anything")
    assert estate.hits("ai-agent-unsupervised") == expected
