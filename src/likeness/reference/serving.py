"""References at work: which may serve a face, laid in its place beside its projection, and the face composed with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from likeness.faces.detect import Detector
from likeness.faces.face import Landmarks
from likeness.imaging.image import Image
from likeness.reference.fusion import WarpedReference, best_of, fuse, warp_reference
from likeness.reference.matching import Embedding, FaceMatcher, Verdict, likeness, verdict
from likeness.reference.photographs import Reference
from likeness.restore.outcome import FaceProjection

__all__ = ["Match", "embed_face", "matches", "served", "warped_for"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Match:
    """A reference beside a face: its likeness (`likeness.reference.matching.likeness`), and what that says."""

    reference: Reference
    likeness: float
    verdict: Verdict


def embed_face(item: FaceProjection, matcher: FaceMatcher) -> Embedding:
    """Whose face it is, by the photograph and its restored form together."""
    return matcher.embed(item.crop, item.projection)


def matches(embedding: Embedding, references: Sequence[Reference]) -> tuple[Match, ...]:
    """Every reference with its verdict, the most alike first. One that is not "same" serves only if somebody says so."""
    found = [(likeness(embedding, reference.embedding), reference) for reference in references]
    found.sort(key=lambda pair: -pair[0])
    return tuple(Match(reference=one, likeness=value, verdict=verdict(value)) for value, one in found)


def warped_for(item: FaceProjection, references: Sequence[Reference], detector: Detector) -> WarpedReference | None:
    """What references give to a face, the best of them in each region; None without any. To be kept with the projection.

    Raises:
        ValueError: if a reference was prepared for another size of network.
    """
    if not references:
        return None
    landmarks = _landmarks(item, detector)
    warped = [
        warp_reference(reference, crop=item.crop, target=item.target, landmarks=landmarks) for reference in references
    ]
    return best_of(warped, item.masks)


def served(item: FaceProjection, warped: WarpedReference, strength: float) -> FaceProjection:
    """The projection with what the references give in its target, for `Restorer.compose`; costs one addition.

    Raises:
        ControlError: if ``strength`` is not in [0, 1].
    """
    if strength == 0:
        return item
    copy = dataclasses.replace(item)
    vars(copy)["target"] = fuse(item.target, warped, strength)
    copy.take_grain(item)
    return copy


def _landmarks(item: FaceProjection, detector: Detector) -> Landmarks:
    """The mesh of the restored face in its crop; that of the photograph where the restored one has none."""
    image = Image(pixels=np.clip(item.target, 0, 1, dtype=np.float32))
    found = [face for face in detector.detect(image) if face.landmarks.source == "mesh"]
    if found:
        return max(found, key=lambda face: face.box.area).landmarks
    own = item.face.landmarks
    return Landmarks(
        points=item.alignment.to_crop(own.points).astype(np.float32),
        depth=(own.depth * np.float32(item.alignment.scale)).astype(np.float32),
        source=own.source,
    )
