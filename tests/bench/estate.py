"""Makes an estate of any size: exports that look like a platform's, not rows in our tables.

Four fifths are IAM users of a credential report, one fifth roles of an account authorization
details file with policies, tags and trusts. Deterministic for a size.
"""

import json
import random
from datetime import datetime, timedelta
from pathlib import Path

ACCOUNT = "111122223333"
_START = datetime(2019, 1, 1)
HEADER = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,"
    "password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,"
    "access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,"
    "access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,"
    "access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,"
    "cert_1_last_rotated,cert_2_active,cert_2_last_rotated"
)


def _time(rng: random.Random) -> str:
    return (_START + timedelta(minutes=rng.randrange(4_000_000))).strftime(
        "%Y-%m-%dT%H:%M:%S+00:00"
    )


def credential_report(
    path: Path, users: int, *, changed: float = 0.0, missing: float = 0.0
) -> None:
    """A report of *users*; a share may have another key state or be missing, for re-imports."""
    rng, other = random.Random(users), random.Random(7)
    with path.open("w") as out:
        out.write(HEADER + "\n")
        for n in range(users):
            human = n % 10 == 0
            made = _time(rng)
            key = _time(rng)
            used = _time(rng) if rng.random() < 0.7 else "N/A"
            second = rng.random() < 0.15
            active = "false" if other.random() < changed else "true"
            if other.random() < missing:
                continue
            name = f"{'user' if human else 'svc'}-{n:07d}"
            out.write(
                f"{name},arn:aws:iam::{ACCOUNT}:user/{name},{made},"
                + (f"true,{used if used != 'N/A' else 'no_information'},{made},N/A,false,"
                   if human else "false,N/A,N/A,N/A,false,")
                + f"{active},{key},{used},eu-west-1,s3,"
                + (f"true,{key},N/A,N/A,N/A," if second else "false,N/A,N/A,N/A,N/A,")
                + "false,N/A,false,N/A\n"
            )  # fmt: skip


def authorization_details(path: Path, roles: int) -> None:
    """Roles with a managed policy, tags and a trust each."""
    rng = random.Random(roles)
    teams = [f"team-{n:03d}" for n in range(200)]
    policies = [
        {"PolicyName": f"policy-{n:03d}", "Arn": f"arn:aws:iam::{ACCOUNT}:policy/policy-{n:03d}",
         "DefaultVersionId": "v1", "PolicyVersionList": [{
             "VersionId": "v1", "IsDefaultVersion": True, "Document": {"Statement": [{
                 "Effect": "Allow", "Action": "*" if n == 0 else ["s3:GetObject", "s3:PutObject"],
                 "Resource": "*"}]}}]}
        for n in range(100)
    ]  # fmt: skip
    with path.open("w") as out:
        out.write('{"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [')
        for n in range(roles):
            policy = policies[0 if rng.random() < 0.02 else rng.randrange(1, 100)]
            principal = {"Service": "lambda.amazonaws.com"}
            if n % 50 == 0:
                principal = {"AWS": f"arn:aws:iam::{rng.randrange(10**11, 10**12)}:root"}
            role = {
                "Path": "/", "RoleName": f"role-{n:07d}", "RoleId": f"AROA{n:012d}",
                "Arn": f"arn:aws:iam::{ACCOUNT}:role/role-{n:07d}", "CreateDate": _time(rng),
                "AssumeRolePolicyDocument": {"Statement": [{
                    "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]},
                "InstanceProfileList": [], "RolePolicyList": [],
                "AttachedManagedPolicies": [
                    {"PolicyName": policy["PolicyName"], "PolicyArn": policy["Arn"]}],
                "Tags": [{"Key": "team", "Value": rng.choice(teams)}] if n % 3 else [],
                "RoleLastUsed": {"LastUsedDate": _time(rng)} if n % 4 else {},
            }  # fmt: skip
            out.write(("," if n else "") + json.dumps(role))
        out.write('], "Policies": ' + json.dumps(policies) + "}")


def make(folder: Path, identities: int) -> list[Path]:
    """Write the two exports of an estate into *folder*."""
    report, details = folder / "credential-report.csv", folder / "authorization-details.json"
    credential_report(report, identities * 4 // 5)
    authorization_details(details, identities - identities * 4 // 5)
    return [report, details]
