"""The registers: people, owners, suppliers and environments from plain tables."""

import io
import json

import pytest

from passmuster import connectors
from passmuster.connectors import Context
from passmuster.errors import ImportRefused
from passmuster.model import Environment, Owner, Person, Problem, Record, Source, Supplier, Team

HEADERS = {
    "people": "email,name,kind,active,left_on,manager,aliases,teams",
    "owners": "identity,owner,role,evidence",
    "suppliers": "name,tenants,contract,contract_ends,contact,reviewed_on,active",
    "environments": "name,tier,matches",
}


GOOD = {
    "people": "ok@example.com,Ok,person,yes,,,,", "owners": "ok,ok,owner,",
    "suppliers": "Ok,,,,,,yes", "environments": "ok,dev,",
}  # fmt: skip


def read(name: str, *rows: str) -> list[Record]:
    """What the register makes of *rows*; a good row after them keeps the file from refusal."""
    data = "\n".join([HEADERS[name], *rows, *([GOOD[name]] if rows else []), ""]).encode()
    records = list(connectors.read(connectors.named(name), io.BytesIO(data), Context()))
    assert records[0] == Source("register", name)
    return records[1:-1]


def test_a_person_is_known_by_e_mail() -> None:
    (found,) = read("people", "jo@example.com,Jo Doe,person,yes,,al@example.com,jdoe;j.doe,pay")
    assert found == Person(
        "jo@example.com", "jo@example.com", "Jo Doe", 1, None, "al@example.com",
        '["jdoe","j.doe"]', '["pay"]', 2,
    )  # fmt: skip


def test_a_team_has_a_lead_and_other_names() -> None:
    (found,) = read("people", ",Payments,team,yes,,jo@example.com,pay;team-pay,")
    assert found == Team("Payments", "Payments", "jo@example.com", '["pay","team-pay"]', 2)


def test_a_date_of_leaving_makes_a_person_inactive() -> None:
    (found,) = read("people", "jo@example.com,Jo,person,,2026-05-31,,,")
    assert isinstance(found, Person)
    assert (found.active, found.left_at) == (0, "2026-05-31T00:00:00Z")


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("jo@example.com,Jo,robot,yes,,,,", "kind"), ("jo@example.com,Jo,,yes,,,,", "kind"),
        (",Jo,person,yes,,,,", "email"), ("jo,Jo,person,yes,,,,", "email"),
        ("jo@example.com,Jo,person,maybe,,,,", "active"),
        ("jo@example.com,Jo,person,yes,31.5.26,,,", "left_on"),
        ("jo@example.com,Jo,person,yes,2026-05-31,,,", "active"),
        ("jo@example.com,,person,yes,,,,", "name"), ("jo@example.com,Jo,person", None),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_trusted_is_told_and_left_out(row: str, field: str | None) -> None:
    (found,) = read("people", row)
    assert isinstance(found, Problem)
    assert (found.line, found.field) == (2, field)


def test_an_owner_names_an_identity_by_any_handle() -> None:
    (found,) = read("owners", "svc-backup,platform,technical,CMDB row 7")
    assert found == Owner("svc-backup", "platform", "technical", "import", "CMDB row 7", 2)
    (problem,) = read("owners", "svc-backup,platform,boss,")
    assert isinstance(problem, Problem)


def test_a_supplier_has_tenants_and_a_contract() -> None:
    (found,) = read("suppliers", "Acme,444455556666;acme.example.org,C-1,2026-06-30,a@b.c,,no")
    assert isinstance(found, Supplier)
    assert json.loads(found.tenant_uids) == ["444455556666", "acme.example.org"]
    assert (found.contract_ends_at, found.reviewed_at, found.active) == (
        "2026-06-30T00:00:00Z", None, 0,
    )  # fmt: skip
    (problem,) = read("suppliers", "Acme,,,,,,")
    assert isinstance(problem, Problem), "whether a supplier is active is never guessed"


def test_an_environment_has_a_tier_and_patterns() -> None:
    (found,) = read("environments", "production,prod,aws:1*;kubernetes:eu/pay")
    assert found == Environment(
        "production", "production", "prod", '["aws:1*","kubernetes:eu/pay"]', 2
    )
    (problem,) = read("environments", "lab,sandbox,x")
    assert isinstance(problem, Problem)
    assert problem.field == "tier"


@pytest.mark.parametrize("name", HEADERS)
def test_a_register_is_known_by_its_exact_header(name: str) -> None:
    head = HEADERS[name].encode()
    assert connectors.recognise(head + b"\r\nx\r\n", "x.csv").name == name
    assert connectors.recognise(b"\xef\xbb\xbf" + head + b"\n", "x.csv").name == name
    assert not connectors.named(name).sniff(head + b",more\n")


@pytest.mark.parametrize("name", HEADERS)
def test_another_header_is_refused_with_the_right_one(name: str) -> None:
    data = io.BytesIO(HEADERS[name].replace(",", ";").encode() + b"\nx\n")
    with pytest.raises(ImportRefused, match="must be exactly"):
        list(connectors.named(name).parse(data, Context()))


@pytest.mark.parametrize("name", HEADERS)
def test_an_empty_register_is_refused(name: str) -> None:
    with pytest.raises(ImportRefused, match="no row"):
        read(name)


def test_a_hostile_name_comes_through_as_harmless_text() -> None:
    (found,) = read("people", "jo@example.com,\x1b[2JJo\u202e[red],person,yes,,,\x1b]52;c;x\x07,")
    assert isinstance(found, Person)
    assert all(value.isprintable() for value in found if isinstance(value, str))
