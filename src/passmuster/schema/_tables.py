"""The tables of a workspace, by the step that made them.

Column names follow baton's vocabulary and OCSF; what has been released is never edited.
"""

INVENTORY = """
CREATE TABLE source (
    id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, platform TEXT NOT NULL,
    tenant_uid TEXT NOT NULL, name TEXT, environment TEXT, usage_since TEXT);
CREATE TABLE import_run (
    id INTEGER PRIMARY KEY, source_id INTEGER NOT NULL REFERENCES source, format TEXT NOT NULL,
    file_name TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, exported_at TEXT,
    imported_at TEXT NOT NULL, imported_by TEXT, tool_version TEXT NOT NULL,
    supplies TEXT NOT NULL, options TEXT NOT NULL, raw TEXT, batch INTEGER NOT NULL DEFAULT 0,
    identities INTEGER NOT NULL DEFAULT 0, records INTEGER NOT NULL DEFAULT 0,
    new INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0,
    absent INTEGER NOT NULL DEFAULT 0, problems INTEGER NOT NULL DEFAULT 0);
CREATE INDEX import_run_source ON import_run (source_id, format, id);
CREATE TABLE problem (
    id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES import_run, line INTEGER,
    field TEXT, why TEXT NOT NULL, uid TEXT);
CREATE INDEX problem_run ON problem (run_id);

CREATE TABLE identity (
    id INTEGER PRIMARY KEY, source_id INTEGER NOT NULL REFERENCES source,
    uid TEXT NOT NULL, uid_alt TEXT COLLATE NOCASE, display_name TEXT NOT NULL,
    kind TEXT NOT NULL, kind_origin TEXT NOT NULL, external_id TEXT, nhi_type TEXT,
    nhi_detail TEXT, status TEXT NOT NULL, is_locked INTEGER, created_at TEXT, created_by TEXT,
    last_used_at TEXT, last_used_state TEXT NOT NULL, last_used_source TEXT, has_mfa INTEGER,
    is_external INTEGER, person_uid TEXT, purpose TEXT, acts_for TEXT, review_due TEXT,
    environment TEXT, supplier TEXT, attributes TEXT NOT NULL, line INTEGER,
    is_privileged INTEGER NOT NULL DEFAULT 0, privilege_reason TEXT,
    first_seen_run INTEGER NOT NULL, last_seen_run INTEGER NOT NULL, absent_since TEXT,
    UNIQUE (source_id, uid));
CREATE INDEX identity_alt ON identity (source_id, uid_alt);
CREATE TABLE seen (
    identity_id INTEGER NOT NULL, format TEXT NOT NULL, run_id INTEGER NOT NULL,
    PRIMARY KEY (identity_id, format)) WITHOUT ROWID;

CREATE TABLE credential (
    id INTEGER PRIMARY KEY, source_id INTEGER NOT NULL REFERENCES source,
    identity_id INTEGER REFERENCES identity, identity_uid TEXT NOT NULL, uid TEXT NOT NULL,
    credential_type TEXT NOT NULL, credential_detail TEXT NOT NULL, display_name TEXT, hint TEXT,
    status TEXT NOT NULL, created_at TEXT, created_by TEXT, last_rotated_at TEXT,
    expires_at TEXT, expires_state TEXT NOT NULL, last_used_at TEXT,
    last_used_state TEXT NOT NULL, last_used_from TEXT, scopes TEXT, attributes TEXT NOT NULL,
    line INTEGER, first_seen_run INTEGER NOT NULL, last_seen_run INTEGER NOT NULL,
    absent_since TEXT, UNIQUE (source_id, uid));
CREATE INDEX credential_identity ON credential (identity_id);
CREATE TABLE entitlement (
    id INTEGER PRIMARY KEY, source_id INTEGER NOT NULL REFERENCES source, uid TEXT NOT NULL,
    display_name TEXT NOT NULL, purpose TEXT NOT NULL, resource_uid TEXT COLLATE NOCASE,
    resource_kind TEXT, permission_level TEXT NOT NULL, level_reason TEXT, is_builtin INTEGER,
    scope TEXT, environment TEXT, attributes TEXT NOT NULL, line INTEGER,
    resource_id INTEGER REFERENCES identity,
    first_seen_run INTEGER NOT NULL, last_seen_run INTEGER NOT NULL, absent_since TEXT,
    UNIQUE (source_id, uid));
CREATE INDEX entitlement_resource ON entitlement (resource_id) WHERE resource_id IS NOT NULL;
CREATE TABLE grant (
    id INTEGER PRIMARY KEY, source_id INTEGER NOT NULL REFERENCES source,
    principal_uid TEXT NOT NULL, entitlement_uid TEXT NOT NULL, via TEXT NOT NULL,
    condition TEXT, granted_at TEXT, expires_at TEXT, line INTEGER,
    identity_id INTEGER REFERENCES identity, entitlement_id INTEGER REFERENCES entitlement,
    first_seen_run INTEGER NOT NULL, last_seen_run INTEGER NOT NULL, absent_since TEXT,
    UNIQUE (source_id, principal_uid, entitlement_uid, via));
CREATE INDEX grant_identity ON grant (identity_id);
CREATE INDEX grant_entitlement ON grant (entitlement_id);
CREATE TABLE trust (
    id INTEGER PRIMARY KEY, source_id INTEGER NOT NULL REFERENCES source,
    to_identity_uid TEXT NOT NULL, from_uid TEXT NOT NULL, from_kind TEXT NOT NULL,
    mechanism TEXT NOT NULL, audience TEXT, subject_pattern TEXT, condition TEXT,
    is_external INTEGER NOT NULL, is_wildcard INTEGER NOT NULL, supplier TEXT, created_at TEXT,
    line INTEGER, identity_id INTEGER REFERENCES identity,
    first_seen_run INTEGER NOT NULL, last_seen_run INTEGER NOT NULL, absent_since TEXT);
CREATE UNIQUE INDEX trust_key ON trust (source_id, to_identity_uid, from_uid, mechanism,
    coalesce(subject_pattern, ''));
CREATE INDEX trust_identity ON trust (identity_id);
CREATE TABLE usage (
    id INTEGER PRIMARY KEY, source_id INTEGER NOT NULL REFERENCES source,
    identity_uid TEXT NOT NULL, consumer TEXT NOT NULL, consumer_kind TEXT NOT NULL, how TEXT,
    environment TEXT, last_at TEXT, line INTEGER, identity_id INTEGER REFERENCES identity,
    first_seen_run INTEGER NOT NULL, last_seen_run INTEGER NOT NULL, absent_since TEXT,
    UNIQUE (source_id, identity_uid, consumer, consumer_kind));
CREATE INDEX usage_identity ON usage (identity_id, consumer_kind, consumer);
CREATE INDEX usage_person ON usage (identity_id) WHERE consumer_kind = 'person';
CREATE TABLE sighting (
    id INTEGER PRIMARY KEY, source_id INTEGER NOT NULL REFERENCES source,
    identity_uid TEXT NOT NULL, what TEXT NOT NULL, place TEXT NOT NULL, seen_at TEXT,
    credential_uid TEXT, line INTEGER, identity_id INTEGER REFERENCES identity,
    first_seen_run INTEGER NOT NULL, last_seen_run INTEGER NOT NULL, absent_since TEXT,
    UNIQUE (source_id, identity_uid, what, place));
CREATE INDEX sighting_identity ON sighting (identity_id);

CREATE TABLE owner (
    id INTEGER PRIMARY KEY, source_id INTEGER NOT NULL REFERENCES source,
    identity_uid TEXT NOT NULL, handle TEXT NOT NULL, role TEXT NOT NULL, origin TEXT NOT NULL,
    evidence TEXT, line INTEGER, identity_id INTEGER REFERENCES identity,
    person_uid TEXT, team_uid TEXT, statement TEXT,
    first_seen_run INTEGER NOT NULL, last_seen_run INTEGER NOT NULL, absent_since TEXT,
    UNIQUE (source_id, identity_uid, handle, role, origin));
CREATE INDEX owner_identity ON owner (identity_id, absent_since, person_uid, team_uid);
CREATE TABLE person (
    id INTEGER PRIMARY KEY, source_id INTEGER NOT NULL REFERENCES source, uid TEXT NOT NULL,
    email TEXT COLLATE NOCASE, display_name TEXT NOT NULL, active INTEGER NOT NULL,
    left_at TEXT, manager TEXT, aliases TEXT NOT NULL, teams TEXT NOT NULL, line INTEGER,
    first_seen_run INTEGER NOT NULL, last_seen_run INTEGER NOT NULL, absent_since TEXT,
    UNIQUE (source_id, uid));
CREATE INDEX person_email ON person (email);
CREATE INDEX person_uid ON person (uid);
CREATE TABLE team (
    id INTEGER PRIMARY KEY, source_id INTEGER NOT NULL REFERENCES source, uid TEXT NOT NULL,
    display_name TEXT NOT NULL, lead TEXT COLLATE NOCASE, aliases TEXT NOT NULL, line INTEGER,
    first_seen_run INTEGER NOT NULL, last_seen_run INTEGER NOT NULL, absent_since TEXT,
    UNIQUE (source_id, uid));
CREATE INDEX team_uid ON team (uid);
CREATE TABLE alias (
    name TEXT NOT NULL COLLATE NOCASE, person_uid TEXT, team_uid TEXT, PRIMARY KEY (name))
    WITHOUT ROWID;
CREATE TABLE supplier (
    id INTEGER PRIMARY KEY, source_id INTEGER NOT NULL REFERENCES source,
    uid TEXT NOT NULL COLLATE NOCASE, display_name TEXT NOT NULL, tenant_uids TEXT NOT NULL,
    contract_ref TEXT, contract_ends_at TEXT, contact TEXT, reviewed_at TEXT,
    active INTEGER NOT NULL, line INTEGER,
    first_seen_run INTEGER NOT NULL, last_seen_run INTEGER NOT NULL, absent_since TEXT,
    UNIQUE (source_id, uid));
CREATE TABLE environment (
    id INTEGER PRIMARY KEY, source_id INTEGER NOT NULL REFERENCES source,
    uid TEXT NOT NULL COLLATE NOCASE, display_name TEXT NOT NULL, tier TEXT NOT NULL,
    matches TEXT NOT NULL, line INTEGER,
    first_seen_run INTEGER NOT NULL, last_seen_run INTEGER NOT NULL, absent_since TEXT,
    UNIQUE (source_id, uid));
CREATE TABLE observation (
    id INTEGER PRIMARY KEY, identity_id INTEGER NOT NULL REFERENCES identity,
    subject TEXT NOT NULL, field TEXT NOT NULL, old TEXT, new TEXT, run_id INTEGER NOT NULL,
    observed_at TEXT NOT NULL);
CREATE INDEX observation_identity ON observation (identity_id, id);
"""

POLICY = """
CREATE TABLE rule_run (
    rule TEXT PRIMARY KEY, ran_at TEXT NOT NULL, sql_sha256 TEXT NOT NULL, params TEXT NOT NULL,
    hits INTEGER, not_evaluated TEXT) WITHOUT ROWID;
CREATE TABLE finding (
    id INTEGER PRIMARY KEY, rule TEXT NOT NULL, subject_kind TEXT NOT NULL,
    subject_id INTEGER NOT NULL, identity_id INTEGER NOT NULL REFERENCES identity,
    severity TEXT NOT NULL, detail TEXT NOT NULL, first_seen TEXT NOT NULL, cleared_at TEXT,
    UNIQUE (rule, subject_kind, subject_id));
-- cleared_at is a column of these too: only then does SQLite read the index alone
CREATE INDEX finding_identity ON finding (identity_id, rule, severity, cleared_at)
    WHERE cleared_at IS NULL;
CREATE INDEX finding_rule ON finding (rule, identity_id, subject_kind, subject_id, cleared_at)
    WHERE cleared_at IS NULL;
CREATE TABLE listing (
    identity_id INTEGER PRIMARY KEY REFERENCES identity, risk INTEGER NOT NULL,
    findings INTEGER NOT NULL, reasons INTEGER NOT NULL, severity TEXT,
    name TEXT NOT NULL COLLATE NOCASE, owner TEXT COLLATE NOCASE, kind TEXT NOT NULL,
    source TEXT NOT NULL, status TEXT NOT NULL, environment TEXT, supplier TEXT,
    is_privileged INTEGER NOT NULL, last_used_at TEXT, last_used_state TEXT NOT NULL,
    owner_state TEXT, absent_since TEXT);
CREATE INDEX listing_risk ON listing (risk DESC, identity_id, kind, absent_since, name, owner);
CREATE INDEX listing_kind ON listing (kind, risk DESC, identity_id, absent_since);
CREATE INDEX listing_owner ON listing (owner);
CREATE INDEX listing_used ON listing (last_used_at);
-- Who can authenticate today and is answered for by somebody here: present, not switched off, no
-- group, and none of the platform's own principals, which nobody but the platform can change.
CREATE VIEW principal AS
    SELECT * FROM identity
    WHERE absent_since IS NULL AND kind <> 'group' AND status NOT IN ('disabled', 'deleted')
        AND (kind <> 'role' OR instr(uid, ':role/aws-service-role/') = 0)
        AND (display_name < 'system:' OR display_name >= 'system;'
            OR display_name GLOB 'system:serviceaccount:*');
"""

REVIEW = """
CREATE TABLE campaign (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, digest TEXT UNIQUE, item_kind TEXT NOT NULL,
    scope TEXT NOT NULL, due_at TEXT NOT NULL, opened_at TEXT NOT NULL, opened_by TEXT NOT NULL,
    closed_at TEXT, population INTEGER NOT NULL, excluded INTEGER NOT NULL,
    definition TEXT NOT NULL);
CREATE TABLE item (
    id INTEGER PRIMARY KEY, campaign_id INTEGER NOT NULL REFERENCES campaign,
    name TEXT, uri TEXT NOT NULL, subject_id INTEGER NOT NULL,
    identity_id INTEGER NOT NULL REFERENCES identity, reviewer TEXT NOT NULL,
    assigned TEXT NOT NULL, first_reviewer TEXT, first_assigned TEXT, risk INTEGER NOT NULL,
    dossier TEXT NOT NULL, material TEXT NOT NULL, chunk TEXT NOT NULL,
    position INTEGER NOT NULL, salt TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open', UNIQUE (campaign_id, uri));
CREATE INDEX item_name ON item (name);
CREATE INDEX item_queue ON item (campaign_id, reviewer, state, risk DESC, id);
CREATE INDEX item_identity ON item (identity_id);
CREATE TABLE exclusion (
    campaign_id INTEGER NOT NULL REFERENCES campaign, uri TEXT NOT NULL, why TEXT NOT NULL,
    salt TEXT NOT NULL, PRIMARY KEY (campaign_id, uri)) WITHOUT ROWID;
CREATE TABLE draft (
    item_id INTEGER PRIMARY KEY REFERENCES item, verdict TEXT NOT NULL, until TEXT,
    changes TEXT NOT NULL, reason_code TEXT, reason_text TEXT NOT NULL, attention TEXT NOT NULL,
    bulk TEXT, saved_at TEXT NOT NULL, author TEXT NOT NULL);
CREATE TABLE own_draft (
    item_id INTEGER PRIMARY KEY REFERENCES item, owner TEXT NOT NULL, role TEXT NOT NULL,
    evidence TEXT, reassign INTEGER NOT NULL, saved_at TEXT NOT NULL,
    author TEXT NOT NULL);
CREATE TABLE decision (
    leaf TEXT PRIMARY KEY, item_id INTEGER NOT NULL REFERENCES item,
    entry_id INTEGER NOT NULL REFERENCES entry, identity_id INTEGER NOT NULL,
    uri TEXT NOT NULL, verdict TEXT NOT NULL, until TEXT, changes TEXT NOT NULL,
    reason_code TEXT, reason_text TEXT NOT NULL, material TEXT NOT NULL,
    principal TEXT NOT NULL, decided_at TEXT NOT NULL, row TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX decision_item ON decision (item_id, entry_id);
CREATE INDEX decision_uri ON decision (uri);
CREATE INDEX decision_identity ON decision (identity_id, decided_at);
"""

LOG = """
CREATE TABLE workspace (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE blob (
    sha256 TEXT PRIMARY KEY, size INTEGER NOT NULL, packed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE entry (
    id INTEGER PRIMARY KEY, leaf TEXT NOT NULL UNIQUE, statement TEXT NOT NULL UNIQUE,
    predicate TEXT NOT NULL, campaign TEXT, principal TEXT NOT NULL, device TEXT NOT NULL,
    seq INTEGER NOT NULL, envelope BLOB NOT NULL, logged_at TEXT NOT NULL, UNIQUE (device, seq));
CREATE INDEX entry_campaign ON entry (campaign, id);
CREATE TABLE signing_key (
    fingerprint TEXT PRIMARY KEY, principal TEXT NOT NULL, public TEXT NOT NULL,
    store TEXT NOT NULL, made_at TEXT NOT NULL) WITHOUT ROWID;
CREATE TRIGGER entry_is_final BEFORE UPDATE ON entry
    BEGIN SELECT raise(ABORT, 'a log entry is never changed'); END;
CREATE TRIGGER entry_stays BEFORE DELETE ON entry
    BEGIN SELECT raise(ABORT, 'a log entry is never deleted'); END;
CREATE TRIGGER decision_is_final BEFORE UPDATE ON decision
    BEGIN SELECT raise(ABORT, 'a signed decision is never changed'); END;
CREATE TRIGGER decision_stays BEFORE DELETE ON decision
    BEGIN SELECT raise(ABORT, 'a signed decision is never deleted'); END;
"""

EVIDENCE = """
CREATE TABLE tile (
    level INTEGER NOT NULL, idx INTEGER NOT NULL, hashes BLOB NOT NULL,
    PRIMARY KEY (level, idx)) WITHOUT ROWID;
CREATE TABLE checkpoint (
    origin TEXT NOT NULL, size INTEGER NOT NULL, root TEXT NOT NULL, note BLOB NOT NULL,
    made_at TEXT NOT NULL, PRIMARY KEY (origin, size)) WITHOUT ROWID;
CREATE TABLE cosignature (
    origin TEXT NOT NULL, size INTEGER NOT NULL, witness TEXT NOT NULL, asked_at TEXT NOT NULL,
    line TEXT, cosigned_at TEXT, PRIMARY KEY (origin, size, witness)) WITHOUT ROWID;
CREATE TABLE cosigner (fingerprint TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE witnessed (
    origin TEXT PRIMARY KEY, log_keys TEXT NOT NULL, size INTEGER NOT NULL, root TEXT NOT NULL,
    note BLOB NOT NULL, seen_at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE refused (
    sha256 TEXT PRIMARY KEY, origin TEXT NOT NULL, status INTEGER NOT NULL, why TEXT NOT NULL,
    request BLOB NOT NULL, refused_at TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX entry_roster ON entry (id) WHERE predicate = 'roster';
CREATE TRIGGER checkpoint_stays BEFORE DELETE ON checkpoint
    BEGIN SELECT raise(ABORT, 'a signed checkpoint is never deleted'); END;
CREATE TRIGGER refused_stays BEFORE DELETE ON refused
    BEGIN SELECT raise(ABORT, 'evidence against a log is never deleted'); END;
ALTER TABLE signing_key ADD COLUMN place TEXT;
ALTER TABLE signing_key ADD COLUMN replaced_by TEXT;
ALTER TABLE item ADD COLUMN needs_second INTEGER NOT NULL DEFAULT 0;
ALTER TABLE item ADD COLUMN barred TEXT NOT NULL DEFAULT '';
CREATE INDEX item_second ON item (campaign_id, risk DESC, id) WHERE needs_second = 1;
CREATE TABLE second_draft (
    decision TEXT NOT NULL REFERENCES decision, author TEXT NOT NULL, item_id INTEGER NOT NULL
    REFERENCES item, verdict TEXT NOT NULL, reason_code TEXT, reason_text TEXT NOT NULL,
    attention TEXT NOT NULL, bulk TEXT, saved_at TEXT NOT NULL,
    PRIMARY KEY (decision, author)) WITHOUT ROWID;
CREATE INDEX second_draft_item ON second_draft (item_id);
CREATE TABLE countersignature (
    leaf TEXT PRIMARY KEY, decision TEXT NOT NULL REFERENCES decision, item_id INTEGER NOT NULL
    REFERENCES item, entry_id INTEGER NOT NULL REFERENCES entry, verdict TEXT NOT NULL,
    reason_code TEXT, reason_text TEXT NOT NULL, principal TEXT NOT NULL,
    decided_at TEXT NOT NULL, row TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX countersignature_decision ON countersignature (decision);
CREATE INDEX countersignature_item ON countersignature (item_id);
CREATE TRIGGER countersignature_is_final BEFORE UPDATE ON countersignature
    BEGIN SELECT raise(ABORT, 'a signed countersignature is never changed'); END;
CREATE TRIGGER countersignature_stays BEFORE DELETE ON countersignature
    BEGIN SELECT raise(ABORT, 'a signed countersignature is never deleted'); END;
"""

CENTRAL = """
-- the one central log that this workspace syncs with, and how much of it is verified here
CREATE TABLE central (
    id INTEGER PRIMARY KEY CHECK (id = 1), url TEXT NOT NULL, origin TEXT NOT NULL,
    log_key TEXT NOT NULL, note TEXT, size INTEGER NOT NULL DEFAULT 0, root TEXT,
    halted TEXT, synced_at TEXT, pinned_at TEXT NOT NULL);
CREATE TABLE mirror (
    idx INTEGER PRIMARY KEY, leaf TEXT NOT NULL UNIQUE, envelope BLOB, state TEXT NOT NULL,
    why TEXT);
CREATE INDEX mirror_waiting ON mirror (idx) WHERE state = 'waiting';
CREATE INDEX mirror_void ON mirror (idx) WHERE state = 'void';
CREATE TABLE mirror_tile (
    level INTEGER NOT NULL, idx INTEGER NOT NULL, hashes BLOB NOT NULL,
    PRIMARY KEY (level, idx)) WITHOUT ROWID;
-- records of the central log as it was before it was restored, in no entry: to be offered again
CREATE TABLE held (leaf TEXT PRIMARY KEY, idx INTEGER NOT NULL, envelope BLOB NOT NULL);
CREATE TABLE rejected (
    entry_id INTEGER PRIMARY KEY REFERENCES entry, code TEXT NOT NULL, why TEXT NOT NULL,
    at TEXT NOT NULL);
-- two checkpoints that cannot both be true: kept as evidence, whatever becomes of the log
CREATE TABLE halt (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, why TEXT NOT NULL, ours TEXT, theirs TEXT NOT NULL);
CREATE TRIGGER halt_stays BEFORE DELETE ON halt
    BEGIN SELECT raise(ABORT, 'evidence against a log is never deleted'); END;
ALTER TABLE campaign ADD COLUMN travels TEXT;
ALTER TABLE item ADD COLUMN place INTEGER;
ALTER TABLE item ADD COLUMN contested INTEGER NOT NULL DEFAULT 0;
CREATE INDEX item_contested ON item (campaign_id) WHERE contested = 1;
"""
"""`mirror.state`: hidden (not in our scope), waiting (bytes that it names are not here yet),
applied, carried (of a kind that this release does not know), void (`why` says what is wrong).
`campaign.travels`: out (published from here), in (came from the central log), or null.
`item.place`: its line in the population, from 0, where the items here are not all of them; null in
a campaign that was opened here, whose items stand in that order already.
`item.contested`: people decided it differently and neither saw the other (`outcomes`)."""

REMEDIATION = """
-- one stop (or rotation, or cut) that a decision asks for, and how far it is carried out; written
-- by `remediation` alone. `state` and what stands beside it follow from its results (`_folding`).
-- in_export: whether an export of the platform shows the stop, or it is nothing that one tells
CREATE TABLE remediation (
    name TEXT PRIMARY KEY, uri TEXT NOT NULL, identity_id INTEGER REFERENCES identity,
    source TEXT NOT NULL, item_kind TEXT NOT NULL, subject_id INTEGER, verb TEXT NOT NULL,
    part TEXT, campaign TEXT, basis TEXT NOT NULL, due TEXT, decided_at TEXT NOT NULL,
    plan TEXT, plan_digest TEXT, undo_class TEXT, in_export INTEGER NOT NULL DEFAULT 1,
    planned_at TEXT, prior_id INTEGER,
    sent_at TEXT, restoring_at TEXT, state TEXT NOT NULL, verdict TEXT, said TEXT NOT NULL,
    state_at TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX remediation_identity ON remediation (identity_id);
CREATE INDEX remediation_subject ON remediation (item_kind, subject_id) WHERE part IS NULL;
CREATE TABLE saved_state (
    id INTEGER PRIMARY KEY, remediation TEXT NOT NULL REFERENCES remediation,
    saved_at TEXT NOT NULL, salt TEXT NOT NULL, state TEXT NOT NULL);
CREATE TABLE remediation_result (
    id INTEGER PRIMARY KEY, leaf TEXT NOT NULL UNIQUE, remediation TEXT NOT NULL, row TEXT NOT NULL,
    entry_id INTEGER REFERENCES entry);
CREATE INDEX remediation_result_of ON remediation_result (remediation, id);
CREATE INDEX remediation_result_unsigned ON remediation_result (id) WHERE entry_id IS NULL;
CREATE TRIGGER saved_state_is_final BEFORE UPDATE ON saved_state
    BEGIN SELECT raise(ABORT, 'a saved state is never changed'); END;
CREATE TRIGGER saved_state_stays BEFORE DELETE ON saved_state
    BEGIN SELECT raise(ABORT, 'a saved state is never deleted'); END;
CREATE TRIGGER remediation_result_is_final BEFORE UPDATE ON remediation_result
    WHEN old.entry_id IS NOT NULL OR new.row <> old.row
    BEGIN SELECT raise(ABORT, 'a result is never changed'); END;
CREATE TRIGGER remediation_result_stays BEFORE DELETE ON remediation_result
    BEGIN SELECT raise(ABORT, 'a result is never deleted'); END;
"""

EMERGENCY = """
-- stops that were decided outside any campaign. What one is about is kept as its URI has it: it may
-- come from another device before the inventory here knows of it
CREATE TABLE emergency (
    leaf TEXT PRIMARY KEY, entry_id INTEGER NOT NULL REFERENCES entry, uri TEXT NOT NULL,
    source TEXT NOT NULL, kind TEXT NOT NULL, uid TEXT NOT NULL, verdict TEXT NOT NULL,
    reason TEXT NOT NULL, ticket TEXT, restore_due TEXT, principal TEXT NOT NULL,
    decided_at TEXT NOT NULL, row TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX emergency_uri ON emergency (uri);
CREATE INDEX emergency_subject ON emergency (source, kind, uid);
CREATE TRIGGER emergency_is_final BEFORE UPDATE ON emergency
    BEGIN SELECT raise(ABORT, 'a signed decision is never changed'); END;
CREATE TRIGGER emergency_stays BEFORE DELETE ON emergency
    BEGIN SELECT raise(ABORT, 'a signed decision is never deleted'); END;
-- whatever is pasted as a handle is found by an index
CREATE INDEX identity_login ON identity (external_id COLLATE NOCASE)
    WHERE external_id IS NOT NULL;
CREATE INDEX identity_person ON identity (person_uid) WHERE person_uid IS NOT NULL;
CREATE INDEX credential_hint ON credential (hint) WHERE hint IS NOT NULL;
CREATE INDEX credential_name ON credential (display_name) WHERE display_name IS NOT NULL;
"""
