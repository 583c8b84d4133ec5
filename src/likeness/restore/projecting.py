"""Faces through the network: aligned, given to it as the task has it, and its answers kept for composing."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.core.stopwatch import Stopwatch
from likeness.faces.align import TEMPLATE_SIZE, align, valid_mask, warp
from likeness.faces.effective_resolution import (
    EffectiveResolution,
    effective_resolution,
    face_crop,
    face_resolution,
)
from likeness.faces.face import Alignment, Face
from likeness.faces.parts import face_parts
from likeness.faces.regions import face_mask, region_masks
from likeness.imaging.colour import is_colourless, luma
from likeness.imaging.filters import to_channels
from likeness.imaging.image import Image, Pixels, Size
from likeness.messages.notice import Notice
from likeness.models.spec import Spec
from likeness.restore.arbitration import unexplained
from likeness.restore.controls import Controls
from likeness.restore.face_controls import ControlsByFace
from likeness.restore.lockstep import Answer, Steps, run_in_lockstep
from likeness.restore.outcome import FaceProjection, gain_maps
from likeness.restore.relaxation import ITERATIONS, advance
from likeness.restore.tasks.registry import task_of
from likeness.restore.tasks.task import FaceCrop
from likeness.runtimes.base import Batch, Runtime, check_answer

__all__ = ["project_each"]

_TOGETHER = 8
"""Faces of a picture that the network gets at once: enough to fill a GPU together with a second picture's (docs/speed.md),
few enough that a group photograph takes 50 MB more and not a gigabyte."""


def project_each(
    runtime: Runtime,
    image: Image,
    faces: Sequence[tuple[int, Face]],
    controls: ControlsByFace,
    *,
    aligned: bool,
    filled: NDArray[np.float32] | None,
    seed: int | None,
) -> Generator[tuple[tuple[int, Face], FaceProjection | Notice | Exception]]:
    """Every numbered face with its projection, the reason for which it is left alone, or the error that it failed with."""
    for begin in range(0, len(faces), _TOGETHER):
        group = faces[begin : begin + _TOGETHER]
        steps = [
            _projecting(
                runtime.spec, image, face, controls[index], index=index, aligned=aligned, filled=filled, seed=seed
            )
            for index, face in group
        ]
        yield from zip(group, run_in_lockstep(steps, runtime.run), strict=True)


def _projecting(
    spec: Spec,
    image: Image,
    face: Face,
    controls: Controls,
    *,
    index: int,
    aligned: bool,
    filled: NDArray[np.float32] | None,
    seed: int | None,
) -> Steps[FaceProjection | Notice]:
    """The work on one face, to be run with others (`run_in_lockstep`)."""
    clock = Stopwatch()
    task, side = task_of(spec, controls), spec.side

    def from_network(answer: Answer) -> Pixels:
        clock.skip()  # the time in which the other faces of a group had their turn
        clock.add("network", answer.milliseconds)
        check_answer(answer.face, spec)
        return task.taken(seen, _from_network(answer.face, spec, grey))

    template = spec.authors.template if controls.plain else spec.template or "ffhq"
    alignment = _whole(image.size, side) if aligned else align(face.five_points, image.size, side, template)
    usual = alignment.crop_size == TEMPLATE_SIZE and alignment.template == "ffhq" and not aligned
    crop, resolution = face_crop(image, face) if usual else (warp(image.pixels, alignment), None)
    clock.lap("align")
    points = alignment.to_crop(face.landmarks.points).astype(np.float32)
    masks = region_masks(points, side, face_parts(crop, points))
    valid = valid_mask(alignment)
    resolution = resolution or _resolution(image, face, alignment, crop)
    area = np.ones((side, side), np.float32) if aligned else face_mask(masks, resolution.blur) * valid
    seen = FaceCrop(
        pixels=crop, points=points, masks=masks, valid=valid, face=area, aligned=aligned, blur=resolution.blur
    )
    share = 0.0
    if filled is not None:
        from likeness.repair.repair import filled_in_crop  # here, as most pictures have no holes

        hole, with_margin = filled_in_crop(filled, alignment)
        share = float((area * hole).sum() / max(float(area.sum()), 1.0))
        seen = replace(seen, hole=hole, hole_with_margin=with_margin)
    clock.lap("masks")
    if task.only_holes and (seen.hole is None or not seen.hole.any()):
        return Notice("outcome.no-hole")
    start = crop
    grey = (image.grey or is_colourless(crop)) and not task.adds_colour
    asked = _to_network(task.to_network(seen, crop, controls), spec)
    clock.lap("network")
    projection = from_network((yield asked))
    for _ in range(controls.refine - 1):
        held = task.held_detail(crop, projection)
        gain, own = gain_maps(masks, controls, held, ITERATIONS // controls.refine)
        grain = None if own is None else unexplained(crop, projection, held)
        start = start + advance(start, task.target(crop, projection, held), gain, grain=grain, grain_gain=own)
        estimate = np.clip(start, 0.0, 1.0, dtype=np.float32)
        asked = _to_network(task.to_network(seen, estimate, controls), spec)
        clock.lap("network")
        projection = from_network((yield asked))
    clock.lap("network")
    mask = task.mask(seen, projection)
    clock.lap("masks")
    return FaceProjection(
        index=index,
        face=face,
        alignment=alignment,
        crop=crop,
        projection=projection,
        task=task,
        start=start,
        resolution=resolution,
        held=task.held_detail(crop, projection),
        masks=masks,
        mask=mask,
        within=filled if task.only_holes else None,
        filled=share,
        picture=image.pixels,
        grey=grey,
        controls=controls,
        seed=seed,
        milliseconds=clock.laps,
    )


def _whole(size: Size, side: int) -> Alignment:
    """The alignment of a picture that is an aligned crop already: a change of scale, pixel centres at whole numbers."""
    scale = side / size.width
    shift = (scale - 1) / 2
    matrix = np.array([[scale, 0, shift], [0, scale, shift]], dtype=np.float64)
    return Alignment(matrix=matrix, crop_size=side, picture_size=size)


def _resolution(image: Image, face: Face, alignment: Alignment, crop: Pixels) -> EffectiveResolution:
    """What the picture holds of the face; in a crop of its own where the network's is of another kind."""
    if alignment.crop_size == TEMPLATE_SIZE and alignment.template == "ffhq":
        return effective_resolution(crop, alignment.native_side)
    return face_resolution(image, face)


def _to_network(pixels: Pixels, spec: Spec) -> Batch:
    """S x S x 3 in [0, 1] as the network takes it: 1 x 3 x S x S in its range."""
    low, high = spec.value_range
    asked = np.stack(cv2.split(pixels))[None]
    asked *= np.float32(high - low)
    asked += np.float32(low)
    return asked


def _from_network(answer: Batch, spec: Spec, grey: bool) -> Pixels:
    """The network's answer (1 x 3 x S x S in its range) as S x S x 3 in [0, 1]."""
    low, high = spec.value_range
    pixels = np.asarray(cv2.merge(tuple(answer[0])), np.float32)
    pixels *= np.float32(1 / (high - low))
    pixels += np.float32(-low / (high - low))
    np.clip(pixels, 0.0, 1.0, out=pixels)
    # A black-and-white photograph stays one: the network may not tint it.
    return to_channels(luma(pixels)) if grey else pixels
