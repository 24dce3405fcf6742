-- title: Secret found in plain text or leaked
-- severity: critical
-- subject: identity
-- needs: sighting
-- why: Whoever has read it can be this identity, now.
-- fix: Stop the credential first, then replace it, then look at what it did since.
--
-- An observed misuse counts: it is the proof of a leak. Cleared when the sighting goes, when the
-- identity is off, or when the very credential that was seen is gone, off, or newer than the leak.
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    min(CASE g.what WHEN 'plain_text' THEN 'in plain text' WHEN 'leak' THEN 'leaked'
            WHEN 'misuse' THEN 'misused' ELSE g.what END
        || ': ' || g.place || coalesce(' on ' || substr(g.seen_at, 1, 10), '')) AS detail
FROM sighting g CROSS JOIN principal i ON i.id = g.identity_id
WHERE g.absent_since IS NULL
    AND NOT EXISTS (
        SELECT 1 FROM credential c
        WHERE c.identity_id = g.identity_id AND c.uid = g.credential_uid
            AND (c.absent_since IS NOT NULL OR c.status IN ('disabled', 'deleted')
                OR coalesce(c.last_rotated_at, c.created_at) > g.seen_at))
GROUP BY i.id;
