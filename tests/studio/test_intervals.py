from __future__ import annotations

import math

import pytest

from likeness.studio.intervals import mean_interval, shown, t_quantile, wilson_interval


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    [  # printed tables of Student's t
        (0.975, 1, 12.7062),
        (0.975, 2, 4.3027),
        (0.975, 9, 2.2622),
        (0.975, 30, 2.0423),
        (0.975, 120, 1.9799),
        (0.95, 5, 2.0150),
        (0.995, 10, 3.1693),
        (0.5, 7, 0.0),
    ],
)
def test_quantiles_of_t(probability: float, freedom: int, expected: float) -> None:
    assert t_quantile(probability, freedom) == pytest.approx(expected, abs=5e-5)


def test_many_degrees_of_freedom_are_the_normal_distribution() -> None:
    assert t_quantile(0.975, 1_000_000) == pytest.approx(1.95996, abs=1e-4)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_s_interval(successes: int, n: int, low: float, high: float) -> None:
    found = wilson_interval(successes, n)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    mirrored = wilson_interval(n - successes, n)
    assert (1 - mirrored.high, 1 - mirrored.low) == (pytest.approx(found.low), pytest.approx(found.high))


def test_a_mean() -> None:
    found = mean_interval([2, 4, 4, 6])
    # s = 1.63299, t(0.975, 3) = 3.18245
    assert (found.value, found.low, found.high) == (
        4,
        pytest.approx(1.40154, abs=1e-5),
        pytest.approx(6.59846, abs=1e-5),
    )
    assert found.bounds() == "1.40 to 6.60"


def test_what_cannot_be_told() -> None:
    assert math.isnan(wilson_interval(0, 0).value)
    assert wilson_interval(0, 0).percent() == wilson_interval(0, 0).percent_bounds() == "-"
    assert mean_interval([3]).bounds() == "-"
    assert (mean_interval([3]).value, mean_interval([]).n) == (3, 0)
    assert shown(math.nan) == "-"
    assert shown(0.456, signed=True) == "+0.46"
    with pytest.raises(ValueError, match="is no share"):
        wilson_interval(3, 2)
    with pytest.raises(ValueError, match="no quantile"):
        t_quantile(0.975, 0)
