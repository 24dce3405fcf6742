"""The filter language: what each qualifier selects, and that no input ever becomes SQL."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from passmuster import filters, policy, store
from passmuster.config import Settings
from passmuster.errors import FilterError
from passmuster.filters import FRAME, KEYS, _keys, apart, compile_filter, whole

NOW = "2026-11-22T00:00:00Z"
OLD = "2024-02-01T00:00:00Z"


def _insert(db: store.Database, table: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def _person(n: int, **values: Any) -> dict[str, Any]:
    given_name = values["display_name"]
    return {
        "id": n, "source_id": 1, "uid": f"arn:aws:iam::111:user/{given_name}", "kind": "service",
        "kind_origin": "stated", "status": "enabled", "last_used_state": "unknown",
        "attributes": "{}", "first_seen_run": 1, "last_seen_run": 2, "has_mfa": None, **values,
    }  # fmt: skip


SEEN: dict[str, Any] = {"source_id": 1, "first_seen_run": 1, "last_seen_run": 2}


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[store.Database]:
    """Eight identities, each of which something can be said about."""
    made = store.create(tmp_path_factory.mktemp("w") / "workspace")
    for n, platform in ((1, "aws"), (2, "kubernetes")):
        _insert(made, "source", [{
            "id": n, "uid": f"{platform}:{n}11", "platform": platform, "tenant_uid": f"{n}11",
            "name": ("prod account", None)[n - 1],
        }])  # fmt: skip
    for batch, source in enumerate((1, 1, 2), 1):
        _insert(made, "import_run", [{
            "batch": batch, "source_id": source, "format": "f", "file_name": "n",
            "sha256": "0", "size": 1, "imported_at": NOW,
            "tool_version": "0", "options": "{}", "identities": 1,
            "supplies": '["usage", "owner", "credential", "grant"]',
        }])  # fmt: skip
    _insert(made, "identity", [
        _person(1, display_name="ci-deploy", uid_alt="CI=deploy", last_used_state="known",
                last_used_at="2025-10-08T00:00:00Z", created_at=OLD, environment="live"),
        _person(2, display_name="svc_backup", kind="workload", last_used_state="never",
                created_at=OLD, is_privileged=1, supplier="acme", is_locked=1),
        _person(3, display_name="ann", kind="human", last_used_state="known", has_mfa=1,
                last_used_at="2026-11-20T00:00:00Z", created_at="2026-11-01T00:00:00Z"),
        _person(4, display_name="100%", kind="human", has_mfa=0, status="disabled"),
        _person(5, display_name="admins", kind="group"),
        _person(6, display_name="gone", absent_since=OLD),
        _person(7, display_name="two words", source_id=2, is_external=1, first_seen_run=3,
                last_seen_run=3, last_used_state="not_tracked"),
        _person(8, display_name="new", first_seen_run=2, external_id="AIDAX"),
    ])  # fmt: skip
    _insert(made, "person", [{
        **SEEN, "uid": "p1", "email": "ann@example.com", "display_name": "Ann Ito", "active": 1,
        "aliases": "[]", "teams": "[]",
    }])  # fmt: skip
    _insert(made, "team", [{**SEEN, "uid": "t1", "display_name": "Ops", "aliases": "[]"}])
    owner = {**SEEN, "role": "owner", "origin": "tag"}
    _insert(
        made,
        "owner",
        [
            {**owner, "identity_uid": "a", "identity_id": 1, "handle": "aito", "person_uid": "p1"},
            {**owner, "identity_uid": "b", "identity_id": 2, "handle": "none", "team_uid": None},
            {**owner, "identity_uid": "c", "identity_id": 8, "handle": "o-team", "team_uid": "t1"},
        ],
    )
    credential = {
        **SEEN, "identity_uid": "x", "credential_detail": "aws.access_key", "status": "enabled",
        "last_used_state": "unknown", "attributes": "{}",
    }  # fmt: skip
    _insert(made, "credential", [
        {**credential, "identity_id": 1, "uid": "AKIA1", "credential_type": "static_secret",
         "expires_state": "none"},
        {**credential, "identity_id": 2, "uid": "AKIA2", "credential_type": "token",
         "expires_state": "set", "expires_at": "2026-12-01T00:00:00Z"},
        {**credential, "identity_id": 3, "uid": "AKIA3", "credential_type": "token",
         "expires_state": "set", "expires_at": "2026-01-01T00:00:00Z"},
        {**credential, "identity_id": 8, "uid": "AKIA4", "credential_type": "certificate",
         "expires_state": "set", "expires_at": "2028-01-01T00:00:00Z"},
    ])  # fmt: skip
    _insert(made, "entitlement", [{
        **SEEN, "id": 1, "uid": "e1", "display_name": "AdministratorAccess",
        "purpose": "permission", "permission_level": "admin", "attributes": "{}",
    }])  # fmt: skip
    _insert(made, "grant", [{
        **SEEN, "principal_uid": "x", "entitlement_uid": "e1", "via": "direct", "identity_id": 2,
        "entitlement_id": 1,
    }])  # fmt: skip
    trust = {**SEEN, "from_uid": "x", "from_kind": "account", "mechanism": "assume_role"}
    _insert(
        made,
        "trust",
        [
            {**trust, "to_identity_uid": "a", "identity_id": 1, "is_external": 1, "is_wildcard": 0},
            {**trust, "to_identity_uid": "b", "identity_id": 7, "is_external": 1, "is_wildcard": 1},
            {**trust, "to_identity_uid": "c", "identity_id": 8, "is_external": 0, "is_wildcard": 0},
        ],
    )
    _insert(made, "usage", [{
        **SEEN, "identity_uid": "x", "identity_id": 2, "consumer": "Ann", "consumer_kind": "person",
    }])  # fmt: skip
    _insert(made, "environment", [{
        **SEEN, "uid": "live", "display_name": "Live systems", "tier": "prod", "matches": "[]",
    }])  # fmt: skip
    _insert(made, "supplier", [{
        **SEEN, "uid": "acme", "display_name": "Acme Ltd", "tenant_uids": "[]", "active": 1,
    }])  # fmt: skip
    _decide(made)
    policy.evaluate(made, Settings(), NOW)
    yield made
    made.close()


def _decide(db: store.Database) -> None:
    _insert(db, "campaign", [{
        "id": 1, "name": "c", "item_kind": "identity", "scope": "", "due_at": NOW,
        "opened_at": NOW, "opened_by": "me", "population": 3, "excluded": 0, "definition": "",
    }])  # fmt: skip
    _insert(db, "entry", [{
        "id": 1, "leaf": "l", "statement": "s", "predicate": "p", "principal": "me", "device": "d",
        "seq": 1, "envelope": b"{}", "logged_at": NOW,
    }])  # fmt: skip
    for n, verdict, at in (
        (1, "approve", "2026-01-01T00:00:00Z"), (2, "approve", "2026-11-01T00:00:00Z"),
        (3, "abstain", "2026-11-01T00:00:00Z"),
    ):  # fmt: skip
        _insert(db, "item", [{
            "id": n, "campaign_id": 1, "uri": f"u{n}", "subject_id": n, "identity_id": n,
            "reviewer": "me", "assigned": "rule", "risk": 0, "dossier": "d", "material": "m",
            "chunk": "c", "position": 0, "salt": "s",
        }])  # fmt: skip
        _insert(db, "decision", [{
            "leaf": f"d{n}", "item_id": n, "entry_id": 1, "identity_id": n, "uri": f"u{n}",
            "verdict": verdict, "changes": "[]", "reason_text": "", "material": "m",
            "principal": "me", "decided_at": at, "row": "{}",
        }])  # fmt: skip


def _select(db: store.Database, expression: str, **options: bool) -> set[int]:
    found = compile_filter(expression, NOW, **options)
    sql = f"SELECT l.identity_id {FRAME} WHERE {found.sql}"
    return {row[0] for row in db.execute(sql, found.params)}


SHOWN = {1, 2, 3, 4, 7, 8}

SELECTS = {
    "": SHOWN,
    # words
    "ci": {1}, "CI": {1}, "dep ci": {1}, "-ci": SHOWN - {1}, '"two words"': {7}, "two words": {7},
    "two -words": set(), "svc_": {2}, "100%": {4}, "%": {4}, "arn:aws:iam::111:user/ann": {3},
    "muster:aws:111/identity/arn%3Aaws%3Aiam%3A%3A111%3Auser%2Fann": {3},
    "muster:aws:111/credential/AKIA2": {2}, "muster:": set(),
    "CI=d": {1}, "AIDAX": {8}, "AKIA2": {2}, "AKIA": set(), "-AKIA2": SHOWN - {2}, '"-"': {1},
    '"kind:service"': set(), "user/": SHOWN,
    # qualifiers
    "kind:human": {3, 4}, "kind:group": {5}, "kind:human,workload": {2, 3, 4},
    "KIND:Human": {3, 4}, "-kind:human": {1, 2, 7, 8}, "-kind:service,human": {2},
    "kind:human -ann": {4},
    "owner:none": {3, 4, 7}, "-owner:none": {1, 2, 8}, "owner:unmatched": {2},
    "owner:ann@example.com": {1}, "owner:nn@example.com": set(), "owner:ito": {1},
    "owner:@example": {1}, 'owner:"none"': {2}, "owner:none,ito": {1, 3, 4, 7},
    'owner:"ann ito"': {1}, 'owner:"=ann ito"': {1}, 'owner:="Ann Ito"': {1}, "owner:=ito": set(),
    "owner:=aito": {1}, "owner:=ann@example.com": {1}, "owner:=none": {2},
    "owner:=ops,=aito": {1, 8}, "owner:ops": {8},
    "source:aws-1": SHOWN - {7}, "source:aws:111": SHOWN - {7}, 'source:"prod acc"': SHOWN - {7},
    "source:zzz": set(), "platform:kubernetes": {7}, "platform:AWS": SHOWN - {7},
    "env:prod": {1}, "env:live": {1}, 'env:"live systems"': {1}, "env:dev": set(),
    "env:none": SHOWN - {1}, "-env:prod": SHOWN - {1},
    "status:disabled": {4}, "-status:enabled": {4}, "privileged:yes": {2},
    "privileged:no": SHOWN - {2},
    "unused:>90d": {1, 2}, "unused:>3m": {1, 2}, "unused:>9y": set(), "unused:never": {2},
    "unused:unknown": {4, 7, 8}, "unused:<7d": {3}, "-unused:>90d": {3, 4, 7, 8},
    "age:>90d": {1, 2}, "age:<30d": {3}, "age:unknown": {4, 7, 8},
    "created:<2024-02-02": {1, 2}, "created:>2026-01-01": {3}, "created:>1y": {1, 2},
    "expires:<30d": {2}, "expires:none": {1}, "expires:past": {3}, "expires:>365d": {8},
    "expires:<2026-12-31,none": {1, 2},
    "finding:unused": {1, 2}, "finding:any": {1, 2, 7, 8}, "finding:none": {3, 4},
    "-finding:unused": {3, 4, 7, 8}, "severity:medium": {1, 7}, "severity:high": {2},
    "severity:none": {3, 4}, "risk:0": {3, 4}, "risk:>=1": {1, 2, 7, 8}, "risk:<1": {3, 4},
    "supplier:none": SHOWN - {2}, "supplier:ACM": {2}, 'supplier:"acme ltd"': {2},
    "supplier:=acme": {2}, 'supplier:"=Acme Ltd"': {2}, "supplier:=acm": set(),
    "-supplier:acme": SHOWN - {2},
    "external:yes": {7}, "external:no": SHOWN - {7},
    "trust:external": {1, 7}, "trust:wildcard": {7}, "trust:any": {1, 7, 8},
    "trust:none": {2, 3, 4}, "intake:new": {8}, "intake:any": {8},
    "intake:asked": set(), "new:yes": {7, 8}, "new:no": {1, 2, 3, 4},
    "absent:yes": {6}, "absent:any": {*SHOWN, 6}, "absent:no": SHOWN,
    "-absent:yes": SHOWN, "reviewed:never": {3, 4, 7, 8}, "reviewed:>90d": {1, 3, 4, 7, 8},
    "reviewed:<90d": {2}, "-reviewed:never": {1, 2},
    "cred:token": {2, 3}, "cred:none": {4, 7}, "grant:admin": {2}, "-grant:admin": SHOWN - {2},
    "mfa:yes": {3}, "mfa:no": {4}, "mfa:unknown": {1, 2, 7, 8}, "locked:yes": {2},
    "person_use:yes": {2}, "person_use:no": SHOWN - {2},
}  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), SELECTS.items(), ids=SELECTS)
def test_a_filter_selects(db: store.Database, expression: str, expected: set[int]) -> None:
    assert _select(db, expression) == expected


def test_every_key_is_tried_and_every_offered_value_works(db: store.Database) -> None:
    used = {key for e in SELECTS for key in re.findall(r"([a-z_]+):", e)}
    of_items = {name for name, key in _keys.keys().items() if key.of_item}
    assert set(KEYS) - of_items <= used  # those are tried in tests/campaigns/test_queue.py
    for key, (words, values) in KEYS.items():
        assert words
        for value in values if key not in of_items else ():
            _select(db, f"{key}:{value}")


def test_words_and_qualifiers_are_told_apart() -> None:
    typed = 'jane "two words" -kind:service owner:"=Ann Ito" arn:aws:x'
    assert apart(typed) == (
        ["jane", "two words", "arn:aws:x"], '-kind:service owner:"=Ann Ito"'
    )  # fmt: skip
    assert apart("") == ([], "")
    with pytest.raises(FilterError, match="only a qualifier") as error:
        apart("kind:service -jane")
    assert error.value.position == 13


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
@example("none")
@example('a "quoted" name')
@example('""')
@example(" , ")
@example("-x:y")
def test_a_whole_name_of_any_kind_is_asked_for_and_nothing_else(name: str) -> None:
    for key in ("owner", "supplier"):
        found = compile_filter(whole(key, name), NOW, defaults=False)
        if '"' not in name:
            assert set(found.params) == {name}


def test_what_only_a_queue_knows_is_refused_elsewhere() -> None:
    with pytest.raises(FilterError, match="queue of a campaign"):
        compile_filter("ci state:open", NOW)
    assert compile_filter("state:open", NOW, items=True).params == ["open"]


def test_a_queue_hides_nothing_by_itself(db: store.Database) -> None:
    assert _select(db, "", defaults=False) == {*SHOWN, 5, 6}
    assert _select(db, "gone", defaults=False) == {6}


WRONG = {
    "knd:service": (0, "did you mean kind?"),
    "ci kind:servce": (8, "did you mean service?"),
    "kind:service,servce": (13, "did you mean service?"),
    "-kind:servce": (6, "did you mean service?"),
    "kind:": (5, "needs a value: human"),
    "kind:service,": (13, "needs a value"),
    'owner:""': (6, "needs a value"),
    'ci "two': (3, "quotation mark"),
    'ci"': (0, "quotation mark"),
    'owner:"a': (0, "quotation mark"),
    "-": (0, "nothing to search for"),
    '""': (0, "nothing to search for"),
    "unused:90d": (7, "it takes >30d"),
    "unused:>90": (7, "it takes >30d"),
    "age:>99999y": (4, "it takes"),
    "created:<2026-02-30": (8, "it takes"),
    "risk:high": (5, "it takes >=90"),
    "risk:>=1000": (5, "it takes"),
    "finding:unusd": (8, "did you mean unused?"),
    "mfa:maybe": (4, "it takes yes, no, unknown"),
    "absent:maybe": (7, "it takes yes, no, any"),
    "a\0b": (1, "not a character"),
    "a\ud800": (1, "not a character"),
    "a " * 65: (128, "at most 64"),
    "kind:" + "human," * 70: (0, "at most 64"),
    "a" * 5000: (4000, "at most 4000"),
    "team:x": (0, "quote it"),
}


@pytest.mark.parametrize(("expression", "expected"), WRONG.items(), ids=range(len(WRONG)))
def test_a_mistake_is_an_error_with_its_place(expression: str, expected: tuple[int, str]) -> None:
    place, words = expected
    with pytest.raises(FilterError, match=re.escape(words)) as caught:
        compile_filter(expression, NOW)
    assert caught.value.position == place
    assert caught.value.exit_code == 2
    assert str(caught.value).isprintable()


def _vocabulary() -> re.Pattern[str]:
    """All that may stand in the SQL: the module's constants and the words that join them."""
    constants = {v for k, v in vars(_keys).items() if isinstance(v, str) and not k.startswith("__")}
    constants |= set(_keys.RISK.values())
    for key in _keys.keys().values():
        constants |= set(key.fixed.values())
    constants |= {f"NOT {_keys.REVIEWED_SINCE}", "1"}
    fragments = "|".join(re.escape(c) for c in sorted(constants, key=len, reverse=True))
    one = f"(?:{fragments})"
    term = rf"(?:{one}|\({one}(?: OR {one})*\))"
    negated = rf"(?:{term}|NOT coalesce\({term}, 0\))"
    return re.compile(rf"{negated}(?: AND {negated})*")


VOCABULARY = _vocabulary()
PIECES = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="'\"\\;-:,%_()*/ \t\n\0?@<>=1d", max_size=12),
    st.sampled_from([f"{key}:" for key in KEYS]),
    st.sampled_from([f"{key}:{value}" for key, (_, values) in KEYS.items() for value in values]),
    st.sampled_from(["' OR 1=1 --", "'; DROP TABLE identity; --", "?", "?1", ":now", "NULL"]),
)
INPUTS = st.lists(PIECES, max_size=12).flatmap(
    lambda pieces: st.sampled_from(["", " ", ","]).map(lambda glue: glue.join(pieces))
)


@given(INPUTS)
@example("kind:service owner:'x' -\"' OR 1=1 --\"")
@example("\ud800")
@example("a\\")
def test_no_input_becomes_sql_and_none_fails_or_changes_anything(
    db: store.Database, expression: str
) -> None:
    before = db.total_changes
    try:
        found = compile_filter(expression, NOW)
    except FilterError as error:
        assert 0 <= error.position <= len(expression)
        return
    assert VOCABULARY.fullmatch(found.sql), found.sql
    assert found.sql.count("?") == len(found.params)
    db.execute(f"SELECT count(*) {FRAME} WHERE {found.sql}", found.params).fetchall()
    assert db.total_changes == before


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20))
def test_any_quoted_text_is_searched_for_as_it_is(db: store.Database, words: str) -> None:
    words = words.replace('"', "")
    if not words or words.startswith("muster:"):
        return
    with_it = compile_filter(f'"{words}"', NOW)
    assert with_it.params[-1] == words
    name = f"x{words}y"
    row = db.one(
        "SELECT ? LIKE ? ESCAPE '\\', 'xy' LIKE ? ESCAPE '\\'",
        (name, with_it.params[0], with_it.params[0]),
    )
    assert row == (1, int(words.lower() in ("x", "y", "xy")))


def test_the_rules_are_known_without_importing_policy() -> None:
    assert set(policy.load_rules()) <= set(KEYS["finding"][1])
    source = Path(filters.__file__).parent
    assert not any("import policy" in f.read_text() for f in source.glob("*.py"))
