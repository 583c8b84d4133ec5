"""How much of the network's correction each setting lets through: `python benchmarks/let_through.py PORTRAITS`.

Writes let_through.md. Validation portraits, degraded by fixed recipes with fixed seeds, go through the network once for each
`degradation_scale`; every setting is then composed from the kept answers. About three minutes on two quiet cores.

Two figures. Of everything: <y - x, P - x> / <P - x, P - x> on luma over the face, in a band of the Laplacian pyramid or in
all of them, x the picture, P the network's bare answer, y the result. Of detail: how far the result's edges have come to
those of the original from the picture's, over how far the bare answer's have; noise, which the original does not have, is
not counted there. A slider is seen by the mean absolute difference between the results at its two ends, in levels of 255.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.core.files import write_bytes_atomically
from likeness.evaluation.pairs import make_pairs
from likeness.faces.regions import REGIONS
from likeness.imaging.colour import luma
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Pixels, Size
from likeness.imaging.portraits import Portraits
from likeness.imaging.pyramid import laplacian_pyramid
from likeness.restore.composing import compose
from likeness.restore.controls import PRESETS, Controls
from likeness.restore.outcome import FaceProjection
from likeness.restore.pipeline import Restorer

__all__ = ["Subject", "main", "measured", "subjects_of"]

RESULTS = Path(__file__).with_name("let_through.md")
FACES = 8
RECIPES = ("moderate", "severe", "grey-film", "clean")
SCALES = (0.3, 0.7, 1.0, 1.2)
BANDS = ("to 2 px", "4 px", "8 px", "16 px", "32 px")
"""The five bands at 512, by the size of what is in them; what is coarser stays the photograph's."""

_Map = NDArray[np.float32]
_Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A degraded portrait, its original (S x S x 3), and its face through the network by ``degradation_scale``."""

    recipe: str
    original: Pixels
    kept: Mapping[float, FaceProjection]

    def result(self, controls: Controls) -> Pixels:
        """What these controls make of it.

        Raises:
            KeyError: for a ``degradation_scale`` that the face was not shown to the network with.
        """
        item = self.kept[controls.degradation_scale]
        return compose(Image(pixels=item.crop), [item], controls).image.pixels


def settings() -> dict[str, Controls]:
    """The rows: presets, then steps."""
    presets = {f"`{name}`": PRESETS[name] for name in ("standard", "natural", "early-digital", "ai-portrait")}
    steps = {f"step {step:g}": Controls(latent_step_decay=step) for step in (0.1, 0.05, 0.04, 0.03, 0.02)}
    return {**presets, **steps, "strength 0.5": Controls(strength=0.5)}


def sliders() -> dict[str, tuple[Controls, Controls, str]]:
    """Each slider's two ends, and the region on which it is looked at ("" for the face)."""
    middle = Controls(latent_step_decay=0.04)
    ends: dict[str, tuple[Controls, Controls, str]] = {
        "`natural` to `standard`": (PRESETS["natural"], PRESETS["standard"], ""),
        "strength 0 to 1": (Controls(strength=0.0), Controls(), ""),
        "step 0.02 to 0.1": (Controls(latent_step_decay=0.02), Controls(), ""),
        "degradation 0.3 to 1.2": (Controls(degradation_scale=0.3), Controls(degradation_scale=1.2), ""),
    }
    for region in ("eye", "lip", "cheek", "hair"):
        for low, high in ((0.0, 1.0), (1.0, 2.0)):
            one, two = (middle.with_weights({region: weight}) for weight in (low, high))
            ends[f"{region} {low:g} to {high:g}, step 0.04"] = (one, two, region)
    ends["eye 1 to 2, step 0.1"] = (Controls(), Controls().with_weights({"eye": 2.0}), "eye")
    return ends


def bands_of(change: Pixels, item: FaceProjection) -> tuple[_Map, ...]:
    """The change's luma in the bands of the pyramid, but not what is below them."""
    return laplacian_pyramid(luma(change), len(item.held.shares))[:-1]


def shares(result: Pixels, item: FaceProjection, asked: Sequence[_Map], wheres: Sequence[Sequence[_Map]]) -> _Array:
    """Areas x bands x 2: <y - x, P - x> and <P - x, P - x>; ``wheres`` are areas, each at the bands' sizes."""
    moved = bands_of(result - item.crop, item)
    return np.array(
        [
            [(float((a * b * w).sum()), float((b * b * w).sum())) for a, b, w in zip(moved, asked, where, strict=True)]
            for where in wheres
        ]
    )


def at_bands(where: _Map, bands: Sequence[_Map]) -> list[_Map]:
    """An area at the sizes of the bands."""
    sides = [band.shape[0] for band in bands]
    return [where if side == where.shape[0] else resize(where, Size(side, side), "area") for side in sides]


def edges(pixels: Pixels, original: Pixels, where: _Map) -> float:
    """<grad y, grad o> / <grad o, grad o>."""
    own, other = (_gradient(luma(x)) for x in (pixels, original))
    return float((own * other * where).sum() / (other * other * where).sum())


def _gradient(light: _Map) -> _Map:
    return np.stack([np.asarray(cv2.Sobel(light, cv2.CV_32F, x, 1 - x), np.float32) for x in (1, 0)])


def measured(subjects: Sequence[Subject]) -> str:
    """The tables of all recipes."""
    recipes = tuple(dict.fromkeys(subject.recipe for subject in subjects))
    parts = [_of_recipe(recipe, [subject for subject in subjects if subject.recipe == recipe]) for recipe in recipes]
    rows = [("slider", *recipes), *((name, *_seen(subjects, ends)) for name, ends in sliders().items())]
    text = "A slider's two ends: mean absolute difference on the face, or on the region that it is for, levels of 255."
    return "\n\n".join([*parts, "## Sliders", text, markdown(rows)]) + "\n"


def _seen(subjects: Sequence[Subject], ends: tuple[Controls, Controls, str]) -> list[str]:
    low, high, region = ends
    found: dict[str, list[float]] = {}
    for subject in subjects:
        if not {low.degradation_scale, high.degradation_scale} <= set(subject.kept):
            found.setdefault(subject.recipe, [])
            continue
        item = subject.kept[1.0]
        where = item.masks[region] * item.mask if region else item.mask
        change = np.abs(subject.result(high) - subject.result(low)).mean(axis=2)
        found.setdefault(subject.recipe, []).append(255 * float((change * where).sum() / where.sum()))
    return [f"{np.mean(values):.1f}" if values else "-" for values in found.values()]


def _of_recipe(recipe: str, subjects: Sequence[Subject]) -> str:
    wanted = settings()
    sums = {name: np.zeros((1 + len(REGIONS), len(BANDS), 2)) for name in wanted}
    detail = {name: np.zeros(2) for name in wanted}
    for subject in subjects:
        item = subject.kept[1.0]
        asked = bands_of(item.projection - item.crop, item)
        areas = [item.mask, *(item.mask * item.masks[region] for region in REGIONS)]
        wheres = [at_bands(area, asked) for area in areas]
        came, full = (edges(x, subject.original, item.mask) for x in (item.crop, item.projection))
        for name, controls in wanted.items():
            result = subject.result(controls)
            sums[name] += shares(result, item, asked, wheres)
            detail[name] += edges(result, subject.original, item.mask) - came, full - came
    rows: list[tuple[str, ...]] = [("setting", "everything", "detail", *BANDS, *REGIONS)]
    for name, (face, *regions) in sums.items():
        everything, by_region = face.sum(axis=0), [region.sum(axis=0) for region in regions]
        # To a sharp picture the answer brings no edges nearer: there is no detail to count.
        own = "-" if recipe == "clean" else f"{detail[name][0] / detail[name][1]:.2f}"
        told = [f"{moved / max(asked, 1e-9):.2f}" for moved, asked in (everything, *face, *by_region)]
        rows.append((name, told[0], own, *told[1:]))
    return f"## {recipe}\n\n{len(subjects)} faces.\n\n{markdown(rows)}"


def markdown(rows: Sequence[tuple[str, ...]]) -> str:
    head, *body = rows
    lines = ["| " + " | ".join(row) + " |" for row in (head, *body)]
    return "\n".join([lines[0], "| " + " | ".join(["---", *["---:"] * (len(head) - 1)]) + " |", *lines[1:]])


def subjects_of(folder: Path, restorer: Restorer) -> list[Subject]:
    """The validation portraits, degraded, found and through the network."""
    portraits = Portraits.read(folder, restorer.runtime.spec.side, split="val")
    chosen = np.linspace(0, len(portraits.names) - 1, FACES).round().astype(int).tolist()
    sources = [(portraits.names[i], portraits.pixels(i)) for i in chosen]
    found: list[Subject] = []
    for recipe in RECIPES:
        for pair in make_pairs(sources, recipe):
            # The original shows where the face is, however poor the picture.
            face = max(restorer.find_faces(Image(pixels=pair.original)), key=lambda face: face.box.area)
            image = Image(pixels=pair.degraded)
            kept = {
                scale: restorer.project(image, face, replace(Controls(), degradation_scale=scale), aligned=True)
                for scale in SCALES
            }
            found.append(Subject(recipe=recipe, original=pair.original, kept=kept))
            print(f"{recipe}: {pair.name}", flush=True)
    return found


HEAD = """# What each setting lets through

Written by `python benchmarks/let_through.py PORTRAITS`, whose first lines say what is measured.

"""


def main() -> None:
    text = HEAD + measured(subjects_of(Path(sys.argv[1]), Restorer()))
    write_bytes_atomically(text.encode(), RESULTS)
    print(RESULTS)


if __name__ == "__main__":
    main()
