"""The keys that this workspace knows: their public halves, and where the private ones are."""

from passmuster.errors import NotFound, VerificationFailed
from passmuster.keys._agent import AGENT
from passmuster.keys._key import SigningKey, fingerprint, kind_of
from passmuster.store import Database

FOREIGN = "foreign"
"""Where the private half of somebody else's key is: not here. Such a key is known, for what others
signed with it, and never signs here."""
_COLUMNS = ("fingerprint", "principal", "public", "store", "made_at", "place", "replaced_by")


def keep(db: Database, key: SigningKey, now: str) -> None:
    """Put the public half of *key* among the keys of this workspace."""
    with db.atomic():
        db.execute(
            "INSERT INTO signing_key"
            " (fingerprint, principal, public, store, made_at, place) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (fingerprint) DO UPDATE SET store = excluded.store, place ="
            f" excluded.place, made_at = excluded.made_at WHERE store = '{FOREIGN}'",
            (key.fingerprint, key.principal, key.public, key.store, now, key.place),
        )


def keep_foreign(db: Database, principal: str, public: str, now: str) -> None:
    """Put the public key of somebody else's workspace among the known ones; mine stay mine.

    Raises VerificationFailed when it is known as the key of another person.
    """
    mark = fingerprint(public)
    held = db.value("SELECT principal FROM signing_key WHERE fingerprint = ?", (mark,))
    if held is not None and held.lower() != principal.lower():
        raise VerificationFailed(f"{mark} is enrolled for {principal}, and is {held}'s")
    with db.atomic():
        db.execute(
            "INSERT OR IGNORE INTO signing_key (fingerprint, principal, public, store, made_at)"
            f" VALUES (?, ?, ?, '{FOREIGN}', ?)",
            (mark, principal, public, now),
        )


def replace(db: Database, old: str, new: str) -> None:
    """From now on the key *new* signs where *old* did; *old* stays valid for what it signed."""
    with db.atomic():
        db.execute("UPDATE signing_key SET replaced_by = ? WHERE fingerprint = ?", (new, old))


def listed(db: Database) -> list[dict[str, str]]:
    """Every key of this workspace, newest first; not those of others (`keep_foreign`)."""
    rows = db.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM signing_key WHERE store <> '{FOREIGN}'"
        " ORDER BY made_at DESC"
    )
    found = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    return [{**row, "kind": kind_of(row["store"], row["public"])} for row in found]


def signs_for(db: Database, principal: str | None) -> dict[str, str] | None:
    """The key that signs for *principal* now (None: for anybody): the newest, not replaced."""
    return next(
        (
            row
            for row in listed(db)
            if not row["replaced_by"] and principal in (None, row["principal"])
        ),
        None,
    )


def find(db: Database, mark: str) -> dict[str, str]:
    """The key with that fingerprint, or whose fingerprint begins so; raises NotFound."""
    wanted = mark if mark.startswith("SHA256:") else f"SHA256:{mark}"
    found = [row for row in listed(db) if row["fingerprint"].startswith(wanted)]
    if len(found) != 1 or wanted == "SHA256:":
        several = "several keys" if len(found) > 1 else "no key"
        raise NotFound(f"{several} of this workspace: {mark}; see `muster key list`")
    return found[0]


def kept_in(row: dict[str, str]) -> str:
    """Where the private half of a listed key is, in words."""
    if row["store"] != "ssh":
        return {"keyring": "the system's keyring", "file": "a file under a passphrase",
                "memory": "memory, for this run alone"}[row["store"]]  # fmt: skip
    where = "in the SSH agent" if row["place"] == AGENT else f"file {row['place']}"
    return f"{'a hardware key' if row['kind'] == 'hardware' else 'an SSH key'}, {where}"
