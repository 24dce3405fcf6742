-- title: Not used for longer than the policy allows
-- severity: medium
-- subject: identity
-- params: max_days=90 (PCI DSS 4.0.1 8.2.6; CIS Controls v8.1 5.3 says 45)
-- needs: usage
-- why: Access that nobody uses is missed by nobody when it is misused.
-- fix: Disable it, wait for complaints, then remove it.
--
-- "Unknown" and "not tracked" never hit: no date is not no use. A sign of life anywhere (one of its
-- credentials, a consumer) clears it. Left out: the root of a cloud account, which is best unused.
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    CASE i.last_used_state
        WHEN 'known' THEN 'last used ' || substr(i.last_used_at, 1, 10)
        ELSE 'never used, created ' || substr(i.created_at, 1, 10)
    END || coalesce(' (' || i.last_used_source || ')', '')
    || coalesce('; telemetry reaches back to ' || substr(s.usage_since, 1, 10),
        '; how far the telemetry reaches back is not known') AS detail
FROM principal i JOIN source s ON s.id = i.source_id
WHERE i.nhi_detail IS NOT 'aws.root'
    AND ((i.last_used_state = 'known' AND i.last_used_at
            < strftime('%Y-%m-%dT%H:%M:%SZ', :now, '-' || :max_days || ' days'))
        OR (i.last_used_state = 'never' AND i.created_at
            < strftime('%Y-%m-%dT%H:%M:%SZ', :now, '-' || :max_days || ' days')))
    AND NOT EXISTS (
        SELECT 1 FROM credential c
        WHERE c.identity_id = i.id AND c.last_used_at
            >= strftime('%Y-%m-%dT%H:%M:%SZ', :now, '-' || :max_days || ' days'))
    AND NOT EXISTS (
        SELECT 1 FROM usage u
        WHERE u.identity_id = i.id AND u.last_at
            >= strftime('%Y-%m-%dT%H:%M:%SZ', :now, '-' || :max_days || ' days'));
