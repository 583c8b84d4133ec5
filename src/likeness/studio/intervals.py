"""Confidence intervals for means and shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

__all__ = ["Interval", "mean_interval", "shown", "t_quantile", "wilson_interval"]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with the bounds of its confidence interval.

    Attributes:
        value: the estimate; NaN if nothing was counted.
        low, high: bounds; NaN where there is too little to tell.
        n: how many independent values it rests on.
    """

    value: float
    low: float
    high: float
    n: int

    def bounds(self, *, signed: bool = False) -> str:
        """Such as "0.31 to 0.93"; "-" where there are none."""
        return "-" if math.isnan(self.low) else f"{shown(self.low, signed=signed)} to {shown(self.high, signed=signed)}"

    def percent(self) -> str:
        """The value of a share, such as "62%"; "-" if nothing was counted."""
        return "-" if self.n == 0 else f"{self.value:.0%}"

    def percent_bounds(self) -> str:
        """The bounds of a share, such as "31% to 86%"; "-" where there are none."""
        return "-" if self.n == 0 else f"{self.low:.0%} to {self.high:.0%}"


def shown(value: float, *, signed: bool = False) -> str:
    """A figure with two digits after the point; "-" for NaN."""
    return "-" if math.isnan(value) else f"{value:+.2f}" if signed else f"{value:.2f}"


def wilson_interval(successes: int, n: int, *, confidence: float = 0.95) -> Interval:
    """A share of ``n`` with the score interval of Wilson (JASA 22, 1927), which holds for small n and near 0 and 1, too.

    Raises:
        ValueError: unless 0 <= successes <= n and 0 < confidence < 1.
    """
    if not 0 <= successes <= n or not 0 < confidence < 1:
        raise ValueError(f"{successes} of {n} at a confidence of {confidence} is no share")
    if n == 0:
        return Interval(value=math.nan, low=math.nan, high=math.nan, n=0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At the ends the bounds are 0 and 1 exactly; arithmetic misses them by a rounding error.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Interval(value=share, low=low, high=high, n=n)


def mean_interval(values: Sequence[float], *, confidence: float = 0.95) -> Interval:
    """The mean of independent values with Student's t-interval, mean +- t * s / sqrt(n) with n - 1 degrees of freedom."""
    if not values:
        return Interval(value=math.nan, low=math.nan, high=math.nan, n=0)
    mean = fmean(values)
    if len(values) == 1:
        return Interval(value=mean, low=math.nan, high=math.nan, n=1)
    half = t_quantile((1 + confidence) / 2, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return Interval(value=mean, low=mean - half, high=mean + half, n=len(values))


def t_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's t distribution, by halving; to about 1e-9.

    Args:
        probability: in [0.5, 1).
        freedom: degrees of freedom, at least 1.

    Raises:
        ValueError: for values outside these ranges.
    """
    if not 0.5 <= probability < 1 or freedom < 1:
        raise ValueError(f"no quantile of t at {probability} with {freedom} degrees of freedom")
    low, high = 0.0, 1.0
    while _t_distribution(high, freedom) < probability:
        high *= 2
    while high - low > 1e-10 * max(1.0, high):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_distribution(middle, freedom) < probability else (low, middle)
    return (low + high) / 2


def _t_distribution(t: float, freedom: int) -> float:
    """P(T <= t) for t >= 0: 1 - I_x(v/2, 1/2) / 2 with x = v / (v + t^2) (Abramowitz and Stegun 26.7.1)."""
    return 1 - _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b) (Abramowitz and Stegun 26.5.8, evaluated by Lentz's method)."""
    if x in (0.0, 1.0):
        return x
    if x > (a + 1) / (a + b + 2):  # there the fraction converges slowly, and the other end quickly
        return 1 - _incomplete_beta(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    tiny = 1e-300
    fraction, c, d = 1.0, 1.0, 0.0
    for step in range(500):
        m = step // 2
        if step == 0:
            term = 1.0
        elif step % 2 == 0:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 + term * d
        d = 1 / (d if abs(d) > tiny else tiny)
        c = 1 + term / c
        c = c if abs(c) > tiny else tiny
        change = c * d
        fraction *= change
        if step and abs(change - 1) < 1e-14:
            break
    return front * (fraction - 1) / a
