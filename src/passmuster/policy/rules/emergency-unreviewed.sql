-- title: Stopped in an emergency, and not reviewed since
-- severity: high
-- subject: identity
-- needs: emergency
-- why: One person stopped it alone, at night: whether that was right, and what is to become of it, somebody else decides by day.
-- fix: Decide it in a campaign (`finding:emergency-unreviewed` is a scope), or give the access back with `muster remediate restore`, and decide it then.
--
-- What is switched off by now is hit too. Reviewed is what a campaign decided afterwards, on the
-- thing itself or, for a credential, on its whole identity; an abstention decides nothing.
WITH stopped AS (
    SELECT y.id AS identity_id, g.uri, g.kind, '' AS part, g.verdict, g.decided_at,
        g.entry_id
    FROM emergency g JOIN source s ON s.uid = g.source
        JOIN identity y ON y.source_id = s.id AND y.uid = g.uid WHERE g.kind = 'identity'
    UNION ALL
    SELECT c.identity_id, g.uri, g.kind, 'credential ' || coalesce(c.display_name, c.uid) || ': ',
        g.verdict, g.decided_at, g.entry_id
    FROM emergency g JOIN source s ON s.uid = g.source
        JOIN credential c ON c.source_id = s.id AND c.uid = g.uid WHERE g.kind = 'credential')
SELECT
    x.identity_id AS subject_id,
    x.identity_id AS identity_id,
    min(x.part || CASE x.verdict WHEN 'revoke' THEN 'revoked' ELSE 'disabled' END
        || ' in an emergency on ' || substr(x.decided_at, 1, 10)) AS detail
FROM stopped x
WHERE x.identity_id IS NOT NULL
    AND x.entry_id NOT IN (SELECT entry_id FROM void_entry)
    AND NOT EXISTS (
        SELECT 1 FROM decision d
        WHERE d.verdict <> 'abstain' AND d.entry_id > x.entry_id
            AND (d.uri = x.uri OR (x.kind = 'credential' AND d.identity_id = x.identity_id
                AND instr(d.uri, '/identity/') > 0))
            AND d.decided_at > x.decided_at
            AND d.entry_id NOT IN (SELECT entry_id FROM void_entry))
GROUP BY x.identity_id;
