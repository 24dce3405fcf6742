-- title: One identity used by several workloads or people
-- severity: medium
-- subject: identity
-- params: max_consumers=1 (OWASP NHI9:2025: one identity for each workload)
-- needs: consumer
-- why: One of them leaks it for all, and none can be shut off alone.
-- fix: Give each workload its own identity; start with the one that needs most.
--
-- Counted: distinct workloads and hosts. Left out: people's own accounts, which sit at many hosts.
-- A person who uses a machine's identity is human-use.
WITH shared AS MATERIALIZED (
    SELECT u.identity_id, count(DISTINCT u.consumer) AS consumers
    FROM usage u
    WHERE u.absent_since IS NULL AND u.consumer_kind IN ('workload', 'host')
        AND u.identity_id IS NOT NULL
    GROUP BY u.identity_id
    HAVING count(DISTINCT u.consumer) > :max_consumers)
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    'used by ' || d.consumers || ': '
        || (SELECT group_concat(f.consumer, ', ') FROM (
            SELECT DISTINCT u.consumer FROM usage u
            WHERE u.identity_id = i.id AND u.absent_since IS NULL
                AND u.consumer_kind IN ('workload', 'host')
            ORDER BY u.consumer LIMIT 3) f)
        || CASE WHEN d.consumers > 3 THEN ' …' ELSE '' END AS detail
FROM shared d CROSS JOIN principal i ON i.id = d.identity_id
WHERE i.kind <> 'human';
