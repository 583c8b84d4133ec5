"""What the page talks to: a picture is opened once, and every move of a slider asks for its look.

Sessions are kept in memory (`likeness.server.live_sessions`). A view is drawn from what the network returned before, so
that it costs arithmetic; only another ``degradation_scale`` or ``refine`` runs the network again. These routes are the
page's own and may change with it; what programs use is under ``/v1``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar, cast
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from likeness.errors import ControlError
from likeness.imaging.files import read_image
from likeness.imaging.image import Box, Image, Pixels
from likeness.restore.controls import PRESETS, Controls, RegionWeights
from likeness.server.live_files import FileKind, make_file
from likeness.server.live_sessions import LiveLimits, Session, Sessions
from likeness.server.live_views import Area, field_of, finished_view, jpeg, pack, view, whole_pixels
from likeness.server.restoring import THE_PICTURE
from likeness.server.state import ServerState, State, client_of
from likeness.server.turns import run_in_turn
from likeness.server.uploads import FormLimits, receive_form
from likeness.studio.captions import Language
from likeness.studio.deliver import PrintOptions, WebOptions
from likeness.studio.finishing import Finishing

__all__ = [
    "LiveArea",
    "LiveFace",
    "LiveFileLook",
    "LiveLook",
    "LiveViews",
    "about",
    "close_picture",
    "download",
    "evidence",
    "fields",
    "leave",
    "live_router",
    "live_sessions",
    "open_picture",
    "picture",
    "views",
]

live_router = APIRouter(prefix="/live", include_in_schema=False)

_Result = TypeVar("_Result")

_MOST_AREAS = 8
_NOTHING = 128 / 255
"""Where a layer that is added has nothing."""

_Touch = Literal["warmth", "exposure", "clarity"]

_FAR: dict[_Touch, tuple[float, float]] = {"warmth": (-0.5, 0.5), "exposure": (-1.0, 1.0), "clarity": (0.0, 1.0)}
"""Ends of the finishing sliders: a layer holds what the picture becomes at the further one, less what it is."""


def live_sessions(state: ServerState, limits: LiveLimits | None = None) -> Sessions:
    """The open pictures of an application; it closes them when it ends."""
    return Sessions(state.restorer, limits or LiveLimits(pixels=state.settings.max_pixels))


def _sessions(request: Request) -> Sessions:
    return cast(Sessions, request.app.state.live)


_SessionsOf = Annotated[Sessions, Depends(_sessions)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class LiveArea(_Body):
    """A part of the picture, in its pixels, how wide it is to be shown, and whether it is wanted as it was as well."""

    left: float
    top: float
    right: float
    bottom: float
    width: int = Field(ge=1, le=8192)
    before: bool = False


class LiveLook(_Body):
    """Which faces, and how."""

    faces: list[int] = Field(default_factory=list, max_length=256)
    degradation_scale: float = 1.0
    latent_step_decay: float = 0.1
    face_mask_weights: dict[str, float] = Field(default_factory=dict)
    keep_grain: bool = False
    grain_amount: float = 1.0
    strength: float = 1.0
    refine: int = 1
    warmth: float = 0.0
    exposure: float = 0.0
    clarity: float = 0.0

    def controls(self) -> Controls:
        """The controls; raises ControlError for what is out of range."""
        return Controls(
            degradation_scale=self.degradation_scale,
            latent_step_decay=self.latent_step_decay,
            face_mask_weights=RegionWeights.of(self.face_mask_weights),
            keep_grain=self.keep_grain,
            grain_amount=self.grain_amount,
            strength=self.strength,
            refine=self.refine,
        )

    def finishing(self) -> Finishing:
        """The finishing touches; raises ControlError for what is out of range."""
        return Finishing(warmth=self.warmth, exposure=self.exposure, clarity=self.clarity)


class LiveViews(LiveLook):
    """A look, the parts of the picture to show of it, and the finishing touches that are to be previewed."""

    areas: list[LiveArea] = Field(min_length=1, max_length=_MOST_AREAS)
    layers: list[_Touch] = Field(default_factory=list["_Touch"], max_length=len(_FAR))


class LiveFace(LiveLook):
    """A look, and the face to measure."""

    face: int = 0


class LiveFileLook(LiveLook):
    """A look, and how its file is made; sizes as in `likeness.studio.deliver`."""

    preset: str = "standard"
    language: Language = "en"
    side: int = 2048
    scale: float = 1.5
    millimetres: tuple[float, float] | None = None


@live_router.get("/about")
def about(state: State, sessions: _SessionsOf) -> dict[str, Any]:
    """What the page needs before any picture: presets, model, limits."""
    runtime = sessions.restorer.runtime
    return {
        "model": state.model,
        "size": runtime.config.size,
        "runtime": runtime.description,
        "presets": {name: _controls_record(controls) for name, controls in PRESETS.items()},
        "idle_seconds": sessions.limits.idle_seconds,
        "max_pixels": sessions.limits.pixels,
        "max_upload": state.settings.max_upload,
        "max_files": state.settings.max_files,
        "keep_hours": state.settings.keep_hours,
    }


@live_router.post("/pictures", status_code=201)
async def open_picture(request: Request, state: State, sessions: _SessionsOf) -> JSONResponse:
    """Open a picture: find its faces and say what is the matter with it."""
    client = client_of(request)
    with state.pool.admit(client) as ticket, state.held.account() as account:
        form = await receive_form(request, FormLimits.one_each(state.settings, "file"), account)
        form.no_fields()
        upload = form.file("file")

        def work() -> dict[str, Any]:
            image = read_image(upload.data, max_pixels=sessions.limits.pixels, name=THE_PICTURE)
            return _record(*sessions.open(image, upload.name or "picture", client=client))

        return JSONResponse(await run_in_turn(request, state, ticket, work, kind="live"), status_code=201)


@live_router.get("/pictures/{key}")
def picture(key: str, sessions: _SessionsOf) -> dict[str, Any]:
    """An open picture's faces and findings, as when it was opened."""
    return _record(key, sessions.get(key))


@live_router.delete("/pictures/{key}", status_code=204)
def close_picture(key: str, sessions: _SessionsOf) -> None:
    """Forget a picture now."""
    sessions.close(key)


@live_router.post("/pictures/{key}/leave", status_code=204)
def leave(key: str, sessions: _SessionsOf) -> None:
    """The page is left; the picture goes in half a minute unless it is asked for again."""
    sessions.leave(key)


@live_router.post("/pictures/{key}/views")
async def views(key: str, look: LiveViews, request: Request, state: State, sessions: _SessionsOf) -> Response:
    """Parts of the picture before and after, and the layer of grain that is in them."""
    session = sessions.get(key)

    def work() -> bytes:
        areas = [
            Area.fit(Box(area.left, area.top, area.right, area.bottom), area.width, session.image.size)
            for area in look.areas
        ]
        if sum(area.size.pixels for area in areas) > sessions.limits.view_pixels:
            raise ControlError(f"the views have more than {sessions.limits.view_pixels} pixels together; ask for fewer")
        return pack(*_views(session, look, areas))

    return _private(await _in_turn(request, state, work))


@live_router.post("/pictures/{key}/fields")
async def fields(key: str, look: LiveLook, request: Request, state: State, sessions: _SessionsOf) -> Response:
    """What previews of the faces are computed from in the browser."""
    session = sessions.get(key)

    def work() -> bytes:
        found = [field_of(item) for item in session.projections(look.faces, look.controls())]
        return pack({"fields": [head for head, _ in found]}, [data for _, data in found])

    return _private(await _in_turn(request, state, work))


@live_router.post("/pictures/{key}/evidence")
async def evidence(key: str, look: LiveFace, request: Request, state: State, sessions: _SessionsOf) -> dict[str, Any]:
    """What the restoration did to one face, in figures."""
    session = sessions.get(key)
    if look.face not in look.faces:
        raise ControlError(f"face {look.face} is not among those that are restored")

    def work() -> dict[str, Any]:
        after = session.finished(look.faces, look.controls(), look.finishing())
        seen = session.faces[look.face]
        return state.inspector.inspect_face(session.image, after, seen.face, index=seen.index).to_dict()

    return await _in_turn(request, state, work)


@live_router.post("/pictures/{key}/files/{kind}")
async def download(
    key: str, kind: FileKind, look: LiveFileLook, request: Request, state: State, sessions: _SessionsOf
) -> Response:
    """A file of the picture: what is seen, computed in full."""
    session = sessions.get(key)
    if look.preset not in PRESETS:
        raise ControlError(f"unknown preset; the presets are {', '.join(PRESETS)}")
    web = WebOptions(side=look.side, quality=92)
    paper = PrintOptions(scale=look.scale, millimetres=look.millimetres)
    record: dict[str, Any] = {
        "preset": look.preset,
        "controls": _controls_record(look.controls()),
        "faces": [{"index": index, "status": "restored"} for index in look.faces],
        "repairs": None,
    }

    def work() -> Response:
        after = session.finished(look.faces, look.controls(), look.finishing()) if look.faces else session.image
        file = make_file(kind, session, after, record, state.inspector, web=web, paper=paper, language=look.language)
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}",
            "Cache-Control": "no-store",
        }
        if file.warnings:
            headers["Likeness-Warning"] = quote("; ".join(file.warnings))
        return Response(file.data, media_type=file.media_type, headers=headers)

    return await _in_turn(request, state, work)


async def _in_turn(request: Request, state: ServerState, work: Callable[[], _Result]) -> _Result:
    with state.pool.admit(client_of(request)) as ticket:
        return await run_in_turn(request, state, ticket, work, kind="live")


def _private(data: bytes) -> Response:
    return Response(data, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})


def _views(session: Session, look: LiveViews, areas: Sequence[Area]) -> tuple[dict[str, Any], list[bytes]]:
    controls, finishing = look.controls(), look.finishing()
    restoration = session.restore(look.faces, controls) if look.faces else None
    after = restoration.image if restoration else session.image
    boxes = [box for index in look.faces if (box := session.faces[index].area) is not None]
    finished = session.finishing_areas(look.faces, controls) if look.faces and (finishing.any or look.layers) else ()
    # A finishing slider previews itself along the secant from where it is to its further end.
    far = {touch: max(_FAR[touch], key=lambda end: abs(end - getattr(finishing, touch))) for touch in look.layers}
    grainless: Image | None = None
    if restoration and controls.keep_grain and controls.grain_amount > 0:
        grainless = session.without_grain(look.faces, controls)
    heads: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for asked, area in zip(look.areas, areas, strict=True):
        block = whole_pixels(boxes, area) if restoration else None
        names: list[str] = []
        if asked.before:
            names.append("before")
            parts.append(jpeg(view(session.image.pixels, area)))
        if block is not None:
            shown = view(after.pixels, area)
            if grainless is not None:
                names.append("grain")
                parts.append(jpeg(_block(shown - view(grainless.pixels, area) + _NOTHING, block)))
            now = finished_view(shown, area, finished, finishing)
            for touch, end in far.items():
                names.append(touch)
                then = finished_view(shown, area, finished, replace(finishing, **{touch: end}))
                parts.append(jpeg(_block(then - now + _NOTHING, block)))
            names.append("after")
            parts.append(jpeg(_block(now, block)))
        box = area.box
        heads.append(
            {
                "box": [box.left, box.top, box.right, box.bottom],
                "size": [area.size.width, area.size.height],
                "block": block,
                "parts": names,
            }
        )
    warnings = [list(outcome.warnings) for outcome in restoration.faces] if restoration else []
    return {"areas": heads, "far": far, "warnings": list(controls.warnings), "face_warnings": warnings}, parts


def _block(pixels: Pixels, block: tuple[int, int, int, int]) -> Pixels:
    left, top, width, height = block
    return pixels[top : top + height, left : left + width]


def _record(key: str, session: Session) -> dict[str, Any]:
    """An open picture, ready for JSON."""
    image = session.image
    return {
        "id": key,
        "name": session.name,
        "width": image.size.width,
        "height": image.size.height,
        "bit_depth": image.bit_depth,
        "grey": image.grey,
        "faces": [
            {
                "index": seen.index,
                "box": _box(seen.face.box),
                "area": _box(seen.area) if seen.area else None,
                "native_side": round(seen.native_side, 1),
                "spots": {name: [round(spot.x, 1), round(spot.y, 1)] for name, spot in seen.spots.items()},
            }
            for seen in session.faces
        ],
        "findings": [finding.to_dict() for finding in session.findings],
    }


def _box(box: Box) -> list[float]:
    return [round(v, 1) for v in (box.left, box.top, box.right, box.bottom)]


def _controls_record(controls: Controls) -> dict[str, Any]:
    return {
        "degradation_scale": controls.degradation_scale,
        "latent_step_decay": controls.latent_step_decay,
        "face_mask_weights": controls.face_mask_weights.to_dict(),
        "keep_grain": controls.keep_grain,
        "grain_amount": controls.grain_amount,
        "strength": controls.strength,
        "refine": controls.refine,
    }
