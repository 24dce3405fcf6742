"""A receipt: the proof that one entry is in the log (c2sp.org/tlog-proof@v1)."""

from dataclasses import dataclass

from passmuster import merkle
from passmuster.errors import VerificationFailed
from passmuster.note._checkpoint import Opened
from passmuster.note._policy import Policy
from passmuster.note._text import decode, number, to_base64, unbase64

HEAD = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an entry stands, the path from it to the root, and the checkpoint with that root."""

    index: int
    proof: tuple[bytes, ...]
    checkpoint: str
    """The whole note, as the log and its witnesses signed it."""
    extra: bytes | None = None
    """Whatever somebody put there: it is not signed, and nothing is made of it."""

    def __str__(self) -> str:
        extra = [] if self.extra is None else [f"extra {to_base64(self.extra)}"]
        lines = [HEAD, *extra, f"index {self.index}", *map(to_base64, self.proof), ""]
        return "".join(f"{line}\n" for line in lines) + self.checkpoint


def parse_receipt(data: bytes | str) -> Receipt:
    """Read a receipt. Raises VerificationFailed for what is not one."""
    head, gap, checkpoint = decode(data, "the receipt").partition("\n\n")
    first, *lines = head.split("\n")
    if first != HEAD or not gap:
        raise VerificationFailed(f"not a receipt: it does not begin with {HEAD}")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = unbase64(lines.pop(0).removeprefix("extra "), "the receipt's extra data")
    if not lines or not lines[0].startswith("index "):
        raise VerificationFailed("the receipt has no index")
    index = number(lines.pop(0).removeprefix("index "), "the receipt's index")
    return Receipt(index, parse_proof(lines), checkpoint, extra)


def parse_proof(lines: list[str]) -> tuple[bytes, ...]:
    """Read hashes, one a line."""
    if len(lines) > merkle.MAX_PROOF:
        raise VerificationFailed(f"a proof of more than {merkle.MAX_PROOF} hashes")
    proof = tuple(unbase64(line, "a hash of the proof") for line in lines)
    if any(len(one) != merkle.HASH for one in proof):
        raise VerificationFailed(f"a hash of the proof is not {merkle.HASH} bytes long")
    return proof


def verify_receipt(data: bytes | str | Receipt, entry: bytes, policy: Policy) -> Opened:
    """Raise VerificationFailed unless *entry* is in the log, as far as *policy* goes."""
    receipt = data if isinstance(data, Receipt) else parse_receipt(data)
    opened = policy.check(receipt.checkpoint)
    merkle.check_inclusion(
        merkle.leaf_hash(entry), receipt.index, opened.checkpoint.size, receipt.proof,
        opened.checkpoint.root,
    )  # fmt: skip
    return opened
