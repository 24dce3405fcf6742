-- title: Revoked, but active again (or never removed at the source)
-- severity: critical
-- subject: identity
-- needs: review
-- why: The decision was made and signed, and the access is there: the gap that auditors look for.
-- fix: Carry the decision out, and find out who or what brought the access back.
--
-- The newest decision on a thing counts, in log order; an abstention decides nothing. Proof that it
-- is alive is an export made after the decision (of which only the import's time may be known), and
-- where it was stopped by a remediation, after that. What was put back is not what should be gone.
-- A stop that the platform confirmed and that no export tells (a policy that denies everything) is
-- contradicted only where an import saw it off and on again since.
WITH said AS (
    SELECT k.item_kind, t.subject_id, d.verdict, d.decided_at, d.entry_id
    FROM decision d JOIN item t ON t.id = d.item_id JOIN campaign k ON k.id = t.campaign_id
    WHERE d.verdict <> 'abstain' AND d.entry_id NOT IN (SELECT entry_id FROM void_entry)
    UNION ALL
    SELECT g.kind, y.id, g.verdict, g.decided_at, g.entry_id
    FROM emergency g JOIN source s ON s.uid = g.source
        JOIN identity y ON y.source_id = s.id AND y.uid = g.uid WHERE g.kind = 'identity'
    UNION ALL
    SELECT g.kind, c.id, g.verdict, g.decided_at, g.entry_id
    FROM emergency g JOIN source s ON s.uid = g.source
        JOIN credential c ON c.source_id = s.id AND c.uid = g.uid WHERE g.kind = 'credential'),
newest AS MATERIALIZED (
    SELECT item_kind, subject_id, verdict, decided_at, max(entry_id) AS entry_id
    FROM said GROUP BY item_kind, subject_id),
stopped AS (
    SELECT n.item_kind, n.subject_id, n.verdict, n.decided_at,
        (SELECT max(coalesce(m.sent_at, m.state_at)) FROM remediation m
            WHERE m.item_kind = n.item_kind AND m.subject_id = n.subject_id AND m.part IS NULL
                AND m.decided_at >= n.decided_at AND m.state IN ('applied', 'verified'))
            AS done_at,
        EXISTS (SELECT 1 FROM remediation m
            WHERE m.item_kind = n.item_kind AND m.subject_id = n.subject_id AND m.part IS NULL
                AND m.decided_at >= n.decided_at AND m.state = 'verified' AND m.in_export = 0)
            AS is_hidden
    FROM newest n
    WHERE n.verdict IN ('revoke', 'disable') AND NOT EXISTS (
        SELECT 1 FROM remediation m
        WHERE m.item_kind = n.item_kind AND m.subject_id = n.subject_id AND m.part IS NULL
            AND m.decided_at >= n.decided_at AND m.state = 'reverted')),
alive AS (
    SELECT x.id AS identity_id, '' AS part, n.verdict, n.decided_at, n.done_at, n.is_hidden,
        x.last_seen_run
    FROM stopped n JOIN identity x ON x.id = n.subject_id
    WHERE n.item_kind = 'identity'
    UNION ALL
    SELECT x.identity_id, 'credential ' || coalesce(x.display_name, x.uid) || ': ', n.verdict,
        n.decided_at, n.done_at, n.is_hidden, x.last_seen_run
    FROM stopped n JOIN credential x ON x.id = n.subject_id
    WHERE n.item_kind = 'credential' AND x.absent_since IS NULL
        AND x.status NOT IN ('disabled', 'deleted')
    UNION ALL
    SELECT x.identity_id, 'grant ' || x.entitlement_uid || ': ', n.verdict, n.decided_at,
        n.done_at, n.is_hidden, x.last_seen_run
    FROM stopped n JOIN grant x ON x.id = n.subject_id
    WHERE n.item_kind = 'grant' AND x.absent_since IS NULL
    UNION ALL
    SELECT x.identity_id, 'trust in ' || x.from_uid || ': ', n.verdict, n.decided_at,
        n.done_at, n.is_hidden, x.last_seen_run
    FROM stopped n JOIN trust x ON x.id = n.subject_id
    WHERE n.item_kind = 'trust' AND x.absent_since IS NULL)
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    min(a.part || CASE a.verdict WHEN 'revoke' THEN 'revoked' ELSE 'disabled' END
        || ' by a decision of ' || substr(a.decided_at, 1, 10)
        || coalesce(', stopped on ' || substr(a.done_at, 1, 10) || ', active again in the export'
            || ' of ', ', still active in the export of ')
        || substr(coalesce(r.exported_at, r.imported_at), 1, 10)) AS detail
FROM alive a CROSS JOIN principal i ON i.id = a.identity_id
    JOIN import_run r ON r.id = a.last_seen_run
WHERE coalesce(r.exported_at, r.imported_at) > coalesce(a.done_at, a.decided_at)
    AND (NOT a.is_hidden OR EXISTS (SELECT 1 FROM observation o
        WHERE o.identity_id = i.id AND o.observed_at > a.done_at
            AND (o.field = 'status' AND o.old IN ('disabled', 'deleted') AND o.new = 'enabled'
                OR o.field = 'absent_since' AND o.old IS NOT NULL AND o.new IS NULL)))
GROUP BY i.id;
