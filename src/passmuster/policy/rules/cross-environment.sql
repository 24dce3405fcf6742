-- title: One identity reaches test and production
-- severity: medium
-- subject: identity
-- needs: environment
-- why: A break-in at the less guarded test system ends in production.
-- fix: One identity for each environment; remove the production rights from the shared one.
--
-- Counted: where it lives, where it is used from, and where the permissions that it holds directly
-- apply. An environment's tier comes from the register, or from being called prod, nonprod or dev.
-- Left out: people's own accounts.
WITH tier (uid, tier) AS MATERIALIZED (
    SELECT lower(e.uid), min(e.tier) FROM environment e WHERE e.absent_since IS NULL GROUP BY 1
    UNION ALL
    SELECT v.column1, v.column1 FROM (VALUES ('prod'), ('nonprod'), ('dev')) v
    WHERE v.column1 NOT IN (SELECT lower(e.uid) FROM environment e WHERE e.absent_since IS NULL)),
reached AS (
    SELECT u.identity_id, t.tier, 'used from ' || u.environment AS how
    FROM usage u JOIN tier t ON t.uid = lower(u.environment)
    WHERE u.environment IS NOT NULL AND u.absent_since IS NULL AND u.identity_id IS NOT NULL
    UNION ALL
    SELECT g.identity_id, t.tier, e.display_name || ' in ' || e.environment
    FROM tier t CROSS JOIN entitlement e ON lower(e.environment) = t.uid
        CROSS JOIN grant g ON g.entitlement_id = e.id
    WHERE e.environment IS NOT NULL AND e.absent_since IS NULL
        AND g.absent_since IS NULL AND g.identity_id IS NOT NULL),
span AS (
    SELECT r.identity_id, min(CASE WHEN r.tier = 'prod' THEN r.how END) AS prod,
        min(CASE WHEN r.tier <> 'prod' THEN r.how END) AS other
    FROM reached r
    GROUP BY r.identity_id)
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    coalesce(r.prod, 'lives in ' || h.home) || '; '
        || coalesce(r.other, 'lives in ' || h.home) AS detail
FROM span r CROSS JOIN principal i ON i.id = r.identity_id
    JOIN (SELECT i.id, coalesce(i.environment, s.environment) AS home
        FROM identity i JOIN source s ON s.id = i.source_id) h ON h.id = i.id
    LEFT JOIN tier t ON t.uid = lower(h.home)
WHERE i.kind <> 'human'
    AND (r.prod IS NOT NULL OR t.tier = 'prod')
    AND (r.other IS NOT NULL OR t.tier <> 'prod');
