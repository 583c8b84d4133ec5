"""Another photograph of a person, made ready once: its crop, its mesh, how it looks, and whose face it is."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from likeness.errors import NoFaceError
from likeness.faces.align import TEMPLATE_SIZE, align, valid_mask, warp
from likeness.faces.detect import Detector
from likeness.faces.effective_resolution import effective_resolution
from likeness.faces.face import Face
from likeness.imaging.arguments import of_type, picture
from likeness.imaging.colour import luma
from likeness.imaging.filters import resize, to_channels
from likeness.imaging.image import Image, Size
from likeness.messages.notice import Notice
from likeness.reference.expression import Expression
from likeness.reference.irises import IrisColours, iris_colours
from likeness.reference.matching import Embedding, FaceMatcher
from likeness.reference.spectacles import thick_spectacles

__all__ = ["Reference", "prepare_reference", "references_in", "resolution_of"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """What is kept of another photograph of a person, at the network's size.

    Attributes:
        name: what to call it in a report: the file's name, say.
        light: S x S, luma of the aligned crop in [0, 1]. Of its colours only those of the irises are used.
        valid: S x S, 1 where the crop holds pixels of the photograph.
        points: 478 x 2, the mesh in the crop.
        depth: 478, of the mesh's points, in the same unit.
        expression: pose, eyes and mouth.
        native_side: side of the crop in the photograph's own pixels: what there is to give.
        embedding: whose face it is.
        irises: their colours; None where it shows none.
        spectacles: 256 x 256 in [0, 1], where thick ones are; None where there are none.
    """

    name: str
    light: NDArray[np.float32]
    valid: NDArray[np.float32]
    points: NDArray[np.float32]
    depth: NDArray[np.float32]
    expression: Expression
    native_side: float
    embedding: Embedding
    irises: IrisColours | None
    spectacles: NDArray[np.float32] | None

    @cached_property
    def resolution(self) -> float:
        """Side of the smallest crop that could hold what this one shows, px (`EffectiveResolution.pixels`)."""
        return resolution_of(self.light, self.native_side)

    def resolved(self, length: float) -> float:
        """How many pixels that tell something a length in px of the crop has."""
        return length * min(self.resolution / self.light.shape[0], 1.0)


def resolution_of(light: NDArray[np.float32], native_side: float) -> float:
    """Side of the smallest crop that could hold what a crop of any size shows, px.

    Args:
        light: S x S, luma of the aligned crop in [0, 1].
        native_side: of the crop in the photograph's own pixels, which it holds at most.
    """
    if light.shape[0] != TEMPLATE_SIZE:
        light = resize(light, Size(TEMPLATE_SIZE, TEMPLATE_SIZE), "area" if light.shape[0] > TEMPLATE_SIZE else "cubic")
    return effective_resolution(to_channels(light), native_side).pixels


def prepare_reference(image: Image, face: Face, *, matcher: FaceMatcher, side: int = 512, name: str = "") -> Reference:
    """Make a face of another photograph ready to serve.

    Args:
        image: the photograph.
        face: which of its faces (`Restorer.find_faces`).
        matcher: embeds it.
        side: of the restoring network, px.
        name: what to call the photograph in a report.

    Raises:
        NoFaceError: if the face's mesh was not found: without it nothing can be laid in its place.
        ValueError: if the face's points are degenerate.
    """
    image, face = picture("image", image), of_type("face", face, Face)
    if face.landmarks.source != "mesh":
        raise NoFaceError(Notice("reference.unclear", {"name": name or "the reference"}))
    alignment = align(face.five_points, image.size, side)
    crop = warp(image.pixels, alignment)
    points = alignment.to_crop(face.landmarks.points).astype(np.float32)
    return Reference(
        name=name,
        light=luma(crop),
        valid=valid_mask(alignment),
        points=points,
        depth=(face.landmarks.depth * np.float32(alignment.scale)).astype(np.float32),
        expression=Expression.of(face.landmarks),
        native_side=alignment.native_side,
        embedding=matcher.embed(crop),
        irises=iris_colours(crop, points),
        spectacles=thick_spectacles(crop, points),
    )


def references_in(
    image: Image, detector: Detector, *, matcher: FaceMatcher, side: int, name: str
) -> tuple[tuple[Face, Reference], ...]:
    """The faces of a photograph that can serve, made ready (`prepare_reference`).

    Raises:
        NoFaceError: if it shows none.
    """
    found: list[tuple[Face, Reference]] = []
    for face in detector.detect(image):
        if face.landmarks.source != "mesh":
            continue
        try:
            found.append((face, prepare_reference(image, face, matcher=matcher, side=side, name=name)))
        except ValueError as error:
            _log.info("a face in %s cannot serve: %s", name, error)
    if not found:
        raise NoFaceError(Notice("reference.no-face", {"name": name}))
    return tuple(found)
