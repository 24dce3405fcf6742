"""Any table by a mapping: nothing guessed, nothing swallowed, no secret kept."""

import contextlib
import io
import json
import tomllib
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passmuster import connectors
from passmuster.connectors import Context, _secrets
from passmuster.errors import ImportRefused, UsageError
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Owner,
    Problem,
    Record,
    Sighting,
    Source,
    Trust,
    Usage,
)  # fmt: skip

T = TypeVar("T")
SOURCE = '[source]\nplatform = "acme"\ntenant = "t1"\n'
PLAIN = SOURCE + '[identity]\nuid = "id"\nkind = { constant = "service" }\n'


def of(records: list[Record], kind: type[T]) -> list[T]:
    return [r for r in records if isinstance(r, kind)]


def read(
    data: str | bytes, mapping: str = PLAIN, name: str = "generic.csv", label: str | None = None
) -> list[Record]:
    raw = data if isinstance(data, bytes) else data.encode()
    context = Context(source_label=label, mapping=tomllib.loads(mapping))
    return list(connectors.read(connectors.named(name), io.BytesIO(raw), context))


def rows(*objects: dict[str, Any], mapping: str = PLAIN) -> list[Record]:
    return read("".join(json.dumps(o) + "\n" for o in objects), mapping, "generic.jsonl")


def test_every_row_becomes_an_identity_with_its_line() -> None:
    found = of(read("id,note\na,x\nb,y\n"), Identity)
    assert [(i.uid, i.line, json.loads(i.attributes)) for i in found] == [
        ("a", 2, {"note": "x"}), ("b", 3, {"note": "y"}),
    ]  # fmt: skip


def test_the_mapping_of_the_documentation_works() -> None:
    doc = connectors.named("generic.csv").parse.__globals__["__doc__"]
    block = doc.split("then what each row is made into:\n")[1].split("Without [identity]")[0]
    mapping = tomllib.loads(block)
    header = "id;label;state;made;seen;note;key_id;key_tail;roles;level;internal_note"
    data = f"{header}\n1;pay;live;31/01/2020;;;k1;wxyz;r1,r2;admin;x\n"
    records = list(connectors.named("generic.csv").parse(io.BytesIO(data.encode()),
                                                         Context(mapping=mapping)))  # fmt: skip
    assert of(records, Problem) == []
    (found,) = of(records, Identity)
    assert (found.status, found.created_at, found.last_used_state, found.purpose) == (
        "enabled", "2020-01-31T00:00:00Z", "never", "(none given)",
    )  # fmt: skip
    assert [g.entitlement_uid for g in of(records, Grant)] == ["r1", "r2"]
    assert found.attributes == "{}"


def test_all_sections_make_records() -> None:
    mapping = (
        PLAIN
        + """
[credential]
uid = "key"
credential_type = { constant = "static_secret" }
credential_detail = { constant = "acme.key" }
expires_at = "until"
[[grant]]
entitlement_uid = "role"
permission_level = "level"
[owner]
handle = "who"
[trust]
from_uid = "party"
from_kind = { constant = "tenant" }
mechanism = { constant = "consent" }
is_external = { constant = true }
[usage]
consumer = "user"
consumer_kind = { constant = "person" }
[sighting]
what = "seen"
place = "where"
"""
    )
    records = rows({"id": "a", "key": "k", "until": "none", "role": "r", "level": "admin",
                    "who": "jo@example.com", "party": "p", "user": "al", "seen": "leak",
                    "where": "paste"}, {"id": "b"}, mapping=mapping)  # fmt: skip
    assert of(records, Problem) == []
    for kind in (Credential, Entitlement, Grant, Owner, Trust, Usage, Sighting):
        assert len(of(records, kind)) == 1, "a row without the part has no such record"
    assert of(records, Credential)[0].expires_state == "none"
    assert of(records, Entitlement)[0].permission_level == "admin"
    assert of(records, Trust)[0].is_external == 1
    assert of(records, Owner)[0].origin == "import"


def test_rows_of_one_identity_with_many_grants_make_one_identity() -> None:
    mapping = PLAIN + '[grant]\nentitlement_uid = "role"\n'
    records = read("id,role\na,r1\na,r2\nb,r1\n", mapping)
    assert [i.uid for i in of(records, Identity)] == ["a", "b"]
    assert len(of(records, Grant)) == 3
    assert [e.uid for e in of(records, Entitlement)] == ["r1", "r2"]


def test_two_different_rows_of_one_uid_are_both_told() -> None:
    assert len(of(read("id,n\na,1\na,2\n"), Identity)) == 2


def test_rows_that_disagree_on_a_level_leave_the_strongest() -> None:
    mapping = PLAIN + '[grant]\nentitlement_uid = "role"\npermission_level = "level"\n'
    data = "id,role,level\na,r,read\nb,r,admin\nc,r,read\n"
    assert [e.permission_level for e in of(read(data, mapping), Entitlement)] == ["read", "admin"]


@pytest.mark.parametrize("level", ["superuser", "ADMIN"])
def test_an_unknown_level_is_a_problem_and_reads_unknown(level: str) -> None:
    mapping = PLAIN + '[grant]\nentitlement_uid = "role"\npermission_level = "level"\n'
    records = read(f"id,role,level\na,r,{level}\n", mapping)
    assert of(records, Entitlement)[0].permission_level == "unknown"
    assert of(records, Problem)[0].field == "entitlement.permission_level"


def test_an_unknown_kind_leaves_the_row_out_and_says_so() -> None:
    mapping = SOURCE + '[identity]\nuid = "id"\nkind = "k"\n'
    records = read("id,k\na,robot\nb,service\n", mapping)
    assert [i.uid for i in of(records, Identity)] == ["b"]
    assert [(p.line, p.field, p.uid) for p in of(records, Problem)] == [(2, "identity.kind", "a")]


@pytest.mark.parametrize(
    ("spec", "cell", "expected"),
    [
        ('"t"', "2026-11-01", "2026-11-01T00:00:00Z"),
        ('{ column = "t", format = "%d.%m.%Y" }', "01.11.2026", "2026-11-01T00:00:00Z"),
        ('{ column = "t", format = "epoch" }', "1793491200.25", "2026-11-01T00:00:00Z"),
        ('{ column = "t", format = "epoch_ms" }', "1793491200000", "2026-11-01T00:00:00Z"),
        ('{ column = "t", format = "%Y-%m-%d %H:%M %z" }', "2026-11-01 02:00 +0200",
         "2026-11-01T00:00:00Z"),
    ],
)  # fmt: skip
def test_dates_are_read_in_the_stated_form(spec: str, cell: str, expected: str) -> None:
    (found,) = of(read(f"id,t\na,{cell}\n", PLAIN + f"last_used_at = {spec}\n"), Identity)
    assert (found.last_used_at, found.last_used_state) == (expected, "known")


@pytest.mark.parametrize("cell", ["soon", "31/12/2026", "1e999", "-99999999999999", "nan"])
@pytest.mark.parametrize("form", ["", ', format = "epoch"', ', format = "%Y"'])
def test_a_date_that_is_none_is_a_problem_and_unknown(cell: str, form: str) -> None:
    mapping = PLAIN + f'last_used_at = {{ column = "t"{form} }}\n'
    records = read(f"id,t\na,{cell}\n", mapping)
    (found,) = of(records, Identity)
    assert (found.last_used_at, found.last_used_state) == (None, "unknown")
    assert [p.field for p in of(records, Problem)] == ["identity.last_used_at"]


@pytest.mark.parametrize(
    ("cell", "state"),
    [("", "unknown"), ("never", "never"), ("not_tracked", "not_tracked"), ("-", "never")],
)
def test_a_date_column_may_hold_a_word(cell: str, state: str) -> None:
    mapping = PLAIN + 'last_used_at = { column = "t", map = { "-" = "never" } }\n'
    (found,) = of(read(f"id,t\na,{cell}\n", mapping), Identity)
    assert (found.last_used_at, found.last_used_state) == (None, state)


@pytest.mark.parametrize(
    ("mapping", "word"),
    [
        ("", "--mapping"), (SOURCE, r"\[identity\]"), (PLAIN + 'sttaus = "x"', "status"),
        (PLAIN + '[gran]\nx = "y"', "grant"), (PLAIN + 'status = { constant = "on" }', "'on'"),
        (PLAIN + 'status = { column = "s", map = { x = "on" } }', "'on'"),
        (PLAIN + 'status = { col = "s" }', "column"), (PLAIN + "status = 1", "column"),
        (PLAIN + 'status = { column = "s", constant = "enabled" }', "either"),
        (PLAIN + '[grant]\npermission_level = "x"', "entitlement_uid"),
        (PLAIN.replace('kind = { constant = "service" }', ""), "kind"),
        (PLAIN.replace('"acme"', '"Acme Pay"'), "platform"),
        (PLAIN.replace('tenant = "t1"', ""), "--source"),
        (PLAIN.replace("[source]", "delimiter = ';;'\n[source]"), "one character"),
    ],
)  # fmt: skip
def test_a_wrong_mapping_is_refused_before_the_first_row(mapping: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        read("id,s,x\na,b,c\n", mapping)


def test_the_tenant_may_come_from_the_command_line() -> None:
    mapping = PLAIN.replace('tenant = "t1"', "")
    assert of(read("id\na\n", mapping, label="eu"), Source) == [Source("acme", "eu", "eu")]


@pytest.mark.parametrize("name", ["generic.csv", "generic.jsonl"])
def test_a_column_that_the_file_lacks_is_refused_with_the_nearest(name: str) -> None:
    data = "id,lable\na,x\n" if name == "generic.csv" else '{"id": "a", "lable": "x"}\n'
    with pytest.raises(ImportRefused, match="'label' that the file lacks; did you mean lable"):
        read(data, PLAIN + 'display_name = "label"\n', name)


@pytest.mark.parametrize(
    "column",
    ["password", "Secret", "api_key", "apiKey", "private key", "token", "token value",
     "password_hash", "clientSecret", "access-key", "SecretAccessKey", "hashed_password"],
)  # fmt: skip
def test_a_column_that_sounds_like_a_secret_is_dropped_and_never_mapped(column: str) -> None:
    if column != "hashed_password":
        assert "hunter2" not in repr(read(f"id,{column}\na,hunter2\n"))
    with pytest.raises(UsageError, match="looks like a secret"):
        read(f"id,{column}\na,b\n", PLAIN + f'purpose = "{column}"\n')


@pytest.mark.parametrize(
    "column",
    ["token_id", "password_last_changed", "secret_name", "has_password", "key_id", "passport",
     "tokenExpires", "hostname", "private_key_fingerprint", "compass"],
)  # fmt: skip
def test_a_column_about_a_secret_is_kept(column: str) -> None:
    assert not _secrets.names_secret(column)


@pytest.mark.parametrize(
    "value",
    ["ghp_" + "a1B2" * 9, "sk-" + "a1B2" * 9, "glpat-" + "a1B2" * 5,
     "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig", "-----BEGIN RSA PRIVATE KEY-----",
     "$2b$12$abcdefghijklmnopqrstuv", "{SSHA}abcdefghijklmn", "postgres://a:b4d@db/x"],
)  # fmt: skip
def test_a_value_that_looks_like_a_secret_is_kept_nowhere(value: str) -> None:
    records = rows(
        {"id": "a", "note": value, "deep": {"x": [value]}, "d": value}, {"id": value},
        mapping=PLAIN + 'purpose = "d"\n',
    )  # fmt: skip
    assert value not in repr(records)
    assert [i.uid for i in of(records, Identity)] == ["a"]
    assert len(of(records, Problem)) == 2


def test_of_a_key_only_the_last_four_characters_are_kept() -> None:
    mapping = (
        PLAIN
        + """[credential]
uid = "id"
credential_type = { constant = "token" }
credential_detail = { constant = "x" }
hint = "token"
"""
    )
    found = of(read("id,token\na,abcdefghijklmnop\nb,short12\nc,****wxyz\n", mapping), Credential)
    assert [c.hint for c in found] == ["mnop", None, "wxyz"]


def test_a_quote_that_is_never_closed_is_refused_with_its_line() -> None:
    with pytest.raises(ImportRefused, match="line 3: a quote"):
        read('id,note\na,x\nb,"y\nc,z\nd,z\n')


def test_rows_that_a_quote_swallowed_are_told() -> None:
    records = read('id,note\na,x\nb,"y\nc,z\nd,"\ne,x\n')
    assert [i.uid for i in of(records, Identity)] == ["a", "e"]
    assert [p.line for p in of(records, Problem)] == [3]
    assert "up to line 5" in of(records, Problem)[0].why


def test_a_note_of_several_lines_is_a_note() -> None:
    (found,) = of(read('id,note\na,"one\ntwo"\n'), Identity)
    assert json.loads(found.attributes) == {"note": "one\\x0atwo"}


def test_a_row_with_a_wrong_number_of_columns_is_told() -> None:
    records = read("id,note\na\nb,x,y\nc,z\n")
    assert [p.line for p in of(records, Problem)] == [2, 3]
    assert [i.uid for i in of(records, Identity)] == ["c"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"id\n\xe9\n", "line 2: byte 1 is not UTF-8"), ("id\na\n".encode("utf-16"), "UTF-16"),
        (b"id,id\na,b\n", "two columns"), (b"", "empty"), (b"id\n", "no row"),
        (b'id\n"a"b\n', "line 2: a quote"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_what_it_claims_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ImportRefused, match=why):
        read(data)


def test_a_file_of_which_no_row_can_be_read_is_refused_and_says_why() -> None:
    with pytest.raises(ImportRefused, match="no row in it that can be read; first, line 2: 1 col"):
        read("id,n\na\nb\n")


def test_a_byte_order_mark_and_windows_lines_do_not_matter() -> None:
    assert [i.uid for i in of(read(b"\xef\xbb\xbfid,n\r\na,1\r\n"), Identity)] == ["a"]


@pytest.mark.parametrize(
    "line",
    ['{"id": "a"', "[1]", "7", '{"id": "a", "id": "b"}', '{"id": NaN}', "[" * 100_000],
)  # fmt: skip
def test_a_json_line_that_is_none_is_told(line: str) -> None:
    records = read('{"id": "z"}\n' + line + '\n{"id": "y"}\n', PLAIN, "generic.jsonl")
    assert [i.uid for i in of(records, Identity)] == ["z", "y"]
    assert [p.line for p in of(records, Problem)] == [2]


def test_a_json_array_is_refused_with_the_command_that_helps() -> None:
    with pytest.raises(ImportRefused, match="jq -c"):
        read('[{"id": 1}]\n', PLAIN, "generic.jsonl")


def test_a_dot_reaches_into_an_object() -> None:
    mapping = PLAIN + '[owner]\nhandle = "owner.email"\n'
    (found,) = of(rows({"id": 7, "owner": {"email": "jo@example.com"}}, mapping=mapping), Owner)
    assert (found.identity_uid, found.handle) == ("7", "jo@example.com")


def test_content_alone_never_chooses_these_formats() -> None:
    assert not connectors.named("generic.csv").sniff(b"id,kind\na,service\n")
    assert not connectors.named("generic.jsonl").sniff(b'{"id": 1}\n')


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise_anything_but_a_refusal(data: bytes) -> None:
    for name in ("generic.csv", "generic.jsonl"):
        with contextlib.suppress(ImportRefused):
            read(b"id,x\n" + data if name.endswith("csv") else data, PLAIN, name)


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1, max_size=6))
def test_what_the_csv_module_writes_is_read_back_or_told(pairs: list[tuple[str, str]]) -> None:
    import csv

    out = io.StringIO()
    csv.writer(out).writerows([("id", "n"), *pairs])
    try:
        data = out.getvalue().encode()
    except UnicodeEncodeError:
        return
    try:
        records = read(data)
    except ImportRefused as refused:
        assert "no row" in str(refused)
        return
    told = len(of(records, Problem)) + len(of(records, Identity))
    assert told >= len({p for p in pairs if p[0].strip()})
