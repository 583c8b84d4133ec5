"""Does restored hair run in strands, and the right way? `python benchmarks/strands.py PORTRAITS` writes strands.md.

Every fourth validation portrait is degraded by the recipes and restored with the preset standard: as the network draws the
hair, and as `likeness.restore.strands` lays its detail along the hair. Hair is where the sharp portrait shows it, 4 px from
its edge. --every N takes other portraits, --sheet FOLDER writes input, both results and the original side by side.

"Coherence" says how much the detail runs one way, place by place (structure tensor of sigma 0.8 and 4 px, weighted by its
size): grain has some 0.45. "Off" is the mean angle between its direction and the original's, in degrees, weighted by how
sure both are: 45 is chance. "Detail" is how strong what is finer than 1.5 px is, over the original's; PSNR is of the hair
alone. Of two figures the first is the network's hair, the second that along the hair; the third, if there is one, the
original's.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rims import restored

import likeness.restore.tasks.restoring as restoring
from likeness import Image, LikenessError, Restorer
from likeness.degradations.recipes import RECIPES
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.parts import face_parts
from likeness.faces.regions import region_masks
from likeness.imaging.colour import luma
from likeness.imaging.directions import coherence, structure_tensor
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.portraits import Portraits

Pixels = NDArray[np.float32]
Map = NDArray[np.float32]

TABLE = Path(__file__).with_name("strands.md")
RECIPE_NAMES = ("severe", "moderate", "messenger", "grey-film", "mild")
SIDE, LEAST = 512, 0.02
"""Share of the crop that hair takes at least, in a portrait that counts."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("portraits", type=Path)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--sheet", type=Path)
    flags = parser.parse_args()
    cases = list(measured(flags.portraits, flags.every, flags.sheet))
    TABLE.write_text(report(cases), encoding="utf-8")


def measured(folder: Path, every: int, sheet: Path | None) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Of each portrait under each recipe: four figures of the network's hair, of ours, and of the original's."""
    restorer, detector = Restorer(), MediaPipeDetector()
    portraits = Portraits.read(folder, SIDE, split="val")
    for number in range(0, len(portraits.names), every):
        sharp = portraits.pixels(number)
        hair = hair_of(detector, sharp)
        if hair is None or float(hair.mean()) < LEAST:
            continue
        for recipe in RECIPE_NAMES:
            blurred = RECIPES[recipe].degrade(sharp, number)
            try:
                pictures = [sand(restorer, blurred), restored(restorer, blurred)]
            except LikenessError:
                continue  # no face is found, and nothing is drawn
            if sheet is not None:
                sheet.mkdir(exist_ok=True)
                strip = np.concatenate([pixels[:320] for pixels in (blurred, *pictures, sharp)], axis=1)
                name = sheet / f"{recipe}-{number:03d}.png"
                cv2.imwrite(str(name), np.round(strip[..., ::-1] * 255).astype(np.uint8))
            yield recipe, np.array([figures(pixels, sharp, hair) for pixels in (*pictures, sharp)])


def hair_of(detector: MediaPipeDetector, sharp: Pixels) -> Map | None:
    faces = [face for face in detector.detect(Image(pixels=sharp)) if face.landmarks.source == "mesh"]
    if not faces:
        return None
    points = max(faces, key=lambda face: face.box.area).landmarks.points.astype(np.float32)
    hair = region_masks(points, SIDE, face_parts(sharp, points))["hair"]
    return np.asarray(cv2.erode((hair > 0.8).astype(np.float32), np.ones((9, 9), np.uint8)), np.float32)


def sand(restorer: Restorer, pixels: Pixels) -> Pixels:
    """Restored with hair as the network draws it."""
    along = restoring.along_strands
    restoring.along_strands = lambda answer, *_: answer
    try:
        return restored(restorer, pixels)
    finally:
        restoring.along_strands = along


def figures(pixels: Pixels, sharp: Pixels, hair: Map) -> tuple[float, float, float, float]:
    """Coherence, degrees off, detail over the original's, and PSNR in dB."""
    ours, theirs = (structure_tensor(luma(x), 0.8, 4.0) for x in (pixels, sharp))
    size = (ours[0] + ours[2]) * hair
    clear = float((coherence(ours) * size).sum() / max(float(size.sum()), 1e-9))
    one, other = (np.arctan2(2 * xy, xx - yy) / 2 for xx, xy, yy in (ours, theirs))
    between = np.abs((one - other + np.pi / 2) % np.pi - np.pi / 2)
    sure = coherence(ours) * coherence(theirs) * hair
    off = float(np.degrees((between * sure).sum() / max(float(sure.sum()), 1e-9)))
    detail = [float(np.square(detail_of(x))[hair > 0].mean()) for x in (pixels, sharp)]
    error = float(np.square(pixels - sharp)[hair > 0].mean())
    return clear, off, float(np.sqrt(detail[0] / detail[1])), float(-10 * np.log10(max(error, 1e-9)))


def detail_of(pixels: Pixels) -> Map:
    light = luma(pixels)
    return light - gaussian_blur(light, 1.5)


def report(cases: list[tuple[str, NDArray[np.float64]]]) -> str:
    assert __doc__ is not None
    lines = ["# Hair in strands", "", "Written by `python benchmarks/strands.py PORTRAITS`.", ""]
    lines += [
        *__doc__.strip().split("\n\n")[1:],
        "",
        "| recipe | faces | coherence | off | detail | PSNR, dB |",
        "| --- | ---: | --- | --- | --- | --- |",
    ]
    for recipe in RECIPE_NAMES:
        some = np.array([values for name, values in cases if name == recipe])
        network, ours, original = some.mean(axis=0)
        shown = [
            ", ".join(f"{one[k]:{form}}" for one in (network, ours))
            for k, form in enumerate((".2f", ".0f", ".2f", ".2f"))
        ]
        shown[0] += f", {original[0]:.2f}"
        lines.append(f"| {recipe} | {len(some)} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
