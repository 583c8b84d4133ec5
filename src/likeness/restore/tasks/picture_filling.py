"""Filling the holes of a whole photograph: the network's answer is taken inside of them alone, and outside of faces.

What lies in a face is left to what faces have: a network that inpaints faces draws there, and under any other the hole stays
filled from its surroundings. A large photograph goes through the network in windows around its holes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.errors import NoFaceError
from likeness.faces.align import align, unwarp
from likeness.faces.face import Face
from likeness.faces.regions import face_mask, region_masks
from likeness.imaging.colour import is_colourless, luma
from likeness.imaging.filters import resize, to_channels
from likeness.imaging.image import Pixels, Size
from likeness.messages.notice import Notice
from likeness.repair.fill import membrane
from likeness.restore.tasks.picture import PictureChange, SeenPicture, answer_of
from likeness.runtimes.base import Runtime

__all__ = ["PictureFilling"]

_SIDE = 768
"""Longest side of what the network is shown, px: LaMa holds 2.4 kB for each pixel there."""

_CONTEXT = 96
"""Least surroundings of a hole that are shown with it, px; as much as the hole is long, if that is more."""

_MASK_SIDE = 256

_NEAR = 32
"""Holes that are nearer to each other are filled together, px."""

_Map = NDArray[np.float32]
_Window = tuple[slice, slice]


class PictureFilling:
    """See `likeness.restore.tasks.picture.PictureTask`."""

    def apply(self, seen: SeenPicture, runtime: Runtime) -> PictureChange:
        """The photograph with what the network drew in its holes; every other pixel is the same to the last bit.

        Raises:
            NoFaceError: if it has no holes.
        """
        image, holes = seen.image, seen.holes
        if holes is None or not holes.any():
            raise NoFaceError(Notice("picture.no-hole"))
        faces = _faces_area(seen.faces, image.size)
        weight = holes * (np.float32(1) - faces)
        grey = image.grey or is_colourless(image.pixels)
        pixels = image.pixels.copy()
        for window, own in _windows(holes):
            share = (weight[window] * own)[..., None]
            if not share.any():
                continue  # all of it lies in faces
            checkpoint()
            drawn = _drawn(image.pixels[window], holes[window] > 0, runtime)
            drawn = to_channels(luma(drawn)) if grey else drawn
            before = pixels[window]
            pixels[window] = np.where(share > 0, before + share * (drawn - before), before)
        in_faces = bool(((holes > 0) & (faces > 0.5)).any())
        return PictureChange(
            purpose="inpaint",
            image=image.with_pixels(np.clip(pixels, 0, 1, dtype=np.float32)).edited_by_network(),
            area=float(weight.mean(dtype=np.float64)),
            warnings=(Notice("picture.hole-in-face"),) if in_faces else (),
        )


def _drawn(pixels: Pixels, hole: NDArray[np.bool_], runtime: Runtime) -> Pixels:
    """What the network makes of a window, H x W x 3 in [0, 1]; brought to `_SIDE` for it if that is smaller."""
    size = Size(hole.shape[1], hole.shape[0])
    small = size.within(_SIDE)
    if small == size:
        return answer_of(runtime, np.dstack([pixels, hole.astype(np.float32)]))
    # Any pixel of the copy that a part of the hole fell into is missing.
    missing = resize(hole.astype(np.float32), small, "area") > 0
    answer = answer_of(runtime, np.dstack([resize(pixels, small, "area"), missing.astype(np.float32)]))
    drawn = resize(answer, size, "cubic")
    # Interpolated it no longer meets the photograph along the rim.
    return np.clip(drawn + membrane(pixels - drawn, hole), 0, 1)


def _faces_area(faces: Sequence[Face], size: Size) -> _Map:
    """H x W in [0, 1]: where faces lie, with soft rims."""
    area = np.zeros((size.height, size.width), np.float32)
    for face in faces:
        try:
            alignment = align(face.five_points, size, _MASK_SIDE)
        except ValueError:
            continue  # points that allow no alignment: nothing is done to such a face
        points = alignment.to_crop(face.landmarks.points).astype(np.float32)
        laid, box = unwarp(face_mask(region_masks(points, _MASK_SIDE)), alignment)
        part = area[box.to_slices()]
        np.maximum(part, np.clip(laid, 0, 1), out=part)
    return area


def _windows(holes: _Map) -> Iterator[tuple[_Window, NDArray[np.bool_]]]:
    """Parts of the photograph that hold all of its holes with surroundings, and which holes each is for; all of it where it
    is small."""
    height, width = holes.shape
    if max(height, width) <= _SIDE:
        yield (slice(0, height), slice(0, width)), holes > 0
        return
    side = 2 * (_NEAR // 2) + 1
    near = cv2.dilate((holes > 0).astype(np.uint8), np.ones((side, side), np.uint8))
    count, labels, found, _ = cv2.connectedComponentsWithStats(np.asarray(near, np.uint8))
    for label in range(1, count):
        left, top, wide, high, _ = found[label]
        inside = (labels[top : top + high, left : left + wide] == label) & (
            holes[top : top + high, left : left + wide] > 0
        )
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        margin = max(_CONTEXT, int(rows[-1] - rows[0]), int(columns[-1] - columns[0]))
        window = (
            slice(max(0, int(top + rows[0]) - margin), min(height, int(top + rows[-1]) + 1 + margin)),
            slice(max(0, int(left + columns[0]) - margin), min(width, int(left + columns[-1]) + 1 + margin)),
        )
        yield window, labels[window] == label
