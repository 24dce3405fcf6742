-- one-time invitations, as hashes: who made one, for whom, and when which enrolment used it
CREATE TABLE invite (
    hash TEXT PRIMARY KEY, principal TEXT NOT NULL, roles TEXT NOT NULL, made_by TEXT NOT NULL,
    made_at TEXT NOT NULL, ends_at TEXT NOT NULL, used_at TEXT, leaf TEXT UNIQUE);
-- the enrolments that may be logged, and on whose word
CREATE TABLE admission (
    leaf TEXT PRIMARY KEY, principal TEXT NOT NULL, fingerprint TEXT NOT NULL,
    roles TEXT NOT NULL, via TEXT NOT NULL, said_by TEXT NOT NULL, at TEXT NOT NULL);
-- what is good once: proofs of requests, nonces of sessions, in seconds since 1970
CREATE TABLE spent (what TEXT PRIMARY KEY, until BIGINT NOT NULL);
CREATE INDEX spent_until ON spent (until);
-- who has to do with a campaign: owner, reviewer, second
CREATE TABLE scope (
    campaign TEXT NOT NULL, principal TEXT NOT NULL, part TEXT NOT NULL,
    PRIMARY KEY (campaign, principal, part));
CREATE INDEX scope_principal ON scope (principal);
-- which bytes are for whom: a person's, or (principal is empty) a part's, or everybody's in scope
CREATE TABLE blob_scope (
    sha256 TEXT NOT NULL, campaign TEXT NOT NULL, principal TEXT NOT NULL, part TEXT NOT NULL,
    PRIMARY KEY (sha256, campaign, principal, part));
