"""The OpenAPI document: complete, with examples, and held against a real server by schemathesis.

A few cases for each route here; CONTRIBUTING.md has the command for thousands.
"""

# schemathesis and hypothesis hand over what their types do not say.
# pyright: reportMissingTypeArgument=false, reportUnknownParameterType=false, reportAttributeAccessIssue=false
# pyright: reportArgumentType=false, reportOptionalMemberAccess=false

from __future__ import annotations

import base64
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from running import Running
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from likeness.errors import LikenessError
from likeness.repair.repairs import Repairs
from likeness.restore.controls import Controls
from likeness.server.api.requests import FIELDS, RestoreRequest
from likeness.server.http.problems import CODES

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "4"))

PORTRAIT = (Path(__file__).resolve().parents[1] / "data" / "astronaut.jpg").read_bytes()
schemathesis.openapi.format("binary", st.just(PORTRAIT))
schemathesis.openapi.format("byte", st.just(base64.b64encode(PORTRAIT).decode()))

# Data for which the schema alone cannot say whether it is of any use: a face too small, a damage mask over the face, a
# photograph where a video is wanted.
LEGITIMATE = {"no-face", "control-out-of-range", "option-unusable", "video-unreadable"}


@pytest.fixture(scope="session")
def document(server: Running) -> dict[str, Any]:
    with server.http() as client:
        return client.get("/v1/openapi.json").json()


@pytest.fixture(scope="session")
def job(server: Running) -> str:
    """A finished job for the routes that want one."""
    with server.http() as client:
        made = client.post("/v1/jobs", files=[("files", ("a.jpg", PORTRAIT))] * 2).json()["id"]
        with client.stream("GET", f"/v1/jobs/{made}/events") as stream:
            stream.read()
    return str(made)


@pytest.fixture(scope="session")
def operations(server: Running) -> list[schemathesis.APIOperation]:
    api = schemathesis.openapi.from_url(f"{server.url}/v1/openapi.json")
    return [found.ok() for found in api.get_all_operations()]


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_the_server_keeps_to_its_document(
    mode: schemathesis.GenerationMode, operations: list[schemathesis.APIOperation], server: Running, job: str
) -> None:
    assert len(operations) >= 20
    for operation in operations:
        try:
            statuses = held_to_its_document(operation, mode, server, job)
        except Unsatisfiable:  # noqa: PERF203
            # Nothing can be wrong in a request that takes nothing.
            assert mode is schemathesis.GenerationMode.NEGATIVE
            assert not operation.body
            assert not operation.path_parameters
        else:
            assert statuses, operation.label


def held_to_its_document(
    operation: schemathesis.APIOperation, mode: schemathesis.GenerationMode, server: Running, job: str
) -> list[int]:
    """Send a route what its schema allows, or what it does not; the answers' statuses."""
    statuses: list[int] = []

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def hold(case: schemathesis.Case) -> None:
        if len(str(case.path_parameters.get("job", ""))) == 32 and case.method != "DELETE":
            case.path_parameters["job"] = job
        response = case.call(base_url=server.url, timeout=120)
        refused = response.status_code == 422 and response.json()["code"] in LEGITIMATE
        excluded = [positive_data_acceptance] if refused else []
        excluded += [negative_data_rejection] if lists_vanish(case) or only_off(case) else []
        case.validate_response(response, excluded_checks=excluded)
        statuses.append(response.status_code)

    hold()
    return statuses


def lists_vanish(case: schemathesis.Case) -> bool:
    """Whether a form holds a list of one value or none: sent, it is that value, or nothing, and no longer wrong."""
    form = isinstance(case.body, dict) and case.media_type != "application/json"
    return form and any(isinstance(value, list) and len(value) < 2 for value in case.body.values())


def only_off(case: schemathesis.Case) -> bool:
    """Whether a picture of a job is given 0 for what 0 turns off: wrong as a number in range, and right all the same.

    schemathesis negates one branch of such an "any of" inside an object, and may meet the other.
    """
    overrides = case.body.get("overrides") if isinstance(case.body, dict) else None
    pictures = overrides.values() if isinstance(overrides, dict) else ()
    off = {name for name, schema in FIELDS.items() if {"type": "integer", "const": 0} in schema.get("anyOf", ())}
    return any(isinstance(each, dict) and any(each.get(name) == 0 for name in off) for each in pictures)


@pytest.mark.long
def test_links_lead_from_a_new_job_to_all_that_can_be_done_with_it(server: Running) -> None:
    """Stateful: what a job's answer links to is called with the job's own name, in any order, and after its end."""
    api = schemathesis.openapi.from_url(f"{server.url}/v1/openapi.json").include(path_regex="^/v1/jobs")
    seen: defaultdict[str, set[int]] = defaultdict(set)

    class Machine(api.as_state_machine()):  # type: ignore[misc]
        def validate_response(self, response: Any, case: Any, additional_checks: Any = None, **more: Any) -> None:
            if response.status_code == 422 and response.json()["code"] in LEGITIMATE:
                case.validate_response(response, excluded_checks=[positive_data_acceptance])
            else:
                super().validate_response(response, case, additional_checks, **more)

        def after_call(self, response: Any, case: Any) -> None:
            super().after_call(response, case)
            if case.operation.label == "POST /v1/jobs" and response.status_code == 202:
                # Thumbnails and results are there once the job has ended, however slow the machine is.
                with (
                    server.http() as client,
                    client.stream("GET", f"/v1/jobs/{response.json()['id']}/events") as stream,
                ):
                    stream.read()
            seen[case.operation.label].add(response.status_code)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=max(20, EXAMPLES),
            stateful_step_count=8,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
    with server.http() as client:
        document = client.get("/v1/openapi.json").json()
    linked = document["paths"]["/v1/jobs"]["post"]["responses"]["202"]["links"]
    operations = {
        route["operationId"]: f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method, route in methods.items()
    }
    assert {operations[link["operationId"]] for link in linked.values()} == set(seen) - {"POST /v1/jobs"}
    assert {path for path in document["paths"] if path.startswith("/v1/jobs/")} == {
        operations[link["operationId"]].split()[1] for link in linked.values()
    }
    # Each was reached with a job that there was: nothing of this is 404 there.
    for label, statuses in seen.items():
        assert statuses & {200, 202, 204, 409}, f"{label}: {statuses}"


def test_every_route_has_a_summary_its_errors_and_an_example_of_what_it_takes(document: dict[str, Any]) -> None:
    routes = [(method, path, route) for path, methods in document["paths"].items() for method, route in methods.items()]
    assert len(routes) >= 20
    for method, path, route in routes:
        where = f"{method} {path}"
        assert route["summary"], where
        assert {"400", "401", "403", "408", "413", "421", "500", "503"} <= set(route["responses"]), where
        for status, answer in route["responses"].items():
            if int(status) >= 400:
                problem = answer["content"]["application/problem+json"]
                assert problem["schema"]["examples"], f"{where} {status}"
        for media_type, body in route.get("requestBody", {}).get("content", {}).items():
            shown = body.get("examples") or body["schema"].get("examples")
            only_files = all(p.get("format") == "binary" for p in body["schema"]["properties"].values())
            assert shown or only_files, f"{where} {media_type}"


def test_every_code_of_an_error_is_in_the_documents(document: dict[str, Any]) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    table = page.partition("| status | codes |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", table)) == set(CODES)
    for methods in document["paths"].values():
        for route in methods.values():
            for status, answer in route["responses"].items():
                if int(status) >= 400:
                    schema = answer["content"]["application/problem+json"]["schema"]
                    (example,) = schema["examples"]
                    assert CODES[example["code"]] == int(status) == example["status"]
                    assert all(CODES[code] == int(status) for code in schema["properties"]["code"]["enum"])


def test_the_document_names_every_control(document: dict[str, Any]) -> None:
    form = document["paths"]["/v1/restore"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(Controls.__dataclass_fields__) <= set(form["properties"])
    assert len(Repairs.__dataclass_fields__) == len(
        {"mend_scratches", "mend_sensitivity", "balance", "defringe", "descreen"} & set(FIELDS)
    )
    assert form["required"] == ["file"]


@pytest.mark.parametrize("name", [name for name, schema in FIELDS.items() if "minimum" in schema])
def test_the_ranges_in_the_document_are_the_library_s(name: str) -> None:
    low, high = FIELDS[name]["minimum"], FIELDS[name]["maximum"]
    for value in (low, high):
        RestoreRequest.of({name: value})
    if name not in ("min_face", "max_face"):
        step = 1 if FIELDS[name]["type"] == "integer" else 0.001
        for value in (low - step, high + step):
            with pytest.raises(LikenessError):
                RestoreRequest.of({name: value})
