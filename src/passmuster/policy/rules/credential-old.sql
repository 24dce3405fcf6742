-- title: Credential is older than the policy allows
-- severity: medium
-- subject: credential
-- params: max_days=90 (CIS AWS Foundations v7.0.0 2.12, CIS GCP Foundation v5.0.0 1.8)
-- needs: credential
-- why: Every day a secret exists is a day on which it could have been copied.
-- fix: Rotate it: make the new one, move the consumers over, stop the old one, then delete it.
--
-- Left out: certificates (their expiry bounds them), federated credentials (no secret), passwords
-- of people (SP 800-63B forbids changing them by the calendar) and passwords that the platform
-- changes by itself.
SELECT
    c.id AS subject_id,
    i.id AS identity_id,
    coalesce(c.display_name, c.credential_detail)
        || CASE WHEN instr(c.display_name, c.hint) > 0 THEN '' ELSE coalesce(' …' || c.hint, '') END
        || CASE WHEN c.last_rotated_at > coalesce(c.created_at, '')
            THEN ', last rotated ' || substr(c.last_rotated_at, 1, 10)
            ELSE ', created ' || substr(c.created_at, 1, 10) || ', not rotated since' END
        || CASE c.last_used_state
            WHEN 'known' THEN '; last used ' || substr(c.last_used_at, 1, 10)
            WHEN 'never' THEN '; never used' ELSE '' END AS detail
FROM credential c CROSS JOIN principal i ON i.id = c.identity_id
WHERE c.absent_since IS NULL AND c.status NOT IN ('disabled', 'deleted')
    AND c.credential_type IN ('static_secret', 'asymmetric_key', 'token')
    AND coalesce(c.last_rotated_at, c.created_at)
        < strftime('%Y-%m-%dT%H:%M:%SZ', :now, '-' || :max_days || ' days')
    AND c.credential_detail NOT LIKE '%managed_password'
    AND NOT (i.kind = 'human' AND c.credential_detail LIKE '%password%');
