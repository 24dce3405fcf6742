"""The rules as files: `rules/*.sql` with a comment header, and what they serve (`controls.toml`).

A file runs as it is in the stock `sqlite3` shell (`.param set :now …`), so an auditor can repeat
a finding without this program. Header lines are `-- key: value`; a line indented by three spaces
goes on with the one above; a bare `--` or the first SQL ends the header.
"""

import functools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passmuster import text
from passmuster.config import Settings
from passmuster.errors import UsageError
from passmuster.model import SEVERITIES

_FOLDER = Path(__file__).parent
SUBJECTS = ("identity", "credential", "grant", "trust")
HEADER = ("title", "severity", "subject", "params", "needs", "why", "fix")
_PARAM = re.compile(r"([a-z_]+)=(\d+) \(([^()]*)\)")

NEEDS: dict[str, str] = {
    "usage": "no imported source says when identities were last used",
    "credential": "no imported source lists credentials",
    "grant": "no imported source says who holds which permission",
    "trust": "no imported source says which outside parties are trusted",
    "consumer": "no imported source says which workloads or hosts use an identity",
    "person_use": "no imported source says whether people use an identity by hand",
    "auth": "no imported source says how identities authenticate",
    "automation": "no imported source says what created an identity",
    "sighting": "no imported source reports where secrets were seen",
    "person": "no imported source says which people are still here",
    "supplier": "no imported source lists suppliers",
    "environment": "no imported source says which environment is production",
    "owner": "no imported source names owners",
    "review": "no decision has been signed in this workspace yet",
    "emergency": "nothing was stopped in an emergency in this workspace",
    "agent": "no imported source has an identity of an AI agent",
}
"""What a rule may need, and what to say when nothing supplies it (never "0 findings")."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One file of `rules/`."""

    id: str
    title: str
    severity: str
    subject: str
    """Whose table id `subject_id` is: identity, credential, grant or trust."""
    params: dict[str, int]
    sources: dict[str, str]
    """Where the default of each parameter comes from."""
    needs: tuple[str, ...]
    why: str
    fix: str
    sql: str
    """The file as it is, comments included, without the last semicolon."""
    sha256: str
    """Of the file's bytes, so that a pack can say by which text a finding was made."""

    @property
    def controls(self) -> list[tuple[str, str, str]]:
        """(framework, control id, fit) of every mapping; our judgement, no published crosswalk."""
        return list(_mappings().get(self.id, ()))

    def where_params(self, now: str, settings: Settings) -> dict[str, str | int]:
        """The values to bind: `:now`, and each parameter as set or as it stands in the file."""
        return {"now": now, **self.params, **settings.rules.get(self.id, {})}


@functools.cache
def load_rules() -> dict[str, Rule]:
    """Every rule by id, in the order of their ids, which is that of the bits of `reasons`."""
    files = sorted((_FOLDER / "rules").glob("*.sql"))
    return {path.stem: parse(path.read_bytes(), path.stem) for path in files}


def parse(data: bytes, rule_id: str) -> Rule:
    """The rule written in a file; UsageError says which header line is wrong."""
    try:
        script = data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"rule {rule_id}: not UTF-8 text") from None
    header = _header(script, rule_id)
    for key in ("title", "severity", "subject", "why", "fix"):
        if not header.get(key):
            raise UsageError(f"rule {rule_id}: the header has no `-- {key}:`")
    _known(rule_id, "severity", header["severity"], SEVERITIES)
    _known(rule_id, "subject", header["subject"], SUBJECTS)
    params = _PARAM.findall(header.get("params", ""))
    if header.get("params") and not params:
        raise UsageError(f"rule {rule_id}: params are written max_days=90 (source of the number)")
    needs = tuple(need.strip() for need in header.get("needs", "").split(",") if need.strip())
    for need in needs:
        _known(rule_id, "needs", need, tuple(NEEDS))
    return Rule(
        rule_id, header["title"], header["severity"], header["subject"],
        {name: int(value) for name, value, _ in params}, {n: source for n, _, source in params},
        needs, header["why"], header["fix"], script.strip().removesuffix(";"), text.sha256(data),
    )  # fmt: skip


def _header(script: str, rule_id: str) -> dict[str, str]:
    found: dict[str, str] = {}
    key = ""
    for line in script.splitlines():
        if not line.startswith("-- "):
            break
        if line.startswith("--   ") and key:
            found[key] += " " + line[5:].strip()
            continue
        key, colon, value = line[3:].partition(":")
        if not colon or key not in HEADER:
            raise UsageError(f"rule {rule_id}: no header line {key!r}{text.nearest(key, HEADER)}")
        found[key] = value.strip()
    return found


def _known(rule_id: str, key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"rule {rule_id}: {key} {value!r}{text.nearest(value, known)}")


def check(settings: Settings) -> None:
    """Refuse thresholds for a rule or a parameter that does not exist, and owners of no control."""
    _check_owners(settings)
    rules = load_rules()
    for rule_id, values in settings.rules.items():
        if rule_id not in rules:
            raise UsageError(f"config: no rule {rule_id!r}{text.nearest(rule_id, rules)}")
        for name in values:
            if name not in rules[rule_id].params:
                known = rules[rule_id].params
                hint = text.nearest(name, known) if known else "; it has none"
                raise UsageError(f"config: rule {rule_id} has no {name!r}{hint}")


def _check_owners(settings: Settings) -> None:
    frameworks = catalogue()["framework"]
    known = {(c["framework"], c["id"]) for c in catalogue()["control"]}
    for named in settings.control_owners:
        framework, _, control = named.partition(" ")
        if framework not in frameworks:
            hint = text.nearest(framework, frameworks)
            raise UsageError(f"config: control_owners: no framework {framework!r}{hint}")
        if control and (framework, control) not in known:
            hint = text.nearest(control, [c for f, c in known if f == framework])
            raise UsageError(f"config: control_owners: {framework} has no {control!r}{hint}")


def control_owner(settings: Settings, framework: str, control: str) -> str | None:
    """Who answers for a control: as set for it, else as set for all of its framework."""
    owners = settings.control_owners
    return owners.get(f"{framework} {control}") or owners.get(framework)


@functools.cache
def catalogue() -> dict[str, Any]:
    """The whole of `controls.toml`: ids and titles, with what was verified and where."""
    return tomllib.loads((_FOLDER / "controls.toml").read_text("utf-8"))


@functools.cache
def _mappings() -> dict[str, tuple[tuple[str, str, str], ...]]:
    return {
        rule["id"]: tuple(
            (framework, control["id"], control["fit"])
            for framework, served in rule["map"].items()
            for control in served
        )
        for rule in catalogue()["rule"]
    }


def controls(rule: Rule | str) -> list[dict[str, Any]]:
    """What *rule* is evidence for: framework, its name, id, title and fit of each control."""
    rule_id = rule if isinstance(rule, str) else rule.id
    known = {(c["framework"], c["id"]): c for c in catalogue()["control"]}
    return [
        {
            "framework": framework,
            "framework_name": catalogue()["framework"][framework]["name"],
            "version": catalogue()["framework"][framework]["version"],
            "id": control,
            "title": known[framework, control]["title"],
            "fit": fit,
        }
        for framework, control, fit in _mappings().get(rule_id, ())
    ]


def thresholds() -> list[dict[str, Any]]:
    """The numbers that published sources set, each with who states it and whether we read it."""
    return list(catalogue()["threshold"])
