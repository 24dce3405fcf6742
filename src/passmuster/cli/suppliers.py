"""`muster suppliers`: third parties, what of theirs gets in, and how that is taken away."""

from datetime import datetime, timedelta
from typing import Any

import click

from passmuster.cli.common import Bench, emit, json_option, now, pass_bench, talk
from passmuster.cli.inventory import need_inventory
from passmuster.text import rfc3339, visible

SOON_DAYS = 60
"""Days before its end from which a contract is said to end soon."""


@click.command("suppliers")
@click.argument("name", required=False)
@json_option
@pass_bench
def suppliers_command(bench: Bench, name: str | None, as_json: bool) -> None:
    """Third parties, the riskiest first; with a name, everything known of one.

    \b
    Examples:
      muster suppliers
      muster suppliers "Datalift" --json
    """
    from passmuster import campaigns

    need_inventory(bench)
    at = now()
    soon = rfc3339(datetime.fromisoformat(at) + timedelta(days=SOON_DAYS))
    if name is not None:
        _one(bench, campaigns.supplier(bench.db, name, at, soon), as_json)
        return
    columns = {"name": "SUPPLIER", "state": "STATE", "contract_ends_at": "CONTRACT END",
               "contact": "CONTACT", "identities": "IDENTITIES", "trusts": "TRUSTS",
               "findings": "FINDINGS", "risk": "RISK"}  # fmt: skip
    found = map(row, campaigns.suppliers(bench.db, at, soon))
    if not emit(found, columns, as_json=as_json) and not as_json:
        talk("no supplier is known: muster import suppliers.csv --as suppliers")


def row(one: Any) -> dict[str, Any]:
    """One supplier, as `--json` has it."""
    return {
        "name": one.name, "state": one.state, "contact": one.contact, "contract": one.contract,
        "contract_ends_at": one.contract_ends_at and one.contract_ends_at[:10],
        "reviewed_at": one.reviewed_at and one.reviewed_at[:10], "tenants": list(one.tenants),
        "identities": one.identities, "privileged": one.privileged, "trusts": one.trusts,
        "findings": one.findings, "risk": one.risk,
    }  # fmt: skip


def _one(bench: Bench, one: Any, as_json: bool) -> None:
    from passmuster import campaigns

    held = campaigns.held(bench.db, one)
    if as_json:
        emit([row(one) | {
            "holds": [{"name": r.name, "source": r.source, "risk": r.risk, "owner": r.owner,
                       "is_privileged": bool(r.is_privileged)} for r in held.identities],
            "found": [dict(zip(("identity", "title", "detail"), f, strict=True))
                      for f in held.findings],
            "paths": [{
                "identity": p.identity, "source": p.source, "risk": p.risk, "through": p.through,
                "issued": p.issued, "stops_the_whole_identity": p.whole, "stop": [
                    {"what": s.what, "stop": list(s.stop), "undo": list(s.undo),
                     "undo_class": s.undo_class, "residual": s.residual} for s in p.stop],
            } for p in held.paths],
        }], {}, as_json=True)  # fmt: skip
        return
    print(visible(f"{one.name}   {one.state}"))
    for label, words in campaigns.supplier_facts(one, held):
        print(visible(f"  {label:8} {words}"))
