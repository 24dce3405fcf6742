-- title: Created by automation without an owner
-- severity: low
-- subject: identity
-- params: grace_days=7 (ours: a week for a pipeline's identity to be given an owner)
-- needs: automation, owner
-- why: A pipeline makes identities faster than people register them; an approval of the pipeline
--   stands in for one of each account only as long as somebody answers for what it made.
-- fix: Name an owner, and let the template set the owner tag.
--
-- Low, because no-owner hits the same identity: this one only says where it came from.
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    'created by ' || substr(i.created_by, 12)
        || coalesce(' on ' || substr(i.created_at, 1, 10), '') || ', no owner' AS detail
FROM principal i
WHERE i.kind <> 'human'
    AND i.created_by >= 'automation:' AND i.created_by < 'automation;'
    AND (i.created_at IS NULL OR i.created_at
        < strftime('%Y-%m-%dT%H:%M:%SZ', :now, '-' || :grace_days || ' days'))
    AND NOT EXISTS (
        SELECT 1 FROM owner o
        WHERE o.identity_id = i.id AND o.absent_since IS NULL
            AND (o.person_uid IS NOT NULL OR o.team_uid IS NOT NULL));
