"""Does the measured resolution of a face follow what was done to it? `python benchmarks/effective_resolution.py PORTRAITS`
writes effective_resolution.md.

Sharp validation portraits, none of which the figure's reference was taken from, are blurred, made smaller and enlarged
again, and given noise and JPEG, combinations drawn from a grid. What each then can hold is known: the blur's sigma b and
the reduction d add up as squares,

    pixels = 512 / sqrt(1 + (b^2 + 0.45^2 (d^2 - 1) + 0.45^2 (d_0^2 - 1)) / 0.45^2),

with d_0 for a portrait whose own crop had fewer than 512 pixels (column native_side_px of portraits.csv), the geometric mean
of both axes' blurs, and 0.45 px the sigma of averaging and enlarging by one pixel.
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likeness.degradations import Degradation
from likeness.faces.effective_resolution import EffectiveResolution, effective_resolution
from likeness.imaging.portraits import Portraits

__all__ = ["main"]

BLURS = (0.0, 0.0, 0.0, 0.0, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
DOWNS = (1.0, 1.0, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
NOISES = (0.0, 0.0, 0.0, 3.0, 6.0, 12.0)
QUALITIES = (0, 0, 0, 0, 90, 75, 50, 35)
DRAWS = 6
"""Combinations a portrait."""

PIXEL = 0.45
TABLE = Path(__file__).with_name("effective_resolution.md")

_Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One degraded portrait: what it can hold, and what was measured."""

    portrait: int
    known: float
    degradation: Degradation
    found: EffectiveResolution


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("portraits", type=Path)
    flags = parser.parse_args()
    samples, milliseconds = measured(flags.portraits)
    TABLE.write_text(report(samples, milliseconds), encoding="utf-8")


def measured(folder: Path) -> tuple[list[Sample], float]:
    """The samples, and the median time of a measurement in milliseconds of one processor."""
    portraits = Portraits.read(folder, 512, split="val")
    with (folder / "portraits.csv").open(encoding="utf-8", newline="") as rows:
        native = {row["file"]: int(row["native_side_px"]) for row in csv.DictReader(rows)}
    rng = random.Random(3)
    samples: list[Sample] = []
    times: list[float] = []
    for index, name in enumerate(portraits.names):
        for draw in range(DRAWS):
            sigma, quality = rng.choice(BLURS), rng.choice(QUALITIES)
            other = sigma * rng.choice((1.0, 1.0, 1.0, 2.0))
            degradation = Degradation(
                blur=(sigma, other),
                blur_angle=rng.uniform(0, np.pi),
                down=rng.choice(DOWNS),
                noise=rng.choice(NOISES),
                jpeg=(quality,) if quality else (),
            )
            crop = degradation.apply(portraits.pixels(index), DRAWS * index + draw)
            begun = time.process_time()
            found = effective_resolution(crop, 512)
            times.append(time.process_time() - begun)
            samples.append(
                Sample(portrait=index, known=known(degradation, native[name]), degradation=degradation, found=found)
            )
    return samples, float(np.median(times)) * 1000


def known(degradation: Degradation, native: int) -> float:
    """What the degraded portrait can hold, px across."""
    own = (max(512 / native, 1.0) ** 2 - 1) + (degradation.down**2 - 1)
    along, across = (own + (sigma / PIXEL) ** 2 for sigma in degradation.blur)
    return 512 / float(np.sqrt(1 + np.sqrt(along * across)))


def rank_correlation(a: _Values, b: _Values) -> float:
    """Spearman's."""
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(x: _Values) -> _Values:
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    end = np.cumsum(count)
    return ((2 * end - count - 1) / 2)[place]


def report(samples: list[Sample], milliseconds: float) -> str:
    """The page."""
    truth = np.array([s.known for s in samples])
    found = np.array([s.found.pixels for s in samples])
    noise = np.array([s.degradation.noise for s in samples])
    coded = np.array([bool(s.degradation.jpeg) for s in samples])
    blurred = np.array([s.degradation.blur[0] > 0 for s in samples])
    reduced = np.array([s.degradation.down > 1 for s in samples])
    kinds = {
        "all": np.ones(len(samples), np.bool_),
        "blur alone": blurred & ~reduced & ~coded & (noise == 0),
        "reduction alone": ~blurred & reduced & ~coded & (noise == 0),
        "no noise, no JPEG": ~coded & (noise == 0),
        "noise, no JPEG": ~coded & (noise > 0),
        "JPEG, no noise": coded & (noise == 0),
        "noise and JPEG": coded & (noise > 0),
    }
    lines = [
        "# What a face holds: measured against known",
        "",
        "Written by `python benchmarks/effective_resolution.py PORTRAITS`, whose first lines say how.",
        "",
        f"{len(samples)} pictures of {len({s.portrait for s in samples})} portraits; a measurement takes "
        f"{milliseconds:.1f} ms of one processor.",
        "",
        "| pictures | number | rank correlation |",
        "| --- | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {int(which.sum())} | {rank_correlation(truth[which], found[which]):.3f} |"
        for name, which in kinds.items()
    ]
    lines += [
        "",
        "Measured over known, median, and what half and nine tenths of the pictures stay within:",
        "",
        "| known, px across | number | median | half | nine tenths |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for low, high in ((0, 20), (20, 40), (40, 70), (70, 120), (120, 200), (200, 400), (400, 513)):
        ratio = (found / truth)[(truth >= low) & (truth < high)]
        middle = float(np.median(ratio))
        half, most = (float(np.exp(np.quantile(np.abs(np.log(ratio / middle)), share))) for share in (0.5, 0.9))
        lines.append(f"| {low} to {high} | {len(ratio)} | {middle:.2f} | x/÷ {half:.2f} | x/÷ {most:.2f} |")
    lines += [
        "",
        "Noise, pictures that were not reduced. Three quarters of what each colour gets come to luma; JPEG takes most:",
        "",
        "| added to each colour, levels | measured, median | with JPEG |",
    ]
    lines += ["| ---: | ---: | ---: |"]
    for level in sorted(set(NOISES)):
        own, other = (
            [
                s.found.noise
                for s in samples
                if s.degradation.noise == level and s.degradation.down == 1 and bool(s.degradation.jpeg) == jpeg
            ]
            for jpeg in (False, True)
        )
        lines.append(f"| {level:.0f} | {np.median(own):.1f} | {np.median(other):.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
