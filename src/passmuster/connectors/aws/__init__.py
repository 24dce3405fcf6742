"""AWS IAM: users, their credentials, groups, roles, policies and who may assume what.

The exports complete each other: the credential report alone knows
passwords, and keys by their number; the list of keys their ids; the authorization details alone
know roles, rights and trusts.
"""

from passmuster.connectors import Format
from passmuster.connectors.aws import _answers, _details, _federation, _report
from passmuster.connectors.aws._collect import collect
from passmuster.connectors.aws._live import connect
from passmuster.connectors.aws._plan import plan

__all__ = ["FORMATS", "collect", "connect", "plan"]

FORMATS = (
    Format(
        name="aws.credential_report.csv",
        title="AWS IAM credential report",
        sniff=_report.sniff,
        parse=_report.parse,
        howto=(
            "aws iam generate-credential-report && aws iam get-credential-report "
            "--query Content --output text | base64 -d > credential-report.csv"
        ),
        covers=_report.COVERS,
        supplies=("usage", "credential", "auth", "person_use"),
        lists=("aws.access_key",),
        keeps_raw=True,
        columns=_report.COLUMNS,
    ),
    Format(
        name="aws.authorization_details.json",
        title="AWS IAM account authorization details",
        sniff=_details.sniff,
        parse=_details.parse,
        howto="aws iam get-account-authorization-details > authorization-details.json",
        covers=_details.COVERS,
        supplies=("grant", "trust", "usage", "automation", "owner", "environment"),
    ),
    Format(
        name="aws.access_keys.json",
        title="AWS IAM access keys with their ids and last use",
        sniff=_answers.sniff(_answers.KEYS),
        parse=_answers.parse_keys,
        howto=(
            "( aws sts get-caller-identity; for u in $(aws iam list-users --query "
            "'Users[].UserName' --output text); do aws iam list-access-keys --user-name $u; "
            "for k in $(aws iam list-access-keys --user-name $u --query "
            "'AccessKeyMetadata[].AccessKeyId' --output text); do aws iam get-access-key-last-used "
            "--access-key-id $k | jq --arg k $k '. + {AccessKeyId: $k}'; done; done ) "
            "> access-keys.json"
        ),
        covers=_answers.USER_COVERS,
        supplies=("credential", "usage"),
        partial=True,
        lists=("aws.access_key",),
    ),
    Format(
        name="aws.users.json",
        title="AWS IAM users: list-users or get-user",
        sniff=_answers.sniff(_answers.USERS),
        parse=_answers.parse_users,
        howto="aws iam list-users > users.json",
        covers=_answers.USER_COVERS,
        partial=True,
    ),
    Format(
        name="aws.roles.json",
        title="AWS IAM roles: list-roles, or get-role with its last use",
        sniff=_answers.sniff(_answers.ROLES),
        parse=_answers.parse_roles,
        howto="aws iam list-roles > roles.json",
        covers=_answers.ROLE_COVERS,
        supplies=("trust",),
        partial=True,
    ),
    Format(
        name="aws.federation.json",
        title="AWS identity providers, and Roles Anywhere trust anchors and profiles",
        sniff=_federation.sniff,
        parse=_federation.parse,
        howto=(
            "( aws iam list-open-id-connect-providers; aws iam list-saml-providers; "
            "aws rolesanywhere list-trust-anchors; aws rolesanywhere list-profiles ) "
            "> federation.json"
        ),
        covers=_federation.COVERS,
        supplies=("trust",),
        partial=True,
    ),
)
