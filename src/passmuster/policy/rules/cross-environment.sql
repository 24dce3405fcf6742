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
    SELECT u.identity_id, u.environment, 'used from ' || u.environment AS how
    FROM usage u
    WHERE u.environment IS NOT NULL AND u.absent_since IS NULL AND u.identity_id IS NOT NULL
    UNION
    SELECT g.identity_id, e.environment, e.display_name || ' in ' || e.environment
    FROM entitlement e CROSS JOIN grant g ON g.entitlement_id = e.id
    WHERE e.environment IS NOT NULL AND e.absent_since IS NULL
        AND g.absent_since IS NULL AND g.identity_id IS NOT NULL),
place AS (
    SELECT r.identity_id, r.environment, r.how FROM reached r
    UNION ALL
    SELECT i.id, coalesce(i.environment, s.environment),
        'lives in ' || coalesce(i.environment, s.environment)
    FROM (SELECT DISTINCT identity_id FROM reached) r
        CROSS JOIN identity i ON i.id = r.identity_id
        JOIN source s ON s.id = i.source_id)
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    min(CASE WHEN t.tier = 'prod' THEN p.how END) || '; '
        || min(CASE WHEN t.tier <> 'prod' THEN p.how END) AS detail
FROM place p JOIN tier t ON t.uid = lower(p.environment)
    CROSS JOIN principal i ON i.id = p.identity_id
WHERE i.kind <> 'human'
GROUP BY i.id
HAVING max(t.tier = 'prod') AND max(t.tier <> 'prod');
