"""What happens to portraits: seeded operations and frozen recipes.

The core chain is the one of blind face restoration (Wang et al., GFPGAN, CVPR 2021, equation 6),

    y = JPEG_q( (x * k_sigma) down_r + n_delta ) up_r,

with what our users' pictures have seen besides: motion, film grain, scratches, dust, fading, low light, messengers.
Lengths (blur, motion, grain, scratches) are given in pixels of a 512 crop and scale with the picture; noise is in levels
of 255. A `Recipe` holds ranges and probabilities and draws a `Degradation`, which holds the drawn values and applies them.
Same recipe, seed and picture: same result.
"""

from __future__ import annotations

from likeness.degradations.pre import pre_degrade
from likeness.degradations.recipe import Degradation, Range, Recipe
from likeness.degradations.recipes import RECIPES, TRAINING

__all__ = ["RECIPES", "TRAINING", "Degradation", "Range", "Recipe", "pre_degrade"]
