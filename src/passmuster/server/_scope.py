"""What somebody may read, and which campaign is whose. Nothing, until it is built: fails closed."""

from collections.abc import Sequence

from passmuster.central import Record
from passmuster.server._access import Member
from passmuster.server._store import Tx


def record_scope(tx: Tx, record: Record, index: int) -> None:
    """Write down whom an accepted record lets into its campaign; in its transaction."""


def sees(
    tx: Tx,  # noqa: ARG001
    member: Member,  # noqa: ARG001
    records: Sequence[tuple[int, str, str | None]],  # noqa: ARG001
) -> set[int]:
    """The indexes of those of *records* (index, kind, campaign) whose line *member* may read."""
    return set()


def may_read_blob(tx: Tx, member: Member, sha256: str) -> bool:  # noqa: ARG001
    """Whether *member* may read the blob."""
    return False
