"""Other photographs of the persons in an open picture: kept with it, and laid in its faces' places as a look asks for them.

A photograph is known by a digest of its file, so that a page whose picture was forgotten brings both again and finds its
look, and its undo, as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from likeness.errors import ControlError
from likeness.evidence.lenders import regions_told
from likeness.faces.align import TEMPLATE_SIZE, align, warp
from likeness.imaging.image import Image
from likeness.imaging.thumbnail import data_uri, thumbnail
from likeness.messages.notice import Notice
from likeness.reference.matching import SAME_FROM, FaceMatcher
from likeness.reference.photographs import Reference, references_in
from likeness.reference.serving import Match, ServedFace, assigned, matches_of, served
from likeness.restore.outcome import FaceProjection
from likeness.restore.pipeline import Restorer

__all__ = ["NOBODY", "OtherPhotographs", "Wanted"]

_KEPT = 24
"""Photographs that are kept of one picture, 2 MB and more each; what was taken away is among them, as it may come back."""
_LOOKS = 2
"""Looks whose faces are kept as they were served: the one that is seen, and the one before."""
_SHOWN = 96
"""Side of a small picture, px."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which photographs a look uses.

    Attributes:
        ids: of the photographs.
        trusted: those that serve whatever the matcher says.
    """

    ids: tuple[str, ...] = ()
    trusted: frozenset[str] = frozenset()


NOBODY = Wanted()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Photograph:
    """One that was brought: what the page calls it, and its faces, each with a small picture."""

    id: str
    name: str
    faces: dict[Reference, bytes] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "faces": [data_uri(shown) for shown in self.faces.values()]}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Looked:
    """Faces as photographs serve them, and what is told of each photograph."""

    faces: tuple[FaceProjection, ...]
    wanted: Wanted
    result: tuple[FaceProjection, ...]
    told: list[dict[str, Any]]


class OtherPhotographs:
    """Those of one picture. For one thread at a time.

    Args:
        restorer: finds faces, and says how large crops are.
        matcher: tells who is who.
    """

    def __init__(self, restorer: Restorer, matcher: FaceMatcher) -> None:
        self._restorer, self._matcher = restorer, matcher
        self._photographs: dict[str, _Photograph] = {}
        self._looked: list[_Looked] = []

    def add(self, key: str, image: Image, name: str) -> dict[str, Any]:
        """Take a photograph on, or find that it is here; as `to_dict` tells of it.

        Args:
            key: a digest of its file.
            image: what it shows.
            name: what to call it.

        Raises:
            NoFaceError: if it shows no face that could serve.
            ControlError: if as many are kept as may be.
        """
        if key in self._photographs:
            return self._photographs[key].to_dict()
        if len(self._photographs) >= _KEPT:
            raise ControlError(Notice("live.too-many-references", {"most": _KEPT}))
        detector, side = self._restorer.detector, self._restorer.runtime.spec.side
        names = {photograph.name for photograph in self._photographs.values()}
        shown = next(x for n in range(1, _KEPT + 2) if (x := name if n == 1 else f"{name} ({n})") not in names)
        faces: dict[Reference, bytes] = {}
        # A client's own name for it belongs in no log, and so not where faces are looked for.
        for face, reference in references_in(image, detector, matcher=self._matcher, side=side, name="the photograph"):
            crop = warp(image.pixels, align(face.five_points, image.size, TEMPLATE_SIZE))
            small = thumbnail(Image(pixels=np.clip(crop, 0, 1)), side=_SHOWN)
            faces[replace(reference, name=shown)] = small
        self._photographs[key] = _Photograph(id=key, name=shown, faces=faces)
        return self._photographs[key].to_dict()

    def to_dict(self) -> list[dict[str, Any]]:
        """Every photograph: its ``id``, its ``name``, and a small picture of each of its ``faces``; ready for JSON."""
        return [photograph.to_dict() for photograph in self._photographs.values()]

    def serve(self, faces: tuple[FaceProjection, ...], wanted: Wanted) -> tuple[FaceProjection, ...]:
        """The faces with what the photographs give them.

        Raises:
            ControlError: if a photograph is not here.
        """
        return self._look(faces, wanted).result if wanted.ids and faces else faces

    def told(self, faces: tuple[FaceProjection, ...], wanted: Wanted) -> list[dict[str, Any]]:
        """What becomes of each photograph, ready for JSON.

        Of each its ``id``; ``face``, ``likeness`` and ``verdict`` of the face that is most like one in it (null where it is
        the picture itself), with the ``limit`` that counts as the same; and in ``serves`` which ``face`` gets which
        ``regions`` from which of its ``own`` faces.
        """
        return self._look(faces, wanted).told if wanted.ids and faces else []

    @property
    def nbytes(self) -> int:
        """Memory of what is kept."""
        own = sum(
            reference.light.nbytes + reference.valid.nbytes + len(shown)
            for photograph in list(self._photographs.values())  # another may be brought meanwhile
            for reference, shown in photograph.faces.items()
        )
        given = [item.references for looked in self._looked for item in looked.result]
        return own + sum(references.nbytes for references in given if references is not None)

    def _look(self, faces: tuple[FaceProjection, ...], wanted: Wanted) -> _Looked:
        for looked in self._looked:
            if looked.wanted == wanted and looked.faces == faces:  # projections are the same or they are not
                return looked
        missing = [key for key in wanted.ids if key not in self._photographs]
        if missing:
            raise ControlError(Notice("live.no-such-reference"))
        chosen = [self._photographs[key] for key in wanted.ids]
        numbers = {reference: number for number, photograph in enumerate(chosen) for reference in photograph.faces}
        trusted = [number for number, photograph in enumerate(chosen) if photograph.id in wanted.trusted]
        found = matches_of(faces, list(numbers), self._matcher)
        lent = [
            served(item, row, own, self._restorer.detector)
            for item, row, own in zip(faces, found, assigned(found, numbers, trusted=trusted), strict=True)
        ]
        looked = _Looked(
            faces=faces,
            wanted=wanted,
            result=tuple(item.with_references(given) for item, given in zip(faces, lent, strict=True)),
            told=[_told(photograph, faces, found, lent) for photograph in chosen],
        )
        self._looked = [looked, *self._looked[: _LOOKS - 1]]
        return looked


def _told(
    photograph: _Photograph,
    faces: Sequence[FaceProjection],
    found: Sequence[Sequence[Match]],
    lent: Sequence[ServedFace],
) -> dict[str, Any]:
    own = list(photograph.faces)
    alike = [(match, item) for item, row in zip(faces, found, strict=True) for match in row if match.reference in own]
    best, nearest = max(alike, key=lambda pair: pair[0].likeness, default=(None, None))
    serves: list[dict[str, Any]] = []
    for item, row, given in zip(faces, found, lent, strict=True):
        if not any(match.name == photograph.name and match.serves for match in given.matches):
            continue
        regions = [gift.region for gift in given.gifts if gift.name == photograph.name]
        used = next(match.reference for match in row if match.reference in own)
        serves.append(
            {
                "face": item.index,
                "own": own.index(used),
                "regions": regions_told(regions).to_dict() if regions else None,
            }
        )
    return {
        "id": photograph.id,
        "likeness": None if best is None else round(best.likeness, 4),
        "limit": SAME_FROM,
        "verdict": None if best is None else best.verdict,
        "face": None if nearest is None else nearest.index,
        "serves": serves,
    }
