"""References at work: whose face is whose, which of them serves a face, and what it gives."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.evidence.lenders import Lender, regions_by_name
from likeness.faces.align import align, realigned
from likeness.faces.detect import Detector
from likeness.faces.face import Face, Landmarks, nearest
from likeness.imaging.colour import luma
from likeness.imaging.image import Image, Pixels
from likeness.messages.notice import Notice
from likeness.reference.expression import Expression, rising
from likeness.reference.fusion import WarpedReference, best_of, fuse, warp_references
from likeness.reference.matching import OTHER_BELOW, SAME_FROM, Embedding, FaceMatcher, Verdict, likeness, verdict
from likeness.reference.photographs import Reference
from likeness.restore.outcome import FaceProjection
from likeness.restore.references import Gift, ReferenceMatch

__all__ = [
    "MOST",
    "Match",
    "ServedFace",
    "assigned",
    "best_for",
    "doubted",
    "embed_face",
    "is_same_photograph",
    "matched_views",
    "matches",
    "matches_of",
    "served",
    "warped_for",
]

MOST = 3
"""References that serve one face at most: each takes a fifth of a second, and a fourth changes hardly anything."""

_LENT_BY_OTHERS, _SURELY_OTHER = 0.4, 0.2
"""Share of what it could give that a photograph gives whose face is surely another person's, if somebody says that it
is not; and the likeness from which on it gives more, up to all at `OTHER_BELOW`: of two days 80% of strangers stay under
0.2, and 5% of the pairs of one person under 0.34."""

_TOLD = 5
"""Matches that are told of one face."""

_SAME_PIXELS = 0.004
"""Mean difference of two crops' luma under which they are one photograph: of itself nothing can be learnt."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Match:
    """A reference beside a face: its likeness (`likeness.reference.matching.likeness`), and what that says.

    Attributes:
        lent: share, in [0, 1], of what it could give that it gives if it serves.
    """

    reference: Reference
    likeness: float
    verdict: Verdict
    lent: float = 1.0

    def on_somebodys_word(self) -> Match:
        """The same where only somebody's word makes it serve: of a face that is surely another's it lends less."""
        sure = float(rising(self.likeness, _SURELY_OTHER, OTHER_BELOW))
        return replace(self, lent=_LENT_BY_OTHERS + (1 - _LENT_BY_OTHERS) * sure)


@dataclass(frozen=True, kw_only=True, eq=False)
class ServedFace:
    """What references give to one face: a `likeness.restore.references.FaceReferences`."""

    matches: tuple[ReferenceMatch, ...]
    gifts: tuple[Gift, ...]
    lenders: tuple[Lender, ...]
    warnings: tuple[Notice, ...]
    warped: WarpedReference | None

    @property
    def nbytes(self) -> int:
        return 0 if self.warped is None else self.warped.nbytes

    def fused(self, target: Pixels, strength: float) -> Pixels:
        return target if self.warped is None else fuse(target, self.warped, strength)

    def to_dict(self) -> dict[str, Any]:
        return {
            "matches": [
                {"name": one.name, "likeness": round(one.likeness, 4), "verdict": one.verdict, "serves": one.serves}
                for one in self.matches
            ],
            "gifts": [{"region": one.region, "name": one.name, "share": round(one.share, 4)} for one in self.gifts],
            "lenders": [one.to_dict() for one in self.lenders],
        }


def embed_face(item: FaceProjection, matcher: FaceMatcher) -> Embedding:
    """Whose face it is, by the photograph and its restored form together."""
    return matcher.embed(*matched_views(item))


def matched_views(item: FaceProjection) -> tuple[Pixels, Pixels]:
    """A face's crop and the network's answer, FFHQ-aligned as references are, whatever template the network has."""
    if item.alignment.template == "ffhq":
        return item.crop, item.projection
    ffhq = align(item.face.five_points, item.alignment.picture_size, item.alignment.crop_size)
    return realigned(item.crop, item.alignment, ffhq), realigned(item.projection, item.alignment, ffhq)


def matches(embedding: Embedding, references: Sequence[Reference]) -> tuple[Match, ...]:
    """Every reference with its verdict, the most alike first. One that is not "same" serves only if somebody says so."""
    found = [(likeness(embedding, reference.embedding), reference) for reference in references]
    found.sort(key=lambda pair: -pair[0])
    return tuple(Match(reference=one, likeness=value, verdict=verdict(value)) for value, one in found)


def matches_of(
    faces: Sequence[FaceProjection], references: Sequence[Reference], matcher: FaceMatcher
) -> tuple[tuple[Match, ...], ...]:
    """The `matches` of each face of a picture; what is the picture itself is left out."""
    found: list[tuple[Match, ...]] = []
    for item in faces:
        views = matched_views(item)
        light = luma(views[0])
        others = [reference for reference in references if not is_same_photograph(light, reference)]
        found.append(matches(matcher.embed(*views), others))
    return tuple(found)


def assigned(
    faces: Sequence[Sequence[Match]], photographs: Mapping[Reference, int], *, trusted: Collection[int]
) -> tuple[tuple[Match, ...], ...]:
    """Which references may serve which face of one picture, the most alike pairs first.

    A person is in a picture once: a reference serves one face of it, and one photograph lends a face one of its own.

    Args:
        faces: the matches of each face.
        photographs: the number of the photograph that each reference is from.
        trusted: numbers of the photographs of which somebody says that they show these persons, whatever the verdicts are.
    """
    pairs = sorted(
        (
            (match, face)
            for face, found in enumerate(faces)
            for match in found
            if match.verdict == "same" or photographs[match.reference] in trusted
        ),
        key=lambda pair: -pair[0].likeness,
    )
    taken: set[Reference] = set()
    lent: set[tuple[int, int]] = set()
    chosen: list[list[Match]] = [[] for _ in faces]
    for match, face in pairs:
        photograph = photographs[match.reference]
        if match.reference not in taken and (face, photograph) not in lent:
            taken.add(match.reference)
            lent.add((face, photograph))
            chosen[face].append(match if match.verdict == "same" else match.on_somebodys_word())
    return tuple(map(tuple, chosen))


def _worth(reference: Reference, face: Expression) -> float:
    """How much a reference could give to a face of this expression, before anything is computed on pixels; from 0 on."""
    shown = face.turn(reference.expression) * (0.5 + 0.25 * sum(face.eye(reference.expression, eye) for eye in (0, 1)))
    return reference.resolution * shown * (0.7 + 0.3 * face.lips(reference.expression))


def best_for(face: Face, chosen: Sequence[Match]) -> Sequence[Match]:
    """`MOST` of them at most, those that are worth most to a face."""
    if len(chosen) <= MOST:
        return chosen
    expression = Expression.of(face.landmarks)
    return sorted(chosen, key=lambda match: -_worth(match.reference, expression))[:MOST]


def served(
    item: FaceProjection,
    found: Sequence[Match],
    chosen: Sequence[Match],
    detector: Detector,
    warnings: Sequence[Notice] = (),
) -> ServedFace:
    """What the chosen references give to a face; the best of them, if they are many (`best_for`).

    Raises:
        ValueError: if a reference was prepared for another size of network.
    """
    chosen = best_for(item.face, chosen)
    serving = [match.reference for match in chosen]
    warped = warped_for(item, chosen, detector)
    gifts = () if warped is None else warped.gifts(item.masks)
    told = [*chosen, *(match for match in found if match.reference not in serving)][:_TOLD]
    told.sort(key=lambda match: -match.likeness)
    return ServedFace(
        matches=tuple(
            ReferenceMatch(
                name=one.reference.name,
                likeness=one.likeness,
                verdict=one.verdict,
                serves=one.reference in serving,
            )
            for one in told
        ),
        gifts=gifts,
        lenders=() if warped is None else _lenders(gifts, warped, item.mask),
        warnings=(*warnings, *(doubted(one) for one in chosen if one.verdict == "other")),
        warped=warped,
    )


def _lenders(gifts: Sequence[Gift], warped: WarpedReference, mask: NDArray[np.float32]) -> tuple[Lender, ...]:
    """The photographs that give something, with the regions and places that get it; ``mask`` is what is laid back."""
    regions = regions_by_name((gift.name, gift.region) for gift in gifts)
    return tuple(
        Lender(name=name, regions=tuple(own), share=warped.share_of(name) * mask) for name, own in regions.items()
    )


def warped_for(item: FaceProjection, chosen: Sequence[Match], detector: Detector) -> WarpedReference | None:
    """What references give to a face, the best of them in each region; None without any. To be kept with the projection.

    Raises:
        ValueError: if a reference was prepared for another size of network.
    """
    if not chosen:
        return None
    landmarks, references = _landmarks(item, detector), [match.reference for match in chosen]
    warped = warp_references(references, crop=item.crop, target=item.target, landmarks=landmarks)
    return best_of([one.lent(match.lent) for one, match in zip(warped, chosen, strict=True)], item.masks)


def is_same_photograph(light: NDArray[np.float32], reference: Reference) -> bool:
    """Whether a reference is the photograph that is restored (of luma ``light``), as in whole folders it may be."""
    return float(np.abs(light - reference.light).mean()) < _SAME_PIXELS


def doubted(match: Match) -> Notice:
    """That a photograph of a likely other person serves, as somebody says that it is the same."""
    return Notice("reference.trusted", {"name": match.reference.name, "likeness": match.likeness, "limit": SAME_FROM})


def _landmarks(item: FaceProjection, detector: Detector) -> Landmarks:
    """The mesh of the restored face in its crop, not that of a larger neighbour; where it has none, the photograph's own."""
    image = Image(pixels=np.clip(item.target, 0, 1, dtype=np.float32))
    found = [face for face in detector.detect(image) if face.landmarks.source == "mesh"]
    if found:
        return nearest(found, item.alignment.to_crop(item.face.five_points)).landmarks
    own = item.face.landmarks
    return Landmarks(
        points=item.alignment.to_crop(own.points).astype(np.float32),
        depth=(own.depth * np.float32(item.alignment.scale)).astype(np.float32),
        source=own.source,
    )
