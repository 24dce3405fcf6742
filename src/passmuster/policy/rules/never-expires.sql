-- title: Credential has no expiry
-- severity: low
-- subject: credential
-- needs: credential
-- why: It works until somebody stops it, also long after everybody has forgotten it.
-- fix: Replace it by one that ends: a federated or short-lived credential, or one with an end date.
--
-- Low, because some platforms know no other kind; credential-old says which of them are overdue.
-- Left out: passwords of people and passwords that the platform changes by itself.
SELECT
    c.id AS subject_id,
    i.id AS identity_id,
    coalesce(c.display_name, c.credential_detail)
        || CASE WHEN instr(c.display_name, c.hint) > 0 THEN '' ELSE coalesce(' …' || c.hint, '') END
        || ' has no expiry' || coalesce(', created ' || substr(c.created_at, 1, 10), '') AS detail
FROM credential c CROSS JOIN principal i ON i.id = c.identity_id
WHERE c.absent_since IS NULL AND c.status NOT IN ('disabled', 'deleted')
    AND c.expires_state = 'none'
    AND c.credential_type <> 'federated'
    AND c.credential_detail NOT LIKE '%managed_password'
    AND NOT (i.kind = 'human' AND c.credential_detail LIKE '%password%');
