"""Scores of a restorer on pairs. Every figure stands beside the degraded input's own, as the question is always "better than
doing nothing?".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from likeness.errors import ConfigError, NoFaceError
from likeness.evaluation.judge import Judge, Score
from likeness.evaluation.pairs import EVALUATION_RECIPES, Source, check_recipe, make_pairs
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
        results: one per picture.
        left_out: portraits in which no face was found: nothing can be compared with them.
    """

    recipe: str
    results: tuple[Result, ...]
    left_out: tuple[str, ...] = ()

    @property
    def pictures(self) -> int:
        return len(self.results)

    @property
    def degraded(self) -> Score:
        """Means over the degraded pictures."""
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
        source: the restorer (`restored_by`), another tool's results (`outputs_in`), or any other function of a pair.
        report: called with the recipe and the number of pictures done.

    Raises:
        MissingExtraError: if the identity model is not installed.
        ConfigError: for an unknown recipe or no portraits; what the source raises.
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
        for done, pair in enumerate(make_pairs(portraits, recipe), start=1):
            try:
                reference = judge.reference(pair.original)
            except NoFaceError:
                _log.warning("%s is left out of %s: no face was found in the original", pair.name, recipe)
                left_out.append(pair.name)
                continue
            degraded = judge.score(pair.degraded, reference)
            output = source(pair)
            if output.shape != pair.degraded.shape:
                raise ConfigError(Notice("evaluate.other-size", {"name": pair.name, "recipe": recipe}))
            results.append(Result(name=pair.name, degraded=degraded, restored=judge.score(output, reference)))
            if report is not None:
                report(recipe, done)
        if not results:
            raise NoFaceError(Notice("evaluate.no-reference"))
        tables.append(Table(recipe=recipe, results=tuple(results), left_out=tuple(left_out)))
    return tuple(tables)
