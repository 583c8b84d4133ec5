"""Routes under the names that AUTOMATIC1111's web UI gave them, for tools that speak its API already.

Upscalers are the ways to enlarge that are always there (`BACKGROUNDS`); visibility is opacity, and CodeFormer's weight, 0
(as sharp as can be) to 1 (as faithful as can be), is the step toward the sharp face. docs/api.md has the table.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from typing import Any, TypeVar

from anyio import to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from likeness.compute.cancellation import checkpoint
from likeness.errors import ConfigError, ImageReadError, NoFaceError
from likeness.imaging.encode import encode_image
from likeness.messages.notice import Notice
from likeness.restore.controls import PRESETS
from likeness.restore.enlargement import BACKGROUNDS
from likeness.restore.options import row_of
from likeness.server.api.forms import errors
from likeness.server.api.requests import RestoreRequest
from likeness.server.api.restoring import THE_PICTURE, restore_bytes
from likeness.server.http.guard import file_too_large
from likeness.server.http.problems import ProblemError, sentences
from likeness.server.http.state import Account, ServerState, State, client_of
from likeness.server.http.uploads import receive_body
from likeness.server.http.waiting import run_in_turn

__all__ = [
    "UPSCALERS",
    "BatchExtras",
    "BatchExtrasAnswer",
    "Extras",
    "ExtrasAnswer",
    "FaceRestorer",
    "NamedPicture",
    "SingleExtras",
    "Upscaler",
    "batch",
    "face_restorers",
    "single",
    "upscalers",
    "webui_router",
]

webui_router = APIRouter(prefix="/sdapi/v1", tags=["AUTOMATIC1111"])

_Body = TypeVar("_Body", bound=BaseModel)

_DATA_URL = re.compile(r"data:[\w.+-]*/?[\w.+-]*(;[\w=.+-]+)*;base64,", re.ASCII)
_DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg=="
"""One pixel, as an example."""

_MOST_PICTURES = 64
_MOST_VALUES = 100_000
"""Values in a body; those of 64 pictures with all fields are some hundreds. Each takes many times its text in memory."""

_SPACE = b" \t\n\r\v\f"


UPSCALERS = {"None": None, **{f"Likeness {background}": background for background in BACKGROUNDS}}
"""Upscalers by name: the background (`Enlargement.background`) that each stands for."""


class Extras(BaseModel):
    """What these routes take; fields that the web UI knows and that mean nothing here are passed over."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, strict=True)

    gfpgan_visibility: float = Field(default=0, ge=0, le=1, description="Opacity of the restored face.")
    codeformer_visibility: float = Field(
        default=0, ge=0, le=1, description="The same; with both, one lies over the other."
    )
    codeformer_weight: float = Field(
        default=0, ge=0, le=1, description="0 is as sharp, 1 as faithful as can be; with codeformer_visibility only."
    )
    upscaler_1: str = Field(
        default="None",
        description='What enlarges; "None": the picture keeps its size.',
        json_schema_extra={"enum": [*UPSCALERS, ""]},
    )
    upscaler_2: str = Field(default="None", description='"None".', json_schema_extra={"enum": ["None", ""]})
    upscaling_resize: float = Field(
        default=2,
        gt=0,
        description="How many times as wide and high the result is, 1 to 8; without an upscaler it means nothing.",
    )
    upscale_first: bool = Field(
        default=False,
        description="Means nothing: faces are restored as the picture has them, and laid on the enlarged one.",
    )
    resize_mode: int = Field(
        default=0, ge=0, le=1, description="0: by upscaling_resize. 1, by a size, goes without an upscaler only."
    )
    preset: str | None = Field(
        default=None,
        description="One of Likeness's presets; the web UI has no such field.",
        json_schema_extra={"enum": [*PRESETS, None]},
    )

    @field_validator("resize_mode", mode="before")
    @classmethod
    def _whole(cls, value: Any) -> Any:
        """1.0 is a whole number in JSON."""
        return int(value) if isinstance(value, float) and value.is_integer() else value

    @property
    def strength(self) -> float:
        """Opacity of two restored faces, one laid over the other."""
        return 1 - (1 - self.gfpgan_visibility) * (1 - self.codeformer_visibility)


class SingleExtras(Extras):
    """One picture."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"image": f"data:image/png;base64,{_DOT}", "codeformer_visibility": 1, "codeformer_weight": 0.5}
            ]
        }
    )

    image: str = Field(
        min_length=1,
        description="The picture file, base64, with or without data: before it.",
        json_schema_extra={"format": "byte"},
    )


class NamedPicture(BaseModel):
    """A picture of a list."""

    model_config = ConfigDict(strict=True)

    data: str = Field(min_length=1, description="As `image` of a single picture.", json_schema_extra={"format": "byte"})
    name: str = Field(default="", max_length=1000, description="Not used.")


class BatchExtras(Extras):
    """Several pictures."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"imageList": [{"data": _DOT, "name": "dot.png"}], "gfpgan_visibility": 1}]}
    )

    imageList: list[NamedPicture] = Field(min_length=1, max_length=_MOST_PICTURES)  # noqa: N815 - the web UI's name


class ExtrasAnswer(BaseModel):
    """A restored picture."""

    html_info: str = Field(description="What was done, and what could not be.")
    image: str = Field(description="PNG, base64.")


class BatchExtrasAnswer(BaseModel):
    """Restored pictures, as many and in the same order as were sent."""

    html_info: str = Field(description="A paragraph for each picture.")
    images: list[str] = Field(description="PNG, base64.")


class FaceRestorer(BaseModel):
    """A face restorer that tools may choose."""

    name: str
    cmd_dir: str | None


class Upscaler(BaseModel):
    """An upscaler that tools may choose."""

    name: str
    model_name: str | None
    model_path: str | None
    model_url: str | None
    scale: float


_ERRORS = errors(415, 422, 429)


def _body(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    if schema.pop("$defs", None):
        # The one nested model; a reference would lead out of the request's own schema.
        schema["properties"]["imageList"]["items"] = NamedPicture.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@webui_router.post(
    "/extra-single-image", summary="Restore one picture", responses=_ERRORS, openapi_extra=_body(SingleExtras)
)
async def single(request: Request, state: State) -> ExtrasAnswer:
    """A picture without a face comes back as it is, and `html_info` says so, as there."""
    with state.pool.admit(client_of(request)) as ticket, state.upload_memory.account() as account:
        wanted, (picture,) = await _receive(SingleExtras, 1, request, state, account)
        image, info = await run_in_turn(
            request, state, ticket, lambda: _restore(state, picture, wanted, account), kind="webui"
        )
        return ExtrasAnswer(html_info=_paragraph(info), image=image)


@webui_router.post(
    "/extra-batch-images", summary="Restore several pictures", responses=_ERRORS, openapi_extra=_body(BatchExtras)
)
async def batch(request: Request, state: State) -> BatchExtrasAnswer:
    """One after the other, in one request; for many pictures there is POST /v1/jobs."""
    with state.pool.admit(client_of(request)) as ticket, state.upload_memory.account() as account:
        wanted, pictures = await _receive(BatchExtras, _MOST_PICTURES, request, state, account)
        done = await run_in_turn(
            request,
            state,
            ticket,
            lambda: [_restore(state, picture, wanted, account) for picture in pictures],
            kind="webui",
        )
        return BatchExtrasAnswer(
            html_info="".join(_paragraph(f"{number}: {info}") for number, (_, info) in enumerate(done)),
            images=[image for image, _ in done],
        )


@webui_router.get("/face-restorers", summary="What restores faces", responses=errors())
async def face_restorers() -> list[FaceRestorer]:
    """One, whatever a tool calls it."""
    return [FaceRestorer(name="Likeness", cmd_dir=None)]


@webui_router.get("/upscalers", summary="What enlarges", responses=errors())
async def upscalers() -> list[Upscaler]:
    """The ways to enlarge; the scale is what a tool may offer first."""
    return [
        Upscaler(name=name, model_name=None, model_path=None, model_url=None, scale=4 if background else 1)
        for name, background in UPSCALERS.items()
    ]


def _longest(state: ServerState, count: int) -> int:
    """Bytes of a body with so many of the largest pictures in base64, under the limit of all requests."""
    return min(state.settings.max_upload * 4 // 3 * count + (1 << 20), state.settings.max_request)


async def _receive(
    model: type[SingleExtras | BatchExtras], count: int, request: Request, state: ServerState, account: Account
) -> tuple[RestoreRequest | None, list[bytes]]:
    """What is to be done, and the picture files to do it to.

    Raises:
        ProblemError, ConfigError, ControlError, ImageReadError: for a body that cannot be used.
        ServerBusyError: if the server has no memory for it at the moment.
    """
    body = await receive_body(request, _longest(state, count), account)

    def read() -> tuple[RestoreRequest | None, list[bytes]]:
        asked = _read(model, body)
        texts = [asked.image] if isinstance(asked, SingleExtras) else [item.data for item in asked.imageList]
        return _request(asked), [_decode(text, state, account) for text in texts]

    # The body, and its texts, are there until the pictures are. A long one takes a second: not in the event loop.
    account.take(len(body))
    found = await to_thread.run_sync(read)
    account.free(2 * len(body))
    return found


def _read(model: type[_Body], body: bytes) -> _Body:
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > _MOST_VALUES:
        raise ProblemError("request-invalid", f"the request has more than {_MOST_VALUES} values; send fewer")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise ProblemError("request-invalid", sentences(error.errors(include_input=False))) from None


def _request(asked: Extras) -> RestoreRequest | None:
    """What is to be done; None if nothing is."""
    if asked.upscaler_1 not in ("", *UPSCALERS):
        raise ConfigError(Notice("webui.upscaler", {"known": ", ".join(UPSCALERS)}))
    if asked.upscaler_2 not in ("", "None"):
        raise ConfigError(Notice("webui.second-upscaler"))
    background = UPSCALERS.get(asked.upscaler_1)
    if asked.strength == 0 and background is None:
        return None
    values: dict[str, Any] = {"strength": asked.strength, "format": "png"}
    if background is not None:
        if asked.resize_mode:
            raise ConfigError(Notice("webui.resize-mode"))
        values |= {"upscale": asked.upscaling_resize, "background": background}
    if asked.preset is not None:
        values["preset"] = asked.preset
    if asked.codeformer_visibility > 0 and (asked.preset is None or asked.codeformer_weight > 0):
        # CodeFormer's weights 0 and 1 are the ends of the step's useful range.
        steps = row_of("latent_step_decay").kind.shown()
        sharp, faithful = steps["high"], steps["low"]
        values["latent_step_decay"] = sharp + (faithful - sharp) * asked.codeformer_weight
    return RestoreRequest.of(values)


def _decode(text: str, state: ServerState, account: Account) -> bytes:
    if text[:8].lower().startswith(("http:", "https:", "file:", "ftp:")):
        raise ConfigError(Notice("webui.address"))
    prefix = _DATA_URL.match(text[:200])
    try:
        data = base64.b64decode(text[prefix.end() if prefix else 0 :].encode().translate(None, _SPACE), validate=True)
    except (binascii.Error, ValueError):
        raise ImageReadError(Notice("webui.base64")) from None
    if len(data) > state.settings.max_upload:
        raise file_too_large(state.settings.max_upload)
    account.take(len(data))
    return data


def _restore(state: ServerState, data: bytes, wanted: RestoreRequest | None, account: Account) -> tuple[str, str]:
    """A picture as PNG in base64, and what to tell of it."""
    checkpoint()
    if wanted is None:
        why = "nothing was asked for: gfpgan_visibility and codeformer_visibility are 0"
        result, info = _unchanged(state, data), f"{why}; the picture is as it came"
    else:
        try:
            restored = restore_bytes(state, data, wanted)
        except NoFaceError as error:
            result, info = _without_a_face(state, data, wanted, str(error))
        else:
            record = restored.record
            warnings = [*record["warnings"], *(warning for face in record["faces"] for warning in face["warnings"])]
            result = restored.data
            info = "; ".join([f"{restored.faces_restored} of {restored.faces} faces restored", *warnings])
    account.take(len(result) * 4 // 3)
    return base64.b64encode(result).decode("ascii"), info


def _without_a_face(state: ServerState, data: bytes, wanted: RestoreRequest, why: str) -> tuple[bytes, str]:
    if not wanted.enlargement.any:
        return _unchanged(state, data), f"{why}; the picture is as it came"
    image = state.decoder.read(data, max_pixels=state.settings.max_pixels, name=THE_PICTURE)
    enlarged = state.restorer.enlarge(image, wanted.within(state.settings.max_pixels).enlargement)
    return encode_image(enlarged, "PNG"), f"{why}; the picture was only enlarged"


def _unchanged(state: ServerState, data: bytes) -> bytes:
    return encode_image(state.decoder.read(data, max_pixels=state.settings.max_pixels, name=THE_PICTURE), "PNG")


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"
