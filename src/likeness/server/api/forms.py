"""How forms and errors are described in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from likeness.server.api.requests import FIELDS
from likeness.server.http.problems import CODES, PROBLEM_TYPE, Problem

__all__ = ["errors", "form_schema", "picture_answers"]

_WHY = {
    400: "The body cannot be read.",
    401: "The API key is missing or wrong.",
    403: "Pages of this origin may not call the server.",
    404: "There is no such thing, or no longer.",
    408: "The body came too slowly.",
    409: "Not in this state.",
    413: "More bytes, pixels, files or fields than allowed.",
    415: "The body is of another kind.",
    421: "The server does not answer to this host name.",
    422: "What was sent cannot be used; `detail` says why.",
    429: "Too much to do at the moment; ask again after `Retry-After` seconds.",
    500: "A fault of the server.",
    501: "An optional part of the server is not installed.",
    503: "It took too long, or there are too many connections, or too little memory.",
    507: "The server keeps as many pictures as it may.",
}

_ALWAYS = (400, 401, 403, 408, 413, 421, 500, 503)
"""What every request may be answered with, whatever its route: its head is looked at first."""


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer besides what was asked for; what every route may answer is among it."""
    return {
        status: {"description": _WHY[status], "content": {PROBLEM_TYPE: {"schema": _problem_schema(status)}}}
        for status in sorted({*statuses, *_ALWAYS})
    }


def _problem_schema(status: int) -> dict[str, Any]:
    """The one shape of errors, with the codes of a status."""
    schema = Problem.model_json_schema()
    codes = [code for code, of in CODES.items() if of == status]
    schema["properties"]["code"]["enum"] = codes
    example = Problem(title=HTTPStatus(status).phrase, status=status, code=codes[0], detail=_WHY[status])
    return {**schema, "examples": [example.model_dump()]}


def form_schema(
    files: Mapping[str, str],
    *,
    optional_files: Mapping[str, str] | None = None,
    fields: Mapping[str, Mapping[str, Any]] = FIELDS,
    many: Mapping[str, int | None] | None = None,
    example: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A route's ``openapi_extra``: a form with files, by field with what each holds, and text fields.

    Args:
        files: fields that must hold a file.
        optional_files: fields that may.
        fields: JSON schemas of the text fields.
        many: fields of files that may come several times, and how often at most; None where the server's settings say it.
        example: text fields as an example.
    """
    many = many or {}
    everything = {**files, **(optional_files or {})}
    properties: dict[str, Any] = {
        name: (
            {
                "type": "array",
                "minItems": 1,
                **({} if many[name] is None else {"maxItems": many[name]}),
                "items": {"type": "string", "format": "binary"},
                "description": description,
            }
            if name in many
            else {"type": "string", "format": "binary", "description": description}
        )
        for name, description in everything.items()
    }
    schema = {
        "type": "object",
        "required": list(files),
        "properties": {**properties, **fields},
        "additionalProperties": False,
    }
    content: dict[str, Any] = {"schema": schema}
    if example:
        content["examples"] = {"controls": {"summary": "Besides the files", "value": dict(example)}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": content}}}


def picture_answers(description: str) -> dict[str, Any]:
    """The entry of an answer that is a picture of any kind."""
    return {"description": description, "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
