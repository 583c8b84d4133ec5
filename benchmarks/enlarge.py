"""How well the enlarger enlarges: `python benchmarks/enlarge.py PHOTOGRAPHS [--sheet SHEET.png]` (docs/training.md).

PHOTOGRAPHS is a folder of pictures, or of shards general-val-*.tar. Each is made smaller, spoilt or not, and enlarged again.
PSNR is of Y (BT.601) with as many pixels of the border left out as the picture is enlarged.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.degradations.operations import add_noise, code
from likeness.degradations.reduction import reduce_samples
from likeness.imaging.colour import luma
from likeness.imaging.filters import resize
from likeness.imaging.image import Pixels, Size
from likeness.imaging.shards import read_photographs
from likeness.metrics import luma_psnr
from likeness.models.enlarger.weights import read_weights
from likeness.runtimes.enlarging import EnlargerRuntime

WEIGHTS = Path(__file__).parents[1] / "src" / "likeness" / "weights" / "likeness-enlarge.safetensors"
SPOILT = "JPEG 75, noise 3"
BARS = {("2x", "clean", "faithful"): 1.5, ("4x", "clean", "faithful"): 0.8, ("2x", SPOILT, "clean"): 0.8}
"""Gain over bicubic that issue 18 wants at least, dB."""
BLOCK = 8
SMOOTH = 4.0
"""Standard deviation in 9 x 9 px, levels of 255, below which a place is smooth."""


def floats(samples: NDArray[np.uint8]) -> Pixels:
    return samples.astype(np.float32) / np.float32(255)


def rounded(pixels: Pixels) -> NDArray[np.uint8]:
    return (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)


def spoilt(samples: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Noise of 3 levels in each channel, then JPEG of quality 75."""
    noisy = add_noise(floats(samples), 3.0, 1.0, 0.0, np.random.default_rng(seed))
    return rounded(code(noisy, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 75))


def bicubic(samples: NDArray[np.uint8], scale: int) -> Pixels:
    height, width = samples.shape[:2]
    enlarged = PillowImage.fromarray(samples).resize((width * scale, height * scale), PillowImage.Resampling.BICUBIC)
    return floats(np.asarray(enlarged))


def blocking(enlarged: Pixels, original: Pixels, scale: int) -> float:
    """How much more the luma steps across the borders of JPEG's blocks than inside them, levels^2; 0 for no blocking.

    The "blocking effect factor" of Yim and Bovik ("Quality assessment of deblocked images", 2011): mean squared steps
    between neighbours, at borders less elsewhere. On the picture averaged back to the size at which it was coded, and only
    where the original is smooth, since elsewhere texture hides blocks and outweighs them.
    """
    height, width = (side // scale for side in enlarged.shape[:2])
    grey, wanted = (255 * luma(resize(x, Size(width, height), "area")) for x in (enlarged, original))
    mean = cv2.blur(wanted, (9, 9))
    smooth = cv2.blur(wanted * wanted, (9, 9)) - mean * mean < SMOOTH**2
    across: list[NDArray[np.float32]] = []
    inside: list[NDArray[np.float32]] = []
    for levels, where in ((grey, smooth), (grey.T, smooth.T)):
        steps, where = np.square(np.diff(levels, axis=1)), where[:, 1:]
        border = np.arange(steps.shape[1]) % BLOCK == BLOCK - 1
        across.append(steps[:, border][where[:, border]])
        inside.append(steps[:, ~border][where[:, ~border]])
    return float(np.concatenate(across).mean() - np.concatenate(inside).mean())


def measure(photographs: Mapping[str, NDArray[np.uint8]], runtime: EnlargerRuntime) -> list[tuple[str, ...]]:
    """Rows of the table: scale, input, way, PSNR, gain over bicubic, bar, blocking."""
    rows: list[tuple[str, ...]] = []
    for scale in (2, 4):
        figures: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for number, original in enumerate(photographs.values()):
            whole = floats(original[: original.shape[0] // scale * scale, : original.shape[1] // scale * scale])
            small = reduce_samples(original, scale)
            for kind, shown in (("clean", small), (SPOILT, spoilt(small, number))):
                ways = {"bicubic": bicubic(shown, scale), **enlarged_ways(runtime, shown, scale)}
                for way, answer in ways.items():
                    answer = floats(rounded(answer))
                    pair = luma_psnr(answer, whole, cut=scale), blocking(answer, whole, scale)
                    figures.setdefault((kind, way), []).append(pair)
        for (kind, way), pairs in figures.items():
            psnr, blocks = np.nanmean(pairs, axis=0)
            gain = psnr - np.mean(figures[kind, "bicubic"], axis=0)[0]
            bar = BARS.get((f"{scale}x", kind, way))
            wanted = "" if bar is None else f"+{bar}: {'reached' if gain >= bar else 'MISSED'}"
            rows.append((f"{scale}x", kind, way, f"{psnr:.2f}", f"{gain:+.2f}", wanted, f"{blocks:.2f}"))
    return rows


def enlarged_ways(runtime: EnlargerRuntime, shown: NDArray[np.uint8], scale: int) -> dict[str, Pixels]:
    ways = (("faithful", 0.0), ("clean", 1.0))
    return {name: runtime.enlarge(floats(shown), scale, clean=clean) for name, clean in ways}


def sheet(photographs: Mapping[str, NDArray[np.uint8]], runtime: EnlargerRuntime, side: int = 256) -> PillowImage.Image:
    """A row for each photograph, scale and input: input in large pixels, bicubic, faithful, clean, original."""
    rows: list[NDArray[np.uint8]] = []
    for number, original in enumerate(photographs.values()):
        top, left = ((length - side) // 2 for length in original.shape[:2])
        crop = original[top : top + side, left : left + side]
        for scale, bad in ((2, False), (4, False), (2, True)):
            shown = reduce_samples(crop, scale)
            shown = spoilt(shown, number) if bad else shown
            ways = [bicubic(shown, scale), *enlarged_ways(runtime, shown, scale).values()]
            nearest = shown.repeat(scale, axis=0).repeat(scale, axis=1)
            rows.append(np.concatenate([nearest, *(rounded(x) for x in ways), crop], axis=1))
    return PillowImage.fromarray(np.concatenate(rows))


def largest_seam(original: NDArray[np.uint8], weights: Path) -> float:
    """The largest difference, in levels of 255, between an enlargement in tiles of 64 px and one in a single piece."""
    read = read_weights(weights)
    small = floats(reduce_samples(original, 2))
    tiled, whole = (EnlargerRuntime(read, tile=tile).enlarge(small, 2) for tile in (64, max(small.shape)))
    return 255 * float(np.abs(tiled - whole).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--every", type=int, default=1, help="take every N-th photograph")
    parser.add_argument("--sheet", type=Path, help="draw a sheet of the middles instead of measuring")
    arguments = parser.parse_args()
    found = read_photographs(arguments.photographs, "general-val-*.tar")
    photographs = dict(list(found.items())[:: arguments.every])
    runtime = EnlargerRuntime(read_weights(arguments.weights))
    if arguments.sheet:
        sheet(photographs, runtime).save(arguments.sheet)
        return
    print(f"{len(photographs)} photographs, weights: {read_weights(arguments.weights).source}\n")
    print("| scale | input | way | PSNR of Y, dB | over bicubic, dB | bar | blocking, levels² |")
    print("| --- | --- | --- | ---: | ---: | --- | ---: |")
    for row in measure(photographs, runtime):
        print(f"| {' | '.join(row)} |")
    print(
        f"\ntiles against whole: {largest_seam(next(iter(photographs.values())), arguments.weights):.4f} levels at most"
    )


if __name__ == "__main__":
    main()
