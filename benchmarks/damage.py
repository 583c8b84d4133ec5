"""Measure how much of known damage is found: `python benchmarks/damage.py OLDPHOTOS --portraits P --general G`.

It writes damage.md. Damage is drawn over real old photographs, which have their own grain (`damage-pictures.csv` says which
of them show no damage themselves, which are drawings, and which half they are in: one sets limits, the other is reported).
What is found in pictures that nothing was drawn over is a false alarm.
"""

from __future__ import annotations

import argparse
import csv
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.degradations.damage import DAMAGE_KINDS, Damaged, draw_damage
from likeness.degradations.operations import code
from likeness.evaluation.damage import DamageScore, drawn_counts, score_damage, total
from likeness.faces.detect import MediaPipeDetector
from likeness.imaging.files import read_image
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Pixels, Size
from likeness.imaging.shards import picture_files
from likeness.repair.marks import Marks, find_marks
from likeness.repair.repair import face_guards

HERE = Path(__file__).parent
DRAWINGS = 3
"""How often each picture is damaged, each time anew."""

BEFORE: dict[str, tuple[float, float]] = {
    "scratch": (0.55, 0.54),
    "curve": (0.04, 0.05),
    "hair": (0.01, 0.02),
    "speck": (0.12, 0.30),
    "fold": (0.25, 0.30),
    "tear": (0.10, 0.09),
    "corner": (0.00, 0.00),
}
"""Recall by pixel and by piece of the line filters and top-hats that the network replaced, on the same drawings."""

Find = Callable[[Pixels, "NDArray[np.float32] | None", "NDArray[np.float32] | None"], "NDArray[np.bool_]"]


def pictures(folder: Path, state: str, half: str | None = None) -> list[tuple[str, Pixels]]:
    with (HERE / "damage-pictures.csv").open(encoding="utf-8", newline="") as rows:
        names = [row["file"] for row in csv.DictReader(rows) if row["state"] == state and half in (None, row["half"])]
    return [(name, read_image(folder / name).pixels) for name in names]


def damage(pixels: Pixels, seed: int) -> tuple[Pixels, Damaged]:
    """A picture with damage of every kind, and as a scanner stores it."""
    rng = np.random.default_rng(seed)
    height, width = pixels.shape[:2]
    counts = drawn_counts(rng, width, height)
    unit, blur = float(rng.uniform(0.8, 1.3)), float(rng.uniform(0.4, 0.8))
    damaged = draw_damage(pixels, counts, rng, unit=unit, blur=blur)
    return code(damaged.pixels, ".jpg", cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(80, 97))), damaged


def network(sensitivity: float = 0.5) -> Find:
    def find(pixels: Pixels, keep: NDArray[np.float32] | None, skin: NDArray[np.float32] | None) -> NDArray[np.bool_]:
        return find_marks(pixels, keep, skin, sensitivity=sensitivity).whole

    return find


def score(shown: list[tuple[Pixels, Damaged]], find: Find, detector: MediaPipeDetector) -> DamageScore:
    scores: list[DamageScore] = []
    for pixels, damaged in shown:
        image = Image(pixels=pixels)
        keep, skin = face_guards(detector.detect(image), image)
        scores.append(score_damage(find(pixels, keep, skin), damaged))
    return total(scores)


def drawn_over(originals: list[tuple[str, Pixels]], drawings: int = DRAWINGS) -> list[tuple[Pixels, Damaged]]:
    return [
        damage(pixels, 1000 * drawing + number)
        for number, (_, pixels) in enumerate(originals)
        for drawing in range(drawings)
    ]


def false_alarms(originals: list[Pixels], detector: MediaPipeDetector) -> list[float]:
    """Means for a picture: marks, millionths that they cover, missing pieces; and in how many of a hundred is nothing."""
    found: list[Marks] = []
    for pixels in originals:
        image = Image(pixels=pixels)
        found.append(find_marks(pixels, *face_guards(detector.detect(image), image)))
    marks = [m.scratches + m.specks for m in found]
    areas = [float(m.mask.mean()) * 1e6 for m in found]
    pieces = [m.pieces for m in found]
    return [float(np.mean(x)) for x in (marks, areas, pieces)] + [float(np.mean([m.area == 0 for m in found])) * 100]


def of_shards(folder: Path, shards: str) -> Iterator[Pixels]:
    for _, data in picture_files(folder, shards):
        samples = np.asarray(PillowImage.open(io.BytesIO(data)).convert("RGB"), np.float32)
        yield samples / np.float32(255)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--portraits", type=Path)
    parser.add_argument("--general", type=Path)
    parser.add_argument("--limits", action="store_true", help="show the half that sets limits, at many sensitivities")
    asked = parser.parse_args()
    detector = MediaPipeDetector()
    if asked.limits:
        shown = drawn_over(pictures(asked.folder, "sound", "limits"), 1)
        for sensitivity in (0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0):
            made = score(shown, network(sensitivity), detector)
            figures = (made.mean_recall, made.precision, made.precision_of_patches)
            print(
                sensitivity,
                *(f"{x:.3f}" for x in figures),
                *(f"{kind} {made.recall(kind):.2f}" for kind in DAMAGE_KINDS),
            )
        return
    shown = drawn_over(pictures(asked.folder, "sound", "reported"))
    made = score(shown, network(), detector)
    readier = score(shown, network(1.0), detector)
    lines = ["# Damage found, measured", ""]
    lines += [
        "Written by `python benchmarks/damage.py OLDPHOTOS --portraits PORTRAITS --general GENERAL`: how, says the file.",
        "",
    ]
    lines += [f"Over {len(pictures(asked.folder, 'sound', 'reported'))} old photographs, {DRAWINGS} drawings each:", ""]
    lines += ["| kind | pieces | recall by pixel: before | now | at sensitivity 1 | by piece: before | now | at 1 |"]
    lines += ["| --- |" + " ---: |" * 7]
    for kind in DAMAGE_KINDS:
        was = BEFORE.get(kind, (float("nan"), float("nan")))
        figures = (was[0], *(one.recall(kind) for one in (made, readier)))
        figures += (was[1], *(one.recall_of_pieces(kind) for one in (made, readier)))
        lines.append(f"| {kind} | {made.pieces[kind]} | {' | '.join(f'{x:.2f}' for x in figures)} |")
    lines += [
        "",
        f"Mean recall over the kinds {made.mean_recall:.2f}; of light marks {made.recall_of_light:.2f}, of dark ones",
    ]
    lines += [
        f"{made.recall_of_dark:.2f}. Precision by pixel {made.precision:.2f}, by patch {made.precision_of_patches:.2f}",
        "(before: mean recall 0.15, precision 0.65 and 0.57); at sensitivity 1 mean recall"
        f" {readier.mean_recall:.2f}, precision {readier.precision:.2f} and {readier.precision_of_patches:.2f}.",
        "",
    ]
    rows = {
        "old photographs without damage": [x for _, x in pictures(asked.folder, "sound")],
        "engravings and drawings": [x for _, x in pictures(asked.folder, "drawn")],
    }
    if asked.portraits:
        rows["validation portraits at 512 px, every fourth"] = list(of_shards(asked.portraits, "val-*.tar"))[::4]
    if asked.general:
        rows["photographs of rooms, streets, nature"] = list(of_shards(asked.general, "general-val-*.tar"))
    lines += ["What is found where nothing was drawn, a picture:", ""]
    lines += [
        "| pictures | marks | ppm of the area | missing pieces | pictures with nothing, % |",
        "| --- |" + " ---: |" * 4,
    ]
    for name, originals in rows.items():
        figures = " | ".join(f"{x:.2f}" for x in false_alarms(originals, detector))
        lines.append(f"| {len(originals)} {name} | {figures} |")
    large = np.clip(resize(pictures(asked.folder, "sound")[0][1], Size(3464, 3464), "cubic"), 0, 1)
    find_marks(large)
    began = time.process_time()
    find_marks(large)
    lines += ["", f"To find marks in 12 megapixels: {time.process_time() - began:.1f} s of one processor core."]
    (HERE / "damage.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
