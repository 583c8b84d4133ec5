"""Other photographs of the people in a video: who has one, told by several looks, and what it lends to their faces.

One look at a face is not always enough to tell whose it is, and a photograph that serves in one frame and not in the next
would flicker. So a person's looks are added up, and whom a photograph serves is told from all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from likeness.faces.detect import Detector
from likeness.imaging.image import Pixels
from likeness.messages.notice import Notice
from likeness.reference.matching import Embedding
from likeness.reference.references import Choice, References
from likeness.reference.serving import Match, best_for, doubted, warped_for
from likeness.restore.outcome import FaceProjection

__all__ = ["Lending"]

_LOOKS = 16
"""Looks after which it is clear who somebody is."""


class Lending:
    """What other photographs give to the people of one video.

    Args:
        references: the photographs.
        detector: finds faces.
        side: of the network's crop, px.

    Raises:
        NoFaceError, ImageReadError, ImageTooLargeError: see `References.prepare`.
    """

    def __init__(self, references: References, detector: Detector, *, side: int) -> None:
        references.prepare(detector, side)
        self._references = references
        self._detector = detector
        self._side = side
        self._who: dict[int, Embedding] = {}
        self._looks: dict[int, int] = {}
        self._doubted: dict[str, Notice] = {}
        self._nearest: tuple[float, Notice] | None = None
        self._serves = False

    def look(self, item: FaceProjection) -> None:
        """Learn whose face the network has just drawn."""
        number = item.index
        looks = self._looks.get(number, 0)
        if looks < _LOOKS:
            self._looks[number] = looks + 1
            self._who[number] = self._who.get(number, np.float32(0)) + self._references.who(item)

    def choose(self, numbers: Sequence[int]) -> dict[int, tuple[Match, ...]]:
        """The photographs that serve each of the people in a frame, by number; none that nobody has looked at yet."""
        known = [number for number in numbers if number in self._who]
        people = [self._who[number] / np.linalg.norm(self._who[number]) for number in known]
        choices = self._references.choose(people, self._detector, self._side)
        for choice in choices:
            self._note(choice)
        return {number: choice.chosen for number, choice in zip(known, choices, strict=True)}

    def lent(self, item: FaceProjection, chosen: Sequence[Match]) -> Pixels | None:
        """What photographs add to a face at full strength, S x S x 3; None without any."""
        warped = warped_for(item, best_for(item.face, chosen), self._detector)
        return None if warped is None else warped.detail

    def notices(self) -> tuple[Notice, ...]:
        """What a user should know so far: why no photograph serves anybody, or which serves on somebody's word alone."""
        if not self._serves and self._nearest is not None:
            return (self._nearest[1],)
        return tuple(self._doubted.values())

    def _note(self, choice: Choice) -> None:
        self._serves |= bool(choice.chosen)
        for match in choice.chosen:
            if match.verdict == "other":
                self._doubted[match.reference.name] = doubted(match)
        for notice in choice.warnings:
            likeness = choice.found[0].likeness
            if self._nearest is None or likeness > self._nearest[0]:
                self._nearest = likeness, notice
