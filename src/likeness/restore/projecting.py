"""Faces through the network: aligned, shown to it, and its answers kept for `likeness.restore.composing`."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.core.stopwatch import Stopwatch
from likeness.degradations import pre_degrade
from likeness.faces.align import align, valid_mask, warp
from likeness.faces.face import Alignment, Face
from likeness.faces.regions import face_mask, region_masks
from likeness.imaging.colour import is_colourless, luma
from likeness.imaging.filters import to_channels
from likeness.imaging.image import Image, Pixels, Size
from likeness.repair.repair import filled_in_crop
from likeness.restore.arbitration import arbitrate, held_detail
from likeness.restore.controls import Controls
from likeness.restore.lockstep import Answer, Steps, run_in_lockstep
from likeness.restore.outcome import FaceProjection, gain_map
from likeness.restore.outline import without_background
from likeness.restore.relaxation import ITERATIONS, advance
from likeness.runtimes.base import Batch, Runtime

__all__ = ["project_each"]

_TOGETHER = 8
"""Faces of a picture that the network gets at once: enough to fill a GPU together with a second picture's (docs/speed.md),
few enough that a group photograph takes 50 MB more and not a gigabyte."""


def project_each(
    runtime: Runtime,
    image: Image,
    faces: Sequence[tuple[int, Face]],
    controls: Controls,
    *,
    aligned: bool,
    filled: NDArray[np.float32] | None,
) -> Generator[tuple[tuple[int, Face], FaceProjection | Exception]]:
    """Every numbered face with its projection, or with the error that it failed with."""
    for begin in range(0, len(faces), _TOGETHER):
        group = faces[begin : begin + _TOGETHER]
        steps = [
            _projecting(runtime.spec.side, image, face, controls, index=index, aligned=aligned, filled=filled)
            for index, face in group
        ]
        yield from zip(group, run_in_lockstep(steps, runtime.run), strict=True)


def _projecting(
    side: int,
    image: Image,
    face: Face,
    controls: Controls,
    *,
    index: int,
    aligned: bool,
    filled: NDArray[np.float32] | None,
) -> Steps[FaceProjection]:
    """The work on one face, to be run with others (`run_in_lockstep`)."""
    clock = Stopwatch()

    def seen(answer: Answer) -> Pixels:
        clock.skip()  # the time in which the other faces of a group had their turn
        clock.add("network", answer.milliseconds)
        return _seen(answer.face, grey)

    alignment = _whole(image.size, side) if aligned else align(face.five_points, image.size, side)
    crop = warp(image.pixels, alignment)
    clock.lap("align")
    points = alignment.to_crop(face.landmarks.points)
    masks = region_masks(points.astype(np.float32), side)
    mask = np.ones((side, side), np.float32) if aligned else face_mask(masks) * valid_mask(alignment)
    share = 0.0
    if filled is not None:
        inside, near = filled_in_crop(filled, alignment)
        share = float((mask * inside).sum() / max(float(mask.sum()), 1.0))
        mask = mask * (np.float32(1) - near)
    clock.lap("masks")
    start = crop
    grey = image.grey or is_colourless(crop)
    shown = _shown(crop, controls)
    clock.lap("network")
    projection = seen((yield shown))
    for _ in range(controls.refine - 1):
        held = held_detail(crop, projection)
        gain = gain_map(masks, controls, ITERATIONS // controls.refine, held.grain)
        start = start + advance(start, arbitrate(crop, projection, held), gain)
        shown = _shown(np.clip(start, 0.0, 1.0, dtype=np.float32), controls)
        clock.lap("network")
        projection = seen((yield shown))
    clock.lap("network")
    if not aligned:
        mask = without_background(mask, projection, points.astype(np.float32))
        clock.lap("masks")
    return FaceProjection(
        index=index,
        face=face,
        alignment=alignment,
        crop=crop,
        projection=projection,
        start=start,
        held=held_detail(crop, projection),
        masks=masks,
        mask=mask,
        filled=share,
        picture=image.pixels,
        grey=grey,
        controls=controls,
        milliseconds=clock.laps,
    )


def _whole(size: Size, side: int) -> Alignment:
    """The alignment of a picture that is an aligned crop already: a change of scale, pixel centres at whole numbers."""
    scale = side / size.width
    shift = (scale - 1) / 2
    matrix = np.array([[scale, 0, shift], [0, scale, shift]], dtype=np.float64)
    return Alignment(matrix=matrix, crop_size=side, picture_size=size)


def _shown(crop: Pixels, controls: Controls) -> Batch:
    """What the network sees of a crop (S x S x 3 in [0, 1]): pre-degraded, 1 x 3 x S x S in [-1, 1]."""
    shown = np.stack(cv2.split(pre_degrade(crop, controls.degradation_scale)))[None]
    shown *= np.float32(2)
    shown -= np.float32(1)
    return shown


def _seen(answer: Batch, grey: bool) -> Pixels:
    """The network's answer (1 x 3 x S x S) as S x S x 3 in [0, 1]."""
    pixels = np.asarray(cv2.merge(tuple(answer[0])), np.float32)
    pixels *= np.float32(0.5)
    pixels += np.float32(0.5)
    np.clip(pixels, 0.0, 1.0, out=pixels)
    # A black-and-white photograph stays one: the network may not tint it.
    return to_channels(luma(pixels)) if grey else pixels
