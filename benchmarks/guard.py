"""What does the anomaly guard catch, and what does it doubt for nothing? `python benchmarks/guard.py PORTRAITS OLD_PHOTOS`
writes guard.md.

Its limits were set on the validation portraits with even numbers and on every fourth old photograph; here are others: every
fourth portrait from number 1 on, degraded by the recipes in turn and restored with the presets in turn, and old photographs
between those. Half of the restored portraits are then broken on purpose, in every way below.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness import Controls, Image, LikenessError, Restorer, read_image
from likeness.degradations.recipes import RECIPES
from likeness.evidence.quality_gate import CHECKS, Guard, Verdict
from likeness.evidence.scene import Scene, make_scene
from likeness.faces.align import align, unwarp
from likeness.faces.face import Face
from likeness.imaging.portraits import Portraits

Pixels = NDArray[np.float32]

RECIPE_NAMES = ("clean", "mild", "moderate", "severe", "messenger", "grey-film", "film-scan", "phone-night")
PRESET_NAMES = ("standard", "natural", "film-scan", "low-light")
PORTRAITS, OLD = 40, 40
TABLE = Path(__file__).with_name("guard.md")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One output, and what the guard said."""

    kind: str
    verdict: Verdict

    @property
    def checks(self) -> set[str]:
        return {doubt.check for doubt in self.verdict.doubts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("portraits", type=Path)
    parser.add_argument("old", type=Path)
    parser.add_argument("--few", action="store_true", help="a fifth of the pictures, to try it")
    flags = parser.parse_args()
    guard, restorer = Guard(), Restorer()
    share = 5 if flags.few else 1
    cases = [
        *portraits(flags.portraits, guard, restorer, PORTRAITS // share),
        *old(flags.old, guard, restorer, OLD // share),
    ]
    TABLE.write_text(report(cases), encoding="utf-8")
    print(TABLE.read_text(encoding="utf-8"))


def judged(kind: str, guard: Guard, before: Image, after: Image, face: Face) -> Case:
    return Case(kind=kind, verdict=guard.judge(before, after, [(0, face)]))


def portraits(folder: Path, guard: Guard, restorer: Restorer, count: int) -> Iterator[Case]:
    found = Portraits.read(folder, 512, split="val")
    stranger: Scene | None = None
    for place in range(count):
        number = 1 + 4 * place
        recipe = RECIPE_NAMES[place % len(RECIPE_NAMES)]
        preset = PRESET_NAMES[place // len(RECIPE_NAMES) % len(PRESET_NAMES)]
        degraded = RECIPES[recipe].degrade(found.pixels(number), seed=number)
        before = Image(pixels=np.ascontiguousarray(degraded, dtype=np.float32))
        try:
            restoration = restorer.restore(before, Controls.preset(preset))
        except LikenessError as error:
            print(f"portrait {number}, {recipe}: {error}")
            continue
        face = restoration.restored[0].face
        yield judged(f"restored, {recipe}", guard, before, restoration.image, face)
        scene = make_scene(before, restoration.image, face)
        if place % 2 and stranger is not None:
            for name, broken in breaks(scene, stranger, number).items():
                after = laid_back(restoration.image, face, broken - scene.after, scene.pasted)
                yield judged(name, guard, before, after, face)
        stranger = scene


def laid_back(image: Image, face: Face, change: Pixels, mask: Pixels) -> Image:
    patch, box = unwarp(
        np.ascontiguousarray(change * mask[:, :, None], dtype=np.float32), align(face.five_points, image.size, 512)
    )
    pixels = image.pixels.copy()
    pixels[box.to_slices()] += patch
    return Image(pixels=np.clip(pixels, 0, 1))


def breaks(scene: Scene, stranger: Scene, seed: int) -> dict[str, Pixels]:
    """The face's crop, broken in every way."""
    chance = np.random.default_rng(seed)
    x = scene.after
    inside = scene.pasted > 0.5
    mean, spread = x[inside].mean(axis=0), x[inside].std(axis=0)
    other = stranger.after[stranger.pasted > 0.5]
    toned = (stranger.after - other.mean(axis=0)) / (other.std(axis=0) + 1e-3) * spread + mean
    # What is laid back is multiplied by the mask: a step of that height at its middle.
    step = np.where(inside, 1 / np.maximum(scene.pasted, 0.5), 0)[:, :, None] / 255
    at = chance.uniform((180, 200), (330, 380))

    def blotch(sigma: float, colour: tuple[float, float, float]) -> Pixels:
        down, across = np.mgrid[:512, :512]
        spot = np.exp(-((across - at[0]) ** 2 + (down - at[1]) ** 2) / (2 * sigma * sigma))
        return x + spot[:, :, None] * np.array(colour)

    def moved(matrix: list[list[float]]) -> Pixels:
        return np.asarray(cv2.warpAffine(x, np.array(matrix, np.float64), (512, 512), borderMode=cv2.BORDER_REFLECT))

    def wider(share: float) -> Pixels:
        return moved([[1 + share, 0, -256 * share], [0, 1, 0]])

    made: dict[str, Callable[[], Pixels]] = {
        "another person": lambda: stranger.after,
        "another person, toned to match": lambda: np.clip(toned, 0, 1),
        "cast, 20%": lambda: x * (1.2, 1.0, 0.8),
        "cast, 10%": lambda: x * (1.1, 1.0, 0.9),
        "cast, 5%": lambda: x * (1.05, 1.0, 0.95),
        "dark blotch, sigma 24 px": lambda: blotch(24, (-0.12, -0.12, -0.12)),
        "red blotch, sigma 16 px": lambda: blotch(16, (0.0, -0.15, -0.15)),
        "faint blotch, sigma 16 px": lambda: blotch(16, (-0.07, -0.07, -0.07)),
        "small blotch, sigma 8 px": lambda: blotch(8, (-0.2, -0.2, -0.2)),
        "blank: one colour": lambda: np.broadcast_to(mean, x.shape),
        "blank: white": lambda: np.ones_like(x),
        "blank: black": lambda: np.zeros_like(x),
        "smeared, sigma 16 px": lambda: np.asarray(cv2.GaussianBlur(x, (0, 0), 16)),
        "smeared, sigma 8 px": lambda: np.asarray(cv2.GaussianBlur(x, (0, 0), 8)),
        "contrast x 2.2": lambda: np.clip((x - 0.4) * 2.2 + 0.5, 0, 1),
        "overexposed x 1.6": lambda: np.clip(x * 1.6, 0, 1),
        "moved by 12 px": lambda: moved([[1, 0, 10], [0, 1, 7]]),
        "moved by 6 px": lambda: moved([[1, 0, 5], [0, 1, 3]]),
        "5% wider": lambda: wider(0.05),
        "3% wider": lambda: wider(0.03),
        "seam: 12 levels": lambda: x + 12 * step,
        "seam: 6 levels": lambda: x + 6 * step,
        "noise, 30 levels": lambda: x + chance.normal(0, 30 / 255, x.shape),
    }
    return {name: np.asarray(make(), dtype=np.float32) for name, make in made.items()}


def old(folder: Path, guard: Guard, restorer: Restorer, count: int) -> Iterator[Case]:
    files = [path for place, path in enumerate(sorted(folder.glob("*.jpg"))) if place % 4 == 2]
    done = 0
    for place, path in enumerate(files):
        if done == count:
            return
        try:
            before = read_image(path, max_pixels=6_000_000)
            restoration = restorer.restore(before, Controls.preset(PRESET_NAMES[place % len(PRESET_NAMES)]))
        except LikenessError as error:
            print(f"{path.name}: {error}")
            continue
        done += 1
        yield judged("restored, old photograph", guard, before, restoration.image, restoration.restored[0].face)


def report(cases: list[Case]) -> str:
    kinds = list(dict.fromkeys(case.kind for case in cases))
    good = [kind for kind in kinds if kind.startswith("restored")]
    lines = [
        "# What the guard doubts",
        "",
        "Written by `python benchmarks/guard.py PORTRAITS OLD_PHOTOS`.",
        "",
        (__doc__ or "").split("\n", 2)[2].strip(),
    ]
    lines += ["", "| real restorations | faces | doubted | by |", "| --- | ---: | ---: | --- |"]
    lines += [row(kind, cases) for kind in good]
    everything = [case for case in cases if case.kind in good]
    doubted = sum(bool(case.checks) for case in everything)
    lines.append(f"| all | {len(everything)} | {doubted} | |")
    lines += ["", "| broken on purpose | faces | caught | by |", "| --- | ---: | ---: | --- |"]
    lines += [row(kind, cases) for kind in kinds if kind not in good]
    lines.append("")
    return "\n".join(lines)


def row(kind: str, cases: list[Case]) -> str:
    found = [case for case in cases if case.kind == kind]
    caught = [case for case in found if case.checks]
    by = [
        f"{check} {sum(check in case.checks for case in caught)}"
        for check in CHECKS
        if any(check in c.checks for c in caught)
    ]
    return f"| {kind.removeprefix('restored, ')} | {len(found)} | {len(caught)} | {', '.join(by)} |"


if __name__ == "__main__":
    main()
