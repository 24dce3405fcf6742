-- title: Holds privileged access
-- severity: low
-- subject: identity
-- needs: grant
-- why: What it can break is what its thief can break; privileged access is reviewed first.
-- fix: Keep it only where the task needs it, and then for a time or for one scope.
--
-- A fact to look at, not a fault: low, so that it never outranks one.
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    coalesce(i.privilege_reason, 'the source says so') AS detail
FROM principal i
WHERE i.is_privileged = 1;
