"""The anomaly guard: is an output one that nobody should see before a person has looked at it?

Each output is held against its input, face by face, by figures of `likeness.evidence` and a few coarse ones of its own that
see what a restoration never does: another face, a cast, a blotch, an empty or burnt-out face, one that moved, a visible
border, changes where no face is. A face whose verdict is bad (`likeness.evidence.face_verdict`) is doubted as well. It does
not judge taste: a face that is merely too smooth passes.

The limits lie between real restorations and outputs that were broken on purpose; docs/batch.md has the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from likeness.errors import ConfigError, MissingExtraError
from likeness.evidence.colour import colour_difference, colour_shift, to_lab
from likeness.evidence.face_verdict import LIMITS, FaceVerdict
from likeness.evidence.geometry import register
from likeness.evidence.scene import SIDE, Scene, as_seen, make_scene, scale_between
from likeness.evidence.seam import seam
from likeness.faces.align import align
from likeness.faces.face import Face
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Image, Pixels, Size
from likeness.imaging.samples import row_strips
from likeness.messages.notice import Notice, notice_of
from likeness.metrics import IdentityModel

__all__ = ["CHECKS", "Check", "Doubt", "FaceMeasures", "Guard", "GuardLimits", "Verdict", "called"]

Check: TypeAlias = Literal[
    "bad", "blank", "saturated", "smear", "identity", "blotch", "spot", "colour", "geometry", "seam", "outside"
]

CHECKS: tuple[Check, ...] = get_args(Check)
"""In the order in which doubts are told."""

_STRUCTURE = SIDE // 16
"""Side at which a person's features are told from texture: a pixel is 16 px of the crop."""

_COARSE = SIDE // 32
"""Side at which blotches are looked for: a pixel is 32 px of the crop. What is coarser, tone and light, stays the
photograph's in every restoration (`likeness.restore.arbitration`), so that almost any change there is a fault."""

_SPOTS = SIDE // 4
"""Side at which spots are looked for: a pixel is 4 px of the crop."""

_SPOT = 16.0
"""Sigma, px of the crop: spots are looked for between this and three times as much."""

_SMALL_BLUR, _GROSS = 1.5, 24 / 255
"""An enlarged picture, averaged down again, has other noise and edges: blurred by so many px it may differ by so much."""

_SPOT_NOISE = 0.3
"""Colour difference added to the skin's median, so that a face that hardly changed has no spots of its own."""

_TEXTURE = 4.0
"""Sigma, px of the crop: what is finer is texture, which a restoration may change, and noise, which may go. Detail of middle
size lies between this and twice as much."""


@dataclass(frozen=True, kw_only=True)
class GuardLimits:
    """From where on an output is doubtful. How each was set: docs/batch.md.

    Attributes:
        contrast: least share of the face's coarse contrast that is left.
        detail: least share of the face's detail of middle size that is left.
        clipped: growth of the share of the face that is black or in which a colour is at the top of its range.
        identity: distance of dlib's face embeddings.
        structure: from which change of the face's structure on (CIEDE2000, at 16 px of a 512 crop) identity is measured at
            all, as it takes two thirds of the guard's time. Of 140 faces that changed by less none was over 0.26 apart.
        blotch: largest change of colour of any place on the face, CIEDE2000, at 32 px of a 512 crop.
        spot: how many times more one place of the skin changed its light or colour than half of the skin did.
        colour: change of the skin's mean colour, CIEDE2000.
        stretch: how far the face became wider or higher, per cent.
        moved: how far it went, px of a 512 crop.
        seam: step along a contour, levels of 255.
        outside: share of the pixels away from faces that changed.
    """

    contrast: float = 0.9
    detail: float = 0.92
    clipped: float = 0.03
    identity: float = 0.5
    structure: float = 6.0
    blotch: float = 3.5
    spot: float = 3.5
    colour: float = 1.0
    stretch: float = 2.0
    moved: float = 1.5
    seam: float = 3.0
    outside: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = float(getattr(self, field.name))
            if not np.isfinite(value) or value < 0:
                raise ConfigError(Notice("gate.limit", {"name": field.name, "value": value}))


@dataclass(frozen=True, kw_only=True)
class FaceMeasures:
    """What was measured of one face; None where it could not be.

    Attributes:
        face: its number in the picture.
        contrast: coarse contrast after over before.
        detail: the same of detail of middle size.
        clipped: growth of the clipped share.
        structure, blotch, colour: CIEDE2000.
        spot: the largest change of a place of the skin over that of the median; None where no skin is seen.
        stretch: per cent; moved: px. None where after cannot be laid on before.
        seam: levels.
        identity: distance; None if the face's structure did not change (`GuardLimits.structure`), or the extra is not
            installed.
    """

    face: int
    contrast: float
    detail: float
    clipped: float
    structure: float
    blotch: float
    spot: float | None
    colour: float | None
    stretch: float | None
    moved: float | None
    seam: float | None
    identity: float | None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in found.items()}


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """One reason to look at an output.

    Attributes:
        check: which one.
        face: the face's number, None if it concerns the picture.
        figure, limit: what was measured, and against what; figure is None where the measurement itself was impossible.
        sentence: the reason in plain words; a `Notice` where it is to be said in more than English.
    """

    check: Check
    face: int | None
    figure: float | None
    limit: float
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "check": self.check,
            "face": self.face,
            "figure": None if self.figure is None else round(self.figure, 4),
            "limit": self.limit,
            "sentence": self.sentence,
            "notice": Notice.of(self.sentence).to_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the guard says of one output.

    Attributes:
        doubts: reasons to look at it, gravest kind first; none if it may go out.
        faces: what was measured.
        notes: what could not be judged, one sentence each.
    """

    doubts: tuple[Doubt, ...]
    faces: tuple[FaceMeasures, ...]
    notes: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """The doubts in one line; "" if there are none."""
        return "; ".join(doubt.sentence for doubt in self.doubts)


class Guard:
    """Looks at outputs. Loads its identity model when a face first needs it, and keeps it; safe to use from several threads.

    Args:
        limits: from where on an output is doubtful.
        max_faces: so many faces of a picture are measured, the largest first.
    """

    def __init__(self, limits: GuardLimits | None = None, *, max_faces: int = 6) -> None:
        self._limits = limits or GuardLimits()
        self._max_faces = max_faces
        self.identity_note: Notice | Literal[""] = ""
        try:
            self._identity: IdentityModel | None = IdentityModel()
        except MissingExtraError as error:
            self._without_identity(error)

    @property
    def limits(self) -> GuardLimits:
        return self._limits

    def judge(
        self,
        before: Image,
        after: Image,
        faces: Sequence[tuple[int, Face]],
        verdicts: Mapping[int, FaceVerdict] | None = None,
        scenes: Mapping[int, Scene] | None = None,
    ) -> Verdict:
        """Hold an output against its input.

        Args:
            before: the input; with repairs, the repaired picture, as they are meant to change colours and marks.
            after: the output, of the same size or enlarged as a whole.
            faces: the restored faces with their numbers.
            verdicts: what was said of them, by their numbers.
            scenes: of those that are cut out of both pictures already, by their numbers.

        Raises:
            ValueError: if the sizes do not fit.
        """
        if scale_between(before, after) < 1:
            raise ValueError(f"before is {before.size} and after {after.size}: not the same picture")
        seen = as_seen(before, after)
        if seen[0] is not before:
            before, after = seen
            scenes = None  # they are of what is not seen, too
        doubts: list[Doubt] = []
        measured: list[FaceMeasures] = []
        notes: list[str] = []
        for index, verdict in (verdicts or {}).items():
            if verdict.level == "bad":
                said = Notice("gate.bad", {"who": called(index, len(faces)), "why": verdict.sentence})
                limit = LIMITS[1]
                doubts.append(Doubt(check="bad", face=index, figure=verdict.risk, limit=limit, sentence=said))
        largest = sorted(faces, key=lambda numbered: -numbered[1].box.area)[: self._max_faces]
        for index, face in sorted(largest, key=lambda numbered: numbered[0]):
            try:
                scene = (scenes or {}).get(index) or make_scene(before, after, face)
                measures = self.measure(scene, index=index)
            except (ValueError, np.linalg.LinAlgError) as error:  # one face must not cost the others
                notes.append(Notice("evidence.not-measured", {"number": index + 1, "reason": notice_of(error)}))
                continue
            measured.append(measures)
            doubts += self._doubts(measures, called(index, len(faces)))
        if len(faces) > len(largest):
            notes.append(Notice("gate.some-faces", {"most": len(largest), "count": len(faces)}))
        outside = _outside(before, after, [face for _, face in faces])
        if outside > self._limits.outside:
            doubts.append(
                Doubt(
                    check="outside",
                    face=None,
                    figure=outside,
                    limit=self._limits.outside,
                    sentence=Notice("gate.outside", {"share": outside}),
                )
            )
        if self.identity_note:
            notes.insert(0, self.identity_note)
        order = {check: place for place, check in enumerate(CHECKS)}
        return Verdict(
            doubts=tuple(sorted(doubts, key=lambda doubt: (order[doubt.check], doubt.face or 0))),
            faces=tuple(measured),
            notes=tuple(notes),
        )

    def measure(self, scene: Scene, *, index: int = 0) -> FaceMeasures:
        """Measure one face."""
        inside = (scene.pasted * scene.valid) > 0.5
        shift = colour_shift(scene.before, scene.after, scene.skin > 0.5)
        registration = register(scene)
        edge = seam(scene, own=True)
        structure = _change(scene, _STRUCTURE)
        contrast, detail = _contrasts(scene, inside)
        return FaceMeasures(
            face=index,
            contrast=contrast,
            detail=detail,
            clipped=_clipped(scene.after, inside) - _clipped(scene.before, inside),
            structure=structure,
            blotch=_change(scene, _COARSE),
            spot=_spot(scene),
            colour=None if shift is None else shift[0],
            stretch=None if registration is None else max(abs(registration.wider), abs(registration.higher)),
            moved=None if registration is None else registration.moved,
            seam=None if edge is None else edge.step,
            identity=None if structure < self._limits.structure else self._distance(scene),
        )

    def _distance(self, scene: Scene) -> float | None:
        if self._identity is None:
            return None
        try:
            return self._identity.distance(scene.after, scene.before)
        except MissingExtraError as error:
            self._without_identity(error)
            return None

    def _without_identity(self, error: MissingExtraError) -> None:
        self._identity = None
        self.identity_note = Notice("gate.no-identity", {"why": notice_of(error)})

    def _doubts(self, found: FaceMeasures, who: Notice) -> list[Doubt]:
        limits = self._limits
        doubts: list[Doubt] = []

        def doubt(check: Check, code: str, value: str, figure: float, limit: float) -> None:
            sentence = Notice(code, {"who": who, value: figure})
            doubts.append(Doubt(check=check, face=found.face, figure=figure, limit=limit, sentence=sentence))

        if found.contrast < limits.contrast:
            doubt("blank", "gate.blank", "share", found.contrast, limits.contrast)
        if found.clipped > limits.clipped:
            doubt("saturated", "gate.saturated", "share", found.clipped, limits.clipped)
        if found.detail < limits.detail:
            doubt("smear", "gate.smear", "share", found.detail, limits.detail)
        if found.identity is not None and found.identity > limits.identity:
            doubt("identity", "gate.identity", "distance", found.identity, limits.identity)
        if found.blotch > limits.blotch:
            doubt("blotch", "gate.blotch", "difference", found.blotch, limits.blotch)
        if found.spot is not None and found.spot > limits.spot:
            doubt("spot", "gate.spot", "times", found.spot, limits.spot)
        if found.colour is not None and found.colour > limits.colour:
            doubt("colour", "gate.colour", "difference", found.colour, limits.colour)
        if found.stretch is None or found.moved is None:
            lost = Notice("gate.no-fit", {"who": who})
            doubts.append(Doubt(check="geometry", face=found.face, figure=None, limit=limits.stretch, sentence=lost))
        elif found.stretch > limits.stretch:
            doubt("geometry", "gate.stretched", "percent", found.stretch, limits.stretch)
        elif found.moved > limits.moved:
            doubt("geometry", "gate.moved", "distance", found.moved, limits.moved)
        if found.seam is not None and found.seam > limits.seam:
            doubt("seam", "gate.seam", "levels", found.seam, limits.seam)
        return doubts


def called(index: int, count: int) -> Notice:
    """What sentences call one of so many faces."""
    return Notice("gate.the-face") if count == 1 else Notice("gate.face", {"number": index + 1})


def _contrasts(scene: Scene, inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Contrast after over before, of luma without texture and of its detail of middle size alone."""
    coarse = [gaussian_blur(light, _TEXTURE) for light in scene.lumas]
    detail = [x - gaussian_blur(light, 2 * _TEXTURE) for x, light in zip(coarse, scene.lumas, strict=True)]

    def left(layers: list[NDArray[np.float32]], least: float) -> float:
        before, after = (float(layer[inside].std()) for layer in layers)
        return 1.0 if before < least / 255.0 else after / before

    # Under two levels, and half a level of detail, there is nothing to lose.
    return left(coarse, 2.0), left(detail, 0.5)


def _spot(scene: Scene) -> float | None:
    """How much more one place of the skin changed than half of the skin did, in L*, a*, b*.

    A difference of Gaussians of the change: the tone of the whole, which another check sees, and texture are not in it.
    """
    small = Size(_SPOTS, _SPOTS)
    skin = resize(scene.skin * scene.pasted * scene.valid, small, "area") > 0.5
    if not skin.any():
        return None
    before, after = (to_lab(np.clip(resize(pixels, small, "area"), 0.0, 1.0)) for pixels in (scene.before, scene.after))
    change = (after - before).astype(np.float32)
    sigma = _SPOT * _SPOTS / SIDE
    band = gaussian_blur(change, sigma) - gaussian_blur(change, 3 * sigma)
    size = np.sqrt(np.square(band).sum(axis=2))[skin]
    return float(size.max() / (np.median(size) + _SPOT_NOISE))


def _change(scene: Scene, side: int) -> float:
    """The largest change of colour (CIEDE2000) on the face, the crop reduced to ``side`` pixels."""
    small = Size(side, side)
    face = resize((scene.pasted * scene.valid).astype(np.float32), small, "area") > 0.5
    if not face.any():
        return 0.0
    before, after = (to_lab(np.clip(resize(pixels, small, "area"), 0.0, 1.0)) for pixels in (scene.before, scene.after))
    return float(colour_difference(before, after)[face].max())


def _clipped(pixels: Pixels, inside: NDArray[np.bool_]) -> float:
    """Share of the face in which every colour is at the same end, or the strongest is at the top."""
    if not inside.any():
        return 0.0
    # By channel: along an axis of three the maximum takes eight times as long.
    strongest = np.maximum(np.maximum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])[inside]
    return float(((strongest > 254.5 / 255) | (strongest < 0.5 / 255)).mean())


def _outside(before: Image, after: Image, faces: Sequence[Face]) -> float:
    """Share of the pixels outside every face's crop that are not what they were; of an enlarged picture, which are grossly
    other where it is seen as small as before."""
    boxes = [box for box in (_crop_of(face, before.size) for face in faces) if box is not None]
    if before.size == after.size:
        # Strip by strip: most hold no face, and nothing in them has changed.
        count = 0
        for rows in row_strips(before.pixels):
            count += _changed_pixels(before.pixels[rows] != after.pixels[rows], boxes, rows.start)
        return count / before.size.pixels
    seen = (gaussian_blur(x, _SMALL_BLUR) for x in (before.pixels, resize(after.pixels, before.size, "area")))
    return _changed_pixels(np.abs(next(seen) - next(seen)) > _GROSS, boxes) / before.size.pixels


def _crop_of(face: Face, size: Size) -> tuple[slice, slice] | None:
    """Where a face's crop lies; None if its points allow none."""
    try:
        return align(face.five_points, size, SIDE).box.to_slices()
    except ValueError:
        return None


def _changed_pixels(differs: NDArray[np.bool_], boxes: Sequence[tuple[slice, slice]], top: int = 0) -> int:
    """How many pixels differ in a channel and lie in none of the boxes; ``top`` is the row with which the first begin."""
    for rows, columns in boxes:
        differs[max(rows.start - top, 0) : max(rows.stop - top, 0), columns] = False
    return int(np.count_nonzero(differs.any(axis=2))) if differs.any() else 0
