"""The pairs that every restorer is judged on: sharp portraits, and what fixed recipes with fixed seeds made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from likeness.degradations import RECIPES
from likeness.errors import ConfigError, LikenessError
from likeness.imaging.files import write_image
from likeness.imaging.image import Image, Pixels
from likeness.messages.notice import Notice
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer

__all__ = [
    "EVALUATION_RECIPES",
    "Failure",
    "Pair",
    "Source",
    "check_recipe",
    "make_pairs",
    "restored",
    "restored_by",
    "stems",
    "write_pairs",
]

EVALUATION_RECIPES = ("clean", "mild", "moderate", "severe", "grey-film", "messenger")


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """An original (S x S x 3, [0, 1]) and what the recipe made of it, in whole 8-bit steps as a file would hold it."""

    name: str
    recipe: str
    original: Pixels
    degraded: Pixels


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A picture, or a face in one, without figures, and why."""

    picture: str
    reason: str


Source: TypeAlias = Callable[[Pair], Pixels]
"""A restorer, as far as it can be judged: given a pair, the restored picture of the same size, made without the original."""


def make_pairs(portraits: Sequence[tuple[str, Pixels]], recipe: str, *, every: int = 1) -> Iterator[Pair]:
    """Pairs of every so many-th portrait, with its place in the list as the seed.

    Raises:
        ConfigError: for an unknown recipe.
    """
    check_recipe(recipe)
    for seed in range(0, len(portraits), every):
        name, original = portraits[seed]
        drawn = RECIPES[recipe].draw(seed)
        degraded = Image.from_uint8(Image(pixels=drawn.apply(original, seed)).to_uint8()).pixels
        yield Pair(name=name, recipe=recipe, original=drawn.tone().apply(original, seed), degraded=degraded)


def restored_by(restorer: Restorer, controls: Controls | None = None) -> Source:
    """A restorer of ours as a source; it raises LikenessError where a face fails, as the input is no result."""

    def source(pair: Pair) -> Pixels:
        return restored(restorer, Image(pixels=pair.degraded), controls, aligned=True).pixels

    return source


def restored(restorer: Restorer, image: Image, controls: Controls | None = None, *, aligned: bool = False) -> Image:
    """A picture as it is scored.

    Raises:
        LikenessError: if no face could be restored.
    """
    made = restorer.restore(image, controls, aligned=aligned, verdicts=False)
    if not made.done:
        raise LikenessError(made.failure)
    return made.image


def write_pairs(
    portraits: Sequence[tuple[str, Pixels]],
    folder: Path,
    *,
    recipes: Sequence[str] = EVALUATION_RECIPES,
    report: Callable[[str, int], None] | None = None,
) -> int:
    """Write the pairs as PNG, for a tool that is not ours: ``folder/<recipe>/<name>.png`` holds the degraded pictures,
    ``folder/original/<name>.png`` the originals. A recipe that changes the tone (black and white) is compared with
    originals of that tone, written to ``folder/original-<recipe>``.

    Args:
        report: called with the recipe and the number of pictures done.

    Returns:
        the number of degraded pictures written.

    Raises:
        ConfigError: for an unknown recipe, no portraits, or two portraits of one name.
        ImageWriteError: if a file cannot be written.
    """
    if not portraits:
        raise ConfigError(Notice("evaluate.no-portraits-for-pairs"))
    for recipe in recipes:
        check_recipe(recipe)
    stems(name for name, _ in portraits)
    folders = [folder / "original", *(folder / recipe for recipe in recipes)]
    for item in folders:
        item.mkdir(parents=True, exist_ok=True)
    for name, original in portraits:
        write_image(Image(pixels=original), folder / "original" / f"{Path(name).stem}.png")
    for recipe in recipes:
        for done, (pair, (_, plain)) in enumerate(zip(make_pairs(portraits, recipe), portraits, strict=True), start=1):
            file = f"{Path(pair.name).stem}.png"
            write_image(Image(pixels=pair.degraded), folder / recipe / file)
            if not np.array_equal(pair.original, plain):
                toned = folder / f"original-{recipe}"
                toned.mkdir(exist_ok=True)
                write_image(Image(pixels=pair.original), toned / file)
            if report is not None:
                report(recipe, done)
    return len(portraits) * len(recipes)


def check_recipe(recipe: str) -> None:
    """
    Raises:
        ConfigError: for an unknown recipe.
    """
    if recipe not in RECIPES:
        raise ConfigError(Notice("evaluate.unknown-recipe", {"recipe": recipe, "known": ", ".join(RECIPES)}))


def stems(names: Iterable[str]) -> tuple[str, ...]:
    """The names without suffixes, by which the files of a pair are called.

    Raises:
        ConfigError: if two are the same.
    """
    found = tuple(Path(name).stem for name in names)
    twice = [stem for stem, count in Counter(found).items() if count > 1]
    if twice:
        raise ConfigError(Notice("evaluate.same-name", {"name": twice[0]}))
    return found
