"""How far raters agree: Krippendorff's alpha."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Literal

__all__ = ["krippendorff_alpha"]

_Metric = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(units: Sequence[Sequence[float]], *, metric: _Metric = "ordinal") -> float:
    """Krippendorff's alpha, 1 - observed over expected disagreement, by way of the coincidence matrix.

    1 is perfect agreement, 0 what chance gives; under 0 raters differ systematically. Krippendorff asks for 0.8 and
    allows tentative conclusions from 0.667 on.

    Args:
        units: for each thing that was rated, the values that its raters gave, in any order. Missing ratings are simply
            not there; a unit with fewer than two counts for nothing.
        metric: how far two values are apart: the same or not, by ranks, or by their difference squared.

    Returns:
        alpha; NaN where nothing can be told: no unit with two values, or all values equal.

    Source: K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section D, and its metric differences.
    """
    coincidences: Counter[tuple[float, float]] = Counter()
    for values in units:
        if len(values) > 1:
            for pair in permutations(values, 2):
                coincidences[pair] += 1 / (len(values) - 1)  # pyright: ignore[reportArgumentType] -- a weight, no count
    totals: dict[float, float] = {}
    for (value, _), weight in coincidences.items():
        totals[value] = totals.get(value, 0.0) + weight
    n = sum(totals.values())
    observed = sum(weight * _difference(a, b, totals, metric) for (a, b), weight in coincidences.items())
    expected = sum(totals[a] * totals[b] * _difference(a, b, totals, metric) for a in totals for b in totals)
    return 1 - (n - 1) * observed / expected if expected > 0 else math.nan


def _difference(a: float, b: float, totals: Mapping[float, float], metric: _Metric) -> float:
    """The squared difference of two values."""
    if a == b:
        return 0.0
    if metric == "nominal":
        return 1.0
    if metric == "interval":
        return (a - b) ** 2
    low, high = min(a, b), max(a, b)
    between = sum(count for value, count in totals.items() if low <= value <= high)
    return (between - (totals[a] + totals[b]) / 2) ** 2
