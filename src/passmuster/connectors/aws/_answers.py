"""Saved answers of single IAM questions: `list-users`, `list-access-keys`, `list-roles`, ….

One file may hold any number of answers after one another, as a shell loop writes them, or have
them under names of somebody's own (a recording's `data`, an object of ARNs). Lists are read
element by element; what is wrapped is read whole.
"""

import io
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from passmuster.connectors import Context
from passmuster.connectors._json import (
    Part,
    guarded,
    listed,
    mapping,
    optional,
    outline,
    parts,
    required,
)  # fmt: skip
from passmuster.connectors.aws._arn import account_of, name_of, pathless, when
from passmuster.connectors.aws._details import Details
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Identity, Problem, Record, Source
from passmuster.text import Json

USERS = frozenset(("Users", "User"))
KEYS = frozenset(("AccessKeyMetadata", "AccessKeyLastUsed"))
ROLES = frozenset(("Roles", "Role"))
_KINDS = (KEYS, USERS, ROLES)
LISTS = ("Users", "AccessKeyMetadata", "Roles")
_KEY_ID = re.compile(r"\w{4,128}", re.ASCII)
USER_COVERS = (
    "uid_alt", "display_name", "external_id", "nhi_detail", "created_at",
)  # fmt: skip
ROLE_COVERS = (
    "display_name", "external_id", "nhi_type", "nhi_detail", "created_at",
    "last_used_at", "last_used_state", "last_used_source", "attributes",
)  # fmt: skip
"""Not what tags say: `list-roles` leaves them out."""
_OF_KIND = {"Users": "UserName", "User": "UserName", "Roles": "RoleName", "Role": "RoleName"}


def sniff(kinds: frozenset[str]) -> Callable[[bytes], bool]:
    """A test for answers that are, first of all kinds, about *kinds*."""

    def judge(head: bytes) -> bool:
        if not outline(head):
            return False
        seen = {str(p.key) for p in _whole(head) if p.key and _fits(p)}
        return next((of for of in _KINDS if not seen.isdisjoint(of)), None) == kinds

    return judge


def _whole(head: bytes) -> Iterator[Part]:
    """What stands in *head* before it is cut off."""
    found = flat(io.BytesIO(head), LISTS)
    while True:
        try:
            yield next(found)
        except (ImportRefused, StopIteration):
            return


def _fits(part: Part) -> bool:
    """Whether an element has what IAM gives every one of its kind."""
    value = part.value if isinstance(part.value, dict) else {}
    if part.key == "AccessKeyMetadata":
        return {"UserName", "AccessKeyId", "Status"} <= value.keys()
    if part.key == "AccessKeyLastUsed":
        return not {"LastUsedDate", "ServiceName", "Region"}.isdisjoint(value)
    name, arn = value.get(_OF_KIND.get(str(part.key), "")), value.get("Arn")
    return isinstance(name, str) and isinstance(arn, str) and ":iam:" in arn


def flat(stream: BinaryIO, lists: tuple[str, ...]) -> Iterator[Part]:
    """Members of every answer, lists by element, wrapped ones as if they were not."""
    for part in parts(stream, lists):
        yield from _unwrapped(part, lists)


def _unwrapped(part: Part, lists: tuple[str, ...]) -> Iterator[Part]:
    value, key = part.value, str(part.key)
    if isinstance(value, list) and key.startswith("arn:") and "AccessKeyMetadata" in lists:
        for each in value:
            named = {**each, "Arn": key} if isinstance(each, dict) else each
            yield Part("AccessKeyMetadata", named, part.line)
    elif isinstance(value, dict) and not {*lists}.isdisjoint(value):
        for name, inner in value.items():
            for each in listed(inner) if name in lists else [inner]:
                yield Part(name, each, part.line)
    elif isinstance(value, dict) and value and all(k.startswith("arn:") for k in value):
        for name, inner in value.items():
            yield from _unwrapped(Part(name, inner, part.line), lists)
    else:
        yield part


def parse_keys(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Access keys with their ids; users where the file has them too."""
    yield from _Answers(context, KEYS | USERS).records(stream)


def parse_users(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Users by ARN, when made."""
    yield from _Answers(context, USERS).records(stream)


def parse_roles(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Roles with their trusts and, from `get-role`, their last use."""
    yield from _Answers(context, ROLES).records(stream)


class _Answers:
    """One reading of one file."""

    def __init__(self, context: Context, kinds: frozenset[str]) -> None:
        self._kinds = kinds
        label = context.source_label or ""
        self._label = label if label.isdigit() else ""
        self._account = ""
        self._unfinished = False
        self._answer: Json = {}
        """What an answer of `get-access-key-last-used` has told so far."""
        self._details = Details()

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        rows = 0
        for part in flat(stream, LISTS):
            for record in self._of(part):
                rows += type(record) is not Problem
                yield record
        if self._unfinished:
            raise ImportRefused("IsTruncated is true: the last page of the export is missing")
        if not rows:
            raise ImportRefused("nothing in these answers can be read")

    def _of(self, part: Part) -> Iterator[Record]:
        if part.key is None:
            yield from self._close(part.line)
        elif part.key == "IsTruncated":
            self._unfinished = part.value is True
        elif part.key in self._kinds and part.value is not None:
            yield from self._element(part)
        elif part.key in USERS | KEYS | ROLES:
            raise ImportRefused(
                f"line {part.line}: holds {part.key} too; put them into a file of their own"
            )
        elif part.key == "Account" and isinstance(part.value, str):
            self._label = part.value  # `aws sts get-caller-identity`
        elif part.key in ("UserName", "AccessKeyId"):
            self._answer[part.key] = part.value

    def _close(self, line: int) -> Iterator[Record]:
        """The end of an answer: which key it was that was asked about is known now."""
        answer, self._answer = self._answer, {}
        if "AccessKeyLastUsed" in answer:
            yield from guarded(self._used, Part("AccessKeyLastUsed", answer, line))

    def _element(self, part: Part) -> Iterator[Record]:
        if part.key in ROLES:
            yield from self._details.element(part._replace(key="RoleDetailList"))
        elif part.key in USERS:
            yield from guarded(self._user, part, ("Arn",))
        elif part.key == "AccessKeyMetadata":
            yield from guarded(self._key, part, ("AccessKeyId",))
        else:
            self._answer["AccessKeyLastUsed"] = part.value

    def _enter(self, account: str) -> Iterator[Record]:
        if account != self._account:
            self._account = account
            yield Source("aws", account)

    def _user(self, user: Json, line: int) -> Iterator[Record]:
        arn = required(user, "Arn")
        account = account_of(arn)
        if not account.isdigit():
            raise ValueError("the ARN names no account")
        signed_in = when(user.get("PasswordLastUsed"))
        found = Identity(
            arn, pathless(arn), required(user, "UserName"), "human" if signed_in else "service",
            external_id=optional(user, "UserId"), nhi_detail="aws.iam_user", status="enabled",
            created_at=when(user.get("CreateDate")),
            last_used_at=signed_in, last_used_state="known" if signed_in else "unknown",
            last_used_source="PasswordLastUsed" if signed_in else None, line=line,
        )  # fmt: skip
        self._label = account
        yield from self._enter(account)
        yield found

    def _holder(self, of: Json) -> str:
        """The ARN, without a path, of the user that *of* names."""
        name, arn = required(of, "UserName"), optional(of, "Arn")
        if arn is not None:
            if not account_of(arn).isdigit() or name_of(arn) != name:
                raise ValueError("the ARN is of no account, or of another user")
            return pathless(arn) or arn
        if not self._label.isdigit():
            raise ImportRefused(
                "nothing in the file says which AWS account these keys are of: begin it with "
                "`aws sts get-caller-identity`, or give --source ACCOUNT-NUMBER"
            )
        return f"arn:aws:iam::{self._label}:user/{name}"

    def _key(self, key: Json, line: int) -> Iterator[Record]:
        uid, user = _key_id(key), self._holder(key)
        made = when(key.get("CreateDate"))
        # some tools put the last use beside the key
        used = when(key.get("LastUsedDate"))
        state = "known" if used else "never" if "LastUsedDate" in key else "unknown"
        found = Credential(
            user, uid, "static_secret", "aws.access_key", _name(uid), uid[-4:],
            _STATUS.get(required(key, "Status"), "unknown"), made, None, made, None, "none",
            used, state, _place(key, "LastUsedService"), line=line,
        )  # fmt: skip
        yield from self._enter(account_of(user))
        yield found

    def _used(self, answer: Json, _line: int) -> Iterator[Record]:
        """A key's last use: what else is known of it stays as it is, so the record has no line."""
        if answer.get("AccessKeyId") is None:
            raise ValueError(
                "get-access-key-last-used does not say which key it was asked about: add it, "
                "jq --arg id \"$id\" '. + {AccessKeyId: $id}'"
            )
        uid, user = _key_id(answer), self._holder(answer)
        last = mapping(answer["AccessKeyLastUsed"])
        date = when(last.get("LastUsedDate"))
        found = Credential(
            user, uid, "static_secret", "aws.access_key", _name(uid), uid[-4:],
            expires_state="none", last_used_at=date, last_used_state="known" if date else "never",
            last_used_from=_place(last, "ServiceName"),
        )  # fmt: skip
        yield from self._enter(account_of(user))
        yield found


_STATUS = {"Active": "enabled", "Inactive": "disabled", "Expired": "disabled"}


def _key_id(of: Json) -> str:
    uid = required(of, "AccessKeyId")
    if not _KEY_ID.fullmatch(uid):
        raise ValueError("AccessKeyId is no id of an access key")
    return uid


def _name(uid: str) -> str:
    return f"access key …{uid[-4:]}"


def _place(last: Json, service: str) -> str | None:
    """Region and service of the last use, as the credential report tells them."""
    region = last.get("Region") or last.get("LastUsedRegion")
    told = [v for v in (region, last.get(service)) if isinstance(v, str) and v not in ("", "N/A")]
    return " ".join(told) or None
