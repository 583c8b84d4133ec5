"""Repair of old and damaged pictures, before faces are restored: scratches, ageing, fringes, dots, holes.

Everything here is off unless it is asked for. A small network of our own finds scratches, dust and missing corners
(`likeness.repair.marks`); what is laid in their place is arithmetic on the picture's own pixels, and no network draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.errors import ControlError
from likeness.faces.align import align, unwarp, warp
from likeness.faces.face import Alignment, Face
from likeness.faces.parts import face_parts
from likeness.faces.regions import region_masks
from likeness.imaging.accepting import ImageInput, any_picture
from likeness.imaging.arguments import all_of_type, of_type
from likeness.imaging.colour import luma
from likeness.imaging.filters import disc, gaussian_blur
from likeness.imaging.image import Image, Pixels
from likeness.messages.notice import Notice
from likeness.repair.balance import Balance, apply_balance, measure_balance
from likeness.repair.dot_screen import DotScreen, fade_dot_screen, find_dot_screen
from likeness.repair.fill import fill_holes, fill_thin, grain_field, picture_grain
from likeness.repair.fringes import fade_fringes, find_fringes
from likeness.repair.marks import Marks, find_marks
from likeness.repair.repairs import Repairs
from likeness.runtimes.marks import MarkShares

__all__ = ["MaskEdits", "RepairResult", "damage_of", "face_guards", "filled_in_crop", "find_damage", "repair"]

_KEPT = ("eye", "brow", "lip")
_SKIN = ("cheek", "forehead", "nose", "edge", "ear")
_MASK_SIDE = 256
_LIKELY_RIM = 0.25
"""Share of spectacles from which on a place may be a rim. Thin rims reach little more; where there are none, brows and eyes
reach it, which are kept anyway."""
_NOSE_TIP, _WINGS, _TIP = 4, (129, 358), (0.4, 0.3)
"""Points of the mesh, and how far across and down from the tip a gleam may lie, widths of the nose."""
_THIN = 8.0
"""Half the width of what is filled from its two sides, px of a picture of 1024: a blot is a hole."""

_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class RepairResult:
    """A repaired picture, and what was found in it.

    Attributes:
        image: the picture; equal to the one given to the last bit where nothing was repaired.
        repairs: what was asked for.
        marks: scratches and dust; None if they were not looked for.
        balance: how the picture has aged; None if that was not looked for.
        fringes: H x W in [0, 1], where there are purple fringes; None if they were not looked for.
        screen: the dot screen of a print; None if there is none, or it was not looked for.
        filled: H x W in [0, 1], the regions without pixels that were filled: those of the damage mask, and missing pieces
            that were found; None if there are none of either. No network may draw there.
    """

    image: Image
    repairs: Repairs
    marks: Marks | None = None
    balance: Balance | None = None
    fringes: _Map | None = None
    screen: DotScreen | None = None
    filled: _Map | None = None

    def to_dict(self) -> dict[str, object]:
        """For the report; areas are shares of the picture, and what was not asked for is None."""
        marks, balance = self.marks, self.balance
        return {
            "scratches": None
            if marks is None
            else {
                "amount": self.repairs.scratches,
                "scratches": marks.scratches,
                "specks": marks.specks,
                "pieces": marks.pieces,
                "area": round(marks.area, 6),
            },
            "balance": None
            if balance is None
            else {
                "amount": self.repairs.balance,
                "needed": balance.needed,
                "black": [round(v, 4) for v in balance.black],
                "gain": [round(v, 4) for v in balance.gain],
                "single_tint": balance.tint,
            },
            "fringes": None
            if self.fringes is None
            else {"amount": self.repairs.fringes, "area": round(float((self.fringes > 0.1).mean()), 6)},
            "screen": None
            if self.repairs.screen == 0
            else {
                "amount": self.repairs.screen,
                "period": None if self.screen is None else round(self.screen.period, 2),
            },
            "filled": None if self.filled is None else {"area": round(float(self.filled.mean()), 6)},
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskEdits:
    """What a person has painted over the marks that were found, H x W each.

    Attributes:
        add: to be mended as well.
        rub: to be left as it is.
    """

    add: NDArray[np.bool_]
    rub: NDArray[np.bool_]


def damage_of(mask: Image) -> _Map:
    """A damage mask, H x W in [0, 1], from a picture that is white where another holds nothing; what is transparent in it
    is not damaged."""
    grey = luma(mask.pixels)
    return np.clip(grey if mask.alpha is None else grey * mask.alpha, 0, 1)


def repair(
    image: ImageInput,
    repairs: Repairs,
    damage: NDArray[np.float32] | None = None,
    *,
    faces: Sequence[Face] = (),
    edits: MaskEdits | None = None,
    shares: MarkShares | None = None,
    seed: int = 0,
) -> RepairResult:
    """Repair a picture: fill holes, take a print's dots away, mend scratches and dust, fade fringes, balance ageing.

    In this order: what is laid in the place of a scratch has the picture's grain, and dots are none.

    Args:
        image: any picture, or its file.
        repairs: what to do.
        damage: H x W in [0, 1], 1 where the picture holds nothing (ink, a hole, a torn corner); or None.
        faces: those of the picture: specks in their eyes, brows and lips, and dark ones on their skin, are left alone.
            Without them a catch light or a mole may be taken for dust.
        edits: what is mended besides what was found, and what is not; or None.
        shares: what the network makes of this very picture (`MarksRuntime.look`), if that is known already.
        seed: decides the grain that is laid over what was filled.

    Raises:
        ControlError: if the mask has another size than the picture, holds other values, or covers all of it.
    """
    image = any_picture("image", image)
    pixels = image.pixels
    of_type("repairs", repairs, Repairs)
    faces = all_of_type("faces", faces, Face)
    filled = None if damage is None else _checked(damage, image)
    if filled is not None:
        pixels = _fill(pixels, filled, seed=seed, grey=image.grey)
    checkpoint()
    screen = find_dot_screen(pixels) if repairs.screen > 0 else None
    if screen is not None:
        pixels = fade_dot_screen(pixels, screen, repairs.screen)
    checkpoint()
    marks = balance = fringes = None
    if repairs.scratches > 0 or (edits is not None and bool(edits.add.any())):
        marks = Marks.none(pixels.shape[:2])
        if repairs.scratches > 0:
            # What was filled above is another picture than the one that the network saw.
            seen = shares if pixels is image.pixels else None
            found = image if pixels is image.pixels else image.with_pixels(pixels)
            marks = find_damage(found, faces, sensitivity=repairs.sensitivity, shares=seen)
        marks = marks if edits is None else marks.edited(edits.add, edits.rub)
        amount = repairs.scratches or 1.0
        pixels = _mend(pixels, marks.mask, amount, seed=seed, grey=image.grey)
        if marks.missing.any() and not marks.missing.all():
            gone = marks.missing.astype(np.float32) * np.float32(amount)
            pixels = _fill(pixels, gone, seed=seed, grey=image.grey)
            filled = gone if filled is None else np.maximum(filled, gone)
    checkpoint()
    if repairs.fringes > 0:
        fringes = find_fringes(pixels)
        pixels = pixels if image.grey else fade_fringes(pixels, fringes, repairs.fringes)
    checkpoint()
    if repairs.balance > 0:
        balance = measure_balance(pixels)
        pixels = apply_balance(pixels, balance, repairs.balance)
    return RepairResult(
        image=image if pixels is image.pixels else image.with_pixels(np.clip(pixels, 0, 1, dtype=np.float32)),
        repairs=repairs,
        marks=marks,
        balance=balance,
        fringes=fringes,
        screen=screen,
        filled=filled,
    )


def find_damage(
    image: Image, faces: Sequence[Face], *, sensitivity: float = Repairs.sensitivity, shares: MarkShares | None = None
) -> Marks:
    """What `repair` would mend in a picture with these faces; the arguments are its own."""
    return find_marks(image.pixels, *face_guards(faces, image), sensitivity=sensitivity, shares=shares)


def face_guards(faces: Sequence[Face], image: Image) -> tuple[_Map | None, _Map | None]:
    """Where eyes, brows, lips, spectacles and noses' tips lie, and where skin does: H x W in [0, 1]; None without faces."""
    if not faces:
        return None, None
    size = image.size
    keep = np.zeros((size.height, size.width), np.float32)
    skin = keep.copy()
    for face in faces:
        try:
            alignment = align(face.five_points, size, _MASK_SIDE)
        except ValueError:
            continue  # points that allow no alignment: the face will not be restored either, and its outcome says so
        points = alignment.to_crop(face.landmarks.points).astype(np.float32)
        masks = region_masks(points, _MASK_SIDE)
        kept, on_skin = (np.add.reduce([masks[region] for region in regions]) for regions in (_KEPT, _SKIN))
        kept = np.maximum.reduce([kept, _rims(warp(image.pixels, alignment), points), _gleam(points)])
        for target, mask in ((keep, kept), (skin, on_skin)):
            laid, box = unwarp(mask, alignment)
            area = target[box.to_slices()]
            np.maximum(area, laid, out=area)
    return keep, skin


def _gleam(points: NDArray[np.float32]) -> _Map:
    """S x S, 1 where light gleams on the tip of a nose: as bright and as round as dust."""
    (x, y), wings = points[_NOSE_TIP], points[list(_WINGS)]
    width = float(np.hypot(*(wings[1] - wings[0])))
    canvas = np.zeros((_MASK_SIDE, _MASK_SIDE), np.float32)
    axes = (max(1, round(_TIP[0] * width)), max(1, round(_TIP[1] * width)))
    cv2.ellipse(canvas, (round(float(x)), round(float(y))), axes, 0, 0, 360, (1.0,), -1)
    return canvas


def _rims(crop: Pixels, points: NDArray[np.float32]) -> _Map:
    """S x S, over 0.5 on rims of spectacles and just beside them: a rim is as thin, light or dark as a scratch."""
    likely = face_parts(crop, points)["glasses"] * np.float32(0.5 / _LIKELY_RIM)
    return np.minimum(np.asarray(cv2.dilate(likely, np.ones((5, 5), np.uint8)), np.float32), np.float32(1))


def filled_in_crop(filled: _Map, alignment: Alignment) -> tuple[_Map, _Map]:
    """A picture's filled regions (H x W in [0, 1]) in a face's crop.

    Returns:
        S x S in [0, 1]: the regions; and the regions with a margin, 1 in all of them and falling softly to 0 outside.
    """
    inside = np.ascontiguousarray(warp(np.repeat(filled[:, :, None], 3, axis=2), alignment)[:, :, 0])
    side = inside.shape[0]
    # Grey places of the mask hold pixels in part; what the network draws there would show through all the same.
    hard = (inside > 1e-4).astype(np.uint8)
    # What is laid back is low-passed and interpolated on its way into a coarser picture: that must not reach in, either.
    radius = round(max(0.02 * side, 4.0 * max(1.0, alignment.scale) + 2.0))
    grown = np.asarray(cv2.dilate(hard, disc(radius)), dtype=np.float32)
    # Half of the margin is 1, and over the other half it falls off.
    near = np.clip(2 * gaussian_blur(grown, radius / 3) - np.float32(0.5), 0, 1)
    return inside, np.maximum(near, hard)


def _checked(damage: NDArray[np.float32], image: Image) -> _Map:
    given: object = damage
    if not isinstance(given, np.ndarray) or damage.dtype.kind not in "fiu":  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ControlError(Notice("damage.kind", {"kind": type(given).__name__}))
    height, width = image.pixels.shape[:2]
    if damage.shape != (height, width):
        sizes = {"mask": " x ".join(map(str, damage.shape[::-1])), "size": f"{width} x {height}"}
        raise ControlError(Notice("damage.size", sizes))
    if not np.isfinite(damage).all() or damage.min() < 0 or damage.max() > 1:
        raise ControlError(Notice("damage.values"))
    # Less than half a level of an 8-bit mask is none; blurring a mask leaves such tails.
    damage = np.where(damage < 0.5 / 255, 0, damage)
    if damage.min() > 0:
        raise ControlError(Notice("damage.everything"))
    return np.asarray(damage, dtype=np.float32)


def _fill(pixels: Pixels, damage: _Map, *, seed: int, grey: bool) -> Pixels:
    """Damaged regions from their surroundings, with the picture's grain, blended by the mask's own grey."""
    missing = damage > 0
    if not missing.any():
        return pixels
    return _laid(pixels, fill_holes(pixels, missing), damage, seed=seed, grey=grey)


def _mend(pixels: Pixels, mask: NDArray[np.bool_], amount: float, *, seed: int, grey: bool) -> Pixels:
    """Thin marks filled from their surroundings, with soft edges and the picture's grain."""
    if not mask.any():
        return pixels
    unit = max(1.0, max(pixels.shape[:2]) / 1024)
    radius = round(1.5 * unit)
    # Scanners and lenses blur a scratch: its rim is damaged, too.
    missing = np.asarray(cv2.dilate(mask.astype(np.uint8), disc(radius))) > 0
    filled = fill_thin(pixels, missing, 3.0 * unit)
    wide = _wide(missing, _THIN * unit)
    if wide.any() and not missing.all():
        filled = np.where(wide[:, :, None], fill_holes(pixels, missing), filled)
    soft = gaussian_blur(missing.astype(np.float32), 0.7 * unit)
    # Fully opaque on the mark itself, fading over its rim, nothing beyond.
    weight = np.where(mask, np.float32(1), soft) * missing
    return _laid(pixels, filled, np.float32(amount) * weight, seed=seed, grey=grey)


def _wide(missing: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Where missing places hold a disc of that radius, px, and what is around it."""
    # Outside of the picture nothing is known either: a tear is as wide at the border.
    opened = cv2.morphologyEx(missing.astype(np.uint8), cv2.MORPH_OPEN, disc(radius))
    return missing & (np.asarray(cv2.dilate(opened, np.ones((3, 3), np.uint8))) > 0)


def _laid(pixels: Pixels, filled: Pixels, weight: _Map, *, seed: int, grey: bool) -> Pixels:
    grain = picture_grain(pixels)
    if grain is not None:
        filled = filled + grain_field(grain, filled, seed=seed, grey=grey) * (weight > 0)[:, :, None]
    result = pixels + weight[:, :, None] * (filled - pixels)
    return np.where(weight[:, :, None] > 0, np.clip(result, 0, 1), pixels)
