"""What the page talks to: a picture is opened once, and every move of a slider asks for its look.

Sessions are kept in memory (`likeness.server.live_sessions`). A view is drawn from what the network returned before, so
that it costs arithmetic; only another ``degradation_scale`` or ``refine`` runs the network again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from likeness.errors import ControlError
from likeness.evidence.inspection import Inspector
from likeness.imaging.files import read_image
from likeness.imaging.image import Box, Image, Pixels
from likeness.restore.controls import PRESETS, Controls, RegionWeights
from likeness.server.live_sessions import Session, Sessions
from likeness.server.live_views import Area, field_of, finished_view, jpeg, pack, proxy, view, whole_pixels
from likeness.server.problems import ProblemError
from likeness.studio.finishing import Finishing

__all__ = ["live_router"]

_MOST_AREAS = 8
_GREY = 128 / 255
"""Where a layer that is added has nothing."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class LiveArea(_Body):
    """A part of the picture, in its pixels, and how wide it is to be shown."""

    left: float
    top: float
    right: float
    bottom: float
    width: int = Field(ge=1, le=8192)
    before: bool = Field(default=False, description="Whether the picture as it was is wanted as well.")


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
    """A look, and the parts of the picture to show of it."""

    areas: list[LiveArea] = Field(min_length=1, max_length=_MOST_AREAS)


class LiveFace(LiveLook):
    """A look, and the face to measure."""

    face: int = 0


class LiveDownload(LiveLook):
    """A look, and the file to make of it."""

    format: Literal["PNG", "JPEG", "TIFF", "WEBP"] = "PNG"


def live_router(sessions: Sessions, inspector: Inspector, *, model: str, max_upload: int = 64 << 20) -> APIRouter:
    """The routes under ``/live``.

    Args:
        sessions: open pictures; whoever made it closes it.
        inspector: measures what a restoration did.
        model: the network's name, for people.
        max_upload: bytes of one picture file.
    """
    router = APIRouter(prefix="/live", tags=["page"], include_in_schema=False)

    @router.get("/about")
    def about() -> dict[str, Any]:
        """What the page needs before any picture: presets, model, limits."""
        runtime = sessions.restorer.runtime
        return {
            "model": model,
            "size": runtime.config.size,
            "runtime": runtime.description,
            "presets": {name: _controls_record(controls) for name, controls in PRESETS.items()},
            "idle_seconds": sessions.limits.idle_seconds,
            "max_pixels": sessions.limits.pixels,
            "max_upload": max_upload,
        }

    @router.post("/pictures", status_code=201)
    def open_picture(file: Annotated[UploadFile, File()]) -> dict[str, Any]:
        """Open a picture: find its faces and say what is the matter with it."""
        name = file.filename or "picture"
        data = file.file.read(max_upload + 1)
        if len(data) > max_upload:
            raise ProblemError(
                413,
                "upload-too-large",
                f"{name} has more than the {max_upload >> 20} MB that are taken; make it smaller",
            )
        image = read_image(data, max_pixels=sessions.limits.pixels, name=name)
        key, session = sessions.open(image, name)
        return _record(key, session)

    @router.get("/pictures/{key}")
    def picture(key: str) -> dict[str, Any]:
        """An open picture's faces and findings, as when it was opened."""
        return _record(key, sessions.get(key))

    @router.delete("/pictures/{key}", status_code=204)
    def close_picture(key: str) -> None:
        """Forget a picture now."""
        sessions.close(key)

    @router.post("/pictures/{key}/leave", status_code=204)
    def leave(key: str) -> None:
        """The page is left; the picture goes in half a minute unless it is asked for again."""
        sessions.leave(key)

    @router.get("/pictures/{key}/proxy")
    def stand_in(key: str) -> Response:
        """The whole picture before, small."""
        return Response(proxy(sessions.get(key).image), media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    @router.post("/pictures/{key}/views")
    def views(key: str, look: LiveViews) -> Response:
        """Parts of the picture before and after, and the layer of grain that is in them."""
        session = sessions.get(key)
        areas = [
            Area.fit(Box(area.left, area.top, area.right, area.bottom), area.width, session.image.size)
            for area in look.areas
        ]
        if sum(area.size.pixels for area in areas) > sessions.limits.view_pixels:
            raise ControlError(f"the views have more than {sessions.limits.view_pixels} pixels together; ask for fewer")
        head, parts = _views(session, look, areas)
        return Response(pack(head, parts), media_type="application/octet-stream", headers={"Cache-Control": "no-store"})

    @router.post("/pictures/{key}/fields")
    def fields(key: str, look: LiveLook) -> Response:
        """What previews of the faces are computed from in the browser."""
        kept = sessions.get(key).projections(look.faces, look.controls())
        found = [field_of(item) for item in kept]
        answer = pack({"fields": [head for head, _ in found]}, [data for _, data in found])
        return Response(answer, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})

    @router.post("/pictures/{key}/evidence")
    def evidence(key: str, look: LiveFace) -> dict[str, Any]:
        """What the restoration did to one face, in figures."""
        session = sessions.get(key)
        if look.face not in look.faces:
            raise ControlError(f"face {look.face} is not among those that are restored")
        after = session.finished(look.faces, look.controls(), look.finishing())
        return inspector.inspect_face(session.image, after, session.faces[look.face].face, index=look.face).to_dict()

    return router


def _views(session: Session, look: LiveViews, areas: Sequence[Area]) -> tuple[dict[str, Any], list[bytes]]:
    controls, finishing = look.controls(), look.finishing()
    restoration = session.restore(look.faces, controls) if look.faces else None
    after = restoration.image if restoration else session.image
    boxes = [box for index in look.faces if (box := session.faces[index].area) is not None]
    finished = session.finishing_areas(look.faces, controls) if look.faces and finishing.any else ()
    grainless: Image | None = None
    if restoration and controls.keep_grain and controls.grain_amount > 0:
        grainless = session.without_grain(look.faces, controls)
    heads: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for asked, area in zip(look.areas, areas, strict=True):
        block = whole_pixels(boxes, area) if restoration else None
        head: dict[str, Any] = {
            "box": [area.box.left, area.box.top, area.box.right, area.box.bottom],
            "size": [area.size.width, area.size.height],
            "block": block,
            "parts": [],
        }
        if asked.before:
            head["parts"].append("before")
            parts.append(jpeg(view(session.image.pixels, area)))
        if block is not None:
            shown = view(after.pixels, area)
            if grainless is not None:
                head["parts"].append("grain")
                layer = _block(shown - view(grainless.pixels, area) + _GREY, block)
                parts.append(jpeg(layer))
            head["parts"].append("after")
            parts.append(jpeg(_block(finished_view(shown, area, finished, finishing), block)))
        heads.append(head)
    warnings = [list(outcome.warnings) for outcome in restoration.faces] if restoration else []
    return {"areas": heads, "warnings": [*controls.warnings], "face_warnings": warnings}, parts


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
