"""Laying the photograph's grain back over a restored face, in the picture's own pixels.

What is laid is what is missing. Per octave and place, the share a of the picture's fine structure that survived the
restoration is the regression of the restored octave on the one before; grain survived as that did, so the variance missing
there is 1 - a^2 of the grain's. What the restored face holds beside that (a network leaves some noise of its own; a face
may be more or less grainy than its background) is measured on the face's flat blocks and counted as well. So nothing is
laid where nothing was taken, and none twice.

Light and colour are told apart, luma and two colour differences: a network that draws texture of its own mends the grain's
light, not its colours, and three channels each given what it lacks would become too grainy together.

Grain laid on the crop instead would be resampled on its way into the picture and arrive with another spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.align import unwarp
from likeness.faces.face import Alignment
from likeness.grain.measure import BLOCK, Grain, block_means, curve, flat_blocks, measure_grain
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Box, Pixels
from likeness.imaging.pyramid import collapse, laplacian_pyramid

__all__ = ["FaceGrain", "measure_face_grain"]

_OCTAVES = 4
"""Octaves of the picture in which what survived is told apart; the grain's rest goes with the coarsest."""

_WINDOWS = (7.0, 5.0, 3.5, 2.5)
"""Sigma of the neighbourhood in which it is told, in each octave's own px."""

_LIGHT = 3.0
_EVEN = 6.0
"""Sigma over which the new grain's own energy is evened out, in each octave's own px."""

_LIGHTS = 3
"""Brightnesses at which the face's own excess is measured, if it has blocks enough."""

_ENOUGH = 12
_FULL = 0.6
_TO_LUMA = np.array([[0.2126, 0.7152, 0.0722], [0.7874, -0.7152, -0.0722], [-0.2126, -0.7152, 0.9278]], np.float32)
_FROM_LUMA = np.linalg.inv(_TO_LUMA.astype(np.float64)).astype(np.float32)
"""RGB to luma (ITU-R BT.709-6, as `luma`), red and blue less luma; and back. Not an orthonormal basis: what is laid in the
colours must not be seen in the light, where the eye is keenest and the network's own texture lies."""

_DUST = np.float32(1e-5)
"""Share of restoration under which a place counts as left alone."""

_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceGrain:
    """The grain around one face, and all that needs no second measurement when a slider moves.

    Attributes:
        grain: as measured around the face and on it, at this layer's resolution.
        level: how often the picture is halved: the face's crop has no finer detail than that, so none is missing.
        box: the face's crop in the picture.
        grey: whether all channels get the same grain.
        bands, energies: octaves of the picture before (luma and colour differences; luma alone, if ``grey``), and their
            energies in a neighbourhood.
        field, dues: octaves of new grain of the whole strength, in the same components, and their energies, evened out.
        rows, columns, light: flat blocks on the face, and how bright they are.
    """

    grain: Grain
    level: int
    box: Box
    grey: bool
    bands: tuple[_Map, ...]
    energies: tuple[_Map, ...]
    field: tuple[_Map, ...]
    dues: tuple[_Map, ...]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    light: NDArray[np.float64]

    @property
    def nbytes(self) -> int:
        """Memory of the layers."""
        return sum(layer.nbytes for layer in (*self.bands, *self.energies, *self.field, *self.dues))

    def lay(self, after: Pixels, share: _Map, amount: float = 1.0) -> Pixels:
        """The grain that is missing.

        Args:
            after: the restored picture, H x W x 3 in [0, 1].
            share: over ``box``, in [0, 1], how far the face was restored; nothing is laid where it is 0.
            amount: how much of the missing grain is laid.

        Returns:
            what to add over ``box``, as many px high and wide; zero on the mean.
        """
        return self.lay_over(after[self.box.to_slices()], share, amount)

    def lay_over(self, full: Pixels, share: _Map, amount: float = 1.0) -> Pixels:
        """`lay`, from what the restored picture holds over ``box`` alone."""
        if not self.grain.sigma.any():
            return np.zeros_like(full)
        area = _halved(full, self.level)
        given = np.clip(_halved(share, self.level), 0.0, 1.0)
        # At most what a cross-fade of this share can have taken.
        most = 1.0 - np.square(1.0 - given)
        octaves = laplacian_pyramid(_seen(area, self.grey), _OCTAVES + 1)[:_OCTAVES]
        light = gaussian_blur(luma(area), _LIGHT)
        mixed: list[_Map] = []
        weight = np.zeros_like(light)
        for index, (octave, before, energy) in enumerate(zip(octaves, self.bands, self.energies, strict=True)):
            shared = _solid(gaussian_blur(octave * before, _WINDOWS[index]))
            survived = np.square(np.clip(shared / (energy + np.float32(1e-9)), 0.0, 1.0))
            here = _sized(light, survived)
            excess = self._excess(index, _solid(octave), survived, here)
            lost = 1.0 - survived
            # Where nothing was taken nothing is missing, however grainless the face was before.
            limit = np.minimum(_sized(most, survived)[:, :, None], 2.0 * lost)
            missing = np.clip(lost - excess, 0.0, limit)
            weight = np.sqrt(missing).reshape(self.field[index].shape)
            mixed.append(self.field[index] * weight)
        mixed.append(self.field[_OCTAVES] * _sized(weight, self.field[_OCTAVES]))
        laid = _solid(collapse(tuple(mixed))) * np.float32(amount)
        laid = np.repeat(laid, 3, axis=2) if self.grey else _transformed(laid, _FROM_LUMA)
        laid = _enlarged(laid, full, self.level)
        # Cut evenly on both sides near black and white: cut on one side only, grain would lift the one and dull the other.
        room = np.minimum(full, np.float32(1) - full)
        laid = np.clip(laid, -room, room)
        # Interpolation leaves dust in the share, and the root of dust is seen in sixteen bits.
        return np.where(share[:, :, None] > _DUST, laid, np.float32(0))

    def _excess(self, index: int, octave: _Map, survived: _Map, light: _Map) -> _Map:
        """What flat places hold beside the survived grain, as a share of the grain's energy; h x w x 1 or 3, may be below 0.

        That is what the restoration put there itself, and what the face lacked before, as grain is only given back. A face
        that has more fine structure than its background is taken to have skin, not grain.
        """
        side = BLOCK >> index
        rows, columns = self.rows >> index, self.columns >> index
        fits = (rows + side <= octave.shape[0]) & (columns + side <= octave.shape[1])
        if fits.sum() < _ENOUGH:
            return np.zeros((1, 1, 1), np.float32)
        rows, columns, bright = rows[fits], columns[fits], self.light[fits]
        groups = np.array_split(np.argsort(bright), min(_LIGHTS, max(1, len(bright) // _ENOUGH)))
        lights = np.array([bright[g].mean() for g in groups])
        found: list[_Map] = []
        for c in range(octave.shape[2]):
            now, before, kept, due = (
                block_means(np.ascontiguousarray(x[:, :, c]), rows, columns, side)
                for x in (np.square(octave), np.square(_solid(self.bands[index])), survived, _solid(self.dues[index]))
            )
            # Medians: lines that the restoration sharpened are no grain.
            middle = np.array(
                [[np.median(x[g]) for g in groups] for x in (now - kept * before, kept, due - before, due)]
            )
            added, survival, lacking, whole = middle
            shares = (added + (1.0 - survival) * np.maximum(lacking, 0.0)) / np.maximum(whole, 1e-12)
            found.append(curve(light, lights, shares))
        return np.stack(found, axis=-1)


def measure_face_grain(
    picture: Pixels, alignment: Alignment, mask: _Map, *, seed: int, grey: bool = False
) -> FaceGrain:
    """Measure the grain around a face and on it.

    Args:
        picture: H x W x 3, [0, 1], before restoration.
        alignment: of the face.
        mask: S x S, the paste-back mask.
        seed: decides the new grain.
        grey: measure and lay it in all channels alike.

    Raises:
        ValueError: if there are not even 64 x 64 pixels to measure on.
    """
    # A crop that is half as fine as the picture cannot have touched the picture's finest octave.
    level = max(0, int(np.floor(-np.log2(alignment.scale) + 0.25)))
    box = alignment.box
    reach = box.expanded(0.75).clipped(alignment.picture_size)
    rows, columns = reach.to_slices()
    around = _halved(picture[rows, columns], level)
    if grey:
        around = np.repeat(luma(around)[:, :, None], 3, axis=2)
    face = np.zeros((int(reach.height), int(reach.width)), np.float32)
    laid, _ = unwarp(mask, alignment)
    top, left = int(box.top - reach.top), int(box.left - reach.left)
    face[top : top + laid.shape[0], left : left + laid.shape[1]] = laid
    grain = measure_grain(around, _halved(face, level))

    rows, columns = box.to_slices()
    area = _halved(picture[rows, columns], level)
    bands = laplacian_pyramid(_seen(area, grey), _OCTAVES + 1)[:_OCTAVES]
    energies = tuple(_solid(gaussian_blur(np.square(band), sigma)) for band, sigma in zip(bands, _WINDOWS, strict=True))
    light = gaussian_blur(luma(area), _LIGHT)
    field = grain.field(area.shape[0], area.shape[1], seed=seed)
    field *= np.stack([grain.at(light, c) for c in range(3)], axis=-1)
    # In black and white the three are alike but for their signs' chance: one of them is the grain.
    field = laplacian_pyramid(field[:, :, 0] if grey else _transformed(field, _TO_LUMA), _OCTAVES + 1)
    found_rows, found_columns, found_light = np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    if min(area.shape[:2]) >= BLOCK:
        found_rows, found_columns, found_light = flat_blocks(area, _halved(laid, level) > _FULL)
    return FaceGrain(
        grain=grain,
        level=level,
        box=box,
        grey=grey,
        bands=bands,
        energies=energies,
        field=field,
        dues=tuple(_solid(gaussian_blur(np.square(octave), _EVEN)) for octave in field[:_OCTAVES]),
        rows=found_rows,
        columns=found_columns,
        light=found_light,
    )


def _seen(pixels: Pixels, grey: bool) -> _Map:
    """What grain is told from: luma in black and white, as all channels are alike, else luma and colour differences."""
    return luma(pixels) if grey else _transformed(pixels, _TO_LUMA)


def _transformed(x: _Map, matrix: _Map) -> _Map:
    """Each pixel of H x W x 3 times a 3 x 3 matrix."""
    return np.asarray(cv2.transform(x, matrix), dtype=np.float32)


def _solid(x: _Map) -> _Map:
    """H x W as H x W x 1; filters drop a last axis of 1."""
    return x if x.ndim == 3 else x[:, :, None]


def _halved(x: _Map, times: int) -> _Map:
    for _ in range(times):
        x = np.asarray(cv2.pyrDown(x), dtype=np.float32)
    return x


def _enlarged(x: _Map, like: _Map, times: int) -> _Map:
    sizes = [like.shape[:2]]
    for _ in range(times):
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    for height, width in sizes[-2::-1]:
        x = np.asarray(cv2.pyrUp(x, dstsize=(width, height)), dtype=np.float32)
    return x


def _sized(x: _Map, like: _Map) -> _Map:
    """Brought to the size of a coarser octave."""
    if x.shape[:2] == like.shape[:2]:
        return x
    return np.asarray(cv2.resize(x, (like.shape[1], like.shape[0]), interpolation=cv2.INTER_AREA), dtype=np.float32)
