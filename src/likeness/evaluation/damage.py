"""How much of the damage that was drawn into a picture is found, and how much of what is found is damage.

By pixel and by piece, and recall for each kind (what is found has no kind of its own, so precision is of all together).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.degradations.damage import DAMAGE_KINDS, Damaged, DamageKind

__all__ = ["DamageScore", "drawn_counts", "score_damage", "total"]

_NAMES: tuple[str, ...] = DAMAGE_KINDS

_NEAR = 2
"""Found within so many pixels of damage is right: a mask may be a little wider than what can be seen."""
_REACH = 1
"""Damage within so many pixels of what is found is found."""
_SMALLEST = 4
"""Pieces of which fewer pixels can be seen are not counted as pieces."""
_HALF = 0.5
"""Share of a piece that must be found for the piece to be found, and of a found patch that must be damage."""


@dataclass(frozen=True, kw_only=True)
class DamageScore:
    """Counts that may be added; the rates follow from them.

    Attributes:
        seen, seen_found: for each kind, pixels of damage, and those of them that were found.
        pieces, pieces_found: for each kind, pieces of damage, and those of them of which half or more was found.
        dark, dark_found: as ``seen``, of pieces darker than what they lie on.
        marked, marked_right: pixels that were found, and those of them on damage.
        patches, patches_right: connected patches that were found, and those of them half or more on damage.
    """

    seen: dict[str, int]
    seen_found: dict[str, int]
    pieces: dict[str, int]
    pieces_found: dict[str, int]
    dark: int
    dark_found: int
    marked: int
    marked_right: int
    patches: int
    patches_right: int

    def recall(self, kind: str) -> float:
        return self.seen_found[kind] / max(1, self.seen[kind])

    def recall_of_pieces(self, kind: str) -> float:
        return self.pieces_found[kind] / max(1, self.pieces[kind])

    @property
    def recall_of_dark(self) -> float:
        return self.dark_found / max(1, self.dark)

    @property
    def recall_of_light(self) -> float:
        seen = sum(self.seen.values()) - self.dark
        return (sum(self.seen_found.values()) - self.dark_found) / max(1, seen)

    @property
    def mean_recall(self) -> float:
        """The mean over the kinds: large pieces must not decide."""
        kinds = [kind for kind in self.seen if self.seen[kind]]
        return sum(self.recall(kind) for kind in kinds) / max(1, len(kinds))

    @property
    def precision(self) -> float:
        return self.marked_right / max(1, self.marked)

    @property
    def precision_of_patches(self) -> float:
        return self.patches_right / max(1, self.patches)


def drawn_counts(rng: np.random.Generator, width: int, height: int) -> dict[DamageKind, int]:
    """A usual amount of damage for a picture of that size: dust and hairs by its area, folds and corners by the picture."""
    area = max(0.25, width * height / (480 * 600))
    usual: dict[DamageKind, float] = {
        "scratch": 1.6,
        "curve": 1.0,
        "hair": 2.0 * area,
        "speck": 12.0 * area,
        "fold": 0.5,
        "tear": 0.6,
        "corner": 0.5,
    }
    return {kind: int(rng.poisson(mean)) for kind, mean in usual.items()}


def score_damage(found: NDArray[np.bool_], damaged: Damaged) -> DamageScore:
    """Compare what was found (H x W) with what was drawn."""
    near_found = _grown(found, _REACH)
    truth = np.zeros(found.shape, np.bool_)
    counts = {name: dict.fromkeys(_NAMES, 0) for name in ("seen", "seen_found", "pieces", "pieces_found")}
    dark = dark_found = 0
    for piece in damaged.pieces:
        truth |= piece.seen
        seen, hit = int(piece.seen.sum()), int((piece.seen & near_found).sum())
        counts["seen"][piece.kind] += seen
        counts["seen_found"][piece.kind] += hit
        if seen >= _SMALLEST:
            counts["pieces"][piece.kind] += 1
            counts["pieces_found"][piece.kind] += hit >= _HALF * seen
        if not piece.lighter:
            dark, dark_found = dark + seen, dark_found + hit
    right = found & _grown(truth | damaged.touched, _NEAR)
    number, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    areas = np.bincount(np.asarray(labels).ravel(), minlength=number)
    hits = np.bincount(np.asarray(labels)[right], minlength=number)
    return DamageScore(
        seen=counts["seen"],
        seen_found=counts["seen_found"],
        pieces=counts["pieces"],
        pieces_found=counts["pieces_found"],
        dark=dark,
        dark_found=dark_found,
        marked=int(found.sum()),
        marked_right=int(right.sum()),
        patches=number - 1,
        patches_right=int((hits[1:] >= _HALF * areas[1:]).sum()),
    )


def total(scores: Sequence[DamageScore]) -> DamageScore:
    """The sum over pictures."""

    def summed(name: str) -> dict[str, int]:
        return {kind: sum(getattr(score, name)[kind] for score in scores) for kind in DAMAGE_KINDS}

    def number(name: str) -> int:
        return sum(getattr(score, name) for score in scores)

    return DamageScore(
        seen=summed("seen"),
        seen_found=summed("seen_found"),
        pieces=summed("pieces"),
        pieces_found=summed("pieces_found"),
        dark=number("dark"),
        dark_found=number("dark_found"),
        marked=number("marked"),
        marked_right=number("marked_right"),
        patches=number("patches"),
        patches_right=number("patches_right"),
    )


def _grown(flags: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    side = 2 * radius + 1
    return np.asarray(cv2.dilate(flags.astype(np.uint8), np.ones((side, side), np.uint8))) > 0
