"""Scores of a restorer on pairs. Every figure stands beside the degraded input's own, as the question is always "better than
doing nothing?".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from likeness.errors import ConfigError, LikenessError, NoFaceError
from likeness.evaluation.judge import Judge, Score
from likeness.evaluation.pairs import EVALUATION_RECIPES, Failure, Pair, Source, check_recipe, make_pairs
from likeness.imaging.image import Pixels
from likeness.messages.notice import Notice

__all__ = ["Result", "Table", "evaluate", "identity_ratio", "landmarks_ratio"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Result:
    """One picture: the scores of its degraded and its restored version."""

    name: str
    degraded: Score
    restored: Score


@dataclass(frozen=True, kw_only=True)
class Table:
    """The results of one recipe.

    Attributes:
        recipe: its name.
        results: one per picture that has figures.
        left_out: portraits in which no face was found: nothing can be compared with them.
        failures: pictures that could not be restored, or whose result could not be read.
    """

    recipe: str
    results: tuple[Result, ...]
    left_out: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def pictures(self) -> int:
        """How many the figures are of."""
        return len(self.results)

    @property
    def asked(self) -> int:
        """How many there were."""
        return len(self.results) + len(self.left_out) + len(self.failures)

    @property
    def degraded(self) -> Score:
        """Means over the degraded pictures whose restored ones have figures."""
        return Score.mean([result.degraded for result in self.results])

    @property
    def restored(self) -> Score:
        """Means over the restored pictures."""
        return Score.mean([result.restored for result in self.results])


def identity_ratio(results: Sequence[Result]) -> float:
    """Mean identity distance of the restored pictures over that of the degraded ones: under 1 the restored faces are closer
    to the person than the input. NaN where the input has no distance."""
    return _ratio(results, "identity")


def landmarks_ratio(results: Sequence[Result]) -> float:
    """Mean landmark distance of the restored pictures over that of the degraded ones, over the pictures where both meshes
    were found: a restorer may not gain by faces that are lost. NaN where the input has no distance."""
    both = [result for result in results if result.degraded.found and result.restored.found]
    return _ratio(both, "landmarks") if both else float("nan")


def _ratio(results: Sequence[Result], name: str) -> float:
    before: float = getattr(Score.mean([result.degraded for result in results]), name)
    after: float = getattr(Score.mean([result.restored for result in results]), name)
    return after / before if before > 1e-6 else float("nan")


def evaluate(
    source: Source,
    portraits: Sequence[tuple[str, Pixels]],
    *,
    recipes: Sequence[str] = EVALUATION_RECIPES,
    report: Callable[[str, int], None] | None = None,
) -> tuple[Table, ...]:
    """Score a restorer on aligned portraits (name and S x S x 3, [0, 1]).

    Args:
        source: the restorer (`restored_by`), another tool's results (`outputs_in`), or any other function of a pair. A
            picture for which it raises LikenessError has failed, and does not cost the others.
        report: called with the recipe and the number of pictures done.

    Raises:
        MissingExtraError: if the identity model is not installed.
        ConfigError: for an unknown recipe or no portraits; what the source raises for results that cannot be used.
        NoFaceError: if no portrait shows a face.
    """
    if not portraits:
        raise ConfigError(Notice("evaluate.no-portraits"))
    for recipe in recipes:
        check_recipe(recipe)
    judge = Judge()
    tables: list[Table] = []
    for recipe in recipes:
        results: list[Result] = []
        left_out: list[str] = []
        failures: list[Failure] = []
        for done, pair in enumerate(make_pairs(portraits, recipe), start=1):
            became = _judged(judge, source, pair)
            if became is None:
                _log.warning("%s is left out of %s: no face was found in the original", pair.name, recipe)
                left_out.append(pair.name)
            elif isinstance(became, Failure):
                failures.append(became)
            else:
                results.append(became)
            if report is not None:
                report(recipe, done)
        if not results and not failures:
            raise NoFaceError(Notice("evaluate.no-reference"))
        tables.append(Table(recipe=recipe, results=tuple(results), left_out=tuple(left_out), failures=tuple(failures)))
    return tuple(tables)


def _judged(judge: Judge, source: Source, pair: Pair) -> Result | Failure | None:
    """One pair's figures, or why there are none; None if no face was found in the original."""
    try:
        reference = judge.reference(pair.original)
    except NoFaceError:
        return None
    try:
        output = source(pair)
    except ConfigError:
        raise
    except LikenessError as error:
        return Failure(picture=pair.name, reason=str(error))
    if output.shape != pair.degraded.shape:
        raise ConfigError(Notice("evaluate.other-size", {"name": pair.name, "recipe": pair.recipe}))
    degraded = judge.score(pair.degraded, reference)
    return Result(name=pair.name, degraded=degraded, restored=judge.score(output, reference))
