-- title: Recorded owner has left or moved
-- severity: high
-- subject: identity
-- params: grace_days=1 (PCI DSS 4.0.1 8.2.5, CIS Controls v8.1 6.2: at once; registers lag)
-- needs: owner, person
-- why: The leaver may still know its secrets, and nobody answers for it any more.
-- fix: Hand it to a new owner and rotate what the leaver could have seen, or revoke it.
--
-- Departed: somebody who stands in a register and is active in none. A person's own account counts
-- too. A team, or one owner who is still here, clears it.
WITH departed AS MATERIALIZED (
    SELECT p.uid, max(p.display_name) AS name, max(coalesce(p.left_at, p.absent_since)) AS since
    FROM person p
    GROUP BY p.uid
    HAVING max(p.active = 1 AND p.absent_since IS NULL
            AND (p.left_at IS NULL OR p.left_at > :now)) = 0
        AND coalesce(max(coalesce(p.left_at, p.absent_since)), '')
            <= strftime('%Y-%m-%dT%H:%M:%SZ', :now, '-' || :grace_days || ' days')),
left_behind AS (
    SELECT o.identity_id, 'owner ' || d.name AS who, d.since
    FROM departed d JOIN owner o ON o.person_uid = d.uid
    WHERE o.absent_since IS NULL AND o.identity_id IS NOT NULL
    UNION ALL
    SELECT i.id, 'its person ' || d.name, d.since
    FROM identity i JOIN departed d ON d.uid = i.person_uid
    WHERE i.kind = 'human' AND i.person_uid IS NOT NULL)
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    min(b.who || coalesce(' left on ' || substr(b.since, 1, 10), ' is no longer active')) AS detail
FROM left_behind b CROSS JOIN principal i ON i.id = b.identity_id
WHERE NOT EXISTS (
    SELECT 1 FROM owner o
    WHERE o.identity_id = i.id AND o.absent_since IS NULL
        AND (o.team_uid IS NOT NULL
            OR (o.person_uid IS NOT NULL AND o.person_uid NOT IN (SELECT uid FROM departed))))
GROUP BY i.id;
