"""Good, look or bad: what to say of one restored face, and the one thing that speaks most against it.

The figures of `likeness.evidence.structure` are weighed together, as each alone says little of a single face: the sum of
weights times distances from a centre is the log-odds that an observer would call the face bad (logistic regression). Weights
and limits are of one half of the labelled faces in benchmarks/face_verdicts.csv, and benchmarks/face_verdicts.md says how
they do on the other half. A few faults are rare but plain, and count by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from likeness.evidence.scene import Scene
from likeness.evidence.structure import Structure, measure_structure
from likeness.messages.notice import Notice

__all__ = [
    "LEVELS",
    "LIMITS",
    "REASONS",
    "WEIGHTS",
    "FaceVerdict",
    "Level",
    "Reason",
    "figures",
    "judge",
    "judge_face",
    "risk",
    "worst",
]

Reason: TypeAlias = Literal[
    "eyes-uneven",
    "face-lost",
    "face-unclear",
    "features-moved",
    "hair-sand",
    "irises-unclear",
    "lips-recoloured",
    "little-held",
    "photograph-lost",
    "sides-unlike",
    "skin-blotched",
    "teeth-merged",
]

Level: TypeAlias = Literal["good", "look", "bad"]

LEVELS: tuple[Level, ...] = get_args(Level)
"""In order of weight."""

REASONS: tuple[Reason, ...] = get_args(Reason)
"""What can speak against a face; "verdict." and the code is its sentence in the catalogues, of eight words at most."""

WEIGHTS: dict[str, tuple[float, float]] = {
    "narrowest": (4.258, -1.698),
    "pixels": (4.387, -1.656),
    "iris": (3.264, -0.470),
    "round": (0.608, -4.241),
    "moved": (0.859, 1.407),
    "mirrored": (0.623, -3.098),
    "": (0.000, -2.458),
}
"""Centre and weight of each of `figures`; "" stands for the constant."""

_PLACES: dict[Reason, tuple[str, ...]] = {"features-moved": ("moved",), "little-held": ("pixels",)}
"""Which of `FaceVerdict.values` a sentence holds."""

LIMITS: tuple[float, float] = (-1.24, -0.53)
"""Risk from which on a face is to be looked at, and from which on it is bad."""

_GROUPS: dict[str, Reason] = {
    "narrowest": "little-held",
    "pixels": "little-held",
    "iris": "irises-unclear",
    "round": "irises-unclear",
    "moved": "features-moved",
    "mirrored": "sides-unlike",
}
"""What each figure speaks for when it weighs most."""

_PLAIN: tuple[tuple[Reason, str, float, float], ...] = (
    ("hair-sand", "sand", 0.1, 0.3),
    ("skin-blotched", "blotches", 0.3, 0.6),
    ("lips-recoloured", "lips", 6.0, 12.0),
    ("eyes-uneven", "uneven", 0.2, 0.3),
    ("teeth-merged", "merged", 1.0, 2.0),
    ("photograph-lost", "changed", 0.15, 0.3),
)
"""Faults that count by themselves: the figure, and from where on it is to be looked at, or bad. Limits are beyond what the
labelled good faces of the half that sets them reach."""

_SMALL = 1.5
"""A face whose own pixels are at most so many times what they hold, a side, is small, not blurred, and what was drawn hardly
shows at its size: in a group photograph an eye finds such faces soft, and hardly ever bad. What is weighed is worth a look
there; plain faults count as elsewhere."""

_TEETH = 0.021
"""`Structure.teeth` of a row whose separations can just be seen."""


@dataclass(frozen=True, kw_only=True)
class FaceVerdict:
    """The verdict on one restored face.

    Attributes:
        level: "good", "look" (a person should look before it is handed on) or "bad" (not to be handed on).
        reason: what speaks most against the face, one of `REASONS`; None if it is good.
        values: what was measured, by name; those of `REASONS` among them.
        risk: log-odds that an observer would call the face bad.
    """

    level: Level
    reason: Reason | None
    values: Mapping[str, float]
    risk: float

    @property
    def sentence(self) -> Notice | Literal[""]:
        """The reason, at most eight words; "" if the face is good."""
        if self.reason is None:
            return ""
        code = f"verdict.{self.reason}"
        return Notice(code, {name: self.values[name] for name in _PLACES.get(self.reason, ())})

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        sentence = self.sentence
        return {
            "level": self.level,
            "reason": self.reason,
            "sentence": str(sentence),
            "notice": sentence.to_dict() if sentence else None,
            "risk": round(self.risk, 2),
            "values": {name: round(value, 3) for name, value in self.values.items()},
        }


def worst(verdicts: Iterable[FaceVerdict | None]) -> Level | None:
    """The worst level of several faces; None if there is none."""
    found = [LEVELS.index(verdict.level) for verdict in verdicts if verdict is not None]
    return LEVELS[max(found)] if found else None


def judge_face(scene: Scene) -> FaceVerdict:
    """The verdict on a face before and after."""
    return judge(measure_structure(scene))


def judge(found: Structure) -> FaceVerdict:
    """The verdict on a face that was measured."""
    odds = risk(found)
    level: Level = "bad" if odds >= LIMITS[1] else "look" if odds >= LIMITS[0] else "good"
    if level == "bad" and found.held.native_side <= _SMALL * found.held.pixels:
        level = "look"
    values = _values(found)
    reason = None if level == "good" else _heaviest(found)
    if not found.found:
        reason, level = "face-lost", "bad"
    # The plainest fault of those beyond their limit.
    code, name, look, bad = max(_PLAIN, key=lambda fault: values[fault[1]] / fault[3])
    if values[name] >= bad and level != "bad":
        reason, level = code, "bad"
    elif values[name] >= look and level == "good":
        reason, level = code, "look"
    if not found.known and level == "good":
        reason, level = "face-unclear", "look"
    return FaceVerdict(level=level, reason=reason, values=values, risk=odds)


def figures(found: Structure) -> dict[str, float]:
    """What is weighed, each on a scale on which faces spread about evenly; hidden eyes say nothing."""
    seen = found.eyes_seen
    return {
        "narrowest": math.log(found.held.narrowest),
        "pixels": math.log(found.held.pixels),
        "iris": math.log(max(found.iris, 1.0)) if seen else WEIGHTS["iris"][0],
        "round": found.round if seen else WEIGHTS["round"][0],
        "moved": math.log(found.moved + 0.5),
        "mirrored": found.mirrored,
    }


def risk(found: Structure) -> float:
    """Log-odds that an observer would call the face bad."""
    return WEIGHTS[""][1] + sum(_shares(found).values())


def _shares(found: Structure) -> dict[str, float]:
    """What each figure adds to the risk."""
    return {name: WEIGHTS[name][1] * (value - WEIGHTS[name][0]) for name, value in figures(found).items()}


def _heaviest(found: Structure) -> Reason:
    total: dict[Reason, float] = {}
    for name, share in _shares(found).items():
        code = _GROUPS[name]
        total[code] = total.get(code, 0.0) + share
    return max(total, key=lambda code: total[code])


def _values(found: Structure) -> dict[str, float]:
    return {
        "pixels": found.held.narrowest,
        "noise": found.held.noise,
        "iris": found.iris,
        "round": found.round,
        "uneven": found.uneven if found.eyes_seen else 0.0,
        "moved": found.moved,
        "mirrored": found.mirrored,
        "sand": found.sand,
        "lips": found.lips,
        "blotches": found.blotches,
        "changed": found.changed,
        # 0 where the mouth is shut.
        "merged": 0.0 if found.teeth is None else _TEETH / max(found.teeth, 1e-3),
    }
