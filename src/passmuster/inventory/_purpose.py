"""What a person says an identity is for: kept beside what its platform says, with who and when."""

from passmuster.store import Database
from passmuster.text import visible

MAX_PURPOSE = 500
"""Characters."""


def say_purpose(db: Database, identity_id: int, purpose: str, by: str, now: str) -> None:
    """Keep *purpose* as what *by* says; it goes before the platform's word in every new dossier."""
    said = visible(purpose.strip())
    db.execute("INSERT OR REPLACE INTO purpose VALUES (?, ?, ?, ?)", (identity_id, said, by, now))
