-- title: Identity belongs to an AI agent without a recorded owner, purpose and off switch
-- severity: high
-- subject: identity
-- needs: agent
-- why: It acts on its own: somebody must answer for it, know what it is for, and can stop it.
-- fix: Record a person or team as its owner or sponsor, its purpose, and for whom it acts.
--
-- The off switch: a platform that does not say whether the identity is enabled gives none.
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    'not recorded: ' || substr(
        CASE WHEN n.owned THEN '' ELSE ', owner' END
        || CASE WHEN coalesce(i.purpose, '') = '' THEN ', purpose' ELSE '' END
        || CASE WHEN coalesce(i.acts_for, '') = '' THEN ', for whom it acts' ELSE '' END
        || CASE WHEN i.status = 'unknown' THEN ', whether it is switched on' ELSE '' END,
        3) AS detail
FROM (
    SELECT a.id, EXISTS (
        SELECT 1 FROM owner o
        WHERE o.identity_id = a.id AND o.absent_since IS NULL
            AND (o.person_uid IS NOT NULL OR o.team_uid IS NOT NULL)) AS owned
    FROM identity a WHERE a.kind = 'agent') n
    CROSS JOIN principal i ON i.id = n.id
WHERE NOT n.owned OR coalesce(i.purpose, '') = '' OR coalesce(i.acts_for, '') = ''
    OR i.status = 'unknown';
