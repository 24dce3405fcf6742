"""What of Active Directory is exported: the filter and the attributes, for people and for muster.

No attribute with a secret is among them: unicodePwd cannot be read, and ms-Mcs-AdmPwd, ms-LAPS-*
and msDS-ManagedPassword, which can, are not asked for.
"""

FILTER = (
    "(|(objectClass=user)(objectClass=group)(objectClass=msDS-GroupManagedServiceAccount))"
)  # fmt: skip
_NAMES = (
    "objectClass objectSid sAMAccountName userPrincipalName displayName cn mail "
    "userAccountControl lockoutTime accountExpires pwdLastSet lastLogon lastLogonTimestamp "
    "whenCreated servicePrincipalName memberOf member managedBy manager adminCount description "
    "primaryGroupID msDS-AllowedToDelegateTo msDS-ManagedPasswordInterval "
    "msDS-User-Account-Control-Computed userCertificate"
)
ATTRIBUTES = _NAMES.split()
