"""Measure the repairs on portraits with known damage: `python benchmarks/repair.py PORTRAITS [COUNT]` writes repair.md."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np

from likeness.degradations import RECIPES, Degradation
from likeness.degradations.operations import print_halftone
from likeness.faces.detect import MediaPipeDetector
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Pixels, Size
from likeness.imaging.portraits import Portraits
from likeness.metrics import overshoot_of_both, psnr
from likeness.repair.balance import apply_balance, measure_balance
from likeness.repair.dot_screen import fade_dot_screen, find_dot_screen
from likeness.repair.fringes import fade_fringes, find_fringes
from likeness.repair.repair import repair
from likeness.repair.repairs import Repairs
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer

PAGE = Path(__file__).with_name("repair.md")
SEEN = 0.06
"""A sample that a scratch changes by less is not counted as scratched: white on white cannot be seen."""

Row = tuple[str, list[float]]


def decibel(x: Pixels, y: Pixels, where: np.ndarray) -> float:
    """Peak signal-to-noise ratio over some places; 99 where they are equal."""
    error = float(np.square(x - y)[where].mean()) if where.any() else 0.0
    return min(99.0, -10 * float(np.log10(max(error, 1e-12))))


def scratches(x: Pixels, seed: int, detector: MediaPipeDetector, grain: float) -> list[float]:
    """Recall, precision, PSNR inside before and after, outside after, area found in the clean picture in ppm."""
    plain = Degradation(grain=grain).apply(x, seed)
    damaged = Degradation(grain=grain, scratches=3, dust=12).apply(x, seed)
    truth = np.abs(damaged - plain).max(axis=2) > SEEN
    faces = detector.detect(Image(pixels=damaged))
    result = repair(Image(pixels=damaged), Repairs(scratches=1), faces=faces)
    clean = repair(Image(pixels=plain), Repairs(scratches=1), faces=detector.detect(Image(pixels=plain)))
    assert result.marks is not None
    assert clean.marks is not None
    found = result.marks.mask
    wide = np.ones((5, 5), np.uint8)
    near_found, near_truth = (np.asarray(cv2.dilate(m.astype(np.uint8), wide)) > 0 for m in (found, truth))
    after = result.image.pixels
    return [
        float((truth & near_found).sum() / max(1, truth.sum())),
        float((found & near_truth).sum() / max(1, found.sum())),
        decibel(damaged, plain, truth),
        decibel(after, plain, truth),
        decibel(after, damaged, ~near_truth),
        clean.marks.area * 1e6,
    ]


def ageing(x: Pixels, fade: float, yellow: float) -> list[float]:
    """PSNR before and after, and the mean change in levels of 255."""
    aged = Degradation(fade=fade, yellow=yellow).apply(x, 0)
    after = apply_balance(aged, measure_balance(aged), 1.0)
    return [min(99.0, psnr(aged, x)), min(99.0, psnr(after, x)), float(np.abs(after - aged).mean() * 255)]


def purple(x: Pixels, shift: float) -> list[float]:
    """Chroma on the fringes found, before and after, their share of the picture, and the mean change in levels of 255."""
    fringed = Degradation(fringe=shift).apply(x, 0)
    where = find_fringes(fringed)
    after = fade_fringes(fringed, where, 1.0)
    chroma = [np.hypot(*np.moveaxis(cv2.cvtColor(y, cv2.COLOR_RGB2Lab)[:, :, 1:], 2, 0)) for y in (fringed, after)]
    on = where > 0.5
    before_after = [float(c[on].mean()) if on.any() else 0.0 for c in chroma]
    return [*before_after, float((where > 0.1).mean() * 100), float(np.abs(after - fringed).mean() * 255)]


def dots(x: Pixels, seed: int, period: float, strength: float) -> list[float]:
    """A print, scanned with a little blur and noise: whether its screen is found, in %; PSNR of the scan, of the repaired
    one, and of the Gaussian blur of the scan that comes nearest to the original, which is what one would take otherwise."""
    rng = np.random.default_rng(seed)
    scan = cv2.GaussianBlur(print_halftone(x, period, strength, rng), (0, 0), 0.6) + rng.normal(0, 0.01, x.shape)
    scan = np.clip(scan, 0, 1).astype(np.float32)
    screen = find_dot_screen(scan)
    after = scan if screen is None else fade_dot_screen(scan, screen, 1.0)
    blurred = max(psnr(cv2.GaussianBlur(scan, (0, 0), sigma), x) for sigma in (0.6, 0.8, 1.2, 1.8, 2.5, 3.5, 5.0))
    return [100.0 * (screen is not None), psnr(scan, x), psnr(after, x), blurred]


def ringing(x: Pixels, seed: int, recipe: str, restorer: Restorer) -> list[float]:
    """Lines along the original's edges, in % of them: of the original, the input and the restored picture (over 0.05 of
    the step); false ones of the input and the restored picture (the original has under 0.01 there); lost ones of both;
    and where the restored picture has lines, their mean height and the original's, in % of the step."""
    degraded = RECIPES[recipe].degrade(x, seed)
    after = restorer.restore(Image(pixels=degraded), Controls.standard(), aligned=True).image.pixels
    before, true = overshoot_of_both(degraded, x)[1:]
    restored = overshoot_of_both(after, x)[1]
    lines = restored > 0.05
    shares = [y > 0.05 for y in (true, before, restored)]
    shares += [(y > 0.05) & (true < 0.01) for y in (before, restored)]
    shares += [(y < 0.01) & (true > 0.05) for y in (before, restored)]
    heights = [float(y[lines].mean()) * 100 if lines.any() else float("nan") for y in (restored, true)]
    return [*(float(share.mean()) * 100 for share in shares), *heights]


RINGING = """A line is an overshoot of over 5% of the step (`likeness.metrics.overshoot_of_both`), a false one is one that
the original has none of (under 1%), a lost one is one of the original that is not there (under 1%)."""


def table(title: str, head: str, rows: list[Row], digits: int = 2) -> list[str]:
    columns = head.split(" | ")
    lines = [f"## {title}", "", f"| | {head} |", "| --- |" + " ---: |" * len(columns)]
    lines += [f"| {name} | {' | '.join(f'{v:.{digits}f}' for v in values)} |" for name, values in rows]
    return [*lines, ""]


def main() -> None:
    portraits = Portraits.read(Path(sys.argv[1]), 512, split="val")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 12
    chosen = np.linspace(0, len(portraits.names) - 1, count).astype(int).tolist()
    pictures = [(index, portraits.pixels(index)) for index in chosen]
    detector, restorer = MediaPipeDetector(), Restorer(threads=1)

    def mean(values: list[list[float]]) -> list[float]:
        return [float(v) for v in np.nanmean(np.array(values), axis=0)]

    lines = [
        "# Repairs, measured",
        "",
        f"Written by `python benchmarks/repair.py PORTRAITS {count}`: means over {count} validation portraits at 512 px.",
        "What each repair does, and where it stops: [../docs/repair.md](../docs/repair.md).",
        "",
    ]
    lines += table(
        "Scratches (3) and dust (12 specks)",
        "recall | precision | PSNR there before | after | PSNR elsewhere against the input | false area, ppm",
        [
            (name, mean([scratches(x, index, detector, grain) for index, x in pictures]))
            for name, grain in (("no grain", 0.0), ("grain of 10 levels", 10.0))
        ],
    )
    lines += table(
        "Ageing",
        "PSNR before | after | mean change, levels",
        [
            (name, mean([ageing(x, fade, yellow) for _, x in pictures]))
            for name, fade, yellow in (("clean", 0, 0), ("yellow", 0, 0.5), ("faded", 0.4, 0), ("both", 0.4, 0.5))
        ],
    )
    lines += table(
        "Purple fringes",
        "chroma there before | after | share of the picture, % | mean change, levels",
        [(name, mean([purple(x, shift) for _, x in pictures])) for name, shift in (("clean", 0.0), ("fringed", 2.5))],
    )
    lines += table(
        "Printed dots",
        "found, % | PSNR before | after | the best Gaussian blur",
        [
            (
                f"every {period:g} px, {strength:.0%} of the picture",
                mean([dots(x, index, period, strength) for index, x in pictures]),
            )
            for period in (3.0, 5.0, 8.0)
            for strength in (0.35, 0.9)
        ],
    )
    lines += table(
        "Ringing after deblurring: edges with a bright or dark line beside them, in %",
        "original | input | restored | false: input | restored | lost: input | restored | height where restored has one,"
        " % | original there",
        [
            (recipe, mean([ringing(x, index, recipe, restorer) for index, x in pictures]))
            for recipe in ("mild", "moderate", "severe", "messenger")
        ],
    )
    lines += [RINGING, ""]
    large = np.clip(resize(pictures[0][1], Size(3464, 3464), "cubic"), 0, 1)
    began = time.process_time()
    repair(Image(pixels=large), Repairs(scratches=1, balance=1, fringes=1))
    lines += [
        f"Scratches, ageing and fringes on 12 megapixels: {time.process_time() - began:.1f} s of one processor core."
    ]
    screen = find_dot_screen(print_halftone(large[:512, :512], 5.0, 0.4, np.random.default_rng(0)))
    assert screen is not None
    began = time.process_time()
    assert find_dot_screen(large) is None
    looked = time.process_time() - began
    fade_dot_screen(large, screen, 1.0)
    faded = time.process_time() - began - looked
    lines += [
        "",
        f"Printed dots on as many: {looked:.2f} s to see that there are none, {faded:.1f} s to take them away.",
    ]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
