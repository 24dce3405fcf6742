"""What a person means by a handle: an identity, or one credential of it, and why it matched.

Handles are what people find in an alert, a log line or a leak: a key id, an ARN, a fingerprint, an
e-mail address, a DN, a UPN, a name, the URI or the short id of an item; a public key; the leaked
token itself. Every look-up is by an index. None is taken by a guess: whatever a word may mean is
given, and whoever asked says which. Weak ones (the beginning of an id, the last signs of a token)
are looked for only where nothing has the handle as a whole.

**A secret is looked at and forgotten**: only its digests and its last four signs are compared, and
nothing here says or keeps it.
"""

import base64
import binascii
import hashlib
import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from passmuster.connectors import holds_secret
from passmuster.errors import NotFound
from passmuster.store import Database
from passmuster.text import visible

MOST = 9
"""Candidates that are looked for: more than that is no handle."""
MIN_PREFIX = 8
"""Signs of an id that its beginning must have, where no item is meant."""
MIN_ITEM = 3
MAX_SIGNS = 20_000
_KEYS = ("ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}:?){16,64}")
_SPELLED = re.compile(r"muster:([^/]+)/(identity|credential|grant|trust)/(.+)")
_BARE = re.compile(r"[A-Za-z0-9+/=_.~-]{24,}")


class Match(NamedTuple):
    """What a handle may mean."""

    identity_id: int
    credential: str | None
    """The uid of the credential that is meant; None: the identity."""
    why: str
    """What of it the handle is: `key id`, `name`."""
    name: str
    """Of the identity, for people."""
    source: str
    """uid of the source."""
    uid: str
    """Of the identity, at its source."""

    @property
    def uri(self) -> str:
        """The handle that means nothing else."""
        kind, uid = ("identity", self.uid) if self.credential is None else (
            "credential", self.credential)  # fmt: skip
        return f"muster:{quote(self.source, safe=':')}/{kind}/{quote(uid, safe='')}"

    @property
    def words(self) -> str:
        """One line for people who must choose."""
        what = self.name if self.credential is None else f"{self.credential} of {self.name}"
        return f"{what} ({self.source}): by its {self.why}"


class _Arm(NamedTuple):
    """One look-up: ?1 is the handle, or a spelling of it; gives (identity, credential)."""

    why: str
    sql: str


_OF_SOURCE = "FROM source s CROSS JOIN identity y ON y.source_id = s.id"
_CREDENTIAL = (
    "SELECT c.identity_id, c.uid FROM source s CROSS JOIN credential c ON c.source_id = s.id"
)
_HELD = "c.identity_id IS NOT NULL"

EXACT = (
    _Arm("id", f"SELECT y.id, NULL {_OF_SOURCE} AND y.uid = ?1"),
    _Arm("name", "SELECT identity_id, NULL FROM listing WHERE name = ?1"),
    _Arm("other handle", f"SELECT y.id, NULL {_OF_SOURCE} AND y.uid_alt = ?1"),
    _Arm("login", "SELECT id, NULL FROM identity WHERE external_id = ?1 COLLATE NOCASE"
                  " AND external_id IS NOT NULL"),
    _Arm("key id", f"{_CREDENTIAL} AND c.uid = ?1 WHERE {_HELD}"),
)  # fmt: skip
PERSON = _Arm(
    "person",
    "SELECT y.id, NULL FROM alias a CROSS JOIN identity y ON y.person_uid = a.person_uid"
    " AND y.person_uid IS NOT NULL WHERE a.name = ?1",
)
"""The accounts of somebody, where no account has the address itself."""
NAME = _Arm(
    "key's name",
    f"SELECT c.identity_id, c.uid FROM credential c WHERE c.display_name = ?1 AND {_HELD}"
    " AND c.display_name IS NOT NULL",
)
"""Of a credential: many may be called `password`, so it comes after what is unique."""
BEGINNINGS = (
    _Arm("short id", "SELECT n.identity_id, n.uri FROM item n WHERE n.name >= lower(?1)"
                     " AND n.name < lower(?1) || '{'"),
    _Arm("id's beginning",
         f"{_CREDENTIAL} AND c.uid >= ?1 AND c.uid < ?1 || char(0x10FFFF) WHERE {_HELD}"),
)  # fmt: skip
ENDS = _Arm(
    "last four signs, which others may have too",
    f"SELECT c.identity_id, c.uid FROM credential c WHERE c.hint = ?1 AND {_HELD}",
)
_SHOWN = (
    "SELECT y.id, y.display_name, s.uid, y.uid FROM identity y JOIN source s ON s.id = y.source_id"
    " WHERE y.id = ?"
)


def is_secret(handle: str) -> bool:
    """Whether what was typed as a handle looks like the secret itself."""
    return holds_secret(handle)


def matches(db: Database, handle: str) -> list[Match]:
    """What *handle* may mean, at most `MOST`; empty where nothing has it."""
    handle = handle.strip()
    if not handle or len(handle) > MAX_SIGNS:
        return []
    if is_secret(handle):
        return secret_matches(db, handle)
    if marks := _public_key(handle):
        return _look(db, [_Arm("public key", EXACT[-1].sql)], marks)
    dn = re.sub(r"\s*,\s*", ",", handle)
    return (
        _uri(db, handle)
        or _look(db, EXACT, [handle])
        or _look(db, [_fingerprint()], _spellings(handle))
        or _look(db, [PERSON, NAME], [handle])
        or ("=" in handle and _look(db, EXACT[2:3], [dn]))
        or _begins(db, handle)
    )


def secret_matches(db: Database, secret: str) -> list[Match]:
    """What a leaked token may be of: by its digest where a source tells that, else by its end."""
    data = secret.strip().encode()
    digest = hashlib.sha256(data)
    spelled = [
        digest.hexdigest(), f"sha256:{digest.hexdigest()}",
        base64.b64encode(digest.digest()).decode(), hashlib.sha512(data).hexdigest(),
    ]  # fmt: skip
    if found := _look(db, [_Arm("digest", EXACT[-1].sql)], spelled):
        return found
    token = secret.strip()
    ends = [token[-4:], token[-8:]] if _BARE.fullmatch(token) else []
    return _look(db, [ENDS], ends)


def only(db: Database, handle: str) -> Match:
    """The one thing that *handle* means. Raises NotFound, with the candidates, for none or several;
    what looks like a secret is never said again.
    """
    found = matches(db, handle)
    called = "what was pasted" if is_secret(handle) else repr(visible(handle[:200]))
    if not found:
        raise NotFound(f"no identity or credential is known by {called}; "
                       "`muster identities WORD` finds parts of names")  # fmt: skip
    if len(found) > 1:
        named = "; ".join(match.words for match in found)
        more = " and more" if len(found) >= MOST else ""
        say = ", ".join(visible(match.uri) for match in found)
        raise NotFound(f"{called} is several: {named}{more}. Say which: {say}")
    return found[0]


def _fingerprint() -> _Arm:
    return _Arm("fingerprint", EXACT[-1].sql)


def _look(db: Database, arms: "tuple[_Arm, ...] | list[_Arm]", words: list[str]) -> list[Match]:
    """What has one of *words*; each thing once, by the first way in which it was found."""
    found: dict[tuple[int, str | None], str] = {}
    for arm in arms:
        for word in words:
            for identity_id, part in db.execute(f"{arm.sql} LIMIT {MOST}", (word,)):
                found.setdefault((identity_id, _part(part)), arm.why)
    # a key of SSH is an identity, and its own credential: the same thing under the same id
    twice = {(y, word) for (y, part), why in found.items() if part is None and why == "id"
             for word in words}  # fmt: skip
    some = [each for each in found.items() if each[0] not in twice][:MOST]
    return [_match(db, identity_id, part, why) for (identity_id, part), why in some]


def _part(said: str | None) -> str | None:
    """The credential that an item's URI names, or a credential's uid as it is."""
    spelled = _SPELLED.fullmatch(said or "")
    if spelled is None:
        return said
    return unquote(spelled[3]) if spelled[2] == "credential" else None


def _match(db: Database, identity_id: int, part: str | None, why: str) -> Match:
    _, name, source, uid = db.one(_SHOWN, (identity_id,))
    return Match(identity_id, part, why, name, source, uid)


def _uri(db: Database, handle: str) -> list[Match]:
    """By the URI of a subject: of an identity, or of a part of one."""
    spelled = _SPELLED.fullmatch(handle)
    if spelled is None:
        return []
    source, kind, uid = unquote(spelled[1]), spelled[2], unquote(spelled[3])
    if kind == "credential":
        sql = ("SELECT c.identity_id, c.uid FROM source s JOIN credential c ON c.source_id = s.id"
               f" AND c.uid = ?1 WHERE s.uid = ?2 AND {_HELD}")  # fmt: skip
    else:
        sql = ("SELECT y.id, NULL FROM source s JOIN identity y ON y.source_id = s.id"
               " AND y.uid = ?1 WHERE s.uid = ?2")  # fmt: skip
        uid = uid if kind == "identity" else uid.split(" ", 1)[0]
    rows = db.execute(sql, (uid, source)).fetchall()
    return [_match(db, identity_id, part, "URI") for identity_id, part in rows]


def _public_key(handle: str) -> list[str]:
    """The fingerprints of an OpenSSH public key, as sources spell them."""
    words = handle.split()
    if len(words) < 2 or not words[0].startswith(_KEYS):
        return []
    try:
        digest = hashlib.sha256(base64.b64decode(words[1], validate=True))
    except (binascii.Error, ValueError):
        return []
    return _sha256(digest.digest())


def _sha256(digest: bytes) -> list[str]:
    short = base64.b64encode(digest).decode().rstrip("=")
    return [f"SHA256:{short}", short, digest.hex(), f"sha256:{digest.hex()}"]


def _spellings(handle: str) -> list[str]:
    """How sources may spell a fingerprint, a serial number or a digest; empty for what is none."""
    word = handle.removeprefix("SHA256:").removeprefix("sha256:").removeprefix("MD5:")
    if _HEX.fullmatch(word):
        bare = word.replace(":", "").lower()
        pairs = ":".join(bare[n : n + 2] for n in range(0, len(bare), 2))
        found = [bare, bare.upper(), pairs, pairs.upper(), f"sha256:{bare}", f"SHA256:{bare}",
                 f"certificate:{bare}"]  # fmt: skip
        return found + (_sha256(bytes.fromhex(bare)) if len(bare) == 64 else [])
    if word != handle or re.fullmatch(r"[A-Za-z0-9+/]{43}=?", word):
        try:
            return _sha256(base64.b64decode(word.rstrip("=") + "=", validate=True))
        except (binascii.Error, ValueError):
            return []
    return []


def _begins(db: Database, handle: str) -> list[Match]:
    found: list[Match] = []
    if len(handle) >= MIN_ITEM and handle.isalnum():
        found += _look(db, BEGINNINGS[:1], [handle])
    if len(handle) >= MIN_PREFIX:
        found += [m for m in _look(db, BEGINNINGS[1:], [handle]) if m not in found]
    return found[:MOST]
