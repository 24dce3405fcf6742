-- title: Permissions are administrative or wildcarded
-- severity: high
-- subject: identity
-- needs: grant
-- why: It may do anything within its scope, so nobody can say what it needs.
-- fix: Replace it by the permissions that it has used; keep the wide one for emergencies.
--
-- From the few admin permissions down to their holders, through groups of groups and roles that
-- one is a member of. Owning a thing (purpose ownership) is no permission on the platform.
WITH RECURSIVE admin AS MATERIALIZED (
    SELECT e.id, e.display_name || coalesce(': ' || e.level_reason, '')
        || coalesce(' in ' || e.scope, '') AS what
    FROM entitlement e
    WHERE e.permission_level IN ('admin', 'owner') AND e.purpose <> 'ownership'
        AND e.absent_since IS NULL),
holds (identity_id, admin_id) AS (
    SELECT g.identity_id, a.id
    FROM admin a CROSS JOIN grant g ON g.entitlement_id = a.id
    WHERE g.absent_since IS NULL AND g.identity_id IS NOT NULL
    UNION
    SELECT g.identity_id, h.admin_id
    FROM holds h CROSS JOIN entitlement e ON e.resource_id = h.identity_id
        CROSS JOIN grant g ON g.entitlement_id = e.id
    WHERE e.purpose = 'assignment' AND e.absent_since IS NULL
        AND g.absent_since IS NULL AND g.identity_id IS NOT NULL)
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    min(a.what) AS detail
FROM holds h CROSS JOIN admin a ON a.id = h.admin_id
    CROSS JOIN principal i ON i.id = h.identity_id
GROUP BY i.id;
