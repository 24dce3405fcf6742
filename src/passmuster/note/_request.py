"""What a log sends to a witness: C2SP tlog-witness, the body of `add-checkpoint`."""

from dataclasses import dataclass

from passmuster.errors import VerificationFailed
from passmuster.note._receipt import parse_proof
from passmuster.note._text import decode, number, to_base64


@dataclass(frozen=True, slots=True)
class Request:
    """A checkpoint, and the proof that it grew from the size that the witness knows."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: str
    """The whole note."""

    @property
    def text(self) -> str:
        """As it is sent."""
        lines = [f"old {self.old}", *map(to_base64, self.proof), ""]
        return "".join(f"{line}\n" for line in lines) + self.checkpoint


def parse_request(data: bytes | str) -> Request:
    """Read a request. Raises VerificationFailed for what is not one."""
    head, gap, checkpoint = decode(data, "the request").partition("\n\n")
    first, *lines = head.split("\n")
    if not gap or not first.startswith("old "):
        raise VerificationFailed("not a request to a witness: it does not begin with a size")
    old = number(first.removeprefix("old "), "the request's old size")
    return Request(old, parse_proof(lines), checkpoint)
