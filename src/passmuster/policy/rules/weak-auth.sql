-- title: Weak, static or legacy authentication where a stronger one exists
-- severity: high
-- subject: identity
-- needs: auth
-- why: It can be guessed, replayed or borrowed, although the platform offers better.
-- fix: Turn on the second factor, the conditions or the modern method that the detail names.
--
-- Only what a source states: a password to sign in with and no second factor; a directory account
-- whose flags weaken Kerberos or its password; a trust that anybody may use; a static cloud key in
-- a workload, where a role needs none.
WITH weak AS (
    SELECT c.identity_id, 'password sign-in without a second factor' AS what
    FROM identity i CROSS JOIN credential c ON c.identity_id = i.id
    WHERE i.has_mfa = 0 AND c.absent_since IS NULL AND c.credential_type = 'static_secret'
        AND c.status NOT IN ('disabled', 'deleted') AND c.credential_detail LIKE '%password'
    UNION ALL
    SELECT i.id, w.value
    FROM identity i, json_each(i.attributes, '$."ad.ldif".flags') w
    WHERE instr(i.attributes, '"flags"') > 0
        AND w.value IN ('no Kerberos pre-authentication', 'DES keys only',
            'password not required', 'password kept reversibly encrypted')
    UNION ALL
    SELECT t.identity_id, 'anybody at ' || t.from_uid || ' may become it: '
        || coalesce(t.subject_pattern, 'no condition on who')
    FROM trust t
    WHERE t.is_wildcard = 1 AND t.absent_since IS NULL AND t.identity_id IS NOT NULL
    UNION ALL
    SELECT c.identity_id, 'static key in the workload ' || u.consumer
        || ', where a role needs none'
    FROM usage u CROSS JOIN credential c ON c.identity_id = u.identity_id
    WHERE u.consumer_kind = 'workload' AND u.absent_since IS NULL
        AND c.credential_detail = 'aws.access_key' AND c.absent_since IS NULL
        AND c.status NOT IN ('disabled', 'deleted'))
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    min(w.what) || CASE WHEN count(DISTINCT w.what) > 1
        THEN '; ' || (count(DISTINCT w.what) - 1) || ' more' ELSE '' END AS detail
FROM weak w CROSS JOIN principal i ON i.id = w.identity_id
GROUP BY i.id;
