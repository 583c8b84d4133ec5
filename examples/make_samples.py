"""Makes the sample pictures from two public-domain portraits: `python examples/make_samples.py`.

Each sample is a situation from a studio's day: a crop of the original, degraded by one of the recipes of
`likeness.degradations`, saved as such a picture would arrive. Their presets and stories are in `likeness.cli.demo`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from likeness.cli.demo import SAMPLES as SHOWN
from likeness.cli.demo import Sample as Shown
from likeness.degradations import RECIPES
from likeness.imaging.image import Pixels

__all__ = ["SAMPLES", "Sample", "main", "sharp"]

HERE = Path(__file__).resolve().parent
ORIGINALS = HERE / "original"

IRIS = (203.5, 101.1)
"""Centre (x, y) of the left iris in the astronaut's portrait, px."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One sample picture.

    Attributes:
        file: its name.
        crop: left, top, width, height in the original, px.
        scale: enlargement of the crop before the recipe is applied.
        recipe, seed: what degrades it (`likeness.degradations.RECIPES`), or "" for nothing.
        original: the portrait that it is made from.
        small: width and height that are left of it.
        grey: save one channel.
        turned: save it lying on its side with the EXIF orientation that puts it upright, as phones do.
        broken_eye: paint the eye of a badly generated picture.
        quality: of a lossy format.
    """

    file: str
    crop: tuple[int, int, int, int]
    scale: float
    recipe: str
    seed: int
    original: str = "astronaut.jpg"
    small: tuple[int, int] | None = None
    grey: bool = False
    turned: bool = False
    broken_eye: bool = False
    quality: int = 88

    @property
    def shown(self) -> Shown:
        """What the demo says of it; a small one keeps the size that its recipe makes of it."""
        return next(shown for shown in SHOWN if shown.file == self.file)


SAMPLES: tuple[Sample, ...] = (
    Sample(
        file="portrait.jpg", crop=(92, 2, 264, 330), scale=2.2, recipe="moderate", seed=123,
    ),
    Sample(
        file="early-digital.jpg", crop=(102, 4, 240, 320), scale=2.0, recipe="early-digital", seed=6,
    ),
    Sample(
        file="film-scan.tif", crop=(106, 2, 240, 300), scale=1.6, recipe="film-scan", seed=5,
    ),
    Sample(
        file="grey-film.png", crop=(106, 2, 240, 300), scale=1.6, recipe="grey-film", seed=0, grey=True,
    ),
    Sample(
        file="low-light.jpg", crop=(82, 0, 288, 384), scale=2.0, recipe="low-light", seed=4, turned=True,
    ),
    Sample(
        file="messenger.webp", crop=(92, 0, 264, 330), scale=2.0, recipe="messenger", seed=7, quality=75,
    ),
    Sample(
        file="avatar.png", crop=(124, 28, 202, 202), scale=2.5, recipe="avatar", seed=0, small=(120, 120),
    ),
    Sample(
        file="backlit.jpg", crop=(82, 0, 288, 360), scale=2.0, recipe="backlit", seed=1,
    ),
    Sample(
        file="ai-portrait.webp", crop=(116, 10, 220, 220), scale=2.4, recipe="clean", seed=0, broken_eye=True, quality=90,
    ),
    Sample(
        file="spectacles.jpg", original="hopper.jpg", crop=(122, 10, 290, 364), scale=1.5, recipe="messenger", seed=7,
        small=(164, 206), quality=80,
    ),
)  # fmt: skip
"""In the order in which the sheet shows them."""


def main() -> None:
    total = 0
    for sample in SAMPLES:
        path = HERE / sample.file
        _save(_degrade(sharp(sample), sample), sample, path)
        total += path.stat().st_size
        print(f"{sample.file:20} {path.stat().st_size / 1000:6.0f} kB")
    print(f"{'all':20} {total / 1000:6.0f} kB")


def sharp(sample: Sample) -> Pixels:
    """The sample before anything happened to it: its crop, enlarged; H x W x 3, float32 in [0, 1]."""
    left, top, width, height = sample.crop
    original = np.asarray(Image.open(ORIGINALS / sample.original).convert("RGB"))
    picture = _break_eye(original, IRIS) if sample.broken_eye else original
    pixels = picture[top : top + height, left : left + width].astype(np.float32) / np.float32(255)
    size = (round(width * sample.scale), round(height * sample.scale))
    # Lanczos overshoots at edges.
    return np.clip(cv2.resize(pixels, size, interpolation=cv2.INTER_LANCZOS4), 0, 1, dtype=np.float32)


def _degrade(pixels: Pixels, sample: Sample) -> NDArray[np.uint8]:
    pixels = RECIPES[sample.recipe].degrade(pixels, sample.seed, keep_small=sample.small is not None)
    if sample.small is not None:
        pixels = cv2.resize(pixels, sample.small, interpolation=cv2.INTER_AREA)
    return (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)


def _break_eye(picture: NDArray[np.uint8], centre: tuple[float, float]) -> NDArray[np.uint8]:
    """Pull the iris out of shape: within 9 px of its centre, rows slide sideways by a wave."""
    height, width = picture.shape[:2]
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    dx, dy = across - centre[0], down - centre[1]
    near = np.exp(-np.square(np.hypot(dx, dy) / 6.0))
    across = across - near * (2.6 * np.sin(dy * 1.3) + 1.2)
    down = down - near * 1.0 * np.cos(dx * 0.9)
    return cv2.remap(picture, across, down, interpolation=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def _save(pixels: NDArray[np.uint8], sample: Sample, path: Path) -> None:
    picture = Image.fromarray(pixels)
    if sample.grey:
        picture = picture.convert("L")
    if path.suffix == ".tif":
        picture.save(path, compression="tiff_adobe_deflate", dpi=(300, 300))
    elif path.suffix == ".png":
        picture.save(path, optimize=True)
    elif path.suffix == ".webp":
        picture.save(path, quality=sample.quality, method=6)
    elif sample.turned:
        exif = Image.Exif()
        exif[0x0112] = 6  # Orientation: the first row is the right-hand side
        picture.transpose(Image.Transpose.ROTATE_90).save(path, quality=sample.quality, exif=exif)
    else:
        picture.save(path, quality=sample.quality)


if __name__ == "__main__":
    main()
