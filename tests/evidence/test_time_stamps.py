"""Time stamps of a real authority: `openssl ts` behind a real server on this machine."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from passmuster.errors import Unreachable, UsageError, VerificationFailed
from passmuster.evidence import _tsa

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here")

CONFIG = """
[tsa]
default_tsa = here
[here]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    url: str
    folder: Path
    mode: str = "honest"

    @property
    def roots(self) -> bytes:
        return (self.folder / "ca.pem").read_bytes()


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def make_authority(folder: Path) -> None:
    (folder / "tsa.cnf").write_text(CONFIG)
    (folder / "serial").write_text("01\n")
    (folder / "ext").write_text(
        "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n"
    )
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj", "/CN=CA",
            "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=TSA")  # fmt: skip
    openssl(folder, "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "3650", "-extfile", "ext", "-out", "tsa.pem")  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    folder = tmp_path_factory.mktemp("tsa")
    make_authority(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if at.mode == "refuses":
                self.send_error(500)
                return
            (folder / "q").write_bytes(body)
            if at.mode != "replays" or not (folder / "r").exists():
                openssl(
                    folder, "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "q", "-out", "r"
                )
            self.send_response(200)
            self.end_headers()
            if at.mode == "floods":
                self.wfile.write(b"x" * 2_000_000)
            elif at.mode == "drips":
                for _ in range(50):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    if done.wait(0.05):
                        return
            else:
                self.wfile.write((folder / "r").read_bytes())

        def log_message(self, *_: object) -> None:
            """Nothing to the screen."""

    done = threading.Event()
    server = HTTPServer(("127.0.0.1", 0), Handler)
    at = Authority(f"http://127.0.0.1:{server.server_port}/", folder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield at
    done.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def authority(served: Authority) -> Authority:
    served.mode = "honest"
    return served


def test_a_stamp_holds_for_its_bytes_and_no_other(authority: Authority, tmp_path: Path) -> None:
    token = _tsa.stamp(b"checkpoint\n", authority.url, authority.roots)
    when = _tsa.check(token, b"checkpoint\n", authority.roots)
    assert when[:4] == time.strftime("%Y", time.gmtime())
    with pytest.raises(VerificationFailed):
        _tsa.check(token, b"checkpoint!\n", authority.roots)
    with pytest.raises(VerificationFailed):
        _tsa.check(token[:-1], b"checkpoint\n", authority.roots)
    (tmp_path / "t").write_bytes(token)
    (tmp_path / "d").write_bytes(b"checkpoint\n")
    (tmp_path / "ca").write_bytes(authority.roots)
    openssl(tmp_path, "ts", "-verify", "-data", "d", "-in", "t", "-CAfile", "ca")


def test_another_authoritys_stamp_is_refused(authority: Authority, tmp_path: Path) -> None:
    make_authority(tmp_path)
    with pytest.raises(Unreachable, match="no time stamp that holds"):
        _tsa.stamp(b"x", authority.url, (tmp_path / "ca.pem").read_bytes())


def test_an_answer_to_another_request_is_refused(authority: Authority) -> None:
    _tsa.stamp(b"x", authority.url, authority.roots)
    authority.mode = "replays"
    with pytest.raises(Unreachable, match="no time stamp that holds"):
        _tsa.stamp(b"x", authority.url, authority.roots)


@pytest.mark.parametrize(("mode", "why"), [
    ("refuses", "answered 500"), ("floods", "more than"), ("drips", "did not finish"),
])  # fmt: skip
def test_a_bad_answer_is_an_error_and_no_wait(
    authority: Authority, mode: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tsa, "DEADLINE_S", 0.5)
    authority.mode = mode
    with pytest.raises(Unreachable, match=why):
        _tsa.stamp(b"x", authority.url, authority.roots)


def test_nobody_there_and_no_certificates_are_said() -> None:
    with pytest.raises(Unreachable, match="refused the connection"):
        _tsa.stamp(b"x", "http://127.0.0.1:9/", b"")
    with pytest.raises(UsageError, match="tsa_url needs tsa_ca"):
        _tsa.roots_of(None)
    with pytest.raises(UsageError, match="No such file"):
        _tsa.roots_of("/nowhere/ca.pem")
