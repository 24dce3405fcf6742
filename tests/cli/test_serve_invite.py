"""`muster serve invite` and `invites`: invitations on the server's own machine."""

import json
from pathlib import Path

import pytest

from passmuster import central
from tests.conftest import Muster

for needed in ("starlette", "uvicorn", "msgspec", "jwt"):
    pytest.importorskip(needed, reason="passmuster[server] is not installed")


def test_an_invitation_made_on_the_servers_machine_is_printed_and_listed(
    inside: Muster, tmp_path: Path
) -> None:
    serve = ("serve", "--folder", str(tmp_path / "central"))
    words = ("invite", "ana@example.com", "--role", "reviewer")
    made = inside(*serve, "--url", "https://c.example/", *words).stdout.strip()
    found = central.invitation(made)
    assert (found.url, found.roster) == ("https://c.example", None)
    alone = inside(*serve, "invite", "ben@example.com")
    assert central.invitation(alone.stdout.strip()).url is None
    assert "muster enroll URL --invite" in alone.stderr
    rows = json.loads(inside(*serve, "invites", "--json").stdout)
    assert {(r["principal"], r["roles"], r["made_by"], r["used_at"]) for r in rows} == {
        ("ana@example.com", "reviewer", "the server's machine", None),
        ("ben@example.com", "", "the server's machine", None),
    }
    assert found.token not in inside(*serve, "invites", "--json").stdout


@pytest.mark.parametrize(("words", "why"), [
    (("invite", "nobody"), "must be an e-mail address"),
    (("invite", "a@example.com", "--role", "king"), "no role"),
    (("--url", "http://c.example", "invite", "a@example.com"), "without TLS"),
    (("--oidc", "https://idp.example"), "--oidc needs --oidc-audience"),
    (("--oidc", "http://idp.example", "--oidc-audience", "x"), "without TLS"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(
    inside: Muster, tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    said = inside("serve", "--folder", str(tmp_path / "central"), *words, code=2).stderr
    assert why in said.splitlines()[-1]
