"""What each qualifier means: the fixed fragments of SQL, and the makers of their bound values.

Every fragment is a constant here or put together from constants at import.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from passmuster import text
from passmuster.model import (
    CREDENTIAL_TYPES,
    ITEM_STATES,
    KINDS,
    SEVERITIES,
    STATUSES,
    TIERS,
    VERDICTS,
)  # fmt: skip

# Left joins, so that SQLite leaves out the tables that a filter does not name; every row exists.
FRAME = (
    "FROM listing l LEFT JOIN identity i ON i.id = l.identity_id "
    "LEFT JOIN source s ON s.id = i.source_id"
)
_PERIOD = re.compile(r"([<>])(\d{1,5})([dwmy])")
_DATE = re.compile(r"([<>])(\d{4}-\d\d-\d\d)")
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_NUMBER = re.compile(r"(>=|<=|>|<|=)?(\d{1,3})")

Made = tuple[str, list[str | int]]
"""A fragment of the fixed vocabulary and the values for its question marks."""
Maker = Callable[[str, datetime], Made | None]
"""Makes the fragment for one value; None when the value is not one that the key knows."""


@dataclass(frozen=True, slots=True)
class Key:
    help: str
    values: tuple[str, ...]
    """Values to offer; with a `make`, others may be right too."""
    fixed: dict[str, str]
    make: Maker | None = None
    of_item: bool = False
    """Of a line of a campaign, not of an identity: only a queue knows it."""


def like(value: str) -> str:
    for char in "\\%_":
        value = value.replace(char, "\\" + char)
    return f"%{value}%"


WORD = (
    "(l.name LIKE ? ESCAPE '\\' OR i.uid LIKE ? ESCAPE '\\' OR i.uid_alt LIKE ? ESCAPE '\\'"
    " OR i.external_id LIKE ? ESCAPE '\\' OR l.identity_id IN (SELECT c.identity_id"
    " FROM source x CROSS JOIN credential c ON c.source_id = x.id AND c.uid = ?))"
)
OWNER_TEXT = (
    "(l.owner LIKE ? ESCAPE '\\' OR l.identity_id IN (SELECT o.identity_id FROM owner o"
    " LEFT JOIN person p ON p.uid = o.person_uid LEFT JOIN team t ON t.uid = o.team_uid"
    " WHERE o.absent_since IS NULL AND (o.handle LIKE ? ESCAPE '\\' OR p.email LIKE ? ESCAPE '\\'"
    " OR p.display_name LIKE ? ESCAPE '\\' OR t.display_name LIKE ? ESCAPE '\\')))"
)
OWNER_IS = (
    "(l.owner = ? OR l.identity_id IN (SELECT o.identity_id FROM owner o"
    " LEFT JOIN person p ON p.uid = o.person_uid LEFT JOIN team t ON t.uid = o.team_uid"
    " WHERE o.absent_since IS NULL AND (o.handle = ? COLLATE NOCASE OR p.email = ?"
    " OR p.display_name = ? COLLATE NOCASE OR t.display_name = ? COLLATE NOCASE)))"
)
OWNER_EMAIL = (
    "(l.owner = ? OR l.identity_id IN (SELECT o.identity_id FROM owner o"
    " LEFT JOIN person p ON p.uid = o.person_uid WHERE o.absent_since IS NULL AND"
    " (o.handle = ? COLLATE NOCASE OR p.email = ?)))"
)
SOURCE = (
    "i.source_id IN (SELECT x.id FROM source x WHERE x.uid LIKE ? ESCAPE '\\'"
    " OR x.name LIKE ? ESCAPE '\\' OR x.platform || '-' || x.tenant_uid LIKE ? ESCAPE '\\')"
)
PLATFORM = "i.source_id IN (SELECT x.id FROM source x WHERE x.platform = ? COLLATE NOCASE)"
ENV = (
    "(l.environment = ? COLLATE NOCASE OR l.environment COLLATE NOCASE IN (SELECT e.uid"
    " FROM environment e WHERE e.absent_since IS NULL"
    " AND (e.tier = ? OR e.display_name = ? COLLATE NOCASE)))"
)
SUPPLIER = (
    "(l.supplier LIKE ? ESCAPE '\\' OR l.supplier COLLATE NOCASE IN (SELECT x.uid FROM supplier x"
    " WHERE x.display_name LIKE ? ESCAPE '\\'))"
)
SUPPLIER_IS = (
    "(l.supplier = ? COLLATE NOCASE OR l.supplier COLLATE NOCASE IN (SELECT x.uid FROM supplier x"
    " WHERE x.display_name = ? COLLATE NOCASE))"
)
FINDING = (
    "l.identity_id IN (SELECT f.identity_id FROM finding f"
    " WHERE f.rule = ? AND f.cleared_at IS NULL)"
)
CRED = (
    "l.identity_id IN (SELECT c.identity_id FROM credential c"
    " WHERE c.credential_type = ? AND c.absent_since IS NULL)"
)
GRANT = (
    "l.identity_id IN (SELECT g.identity_id FROM entitlement e JOIN grant g"
    " ON g.entitlement_id = e.id WHERE g.absent_since IS NULL AND e.absent_since IS NULL"
    " AND (e.display_name LIKE ? ESCAPE '\\' OR e.uid LIKE ? ESCAPE '\\'))"
)
_LIVE = (
    "l.identity_id IN (SELECT c.identity_id FROM credential c WHERE c.absent_since IS NULL"
    " AND c.status NOT IN ('disabled', 'deleted') AND "
)
EXPIRES_BEFORE = _LIVE + "c.expires_at >= ? AND c.expires_at < ?)"
EXPIRES_AFTER = _LIVE + "c.expires_at > ?)"
EXPIRED = _LIVE + "c.expires_at < ?)"
_HOLDS = "d.entry_id NOT IN (SELECT v.entry_id FROM void_entry v)"
_REVIEWED = (
    "EXISTS (SELECT 1 FROM decision d WHERE d.identity_id = l.identity_id"
    f" AND d.verdict <> 'abstain' AND {_HOLDS}"
)
REVIEWED_SINCE = f"{_REVIEWED} AND d.decided_at >= ?)"
UNUSED_FOR = (
    "((l.last_used_state = 'known' AND l.last_used_at < ?)"
    " OR (l.last_used_state = 'never' AND i.created_at < ?))"
)
USED_SINCE = "(l.last_used_state = 'known' AND l.last_used_at >= ?)"
CREATED_BEFORE, CREATED_AFTER = "i.created_at < ?", "i.created_at >= ?"
RISK = {op: f"l.risk {op} ?" for op in (">=", "<=", ">", "<", "=")}
KIND, STATUS, SEVERITY = "l.kind = ?", "l.status = ?", "l.severity = ?"
_TRUST = "l.identity_id IN (SELECT t.identity_id FROM trust t WHERE t.absent_since IS NULL"
_PERSON_USE = (
    "l.identity_id IN (SELECT u.identity_id FROM usage u"
    " WHERE u.consumer_kind = 'person' AND u.absent_since IS NULL)"
)
_NEW = (
    "i.first_seen_run >= (SELECT max(r.batch) FROM import_run r"
    " WHERE r.identities > 0 AND r.source_id = i.source_id)"
)
# new: what came with a later export of its source and format than the first, which was the start
_CAME = (
    "l.identity_id IN (SELECT x.id FROM principal x WHERE x.kind <> 'human'"
    " AND x.first_seen_run IN (SELECT r.id FROM import_run r"
    "  WHERE r.format <> 'muster.dossiers.jsonl' AND EXISTS (SELECT 1 FROM import_run e"
    "   WHERE e.source_id = r.source_id AND e.format = r.format AND e.batch < r.batch)))"
    " AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.identity_id = l.identity_id"
    f"  AND d.verdict IN ('revoke', 'disable') AND {_HOLDS})"
)
LACKS = {
    "purpose": "i.purpose IS NULL"
               " AND NOT EXISTS (SELECT 1 FROM purpose p WHERE p.identity_id = l.identity_id)",
    "owner": "NOT EXISTS (SELECT 1 FROM owner o WHERE o.identity_id = l.identity_id"
             " AND o.absent_since IS NULL"
             " AND (o.person_uid IS NOT NULL OR o.team_uid IS NOT NULL))",
    "approval": "NOT EXISTS (SELECT 1 FROM decision d WHERE d.identity_id = l.identity_id"
                f" AND d.verdict = 'approve' AND {_HOLDS})",
}  # fmt: skip
"""What a new identity needs, and when it has none."""
_ASKED = (
    "EXISTS (SELECT 1 FROM item n JOIN campaign c ON c.id = n.campaign_id"
    " WHERE n.identity_id = l.identity_id AND c.closed_at IS NULL)"
)
_INTAKE = {
    "new": f"({_CAME} AND {LACKS['approval']} AND NOT {_ASKED})",
    "asked": f"({_CAME} AND {LACKS['approval']} AND {_ASKED})",
    "incomplete": f"({_CAME} AND NOT ({LACKS['approval']})"
                  f" AND (({LACKS['purpose']}) OR ({LACKS['owner']})))",
    "any": f"({_CAME} AND ({' OR '.join(f'({sql})' for sql in LACKS.values())}))",
}  # fmt: skip
_HAS_CRED = (
    "l.identity_id IN (SELECT c.identity_id FROM credential c WHERE c.absent_since IS NULL"
    " AND c.identity_id IS NOT NULL)"
)
STATE, VERDICT = (
    "n.state = ?",
    (
        "coalesce((SELECT verdict FROM draft WHERE item_id = n.id), (SELECT verdict FROM decision x"
        " WHERE x.item_id = n.id ORDER BY x.entry_id DESC LIMIT 1)) = ?"
    ),
)
UNOWNED = "n.assigned LIKE 'unowned%'"
REVIEWER = "n.reviewer LIKE ? ESCAPE '\\'"
# an item is due when its campaign is, or when the identity's own review date has come
DUE_BEFORE = (
    "(n.state = 'open' AND ((SELECT c.due_at FROM campaign c WHERE c.id = n.campaign_id) < ?"
    " OR i.review_due < ?))"
)
_CONTESTED = "n.contested = 1"
NO_GROUPS, NO_ABSENT = "l.kind <> 'group'", "l.absent_since IS NULL"


def _one_of(known: tuple[str, ...], fragment: str) -> Maker:
    return lambda value, _now: (fragment, [value.lower()]) if value.lower() in known else None


def _contains(fragment: str) -> Maker:
    return lambda value, _now: (fragment, [like(value)] * fragment.count("?"))


def _equals(fragment: str) -> Maker:
    return lambda value, _now: (fragment, [value] * fragment.count("?"))


def _owner(value: str, _now: datetime) -> Made:
    if value.startswith("="):
        return OWNER_IS, [value[1:]] * 5
    name, at, domain = value.partition("@")
    if name and at and domain:
        return OWNER_EMAIL, [value] * 3
    return OWNER_TEXT, [like(value)] * 5


def _supplier(value: str, _now: datetime) -> Made:
    if value.startswith("="):
        return SUPPLIER_IS, [value[1:]] * 2
    return SUPPLIER, [like(value)] * 2


def _past(older: str, younger: str, *, dates: bool = False) -> Maker:
    """`>90d`: longer ago than 90 days; `<90d`: since then; `<2026-01-31`: before that day."""

    def make(value: str, now: datetime) -> Made | None:
        if dates and (found := _DATE.fullmatch(value)):
            fragment = older if found[1] == "<" else younger
            moment = text.utc(found[2])
        elif found := _PERIOD.fullmatch(value):
            fragment = older if found[1] == ">" else younger
            moment = _shifted(now, -int(found[2]) * _DAYS[found[3]])
        else:
            return None
        return None if moment is None else (fragment, [moment] * fragment.count("?"))

    return make


def _expires(value: str, now: datetime) -> Made | None:
    if value == "past":
        return EXPIRED, [text.rfc3339(now)]
    if found := _PERIOD.fullmatch(value):
        moment = _shifted(now, int(found[2]) * _DAYS[found[3]])
    elif found := _DATE.fullmatch(value):
        moment = text.utc(found[2])
    else:
        return None
    if moment is None:
        return None
    if found[1] == ">":
        return EXPIRES_AFTER, [moment]
    return EXPIRES_BEFORE, [text.rfc3339(now), moment]


def _shifted(now: datetime, days: int) -> str | None:
    try:
        moment = now + timedelta(days=days)
    except OverflowError:
        return None
    return text.rfc3339(moment) if moment.year >= 1000 else None


def _risk(value: str, _now: datetime) -> Made | None:
    found = _NUMBER.fullmatch(value)
    return (RISK[found[1] or "="], [int(found[2])]) if found else None


@functools.cache
def _rule_ids() -> tuple[str, ...]:
    """The rules there are, from the names of their files: `policy` is above this module."""
    folder = Path(__file__).parent.parent / "policy" / "rules"
    return tuple(sorted(path.stem for path in folder.glob("*.sql")))


def _finding(value: str, _now: datetime) -> Made | None:
    return (FINDING, [value]) if value in _rule_ids() else None


_PERIODS = (">30d", ">90d", "<7d")


def _yes_no(yes: str, no: str) -> dict[str, str]:
    return {"yes": yes, "no": no}


def _either(yes: str) -> dict[str, str]:
    return {"yes": yes, "no": f"NOT {yes}"}


def _due(value: str, now: datetime) -> Made | None:
    if value == "past":
        return DUE_BEFORE, [text.rfc3339(now)] * 2
    found = _PERIOD.fullmatch(value)
    if found is None or found[1] != "<":
        return None
    moment = _shifted(now, int(found[2]) * _DAYS[found[3]])
    return None if moment is None else (DUE_BEFORE, [moment] * 2)


@functools.cache
def keys() -> dict[str, Key]:
    """Every qualifier by name."""
    return {**_about_itself(), **_about_its_parts(), **_about_items()}


def _about_items() -> dict[str, Key]:
    """What only a line of a campaign has."""
    return {
        "state": Key("in a queue: open, draft, or signed", ITEM_STATES, {},
                     _one_of(ITEM_STATES, STATE), of_item=True),
        "verdict": Key("in a queue: what was drafted, else signed last", VERDICTS, {},
                       _one_of(VERDICTS, VERDICT), of_item=True),
        "due": Key("in a queue: undecided, and to be decided within, or past its day",
                   ("<7d", "<30d", "past"), {}, _due, of_item=True),
        "contested": Key("in a queue: decided differently, neither having seen the other",
                         ("yes", "no"), _either(_CONTESTED), of_item=True),
        "unowned": Key("in a queue: when it was opened nobody who is here answered for it",
                       ("yes", "no"), _either(UNOWNED), of_item=True),
        "reviewer": Key("in a queue: a part of the reviewer's address", (), {},
                        _contains(REVIEWER), of_item=True),
    }  # fmt: skip


def _about_itself() -> dict[str, Key]:
    return {
        "kind": Key("what it is; groups show only when asked for", KINDS, {},
                     _one_of(KINDS, KIND)),
        "owner": Key("an e-mail, a part of a name, =whole name, none, or unmatched (named, but "
                      "nobody known)",
                      ("none", "unmatched"), {
                          "none": "l.owner IS NULL",
                          "unmatched": "l.owner_state = 'unmatched'",
                      }, _owner),
        "source": Key("a part of the source's id or label", (), {}, _contains(SOURCE)),
        "platform": Key("aws, ad, kubernetes …", (), {}, _equals(PLATFORM)),
        "env": Key("an environment's name, or a tier", (*TIERS, "none"),
                    {"none": "l.environment IS NULL"}, _equals(ENV)),
        "status": Key("as the platform says", STATUSES, {}, _one_of(STATUSES, STATUS)),
        "privileged": Key("holds admin or owner rights, directly or through groups",
                           ("yes", "no"), _yes_no("l.is_privileged = 1", "l.is_privileged = 0")),
        "unused": Key("not used for longer than (never counts from creation), never, unknown",
                       (*_PERIODS[:2], "never", "unknown"), {
                           "never": "l.last_used_state = 'never'",
                           "unknown": "l.last_used_state IN ('unknown', 'not_tracked')",
                       }, _past(UNUSED_FOR, USED_SINCE)),
        "age": Key("time since it was created", (*_PERIODS, "unknown"),
                    {"unknown": "i.created_at IS NULL"}, _past(CREATED_BEFORE, CREATED_AFTER)),
        "created": Key("before or after a day, or longer ago than",
                        ("<2026-01-31", ">2026-01-31", *_PERIODS[1:], "unknown"),
                        {"unknown": "i.created_at IS NULL"},
                        _past(CREATED_BEFORE, CREATED_AFTER, dates=True)),
    }  # fmt: skip


def _about_its_parts() -> dict[str, Key]:
    return {
        "expires": Key("has a live credential that expires within, that has expired, or with "
                        "no expiry", ("<30d", ">365d", "past", "none"), {
                            "none": _LIVE + "c.expires_state = 'none')",
                        }, _expires),
        "finding": Key("an open finding of this rule", ("any", "none", *_rule_ids()),
                        {"any": "l.findings > 0", "none": "l.findings = 0"}, _finding),
        "severity": Key("its worst open finding", (*SEVERITIES, "none"),
                         {"none": "l.severity IS NULL"}, _one_of(SEVERITIES, SEVERITY)),
        "risk": Key("0 to 100", (">=90", ">=70", "<40"), {}, _risk),
        "supplier": Key("a part of the third party's name, or =whole name", ("none",),
                         {"none": "l.supplier IS NULL"}, _supplier),
        "external": Key("belongs to another organisation", ("yes", "no"),
                         _yes_no("i.is_external = 1", "i.is_external IS NOT 1")),
        "trust": Key("an outside party may become it", ("external", "wildcard", "any", "none"), {
            "external": f"{_TRUST} AND t.is_external = 1)",
            "wildcard": f"{_TRUST} AND t.is_wildcard = 1)",
            "any": f"{_TRUST})",
            "none": f"NOT {_TRUST} AND t.identity_id IS NOT NULL)",
        }),
        "intake": Key("came since the first export: in no review yet, asked in one, approved"
                       " without a purpose or an owner, or any of these", tuple(_INTAKE), _INTAKE),
        "new": Key("first seen in the newest run of its source", ("yes", "no"), _either(_NEW)),
        "absent": Key("gone from its source; those show only when asked for",
                       ("yes", "no", "any"),
                       {"yes": "l.absent_since IS NOT NULL", "no": NO_ABSENT, "any": "1"}),
        "reviewed": Key("signed decision on it: never, or none within (`>90d` has never too)",
                         ("never", ">90d", "<90d"), {"never": f"NOT {_REVIEWED})"},
                         _past(f"NOT {REVIEWED_SINCE}", REVIEWED_SINCE)),
        "cred": Key("has a credential of this type", (*CREDENTIAL_TYPES, "none"),
                     {"none": f"NOT {_HAS_CRED}"}, _one_of(CREDENTIAL_TYPES, CRED)),
        "grant": Key("directly holds a permission with this in its name", (), {},
                      _contains(GRANT)),
        "mfa": Key("has a second factor", ("yes", "no", "unknown"), {
            "yes": "i.has_mfa = 1", "no": "i.has_mfa = 0", "unknown": "i.has_mfa IS NULL"}),
        "locked": Key("locked by the platform", ("yes", "no"),
                       _yes_no("i.is_locked = 1", "i.is_locked IS NOT 1")),
        "person_use": Key("a person was seen using it", ("yes", "no"), _either(_PERSON_USE)),
    }  # fmt: skip
