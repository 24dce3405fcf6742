-- title: Third party or external trust without a current supplier review
-- severity: medium
-- subject: identity
-- params: max_days=365 (PCI DSS 4.0.1 12.8.4 and CIS Controls v8.1 15.1: once a year)
-- needs: trust
-- why: Whoever breaks into the third party gets in here, as it.
-- fix: Find who buys from them; record the supplier with its review, or remove the trust.
--
-- With no register of suppliers imported every outside party is unknown, and that is a finding.
WITH standing AS MATERIALIZED (
    SELECT x.uid, x.display_name, x.tenant_uids,
        CASE
            WHEN x.active = 0 THEN 'is no longer a supplier'
            WHEN x.contract_ends_at <= :now
                THEN 'contract ended ' || substr(x.contract_ends_at, 1, 10)
            WHEN x.reviewed_at IS NULL THEN 'never reviewed'
            WHEN x.reviewed_at
                < strftime('%Y-%m-%dT%H:%M:%SZ', :now, '-' || :max_days || ' days')
                THEN 'last reviewed ' || substr(x.reviewed_at, 1, 10)
        END AS fault
    FROM supplier x
    WHERE x.absent_since IS NULL),
party AS MATERIALIZED (
    SELECT DISTINCT t.from_uid, t.supplier FROM trust t
    WHERE t.is_external = 1 AND t.absent_since IS NULL),
-- whose tenant stands between separators in the outside party's id: an account in an ARN, a host
-- in an issuer's URL
known AS MATERIALIZED (
    SELECT p.from_uid, p.supplier, coalesce(
        (SELECT min(s.uid) FROM standing s WHERE s.uid = p.supplier),
        (SELECT min(s.uid) FROM standing s, json_each(s.tenant_uids) n
         WHERE n.value <> '' AND instr(
             ':' || replace(replace(p.from_uid, '/', ':'), '@', ':') || ':',
             ':' || n.value || ':') > 0)) AS uid
    FROM party p),
doubt AS (
    SELECT t.identity_id, t.from_uid || CASE
        WHEN s.uid IS NOT NULL THEN ' of ' || s.display_name || ': ' || s.fault
        WHEN t.supplier IS NOT NULL THEN ' of ' || t.supplier || ': not in the supplier register'
        ELSE ': no supplier on record' END AS what
    FROM trust t JOIN known k ON k.from_uid = t.from_uid AND k.supplier IS t.supplier
        LEFT JOIN standing s ON s.uid = k.uid
    WHERE t.is_external = 1 AND t.absent_since IS NULL AND t.identity_id IS NOT NULL
        AND (s.uid IS NULL OR s.fault IS NOT NULL)
    UNION ALL
    SELECT i.id, 'held by ' || coalesce(s.display_name || ': ' || s.fault,
        i.supplier || ': not in the supplier register')
    FROM identity i LEFT JOIN standing s ON s.uid = i.supplier
    WHERE i.supplier IS NOT NULL AND (s.uid IS NULL OR s.fault IS NOT NULL))
SELECT
    i.id AS subject_id,
    i.id AS identity_id,
    min(d.what) || CASE WHEN count(*) > 1
        THEN '; ' || (count(*) - 1) || ' more' ELSE '' END AS detail
FROM doubt d CROSS JOIN principal i ON i.id = d.identity_id
GROUP BY i.id;
