"""What another photograph of the person gives to a restored face.

T is the target of the restoration (`likeness.restore.relaxation`), W the luma of the reference laid in the face's place
(`likeness.reference.correspondence`), G a Gaussian whose sigma is the photograph's own blur:

    F = T + strength m d,    d = g (W - G W) - (T - G T),    g = G T / G W

Light and colour, coarser than sigma, stay the photograph's: it holds them, but for the colour of irises that are hardly
wider than sigma (`likeness.reference.irises`). Finer than that it holds nothing, and what stands there in T is the
network's guess. The quotient g lays the reference's detail in the photograph's light; m, in [0, 1], says where the
reference may give: where it shows this part of the face, in the same state, and where a small network
(`likeness.runtimes.lending`), which sees photograph, restored face and reference, holds d to be nearer to the truth than
what stands there, the fine and the coarse part of it each for itself. Of d only what rises above the reference's own noise
is taken (`_above_noise`). All but ``strength`` is measured once and kept with the projection, so a slider costs one
addition.

The photograph's blur is told by its own spectrum (`likeness.reference.blur`): the reference would tell too much where it is
not quite in place or lit otherwise, and the network's answer too little, as it is softest where the photograph is poorest.
But a good photograph, which the network leaves as it is, counts as holding everything; unless it has so much less contrast
than the reference that the network must have been at a loss. A little coarser than its blur a lost photograph holds noise
and not the person: there sigma is more than its blur.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.core.parallel import map_in_order
from likeness.errors import ControlError
from likeness.faces.align import TEMPLATE_SIZE
from likeness.faces.effective_resolution import quiet_power
from likeness.faces.face import Landmarks
from likeness.faces.outlines import EYE_OUTLINES, OVAL_OUTLINE
from likeness.faces.regions import RegionMasks
from likeness.imaging.colour import luma
from likeness.imaging.filters import box_around, disc, gaussian_blur, resize, to_channels, wide_blur
from likeness.imaging.image import Pixels, Size
from likeness.messages.notice import Notice
from likeness.reference.blur import face_blur
from likeness.reference.correspondence import Map, fold_free, mesh_map, refined_map, sampled
from likeness.reference.expression import Expression, rising
from likeness.reference.irises import colour_change
from likeness.reference.photographs import Reference, resolution_of
from likeness.reference.proportions import with_proportions
from likeness.reference.spectacles import without_other_spectacles
from likeness.restore.references import Gift
from likeness.runtimes.lending import judge_lending

__all__ = [
    "Laid",
    "WarpedReference",
    "best_of",
    "fuse",
    "lay_reference",
    "photograph_blur",
    "warp_reference",
    "warp_references",
]

_Map = NDArray[np.float32]

_SIGMAS = (0.0, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 4.8, 5.6, 6.7, 8.0, 9.5, 11.3, 13.4, 16.0)
"""Blurs that are tried, px at 512."""
_TONE = 24.0
"""Sigma of what counts as light and not as detail when blurs are compared, px at 512."""
_LOST, _TAKEN, _WIDER = (4.6, 5.4), 9.0, 1.3
"""Blurs between which a photograph comes to count as lost, px at 512: all finer than 9 px, or than 1.3 times the blur, if
that is more, is the reference's then."""
_NO_SHARPER = (0.5, 0.8)
"""`_pixel` of the reference over that of the photograph: from the first on it stands in for less of a lost one, and from the
second on it has nothing to give."""
_NOTHING_LOST = 0.7
"""Blur under which the photograph holds all that there is, px at 512."""
_LEAST, _SURER, _WHOLLY = 0.8, 0.25, (2.5, 6.0)
"""Share that a reference gives of what it may, and how much surer the judge has to be; and the blurs, px at 512, between
which the one rises to all and the other falls to nothing. A little finer than what a photograph shows, the network knows
nearly as much as a reference; two errors that differ are smaller in the mean."""
_DARKEST = 0.02
_GAIN = (0.5, 2.0)
_WORTH, _WORTH_OUTSIDE = (0.15, 0.45), (0.55, 0.85)
"""How likely the reference's detail is to be nearer to the truth (`judge_lending`) where a part is taken, and all: on the
face, and outside its mesh, where outlines of hair, ears and clothes that are not quite in place are seen as ghosts."""
_FINE = 3.0
"""Sigma of the coarsest detail that the judge calls fine, px at 512, but at most half of the photograph's blur."""
_INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_FOLDS, _FOLDS_LEFT = 32.0, 0.8
"""How far around the mouth a laugh folds the skin, px at 512, and how much of the detail there goes with it."""
_EYE_FOLDS = (
    (133, 33, 35, 143, 124, 111, 117, 118, 119, 120, 121),
    (362, 263, 265, 372, 353, 340, 346, 347, 348, 349, 350),
)
"""Where a laugh folds the skin around each eye: beside its outer corner and under it."""
_LIDS = 5.0
"""How far around an eye its lids keep out of that, px at 512."""
_FINEST = 0.5
"""The least sigma that a grid of pixels knows, px."""
_OCTAVES = (1.0, 2.0, 4.0, 8.0)
"""Edges of the octaves in which a noisy reference is heard, sigma in px at 512."""
_OVER, _UNSEEN = 1.5, 1.0 / 255
"""k: times its mean power that noise, which varies from place to place, has at most; and its deviation in an octave that
nobody sees."""
_IRIS = 2.0
"""Radius of an iris in pixels that the reference resolves, from which its colour is its own."""
_NOT_EVERYBODYS, _SEEN, _TOLD = ("beard", "glasses", "occluder"), 0.01, 0.05
"""Regions that a face need not have, and the share of the crop that is surely such a one where it has; and the mean share of
a reference in a region from which on it is told. On severe blur 0.009 of the crop passes for rims where nobody wears any."""
_SOFTER, _MUCH_SOFTER = 0.6, 0.4
"""Share of the restored face's contrast in an octave under which a reference is too soft there to give anything; and share
of the reference's under which a restored face holds nothing there, though the network left it as it was."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WarpedReference:
    """What one reference, or the best of several, gives to one face; kept with the face's projection.

    Attributes:
        detail: S x S x 3, what full strength adds: m d to the luma, and to irises their colour.
        shares: S x S in [0, 1], m: how far the reference may give.
        sigma: the photograph's blur, px of the crop; finer detail is the reference's.
        names: of the references.
        source: S x S, number of the reference that gives at a place; -1 where none does.
    """

    detail: Pixels
    shares: _Map
    sigma: float
    names: tuple[str, ...]
    source: NDArray[np.int8]

    @property
    def nbytes(self) -> int:
        return self.detail.nbytes + self.shares.nbytes + self.source.nbytes

    def lent(self, share: float) -> WarpedReference:
        """The same with a share, in [0, 1], of what it gives."""
        part = np.float32(share)
        return self if share == 1 else replace(self, detail=self.detail * part, shares=self.shares * part)

    def share_of(self, name: str) -> _Map:
        """S x S in [0, 1]: how far the photograph of a name may give."""
        numbers = [number for number, own in enumerate(self.names) if own == name]
        return self.shares * np.isin(self.source, numbers)

    def gifts(self, masks: RegionMasks) -> tuple[Gift, ...]:
        """Per region, how much came from which photograph; those that got nothing, or that the face lacks, are left out."""
        none = {region for region in _NOT_EVERYBODYS if float((masks.masks[region] > 0.5).mean()) < _SEEN}
        found: list[Gift] = []
        for number, name in enumerate(self.names):
            means = masks.means(self.shares * (self.source == number))
            found += [
                Gift(region=region, name=name, share=share)
                for region, share in means.items()
                if share >= _TOLD and region not in none
            ]
        return tuple(found)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Receiver:
    """What of a face does not depend on the references: measured once for all of them."""

    shown: _Map
    target: Pixels
    goal: _Map
    landmarks: Landmarks
    face: _Map
    pixel: float
    """`_pixel` of the photograph."""
    blur: float
    """Of the photograph, px at 512."""
    left_alone: bool
    """Whether the network left the photograph as it was."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Laid:
    """A reference laid in a face's place.

    Attributes:
        light: S x S, luma of the reference there.
        gain: S x S, what lays it in the face's light.
        valid: S x S in [0, 1], where the reference shows anything.
        places: the map.
        landmarks: the face's, drawn toward the proportions of the reference.
        sigma: the photograph's blur, px of the crop; finer detail is the reference's.
    """

    light: _Map
    gain: _Map
    valid: _Map
    places: Map
    landmarks: Landmarks
    sigma: float

    @property
    def shown(self) -> _Map:
        """The reference in the face's light, in [0, 1]."""
        return np.clip(self.gain * self.light, 0, 1)

    @property
    def fine(self) -> float:
        """Sigma of the coarsest detail that the judge calls fine, px of the crop."""
        return min(_FINE * self.light.shape[0] / 512, self.sigma / 2)


def lay_reference(reference: Reference, *, crop: Pixels, target: Pixels, landmarks: Landmarks) -> Laid | None:
    """Lay a reference in a face's place (arguments as for `warp_references`); None if the photograph lacks nothing that
    the reference has."""
    return _laid(reference, _receiver(crop, target, landmarks))


def warp_reference(reference: Reference, *, crop: Pixels, target: Pixels, landmarks: Landmarks) -> WarpedReference:
    """Lay a reference in a face's place and decide what it may give; see `warp_references`."""
    return warp_references([reference], crop=crop, target=target, landmarks=landmarks)[0]


def warp_references(
    references: Sequence[Reference], *, crop: Pixels, target: Pixels, landmarks: Landmarks
) -> tuple[WarpedReference, ...]:
    """Lay references in a face's place, two at a time, and decide what each may give.

    Args:
        references: of the same size S.
        crop: S x S x 3 in [0, 1], the photograph's aligned crop.
        target: S x S x 3, the restored face: `FaceProjection.target`.
        landmarks: the mesh of the restored face in the crop; the degraded one's is too far off.

    Raises:
        ValueError: if the sizes differ.
    """
    if target.shape != crop.shape or any(reference.light.shape != crop.shape[:2] for reference in references):
        raise ValueError("crop, target and references must be of one size")
    receiver = _receiver(crop, target, landmarks)
    workers = min(2, max(1, len(references)))
    return tuple(map_in_order(lambda one: _warped(one, receiver), references, workers=workers))


def _receiver(crop: Pixels, target: Pixels, landmarks: Landmarks) -> _Receiver:
    side = crop.shape[0]
    shown, goal = luma(crop), luma(target)
    face = gaussian_blur(_polygons([landmarks.points[list(OVAL_OUTLINE)]], side), 8 * side / 512)
    return _Receiver(
        shown=shown,
        target=target,
        goal=goal,
        landmarks=landmarks,
        face=face,
        pixel=_pixel(resolution_of(shown, TEMPLATE_SIZE), side),
        blur=face_blur(shown),
        left_alone=photograph_blur(shown, goal, face) == 0,
    )


def _laid(reference: Reference, receiver: _Receiver) -> Laid | None:
    goal, face, landmarks, blur = receiver.goal, receiver.face, receiver.landmarks, receiver.blur
    side = goal.shape[0]
    unit = side / 512
    first = sampled(reference.light, mesh_map(landmarks.points, reference.points, side))
    good = receiver.left_alone and _softness(goal, first, face, _MUCH_SOFTER) < _NOTHING_LOST * unit
    sharper = 1 - float(rising(_pixel(reference.resolution, side) / receiver.pixel, *_NO_SHARPER))
    if good or blur < _NOTHING_LOST or sharper == 0:
        return None
    lost = float(rising(blur, *_LOST)) * sharper
    sigma = unit * (blur + lost * (max(_TAKEN, _WIDER * blur) - blur))
    landmarks = with_proportions(landmarks, reference, sigma, side)
    places = refined_map(mesh_map(landmarks.points, reference.points, side), goal, reference.light, sigma)
    laid = sampled(reference.light, places)
    low, low_laid = gaussian_blur(goal, sigma), gaussian_blur(laid, sigma)
    return Laid(
        light=laid,
        gain=np.clip(low / np.maximum(low_laid, _DARKEST), *_GAIN),
        valid=fold_free(places) * np.clip(sampled(reference.valid, places), 0, 1),
        places=places,
        landmarks=landmarks,
        sigma=sigma,
    )


def _warped(reference: Reference, receiver: _Receiver) -> WarpedReference:
    goal, face = receiver.goal, receiver.face
    side = goal.shape[0]
    unit = side / 512
    names = (reference.name,)
    laid = _laid(reference, receiver)
    if laid is None:
        nothing = np.zeros((side, side), np.float32)
        nobody = np.full((side, side), -1, np.int8)
        return WarpedReference(detail=to_channels(nothing), shares=nothing, sigma=0.0, names=names, source=nobody)
    expression, points, sigma = Expression.of(laid.landmarks), laid.landmarks.points, laid.sigma
    allowed = _states(expression, reference.expression, points, side) * laid.valid
    allowed *= expression.turn(reference.expression)
    wholly = float(rising(sigma / unit, *_WHOLLY))
    allowed *= _LEAST + (1 - _LEAST) * wholly
    if reference.spectacles is not None:
        allowed *= without_other_spectacles(reference.spectacles, receiver.target, points, laid.places)
    allowed = gaussian_blur(allowed * _inside(side), max(2 * unit, 0.5 * sigma))
    likely = judge_lending(receiver.shown, goal, laid.shown, laid.valid, sigma / unit)
    sure = (x - _SURER * (1 - wholly) for x in likely)
    fine, coarse = (rising(x, *_WORTH) * face + rising(x, *_WORTH_OUTSIDE) * (1 - face) for x in sure)
    finest = min(_softness(laid.light, goal, face, _SOFTER), sigma)
    change = _above_noise(reference.light, laid, goal, (fine, coarse), finest)
    light = allowed * _within(change, goal, sigma, 1 - face)
    shares = allowed * (fine + coarse) / 2
    detail = to_channels(light)
    if reference.irises is not None and reference.resolved(min(reference.irises.radii)) >= _IRIS:
        colour = colour_change(
            receiver.target,
            goal + light,
            points,
            colours=reference.irises,
            source=reference.points,
            places=laid.places,
            sigma=sigma,
        )
        if colour is not None:
            detail += to_channels(shares) * colour
    source = np.where(shares > 0.02, np.int8(0), np.int8(-1)).astype(np.int8)
    return WarpedReference(detail=detail, shares=shares, sigma=sigma, names=names, source=source)


def best_of(warped: Sequence[WarpedReference], masks: RegionMasks) -> WarpedReference:
    """One out of several references, the best for each region: means of two warped faces would be soft.

    Raises:
        ValueError: without any.
    """
    if not warped:
        raise ValueError("there must be at least one warped reference")
    if len(warped) == 1:
        return warped[0]
    means = [masks.means(one.shares) for one in warped]
    best = {region: int(np.argmax([mean[region] for mean in means])) for region in means[0]}
    weights = [
        masks.blend({region: float(number == own) for region, own in best.items()}) for number in range(len(warped))
    ]
    shares = np.add.reduce([weight * one.shares for weight, one in zip(weights, warped, strict=True)])
    detail = np.add.reduce([to_channels(weight) * one.detail for weight, one in zip(weights, warped, strict=True)])
    source = np.argmax(np.stack(weights), axis=0).astype(np.int8)
    return WarpedReference(
        detail=detail,
        shares=shares,
        sigma=float(np.mean([one.sigma for one in warped])),
        names=tuple(name for one in warped for name in one.names),
        source=np.where(shares > 0.02, source, np.int8(-1)).astype(np.int8),
    )


def fuse(target: Pixels, warped: WarpedReference, strength: float = 1.0) -> Pixels:
    """The restored face with what the reference gives: takes the target's place in the closed form.

    Args:
        target: `FaceProjection.target`, or `PlacedFace.target` on an enlarged picture, S x S x 3 of any S.
        warped: what the reference gives.
        strength: how much of it, in [0, 1]; 0 returns ``target`` itself.

    Raises:
        ControlError: if ``strength`` is out of range.
    """
    if not 0 <= strength <= 1:
        raise ControlError(Notice("reference.strength", {"strength": strength}))
    if strength == 0:
        return target
    detail = warped.detail * np.float32(strength)
    if target.shape[:2] != detail.shape:
        detail = resize(detail, Size(target.shape[1], target.shape[0]), "cubic")
    return target + detail


def photograph_blur(shown: _Map, sharp: _Map, area: _Map) -> float:
    """Sigma, px, by which ``sharp`` is to be blurred to come closest to ``shown`` within ``area`` (all S x S)."""
    unit = shown.shape[0] / 512
    one, other = (x - wide_blur(x, _TONE * unit) for x in (shown, sharp))
    errors = []
    for sigma in _SIGMAS:
        difference = (wide_blur(other, sigma * unit) if sigma > 0 else other) - one
        errors.append(float((area * difference * difference).sum()))
    return _SIGMAS[int(np.argmin(errors))] * unit


def _pixel(resolution: float, side: int) -> float:
    """Side of what counts as one pixel, px at 512, without what a smaller grid adds; squares add, as those of blurs do."""
    grid = max(TEMPLATE_SIZE / side, 1.0)
    return max((TEMPLATE_SIZE / resolution) ** 2 - grid**2 + 1, 1.0) ** 0.5


def _states(face: Expression, other: Expression, points: NDArray[np.float32], side: int) -> _Map:
    """1 where the state of eyes and mouth allows a gift, less where they differ."""
    unit = side / 512
    allowed = np.ones((side, side), np.float32)
    lips = [points[list(_LIPS)], points[list(_INNER_LIPS)]]
    kept = [([points[list(outline)]], 10, 1 - face.eye(other, which)) for which, outline in enumerate(EYE_OUTLINES)]
    kept += [(lips, 8, 1 - face.lips(other)), (lips, _FOLDS, _FOLDS_LEFT * (1 - face.folds(other)))]
    for outlines, radius, share in kept:
        if share > 0:
            allowed *= 1 - _grown(_polygons(outlines, side), radius * unit) * np.float32(share)
    laugh = _FOLDS_LEFT * (1 - face.folds(other))
    if laugh > 0:
        eyes = _grown(_polygons([points[list(outline)] for outline in EYE_OUTLINES], side), _LIDS * unit)
        hulls = [np.asarray(cv2.convexHull(points[list(area)]), dtype=np.float32)[:, 0] for area in _EYE_FOLDS]
        folds = _polygons(hulls, side)
        allowed *= 1 - np.float32(laugh) * gaussian_blur(folds, _LIDS * unit) * (1 - eyes)
    return allowed


def _above_noise(light: _Map, laid: Laid, goal: _Map, taken: tuple[_Map, _Map], finest: float) -> _Map:
    """What a reference's detail adds where it is to be taken and rises above its own noise, octave by octave.

    In each the share w = 1 - k n^2 / v, 0 at least, is the reference's: n^2 the power of its noise, v that of its detail
    nearby (Wiener's filter). The rest stays the restored face's: where a reference shows nothing but noise it says nothing.

    Args:
        light: S x S, luma of the reference in its own place, where its noise is measured.
        laid: the same in the face's place.
        goal: luma of the restored face.
        taken: share of the fine and of the coarse detail that is to be taken.
        finest: the finest of the detail, px.
    """
    unit, sigma = goal.shape[0] / 512, laid.sigma
    edges = [finest, *(edge * unit for edge in _OCTAVES if 1.3 * finest < edge * unit < sigma / 1.3), sigma]
    levels = [[gaussian_blur(x, edge) if edge > 0 else x for x in (light, laid.light, goal)] for edge in edges]
    change = np.zeros_like(goal)
    for place in range(len(edges) - 1):
        own, one, other = (x - y for x, y in zip(levels[place], levels[place + 1], strict=True))
        noise = max(_OVER * (quiet_power(own * own, light) - _UNSEEN**2), 1e-12)
        share = 1 - noise / np.maximum(wide_blur(one * one, 2 * edges[place + 1] + unit), noise)
        coarse = sum(edges[place : place + 2]) / 2 > laid.fine
        change += taken[coarse] * share * (laid.gain * one - other)
    return change


def _within(detail: _Map, goal: _Map, sigma: float, where: _Map) -> _Map:
    """``detail`` kept from leading beyond the darkest and brightest of the restored face nearby, as far as ``where``.

    Outside the mesh the outlines of hair and shoulders are not quite in place; beside them detail would be a bright rim.
    """
    near = disc(1.5 * sigma)
    top, bottom = (np.asarray(ends(goal, near), dtype=np.float32) for ends in (cv2.dilate, cv2.erode))
    kept = np.clip(goal + detail, bottom, top) - goal
    return detail + where * (kept - detail)


def _softness(one: _Map, other: _Map, face: _Map, share: float) -> float:
    """Sigma, px, finer than which ``one`` has less than ``share`` of the other's contrast; 0 where it has more all along."""
    unit, found = one.shape[0] / 512, 0.0
    for scale in (0.7, 1.4, 2.8, 5.6):
        sigma = scale * unit
        if sigma < _FINEST:
            continue
        contrasts: list[float] = []
        for x in (one, other):
            band = (wide_blur(x, sigma / 2) if sigma > 2 * _FINEST else x) - wide_blur(x, sigma)
            contrasts.append(float((face * band * band).sum()) ** 0.5)
        if contrasts[0] >= share * contrasts[1]:
            break
        found = sigma
    return found


def _inside(side: int) -> _Map:
    """1 in the crop, falling to 0 toward its border."""
    line = np.minimum(np.arange(side), np.arange(side)[::-1]).astype(np.float32) / side
    ramp = rising(line, 0.02, 0.1)
    return np.minimum(ramp[:, None], ramp[None, :])


def _polygons(outlines: Sequence[NDArray[np.float32]], side: int) -> _Map:
    canvas = np.zeros((side, side), np.float32)
    for outline in outlines:
        cv2.fillPoly(canvas, [np.round(outline * 16).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
    return canvas


def _grown(mask: _Map, radius: float) -> _Map:
    near = disc(radius)
    # A large disc takes long, and reaches but a part of the crop: itself, and four sigma of the blur.
    box = box_around(mask, len(near) + int(np.ceil(2 * radius)))
    grown = np.zeros_like(mask)
    grown[box] = gaussian_blur(np.asarray(cv2.dilate(mask[box], near), dtype=np.float32), radius / 2)
    return grown
