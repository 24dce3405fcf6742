"""Recovery: how a log that was set back goes on, under a new name and a new key.

A server whose disk lost records cannot give their indexes a second time without lying to whoever
saw the first ones. So the log gets a new origin and key, and a statement that both keys sign says
what the old one is worth: up to *size* records it is as it was. A client compares its own copy up
to there, and if that fits follows the new name and offers every record that it holds again; if it
does not fit, the server lies.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from passmuster import note
from passmuster.errors import VerificationFailed
from passmuster.model import DOMAIN
from passmuster.note import Line, Note, VerifierKey
from passmuster.text import canonical, strict_json

HEAD = f"{DOMAIN}/central/recovery/v1"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What the statement says."""

    old_origin: str
    old_key: str
    """Verifier key."""
    size: int
    """Records that are as they were."""
    root: str
    """Over them, in hex."""
    new_origin: str
    new_key: str
    reason: str
    at: str

    @property
    def text(self) -> str:
        """The text that is signed: two lines."""
        return f"{HEAD}\n{canonical(asdict(self)).decode()}\n"


def recovery_note(said: Recovery, lines: Iterable[Line]) -> str:
    """The statement with its signature lines."""
    return str(Note(said.text, tuple(lines)))


def read_recovery(data: str, old_key: VerifierKey) -> Recovery | None:
    """Read a statement that *old_key*, the pinned one, and the new key that it names have signed;
    None where it is about the log of another key, or that key has not signed it.

    Raises VerificationFailed.
    """
    read = note.parse(data)
    head, _, rest = read.text.partition("\n")
    try:
        if head != HEAD:
            raise ValueError("another kind of note")
        said = Recovery(**strict_json(rest.removesuffix("\n").encode()))
        if said.text != read.text or type(said.size) is not int or said.size < 0:
            raise ValueError("not in its one form")
        new_key = note.parse_key(said.new_key)
    except (TypeError, ValueError, RecursionError, VerificationFailed) as error:
        raise VerificationFailed(f"not a statement of recovery: {error}") from None
    if said.old_key != str(old_key) or not any(
        (line.name, line.id) == (old_key.name, old_key.id) for line in read.lines
    ):
        return None
    by = {one.key for one in note.verify(read, [old_key, new_key])}
    if by != {old_key, new_key} or old_key == new_key:
        raise VerificationFailed("the statement of recovery is not signed by both keys of the log")
    if new_key.name != said.new_origin or old_key.name != said.old_origin:
        raise VerificationFailed("the statement of recovery names other logs than its keys")
    return said
