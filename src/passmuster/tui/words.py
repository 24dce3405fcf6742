"""Times and things in words: pure, so that what a person reads can be tested without a screen."""

from datetime import UTC, datetime

from passmuster.text import Json, plural

PLATFORMS = {
    "ad": "AD", "anthropic": "Anthropic", "aws": "AWS", "azure": "Azure", "baton": "Baton",
    "entra": "Entra", "gcp": "Google Cloud", "github": "GitHub", "gitlab": "GitLab",
    "kubernetes": "Kubernetes", "ldap": "LDAP", "mariadb": "MariaDB", "mcp": "MCP",
    "okta": "Okta", "openbao": "OpenBao", "postgres": "PostgreSQL", "rabbitmq": "RabbitMQ",
    "redis": "Redis", "register": "register", "spire": "SPIRE", "ssh": "SSH",
    "terraform": "Terraform", "x509": "X.509",
}  # fmt: skip
_DETAIL = {
    "dmsa": "managed account", "gmsa": "group managed account", "iam_user": "IAM user",
    "smsa": "managed account",
}  # fmt: skip
CREDENTIALS = {
    "static_secret": "secret", "asymmetric_key": "key pair", "certificate": "certificate",
    "federated": "federation", "token": "token",
}  # fmt: skip
_LETTERS = {"critical": "C", "high": "H", "medium": "M", "low": "L"}


def when(stamp: str) -> datetime:
    """The moment written in *stamp*; our own times are RFC 3339 in UTC."""
    moment = datetime.fromisoformat(stamp)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _seconds(stamp: str, now: str) -> float | None:
    try:
        return (when(now) - when(stamp)).total_seconds()
    except ValueError:
        return None


def days_since(stamp: str | None, now: str) -> int | None:
    """Whole days from *stamp* to *now*; None without a time that can be read."""
    seconds = _seconds(stamp, now) if stamp else None
    return None if seconds is None else int(seconds // 86_400)


def span(seconds: float) -> str:
    """A length of time as people say it: `3 hours`, `412 days`, `6 years`."""
    for size, noun, below in ((60, "minute", 60), (3600, "hour", 48), (86_400, "day", 1000)):
        if seconds < size * below:
            return plural(max(1, int(seconds // size)), noun)
    return plural(int(seconds // 31_557_600), "year")


def ago(stamp: str, now: str) -> str:
    """`412 days ago`, or `in 8 days` for a time to come."""
    seconds = _seconds(stamp, now)
    if seconds is None:
        return "at a time that cannot be read"
    if abs(seconds) < 60:
        return "just now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def dated(stamp: str, now: str) -> str:
    """`2025-10-07 (412 days ago)`: the day for the record, the distance for the eye."""
    return f"{stamp[:10]} ({ago(stamp, now)})"


def short(stamp: str, now: str) -> str:
    """A length of time for a narrow column: `2 h`, `412 d`, `6 y`."""
    seconds = _seconds(stamp, now)
    if seconds is None:
        return "?"
    for size, letter, below in ((60, "m", 60), (3600, "h", 48), (86_400, "d", 1000)):
        if seconds < size * below:
            return f"{max(0, int(seconds // size))} {letter}"
    return f"{int(seconds // 31_557_600)} y"


def last_use_short(stamp: str | None, state: str, now: str) -> str:
    """The last use for a column; each kind of not knowing has its own word."""
    if state == "known" and stamp:
        return short(stamp, now)
    return {"never": "never", "not_tracked": "untracked"}.get(state, "unknown")


def last_use(stamp: str | None, state: str, now: str) -> str:
    """The last use as a phrase that follows a noun: `last used 2025-10-07 (412 days ago)`."""
    if state == "known" and stamp:
        return f"last used {dated(stamp, now)}"
    return {
        "never": "never used",
        "not_tracked": "use is not tracked",
    }.get(state, "last use unknown")


def risk(value: int, severity: str | None) -> str:
    """`92 C`: the number to sort by and the letter of the worst finding."""
    return f"{value:>3} {_LETTERS.get(severity or '', ' ')}"


def platform(name: str) -> str:
    """A platform as its makers write it."""
    return PLATFORMS.get(name, name)


def kind_of(dossier: Json) -> str:
    """What sort of account it is on its platform: `Kubernetes service account`."""
    identity, where = dossier["identity"], platform(dossier["source"]["platform"])
    detail = (identity["nhi_detail"] or "").split(".")[1:]
    if not detail:
        return where
    return f"{where} {' '.join(_DETAIL.get(d, d.replace('_', ' ')) for d in detail)}"


def source(name: str, width: int) -> str:
    """A source for a narrow column: of a numbered tenant the end tells it from its siblings."""
    where, _, tenant = name.partition(":")
    if len(name) <= width or not tenant.isdigit():
        return name
    return f"{where} …{tenant[-(width - len(where) - 2) :]}"


def credential(row: Json) -> str:
    """How a person recognises a credential: its name, else its handle, and never the secret."""
    name = row["display_name"] or row["uid"].rsplit("/", 1)[-1]
    if row["hint"] and row["hint"] not in name:
        return f"{name} …{row['hint']}"
    return str(name)


def credential_named(row: Json) -> str:
    """`access key AKIA…Q7`: the type too, unless the name says it."""
    name, kind = credential(row), credential_type(row)
    return name if kind.lower() in name.lower() else f"{kind} {name}"


def credential_type(row: Json) -> str:
    """`access key`, or our own word for the type where the platform gives no finer one."""
    detail = (row["credential_detail"] or "").split(".")[-1].replace("_", " ")
    return detail or str(CREDENTIALS.get(row["credential_type"], row["credential_type"]))
