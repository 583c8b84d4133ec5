"""What an inspection comes to: figures with verdicts, by face."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from importlib.metadata import version
from typing import Any, Literal

from likeness.evidence.lenders import Lender, lenders_of
from likeness.imaging.image import Box, Pixels
from likeness.messages.notice import Notice

__all__ = ["SCHEMA", "VERDICTS", "FaceEvidence", "Figure", "Inspection", "Verdict"]

SCHEMA = 1
"""Number of the structure of `Inspection.to_dict`; raised when a key changes its meaning or goes away."""

Verdict = Literal["good", "look", "bad", "none"]
"""In order of weight: "none" (could not be judged), "good", "look" (a person should look), "bad" (a fault that is seen)."""

VERDICTS: tuple[Verdict, ...] = ("none", "good", "look", "bad")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of one face.

    Attributes:
        name: for programs, such as "hair_width".
        group: what it belongs to, such as "hair edge".
        title: for people; in another language by the code "figure." and the name.
        unit: of the values: "px" (of a 512 crop), "levels" (of 255), "%", "dE", or "" for a plain number.
        before, after: the values; None where there is none. A figure of the change alone has only ``after``.
        verdict: see `Verdict`.
        sentence: the verdict in plain words; a `Notice` where it is to be said in more than English.
        boxes: the places in the crop that show it, in pixels of the 512 crop; the first is the main one.
    """

    name: str
    group: str
    title: str
    unit: str = ""
    before: float | None = None
    after: float | None = None
    verdict: Verdict
    sentence: str
    boxes: tuple[Box, ...] = ()

    def __post_init__(self) -> None:
        for value in (self.before, self.after):
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{self.name}: a value must be a number or None, not {value}")

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "name": self.name,
            "group": self.group,
            "title": self.title,
            "unit": self.unit,
            "before": _rounded(self.before),
            "after": _rounded(self.after),
            "verdict": self.verdict,
            "sentence": self.sentence,
            "notice": Notice.of(self.sentence).to_dict(),
            "boxes": [list(astuple(box.rounded())) for box in self.boxes],
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceEvidence:
    """The figures of one face.

    Attributes:
        index: number of the face in the picture before, reading order, from 0.
        box: where the face is in the picture before.
        native_side: side of the aligned crop in pixels of the picture before: what the figures rest on.
        figures: in the order in which they are shown.
        before, after: 512 x 512 x 3 aligned crops.
        notes: what limits the figures of this face.
        lenders: other photographs that lent detail to it, where that is known.
    """

    index: int
    box: Box
    native_side: float
    figures: tuple[Figure, ...]
    before: Pixels
    after: Pixels
    notes: tuple[str, ...] = ()
    lenders: tuple[Lender, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The heaviest verdict."""
        return _heaviest(figure.verdict for figure in self.figures)

    def __getitem__(self, name: str) -> Figure:
        """A figure by its name.

        Raises:
            KeyError: if there is none of that name.
        """
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(name)

    def count(self, verdict: Verdict) -> int:
        """How many figures have a verdict."""
        return sum(figure.verdict == verdict for figure in self.figures)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, without the crops."""
        return {
            "index": self.index,
            "box": list(astuple(self.box.rounded())),
            "native_side": round(self.native_side, 1),
            "verdict": self.verdict,
            "notes": list(self.notes),
            "notices": [Notice.of(note).to_dict() for note in self.notes],
            "figures": [figure.to_dict() for figure in self.figures],
            "lenders": [lender.to_dict() for lender in self.lenders],
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Inspection:
    """The evidence of one pair of pictures.

    Attributes:
        faces: one for each face found in the picture before that could be aligned.
        scale: how many times larger the picture after is.
        notes: what concerns the pair, such as faces that could not be aligned.
    """

    faces: tuple[FaceEvidence, ...]
    scale: float = 1.0
    notes: tuple[str, ...] = ()

    def with_record(self, record: Mapping[str, Any] | None) -> Inspection:
        """The same, with what the record of the picture says of other photographs (`likeness.evidence.lenders.lenders_of`).

        Raises:
            ConfigError: if the record is damaged.
        """
        faces = (replace(face, lenders=lenders_of(record, face.box)) for face in self.faces)
        return replace(self, faces=tuple(faces))

    @property
    def verdict(self) -> Verdict:
        """The heaviest verdict of all faces."""
        return _heaviest(face.verdict for face in self.faces)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "schema": SCHEMA,
            "likeness": version("likeness"),
            "scale": round(self.scale, 4),
            "verdict": self.verdict,
            "notes": list(self.notes),
            "notices": [Notice.of(note).to_dict() for note in self.notes],
            "faces": [face.to_dict() for face in self.faces],
        }


def _heaviest(found: Iterable[Verdict]) -> Verdict:
    weights = [VERDICTS.index(verdict) for verdict in found]
    return VERDICTS[max(weights, default=0)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
