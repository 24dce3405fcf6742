"""How a log that was set back goes on: under a new name and a new key, which the old key signs.

Two trees under one name could not be told from a fork, so a restored log is another log that
begins with the first entries of the old one (as Rekor does with its shards). The statement is a
C2SP note; whoever holds the old key's trust checks it, and that their own tree had the same root
at that size, before they follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from passmuster import note
from passmuster.errors import VerificationFailed
from passmuster.model import DOMAIN
from passmuster.note import Checkpoint, Line, Note, VerifierKey

HEAD = f"{DOMAIN}/recovery/v1"


@dataclass(frozen=True, slots=True)
class Recovery:
    """Where the old log ends and the new one begins."""

    restored: Checkpoint
    """Of the old log: its name, and the size and root that it was restored to."""
    key: VerifierKey
    """Of the new log; its name is the new log's."""
    reason: str
    """In words, one line."""

    @property
    def text(self) -> str:
        """The text that the old key signs, and the new one."""
        restored = "".join(self.restored.text.splitlines(keepends=True)[:3])
        return f"{HEAD}\n{restored}{self.key}\n{self.reason}\n"


def recovery_note(said: Recovery, lines: Sequence[Line]) -> str:
    """The statement with the *lines* of those who signed `said.text`."""
    return str(Note(said.text, tuple(lines)))


def read_recovery(data: str | bytes, old: VerifierKey | None) -> Recovery:
    """Read a statement; with *old*, raise VerificationFailed unless that key signed it.

    The new key must have signed it in any case: it proves that somebody holds it.
    """
    signed = note.parse(data)
    rows = signed.text.split("\n")
    if len(rows) != 7 or rows[0] != HEAD or rows[6]:
        raise VerificationFailed("not a recovery statement")
    restored = note.parse_checkpoint("\n".join((*rows[1:4], "")))
    said = Recovery(restored, note.parse_key(rows[4]), rows[5])
    if said.key.name == restored.origin:
        raise VerificationFailed("the recovery statement keeps the old log's name")
    note.verify(signed, [said.key])
    if old is not None:
        if old.name != restored.origin:
            raise VerificationFailed(f"the recovery statement is of another log: {restored.origin}")
        note.verify(signed, [old])
    return said
