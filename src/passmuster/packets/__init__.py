"""Packets: what a sync carries, in a file, for those who have no network. Pure but for that file.

An *upload* is somebody's outbox; a *campaign* packet is what the central log has for one person;
a *receipt* answers an upload. Nothing in a packet is believed because of who brought it: records
are signed, blobs are called by their digests, and the entries of the log lead to a root that the
log has signed.
"""

from passmuster.packets._archive import (
    CHECKPOINT,
    MANIFEST,
    RECORDS,
    RESULTS,
    SUMS,
    Member,
    pieces_of,
)
from passmuster.packets._draft import Draft, draft
from passmuster.packets._manifest import FORMAT, KINDS, Kind, Manifest, Place, read_manifest
from passmuster.packets._packet import MAX_BYTES, Packet, opened
from passmuster.packets._sealed import is_sealed, seal, unseal

MEDIA = "application/gzip"

__all__ = [
    "CHECKPOINT", "FORMAT", "KINDS", "MANIFEST", "MAX_BYTES", "MEDIA", "RECORDS", "RESULTS",
    "SUMS", "Draft", "Kind", "Manifest", "Member", "Packet", "Place", "draft", "is_sealed",
    "opened", "pieces_of", "read_manifest", "seal", "unseal",
]  # fmt: skip
