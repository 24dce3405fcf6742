"""The nouns, frozen, without I/O..

Records are what a connector yields, one row each. They are named tuples because a million of
them go straight into `executemany`: **the order of the fields is the order of the columns**
(`inventory` builds its SQL from `_fields`). Every time is text in UTC (`text.rfc3339`), every
absent value is None, and no record has a field for a secret.
"""

from typing import Literal, NamedTuple

DOMAIN = "passmuster.example"
"""A placeholder until the project owns one: in predicate types, log origins and namespaces."""
SSH_NAMESPACE = f"attestation@{DOMAIN}"
"""What an SSHSIG of ours is made for: one made for git or a file never passes for it."""
SSH_KEYID = "sshsig:"
"""Before the fingerprint of a key in an envelope, where the signature is an SSHSIG."""

Kind = Literal["human", "service", "system", "workload", "role", "agent", "app", "group"]
KINDS: tuple[Kind, ...] = (
    "human", "service", "system", "workload", "role", "agent", "app", "group",
)  # fmt: skip
KIND_ORIGINS = ("stated", "inferred", "assigned")
STATUSES = ("enabled", "disabled", "deleted", "unknown")
# "no date" has four meanings; AWS alone writes N/A, no_information and not_supported for three
LAST_USED_STATES = ("known", "never", "not_tracked", "unknown")
CREDENTIAL_TYPES = ("static_secret", "asymmetric_key", "certificate", "federated", "token")
EXPIRES_STATES = ("set", "none", "unknown")
PERMISSION_LEVELS = ("read", "write", "admin", "owner", "unknown")
SEVERITIES = ("critical", "high", "medium", "low")
TIERS = ("prod", "nonprod", "dev")
ITEM_STATES = ("open", "draft", "signed")


class Source(NamedTuple):
    """The platform tenant that the records after it belong to; a stream may name several."""

    platform: str
    tenant_uid: str
    """The platform's own id of the tenant: AWS account, AD domain. Never a label."""
    name: str | None = None


class Identity(NamedTuple):
    """An account on a platform, human or not."""

    uid: str
    """The platform's stable id (ARN, objectSid, Kubernetes uid); merging is by it alone."""
    uid_alt: str | None
    """The other handle that the platform's own references use: DN, `namespace/name`."""
    display_name: str
    kind: Kind
    kind_origin: str = "inferred"
    external_id: str | None = None
    """A second stable id, such as the AWS UserId or a userPrincipalName."""
    nhi_type: str | None = None
    nhi_detail: str | None = None
    """Dotted, after baton: `aws.role.cross_account`, `k8s.service_account`."""
    status: str = "unknown"
    is_locked: int | None = None
    created_at: str | None = None
    created_by: str | None = None
    """A uid, or `automation:<tool>`."""
    last_used_at: str | None = None
    last_used_state: str = "unknown"
    last_used_source: str | None = None
    """What says so, with its known lag: `lastLogonTimestamp (14 d)`."""
    has_mfa: int | None = None
    is_external: int | None = None
    person_uid: str | None = None
    purpose: str | None = None
    acts_for: str | None = None
    review_due: str | None = None
    environment: str | None = None
    supplier: str | None = None
    attributes: str = "{}"
    """JSON object of everything else worth showing (`text.json_text`); never a secret."""
    line: int | None = None
    """Where it stands in the file; None for an identity that another row only mentions."""
    handle: str | None = None
    """What other platforms' trusts call it, where that is neither `uid` nor `uid_alt`:
    `https://token.actions.githubusercontent.com#repo:org/name`,
    `<issuer>#system:serviceaccount:ns:name`, `spiffe://…`, an ARN."""


class Credential(NamedTuple):
    """What an identity proves itself with; never the secret itself."""

    identity_uid: str
    """`uid` or `uid_alt` of its identity."""
    uid: str
    """`<identity_uid>#<number>` where the export numbers them and does not name them: such a
    stand-in gives way to the named one of the same identity, kind and time of creation."""
    credential_type: str
    credential_detail: str
    """Dotted, after baton: `aws.access_key`, `k8s.sa_token_secret`."""
    display_name: str | None = None
    hint: str | None = None
    """At most the last four characters."""
    status: str = "unknown"
    created_at: str | None = None
    created_by: str | None = None
    last_rotated_at: str | None = None
    expires_at: str | None = None
    expires_state: str = "unknown"
    last_used_at: str | None = None
    last_used_state: str = "unknown"
    last_used_from: str | None = None
    scopes: str | None = None
    attributes: str = "{}"
    line: int | None = None
    """None for one that is told of by its last use alone: it never overwrites what is known."""


class Entitlement(NamedTuple):
    """A permission that exists, whoever holds it."""

    uid: str
    display_name: str
    purpose: str = "permission"
    """`assignment` (membership of a group or role), `permission`, or `ownership`."""
    resource_uid: str | None = None
    """For an assignment: uid (or uid_alt) of the group or role that one becomes a member of."""
    resource_kind: str | None = None
    permission_level: str = "unknown"
    level_reason: str | None = None
    """Why it counts as admin, in words a reviewer reads: `Allow * on *`."""
    is_builtin: int | None = None
    scope: str | None = None
    """Where it holds: an account, a namespace, `cluster`, a domain."""
    environment: str | None = None
    attributes: str = "{}"
    line: int | None = None


class Grant(NamedTuple):
    """Somebody's holding of an entitlement."""

    principal_uid: str
    """uid or uid_alt of the holder; need not exist (a dangling grant is worth knowing)."""
    entitlement_uid: str
    via: str = "direct"
    """`direct`, or the object that carries it: a binding, an inline policy."""
    condition: str | None = None
    granted_at: str | None = None
    expires_at: str | None = None
    line: int | None = None


class Trust(NamedTuple):
    """An outside party that may become an identity.

    The platform of `to_identity_uid` says who may become it. A platform whose identity names an
    identity of *another* one (the role in a service account's annotation) says what its own
    identity means to become: that lets nobody in, and reads as a claim.
    """

    to_identity_uid: str
    """Of the same source; or, for a claim, what every platform knows it by: an ARN, an e-mail
    address of a Google service account, a client id."""
    from_uid: str
    """The other end: its uid, an issuer (then `subject_pattern` says who of it), or both as
    `<issuer>#<subject>`. The identity that this is, `inventory` finds, in any source."""
    from_kind: str
    """account, oidc_issuer, saml, tenant, service, spiffe_domain, ssh_ca, workload."""
    mechanism: str
    """assume_role, federated_credential, workload_identity, consent, delegation; management: the
    code of `from_uid` makes and changes it."""
    audience: str | None = None
    subject_pattern: str | None = None
    condition: str | None = None
    is_external: int = 0
    is_wildcard: int = 0
    supplier: str | None = None
    created_at: str | None = None
    line: int | None = None


class Owner(NamedTuple):
    """Who answers for an identity, as a source says it; matching to a person comes later."""

    identity_uid: str
    handle: str
    """As written in the source: an e-mail, a DN, a team's name."""
    role: str = "owner"
    """owner, sponsor, technical, backup."""
    origin: str = "tag"
    """tag, annotation, managedBy, import, assigned."""
    evidence: str | None = None
    """The very line that says so: `tag team=platform`."""
    line: int | None = None


class Usage(NamedTuple):
    """Something or somebody seen to use an identity."""

    identity_uid: str
    consumer: str
    """A workload, a host, a person."""
    consumer_kind: str
    """workload, host, person."""
    how: str | None = None
    environment: str | None = None
    last_at: str | None = None
    line: int | None = None


class Sighting(NamedTuple):
    """A secret of this identity, or a misuse of it, seen where it must not be."""

    identity_uid: str
    what: str
    """plain_text, leak, misuse."""
    place: str
    seen_at: str | None = None
    credential_uid: str | None = None
    line: int | None = None


class Person(NamedTuple):
    """A human being, from a register or a directory."""

    uid: str
    email: str | None
    display_name: str
    active: int = 1
    left_at: str | None = None
    manager: str | None = None
    aliases: str = "[]"
    """JSON array: other names that sources use for the same person."""
    teams: str = "[]"
    line: int | None = None


class Team(NamedTuple):
    """A group of people that owns things, with the person who decides for it."""

    uid: str
    display_name: str
    lead: str | None = None
    aliases: str = "[]"
    line: int | None = None


class Supplier(NamedTuple):
    """The third party behind identities and trusts."""

    uid: str
    display_name: str
    tenant_uids: str = "[]"
    """JSON array of the accounts, tenants and domains that are theirs."""
    contract_ref: str | None = None
    contract_ends_at: str | None = None
    contact: str | None = None
    reviewed_at: str | None = None
    active: int = 1
    line: int | None = None


class Environment(NamedTuple):
    """prod, nonprod or dev, and which sources or scopes belong to it."""

    uid: str
    display_name: str
    tier: str
    matches: str = "[]"
    """JSON array of GLOB patterns over `source` ids and `source/scope`."""
    line: int | None = None


class Problem(NamedTuple):
    """A row that could not be read: counted, listed, put in the evidence, never fatal."""

    line: int | None
    field: str | None
    why: str
    uid: str | None = None


Record = (
    Source | Identity | Credential | Entitlement | Grant | Trust | Owner | Usage | Sighting
    | Person | Team | Supplier | Environment | Problem
)  # fmt: skip

Verdict = Literal["approve", "revoke", "disable", "abstain"]
VERDICTS: tuple[Verdict, ...] = ("approve", "revoke", "disable", "abstain")
ChangeVerb = Literal["revoke", "disable", "rotate", "right_size"]
CHANGE_VERBS: tuple[ChangeVerb, ...] = ("revoke", "disable", "rotate", "right_size")


SecondVerdict = Literal["concur", "object"]
SECOND_VERDICTS: tuple[SecondVerdict, ...] = ("concur", "object")


class Change(NamedTuple):
    """A change to a part of an item: `{verb, target, to?, by?}`."""

    verb: ChangeVerb
    target: str
    """uid of a credential, entitlement or trust of the item."""
    to: str | None = None
    by: str | None = None
    """The day by which it must be done."""


class Attention(NamedTuple):
    """What the reviewer did before deciding; cannot be made up later, so kept from day one."""

    first_shown: str | None
    decided: str
    details_opened: bool


class Bulk(NamedTuple):
    """Which act of deciding several at once this row belongs to."""

    id: str
    size: int
    how: str


class Draft(NamedTuple):
    """A decision not yet signed; can be undone freely."""

    verdict: Verdict
    reason_code: str | None
    reason_text: str
    attention: Attention
    until: str | None = None
    changes: tuple[Change, ...] = ()
    bulk: Bulk | None = None


class SecondDraft(NamedTuple):
    """A second person's verdict on one decision row, not yet signed."""

    verdict: SecondVerdict
    reason_code: str | None
    reason_text: str
    attention: Attention
    bulk: Bulk | None = None
