"""Measure how much of known damage is found: `python benchmarks/damage.py OLDPHOTOS --portraits P --general G`.

It writes damage.md. Damage is drawn over real old photographs, which have their own grain (`damage-pictures.csv` says which
of them show no damage themselves, which are drawings, and which half they are in: one sets limits, the other is reported).
Of the first half the sound ones set limits; the network has learnt from the others. What is found in pictures that nothing
was drawn over is a false alarm.
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
from likeness.imaging.colour import luma
from likeness.imaging.files import read_image
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Pixels, Size
from likeness.imaging.shards import picture_files
from likeness.repair.marks import Marks, find_marks, tokens_of
from likeness.repair.repair import face_guards
from likeness.runtimes.marks import marks_runtime

HERE = Path(__file__).parent
DRAWINGS = 3
"""How often each picture is damaged, each time anew."""

LIKELY = 0.15
"""How likely damage is in a patch, at least."""

SENSITIVITIES = (0.0, 0.5, 1.0)
"""What `film-scan` mends unasked, what is mended if nothing else is said, and the most."""

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


def false_alarms(originals: list[Pixels], detector: MediaPipeDetector, sensitivity: float) -> list[float]:
    """Means for a picture: marks, millionths that they cover; and in how many of a hundred is nothing."""
    found: list[Marks] = []
    for pixels in originals:
        image = Image(pixels=pixels)
        found.append(find_marks(pixels, *face_guards(detector.detect(image), image), sensitivity=sensitivity))
    marks = [m.scratches + m.specks + m.pieces for m in found]
    areas = [m.area * 1e6 for m in found]
    return [float(np.mean(x)) for x in (marks, areas)] + [float(np.mean([m.area == 0 for m in found])) * 100]


def fitted(originals: list[tuple[str, Pixels]], drawings: int = 4) -> NDArray[np.float64]:
    """What tokens of a patch count (`likeness.repair.marks._TOKENS`): a constant and one number each, by logistic
    regression over damage that was drawn."""
    known: list[NDArray[np.float64]] = []
    truth: list[NDArray[np.bool_]] = []
    for number, (_, pixels) in enumerate(originals):
        for drawing in range(drawings):
            shown, damaged = damage(pixels, 7000 + 100 * drawing + number)
            thin = marks_runtime().look(shown).thin
            count, labels = cv2.connectedComponents((thin > LIKELY).astype(np.uint8), connectivity=8)
            tokens = tokens_of(luma(shown), thin, np.asarray(labels, np.intp), count)
            areas = np.bincount(labels.ravel(), minlength=count)
            right = np.any([piece.seen for piece in damaged.pieces], axis=0) if damaged.pieces else thin > 1
            on, near = (np.bincount(labels[where], minlength=count) / areas for where in (right, damaged.touched))
            counts = (areas >= 3) & ((on > 0.3) | (near < 0.3))
            counts[0] = False
            known.append(tokens[counts])
            truth.append((on > 0.3)[counts])
    x, y = np.concatenate(known), np.concatenate(truth).astype(np.float64)
    x = np.concatenate([np.ones((len(x), 1)), x], axis=1)
    weights = np.zeros(x.shape[1])
    for _ in range(50):  # Newton's method
        p = 1 / (1 + np.exp(-x @ weights))
        weights += np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + 0.1 * np.eye(len(weights)), x.T @ (y - p))
    return weights


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
    parser.add_argument("--tokens", action="store_true", help="show what tokens of a patch count, by that half")
    asked = parser.parse_args()
    if asked.tokens:
        print(*(f"{weight:.2f}" for weight in fitted(pictures(asked.folder, "sound", "limits"))))
        return
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
    made = [score(shown, network(sensitivity), detector) for sensitivity in SENSITIVITIES]
    lines = ["# Damage found, measured", ""]
    lines += [
        "Written by `python benchmarks/damage.py OLDPHOTOS --portraits PORTRAITS --general GENERAL`: how, says the file.",
        "",
        f"Over {len(pictures(asked.folder, 'sound', 'reported'))} old photographs, {DRAWINGS} drawings each. `film-scan`",
        "mends what is found at sensitivity 0, and 0.5 is usual. Line filters found 0.15 at precision 0.65.",
        "",
        "| kind | pieces | recall by pixel at 0 | at 0.5 | at 1 | by piece at 0 | at 0.5 | at 1 |",
        "| --- |" + " ---: |" * 7,
    ]
    for kind in DAMAGE_KINDS:
        figures = [one.recall(kind) for one in made] + [one.recall_of_pieces(kind) for one in made]
        lines.append(f"| {kind} | {made[0].pieces[kind]} | {' | '.join(f'{x:.2f}' for x in figures)} |")
    lines += ["", "| | at 0 | at 0.5 | at 1 |", "| --- |" + " ---: |" * 3]
    for words, figures in (
        ("mean recall over the kinds", [one.mean_recall for one in made]),
        ("recall of light marks", [one.recall_of_light for one in made]),
        ("recall of dark marks", [one.recall_of_dark for one in made]),
        ("precision by pixel", [one.precision for one in made]),
        ("precision by patch", [one.precision_of_patches for one in made]),
    ):
        lines.append(f"| {words} | {' | '.join(f'{x:.2f}' for x in figures)} |")
    rows = {
        "old photographs without damage": [x for _, x in pictures(asked.folder, "sound", "reported")],
        "engravings and drawings": [x for _, x in pictures(asked.folder, "drawn", "reported")],
    }
    if asked.portraits:
        rows["validation portraits at 512 px, every fourth"] = list(of_shards(asked.portraits, "val-*.tar"))[::4]
    if asked.general:
        rows["photographs of rooms, streets, nature"] = list(of_shards(asked.general, "general-val-*.tar"))
    lines += [
        "",
        "What is found where nothing was drawn, a picture, at sensitivity 0 and at 0.5:",
        "",
        "| pictures | marks at 0 | ppm of the area | pictures with nothing, % | marks at 0.5 | ppm | with nothing, % |",
        "| --- |" + " ---: |" * 6,
    ]
    for name, originals in rows.items():
        figures = [x for sensitivity in SENSITIVITIES[:2] for x in false_alarms(originals, detector, sensitivity)]
        lines.append(f"| {len(originals)} {name} | {' | '.join(f'{x:.2f}' for x in figures)} |")
    large = np.clip(resize(pictures(asked.folder, "sound")[0][1], Size(3464, 3464), "cubic"), 0, 1)
    find_marks(large)
    began = time.process_time()
    find_marks(large)
    lines += ["", f"To find marks in 12 megapixels: {time.process_time() - began:.1f} s of one processor core."]
    (HERE / "damage.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
