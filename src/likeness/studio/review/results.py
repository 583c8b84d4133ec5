"""What a review's votes say, side by side."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from likeness.studio.intervals import Interval, mean_interval, wilson_interval
from likeness.studio.review.agreement import krippendorff_alpha
from likeness.studio.review.session import MAX_SCORE, Ballot, ReviewSession

__all__ = ["CONFIDENCE", "PairResult", "RaterResult", "Results", "SideResult", "count"]

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class SideResult:
    """How a side was rated.

    Attributes:
        name: the side.
        mean: of the pictures' means (each over its raters), with Student's t-interval over pictures.
        scores: how often each of 1 to 5 was given.
        items: each picture's mean by its name, NaN-free: pictures without a rating are not there.
    """

    name: str
    mean: Interval
    scores: tuple[int, ...]
    items: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class PairResult:
    """Two sides against each other, over the pictures of which somebody rated both.

    Attributes:
        first, second: the sides.
        difference: first minus second: per picture the mean over the raters who rated both, with Student's t-interval over
            pictures, so that a picture that all find hard counts once and for neither.
        wins, losses, ties: pictures on which the first's mean is above, below, or equal.
        preference: share of wins among wins and losses, with Wilson's interval.
        ballots: how often a rater scored the first higher, the second higher, both the same.
    """

    first: str
    second: str
    difference: Interval
    wins: int
    losses: int
    ties: int
    preference: Interval
    ballots: tuple[int, int, int]

    @property
    def sentence(self) -> str:
        """What can be said, in words."""
        value, low, high = self.difference.value, self.difference.low, self.difference.high
        if self.difference.n == 0:
            return f"nobody has rated {self.first} and {self.second} on the same picture yet"
        if self.difference.n == 1:
            return f"one picture says nothing of {self.first} and {self.second} in general"
        bounds = f"{abs(value):.2f} points ({min(abs(low), abs(high)):.2f} to {max(abs(low), abs(high)):.2f})"
        if low > 0:
            return f"{self.first} is better than {self.second}, by {bounds}"
        if high < 0:
            return f"{self.second} is better than {self.first}, by {bounds}"
        return f"no difference between {self.first} and {self.second} could be shown ({low:+.2f} to {high:+.2f})"


@dataclass(frozen=True, kw_only=True)
class RaterResult:
    """How a rater used the scale: the ratings given, their mean, and how many there were to give."""

    name: str
    given: int
    asked: int
    mean: float


@dataclass(frozen=True, kw_only=True)
class Results:
    """Everything.

    Attributes:
        sides: in the session's order.
        pairs: every two sides; their intervals hold together (Bonferroni) at `CONFIDENCE`.
        alpha: Krippendorff's alpha over all pictures and sides, ordinal; NaN with fewer than two raters.
        raters: in the order of arrival.
        positions: mean score at each position from the left; they should be about equal, as chance put the sides there.
        comments: the ballots with a comment, by picture and side.
        ballots: all of them: the unblinded key.
        given, asked: ratings, of those who came.
    """

    sides: tuple[SideResult, ...]
    pairs: tuple[PairResult, ...]
    alpha: float
    raters: tuple[RaterResult, ...]
    positions: tuple[float, ...]
    comments: tuple[Ballot, ...]
    ballots: tuple[Ballot, ...]
    given: int
    asked: int


def count(session: ReviewSession) -> Results:
    """Count the votes of a session."""
    ballots = session.ballots()
    rated = [ballot for ballot in ballots if ballot.score is not None]
    pairs = list(combinations(session.sides, 2))
    units: dict[tuple[str, str], list[float]] = defaultdict(list)
    for ballot in rated:
        units[ballot.item, ballot.side].append(_score(ballot))
    by_position = [[_score(b) for b in rated if b.position == position] for position in range(len(session.sides))]
    names = list(dict.fromkeys(ballot.rater for ballot in ballots))
    return Results(
        sides=tuple(_side(name, rated) for name in session.sides),
        pairs=tuple(_pair(first, second, rated, 1 - (1 - CONFIDENCE) / len(pairs)) for first, second in pairs),
        alpha=krippendorff_alpha(list(units.values())),
        raters=tuple(_rater(name, ballots) for name in names),
        positions=tuple(_mean(scores) for scores in by_position),
        comments=tuple(sorted((b for b in ballots if b.comment), key=lambda b: (b.item, b.side, b.rater))),
        ballots=ballots,
        given=len(rated),
        asked=len(ballots),
    )


def _score(ballot: Ballot) -> float:
    return float(ballot.score or 0)  # only asked of ballots with a score


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else float("nan")


def _side(name: str, rated: Sequence[Ballot]) -> SideResult:
    items: dict[str, list[float]] = defaultdict(list)
    given: Counter[int | None] = Counter()
    for ballot in rated:
        if ballot.side == name:
            items[ballot.item].append(_score(ballot))
            given[ballot.score] += 1
    means = {item: fmean(scores) for item, scores in sorted(items.items())}
    return SideResult(
        name=name,
        mean=mean_interval(list(means.values()), confidence=CONFIDENCE),
        scores=tuple(given[score] for score in range(1, MAX_SCORE + 1)),
        items=means,
    )


def _pair(first: str, second: str, rated: Sequence[Ballot], confidence: float) -> PairResult:
    trials: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for ballot in rated:
        trials[ballot.item, ballot.rater][ballot.side] = _score(ballot)
    differences: dict[str, list[float]] = defaultdict(list)
    for (item, _), scores in trials.items():
        if first in scores and second in scores:
            differences[item].append(scores[first] - scores[second])
    means = [fmean(values) for values in differences.values()]
    every = [value for values in differences.values() for value in values]
    wins, losses = sum(mean > 0 for mean in means), sum(mean < 0 for mean in means)
    return PairResult(
        first=first,
        second=second,
        difference=mean_interval(means, confidence=confidence),
        wins=wins,
        losses=losses,
        ties=len(means) - wins - losses,
        preference=wilson_interval(wins, wins + losses, confidence=confidence),
        ballots=(sum(v > 0 for v in every), sum(v < 0 for v in every), sum(v == 0 for v in every)),
    )


def _rater(name: str, ballots: Sequence[Ballot]) -> RaterResult:
    own = [ballot for ballot in ballots if ballot.rater == name]
    scores = [_score(ballot) for ballot in own if ballot.score is not None]
    return RaterResult(name=name, given=len(scores), asked=len(own), mean=_mean(scores))
