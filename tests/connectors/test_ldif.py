"""The LDIF reader: whatever a directory can hold comes back, and nothing is lost in silence."""

import base64
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passmuster.connectors._ldif import Entry, Reader, looks_like
from passmuster.errors import ImportRefused
from passmuster.model import Problem

REALDATA = Path(__file__).resolve().parents[2].parent / "shared" / "realdata"


def read(data: bytes, wanted: frozenset[str] | None = None) -> list[Entry | Problem]:
    return list(Reader(wanted).read(io.BytesIO(data)))


def entries(data: bytes) -> list[Entry]:
    return [item for item in read(data) if isinstance(item, Entry)]


def problems(data: bytes) -> list[Problem]:
    return [item for item in read(data) if isinstance(item, Problem)]


def write(dn: str, values: dict[str, list[str]], width: int, end: bytes) -> bytes:
    """What an RFC 2849 writer would write, folded at *width* bytes."""
    out = []
    for name, value in [("dn", dn), *((n, v) for n, vs in values.items() for v in vs)]:
        raw = value.encode()
        safe = raw.isascii() and value.isprintable() and value[:1] not in (" ", ":", "<")
        coded = raw if safe and not value.endswith(" ") else base64.b64encode(raw)
        line = name.encode() + (b": " if coded is raw else b":: ") + coded
        folded = [line[:width], *(line[i : i + width] for i in range(width, len(line), width))]
        out.append((end + b" ").join(folded))
    return end.join(out) + end + end


names = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True).filter(
    lambda n: n not in ("dn", "changetype", "search", "result")
)
value_lists = st.dictionaries(names, st.lists(st.text(max_size=80), min_size=1, max_size=4))


@pytest.mark.ci
@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=60), value_lists), min_size=1, max_size=5),
    st.integers(2, 90),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_whatever_is_written_is_read_back(
    records: list[tuple[str, dict[str, list[str]]]], width: int, end: bytes
) -> None:
    data = b"version: 1" + end + end + b"".join(write(d, v, width, end) for d, v in records)
    found = read(data)
    assert [(e.dn, e.values) for e in found if isinstance(e, Entry)] == records
    assert not [p for p in found if isinstance(p, Problem)]


@given(st.binary(max_size=400))
def test_no_bytes_make_it_raise_anything_but_a_refusal(data: bytes) -> None:
    try:
        read(b"dn: cn=a\n" + data + b"\n")
    except ImportRefused as refused:
        assert "line " in str(refused) or "no entry" in str(refused)


@given(st.integers(1, 90))
def test_the_size_of_the_chunks_that_are_read_changes_nothing(size: int) -> None:
    data = b"\r\n".join(
        [b"# c", b"dn: cn=a", b"cn: al", b" pha", b"", b"", b"", b"dn: cn=b", b"cn: beta", b""]
    )

    class Slow(io.BytesIO):
        def read(self, wanted: int | None = -1, /) -> bytes:
            return super().read(size)

    found = list(Reader().read(Slow(data)))
    assert [(e.dn, e.line, e.values) for e in found if isinstance(e, Entry)] == [
        ("cn=a", 2, {"cn": ["alpha"]}), ("cn=b", 8, {"cn": ["beta"]}),
    ]  # fmt: skip


def test_a_line_number_is_the_one_that_an_editor_shows() -> None:
    data = b"# one\n# two\n folded\n\ndn: cn=a\ndescription: x\n y\n z\nphoto:: %%%\nsn: ok\n"
    assert [(p.line, p.field) for p in problems(data)] == [(9, "photo")]
    assert entries(data)[0].line == 5


def test_a_missing_blank_line_at_the_end_is_legal() -> None:
    assert entries(b"dn: cn=a\ncn: a\n")[0].values == {"cn": ["a"]}


def test_a_file_that_ends_in_the_middle_of_a_line_is_refused() -> None:
    with pytest.raises(ImportRefused, match="line 3: the file ends in the middle of a line"):
        read(b"dn: cn=a\ncn: a\nsAMAcc")


def test_broken_base64_costs_one_value_and_is_told() -> None:
    data = b"dn: cn=a\ndescription:: YW\ncn: a\n\ndn: cn=b\n"
    assert [e.dn for e in entries(data)] == ["cn=a", "cn=b"]
    assert problems(data) == [Problem(2, "description", "broken base64; the value was left out")]


def test_a_line_without_a_colon_is_told() -> None:
    found = problems(b"dn: cn=a\ncn: a\nrubbish\ncn\n")
    assert [p.line for p in found] == [3, 4]


def test_a_url_value_is_never_followed() -> None:
    found = problems(b"dn: cn=a\njpegPhoto:< file:///etc/passwd\ncn: a\n")
    assert [(p.line, p.field) for p in found] == [(2, "jpegphoto")]
    assert "passwd" not in found[0].why


@pytest.mark.parametrize("kind", [b"modify", b"delete", b"modrdn", b"moddn"])
def test_a_file_of_changes_is_no_export(kind: bytes) -> None:
    with pytest.raises(ImportRefused, match="line 3: a file of changes"):
        read(b"version: 1\n\ndn: cn=a\nchangetype: " + kind + b"\n\n")


def test_ldifde_writes_its_exports_as_additions() -> None:
    assert entries(b"dn: cn=a\r\nchangetype: add\r\ncn: a\r\n\r\n")[0].values == {"cn": ["a"]}


def test_a_search_that_hit_its_limit_is_refused() -> None:
    data = b"dn: cn=a\ncn: a\n\n# search result\nsearch: 2\nresult: 4 Size limit exceeded\n\n"
    with pytest.raises(ImportRefused, match="Size limit exceeded"):
        read(data)


def test_what_ldapsearch_writes_around_the_entries_is_no_problem() -> None:
    data = (
        b"# extended LDIF\n#\n# LDAPv3\n\ndn: cn=a\ncn: a\n\n# refldap://x/y\n\n"
        b"# search reference\nref: ldap://x\n\n# search result\nsearch: 2\nresult: 0 Success\n"
        b"control: 1.2.840.113556.1.4.319 false MAUCAQAEAA==\npagedresults: cookie=\n\n"
        b"# numResponses: 2\n# numEntries: 1\n"
    )
    assert [e.dn for e in entries(data)] == ["cn=a"]
    assert problems(data) == []


def test_names_and_options_do_not_matter_but_a_cut_range_does() -> None:
    data = b"DN: cn=g\nObjectClass: group\nMEMBER;range=0-1499: cn=a\nmember;lang-de: cn=b\n"
    data += b"member;range=0-1499: cn=c\n"
    (first,) = entries(data)
    assert first.values == {"objectclass": ["group"], "member": ["cn=a", "cn=b", "cn=c"]}
    assert first.cut == ("member",)
    (last,) = entries(b"dn: cn=g\nmember;range=1500-*: cn=a\n")
    assert last.cut == ()


@pytest.mark.parametrize(
    ("stored", "kept"),
    [("{SSHA}c2VjcmV0", "SSHA"), ("hunter2", ""), ("{x}y", "?"), ("{CLEARTEXT}hunter2", "")],
)
@pytest.mark.parametrize("coded", [False, True])
def test_of_a_password_only_the_scheme_is_kept(stored: str, kept: str, coded: bool) -> None:
    value = ": " + base64.b64encode(stored.encode()).decode() if coded else " " + stored
    data = f"dn: cn=a\nuserPassword:{value}\n".encode()
    (entry,) = Reader(secret=frozenset({"userpassword"})).read(io.BytesIO(data))
    assert isinstance(entry, Entry)
    assert entry.values == {"userpassword": [kept]}


def test_an_attribute_that_nobody_asked_for_is_not_even_decoded() -> None:
    data = b"dn: cn=a\nunicodePwd:: not base64 at all\ncn: a\n"
    assert read(data, frozenset({"cn"})) == [Entry("cn=a", 1, {"cn": ["a"]})]


def test_bytes_that_are_no_text_cost_one_entry_and_are_told() -> None:
    data = b"dn: cn=a\ncn: \xff\n\ndn: cn=b\ncn: b\n"
    assert [e.dn for e in entries(data)] == ["cn=b"]
    assert problems(data)[0].line == 2


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# nothing\n", b"version: 1\n"])
def test_an_export_of_nothing_is_refused(data: bytes) -> None:
    with pytest.raises(ImportRefused, match="no entry"):
        read(data)


def test_utf16_is_refused_with_what_to_do() -> None:
    with pytest.raises(ImportRefused, match="UTF-16"):
        read("dn: cn=a\n".encode("utf-16"))


def test_an_endless_entry_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("passmuster.connectors._ldif.MAX_RECORD", 1 << 20)
    with pytest.raises(ImportRefused, match="an entry of more than"):
        read(b"dn: cn=a\n" + b"member: cn=b\n" * 200_000)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"dn: cn=a\n", True), (b"version: 1\n\n# x\n folded\nDN:: Y249YQ==\n", True),
        (b"\xef\xbb\xbf# a\r\n\r\ndn: cn=a\r\n", True), (b"user,arn\n", False), (b"{}", False),
        (b"", False), (b"# only a comment\n", False), (b"kind: List\ndn: x\n", False),
    ],
)  # fmt: skip
def test_ldif_is_known_by_its_beginning(head: bytes, expected: bool) -> None:
    assert looks_like(head) is expected


@pytest.mark.parametrize(
    ("file", "count"),
    [
        ("ad/samba-flintstones.ldif", 47), ("ldap/389ds/Example-roles.ldif", 161),
        ("ldap/docker-test-openldap/planetexpress.ldif", 10),
    ],
)  # fmt: skip
def test_real_files_have_as_many_entries_as_their_readme_says(file: str, count: int) -> None:
    path = REALDATA / file
    if not path.exists():
        pytest.skip(f"{file} is not here")
    found = list(Reader(frozenset({"cn"})).read(io.BytesIO(path.read_bytes())))
    assert len([e for e in found if isinstance(e, Entry)]) == count
    assert not [p for p in found if isinstance(p, Problem)]
