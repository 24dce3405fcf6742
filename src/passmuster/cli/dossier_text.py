"""A dossier as plain lines for `muster show`; the workstation draws the same facts."""

from collections.abc import Iterator
from datetime import datetime

from passmuster import campaigns
from passmuster.text import Json, plural, visible


def lines(dossier: Json, now: str) -> Iterator[str]:
    """What it is, who answers for it, then what could change a decision, riskiest first."""
    for line in _lines(dossier, now):
        yield visible(line)


def _lines(dossier: Json, now: str) -> Iterator[str]:
    i, source = dossier["identity"], dossier["source"]
    yield f"{i['display_name']}   risk {dossier['risk']}"
    where, environment = source["name"] or source["uid"], i["environment"]
    yield f"  what     {where} · {i['kind']} ({i['kind_origin']}) · {i['status']}"
    yield f"  in       {environment or 'no environment known'}"
    yield f"  uid      {i['uid']}"
    owners = [f"{o['person_name'] or o['team'] or o['handle']} ({o['evidence'] or o['origin']})"
              for o in dossier["owners"]]  # fmt: skip
    yield f"  owner    {', '.join(owners) or 'none'}"
    if stopped := campaigns.cut_off(dossier):
        yield f"  breaks   {plural(stopped, 'identity')} can no longer become it when it is stopped"
    yield f"  used     {_used(i['last_used_at'], i['last_used_state'], now)}"
    if i["privilege_reason"]:
        yield f"  power    {i['privilege_reason']}"
    for f in dossier["findings"]:
        yield f"  found    {f['severity']:8} {f['title']}: {f['detail']} (+{f['points']})"
    for c in dossier["credentials"]:
        age = f"made {_ago(c['last_rotated_at'] or c['created_at'], now)}"
        used = _used(c["last_used_at"], c["last_used_state"], now)
        yield f"  proof    {c['uid']} {c['credential_detail']} {c['status']}, {age}, used {used}"
    yield from _cut(
        "may",
        [
            f"{g['display_name']} [{g['permission_level']}] via {g['via']}"
            for g in dossier["grants"]
        ],
    )
    yield from _cut(
        "trusts",
        [
            f"{t['from_uid']} may {t['mechanism']}" + (" (external)" if t["is_external"] else "")
            for t in dossier["trusts"]
        ],
    )
    yield from _cut("chain", [
        f"{'←' if row['direction'] == 'in' else '→'} {'  '.join(campaigns.link_words(row))}"
        for row in dossier.get("links", ())
    ])  # fmt: skip
    yield from _cut("user", [f"{u['consumer']} ({u['consumer_kind']})" for u in dossier["usage"]])
    yield from _cut("seen", [f"{s['what']} in {s['place']}" for s in dossier["sightings"]])
    yield from _cut(
        "before",
        [
            f"{b['verdict']} on {b['decided_at'][:10]}: {b['reason_text']}"
            for b in dossier["before"]
        ],
    )
    yield from _cut(
        "changed",
        [
            f"{c['field']}: {c['old']} → {c['new']} ({c['observed_at'][:10]})"
            for c in dossier["changed"]
        ],
    )
    for run in dossier["runs"]:
        yield f"  source   {run['file_name']} imported {run['imported_at'][:10]}"


def _cut(word: str, found: list[str], limit: int = 10) -> Iterator[str]:
    for line in found[:limit]:
        yield f"  {word:8} {line}"
    if len(found) > limit:
        yield f"  {word:8} … {plural(len(found) - limit, 'line')} more: --json has all"


def _used(at: str | None, state: str, now: str) -> str:
    words = {"never": "never", "not_tracked": "not tracked by the platform", "unknown": "unknown"}
    return _ago(at, now) if at else words.get(state, state)


def _ago(at: str | None, now: str) -> str:
    if at is None:
        return "at an unknown time"
    days = (datetime.fromisoformat(now) - datetime.fromisoformat(at)).days
    return f"{at[:10]} ({plural(days, 'day')} ago)"
