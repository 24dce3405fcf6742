-- title: Not reviewed within the period
-- severity: low
-- subject: identity
-- params: max_days=90 (CIS Controls v8.1 5.1 and 5.5: at least quarterly)
-- needs: review
-- why: Access that nobody has confirmed is access that nobody has decided on.
-- fix: Put it into the next campaign; `muster campaign` takes `reviewed:>90d` as its scope.
--
-- A signed decision on the identity as a whole counts, other than an abstention and one that came to
-- count for nothing (void). What is younger than the period is not overdue yet. Left out: computers of a directory.
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    coalesce('last reviewed ' || substr((
        SELECT max(d.decided_at) FROM decision d JOIN item t ON t.id = d.item_id
            JOIN campaign k ON k.id = t.campaign_id
        WHERE d.identity_id = i.id AND d.verdict <> 'abstain' AND k.item_kind = 'identity'
            AND d.entry_id NOT IN (SELECT entry_id FROM void_entry)), 1, 10),
        'never reviewed') AS detail
FROM principal i
WHERE i.nhi_detail IS NOT 'ad.computer'
    AND (i.created_at IS NULL OR i.created_at
        < strftime('%Y-%m-%dT%H:%M:%SZ', :now, '-' || :max_days || ' days'))
    AND NOT EXISTS (
        SELECT 1 FROM decision d JOIN item t ON t.id = d.item_id
            JOIN campaign k ON k.id = t.campaign_id
        WHERE d.identity_id = i.id AND d.verdict <> 'abstain' AND k.item_kind = 'identity'
            AND d.entry_id NOT IN (SELECT entry_id FROM void_entry)
            AND d.decided_at
                >= strftime('%Y-%m-%dT%H:%M:%SZ', :now, '-' || :max_days || ' days'));
