CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1), origin TEXT NOT NULL, verifier TEXT NOT NULL,
    size INTEGER NOT NULL, root BLOB NOT NULL, stopped TEXT);
CREATE TABLE record (
    idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL UNIQUE, statement TEXT NOT NULL,
    kind TEXT NOT NULL, principal TEXT NOT NULL, fingerprint TEXT NOT NULL, device TEXT NOT NULL,
    seq INTEGER NOT NULL, campaign TEXT, line BLOB NOT NULL, logged_at TEXT NOT NULL,
    UNIQUE (device, seq));
CREATE INDEX record_roster ON record (idx) WHERE kind = 'roster';
CREATE INDEX record_enrolment ON record (idx) WHERE kind = 'enrolment';
CREATE INDEX record_opening ON record (statement) WHERE kind = 'campaign';
CREATE INDEX record_campaign ON record (campaign, idx) WHERE campaign IS NOT NULL;
CREATE TRIGGER record_is_final BEFORE UPDATE ON record
    BEGIN SELECT raise(ABORT, 'a record is never changed'); END;
CREATE TRIGGER record_stays BEFORE DELETE ON record
    BEGIN SELECT raise(ABORT, 'a record is never deleted'); END;
CREATE TABLE log_tile (
    level INTEGER NOT NULL, idx INTEGER NOT NULL, hashes BLOB NOT NULL,
    PRIMARY KEY (level, idx)) WITHOUT ROWID;
CREATE TABLE upload (id TEXT PRIMARY KEY, begun_at TEXT NOT NULL);
CREATE TABLE stored_blob (sha256 TEXT PRIMARY KEY, size BIGINT NOT NULL, upload TEXT NOT NULL);
CREATE TABLE piece (
    upload TEXT NOT NULL, n INTEGER NOT NULL, packed BLOB NOT NULL, PRIMARY KEY (upload, n));
CREATE TABLE witness_line (
    origin TEXT NOT NULL, size INTEGER NOT NULL, witness TEXT NOT NULL, line TEXT NOT NULL,
    PRIMARY KEY (origin, size, witness)) WITHOUT ROWID;
CREATE TABLE recovery (n INTEGER PRIMARY KEY, note TEXT NOT NULL);
