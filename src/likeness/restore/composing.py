"""Controls applied to what the network answered, and the faces laid back; no network runs here.

On an enlarged picture (`Canvas`) the same arithmetic is done in crops of the size that faces have there.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.core.stopwatch import Stopwatch
from likeness.faces.align import rewarp, unwarp
from likeness.grain.regrain import FaceGrain
from likeness.imaging.filters import gaussian_blur, resize, to_channels
from likeness.imaging.image import Box, Image, Pixels, Size
from likeness.restore.composite import Patch, own_share, paste
from likeness.restore.face_controls import ControlsByFace
from likeness.restore.outcome import FaceOutcome, FaceProjection, Restoration, face_warnings, gain_maps
from likeness.restore.placing import Canvas, PlacedFace, place
from likeness.restore.relaxation import ITERATIONS, advance
from likeness.restore.sharpness import soften_rim

__all__ = ["compose"]

_Map = NDArray[np.float32]


def compose(
    image: Image,
    projections: Sequence[FaceProjection],
    by_face: ControlsByFace,
    canvas: Canvas | None = None,
) -> Restoration:
    """See `likeness.restore.pipeline.Restorer.compose`."""
    overall = Stopwatch()
    base = image if canvas is None else canvas.image
    if any(item.task.adds_colour for item in projections):
        base = base.in_colour()
    patches: list[Patch] = []
    after: list[Pixels] = []
    reached: list[tuple[_Map, _Map]] = []
    laps: list[dict[str, float]] = []
    for item in projections:
        controls = by_face[item.index]
        if item.picture.shape != image.pixels.shape:
            height, width = item.picture.shape[:2]
            raise ValueError(
                f"the projections are of a picture of {Size(width, height)}, not of this one of {image.size}"
            )
        if not item.serves(controls):
            raise ValueError("these controls need a new projection: call project again")
        checkpoint()
        clock = Stopwatch()
        whole, taken = gain_maps(item.masks, controls, item.held)
        # The last window takes the iterations that the others left of T.
        left = ITERATIONS - (controls.refine - 1) * (ITERATIONS // controls.refine)
        last, last_taken = whole, taken
        if left != ITERATIONS:
            last, last_taken = gain_maps(item.masks, controls, item.held, left)
        placed = item if canvas is None else place(item, canvas)
        target = placed.target
        if item.references is not None:
            target = item.references.fused(target, controls.reference_strength)
        change = advance(
            placed.start,
            target,
            _sized(last, placed),
            grain=None if last_taken is None else placed.unexplained,
            grain_gain=None if last_taken is None else _sized(last_taken, placed),
        )
        if placed.start is not placed.crop:
            change += placed.start - placed.crop
        if canvas is not None and canvas.enlargement.match_sharpness:
            change = soften_rim(placed.crop, change, placed.mask, item.masks)
        change *= to_channels(placed.mask * np.float32(controls.strength))
        patches.append(
            Patch(change=change, mask=placed.mask, alignment=placed.alignment, within=_within(item, base.size))
        )
        after.append(_in_crop(placed.crop + change, item.crop))
        reached.append((whole, whole if taken is None else taken))
        clock.lap("controls")
        laps.append(clock.laps)
    pixels = paste(base.pixels, patches)
    outcomes: list[FaceOutcome] = []
    for index, (item, (whole, taken)) in enumerate(zip(projections, reached, strict=True)):
        checkpoint()
        clock = Stopwatch()
        controls = by_face[item.index]
        share = taken * np.float32(controls.strength)
        wanted = controls.keep_grain and controls.grain_amount > 0
        cleaned = canvas is not None and not canvas.keeps_grain
        if wanted and item.grain is not None and not cleaned:
            if canvas is None:
                laid = _lay_grain(pixels, item.grain, index, patches, share, controls.grain_amount)
            else:
                laid = _lay_grain_enlarged(pixels, item, canvas, index, patches, share, controls.grain_amount)
            after[index] = after[index] + _in_crop(laid, item.crop)
            clock.lap("grain")
        outcomes.append(
            FaceOutcome(
                index=item.index,
                face=item.face,
                status="restored",
                before=Image(pixels=item.crop, grey=image.grey),
                after=Image(pixels=np.clip(after[index], 0.0, 1.0, dtype=np.float32), grey=base.grey),
                mask=patches[index].mask,
                alignment=patches[index].alignment,
                filled=item.filled,
                drawn_anew=item.drawn_anew(controls),
                own_controls=by_face.own.get(item.index),
                strength=controls.strength,
                gains=item.masks.means(whole * np.float32(controls.strength)),
                milliseconds={**item.milliseconds, **laps[index], **clock.laps},
                warnings=(
                    *(told for told in controls.warnings if told not in by_face.shared.warnings),
                    *face_warnings(item, controls, whole, cleaned=cleaned),
                ),
                references=item.references,
            )
        )
    overall.lap("compose")
    return Restoration(
        image=base.with_pixels(pixels).edited_by_network() if patches else base,
        faces=tuple(outcomes),
        controls=by_face.shared,
        milliseconds=overall.laps,
        upscale=1.0 if canvas is None else canvas.plan.upscale,
    )


def _lay_grain(
    pixels: Pixels, grain: FaceGrain, index: int, patches: Sequence[Patch], share: _Map, amount: float
) -> Pixels:
    """Add the grain that a face is missing to the picture, in place; returned as it looks in the face's crop."""
    patch = patches[index]
    laid_share, box = unwarp(share * patch.mask, patch.alignment)
    laid = grain.lay(pixels, laid_share, amount)
    return _add(pixels, laid, box, index, patches)


def _lay_grain_enlarged(
    pixels: Pixels,
    item: FaceProjection,
    canvas: Canvas,
    index: int,
    patches: Sequence[Patch],
    share: _Map,
    amount: float,
) -> Pixels:
    """The same on an enlarged picture.

    What is missing is told in the photograph's own pixels, where grain was measured, and enlarged as grain is there: by
    interpolation, which is what the background's network does with it.
    """
    assert item.grain is not None
    photograph, box = item.alignment.box, patches[index].alignment.box
    size, enlarged = canvas.photograph.size, canvas.plan.size
    factors = np.array([enlarged.width / size.width, enlarged.height / size.height])
    # From the photograph's pixels within the one box to those of the enlarged picture within the other.
    shift = (np.array([photograph.left, photograph.top]) + 0.5) * factors - 0.5 - (box.left, box.top)
    matrix = np.hstack([np.diag(factors), shift[:, None]])

    change = pixels[box.to_slices()] - canvas.image.pixels[box.to_slices()]
    sigma = 0.5 * float(np.sqrt(max(float(factors.prod()) - 1.0, 0.0)))
    change = gaussian_blur(change, sigma) if sigma > 0.1 else change
    reduced = _warped(change, matrix, photograph, cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    laid_share, _ = unwarp(share * item.mask, item.alignment)
    after = np.clip(item.picture[photograph.to_slices()] + reduced, 0.0, 1.0)
    laid = item.grain.lay_over(after, laid_share, amount)
    return _add(pixels, _warped(laid, matrix, box, cv2.INTER_CUBIC), box, index, patches)


def _add(pixels: Pixels, laid: Pixels, box: Box, index: int, patches: Sequence[Patch]) -> Pixels:
    """Add grain over a face's box to the picture, in place; returned as it looks in the face's crop."""
    counts = own_share(index, patches)
    if counts is not None:
        # Where faces overlap each lays its share of the variance.
        laid *= np.sqrt(counts)[:, :, None]
    if (within := patches[index].within) is not None:
        laid *= within[box.to_slices()][:, :, None]
    area = pixels[box.to_slices()]
    np.clip(area + laid, 0.0, 1.0, out=area)
    return rewarp(laid, patches[index].alignment)


def _warped(x: Pixels, matrix: NDArray[np.float64], box: Box, flags: int) -> Pixels:
    size = max(int(box.width), 1), max(int(box.height), 1)
    return np.asarray(cv2.warpAffine(x, matrix, size, flags=flags, borderMode=cv2.BORDER_REFLECT_101), np.float32)


def _within(item: FaceProjection, size: Size) -> _Map | None:
    """`FaceProjection.within` on a picture of this size."""
    within = item.within
    if within is None or within.shape == (size.height, size.width):
        return within
    return resize(within, size, "linear")


def _sized(gain: _Map, placed: FaceProjection | PlacedFace) -> _Map:
    side = placed.alignment.crop_size
    return gain if gain.shape[0] == side else resize(gain, Size(side, side), "linear")


def _in_crop(x: Pixels, crop: Pixels) -> Pixels:
    """A finer crop at the side of the network's."""
    side = crop.shape[0]
    return x if x.shape[0] == side else resize(x, Size(side, side), "area")
