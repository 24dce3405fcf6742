"""An entry that muster writes is read back as it was, whatever its values are."""

import io

import pytest
from tests.exports import HOSTILE

from passmuster.connectors._ldif import Entry, Reader
from passmuster.connectors._ldif_write import referred, written


@pytest.mark.parametrize("value", ["plain", " a", "a ", ":a", "<a", "", "a\nb: c", "ü", *HOSTILE])
def test_a_value_comes_back_as_it_was_and_adds_no_line(value: str) -> None:
    data = written(f"cn={value}x,dc=x", {"cn": [value.encode(), b"second"]})
    (entry,) = Reader(frozenset({"cn"})).read(io.BytesIO(data))
    assert isinstance(entry, Entry)
    assert entry.dn == f"cn={value}x,dc=x"
    assert entry.values == {"cn": [value, "second"]}


def test_bytes_that_are_no_text_go_in_base64() -> None:
    assert b"objectSid:: AQX/\n" in written("dc=x", {"objectSid": [b"\x01\x05\xff"]})


def test_a_referral_is_a_comment_of_one_line() -> None:
    assert referred("ldap://a/dc=x\ndn: y") == b"# refldap://a/dc=x\\x0adn: y\n\n"
