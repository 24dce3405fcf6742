-- title: Identity has no accountable owner
-- severity: medium
-- subject: identity
-- needs: owner
-- why: Nobody can say whether it is still needed, and nobody is told when it misbehaves. A name
--   that matches no person and no team of ours is not an owner: nobody can be asked.
-- fix: Give it to a person or a team (`muster own`), or disable it and see who calls.
--
-- Left out: people's own accounts, and computers of a directory, which the asset register covers.
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    coalesce(
        (SELECT 'named but not matched to a person or team: ' || min(o.handle)
         FROM owner o
         WHERE o.identity_id = i.id AND o.absent_since IS NULL),
        'no source names an owner') AS detail
FROM principal i
WHERE i.kind <> 'human'
    AND i.nhi_detail IS NOT 'ad.computer'
    AND NOT EXISTS (
        SELECT 1 FROM owner o
        WHERE o.identity_id = i.id AND o.absent_since IS NULL
            AND (o.person_uid IS NOT NULL OR o.team_uid IS NOT NULL));
