"""The recipes: the evaluation's, the situations', and what training draws from. They are frozen: figures refer to them."""

from __future__ import annotations

from dataclasses import replace

from likeness.degradations.recipe import Recipe

__all__ = ["RECIPES", "TRAINING"]

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(name="clean"),
        Recipe(name="mild", blur=(0.5, 1.5), down=(1.0, 2.0), noise=(0.0, 4.0), jpeg=(75, 95)),
        Recipe(name="moderate", blur=(1.0, 5.0), down=(2.0, 5.0), noise=(2.0, 10.0), jpeg=(50, 85)),
        Recipe(
            name="severe", blur=(4.0, 10.0), anisotropic_p=0.5, down=(4.0, 8.0), noise=(5.0, 20.0), jpeg=(30, 60)
        ),
        Recipe(
            name="grey-film", blur=(0.8, 2.5), down=(1.0, 2.5), noise=(0.0, 3.0), noise_grey_p=1.0, jpeg=(80, 95),
            grain=(8.0, 20.0), scratches=(0, 4), dust=(2, 15), fade=(0.1, 0.5), yellow=(0.0, 0.0), grey_p=1.0,
        ),
        Recipe(
            name="messenger", blur=(0.3, 1.2), down=(1.5, 4.0), noise=(0.0, 4.0), jpeg=(35, 75), resave=(0.7, 1.2),
            resave_p=1.0, webp_p=0.2,
        ),
        Recipe(
            name="early-digital", blur=(0.8, 1.6), down=(2.2, 3.2), noise=(3.0, 7.0), noise_grain=(0.5, 1.0),
            jpeg=(28, 45), fringe=(0.5, 1.5),
        ),
        Recipe(
            name="film-scan", blur=(0.8, 1.6), down=(1.2, 1.8), jpeg=(85, 95), grain=(12.0, 18.0), scratches=(2, 5),
            dust=(8, 20), fade=(0.3, 0.5), yellow=(0.4, 0.7),
        ),
        Recipe(
            name="low-light", blur=(0.6, 1.2), motion=(3.0, 7.0), motion_p=1.0, fringe=(1.0, 2.5), dim=(0.3, 0.5),
            down=(1.2, 2.0), noise=(8.0, 13.0), noise_grey_p=0.0, noise_grain=(0.7, 1.2), smear=(0.6, 0.9),
            jpeg=(70, 85),
        ),
        Recipe(name="avatar", blur=(0.3, 0.8), down=(4.2, 4.3), jpeg=(70, 85)),
        Recipe(name="backlit", backlight=(0.6, 0.8), noise=(4.0, 8.0), blur=(0.4, 0.9), down=(1.2, 2.0), jpeg=(75, 90)),
        Recipe(
            name="camera-2000s", blur=(0.5, 0.9), down=(1.9, 2.6), contrast=(0.2, 0.5), fringe=(0.2, 0.8), noise=(2.5, 5.0),
            noise_grey_p=0.0, mosaic_p=1.0, sharpen=(1.0, 2.0), jpeg=(30, 55),
        ),
        Recipe(
            name="phone-night", blur=(0.4, 0.8), motion=(3.0, 7.0), motion_p=1.0, purple=(1.0, 2.0), dim=(0.45, 0.75),
            down=(1.2, 1.8), noise=(5.0, 9.0), noise_grey_p=0.0, noise_grain=(0.5, 0.9), blotches=(4.0, 8.0),
            smear=(0.8, 1.0), sharpen=(0.4, 0.9), uneven=(0.2, 0.6), yellow=(0.3, 0.7), jpeg=(65, 85),
        ),
        Recipe(
            name="phone-shadow", blur=(0.3, 0.7), down=(1.2, 2.0), noise=(4.0, 8.0), noise_grey_p=0.0,
            noise_grain=(0.4, 0.8), blotches=(2.0, 4.0), smear=(0.3, 0.7), sharpen=(0.3, 0.7), jpeg=(75, 90),
        ),
    )
}  # fmt: skip
"""The fixed recipes by name: the evaluation's (first six), the samples' in examples/, and from "camera-2000s" on those of
`likeness.evaluation.situations`, which has more of what cameras and phones do."""

TRAINING: tuple[tuple[float, Recipe], ...] = (
    (0.08, Recipe(name="train-clean", grey_p=0.2)),
    (0.16, Recipe(
        name="train-mild", blur=(0.1, 2.0), anisotropic_p=0.3, down=(0.8, 2.5), noise=(0.0, 6.0), noise_grain=(0.0, 1.0),
        jpeg=(60, 100), resave_p=0.2, resave=(0.7, 1.3), webp_p=0.05, grey_p=0.2,
    )),
    (0.38, Recipe(
        name="train-blind", blur=(0.5, 6.0), anisotropic_p=0.5, motion=(2.0, 12.0), motion_p=0.15, down=(0.8, 6.0),
        noise=(0.0, 14.0), noise_grain=(0.0, 1.0), jpeg=(35, 95), resave_p=0.2, resave=(0.7, 1.3), webp_p=0.05,
        uneven=(0.0, 0.6), grey_p=0.2,
    )),
    (0.12, Recipe(
        name="train-severe", blur=(0.1, 10.0), anisotropic_p=0.5, motion=(4.0, 20.0), motion_p=0.15, down=(3.0, 10.0),
        noise=(0.0, 20.0), noise_grain=(0.0, 1.0), jpeg=(30, 90), resave_p=0.2, resave=(0.7, 1.3), grey_p=0.2,
    )),
    (0.09, Recipe(
        name="train-film", blur=(0.3, 3.0), down=(0.8, 3.0), grain=(3.0, 22.0), scratches=(0, 4), dust=(0, 15),
        fade=(0.0, 0.5), yellow=(0.0, 0.5), uneven=(0.0, 0.6), jpeg=(60, 98), grey_p=0.6,
    )),
    (0.03, Recipe(
        name="train-print", blur=(0.3, 2.0), down=(0.8, 2.5), halftone=(3.0, 7.0), halftone_strength=(0.2, 0.9),
        fade=(0.0, 0.4), yellow=(0.0, 0.4), uneven=(0.0, 0.4), jpeg=(60, 95), grey_p=0.9,
    )),
    (0.04, Recipe(
        name="train-low-light", blur=(0.3, 1.5), motion=(2.0, 10.0), motion_p=0.6, fringe=(0.0, 2.5), dim=(0.3, 0.9),
        backlight=(0.0, 0.6), down=(1.0, 3.0), noise=(4.0, 16.0), noise_grey_p=0.1, noise_grain=(0.4, 1.3),
        smear=(0.0, 0.9), jpeg=(55, 92),
    )),
    (0.10, replace(RECIPES["messenger"], name="train-messenger", jpeg=(30, 90), grey_p=0.1)),
    (0.08, replace(
        RECIPES["camera-2000s"], name="train-camera", blur=(0.3, 1.5), down=(1.0, 3.0), sharpen=(0.3, 2.0),
        mosaic_p=0.7, jpeg=(28, 85),
    )),
)  # fmt: skip
"""What training draws from: weights (in relation to their sum) and recipe. Tone is not undone: the target is given the same
(`Degradation.tone`)."""
