CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 1), origin TEXT NOT NULL, verifier TEXT NOT NULL,
    size BIGINT NOT NULL, root BYTEA NOT NULL, stopped TEXT);
CREATE TABLE record (
    idx BIGINT PRIMARY KEY, leaf BYTEA NOT NULL UNIQUE, statement TEXT NOT NULL,
    kind TEXT NOT NULL, principal TEXT NOT NULL, fingerprint TEXT NOT NULL, device TEXT NOT NULL,
    seq BIGINT NOT NULL, campaign TEXT, line BYTEA NOT NULL, logged_at TEXT NOT NULL,
    UNIQUE (device, seq));
CREATE INDEX record_roster ON record (idx) WHERE kind = 'roster';
CREATE INDEX record_enrolment ON record (idx) WHERE kind = 'enrolment';
CREATE INDEX record_opening ON record (statement) WHERE kind = 'campaign';
CREATE INDEX record_campaign ON record (campaign, idx) WHERE campaign IS NOT NULL;
CREATE FUNCTION record_stays() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'a record is never changed and never deleted'; END $$;
CREATE TRIGGER record_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON record
    EXECUTE FUNCTION record_stays();
CREATE TABLE log_tile (
    level BIGINT NOT NULL, idx BIGINT NOT NULL, hashes BYTEA NOT NULL, PRIMARY KEY (level, idx));
CREATE TABLE upload (id TEXT PRIMARY KEY, begun_at TEXT NOT NULL);
CREATE TABLE stored_blob (sha256 TEXT PRIMARY KEY, size BIGINT NOT NULL, upload TEXT NOT NULL);
CREATE TABLE piece (
    upload TEXT NOT NULL, n BIGINT NOT NULL, packed BYTEA NOT NULL, PRIMARY KEY (upload, n));
CREATE TABLE witness_line (
    origin TEXT NOT NULL, size BIGINT NOT NULL, witness TEXT NOT NULL, line TEXT NOT NULL,
    PRIMARY KEY (origin, size, witness));
CREATE TABLE recovery (n BIGINT PRIMARY KEY, note TEXT NOT NULL);
