"""Good, look or bad: what to say of one restored face, and the one thing that speaks most against it.

The figures of `likeness.evidence.structure` are weighed together, as each alone says little of a single face: the sum of
weights times distances from a centre is the log-odds that an observer would call the face bad (logistic regression). Weights
and limits are of one half of the labelled faces in benchmarks/face_verdicts.csv, and benchmarks/face_verdicts.md says how
they do on the other half. A few faults are rare but plain, and count by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from likeness.evidence.scene import Scene
from likeness.evidence.structure import Structure, measure_structure

__all__ = ["LIMITS", "REASONS", "WEIGHTS", "FaceVerdict", "Reason", "figures", "judge", "judge_face", "risk"]

Reason = Literal[
    "eyes-uneven",
    "face-lost",
    "features-moved",
    "hair-sand",
    "irises-unclear",
    "lines-drawn",
    "lips-recoloured",
    "little-held",
    "skin-blotched",
    "still-soft",
    "teeth-merged",
]

REASONS: dict[Reason, str] = {
    "eyes-uneven": "the irises stand at unequal heights",
    "face-lost": "no face is found in the result",
    "features-moved": "features moved by {moved:.0f} px of 512",
    "hair-sand": "sand in the hair instead of strands",
    "irises-unclear": "the irises have no clear rim",
    "lines-drawn": "lines were drawn that the photograph lacks",
    "lips-recoloured": "the lips have another colour now",
    "little-held": "the photograph holds only {pixels:.0f} px here",
    "skin-blotched": "new blotches of colour on the skin",
    "still-soft": "the result is soft: {shown:.0f} px across",
    "teeth-merged": "the teeth run into one bar",
}
"""What each code says to a person, in eight words at most; the values are those of `FaceVerdict.values`."""

WEIGHTS: dict[str, tuple[float, float]] = {
    "narrowest": (4.433, -1.756),
    "pixels": (4.556, -1.665),
    "shown": (5.117, -0.416),
    "iris": (3.269, -1.220),
    "moved": (1.127, 1.255),
    "skin_lines": (0.118, 0.904),
    "hair_lines": (0.202, 2.079),
    "": (0.0, -2.706),
}
"""Centre and weight of each of `figures`; "" stands for the constant."""

LIMITS: tuple[float, float] = (-1.99, -0.37)
"""Risk from which on a face is to be looked at, and from which on it is bad."""

_GROUPS: dict[str, Reason] = {
    "narrowest": "little-held",
    "pixels": "little-held",
    "shown": "still-soft",
    "iris": "irises-unclear",
    "moved": "features-moved",
    "skin_lines": "lines-drawn",
    "hair_lines": "lines-drawn",
}
"""What each figure speaks for when it weighs most."""

_PLAIN: tuple[tuple[Reason, str, float, float], ...] = (
    ("hair-sand", "sand", 0.1, 0.3),
    ("skin-blotched", "blotches", 0.3, 0.6),
    ("lips-recoloured", "lips", 6.0, 12.0),
    ("eyes-uneven", "uneven", 0.2, 0.3),
    ("teeth-merged", "merged", 1.0, 2.0),
)
"""Faults that count by themselves: the figure, and from where on it is to be looked at, or bad. Limits are beyond what the
labelled good faces of the half that sets them reach."""

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

    level: Literal["good", "look", "bad"]
    reason: Reason | None
    values: Mapping[str, float]
    risk: float

    @property
    def sentence(self) -> str:
        """The reason in English, at most eight words; "" if the face is good."""
        return "" if self.reason is None else REASONS[self.reason].format_map(self.values)


def judge_face(scene: Scene) -> FaceVerdict:
    """The verdict on a face before and after."""
    return judge(measure_structure(scene))


def judge(found: Structure) -> FaceVerdict:
    """The verdict on a face that was measured."""
    odds = risk(found)
    level: Literal["good", "look", "bad"] = "bad" if odds >= LIMITS[1] else "look" if odds >= LIMITS[0] else "good"
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
    return FaceVerdict(level=level, reason=reason, values=values, risk=odds)


def figures(found: Structure) -> dict[str, float]:
    """What is weighed, each on a scale on which faces spread about evenly."""
    return {
        "narrowest": math.log(found.held.narrowest),
        "pixels": math.log(found.held.pixels),
        "shown": math.log(found.shown),
        "iris": math.log(max(found.iris, 1.0)),
        "moved": math.log(found.moved + 0.5),
        "skin_lines": found.skin_lines,
        "hair_lines": found.hair_lines,
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
        "shown": found.shown,
        "iris": found.iris,
        "uneven": found.uneven,
        "moved": found.moved,
        "skin_lines": found.skin_lines,
        "hair_lines": found.hair_lines,
        "sand": found.sand,
        "lips": found.lips,
        "blotches": found.blotches,
        # 0 where the mouth is shut.
        "merged": 0.0 if found.teeth is None else _TEETH / max(found.teeth, 1e-3),
    }
