-- title: A person uses a non-human identity
-- severity: medium
-- subject: identity
-- needs: person_use
-- why: What it does can no longer be traced to a person, and the person has its rights.
-- fix: Give the person an account or a role of their own; rotate the secret that they know.
--
-- Left out: people's own accounts, and roles, which people take on by design and under their name.
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    min(u.consumer || coalesce(' by ' || u.how, '')
        || coalesce(', last on ' || substr(u.last_at, 1, 10), '')) AS detail
FROM usage u CROSS JOIN principal i ON i.id = u.identity_id
WHERE u.consumer_kind = 'person' AND u.absent_since IS NULL
    AND i.kind IN ('service', 'system', 'workload', 'app', 'agent')
GROUP BY i.id;
