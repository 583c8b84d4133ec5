"""Routes for single pictures: restore, check, inspect."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from likeness.errors import LikenessError
from likeness.evidence.figures import Inspection
from likeness.faces.face import Face
from likeness.faces.findings import Finding, picture_status
from likeness.faces.preflight import preflight, unreadable
from likeness.imaging.image import Size
from likeness.server.api.forms import errors, form_schema, picture_answers
from likeness.server.api.requests import RestoreRequest, field_values
from likeness.server.api.restoring import MOST_REFERENCES, THE_PICTURE, Restored, make_references, restore_bytes
from likeness.server.http.problems import NoticeAnswer
from likeness.server.http.state import ServerState, State, client_of
from likeness.server.http.uploads import FormLimits, receive_form
from likeness.server.http.waiting import run_in_turn

__all__ = [
    "BoxAnswer",
    "CheckAnswer",
    "FaceAnswer",
    "FindingAnswer",
    "InspectAnswer",
    "RestoreAnswer",
    "check",
    "inspect",
    "pictures_router",
    "restore",
    "wants_json",
]

pictures_router = APIRouter(prefix="/v1", tags=["pictures"])


class RestoreAnswer(BaseModel):
    """A restored picture and what was done to it."""

    image: str = Field(description="The picture file, base64.", json_schema_extra={"contentEncoding": "base64"})
    media_type: str = Field(description="What kind of file it is.", examples=["image/jpeg"])
    report: dict[str, Any] = Field(
        description="As a picture of `likeness restore --report`: size, outcome of each face, controls, warnings, times."
    )


class BoxAnswer(BaseModel):
    """A rectangle in pixels; (0, 0) is the centre of the top left one."""

    left: float
    top: float
    right: float
    bottom: float


class FaceAnswer(BaseModel):
    """A face that was found, brow to chin, ear to ear; numbers in reading order, from 0."""

    index: int
    box: BoxAnswer


class FindingAnswer(BaseModel):
    """One thing that is the matter with the picture."""

    code: str = Field(examples=["eyes-closed"])
    level: Literal["refuse", "warn", "note"]
    face: int | None = Field(description="The face it concerns; null for the picture.")
    figure: float | None
    limit: float | None
    unit: str
    message: str
    notice: NoticeAnswer = Field(description="The message as code and values.")


class CheckAnswer(BaseModel):
    """What is the matter with a picture, before any work."""

    status: Literal["refuse", "warn", "fine"]
    width: int | None
    height: int | None
    faces: list[FaceAnswer]
    findings: list[FindingAnswer]


class InspectAnswer(BaseModel):
    """What a restoration, by any tool, did to each face."""

    schema_: int = Field(alias="schema")
    likeness: str
    scale: float = Field(description="How many times larger the picture after is.")
    verdict: Literal["good", "look", "bad", "none"]
    notes: list[str]
    notices: list[NoticeAnswer] = Field(description="The notes as codes and values.")
    faces: list[dict[str, Any]] = Field(description="For each face its box, verdict, notes and figures.")


_RESTORED_HEADERS = {
    "Likeness-Faces": {"description": "Faces found.", "schema": {"type": "integer"}},
    "Likeness-Restored": {"description": "Faces restored.", "schema": {"type": "integer"}},
    "Likeness-Verdict": {
        "description": "The worst verdict on its faces: good, look or bad; empty where none could be given.",
        "schema": {"type": "string", "enum": ["good", "look", "bad", ""]},
    },
}

_ACCEPT = Header(description="application/json for the picture as base64 with a report; anything else for the picture.")


@pictures_router.post(
    "/restore",
    summary="Restore a picture",
    response_model=RestoreAnswer,
    responses={
        200: {
            **picture_answers("The picture, or with `Accept: application/json` the picture and a report."),
            "headers": _RESTORED_HEADERS,
        },
        **errors(415, 422, 429),
    },
    openapi_extra=form_schema(
        {"file": "The picture: JPEG, PNG, TIFF, WebP, BMP, GIF, HEIC or AVIF."},
        optional_files={
            "damage_mask": "A picture as large, white where it holds nothing: filled, never restored.",
            "references": "Other photographs of the same persons: they lend their detail to the faces that they fit.",
        },
        many={"references": MOST_REFERENCES},
        example={"preset": "natural", "strength": 0.8, "face_mask_weights": {"eye": 1.2}, "faces": "largest"},
    ),
)
async def restore(request: Request, state: State, accept: Annotated[str, _ACCEPT] = "*/*") -> Response:
    """Restores the faces and leaves everything else as it is. Without a face: 422, code `no-face`."""
    with state.pool.admit(client_of(request)) as ticket, state.upload_memory.account() as account:
        files = {"file": 1, "damage_mask": 1, "references": MOST_REFERENCES}
        form = await receive_form(request, FormLimits.at_most(state.settings, files), account)
        asked = RestoreRequest.of(field_values(form.fields))
        picture = form.file("file").data
        damage = next((upload.data for upload in form.files if upload.part == "damage_mask"), None)
        # One photograph sent twice shows no more, and its faces would be looked for twice.
        others = list(dict.fromkeys(upload.data for upload in form.files if upload.part == "references"))
        restored = await run_in_turn(
            request,
            state,
            ticket,
            lambda: restore_bytes(
                state,
                picture,
                asked,
                damage=damage,
                references=make_references(state, others, trusted=asked.trust_references),
            ),
            kind="restore",
        )
    headers = {
        "Likeness-Faces": str(restored.faces),
        "Likeness-Restored": str(restored.faces_restored),
        "Likeness-Verdict": restored.verdict,
    }
    if wants_json(accept):
        return JSONResponse(_answer(restored), headers=headers)
    return Response(restored.data, media_type=restored.media_type, headers=headers)


@pictures_router.post(
    "/check",
    summary="Say what is the matter with a picture",
    responses=errors(415, 422, 429),
    openapi_extra=form_schema({"file": "The picture."}, fields={}),
)
async def check(request: Request, state: State) -> CheckAnswer:
    """Size, pose, eyes, light, glare, drawings: findings with codes, which docs/check.md explains. Nothing is changed.

    A file that cannot be read is a finding as well, as with `likeness check`.
    """
    with state.pool.admit(client_of(request)) as ticket, state.upload_memory.account() as account:
        form = await receive_form(request, FormLimits.one_each(state.settings, "file"), account)
        form.no_fields()
        picture = form.file("file").data
        return await run_in_turn(request, state, ticket, lambda: _check(state, picture), kind="check")


@pictures_router.post(
    "/inspect",
    summary="Measure what a restoration did",
    responses=errors(415, 422, 429),
    openapi_extra=form_schema(
        {"before": "The picture as it was.", "after": "The restored one, by any tool: as large, or scaled as a whole."},
        fields={},
    ),
)
async def inspect(request: Request, state: State) -> InspectAnswer:
    """Hair edge, highlights, irises, skin, identity, proportions, colour, each with a verdict in words."""
    with state.pool.admit(client_of(request)) as ticket, state.upload_memory.account() as account:
        form = await receive_form(request, FormLimits.one_each(state.settings, "before", "after"), account)
        form.no_fields()
        before, after = form.file("before").data, form.file("after").data
        found = await run_in_turn(request, state, ticket, lambda: _inspect(state, before, after), kind="inspect")
        return InspectAnswer.model_validate(found.to_dict())


def wants_json(accept: str) -> bool:
    """Whether JSON is asked for by name, and no kind of picture is liked better (RFC 9110, section 12.5.1)."""
    liked = {"application/json": 0.0, "image": 0.0}
    for part in accept.lower().split(",")[:32]:
        kind, *options = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for option in options:
            name, _, value = option.partition("=")
            if name.strip() == "q":
                try:
                    weight = float(value)
                except ValueError:
                    weight = 0.0
        if kind == "application/json":
            liked[kind] = max(liked[kind], weight)
        elif kind.startswith("image/"):
            liked["image"] = max(liked["image"], weight)
    return liked["application/json"] > 0 and liked["application/json"] >= liked["image"]


def _answer(restored: Restored) -> dict[str, Any]:
    return {
        "image": base64.b64encode(restored.data).decode("ascii"),
        "media_type": restored.media_type,
        "report": restored.record,
    }


def _check(state: ServerState, data: bytes) -> CheckAnswer:
    try:
        image = state.decoder.read(data, max_pixels=state.settings.max_pixels, name=THE_PICTURE)
    except LikenessError as error:
        return _checked((unreadable(error),))
    faces = state.restorer.find_faces(image)
    return _checked(preflight(image, faces), faces, image.size)


def _checked(findings: tuple[Finding, ...], faces: Sequence[Face] = (), size: Size | None = None) -> CheckAnswer:
    return CheckAnswer(
        status=picture_status(findings),
        width=size.width if size else None,
        height=size.height if size else None,
        faces=[
            FaceAnswer(index=index, box=BoxAnswer(**asdict(face.box.rounded()))) for index, face in enumerate(faces)
        ],
        findings=[FindingAnswer.model_validate(finding.to_dict()) for finding in findings],
    )


def _inspect(state: ServerState, before: bytes, after: bytes) -> Inspection:
    limit = state.settings.max_pixels
    return state.inspector.inspect(
        state.decoder.read(before, max_pixels=limit, name="the picture before"),
        state.decoder.read(after, max_pixels=limit, name="the picture after"),
    )
