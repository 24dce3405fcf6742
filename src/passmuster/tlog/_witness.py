"""What a witness decides: whether a log only grew since it was last seen.

A pure function, so that a file on a stick and an HTTP server get the same answer; the statuses
are those of C2SP tlog-witness. Cosigning says one thing: that this is the largest tree seen of
this log, and that it holds all that was seen before.
"""

from collections.abc import Callable
from dataclasses import dataclass

from passmuster import merkle, note
from passmuster.errors import VerificationFailed
from passmuster.note import Checkpoint, Line, Request, VerifierKey

EMPTY = bytes.fromhex(merkle.EMPTY_ROOT)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a witness knows of one log."""

    keys: tuple[VerifierKey, ...]
    """Any of them may sign its checkpoints."""
    size: int = 0
    root: bytes = EMPTY


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness answers to a request."""

    status: int
    """HTTP's: 200 cosigned, 400 no request, 404 unknown log, 403 not signed by it, 409 the
    request does not begin where the log was last seen, 422 the log did not just grow."""
    why: str
    """In words; empty for 200."""
    body: str = ""
    """Of the HTTP answer: the cosignature, or for 409 the size that was last seen."""
    said: Checkpoint | None = None
    seen: Seen | None = None
    """What is known from now on; None where nothing changed."""
    is_evidence: bool = False
    """The log itself signed what was refused: to be kept."""


def judge(
    body: bytes, known: Callable[[str], Seen | None], cosign: Callable[[str], Line]
) -> Answer:
    """Answer a request. *known* tells what is known of a log by its origin; *cosign* signs a
    checkpoint's text and is called only when everything holds.
    """
    try:
        asked = note.parse_request(body)
        signed = note.parse(asked.checkpoint)
        said = note.parse_checkpoint(signed.text)
    except VerificationFailed as error:
        return Answer(400, str(error))
    seen = known(said.origin)
    if seen is None:
        return Answer(404, "this log is not known here", said=said)
    try:
        note.verify(signed, [key for key in seen.keys if key.name == said.origin])
    except VerificationFailed as error:
        return Answer(403, str(error), said=said)
    refused = _refused(asked, said, seen)
    if refused is not None:
        return refused
    line = str(cosign(signed.text))
    return Answer(200, "", line, said, Seen(seen.keys, said.size, said.root))


def _refused(asked: Request, said: Checkpoint, seen: Seen) -> Answer | None:
    is_back, at = said.size < seen.size, f"{seen.size}\n"
    if said.size == seen.size and said.root != seen.root:
        why = f"the log was seen with other entries at this size, {seen.size}: it is forked"
        return Answer(409, why, at, said, is_evidence=True)
    if asked.old > said.size:
        why = f"it would go back from {asked.old} entries to {said.size}"
        return Answer(400, why, "", said, is_evidence=is_back)
    if asked.old != seen.size:
        why = (
            f"the log has {said.size} entries, and {seen.size} were seen: it was set back"
            if is_back
            else f"it begins at {asked.old} entries, and {seen.size} were seen"
        )
        return Answer(409, why, at, said, is_evidence=is_back)
    try:
        if asked.old:
            merkle.check_consistency(asked.old, said.size, asked.proof, seen.root, said.root)
        elif asked.proof:
            raise VerificationFailed("a proof from nothing must be empty")
        elif not said.size and said.root != EMPTY:
            raise VerificationFailed("an empty log has another root")
    except VerificationFailed as error:
        why = f"it is not proved that the log only grew: {error}"
        return Answer(422, why, "", said, is_evidence=0 < asked.old < said.size)
    return None
