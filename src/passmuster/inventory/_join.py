"""Tie the other end of a trust to the identity that it is, in whichever source that stands.

A trust policy names a stranger by what its own platform calls it: an ARN, a SPIFFE id, an issuer
and a subject in its tokens. `trust_end` holds these names in one normal form, `link` the identities
that they are. Both are filled set-based, at a cost that follows the trusts, not the identities;
whichever end comes later is tied then. A name that does not mean the same everywhere (a plain uid)
is tied within its own source only: nothing is joined by a guess.

Wildcards are followed where they are documented: `*` and `?` in a subject, as AWS's StringLike has
them, after a fixed beginning. A subject that leaves even the organisation open is everybody, and
no link. A service account's subject names no cluster that an export of it names too: it is tied
where both ends say so, the role's policy by the subject and the account by its annotation.
"""

from passmuster.store import Database

_GUID = "-".join("[0-9a-fA-F]" * n for n in (8, 4, 4, 4, 12))
_IN_SOURCE = "CROSS JOIN source s ON {of} CROSS JOIN identity i ON i.source_id = s.id"
_IN_ALL = "CROSS JOIN identity i ON {of}"
_OF = {
    "uid": (_IN_SOURCE, "s.id"), "uid_alt": (_IN_SOURCE, "s.id"),
    "external_id": (_IN_ALL, "+i.source_id"), "handle": (_IN_ALL, "+i.source_id"),
}  # fmt: skip
"""What an identity may be called by, and how it is looked up: within each source, or by an index
over all; the `+` keeps SQLite to that index."""


def _wide(name: str) -> str:
    """SQL: whether *name* means the same thing in every source."""
    return (
        f"({name} GLOB 'arn:*' OR {name} GLOB 'spiffe://*' OR instr({name}, '#') > 0"
        f" OR {name} GLOB '*@*.gserviceaccount.com' OR {name} GLOB '{_GUID}')"
    )


# a repository is the party, whatever its branch or environment: `repo:org/name:ref:…`. Google's
# name of a service account of a cluster is POOL.svc.id.goog[ns/name]. A LIMIT keeps steps apart:
# without it SQLite puts one into the next and works the same name out many times.
ENDS = f"""
WITH said AS (
    SELECT t.id, CASE WHEN t.from_uid GLOB 'serviceAccount:*@*' THEN substr(t.from_uid, 16)
        ELSE t.from_uid END AS uid, j.value AS subject,
        t.from_uid GLOB '*.svc.id.goog[[]*]' AS gke
    FROM trust t, json_each('[' || replace(
        json_quote(coalesce(nullif(t.subject_pattern, ''), '-')), ', ', '","') || ']') j
    WHERE t.id > (SELECT coalesce(max(trust_id), 0) FROM trust_end)),
named AS (
    SELECT id, CASE
        WHEN gke THEN 'https://' || replace(replace(rtrim(uid, ']'), '[',
            '#system:serviceaccount:'), '/', ':')
        WHEN subject GLOB 'spiffe://*' THEN subject
        WHEN subject = '-' OR instr(uid, '#') OR uid GLOB 'arn:*' OR uid GLOB 'spiffe://*' THEN uid
        ELSE 'https://' || rtrim(CASE WHEN uid LIKE 'https://%' THEN substr(uid, 9) ELSE uid END,
            '/') || '#' || subject END AS name FROM said LIMIT -1),
begun AS (
    SELECT id, name, CASE WHEN instr(name, '#repo:') THEN instr(name, '#repo:') + 6
        WHEN instr(name, '#project_path:') THEN instr(name, '#project_path:') + 14 END AS at
    FROM named LIMIT -1),
party AS (
    SELECT id, CASE WHEN instr(substr(name, at), ':')
        THEN substr(name, 1, at + instr(substr(name, at), ':') - 2) ELSE name END AS key
    FROM begun LIMIT -1),
cut AS (
    SELECT id, key, min(coalesce(nullif(instr(key, '*'), 0), length(key) + 1),
        coalesce(nullif(instr(key, '?'), 0), length(key) + 1)) - 1 AS fixed FROM party)
INSERT OR IGNORE INTO trust_end (trust_id, key, prefix, wide)
SELECT id, key, CASE WHEN fixed < length(key) THEN substr(key, 1, fixed) END, {_wide("key")}
FROM cut
"""
TARGETS = """
UPDATE trust SET identity_id = (SELECT i.id FROM source s CROSS JOIN identity i
    ON {own} = s.id AND i.{name} = trust.to_identity_uid
    WHERE (s.id = ?1 OR trust.source_id = ?1) AND s.platform <> 'terraform'
    ORDER BY i.line IS NULL, i.id LIMIT 1)
WHERE identity_id IS NULL AND {wide}
"""
LATER = """
INSERT OR IGNORE INTO link SELECT e.trust_id, i.id FROM trust_end e
CROSS JOIN identity i ON {own} = ?1 AND i.{name} = e.key WHERE e.wide AND e.prefix IS NULL
"""
"""Identities of this source, for the trusts of all."""
SOONER = """
INSERT OR IGNORE INTO link SELECT e.trust_id, i.id FROM trust t
CROSS JOIN trust_end e ON e.trust_id = t.id
{within} AND i.{name} = e.key
WHERE t.source_id = ?1 AND e.prefix IS NULL
"""
"""Trusts of this source, for the identities of all."""
_FIXED = (
    "(instr(e.prefix, '#') OR e.prefix GLOB 'spiffe://?*/*') AND e.prefix NOT GLOB '*#'"
    " AND e.prefix NOT GLOB '*#repo:' AND e.prefix NOT GLOB '*#project_path:'"
    " AND e.prefix NOT GLOB '*#system:serviceaccount:'"
)
PATTERNS = """
INSERT OR IGNORE INTO link SELECT e.trust_id, i.id FROM trust_end e
CROSS JOIN trust t ON t.id = e.trust_id
{touched} AND i.{name} >= e.prefix
    AND i.{name} < e.prefix || char(1114111) AND i.{name} GLOB replace(e.key, '[', '[[]')
WHERE e.prefix IS NOT NULL AND {fixed}
"""
AGREED = """
INSERT OR IGNORE INTO link SELECT e.trust_id, i.id FROM trust {first}
CROSS JOIN trust {then} ON {then}.identity_id = {first}.identity_id
    AND {then}.source_id <> {first}.source_id
CROSS JOIN identity r ON r.id = t.identity_id AND r.source_id = t.source_id
CROSS JOIN trust_end e ON e.trust_id = t.id AND instr(e.key, '#') > 0
CROSS JOIN link c ON c.trust_id = claim.id
CROSS JOIN identity i ON i.id = c.identity_id AND coalesce(i.uid_alt, i.uid)
    GLOB replace(substr(e.key, instr(e.key, '#') + 1), '[', '[[]')
WHERE {first}.source_id = ?1 AND i.source_id = claim.source_id
"""


ECHOES = """
DELETE FROM link WHERE EXISTS (SELECT 1 FROM identity i CROSS JOIN source s ON s.id = i.source_id
    CROSS JOIN trust t ON t.id = link.trust_id AND t.source_id <> s.id
    WHERE i.id = link.identity_id AND s.platform = 'terraform')
"""
"""What the code makes is met where it lives: its row in the code's own source is not it."""


def join(db: Database, source_id: int) -> None:
    """Tie what an import of *source_id* has made known to the other ends, of any source."""
    first = db.value("SELECT NOT EXISTS (SELECT 1 FROM trust_end)")
    db.execute(ENDS)
    if not first:
        _join(db, source_id)
        return
    # what was imported by a release that tied nothing is tied now
    for (each,) in db.execute("SELECT id FROM source WHERE platform <> 'register'").fetchall():
        _join(db, each)


def _join(db: Database, source_id: int) -> None:
    for sql in statements(TARGETS):
        db.execute(sql, (source_id,))
    # an identity may be called differently now
    db.execute(
        "DELETE FROM link WHERE"
        " (SELECT i.source_id FROM identity i WHERE i.id = link.identity_id) = ?",
        (source_id,),
    )
    for template in (LATER, SOONER, PATTERNS, AGREED):
        for sql in statements(template):
            db.execute(sql, (source_id,))
    if db.value("SELECT 1 FROM source WHERE platform = 'terraform' LIMIT 1"):
        db.execute(ECHOES)


def statements(template: str) -> list[str]:
    """The statements that *template* stands for: one for each name of an identity, or order."""
    if template is AGREED:
        pairs = (("claim", "t"), ("t", "claim"))
        return [template.format(first=first, then=then) for first, then in pairs]
    found = []
    for name in ("uid", "uid_alt", "handle") if template is PATTERNS else _OF:
        look_up, of = _OF[name]
        found.append(template.format(
            name=name, own="i.source_id" if look_up is _IN_SOURCE else of, fixed=_FIXED,
            wide=_wide("to_identity_uid"),
            within=look_up.format(of=f"(e.wide OR {of} = t.source_id)"),
            touched=look_up.format(of=f"({of} = ?1 OR t.source_id = ?1)"),
        ))  # fmt: skip
    return found
