"""Against the worked examples of K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011)."""

from __future__ import annotations

import math
import random

import pytest

from likeness.studio.review.agreement import krippendorff_alpha


def units(*observers: str) -> list[list[float]]:
    """Units from one string per observer; "." is missing."""
    return [[float(ord(value)) for value in column if value != "."] for column in zip(*observers, strict=True)]


def test_two_observers_of_binary_data() -> None:
    found = krippendorff_alpha(units("0100000010", "1110010000"), metric="nominal")
    assert found == pytest.approx(0.095, abs=5e-4)


def test_two_observers_of_nominal_data() -> None:
    found = krippendorff_alpha(units("aabbdcccedda", "babbbcccedd" + "d"), metric="nominal")
    assert found == pytest.approx(0.692, abs=5e-4)


@pytest.mark.parametrize(("metric", "expected"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_four_observers_with_missing_data(metric: str, expected: float) -> None:
    data = units("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
    assert krippendorff_alpha(data, metric=metric) == pytest.approx(expected, abs=5e-4)  # type: ignore[arg-type]


def test_the_ends_of_the_scale() -> None:
    assert krippendorff_alpha([[1, 1, 1], [5, 5], [3, 3]]) == 1
    chance = random.Random(7)
    noise = [[float(chance.randint(1, 5)) for _ in range(3)] for _ in range(3000)]
    assert abs(krippendorff_alpha(noise)) < 0.03
    assert krippendorff_alpha([[1, 5], [5, 1], [1, 5], [5, 1]]) < 0


def test_what_cannot_be_told() -> None:
    assert math.isnan(krippendorff_alpha([]))
    assert math.isnan(krippendorff_alpha([[3], [4]]))
    assert math.isnan(krippendorff_alpha([[4, 4], [4, 4]]))
