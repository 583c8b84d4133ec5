"""What the network drew on a face, held steady from frame to frame.

Shown a face twice, with a little other noise or light, the network draws the details that the film lost a little
differently, and that flickers. Here its answers are averaged along the motion, in the aligned crop: the average so far
is moved by dense optical flow (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", 2016) to where the face
is now and counts with the number of answers in it, but only where the picture, moved the same way, looks as it does
now. So still skin keeps its pores, and a mouth that opens is drawn anew at once. As renderers of games do it (Karis,
"High Quality Temporal Supersampling", 2014).

A frame that is blurred counts less than the sharp ones before it, so that the person stays the same through it. What
the film itself holds of the face is averaged the same way, so that its noise does not flicker where its detail is kept;
its light is not.

What other photographs of the person give (`likeness.video.lending`) is measured on the average, at every few answers, and
averaged itself; in between it moves as the face does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.align import align, valid_mask, warp
from likeness.faces.face import Alignment, Face
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize, sampled, to_channels
from likeness.imaging.image import Image, Pixels, Size
from likeness.messages.notice import Notice
from likeness.reference.serving import Match
from likeness.restore.arbitration import HeldDetail
from likeness.restore.controls import Controls
from likeness.restore.outcome import FaceProjection
from likeness.restore.pipeline import Restorer
from likeness.restore.references import Gift, ReferenceMatch
from likeness.video.lending import Lending

__all__ = ["Steady"]

_FLOW_SIDE = 256
"""Side at which the motion within a crop is measured."""

_MOST = 8.0
"""Answers that an average holds at most: it follows what changes slowly within so many frames."""

_SEEN = 3.5
_LEAST = 2.0 / 255.0
"""A difference between a picture and the last one, moved, from which on they are not the same: so many times the noise,
and at least two levels."""
_QUIET = 0.15
"""Share of the face whose differences are noise alone, however wrong the motion is: smooth skin looks the same anywhere."""

_SLACK = 0.5
"""So far the motion may be wrong without the pictures being called different, px at `_FLOW_SIDE`."""

_WINDOW = 2.0
"""Sigma of the neighbourhood in which they are compared, px at `_FLOW_SIDE`."""

_CHANGED = 0.2
"""Share of the face that may have changed before the network has to look again, where it does not look at every frame."""

_MAPS = 0.8
"""How much of the last mask, and of the last shares of held detail, stays."""

_BAND_LIMIT = 0.85
_LOBES = 3
"""A crop that is reduced into its frame keeps what is coarser than the frame's pixels can hold, times so much: the filter
of `likeness.faces.align.unwarp` leaves some of the rest, which is seen as sharpness in one picture and shimmers in motion.
The filter is a sinc in a window of so many lobes (Duchon, "Lanczos Filtering", 1979)."""

_LENT_EVERY = 3
"""Answers of the network after which it is measured anew what other photographs give, unless the face has changed before."""
_FADED = 0.5
"""Likeness of a place to what it was (`_same`) under which what they give there goes."""

_REDUCED = 1.05
_LIGHT = 16
"""Side at which the light of a crop is told: what is coarser than the coarsest band (`likeness.restore.arbitration`)."""

_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Kept:
    """Of a person: the last projection, held steady; the crops averaged the same way; how many answers are in each
    place; the last crop, small, and how much fine detail the crops have; for how many frames the network has not looked;
    and what other photographs give."""

    item: FaceProjection
    seen: Pixels
    count: _Map
    small: NDArray[np.uint8]
    detail: float
    age: int
    lent: _Lent | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Lent:
    """What other photographs give to a face, averaged: what full strength adds, S x S x 3; how many measurements are in
    each place; and for how many answers it was not measured. A `likeness.restore.references.FaceReferences`."""

    detail: Pixels
    count: _Map
    age: int = 0
    matches: tuple[ReferenceMatch, ...] = ()
    gifts: tuple[Gift, ...] = ()
    warnings: tuple[Notice, ...] = ()

    @property
    def nbytes(self) -> int:
        return self.detail.nbytes + self.count.nbytes

    def fused(self, target: Pixels, strength: float) -> Pixels:
        side = target.shape[0]
        detail = self.detail if side == self.detail.shape[0] else resize(self.detail, Size(side, side), "cubic")
        return target + detail * np.float32(strength)

    def to_dict(self) -> dict[str, Any]:
        return {"matches": [], "gifts": [], "lenders": []}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Still:
    """A face that has not changed since the network looked: aligned, its crop, and where each place was then (`_flow`)."""

    alignment: Alignment
    crop: Pixels
    flow: _Map


class Steady:
    """Holds the network's answers of the faces of one video steady.

    Args:
        restorer: whose network is asked.
        controls: as in `Restorer.project`.
        every: see `likeness.video.options.VideoOptions`.
        lending: other photographs of the people; None without any.
    """

    def __init__(self, restorer: Restorer, controls: Controls, *, every: int, lending: Lending | None = None) -> None:
        self._restorer = restorer
        self._controls = controls
        self._every = every
        self._lending = lending if controls.reference_strength > 0 else None
        self._kept: dict[int, _Kept] = {}

    def forget(self, numbers: Sequence[int] | None = None) -> None:
        """Forget people; everybody at a cut."""
        for number in list(self._kept) if numbers is None else numbers:
            self._kept.pop(number, None)

    def project(self, image: Image, faces: Sequence[tuple[int, Face]]) -> list[FaceProjection]:
        """The projections of the faces of the next frame, steady; ``faces`` are numbered by person.

        Raises:
            ValueError: if a face's points are degenerate.
        """
        still = {number: seen for number, face in faces if (seen := self._still(image, number, face)) is not None}
        due = [(number, face) for number, face in faces if number not in still]
        asked = self._restorer.project_all(
            image, [face for _, face in due], self._controls, indices=[number for number, _ in due]
        )
        fresh = {item.index: item for item in asked}
        chosen: dict[int, tuple[Match, ...]] = {}
        if self._lending is not None and asked:
            for item in asked:
                self._lending.look(item)
            chosen = self._lending.choose([number for number, _ in faces])
        items: list[FaceProjection] = []
        for number, face in faces:
            kept = self._kept.get(number)
            if kept is not None and number in still:
                self._kept[number] = replace(kept, age=kept.age + 1)
                items.append(_carried(kept, still[number], image, face))
            else:
                self._kept[number] = self._lent_to(_joined(kept, fresh[number]), chosen.get(number, ()))
                items.append(_shown(self._kept[number]))
        return items

    def _lent_to(self, kept: _Kept, chosen: Sequence[Match]) -> _Kept:
        """Somebody with what other photographs give, where that is to be measured anew."""
        lent = kept.lent
        if self._lending is None or not (chosen or lent):
            return kept
        if lent is not None and lent.age < _LENT_EVERY:
            return kept
        detail = self._lending.lent(kept.item, chosen)
        if detail is None:
            detail = np.zeros_like(kept.item.projection)
        if lent is None:
            return replace(kept, lent=_Lent(detail=detail, count=np.ones(detail.shape[:2], np.float32)))
        count = lent.count + 1
        detail = detail + to_channels(lent.count / count) * (lent.detail - detail)
        return replace(kept, lent=_Lent(detail=detail, count=np.minimum(count, np.float32(_MOST))))

    def _still(self, image: Image, number: int, face: Face) -> _Still | None:
        """How a face moved that can do with what the network drew in an earlier frame; None where it has to look again."""
        kept = self._kept.get(number)
        if kept is None or kept.age + 1 >= self._every or self._controls.refine > 1:
            return None
        last = kept.item.alignment
        alignment = align(face.five_points, image.size, last.crop_size, last.template)
        crop = warp(image.pixels, alignment)
        small, inside = _small(crop), _small_mask(kept.item.mask)
        flow = _flow(small, kept.small)
        changed = _changed(_same(small, kept.small, flow, inside), inside)
        return None if changed else _Still(alignment=alignment, crop=crop, flow=flow)


def _joined(kept: _Kept | None, item: FaceProjection) -> _Kept:
    """A new answer and the average before it."""
    small, detail = _small(item.crop), _detail(item.crop, item.mask)
    side = item.crop.shape[0]
    if kept is None or kept.item.crop.shape != item.crop.shape:
        count = np.ones((side, side), np.float32)
        return _Kept(item=item, seen=item.crop, count=count, small=small, detail=detail, age=0)
    flow = _flow(small, kept.small)
    same = _same(small, kept.small, flow, _small_mask(item.mask))
    size = Size(side, side)
    grid = _grid(flow, side)
    # A sharper frame counts for more than one.
    worth = np.float32(np.clip((detail / max(kept.detail, 1e-6)) ** 2, 0.1, 2.0))
    before = resize(same, size, "linear") * sampled(kept.count, grid, cv2.INTER_LINEAR)
    count = before + worth
    share = to_channels((before / count).astype(np.float32))
    projection = item.projection + share * (sampled(kept.item.projection, grid, cv2.INTER_CUBIC) - item.projection)
    projection = np.clip(projection, 0.0, 1.0, dtype=np.float32)
    seen = np.asarray(item.crop + share * (sampled(kept.seen, grid, cv2.INTER_CUBIC) - item.crop), np.float32)
    held = _steady_held(item.task.held_detail(item.crop, projection), kept.item.held)
    mask = np.asarray(item.mask + np.float32(_MAPS) * (kept.item.mask - item.mask), np.float32)
    mask *= valid_mask(item.alignment)
    steady = replace(item, projection=projection, held=held, mask=mask)
    mean = float(np.float32(0.7) * kept.detail + np.float32(0.3) * detail) if detail < kept.detail else detail
    count = np.minimum(count, np.float32(_MOST))
    lent = None if kept.lent is None else _lent_moved(kept.lent, same, grid, _small_mask(item.mask))
    return _Kept(item=steady, seen=seen, count=count, small=small, detail=mean, age=0, lent=lent)


def _lent_moved(lent: _Lent, same: _Map, grid: _Map, inside: _Map) -> _Lent:
    """What other photographs give, where the face is now: gone where that has changed, and wanted anew if much has."""
    side = lent.detail.shape[0]
    changed = _changed(same, inside)
    same = resize(same, Size(side, side), "linear")
    detail = sampled(lent.detail, grid, cv2.INTER_CUBIC) * to_channels(
        np.minimum(same / np.float32(_FADED), np.float32(1))
    )
    count = sampled(lent.count, grid, cv2.INTER_LINEAR) * same
    return _Lent(detail=detail, count=count, age=_LENT_EVERY if changed else lent.age + 1)


def _shown(kept: _Kept) -> FaceProjection:
    return _with_target(kept.item, kept.seen, kept.lent)


def _with_target(item: FaceProjection, seen: Pixels, lent: _Lent | None) -> FaceProjection:
    """A projection as it is laid on a frame: band-limited, and with the detail of the averaged crop for that of the
    last."""
    projection = item.projection
    if item.alignment.native_side * _REDUCED < item.alignment.crop_size:
        share = item.alignment.native_side / item.alignment.crop_size
        projection = np.clip(_band_limited(projection, share), 0.0, 1.0, dtype=np.float32)
        lent = None if lent is None else replace(lent, detail=_band_limited(lent.detail, share))
    shown = replace(item, projection=projection, references=lent)
    side = item.alignment.crop_size
    light = resize(resize(item.crop - seen, Size(_LIGHT, _LIGHT), "area"), Size(side, side), "cubic")
    # Kept where `FaceProjection.target` keeps it: relaxation leads there.
    vars(shown)["target"] = item.task.target(seen, projection, item.held) + light
    return shown


def _band_limited(x: Pixels, share: float) -> Pixels:
    """Without what is finer than a picture of ``share`` times the size holds."""
    cutoff = _BAND_LIMIT * share
    reach = int(np.ceil(_LOBES / cutoff))
    steps = np.arange(-reach, reach + 1, dtype=np.float64)
    kernel = np.sinc(cutoff * steps) * np.sinc(steps / (reach + 1))
    kernel /= kernel.sum()
    limited = cv2.sepFilter2D(x, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(limited, np.float32)


def _carried(kept: _Kept, still: _Still, image: Image, face: Face) -> FaceProjection:
    """The last average on a frame that the network did not see."""
    last, crop = kept.item, still.crop
    grid = _grid(still.flow, crop.shape[0])
    projection = np.clip(sampled(last.projection, grid, cv2.INTER_CUBIC), 0.0, 1.0, dtype=np.float32)
    carried = replace(
        last,
        face=face,
        alignment=still.alignment,
        crop=crop,
        projection=projection,
        start=crop,
        held=_steady_held(last.task.held_detail(crop, projection), last.held),
        # In the aligned crop the regions hardly move until the network looks again.
        mask=sampled(last.mask, grid, cv2.INTER_LINEAR) * valid_mask(still.alignment),
        picture=image.pixels,
    )
    lent = None if kept.lent is None else replace(kept.lent, detail=sampled(kept.lent.detail, grid, cv2.INTER_CUBIC))
    return _with_target(carried, sampled(kept.seen, grid, cv2.INTER_CUBIC), lent)


def _steady_held(held: HeldDetail, last: HeldDetail) -> HeldDetail:
    """What stays of a picture, changing no faster than the network's answers do."""
    shares = tuple(
        np.asarray(now + np.float32(_MAPS) * (before - now), np.float32)
        for now, before in zip(held.shares, last.shares, strict=True)
    )
    return HeldDetail(shares=shares, grain=held.grain + _MAPS * (last.grain - held.grain))


def _small(crop: Pixels) -> NDArray[np.uint8]:
    grey = resize(luma(crop), Size(_FLOW_SIDE, _FLOW_SIDE), "area")
    return np.asarray(cv2.convertScaleAbs(grey, alpha=255.0), np.uint8)


def _small_mask(mask: _Map) -> _Map:
    return resize(mask, Size(_FLOW_SIDE, _FLOW_SIDE), "area")


def _flow(now: NDArray[np.uint8], before: NDArray[np.uint8]) -> _Map:
    """Where each place of a crop was before: how far from it, 256 x 256 x 2, px."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return np.asarray(search.calc(now, before, np.empty((0, 0), np.float32)), np.float32)


def _same(now: NDArray[np.uint8], before: NDArray[np.uint8], flow: _Map, inside: _Map) -> _Map:
    """Whether each place of a crop looks as it did before, 256 x 256 in [0, 1]; ``inside`` is the face."""
    moved = sampled(before.astype(np.float32), _grid(flow, _FLOW_SIDE), cv2.INTER_LINEAR) / np.float32(255)
    light = now.astype(np.float32) / np.float32(255)
    off = gaussian_blur(np.square(light - moved), _WINDOW)
    face = off[inside > 0.5]
    noise = float(np.quantile(face, _QUIET)) if face.size else 0.0
    across, down = (np.asarray(cv2.Sobel(light, cv2.CV_32F, x, 1 - x, scale=1 / 8), np.float32) for x in (1, 0))
    slope = gaussian_blur(across * across + down * down, _WINDOW)
    limit = max(_SEEN**2 * noise, _LEAST**2) + np.float32(_SLACK**2) * slope
    return np.exp(-np.square(off / limit)).astype(np.float32)


def _changed(same: _Map, inside: _Map) -> bool:
    """Whether so much of a face has changed that the network has to look again."""
    return float(((1 - same) * inside).sum()) > _CHANGED * float(inside.sum())


def _grid(flow: _Map, side: int) -> _Map:
    """Places to sample at for a crop of a side, S x S x 2."""
    factor = side / flow.shape[0]
    if factor != 1:
        flow = np.asarray(cv2.resize(flow, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
    down, across = np.mgrid[0:side, 0:side].astype(np.float32)
    return np.stack([across, down], axis=-1) + flow * np.float32(factor)


def _detail(crop: Pixels, mask: _Map) -> float:
    """Root mean square of what is finer than 2 px on the face: less where the frame is blurred."""
    grey = luma(crop)
    fine = np.square(grey - gaussian_blur(grey, 2.0))
    return float(np.sqrt((fine * mask).sum() / max(float(mask.sum()), 1.0)))
