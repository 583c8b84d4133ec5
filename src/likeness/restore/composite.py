"""Laying a restored crop back into its picture: only the change is added, and only on the face.

The picture is never resampled. What is enlarged or reduced back to the picture's grid is the *change* (restored minus
input crop), weighted by a soft, face-shaped mask. So a change of nothing leaves every sample as it was, and detail finer
than the crop can hold survives in large pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.core.memory import return_freed
from likeness.faces.align import unwarp, unwarp_by_rows
from likeness.faces.face import Alignment
from likeness.imaging.image import Box, Pixels

__all__ = ["Patch", "overlaps", "own_share", "paste"]

_LARGE = 200_000_000
"""Bytes of a picture's samples, those of 17 megapixels, beside which what earlier steps took and gave back is not kept."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Patch:
    """A face's change, ready to be added.

    Attributes:
        change: S x S x 3; exactly 0 where ``mask`` is.
        mask: S x S in [0, 1], face-shaped; 0 toward the crop's border.
        alignment: where the crop lies in the picture.
        within: H x W in [0, 1], the only places of the picture that may change; None for all.
    """

    change: Pixels
    mask: NDArray[np.float32]
    alignment: Alignment
    within: NDArray[np.float32] | None = None


def overlaps(patches: Sequence[Patch]) -> dict[int, list[int]]:
    """For each patch the others whose boxes touch its own."""
    boxes = [patch.alignment.box for patch in patches]
    found: dict[int, list[int]] = {}
    for index, box in enumerate(boxes):
        found[index] = [other for other, b in enumerate(boxes) if other != index and box.intersection(b) > 0]
    return found


def paste(pixels: Pixels, patches: Sequence[Patch]) -> Pixels:
    """Add the patches' changes to a picture.

    Where faces overlap, each change counts by its mask's share of all masks there, so that none is applied twice and the
    order does not matter.

    Args:
        pixels: H x W x 3, [0, 1]; not modified.
        patches: the faces' changes.

    Returns:
        H x W x 3 in [0, 1]; equal to ``pixels`` to the last bit wherever no mask reaches.
    """
    if pixels.nbytes > _LARGE:
        return_freed()
    result = pixels.copy()
    near = overlaps(patches)
    for index, patch in enumerate(patches):
        checkpoint()
        share = _share(index, near[index], patches, patch.alignment.box) if near[index] else None
        top = int(patch.alignment.box.top)
        for change, box in unwarp_by_rows(patch.change, patch.alignment):
            rows, columns = box.to_slices()
            if share is not None:
                change *= share[rows.start - top : rows.stop - top, :, None]
            if patch.within is not None:
                change *= patch.within[rows, columns, None]
            area = result[rows, columns]
            np.add(area, change, out=area)
            np.clip(area, 0.0, 1.0, out=area)
    return result


def own_share(index: int, patches: Sequence[Patch]) -> NDArray[np.float32] | None:
    """How much of a patch counts at each place of its box where other faces lie, in (0, 1]; None if none does."""
    others = overlaps(patches)[index]
    return _share(index, others, patches, patches[index].alignment.box) if others else None


def _share(index: int, others: Sequence[int], patches: Sequence[Patch], box: Box) -> NDArray[np.float32]:
    """The patch's mask over the sum of all masks in its box, where that sum exceeds 1."""
    own, _ = unwarp(patches[index].mask, patches[index].alignment)
    total = own.copy()
    for other in others:
        mask, place = unwarp(patches[other].mask, patches[other].alignment)
        left, top = int(max(box.left, place.left)), int(max(box.top, place.top))
        right, bottom = int(min(box.right, place.right)), int(min(box.bottom, place.bottom))
        target = (slice(top - int(box.top), bottom - int(box.top)), slice(left - int(box.left), right - int(box.left)))
        source = (
            slice(top - int(place.top), bottom - int(place.top)),
            slice(left - int(place.left), right - int(place.left)),
        )
        total[target] += mask[source]
    return (1.0 / np.maximum(total, 1.0)).astype(np.float32)
