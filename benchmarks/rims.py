"""Are rims of spectacles closed and straight after a restoration? `python benchmarks/rims.py PORTRAITS MORE` writes rims.md.

21 wearers, 15 of them validation portraits and none of them known to the network that sees spectacles, are blurred by the
recipes and restored with the preset standard: as the network draws their rims, and as `likeness.restore.rims` draws them
even along closed lines. Where the rims are was traced on the sharp portraits (tests/data/face_rims.npz).

At every place of a rim that is seen in the sharp portrait its contrast is measured: how much darker the darkest place across
is than what lies 2.5 to 5 px to either side. "Drawn" is the share of places where at least 35% of the sharp portrait's
contrast, and three hundredths, is found within 4 px; "waves" is how far the darkest places depart from their own mean over
20 px along the rim (root of the mean square). --sheet FOLDER writes what was compared side by side.

Behind sunglasses no eyes are to be drawn: of 12 wearers (10 of them among what the network learnt on) the detail within the
lenses is measured, levels of what is finer than 4 px, in the blurred picture, as the network draws it and as it comes out.
What is over the picture's own was invented.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness import Controls, Image, LikenessError, Restorer
from likeness.degradations.recipes import RECIPES
from likeness.faces.align import FFHQ_TEMPLATE
from likeness.faces.lenses import mean_lenses
from likeness.imaging.portraits import Portraits
from likeness.imaging.shards import picture_files
from likeness.restore.tasks.restoring import Restoring

Pixels = NDArray[np.float32]
Points = NDArray[np.float64]

ROOT = Path(__file__).resolve().parents[1]
TRACED = ROOT / "tests" / "data" / "face_rims.npz"
TABLE = Path(__file__).with_name("rims.md")
SUNGLASSES = (
    "cj-38105bb8.jpg", "cj-502bfabe.jpg", "cj-5196aa05.jpg", "cj-7b8b2ad2.jpg", "cj-94473032.jpg", "cj-a6107bcc.jpg",
    "cj-b60957ca.jpg", "cj-c179aed0.jpg", "cj-f61512cd.jpg", "fakeprof-268ef5aa.jpg", "fakeprof-476ae64c.jpg",
    "fakeprof-5fb084bc.jpg",
)  # fmt: skip
"""Wearers of sunglasses in the first folder, the ninth of bright mirrored ones."""
RECIPE_NAMES = ("moderate", "severe")
OFFSETS = np.arange(-9, 9.01, 0.5)
NEAR, FAR = 5, 10
"""Between how many half pixels to either side a rim's surroundings are looked for."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A wearer under a recipe: drawn and waves of the input, of the network's rims and of ours."""

    name: str
    recipe: str
    figures: tuple[tuple[float, float], ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("portraits", type=Path)
    parser.add_argument("more", type=Path)
    parser.add_argument("--sheet", type=Path)
    flags = parser.parse_args()
    cases = list(measured([flags.portraits, flags.more], flags.sheet))
    TABLE.write_text(report(cases, list(dark(flags.portraits, flags.sheet))), encoding="utf-8")


def measured(folders: list[Path], sheet: Path | None) -> Iterator[Case]:
    traced, restorer = rims(), Restorer()
    for folder, split in zip(folders, ("val", "train"), strict=True):
        portraits = Portraits.read(folder, 512, split=split)
        for number, name in enumerate(portraits.names):
            if name not in traced:
                continue
            sharp = portraits.pixels(number)
            for recipe in RECIPE_NAMES:
                blurred = RECIPES[recipe].degrade(sharp, sum(map(ord, name)))
                try:
                    pictures = [blurred, plain(restorer, blurred), restored(restorer, blurred)]
                except LikenessError:
                    continue  # no face is found in some of them, and nothing is drawn
                figures = tuple(figure(sharp, pixels, traced[name]) for pixels in pictures)
                show(sheet, f"{recipe}-{name}.png", [sharp, *pictures])
                yield Case(name=name, recipe=recipe, figures=figures)


def dark(folder: Path, sheet: Path | None) -> Iterator[tuple[str, str, tuple[float, ...]]]:
    """Of wearers of sunglasses: name, recipe, and the detail in the lenses of the input, the network's answer and ours."""
    restorer = Restorer()
    y, x = np.indices((512, 512), np.float32)
    lenses = np.zeros((512, 512), bool)
    for middle, axes in zip(*mean_lenses(FFHQ_TEMPLATE[:2]), strict=True):
        u, v = (((x - middle[0]) * axis[0] + (y - middle[1]) * axis[1]) / float(axis @ axis) for axis in axes)
        lenses |= np.hypot(u, v) < 0.6
    for name, data in picture_files(folder, "*-*.tar"):
        if name not in SUNGLASSES:
            continue
        sharp = np.asarray(PillowImage.open(io.BytesIO(data)).convert("RGB").resize((512, 512)), np.float32) / 255
        for recipe in RECIPE_NAMES:
            blurred = RECIPES[recipe].degrade(sharp, sum(map(ord, name)))
            try:
                pictures = [blurred, plain(restorer, blurred), restored(restorer, blurred)]
            except LikenessError:
                continue
            show(sheet, f"sunglasses-{recipe}-{name}.png", [sharp, *pictures])
            light = [pixels.mean(axis=2) for pixels in pictures]
            detail = [(one - cv2.GaussianBlur(one, (0, 0), 4))[lenses].std() * 255 for one in light]
            yield name, recipe, tuple(float(one) for one in detail)


def show(sheet: Path | None, name: str, pictures: list[Pixels]) -> None:
    if sheet is not None:
        strip = np.concatenate([pixels[150:330, 100:420] for pixels in pictures], axis=1)
        sheet.mkdir(exist_ok=True)
        cv2.imwrite(str(sheet / name), np.round(strip[..., ::-1] * 255).astype(np.uint8))


def rims() -> dict[str, list[Points]]:
    """By portrait: its rims, N x 2 each, in pixels of 512."""
    data = np.load(TRACED)
    found: dict[str, list[Points]] = {}
    for line in np.unique(data["line"]):
        places = data["line"] == line
        name = str(data["names"][data["face"][places][0]])
        found.setdefault(name, []).append(data["points"][places].astype(np.float64) / 32)
    return found


def restored(restorer: Restorer, pixels: Pixels) -> Pixels:
    return restorer.restore(Image(pixels=pixels), Controls.standard()).image.pixels


def plain(restorer: Restorer, pixels: Pixels) -> Pixels:
    """Restored with the network's answer as it is."""
    taken = Restoring.taken
    Restoring.taken = lambda _self, _face, answer: answer
    try:
        return restored(restorer, pixels)
    finally:
        Restoring.taken = taken


def figure(sharp: Pixels, pixels: Pixels, lines: list[Points]) -> tuple[float, float]:
    """Drawn and waves."""
    drawn: list[bool] = []
    waves: list[float] = []
    for line in lines:
        wanted, _ = contrast(sharp, line, 2.5)
        found, at = contrast(pixels, line, 4.0)
        seen = wanted > 0.04
        here = seen & (found > np.maximum(0.03, 0.35 * wanted))
        drawn += [bool(one) for one in here[seen]]
        mean = cv2.GaussianBlur(at.astype(np.float32).reshape(-1, 1), (1, 0), sigmaX=1, sigmaY=5)[:, 0]
        waves += [float(one) for one in np.square(at - mean)[here]]
    return float(np.mean(drawn)), float(np.sqrt(np.mean(waves))) if waves else float("nan")


def contrast(pixels: Pixels, line: Points, reach: float) -> tuple[Points, Points]:
    """How much darker the rim is than its surroundings at each place, and how far from the line its darkest place lies."""
    light = cv2.GaussianBlur(pixels.mean(axis=2), (0, 0), 0.8)
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.hypot(*along.T)[:, None], 1e-6)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    places = (line[:, None] + across[:, None] * OFFSETS[None, :, None]).astype(np.float32)
    profile = cv2.remap(light, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    ridge = np.full(profile.shape, -1.0)
    for k in range(FAR, len(OFFSETS) - FAR):
        if abs(OFFSETS[k]) <= reach:
            sides = profile[:, k - FAR : k - NEAR + 1].max(axis=1), profile[:, k + NEAR : k + FAR + 1].max(axis=1)
            ridge[:, k] = np.minimum(*sides) - profile[:, k]
    return ridge.max(axis=1), OFFSETS[ridge.argmax(axis=1)]


def report(cases: list[Case], lenses: list[tuple[str, str, tuple[float, ...]]]) -> str:
    lines = ["# Rims of spectacles", "", "Written by `python benchmarks/rims.py PORTRAITS MORE`.", ""]
    assert __doc__ is not None
    lines += [*__doc__.strip().split("\n\n")[1:], ""]
    lines += [
        "| recipe | faces | drawn: input, network, even lines | waves, px: network, even lines | straighter |",
        "| --- | ---: | --- | --- | ---: |",
    ]
    for recipe in RECIPE_NAMES:
        some = [case.figures for case in cases if case.recipe == recipe]
        values = np.array(some)
        better = sum(float(ours[1]) < float(theirs[1]) for _, theirs, ours in some)
        drawn = ", ".join(f"{value:.0%}" for value in values[:, :, 0].mean(axis=0))
        waves = ", ".join(f"{value:.2f}" for value in np.nanmean(values[:, 1:, 1], axis=0))
        lines.append(f"| {recipe} | {len(some)} | {drawn} | {waves} | {better} |")
    lines += [
        "",
        "| sunglasses, recipe | faces | detail in the lenses: input, network, ours | more than 1.5 of the input's |",
    ]
    lines += ["| --- | ---: | --- | --- |"]
    for recipe in RECIPE_NAMES:
        values = np.array([detail for _, one, detail in lenses if one == recipe])
        means = ", ".join(f"{value:.1f}" for value in np.median(values, axis=0))
        invented = ", ".join(str(int((values[:, k] > 1.5 * values[:, 0]).sum())) for k in (1, 2))
        lines.append(f"| {recipe} | {len(values)} | {means} | {invented} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
