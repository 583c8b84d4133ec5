"""The situations that the presets are for: portraits as they arrive, made from sharp ones, and what restoration does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from likeness.degradations import RECIPES
from likeness.errors import NoFaceError
from likeness.evaluation.backlight import light_from_behind
from likeness.evaluation.generated import break_eye, melt_ear, wax
from likeness.evaluation.judge import Judge, Reference, Score
from likeness.faces.detect import Detector
from likeness.faces.person import person_mask
from likeness.faces.regions import face_mask, region_masks
from likeness.imaging.image import Image, Pixels
from likeness.messages.notice import Notice

__all__ = ["SITUATIONS", "Case", "Outcome", "Situation", "judge_case", "make_case"]


@dataclass(frozen=True, kw_only=True)
class Situation:
    """One situation.

    Attributes:
        name: what it is called.
        story: what happened, in a few words.
        recipe: what cameras, scanners and messengers do to it (`likeness.degradations.RECIPES`).
        scene: what happens before: nothing, light from behind, or a generator that breaks an eye and an ear.
        preset: the published preset that is meant for it; "natural" where there is none of its own.
        offered: a preset of ours that serves better with our weights, if there is one.
    """

    name: str
    story: str
    recipe: str
    scene: Literal["plain", "backlit", "generated"] = "plain"
    preset: str = "natural"
    offered: str | None = None


SITUATIONS: tuple[Situation, ...] = (
    Situation(
        name="early digital",
        story="a camera of the 2000s: 640 x 480, Bayer sampling, burnt lights, unsharp mask, JPEG of quality 30 to 55",
        recipe="camera-2000s",
        preset="early-digital",
    ),
    Situation(
        name="generated face",
        story="one iris out of shape and place, one ear melted, skin like wax; otherwise sharp",
        recipe="clean",
        scene="generated",
        preset="ai-portrait",
    ),
    Situation(
        name="film scan",
        story="a yellowed, faded print with grain, scratches and dust, scanned",
        recipe="film-scan",
        preset="film-scan",
    ),
    Situation(
        name="low light",
        story="a phone by lamplight: motion, purple fringes, noise reduction that smears and leaves blotches of colour",
        recipe="phone-night",
        preset="low-light",
    ),
    Situation(
        name="backlit",
        story="against a window: the face 1.5 to 2.3 stops under, the background burnt out, noise in the shadows",
        recipe="phone-shadow",
        scene="backlit",
    ),
    Situation(
        name="messenger",
        story="sent on twice: made smaller, compressed, resized and compressed again",
        recipe="messenger",
    ),
)
"""In the order of the documents."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """One portrait in a situation.

    Attributes:
        name: the portrait's.
        situation: which one.
        original: S x S x 3, what a perfect restoration would give: sharp, in the situation's own light and colour.
        degraded: S x S x 3, what arrives, in whole 8-bit steps as a file would hold it.
        damage: what a generator broke: S x S in [0, 1] by part ("eye", "ear").
    """

    name: str
    situation: Situation
    original: Pixels
    degraded: Pixels
    damage: dict[str, NDArray[np.float32]] = field(default_factory=dict[str, NDArray[np.float32]])


def make_case(name: str, portrait: Pixels, situation: Situation, seed: int, *, detector: Detector) -> Case:
    """Put a portrait (S x S x 3, [0, 1], FFHQ-aligned) into a situation.

    Args:
        seed: decides everything that is drawn.
        detector: finds the face, for the scenes that need its mesh.

    Raises:
        NoFaceError: if such a scene's face is not found.
    """
    scene, changed = portrait, portrait
    damage: dict[str, NDArray[np.float32]] = {}
    if situation.scene == "backlit":
        scene = changed = light_from_behind(portrait, person_mask(portrait), seed)
    elif situation.scene == "generated":
        points = _mesh(portrait, detector)
        changed = wax(portrait, region_masks(points, Image(pixels=portrait).size.width), seed)
        changed, damage["eye"] = break_eye(changed, points, seed)
        changed, damage["ear"] = melt_ear(changed, points, seed)
    drawn = RECIPES[situation.recipe].draw(seed)
    degraded = Image.from_uint8(Image(pixels=drawn.apply(changed, seed)).to_uint8()).pixels
    return Case(
        name=name, situation=situation, original=drawn.tone().apply(scene, seed), degraded=degraded, damage=damage
    )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a picture is worth in its case.

    Attributes:
        score: its figures beside the original.
        change: mean absolute change of the input on the face, in levels of 255.
        mended: for each broken part, the share of the damage that is gone: 1 - RMS error after / RMS error before, under the
            damage's mask; 1 as the original, 0 as it came, below 0 worse.
    """

    score: Score
    change: float
    mended: dict[str, float]


def judge_case(judge: Judge, case: Case, reference: Reference, restored: Pixels) -> Outcome:
    """Judge a restored picture; give it the degraded one itself to judge what arrived. ``reference`` is of the original."""
    mask = face_mask(region_masks(reference.points, Image(pixels=case.original).size.width))
    moved = np.abs(restored - case.degraded).mean(axis=2)
    return Outcome(
        score=judge.score(restored, reference),
        change=float((moved * mask).sum() / mask.sum()) * 255,
        mended={
            part: 1.0 - _error(restored, case.original, where) / max(_error(case.degraded, case.original, where), 1e-9)
            for part, where in case.damage.items()
        },
    )


def _error(x: Pixels, original: Pixels, mask: NDArray[np.float32]) -> float:
    return float(np.sqrt((np.square(x - original).mean(axis=2) * mask).sum() / max(float(mask.sum()), 1e-9)))


def _mesh(pixels: Pixels, detector: Detector) -> NDArray[np.float32]:
    faces = [face for face in detector.detect(Image(pixels=pixels)) if face.landmarks.source == "mesh"]
    if not faces:
        raise NoFaceError(Notice("evaluate.no-scene"))
    return max(faces, key=lambda face: face.box.area).landmarks.points
