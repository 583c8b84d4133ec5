"""What the page is sent: views of the picture before and after, and the fields that it computes previews from.

Places are told in the photograph's pixels, also where the result is enlarged; the view's size then goes up to the result's
pixels, and the photograph beside it is enlarged by plain interpolation, so that both are compared at one size.

Several parts travel in one answer: the length of a JSON head (four bytes, little-endian), the head, and the parts that it
names, one after the other.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.errors import ControlError
from likeness.faces.regions import REGIONS
from likeness.imaging.encode import encode_image
from likeness.imaging.filters import resize, to_channels
from likeness.imaging.image import Box, Image, Pixels, Size
from likeness.imaging.resample import resample
from likeness.messages.notice import Notice
from likeness.restore.controls import Controls
from likeness.restore.outcome import FaceProjection, gain_maps, whole_way
from likeness.restore.placing import Canvas, place
from likeness.restore.relaxation import ITERATIONS
from likeness.restore.sharpness import soften_rim
from likeness.server.live.looks import FAR, LiveArea, LiveViews
from likeness.server.live.session import Session
from likeness.studio.finishing import FinishingArea, finish

__all__ = [
    "FIELD_SCALE",
    "MASK_SIDE",
    "Area",
    "areas_in_view",
    "draw",
    "field_of",
    "in_view",
    "jpeg",
    "mask_png",
    "pack",
    "view",
    "whole_pixels",
]

FIELD_SCALE = 16000.0
"""Whole numbers of a field per unit: differences reach from -2 to 2."""

MASK_SIDE = 128
"""Side of a field's region masks: they are soft over more than a pixel of that."""

_NOTHING = 128 / 255
"""Where a layer that is added has nothing."""

_MOST_FIELD = 1024
"""Side of a field at most: previews are for a screen."""

_MOST_MASK = 2048

_AROUND = 8
"""Pixels around a part of the picture that is interpolated; the filter reaches 3."""

_QUALITY = 95
"""JPEG, colour at full resolution: its errors stay under those of a screen."""


@dataclass(frozen=True, kw_only=True)
class Area:
    """A part of the picture as the page shows it.

    Attributes:
        box: in the picture, on whole pixels.
        size: of the view; never larger than the box in the result, as the browser enlarges.
    """

    box: Box
    size: Size

    @staticmethod
    def fit(box: Box, width: int, picture: Size, *, upscale: float = 1.0) -> Area:
        """The part of ``box`` that lies in the picture, at most ``width`` pixels wide.

        Args:
            box: the part, in the picture's pixels.
            width: of the view, px.
            picture: size of the picture.
            upscale: how many times as large the result is.

        Raises:
            ControlError: if it is empty.
        """
        rows, columns = box.clipped(picture).to_slices()
        if rows.stop <= rows.start or columns.stop <= columns.start:
            raise ControlError(Notice("live.view-outside"))
        whole = Box(float(columns.start), float(rows.start), float(columns.stop), float(rows.stop))
        scale = min(upscale, max(1, width) / whole.width)
        size = Size(max(1, round(whole.width * scale)), max(1, round(whole.height * scale)))
        return Area(box=whole, size=size)

    def on(self, picture: Size, result: Size) -> Area:
        """The same part of the picture at another size, such as that of an enlarged result."""
        across, down = result.width / picture.width, result.height / picture.height
        box = self.box
        there = Box(box.left * across, box.top * down, box.right * across, box.bottom * down)
        return Area(box=there.rounded(), size=self.size)


def view(pixels: Pixels, area: Area) -> Pixels:
    """The area at its size: averaged over the picture's pixels, or interpolated (Lanczos) where it has too few."""
    rows, columns = area.box.to_slices()
    size, inside = area.size, Size(columns.stop - columns.start, rows.stop - rows.start)
    if size.width > inside.width or size.height > inside.height:
        return _interpolated(pixels, area)
    part = np.ascontiguousarray(pixels[rows, columns])
    return part if size == inside else np.clip(resize(part, size, "area"), 0.0, 1.0)


def _interpolated(pixels: Pixels, area: Area) -> Pixels:
    """With the pixels around the area, so that parts of a picture fit together."""
    rows, columns = area.box.to_slices()
    height, width = pixels.shape[:2]
    left, right = max(0, columns.start - _AROUND), min(width, columns.stop + _AROUND)
    top, bottom = max(0, rows.start - _AROUND), min(height, rows.stop + _AROUND)
    across, down = area.size.width / area.box.width, area.size.height / area.box.height
    larger = resample(
        pixels[top:bottom, left:right], Size(round((right - left) * across), round((bottom - top) * down))
    )
    # Rounding must not take the last pixels past the end.
    x = min(round((columns.start - left) * across), larger.shape[1] - area.size.width)
    y = min(round((rows.start - top) * down), larger.shape[0] - area.size.height)
    return larger[y : y + area.size.height, x : x + area.size.width]


def in_view(places: Sequence[FinishingArea], area: Area) -> list[FinishingArea]:
    """Where finishing touches go in a view, at its size: quicker than on the whole picture, and alike to look at."""
    across, down = area.size.width / area.box.width, area.size.height / area.box.height
    local: list[FinishingArea] = []
    for whole in places:
        box = whole.box
        # The area's corners in the view, and its shares there.
        matrix = np.array(
            [[across, 0, (box.left - area.box.left) * across], [0, down, (box.top - area.box.top) * down]]
        )
        matrix[:, 2] += (across / 2 - 0.5, down / 2 - 0.5)
        size = (area.size.width, area.size.height)
        flags = cv2.INTER_LINEAR
        colour, tone = (
            np.asarray(cv2.warpAffine(share, matrix, size, flags=flags), np.float32)
            for share in (whole.colour, whole.tone)
        )
        frame = Box(0.0, 0.0, float(area.size.width), float(area.size.height))
        local.append(FinishingArea(box=frame, colour=colour, tone=tone, side=whole.side * across))
    return local


def whole_pixels(boxes: Sequence[Box], area: Area) -> tuple[int, int, int, int] | None:
    """The block of a view that covers all boxes of the picture: left, top, width, height in the view's pixels."""
    across, down = area.size.width / area.box.width, area.size.height / area.box.height
    inside = [box.clipped(Size(int(area.box.right), int(area.box.bottom))) for box in boxes]
    inside = [box for box in inside if box.intersection(area.box) > 0]
    if not inside:
        return None
    left = max(0, int(np.floor((min(box.left for box in inside) - area.box.left) * across)))
    top = max(0, int(np.floor((min(box.top for box in inside) - area.box.top) * down)))
    right = min(area.size.width, int(np.ceil((max(box.right for box in inside) - area.box.left) * across)))
    bottom = min(area.size.height, int(np.ceil((max(box.bottom for box in inside) - area.box.top) * down)))
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None


def jpeg(pixels: Pixels) -> bytes:
    """A view as the browser reads it."""
    return encode_image(Image(pixels=np.ascontiguousarray(pixels, dtype=np.float32)), "JPEG", quality=_QUALITY)


def mask_png(mask: NDArray[np.bool_]) -> bytes:
    """A mask (H x W) for the screen: white where it is, at most `_MOST_MASK` px a side."""
    size = Size(mask.shape[1], mask.shape[0])
    small = size.within(_MOST_MASK)
    shown = mask.astype(np.float32)
    if small != size:
        # Averaging would lose what is thin.
        near = np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2, 2), np.uint8)), np.float32)
        shown = resize(near, small, "area")
    return encode_image(Image(pixels=to_channels(np.minimum(shown * 2, 1)), grey=True), "PNG")


def field_of(item: FaceProjection, look: Controls, canvas: Canvas | None = None) -> tuple[dict[str, Any], bytes]:
    """What a browser needs to compute, for any step, weights and strength, how the picture changes on one face.

    The change at a place is  strength * (1 - (1 - eta m)^T) / whole * (field + reference_strength * detail),  m the weights
    blended by the masks there (`likeness.restore.relaxation`) and the share at most 1, as long as the network ran once
    (``refine`` 1); that grain goes sooner is left to the server's own drawing. On an enlarged picture the field is softened
    toward the rim (`likeness.restore.sharpness`) as for this look.

    Args:
        item: what the network made of the face.
        look: the controls that are set now.
        canvas: the enlarged picture; None for the photograph's own size.

    Returns:
        the head: ``side``, ``mask_side``, ``regions``, ``scale``, ``iterations``, ``whole``, ``detail`` (whether other
        photographs give any) and ``matrix`` (2 x 3, from the photograph's pixels to the field's); and the field (side x side
        x 3, 16-bit, in 1/scale), the masks (regions x mask_side x mask_side, 8-bit), and the detail as the field.

    Raises:
        ControlError: if the network ran more than once.
    """
    if item.controls.refine != 1:
        raise ControlError(Notice("live.refine"))
    checkpoint()
    placed = item if canvas is None else place(item, canvas)
    side = wanted = placed.alignment.crop_size
    # A small face needs no more than its own pixels.
    native = item.alignment.native_side * (1.0 if canvas is None else canvas.plan.upscale)
    while wanted > 64 and (wanted / 2 >= native or wanted > _MOST_FIELD):
        wanted //= 2

    def changed(target: Pixels) -> Pixels:
        change = target - placed.start
        if canvas is not None and canvas.enlargement.match_sharpness:
            gain = resize(gain_maps(item.masks, look, item.held)[0], Size(side, side), "linear")
            change = soften_rim(placed.crop, change, placed.mask, item.masks, share=gain)
        change = change * placed.mask[:, :, None]
        return change if wanted == side else resize(change, Size(wanted, wanted), "area")

    plain = changed(placed.target)
    parts = [_whole(plain)]
    size = Size(MASK_SIDE, MASK_SIDE)
    masks = np.stack([_small(item.masks[region], size) for region in REGIONS])
    matrix = item.alignment.resized(wanted).matrix
    head = {
        "face": item.index,
        "side": wanted,
        "mask_side": MASK_SIDE,
        "regions": list(REGIONS),
        "scale": FIELD_SCALE,
        "iterations": ITERATIONS,
        "whole": float(whole_way(item.controls, ITERATIONS)),
        "detail": bool(item.references and item.references.gifts),
        "matrix": [[float(v) for v in row] for row in matrix],
    }
    parts.append(np.round(masks * 255).astype(np.uint8).tobytes())
    if item.references is not None and head["detail"]:
        parts.append(_whole(changed(item.references.fused(placed.target, 1.0)) - plain))
    return head, b"".join(parts)


def _whole(change: Pixels) -> bytes:
    return np.clip(np.round(change * np.float32(FIELD_SCALE)), -32767, 32767).astype("<i2").tobytes()


def draw(session: Session, look: LiveViews) -> tuple[dict[str, Any], list[bytes]]:
    """Parts of a picture for a look, one for each of ``look.areas``: the head that says what they are, and JPEGs.

    Raises:
        ControlError: for a value out of range, a face that is not there, or an area outside the picture.
        ImageTooLargeError: if the enlarged result would be too large.
    """
    controls, finishing, wanted = look.by_face(), look.finishing(), look.wanted()
    mended = session.mended(look.mending())
    upscale = mended.upscale(look.faces, controls, look.upscale)
    restoration = mended.restore(look.faces, controls, upscale, wanted) if look.faces or upscale > 1 else None
    after = restoration.image if restoration else mended.image
    boxes = [box for index in look.faces if (box := session.faces[index].area) is not None]
    finished = (
        mended.finishing_areas(look.faces, controls, after.size)
        if look.faces and (finishing.any or look.layers)
        else ()
    )
    # A finishing slider previews itself along the secant from where it is to its further end.
    far = {touch: max(FAR[touch], key=lambda end: abs(end - getattr(finishing, touch))) for touch in look.layers}
    grainless: Image | None = None
    if any(controls[index].keep_grain and controls[index].grain_amount > 0 for index in look.faces):
        grainless = mended.without_grain(look.faces, controls, upscale, wanted)
    heads: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for asked, area in zip(look.areas, areas_in_view(session, look.areas, upscale), strict=True):
        checkpoint()
        block = None
        if upscale > 1 or mended is not session:
            # Enlarging and repairs change what is around the faces, too.
            block = (0, 0, area.size.width, area.size.height)
        elif restoration:
            block = whole_pixels(boxes, area)
        names: list[str] = []
        if asked.before:
            names.append("before")
            parts.append(jpeg(view(session.image.pixels, area)))
        if block is not None:
            there = area.on(session.image.size, after.size)
            shown = view(after.pixels, there)
            if grainless is not None:
                names.append("grain")
                parts.append(jpeg(_block(shown - view(grainless.pixels, there) + _NOTHING, block)))
            place, plain = in_view(finished, there), Image(pixels=shown)
            now = finish(plain, place, finishing).pixels
            for touch, end in far.items():
                names.append(touch)
                then = finish(plain, place, replace(finishing, **{touch: end})).pixels
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
    warned = [_notices(outcome.warnings) for outcome in restoration.faces] if restoration else []
    others = mended.told_of_others(look.faces, controls, wanted)
    repaired = None if mended.repaired is None else mended.repaired.to_dict()
    head = {"areas": heads, "far": far, "upscale": upscale, "references": others, "repaired": repaired}
    return {**head, "notices": _notices(controls.shared.warnings), "face_notices": warned}, parts


def areas_in_view(session: Session, areas: Sequence[LiveArea], upscale: float) -> list[Area]:
    """Areas as the page asks for them, cut to the picture.

    Raises:
        ControlError: if one lies outside the picture.
    """
    return [
        Area.fit(Box(area.left, area.top, area.right, area.bottom), area.width, session.image.size, upscale=upscale)
        for area in areas
    ]


def _notices(warnings: Sequence[Notice]) -> list[dict[str, Any]]:
    return [warning.to_dict() for warning in warnings]


def _block(pixels: Pixels, block: tuple[int, int, int, int]) -> Pixels:
    left, top, width, height = block
    return pixels[top : top + height, left : left + width]


def pack(head: dict[str, Any], parts: Sequence[bytes]) -> bytes:
    """The answer's bytes; the head gets ``lengths``, those of the parts."""
    text = json.dumps({**head, "lengths": [len(part) for part in parts]}).encode()
    return b"".join([struct.pack("<I", len(text)), text, *parts])


def _small(mask: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    flags = cv2.INTER_AREA if mask.shape[0] >= size.height else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(mask, (size.width, size.height), interpolation=flags), dtype=np.float32)
