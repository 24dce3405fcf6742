"""The contract: `openapi.yaml` names every route, and the running server keeps what it promises."""

from importlib import resources
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from passmuster import central
from passmuster.server import Central, app
from tests.server.conftest import Speak
from tests.server.town import BOSS

CONTRACT = resources.files("passmuster.server") / "openapi.yaml"
OPERATIONS = [
    (method.upper(), path)
    for path, said in yaml.safe_load(CONTRACT.read_text())["paths"].items()
    for method in said if method != "parameters"
]  # fmt: skip


def test_the_contract_names_every_route_and_no_other(served: Central) -> None:
    routes = {
        (method, route.path.replace(":path}", "}"))  # type: ignore[attr-defined]
        for route in app(served).routes
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
    }
    assert routes == set(OPERATIONS)
    served.close()


def test_the_contract_names_every_problem_and_every_limit_is_told(
    served: Central, speak: Speak
) -> None:
    contract = yaml.safe_load(CONTRACT.read_text())
    assert set(contract["components"]["schemas"]["Code"]["enum"]) == set(central.PROBLEMS)
    told = speak().ask("GET", "/v1/about").json()["limits"]
    assert told == {name: getattr(central.LIMITS, name) for name in central.LIMITS.__slots__}


@pytest.mark.ci
@pytest.mark.parametrize("database", [None])
@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_the_running_server_keeps_its_contract(speak: Speak, mode: str, database: None) -> None:
    """Whatever is asked, rightly or wrongly: an answer that the contract has, and no fault."""
    schemathesis = pytest.importorskip("schemathesis")
    from schemathesis.specs.openapi import checks

    boss = speak(BOSS)
    session = boss.session
    assert session is not None
    schemathesis.serializer(central.NDJSON)(
        lambda _, value: value if isinstance(value, bytes) else str(value).encode()
    )
    schemathesis.serializer("application/gzip")(
        lambda _, value: value if isinstance(value, bytes) else str(value).encode()
    )
    contract = schemathesis.openapi.from_dict(yaml.safe_load(CONTRACT.read_text()))
    wanted = [
        schemathesis.checks.not_a_server_error, checks.status_code_conformance,
        checks.content_type_conformance, checks.response_schema_conformance,
        checks.response_headers_conformance,
    ]  # fmt: skip
    asked = []
    for found in contract.get_all_operations():
        operation = found.ok()
        if mode == "negative" and not operation.body and not [*operation.iter_parameters()]:
            continue  # nothing of it can be wrong
        if mode == "negative" and operation.path == "/v1/packets":
            continue  # to the contract any bytes are as good as others
        cases = operation.as_strategy(schemathesis.GenerationMode(mode))

        @settings(max_examples=8, deadline=None, database=None, derandomize=True,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=cases)
        def keeps(case: Any) -> None:
            if mode == "positive" and "wait" in (case.query or {}):
                case.query["wait"] = min(case.query["wait"], 1)  # nothing new will come
            url = f"{boss.url}{case.formatted_path}"
            proof = session.headers(case.method, url)
            answer = case.call(base_url=boss.url, headers=proof, timeout=30)
            asked.append((answer.status_code, case.path))
            assert answer.headers.get(central.PROTOCOL_HEADER.lower()) == ["1.0"], (
                answer.status_code, answer.text, case.path,
            )  # fmt: skip
            case.validate_response(answer, checks=wanted)

        keeps()
    assert len(asked) > 50
    if mode == "positive":
        assert {path for status, path in asked if status in (200, 201)} >= {
            "/v1/about", "/v1/feed", "/v1/log/checkpoint", "/healthz", "/readyz", "/metrics",
            "/v1/blobs/missing", "/v1/records", "/v1/enrolments",
        }  # fmt: skip
