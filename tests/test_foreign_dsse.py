"""npm's `@sigstore/verify` over our envelopes: another company's DSSE, in another language.

It is installed at the version that `tests/foreign/package-lock.json` pins by digest. A bundle of
Sigstore's holds one signature, so each raw one goes into a bundle of its own; its log and time
stamps are not asked for, since our own log and witnesses prove those.
"""

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from passmuster import attestations
from passmuster.attestations import Link
from passmuster.evidence._statements import pem
from passmuster.model import SSH_KEYID
from tests.conftest import REPOSITORY
from tests.scene import BOSS, NOW, REV, SECOND, key
from tests.test_golden import GOLDEN
from tests.test_roster import KA, KB

pytestmark = [
    pytest.mark.ci,
    pytest.mark.skipif(
        shutil.which("node") is None or shutil.which("npm") is None, reason="not here: node or npm"
    ),
]
PINS = REPOSITORY / "tests" / "foreign"
KEYS = {one.fingerprint: pem(one.public).decode() for one in
        (key(BOSS, 1), key(REV, 2), key(SECOND, 3), KA, KB)}  # fmt: skip
PROGRAM = r"""
const { createPublicKey } = require("node:crypto");
const { bundleFromJSON } = require("@sigstore/bundle");
const { Verifier, toSignedEntity } = require("@sigstore/verify");

const asked = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const said = asked.bundles.map((bundle) => {
  try {
    const trust = {
      certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [],
      publicKey: (hint) => {
        if (!(hint in asked.keys)) throw new Error("a key that nobody named");
        return { publicKey: createPublicKey(asked.keys[hint]), validFor: () => true };
      },
    };
    const thresholds = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 };
    new Verifier(trust, thresholds).verify(toSignedEntity(bundleFromJSON(bundle)));
    return "verified";
  } catch (error) {
    return error.code || error.message;
  }
});
console.log(JSON.stringify(said));
"""

Ask = Callable[[list[Any]], list[str]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """What sigstore says of each of many bundles."""
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PINS / name, folder)
    install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False,
                          timeout=300)  # fmt: skip
    if done.returncode and any(word in done.stderr for word in UNREACHED):
        pytest.skip("not here: @sigstore/verify")
    assert done.returncode == 0, done.stderr
    (folder / "check.js").write_text(PROGRAM)

    def run(bundles: list[Any]) -> list[str]:
        given = json.dumps({"keys": KEYS, "bundles": bundles})
        done = subprocess.run(["node", "check.js"], cwd=folder, input=given, capture_output=True,
                              text=True, check=False, timeout=60)  # fmt: skip
        assert done.returncode == 0, done.stderr
        said: list[str] = json.loads(done.stdout)
        assert len(said) == len(bundles)
        return said

    return run


UNREACHED = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")


def bundles() -> dict[str, dict[str, Any]]:
    """A bundle for each raw signature of each golden envelope, and of one that is signed now."""
    fresh = attestations.statement("close", {}, {"x": "é\u2028"}, Link("d", 1, None), NOW, BOSS)
    envelopes = {path.name: path.read_bytes() for path in sorted(GOLDEN.glob("*.dsse.json"))}
    envelopes["now"] = attestations.sign(fresh, key(BOSS, 1))
    found = {}
    for name, data in envelopes.items():
        envelope = json.loads(data)
        raw = [s for s in envelope["signatures"] if not s["keyid"].startswith(SSH_KEYID)]
        for number, signature in enumerate(raw):
            found[f"{name} {number}"] = {
                "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                "verificationMaterial": {"publicKey": {"hint": signature["keyid"]}},
                "dsseEnvelope": {**envelope, "signatures": [signature]},
            }
    return found


def flipped(text: str, at: int) -> str:
    """Base64 of the same bytes with one bit of one of them the other way round."""
    data = bytearray(base64.b64decode(text))
    data[at % len(data)] ^= 1
    return base64.b64encode(data).decode()


def payload(bundle: Any, at: int) -> None:
    envelope = bundle["dsseEnvelope"]
    envelope["payload"] = flipped(envelope["payload"], at)


def signature(bundle: Any, at: int) -> None:
    (one,) = bundle["dsseEnvelope"]["signatures"]
    one["sig"] = flipped(one["sig"], at)


def hint(bundle: Any, to: str) -> None:
    bundle["verificationMaterial"]["publicKey"]["hint"] = to


SPOILS: dict[str, Callable[[Any], object]] = {
    "the first byte": lambda b: payload(b, 0), "a byte inside": lambda b: payload(b, 301),
    "the last byte": lambda b: payload(b, -1), "a signature": lambda b: signature(b, 0),
    "a signature's end": lambda b: signature(b, 40),
    "the kind of payload": lambda b: b["dsseEnvelope"].update(payloadType="application/json"),
    "somebody else's key": lambda b: hint(
        b, next(k for k in KEYS if k != b["verificationMaterial"]["publicKey"]["hint"])),
}  # fmt: skip


def test_sigstore_verifies_every_kind_of_envelope_and_no_changed_one(ask: Ask) -> None:
    genuine = bundles()
    kinds = {name.split(".")[0] for name in genuine}
    every = {"campaign", "close", "countersign", "decisions", "enrolment", "own", "roster"}
    assert kinds >= {"now 0", *every}
    assert dict(zip(genuine, ask(list(genuine.values())), strict=True)) == dict.fromkeys(
        genuine, "verified"
    )
    for what, spoil in SPOILS.items():
        bent = json.loads(json.dumps(genuine))
        for one in bent.values():
            spoil(one)
        assert ask(list(bent.values())) == ["SIGNATURE_ERROR"] * len(bent), what
    stranger = json.loads(json.dumps(next(iter(genuine.values()))))
    hint(stranger, "SHA256:nobody")
    assert ask([stranger]) == ["a key that nobody named"]
