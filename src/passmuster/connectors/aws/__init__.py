"""AWS IAM: users, their credentials, groups, roles, policies and who may assume what.

The two exports complete each other: the credential report alone knows
passwords, keys and their last use; the authorization details alone know roles, rights and trusts.
"""

from passmuster.connectors import Format
from passmuster.connectors.aws import _details, _report
from passmuster.connectors.aws._plan import plan

__all__ = ["FORMATS", "plan"]

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
)
