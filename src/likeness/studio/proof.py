"""What a proof shows: a picture before and after at a reduced size, and telling places of its faces enlarged."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.errors import ConfigError, PairError
from likeness.evidence.lenders import COLOURS, lenders_of, painted
from likeness.evidence.scene import scale_between
from likeness.faces.align import align, warp
from likeness.faces.face import Face
from likeness.faces.outlines import EYE_OUTLINES, OVAL_OUTLINE
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Box, Image, Pixels, Point, Size
from likeness.imaging.resample import resample
from likeness.messages.notice import Language, Notice, notice_of
from likeness.restore.enlargement import MOST
from likeness.studio.captions import Captions, Words
from likeness.studio.fonts import Typeface
from likeness.studio.watermark import watermarked

__all__ = ["Detail", "LentMap", "Proof", "ProofOptions", "Section", "enlarged_by", "make_proof", "sections"]

_REDUCTION = 0.75
"""A proof has at most this share of the picture's own width and height: it must not pass for a delivery."""

_MAGNIFIED, _LEAST = 2.0, 480
"""How far small pictures are enlarged to be seen, and the long side that the smallest get at least, px."""

_ENLARGED = 2.0
_WHOLE = 1.5
"""Side of a place that shows a whole small face, in sides of the others, and in sides of the face."""

_MAP = 320
"""Side of a map of what other photographs lent, px."""

_CHEEKS = (205, 425)
_CHIN, _TOP, _NOSE_TIP, _SIDES = 152, 10, 4, (234, 454)


@dataclass(frozen=True, kw_only=True)
class ProofOptions:
    """How a proof looks.

    Attributes:
        language: of its titles.
        studio: the studio's name, "" for none.
        watermark: a line laid over every picture, "" for none.
        side: long side of each picture, 320 to 1600 px.
        detail: side of the enlarged places, px; they show half as many of the picture's own pixels. A face that is smaller
            than that is shown whole, in a place 1.5 times as large.
        max_faces: how many faces are shown enlarged, the largest first; three times as many if each is so small that one
            place shows it all.

    Raises:
        ConfigError: for a value outside its range.
    """

    language: Language = "en"
    studio: str = ""
    watermark: str = ""
    side: int = 1000
    detail: int = 256
    max_faces: int = 2

    def __post_init__(self) -> None:
        if not 320 <= self.side <= 1600:
            raise ConfigError(Notice("proofing.side", {"side": self.side}))
        if not 64 <= self.detail <= 800 or self.max_faces < 0:
            raise ConfigError(Notice("proofing.details"))
        if any("\n" in text for text in (self.studio, self.watermark)):
            raise ConfigError(Notice("proofing.one-line"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Detail:
    """One place of a face, before and after, both enlarged to 200% of the picture's own pixels, or further for a small face.

    Attributes:
        name: "eyes", "hair", "skin", or "face" where the face is so small that one place shows it all.
        before, after: h x w x 3.
    """

    name: str
    before: Pixels
    after: Pixels


@dataclass(frozen=True, kw_only=True, eq=False)
class LentMap:
    """Where the detail of one face came from.

    Attributes:
        picture: h x w x 3, the face in grey with each photograph's places in its colour.
        legend: the colour and the words of each photograph.
    """

    picture: Pixels
    legend: tuple[tuple[str, Notice], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Proof:
    """Everything that a sheet or a page shows.

    Attributes:
        name: the picture's.
        before, after: H x W x 3, reduced, with the watermark in their pixels.
        faces: the details of each face shown.
        captions: the two lines.
        options: how it looks.
        maps: of the faces to which other photographs lent detail, largest first.
    """

    name: str
    before: Pixels
    after: Pixels
    faces: tuple[tuple[Detail, ...], ...]
    captions: Captions
    options: ProofOptions
    maps: tuple[LentMap, ...] = ()

    @property
    def mark(self) -> str:
        """The same for a proof that shows the same: what a client said to one that looks otherwise is no answer to it."""
        shown = hashlib.sha256()
        for pixels in (self.before, self.after):
            shown.update(Image(pixels=pixels).to_uint8().tobytes())
        return shown.hexdigest()[:12]


def make_proof(
    before: Image,
    after: Image,
    faces: Sequence[Face],
    captions: Captions,
    options: ProofOptions,
    *,
    name: str,
    typeface: Typeface | None = None,
    record: Mapping[str, Any] | None = None,
) -> Proof:
    """Cut, scale and mark everything.

    Args:
        before: the picture as it was.
        after: the restored one, of the same size or enlarged or reduced as a whole.
        faces: those of ``before``.
        captions: the two lines.
        options: how it looks.
        name: the picture's, for titles.
        typeface: a font that has the watermark's characters; needed only with a watermark.
        record: of how the picture was made, if it is known: says what other photographs lent.

    Raises:
        PairError: if the sizes do not fit each other.
        ConfigError: if the record is damaged.
        ValueError: if there is a watermark and no font.
    """
    try:
        scale = scale_between(before, after)
    except ValueError as error:
        raise PairError(notice_of(error)) from None
    # Over white, as browsers show transparent pictures.
    before, after = (replace(image, pixels=image.over_white(), alpha=None) for image in (before, after))
    size = _shown_size(before.size, options.side)
    shown = [_reduced(image, size) for image in (before, after)]
    places = _places(before, after, scale, faces, options)
    maps = _maps(before, after, faces, options, record)
    if options.watermark:
        if typeface is None:
            raise ValueError("a watermark needs a font")
        unit = size.width / before.size.width
        boxes = [_times(face.box, unit) for face in faces]
        shown = [watermarked(pixels, options.watermark, typeface, boxes) for pixels in shown]
        places = [
            tuple(
                replace(
                    detail,
                    before=watermarked(detail.before, options.watermark, typeface, close=True),
                    after=watermarked(detail.after, options.watermark, typeface, close=True),
                )
                for detail in face
            )
            for face in places
        ]
        maps = [replace(one, picture=watermarked(one.picture, options.watermark, typeface, close=True)) for one in maps]
    return Proof(
        # A page says it in more than one place, and a file's name need not be Unicode.
        name=name.encode(errors="backslashreplace").decode(),
        before=shown[0],
        after=shown[1],
        faces=tuple(places),
        captions=captions,
        options=options,
        maps=tuple(maps),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    """Enlarged places under one title, each with its label."""

    title: str
    details: tuple[tuple[str, Detail], ...]


def sections(proof: Proof) -> tuple[Section, ...]:
    """How the enlarged places are laid out: a section for each face, or one for all where each is a single place."""
    words, alone = Words(language=proof.options.language), len(proof.faces) == 1
    titles = [_title(face, number, words, alone=alone) for number, face in enumerate(proof.faces, start=1)]
    if proof.faces and all(face[0].name == "face" for face in proof.faces):
        details = tuple((title, face[0]) for title, face in zip(titles, proof.faces, strict=True))
        return (Section(title=words("proof.faces-closely"), details=details),)
    return tuple(
        Section(
            title=title,
            details=tuple((words(f"proof.detail.{detail.name}"), detail) for detail in face),
        )
        for title, face in zip(titles, proof.faces, strict=True)
    )


def _title(face: tuple[Detail, ...], number: int, words: Words, *, alone: bool) -> str:
    if face[0].name == "face":
        return words("proof.detail.face") if alone else f"{words('proof.detail.face')} {number}"
    return words("proof.enlarged-one") if alone else words("proof.enlarged", {"number": number})


def _places(
    before: Image, after: Image, scale: float, faces: Sequence[Face], options: ProofOptions
) -> list[tuple[Detail, ...]]:
    """The details of the largest faces, three places for each that may be shown."""
    shown = (_details(before, after, scale, face, options.detail) for face in _shown(faces, options))
    return [details for details in shown if details]


def _shown(faces: Sequence[Face], options: ProofOptions) -> list[Face]:
    """The largest faces, as far as there is room: each takes three places, or one if it is small."""
    found: list[Face] = []
    left = 3 * options.max_faces
    for face in sorted(faces, key=lambda face: -face.box.area):
        left -= 1 if _is_small(face, options.detail) else 3
        if left < 0:
            break
        found.append(face)
    return found


def _is_small(face: Face, side: int) -> bool:
    return max(face.box.width, face.box.height) < side / _ENLARGED


def _frame(face: Face, side: int) -> tuple[float, float]:
    """Side of a face's places in the picture, px, and how many times as large they are shown."""
    if not _is_small(face, side):
        return side / _ENLARGED, _ENLARGED
    reach = round(max(_WHOLE * max(face.box.width, face.box.height), _WHOLE * side / MOST))
    return float(reach), _WHOLE * side / reach


def enlarged_by(faces: Sequence[Face], options: ProofOptions) -> float:
    """How many times as large as the photograph a result should be, so that what a proof shows closely need not be
    interpolated; 1 without faces."""
    return max((_frame(face, options.detail)[1] for face in _shown(faces, options)), default=1.0)


def _maps(
    before: Image, after: Image, faces: Sequence[Face], options: ProofOptions, record: Mapping[str, Any] | None
) -> list[LentMap]:
    """Of the largest faces that other photographs lent something."""
    found: list[LentMap] = []
    for face in sorted(faces, key=lambda face: -face.box.area):
        lenders = lenders_of(record, face.box)
        if len(found) == options.max_faces or not lenders:
            continue
        alignment = align(face.five_points, before.size, _MAP).scaled(after.size)
        picture = painted(np.clip(warp(after.pixels, alignment), 0, 1), lenders)
        legend = tuple((colour, lender.told) for lender, colour in zip(lenders, COLOURS, strict=False))
        found.append(LentMap(picture=picture, legend=legend))
    return found


def _shown_size(size: Size, side: int) -> Size:
    long = max(size.width, size.height)
    scale = max(min(side, _MAGNIFIED * long), min(_LEAST, side)) / long
    return size.times(scale)


def _reduced(image: Image, size: Size) -> Pixels:
    """A picture at ``size``, from no more pixels than a proof may have."""
    pixels = image.pixels
    least = image.size.times(_REDUCTION)
    if size.width > least.width:
        pixels = resample(pixels, least)
    return resample(pixels, size)


def _details(before: Image, after: Image, scale: float, face: Face, side: int) -> tuple[Detail, ...]:
    reach, enlarged = _frame(face, side)
    points = face.landmarks.points
    if _is_small(face, side):
        places = {"face": face.box.centre}
    else:
        places = {
            "eyes": _eye(points),
            "hair": _hair_edge(before, points, reach),
            "skin": _cheek(points),
        }
    found: list[Detail] = []
    for name, centre in places.items():
        box = _around(centre, reach, before.size)
        if box.width < 16 or box.height < 16:
            continue
        target = Size(round(box.width * enlarged), round(box.height * enlarged))
        found.append(Detail(name=name, before=_cut(before, box, target), after=_cut(after, _times(box, scale), target)))
    return tuple(found)


def _cut(image: Image, box: Box, size: Size) -> Pixels:
    rows, columns = box.clipped(image.size).to_slices()
    part = np.ascontiguousarray(image.pixels[rows, columns])
    return np.clip(resize(part, size, "cubic" if size.width >= part.shape[1] else "area"), 0.0, 1.0)


def _around(centre: Point, side: float, size: Size) -> Box:
    """A square of whole pixels about a point, moved into the picture, smaller only where that is."""
    wide, high = min(round(side), size.width), min(round(side), size.height)
    left = round(min(max(centre.x - wide / 2, 0), size.width - wide))
    top = round(min(max(centre.y - high / 2, 0), size.height - high))
    return Box(left, top, left + wide, top + high)


def _times(box: Box, factor: float) -> Box:
    return Box(box.left * factor, box.top * factor, box.right * factor, box.bottom * factor)


def _eye(points: NDArray[np.float32]) -> Point:
    """The middle of the eye that is seen larger."""
    outlines = [points[list(outline)] for outline in EYE_OUTLINES]
    widths = [float(np.ptp(outline[:, 0])) for outline in outlines]
    middle = outlines[widths.index(max(widths))].mean(axis=0)
    return Point(float(middle[0]), float(middle[1]))


def _cheek(points: NDArray[np.float32]) -> Point:
    """The middle of the cheek that is turned to the camera."""
    nose = points[_NOSE_TIP]
    cheek = max((points[index] for index in _CHEEKS), key=lambda point: float(np.hypot(*(point - nose))))
    return Point(float(cheek[0]), float(cheek[1]))


def _hair_edge(image: Image, points: NDArray[np.float32], reach: float) -> Point:
    """Where hair meets the background most clearly: the strongest edge near the head's outline, from temple over the top.

    The outline is that of `faces.regions`: an oval a third of the face's height over the mesh.
    """
    chin, top = points[_CHIN], points[_TOP]
    height = float(np.hypot(*(chin - top)))
    half = float(np.hypot(*(points[_SIDES[1]] - points[_SIDES[0]]))) / 2
    middle = points[list(OVAL_OUTLINE)].mean(axis=0)
    upward = (top - chin) / max(height, 1e-6)
    sideways = np.array([-upward[1], upward[0]])
    light = luma(image.pixels)
    slope = np.hypot(*(cv2.Sobel(gaussian_blur(light, 1.5), cv2.CV_32F, dx, 1 - dx) for dx in (1, 0)))
    strength = gaussian_blur(np.asarray(slope, np.float32), max(1.0, reach / 8))
    best, found = -1.0, Point(float(top[0]), float(top[1]))
    for angle in np.radians(np.arange(20.0, 161.0, 5.0)):
        for radius in (1.0, 1.15, 1.3):
            x, y = middle + radius * (np.cos(angle) * 1.2 * half * sideways + np.sin(angle) * 0.8 * height * upward)
            if not (reach / 4 <= x < image.size.width - reach / 4 and reach / 4 <= y < image.size.height - reach / 4):
                continue
            value = float(strength[int(y), int(x)])
            if value > best:
                best, found = value, Point(float(x), float(y))
    return found
