"""Restored faces on an enlarged picture, drawn there as finely as the network drew them.

The change that is laid on is measured from the enlarged picture, not from the photograph: what the network's answer differs
by from what is already there. So nothing is averaged down first, what the photograph holds (`likeness.restore.arbitration`)
comes as the background shows it, and no change leaves the background as it is.

A face that is larger there than the network's answer would look softer than what is around it, which a network enlarged; so
the same network enlarges the answer. Not where the photograph itself has more pixels of the face than the answer: there
the finest detail is the photograph's, as in a result that is not enlarged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.faces.align import warp
from likeness.faces.face import Alignment
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Pixels, Size
from likeness.restore.arbitration import HeldDetail, unexplained
from likeness.restore.background import enlarge_image, enlarge_pixels
from likeness.restore.canvas import CanvasPlan
from likeness.restore.enlargement import Enlargement
from likeness.restore.outcome import FaceProjection
from likeness.runtimes.enlarging import Enlarger

__all__ = ["Canvas", "PlacedFace", "make_canvas", "place"]

_LARGER = 1.1
"""How much larger than the network's answer a face may be before the answer is enlarged."""

_MOST = 4
"""The answer is enlarged so many times at most."""

_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvas:
    """An enlarged picture that restored faces are laid on; nothing in it depends on controls, so that sliders reuse it.

    Attributes:
        image: the enlarged picture without any restored face.
        photograph: the picture it was made from.
        plan: its size and factor.
        enlargement: what was asked for.
        answers: what the network made of a face, enlarged, by the index of the face; with the answer as it was.
    """

    image: Image
    photograph: Image
    plan: CanvasPlan
    enlargement: Enlargement
    answers: Mapping[int, tuple[Pixels, Pixels]] = field(default_factory=dict[int, tuple[Pixels, Pixels]])

    @property
    def keeps_grain(self) -> bool:
        """Whether the picture's grain is still there."""
        return self.enlargement.background in ("faithful", "lanczos")

    @property
    def nbytes(self) -> int:
        """Memory of what is kept here; the photograph and the answers as they were are not."""
        return self.image.pixels.nbytes + sum(larger.nbytes for _, larger in self.answers.values())

    def answer(self, item: FaceProjection) -> Pixels:
        """What the network made of a face, as finely as it is wanted here.

        Raises:
            ValueError: if it has to be enlarged and was not (`make_canvas`).
        """
        if _factor(item, self.plan) == 1:
            return item.projection
        made, larger = self.answers.get(item.index, (None, None))
        if made is not item.projection or larger is None:
            raise ValueError(f"the canvas was made without face {item.index}: make it again with this projection")
        return larger


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedFace:
    """A face on an enlarged picture: what `FaceProjection` has of it, in a crop as fine as is wanted there.

    Attributes:
        alignment: from the enlarged picture to the crop.
        crop: S x S x 3 in [0, 1], the enlarged picture's.
        start: where the last window starts from; ``crop`` itself where the face's projection starts from its own.
        target: where relaxation leads.
        mask: S x S, the paste-back mask.
        answer: S x S x 3, what the network made of the face, as finely as it is wanted here.
        held: what of the crop stays.
    """

    alignment: Alignment
    crop: Pixels
    start: Pixels
    target: Pixels
    mask: _Map
    answer: Pixels
    held: HeldDetail

    @cached_property
    def unexplained(self) -> Pixels:
        """S x S x 3, see `FaceProjection.unexplained`."""
        return unexplained(self.crop, self.answer, self.held)


def make_canvas(
    image: Image,
    projections: Sequence[FaceProjection],
    plan: CanvasPlan,
    enlargement: Enlargement,
    enlarger: Enlarger | None,
    *,
    kept: Canvas | None = None,
) -> Canvas:
    """Enlarge a picture, and those of the network's answers that have to be larger on it.

    Args:
        image: the photograph, repaired.
        projections: the faces that will be laid on it.
        plan: how large it becomes.
        enlargement: what was asked for.
        enlarger: what enlarges (`likeness.restore.background.Enlargers`).
        kept: an earlier canvas, of which everything that serves is taken over.
    """
    same = kept is not None and kept.photograph is image and (kept.plan, kept.enlargement) == (plan, enlargement)
    # Those of other faces too: the next look may have them again.
    answers = dict(kept.answers) if kept is not None and same else {}
    enlarged = kept.image if kept is not None and same else enlarge_image(image, plan.size, enlarger)
    for item in projections:
        checkpoint()
        factor = _factor(item, plan)
        if factor == 1:
            continue
        earlier = answers.get(item.index)
        if earlier is None or earlier[0] is not item.projection:
            side = item.alignment.crop_size * factor
            larger = enlarge_pixels(item.projection, Size(side, side), enlarger, grey=item.grey)
            earlier = (item.projection, larger)
        answers[item.index] = earlier
    return Canvas(image=enlarged, photograph=image, plan=plan, enlargement=enlargement, answers=answers)


def place(item: FaceProjection, canvas: Canvas) -> PlacedFace:
    """A face on an enlarged picture; arithmetic alone.

    Raises:
        ValueError: if the canvas was made without this face.
    """
    answer = canvas.answer(item)
    factor = answer.shape[0] // item.projection.shape[0]
    alignment = item.alignment.scaled(canvas.plan.size)
    alignment = alignment if factor == 1 else alignment.resized(alignment.crop_size * factor)
    size = Size(alignment.crop_size, alignment.crop_size)
    crop = warp(canvas.image.pixels, alignment)
    start = crop
    if item.start is not item.crop:
        start = crop + _enlarged(item.start - item.crop, size)
    held = _finer(item.held, factor)
    return PlacedFace(
        alignment=alignment,
        crop=crop,
        start=start,
        target=item.task.target(crop, answer, held),
        mask=_enlarged(item.mask, size),
        answer=answer,
        held=held,
    )


def _factor(item: FaceProjection, plan: CanvasPlan) -> int:
    """How many times larger than the network's answer a face's crop is."""
    side, native = item.alignment.crop_size, item.alignment.native_side
    if native >= side or native * plan.upscale <= _LARGER * side:
        return 1
    return 2 if native * plan.upscale <= 2 * _LARGER * side else _MOST


def _finer(held: HeldDetail, factor: int) -> HeldDetail:
    """For a crop so many times larger: bands finer than the photograph's finest are taken as that one is."""
    if factor == 1:
        return held
    finest, levels = held.shares[0], factor.bit_length() - 1
    side = finest.shape[0]
    finer = [resize(finest, Size(side << level, side << level), "linear") for level in range(levels, 0, -1)]
    return HeldDetail(shares=(*finer, *held.shares), grain=held.grain)


def _enlarged(x: _Map, size: Size) -> _Map:
    return x if x.shape[0] == size.height else resize(x, size, "linear")
