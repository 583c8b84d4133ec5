"""Fit how blurred a face is to the powers of its spectrum: `python tools/fit_blur.py FOLDER` prints the numbers of
`likeness.reference.blur`.

FOLDER holds FFHQ-aligned portraits (pictures, or shards train-*.tar). Each is degraded by recipes whose blur is then known:
that by which the portrait comes closest to the degraded one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from train_lending import NATIVE_SIDE

from likeness.degradations import RECIPES, TRAINING, Recipe
from likeness.faces.effective_resolution import gradient_powers
from likeness.imaging.colour import luma
from likeness.imaging.image import Image
from likeness.imaging.portraits import Portraits
from likeness.reference.blur import blur_features
from likeness.reference.fusion import photograph_blur
from likeness.training.sampling import read_left_out

SHARES = {"train-severe": 3, "train-blind": 3, "train-film": 1, "severe": 2, "moderate": 2, "messenger": 1}
"""How often each recipe is drawn."""
FACE = ((256, 290), (130, 175))
"""Centre and half axes of the face in an aligned crop, px."""
LEAST = 0.5
"""Blur that counts as none, px at 512."""
RIDGE = 3.0
"""What the squares of the weights cost, of numbers of mean 0 and deviation 1."""
FOLDS = 5

_Values = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without", type=Path, help="a table, with a column file, of portraits that are not used")
    parser.add_argument("--count", type=int, default=1_700)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    left_out = read_left_out(asked.without) if asked.without else ()
    portraits = Portraits.read(asked.folder, 512, min_native_side=NATIVE_SIDE, without=left_out)
    features, blurs, persons = drawn(portraits, asked.count, asked.seed)
    errors = np.empty(len(blurs))
    for fold in range(FOLDS):
        held = persons % FOLDS == fold
        constant, weights = fitted(features[~held], blurs[~held])
        errors[held] = blurs[held] - constant - features[held] @ weights
    print(f"{len(blurs)} faces; of portraits that had no part in it the logarithm is off by {errors.std():.3f}")
    constant, weights = fitted(features, blurs)
    print(f"_CONSTANT = {constant:.3f}")
    for row in [*weights[:-2].reshape(-1, 10), weights[-2:]]:
        print("(" + ", ".join(f"{weight:.3f}" for weight in row) + "),")


def drawn(portraits: Portraits, count: int, seed: int) -> tuple[_Values, _Values, NDArray[np.int64]]:
    """The numbers of degraded portraits, the logarithms of their blurs, and which portraits they are."""
    known: dict[str, Recipe] = {recipe.name: recipe for recipe in (*(one for _, one in TRAINING), *RECIPES.values())}
    recipes = [known[name] for name, share in SHARES.items() for _ in range(share)]
    rng = np.random.default_rng(seed)
    face = np.asarray(cv2.ellipse(np.zeros((512, 512), np.float32), *FACE, 0, 0, 360, (1.0,), -1), dtype=np.float32)
    features, blurs, numbers = [], [], rng.integers(0, len(portraits.names), count)
    for number in numbers:
        sharp, one = portraits.pixels(int(number)), int(rng.integers(2**31))
        recipe = recipes[int(rng.integers(len(recipes)))].draw(one)
        degraded = np.clip(recipe.apply(sharp, one), 0, 1).astype(np.float32)
        shown = luma(Image.from_uint8(Image(pixels=degraded).to_uint8()).pixels)
        blur = photograph_blur(shown, luma(recipe.tone().apply(sharp, one)), face)
        features.append(blur_features(*gradient_powers(shown)))
        blurs.append(np.log(max(blur, LEAST)))
    return np.stack(features), np.array(blurs), numbers


def fitted(features: _Values, blurs: _Values) -> tuple[float, _Values]:
    """Constant and weights of the line, by ridge regression."""
    mean, spread = features.mean(axis=0), features.std(axis=0)
    scaled = (features - mean) / spread
    weights = np.linalg.solve(scaled.T @ scaled + RIDGE * np.eye(scaled.shape[1]), scaled.T @ (blurs - blurs.mean()))
    weights = weights / spread
    return float(blurs.mean() - mean @ weights), weights


if __name__ == "__main__":
    main()
