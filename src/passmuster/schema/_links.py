"""Both ends of trusts, and what people say new identities are for."""

LINKS = """
-- the other ends of a trust, normalised, and the identities that they are, of any source
CREATE TABLE trust_end (
    trust_id INTEGER NOT NULL REFERENCES trust, key TEXT NOT NULL, prefix TEXT,
    wide INTEGER NOT NULL, PRIMARY KEY (trust_id, key)) WITHOUT ROWID;
CREATE TABLE link (
    trust_id INTEGER NOT NULL REFERENCES trust, identity_id INTEGER NOT NULL REFERENCES identity,
    PRIMARY KEY (trust_id, identity_id)) WITHOUT ROWID;
CREATE INDEX link_identity ON link (identity_id, trust_id);
CREATE INDEX trust_dangling ON trust (to_identity_uid) WHERE identity_id IS NULL;
ALTER TABLE identity ADD COLUMN handle TEXT;
CREATE INDEX identity_handle ON identity (handle) WHERE handle IS NOT NULL;
CREATE INDEX trust_supplier ON trust (supplier COLLATE NOCASE) WHERE supplier IS NOT NULL;
-- what people said an identity is for, where no platform does or knows better
CREATE TABLE purpose (
    identity_id INTEGER PRIMARY KEY REFERENCES identity, purpose TEXT NOT NULL,
    said_by TEXT NOT NULL, said_at TEXT NOT NULL);
CREATE INDEX identity_first_seen ON identity (first_seen_run);
"""
"""`trust_end.key`: a uid, or `<issuer>#<subject>`; `prefix` is what stands before its first
wildcard, null where it has none; `wide` where it means the same in every source."""
