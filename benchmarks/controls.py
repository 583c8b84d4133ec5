"""Measure what the controls promise: `python benchmarks/controls.py PORTRAITS` writes controls.md beside this file.

Three questions, on validation portraits that fixed recipes with fixed seeds degraded: are the controls monotone, local and
continuous; what does a slider cost; and does the preset ``natural`` beat a plain blend of the picture with the network's
answer at the same restored sharpness. About six minutes on two quiet cores.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.evaluation.pairs import EVALUATION_RECIPES, Pair, make_pairs
from likeness.faces.align import unwarp
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image, Pixels
from likeness.imaging.portraits import Portraits
from likeness.metrics import IdentityModel, band_energy, psnr
from likeness.restore.controls import Controls
from likeness.restore.outcome import FaceProjection
from likeness.restore.pipeline import Restorer
from likeness.runtimes.base import Batch, Runtime

RESULTS = Path(__file__).with_name("controls.md")
PICTURES = 50
"""Validation portraits for the promises; their recipes take turns."""

COMPARED = 18
"""Validation portraits for the comparison with a plain blend, under each of the six recipes."""

TURNS = ("moderate", "mild", "clean")
SCALES = (0.3, 0.5, 0.7, 0.9, 1.1)
STEPS = (0.005, 0.02, 0.04, 0.07, 0.1)
WEIGHTS = (0.0, 0.5, 1.0, 1.5, 2.0)
REGIONS = ("eye", "cheek", "hair")


class Counting:
    """A runtime that counts how often the network runs."""

    def __init__(self, inner: Runtime) -> None:
        self.inner, self.calls = inner, 0
        self.spec, self.description = inner.spec, inner.description

    def run(self, faces: Batch) -> Batch:
        self.calls += 1
        return self.inner.run(faces)


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A degraded portrait whose face was found, beside its original."""

    pair: Pair
    restorer: Restorer
    kept: FaceProjection

    def projected(self, scale: float) -> FaceProjection:
        """The face through the network, pre-degraded by ``scale``."""
        controls = Controls(degradation_scale=scale)
        return self.restorer.project(Image(pixels=self.pair.degraded), self.kept.face, controls, aligned=True)

    def restored(self, kept: FaceProjection, controls: Controls) -> Pixels:
        return self.restorer.compose(Image(pixels=self.pair.degraded), [kept], controls).image.pixels

    def distance(self, kept: FaceProjection, controls: Controls) -> float:
        """How far the result is from the input, levels of 255, root mean square over the face."""
        face = np.float32(1) - kept.masks["other"]
        change = self.restored(kept, controls) - self.pair.degraded
        return 255 * float(np.sqrt((np.square(change).mean(axis=2) * face).sum() / face.sum()))


def subjects(pairs: Sequence[Pair], restorer: Restorer) -> Iterator[Subject]:
    for pair in pairs:
        image = Image(pixels=pair.degraded)
        # The original shows where the face is, however poor the picture.
        face = max(restorer.find_faces(Image(pixels=pair.original)), key=lambda face: face.box.area)
        yield Subject(pair=pair, restorer=restorer, kept=restorer.project(image, face, Controls(), aligned=True))


@dataclass(frozen=True, kw_only=True)
class Promise:
    """Figures of one slider over all subjects: violations are shares of samples, sizes levels of 255."""

    slider: str
    violations: float
    worst: float
    outside: float
    jump: float


def sliders() -> dict[str, list[Controls]]:
    base = Controls(latent_step_decay=0.04)
    return {
        "latent_step_decay": [Controls(latent_step_decay=step) for step in STEPS],
        "strength": [Controls(strength=strength) for strength in (0.0, 0.25, 0.5, 0.75, 1.0)],
        **{region: [base.with_weights({region: weight}) for weight in WEIGHTS] for region in REGIONS},
    }


def measure_promises(found: Sequence[Subject]) -> list[Promise]:
    """Each slider that does not run the network: sample by sample, the smaller value against the next."""
    promises: list[Promise] = []
    for name, values in sliders().items():
        further, worst, outside, samples = 0, 0.0, 0.0, 0
        jumps: list[float] = []
        for subject in found:
            results = [subject.restored(subject.kept, controls) for controls in values]
            distances = [np.abs(result - subject.pair.degraded) for result in results]
            for smaller, larger in pairwise(distances):
                further += int((smaller > larger).sum())
                worst = max(worst, 255 * float((smaller - larger).max()))
                samples += smaller.size
            if name in REGIONS:
                away = subject.kept.masks[name] == 0
                for result in results[1:]:
                    outside = max(outside, 255 * float(np.abs(result - results[0])[away].max()))
            # A slider moved by a hundredth of its way, in its middle: what is the largest change of any sample?
            middle, near = values[2], nudged(values[2], name)
            moved = np.abs(subject.restored(subject.kept, near) - subject.restored(subject.kept, middle)).max()
            jumps.append(255 * float(moved))
        promises.append(
            Promise(slider=name, violations=further / samples, worst=worst, outside=outside, jump=float(np.max(jumps)))
        )
    return promises


def nudged(controls: Controls, slider: str) -> Controls:
    """The controls with one slider a hundredth of its range further."""
    if slider == "latent_step_decay":
        return replace(controls, latent_step_decay=controls.latent_step_decay + 0.00095)
    if slider == "strength":
        return replace(controls, strength=controls.strength + 0.01)
    return controls.with_weights({slider: getattr(controls.face_mask_weights, slider) + 0.02})


def measure_in_the_picture(found: Sequence[Subject]) -> tuple[float, float]:
    """The eye weight in a picture that is not an aligned crop: share of samples that go further with a smaller weight,
    and the largest change outside the soft mask, levels of 255."""
    further, samples, outside = 0, 0, 0.0
    for subject in found:
        image = Image(pixels=np.ascontiguousarray(subject.pair.degraded))
        faces = subject.restorer.find_faces(image)
        if not faces:
            continue
        kept = subject.restorer.project(image, faces[0], Controls())
        results = [
            subject.restorer.compose(
                image, [kept], Controls(latent_step_decay=0.04).with_weights({"eye": w})
            ).image.pixels
            for w in WEIGHTS
        ]
        support = (kept.masks["eye"] > 0).astype(np.float32)
        reach, box = unwarp(np.repeat(support[:, :, None], 3, axis=2), kept.alignment)
        away = np.ones(image.pixels.shape, bool)
        away[box.to_slices()] = reach == 0
        for one, two in pairwise(results):
            further += int((np.abs(one - image.pixels) > np.abs(two - image.pixels) + 1e-6).sum())
            samples += one.size
            outside = max(outside, 255 * float(np.abs(one - two)[away].max()))
    return further / max(samples, 1), outside


@dataclass(frozen=True, kw_only=True)
class ScaleFigures:
    """``degradation_scale``, which runs the network: distances are levels of 255, root mean square over the face."""

    recipe: str
    distances: tuple[float, ...]
    off: float
    violated: int
    compared: int
    worst: float


def measure_scale(found: Sequence[Subject], recipe: str) -> ScaleFigures:
    rows: list[list[float]] = []
    off: list[float] = []
    for subject in found:
        if subject.pair.recipe != recipe:
            continue
        kept = [subject.projected(scale) for scale in SCALES]
        rows.append([subject.distance(item, item.controls) for item in kept])
        nothing = subject.projected(0.0)
        off.append(subject.distance(nothing, nothing.controls))
    further = [one - two for row in rows for one, two in pairwise(row)]
    violations = [difference for difference in further if difference > 0]
    return ScaleFigures(
        recipe=recipe,
        distances=tuple(np.mean(rows, axis=0).tolist()),
        off=float(np.mean(off)),
        violated=len(violations),
        compared=len(further),
        worst=max(violations, default=0.0),
    )


def measure_scale_jumps(found: Sequence[Subject]) -> tuple[float, float, float]:
    """Changes of the result (levels, root mean square over the crop) along ``degradation_scale`` from 0.3 to 1.2 in steps of
    0.02: the median and the largest; and the change from 0, off, to 0.3."""
    moves: list[float] = []
    switched: list[float] = []
    for subject in found:
        scales = [0.0, *np.arange(0.3, 1.2001, 0.02).clip(0.3, 1.2).tolist()]
        results = [subject.restored(item, item.controls) for item in map(subject.projected, scales)]
        changes = [255 * float(np.sqrt(np.square(one - two).mean())) for one, two in pairwise(results)]
        switched.append(changes[0])
        moves.extend(changes[1:])
    return float(np.median(moves)), float(np.max(moves)), float(np.mean(switched))


def measure_cost(subject: Subject, runtime: Counting) -> tuple[list[tuple[str, float]], int]:
    """Median milliseconds of one slider move on a kept projection of one face at 512, and runs of the network in all."""
    moves: dict[str, Callable[[float], Controls]] = {
        "step": lambda v: Controls(latent_step_decay=0.02 + 0.08 * v),
        "weight": lambda v: Controls().with_weights({"eye": 2 * v}),
        "strength": lambda v: Controls(strength=v),
        "grain": lambda v: Controls(keep_grain=True, grain_amount=v),
    }
    before = runtime.calls
    found: list[tuple[str, float]] = []
    for name, controls in moves.items():
        # The first move measures the grain, and is waited for once.
        subject.restored(subject.kept, controls(0.5))
        times: list[float] = []
        for value in np.linspace(0.1, 0.9, 9):
            began = time.perf_counter()
            subject.restored(subject.kept, controls(float(value)))
            times.append((time.perf_counter() - began) * 1e3)
        found.append((name, float(np.median(times))))
    return found, runtime.calls - before


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of one result: restored sharpness (share of the original's edges at eyes, brows and mouth), PSNR in dB, identity
    distance, finest-octave energy of skin and hair over the original's, and the error of that octave on both."""

    sharpness: float
    psnr: float
    identity: float
    skin: float
    hair: float
    texture_error: float


class Beside:
    """An original, against which results are measured."""

    def __init__(self, subject: Subject, identity: IdentityModel) -> None:
        self._original, self._identity = subject.pair.original, identity
        masks = subject.kept.masks
        self._features = masks["eye"] + masks["brow"] + masks["lip"]
        kernel = np.ones((5, 5), np.uint8)
        self._skin, self._hair = (
            np.asarray(cv2.erode(mask, kernel), dtype=np.float32)
            for mask in (masks["cheek"] + masks["forehead"], masks["hair"])
        )
        self._landmarks = identity.locate(self._original)
        self._embedding = identity.embed(self._original, self._landmarks)

    def sharpness(self, pixels: Pixels) -> float:
        """<grad y, grad o> / <grad o, grad o> over eyes, brows and mouth: noise, which the original does not have, counts
        for nothing, and in a blend of two pictures it is the blend of both figures."""
        own, other = (gradient(x) for x in (pixels, self._original))
        return float((own * other * self._features).sum() / (other * other * self._features).sum())

    def figures(self, pixels: Pixels) -> Figures:
        return Figures(
            sharpness=self.sharpness(pixels),
            psnr=min(psnr(pixels, self._original), 99.0),
            identity=float(np.linalg.norm(self._identity.embed(pixels, self._landmarks) - self._embedding)),
            skin=band_energy(pixels, self._skin) / max(band_energy(self._original, self._skin), 1e-6),
            hair=band_energy(pixels, self._hair) / max(band_energy(self._original, self._hair), 1e-6),
            texture_error=self._texture_error(pixels),
        )

    def _texture_error(self, pixels: Pixels) -> float:
        where = self._skin + self._hair
        own, other = (luma(x) - gaussian_blur(luma(x), 2.0) for x in (pixels, self._original))
        return float(np.sqrt((np.square(own - other) * where).sum() / (np.square(other) * where).sum()))


def gradient(pixels: Pixels) -> NDArray[np.float32]:
    """2 x H x W: slopes of the luma."""
    grey = luma(pixels)
    return np.stack([cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)])


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Means of each result, and of ``natural`` minus the blend by portraits: mean and standard error of each figure."""

    recipe: str
    alpha: float
    rows: dict[str, Figures]
    nearer: Figures
    error: Figures


def compare(pairs: Sequence[Pair], restorer: Restorer, identity: IdentityModel) -> Comparison:
    """``natural`` against x + a (P - x), one ``a`` for the recipe, at which both are equally sharp in the mean."""
    found = list(subjects(pairs, restorer))
    beside = [Beside(subject, identity) for subject in found]
    natural = Controls.natural()
    ours = [s.restored(s.projected(natural.degradation_scale), natural) for s in found]
    inputs, answers = [s.pair.degraded for s in found], [s.kept.projection for s in found]
    sharp = [float(np.mean([b.sharpness(x) for b, x in zip(beside, x, strict=True)])) for x in (inputs, ours, answers)]
    alpha = float(np.clip((sharp[1] - sharp[0]) / (sharp[2] - sharp[0]), 0.0, 1.0)) if sharp[2] != sharp[0] else 0.0
    blends = [x + np.float32(alpha) * (p - x) for x, p in zip(inputs, answers, strict=True)]
    standard = [s.restored(s.kept, Controls()) for s in found]
    results = {"input": inputs, "standard": standard, "natural": ours, "alpha blend": blends}
    figures = {
        name: [b.figures(x) for b, x in zip(beside, pictures, strict=True)] for name, pictures in results.items()
    }
    differences = [
        Figures(**{name: getattr(one, name) - getattr(two, name) for name in Figures.__dataclass_fields__})
        for one, two in zip(figures["natural"], figures["alpha blend"], strict=True)
    ]
    return Comparison(
        recipe=pairs[0].recipe,
        alpha=alpha,
        rows={name: summary(each, np.mean) for name, each in figures.items()},
        nearer=summary(differences, np.mean),
        error=summary(differences, lambda values: np.std(values, ddof=1) / np.sqrt(len(values))),
    )


def summary(figures: Sequence[Figures], of: Callable[[list[float]], np.floating[Any]]) -> Figures:
    return Figures(**{name: float(of([getattr(f, name) for f in figures])) for name in Figures.__dataclass_fields__})


def report(
    restorer: Restorer,
    promises: Sequence[Promise],
    picture: tuple[float, float],
    scales: Sequence[ScaleFigures],
    jumps: tuple[float, float, float],
    cost: tuple[list[tuple[str, float]], int],
    comparisons: Sequence[Comparison],
) -> str:
    promised = [
        ("slider", "further with the smaller value", "by at most", "outside the soft mask", "per 1% of its way"),
        *(
            (
                f"`{p.slider}`" if p.slider not in REGIONS else f"weight of {p.slider}",
                f"{p.violations:.4%} of samples",
                f"{p.worst:.3f}",
                f"{p.outside:.3f}" if p.slider in REGIONS else "",
                f"{p.jump:.2f}",
            )
            for p in promises
        ),
    ]
    scaled = [
        ("recipe", "off", *(f"{s:g}" for s in SCALES), "further with the smaller scale", "by at most"),
        *(
            (
                f.recipe,
                f"{f.off:.2f}",
                *(f"{d:.2f}" for d in f.distances),
                f"{f.violated} of {f.compared}",
                f"{f.worst:.2f}",
            )
            for f in scales
        ),
    ]
    compared = [
        ("recipe", "result", "sharpness", "PSNR", "identity", "skin", "hair", "texture error"),
        *(
            (
                c.recipe,
                f"{name} ({c.alpha:.2f})" if name == "alpha blend" else name,
                f"{f.sharpness:.3f}",
                "equal" if f.psnr == 99.0 else f"{f.psnr:.2f}",
                f"{f.identity:.3f}",
                f"{f.skin:.2f}",
                f"{f.hair:.2f}",
                f"{f.texture_error:.3f}",
            )
            for c in comparisons
            for name, f in c.rows.items()
        ),
    ]
    nearer = [
        ("recipe", "identity", "PSNR", "texture error"),
        *(
            (
                c.recipe,
                *(
                    f"{getattr(c.nearer, name):+.{digits}f} +- {getattr(c.error, name):.{digits}f}"
                    for name, digits in (("identity", 4), ("psnr", 2), ("texture_error", 3))
                ),
            )
            for c in comparisons
            if c.alpha > 0
        ),
    ]
    cost_rows = [("slider moved", "median, ms"), *((name, f"{ms:.0f}") for name, ms in cost[0])]
    further, outside = picture
    median, largest, switched = jumps
    return f"""# What the controls promise, measured

Written by `python benchmarks/controls.py PORTRAITS` with {restorer.runtime.description}, on {platform.machine()}.
Sizes are levels of 255.

## Monotone, local, continuous

{PICTURES} validation portraits, degraded by {", ".join(TURNS)} in turn, as aligned crops. Each slider took five values over
its range; every sample was compared between neighbouring values. The last column is the largest change of any
sample in any picture when the slider moves by a hundredth of its way.

{markdown(promised)}

In a picture that is not an aligned crop the change is read between the crop's samples. There, with the eye weight,
{further:.4%} of samples went further with the smaller weight; outside the soft mask the largest change was {outside:.3f}.

## `degradation_scale`

The network sees another picture at each value, so that nothing is exact here. Distance of the result from the input, root
mean square over the face, mean over the pictures of a recipe; and how often a smaller scale went further than the next.

{markdown(scaled)}

From 0.3 to 1.2 in steps of 0.02 (five pictures) the result changes by {median:.3f} a step in the median and by
{largest:.3f} at most; from 0 (off) to 0.3 by {switched:.3f}: off is a switch, not a place on the slider.

## What a slider costs

One face at 512 on a kept projection; the network ran {cost[1]} times.

{markdown(cost_rows)}

## `natural` against a plain blend

{COMPARED} validation portraits under each recipe. The plain blend is x + a (P - x) with P the network's bare answer; a, in
brackets, is one number for a recipe, such that both are equally sharp: sharpness is the share of the original's edges at
eyes, brows and mouth, <grad y, grad o> / <grad o, grad o>. Skin and hair: energy of the finest octave over the original's.
Texture error: of what is finer than 2 px (Gaussian) on skin and hair, over the original's; lower is better, 0 is equal.

{markdown(compared)}

By portraits, `natural` minus the blend, with the standard error of the mean (clean: the blend is the input itself):

{markdown(nearer)}
"""


def markdown(rows: Sequence[tuple[str, ...]]) -> str:
    head, *body = rows
    lines = ["| " + " | ".join(row) + " |" for row in (head, *body)]
    rule = "| " + " | ".join(["---", *["---:"] * (len(head) - 1)]) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])


def main() -> None:
    restorer = Restorer()
    runtime = Counting(restorer.runtime)
    restorer = Restorer(runtime=runtime)
    size = runtime.spec.side
    portraits = Portraits.read(Path(sys.argv[1]), size, split="val")
    names = portraits.names
    chosen = np.linspace(0, len(names) - 1, min(PICTURES, len(names))).astype(int).tolist()
    pairs = [
        pair
        for turn, recipe in enumerate(TURNS)
        for pair in make_pairs([(names[i], portraits.pixels(i)) for i in chosen[turn :: len(TURNS)]], recipe)
    ]
    found = list(subjects(pairs, restorer))
    print(f"{len(found)} pictures projected", flush=True)
    promises = measure_promises(found)
    picture = measure_in_the_picture(found[:10])
    print("promises measured", flush=True)
    scales = [measure_scale(found, recipe) for recipe in TURNS]
    jumps = measure_scale_jumps(found[:: max(1, len(found) // 5)][:5])
    print("degradation_scale measured", flush=True)
    cost = measure_cost(found[0], runtime)
    identity = IdentityModel()
    few = np.linspace(0, len(names) - 1, min(COMPARED, len(names))).astype(int).tolist()
    sources = [(names[i], portraits.pixels(i)) for i in few]
    comparisons: list[Comparison] = []
    for recipe in EVALUATION_RECIPES:
        comparisons.append(compare(list(make_pairs(sources, recipe)), restorer, identity))
        print(f"{recipe} compared", flush=True)
    RESULTS.write_text(report(restorer, promises, picture, scales, jumps, cost, comparisons), encoding="utf-8")
    print(RESULTS)


if __name__ == "__main__":
    main()
