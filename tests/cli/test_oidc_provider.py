"""Enrolling by a real identity provider, an OpenID one of another language, with the real command.

The person's part, which is to open the page and to log in, is done with plain requests.
"""

import html
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

for needed in ("starlette", "uvicorn", "msgspec", "jwt"):
    pytest.importorskip(needed, reason="passmuster[server] is not installed")

from passmuster import central  # noqa: E402
from tests.conftest import REPOSITORY, Muster  # noqa: E402
from tests.server.running import opened, running  # noqa: E402

ANA, AUDIENCE = "ana@example.com", "https://muster.example.com"
PACKAGE = "oidc-provider@9.13.3"
pytestmark = pytest.mark.ci


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an `oidc-provider` that runs."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not here")
    folder = tmp_path_factory.mktemp("oidc-provider")
    words = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), PACKAGE]
    env = {**os.environ, "HOME": str(folder)}
    try:
        got = subprocess.run(words, capture_output=True, timeout=120, check=False, env=env)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{PACKAGE} cannot be had here")
    if got.returncode:
        pytest.skip(f"{PACKAGE} cannot be had here")
    script = REPOSITORY / "tests" / "server" / "provider.mjs"
    process = subprocess.Popen(
        ["node", str(script), str(folder), AUDIENCE], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def log_in(page: str, who: str) -> str:
    """Fill in whatever form there is until there is none; the last page."""
    with httpx.Client(follow_redirects=True, timeout=20) as browser:
        shown = browser.get(page)
        for _ in range(8):
            found = re.search(r"<form.*?</form>", shown.text, re.DOTALL)
            if found is None:
                break
            action = re.search(r'action="([^"]*)"', found[0])
            names = re.findall(r'<input[^>]*name="([^"]+)"', found[0])
            told = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', found[0]))
            fields = dict.fromkeys(names, who) | {k: html.unescape(v) for k, v in told.items()}
            where = shown.url.join(html.unescape(action[1]) if action else "")
            shown = browser.post(where, data=fields)
        return shown.text


@pytest.mark.parametrize("who", [ANA, "other@example.com"])
def test_a_log_in_by_code_at_a_real_provider_enrols_the_key_of_whoever_logged_in(
    provider: str, who: str, muster: Muster, folder: Path, tmp_path: Path,
    passphrase_file: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from tests.server.people import place

    settings = {"issuer": provider, "client_id": "muster", "audience": AUDIENCE}
    with place(tmp_path / "central", oidc=settings) as empty:
        empty.team()
    monkeypatch.setenv("MUSTER_ME", ANA)
    muster("init")
    muster("key", "new", "--key-store", "file")
    with running(opened(tmp_path / "central", oidc=settings)) as url:
        about = httpx.get(f"{url}/v1/about").json()
        process = subprocess.Popen(
            [sys.executable, "-m", "passmuster", "--workspace", str(folder), "enroll", url,
             "--oidc", "--pin", central.pin_of(about["key"])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        page, code = process.stdout.readline().strip(), process.stdout.readline().strip()
        assert code in page
        assert "success" in log_in(page, who).lower()
        told, said = process.communicate(timeout=60)
    if who == ANA:
        assert process.returncode == 0, said
        assert told.startswith("SHA256:")
        assert "A registrar has to admit you" in said
        assert "Its first roster is" in said
    else:
        assert process.returncode == 1
        assert f"you logged in as {who}, and the key is for {ANA}" in said
