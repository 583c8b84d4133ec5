"""Can face and background be told apart by their grain? `python benchmarks/grain.py FOLDER_OF_OLD_PHOTOS` writes grain.md.

Looks at the first 20 pictures (by name) with a face at least 100 px across and measurable grain, and, with `--portraits`, at
clean portraits with synthetic grain on them. The figures are taken by this file's own measure, not by the one that lays it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness import Controls, Restorer, read_image, write_image
from likeness.errors import LikenessError
from likeness.faces.align import unwarp
from likeness.imaging.colour import luma
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Image, Pixels, Size
from likeness.imaging.portraits import Portraits
from likeness.restore.outcome import FaceProjection

PICTURES, PORTRAITS, STRIDE = 20, 6, 4
BLOCK, RINGS, LEAST = 16, 6, 6
SETTINGS = Controls.film_scan()
TABLE = Path(__file__).with_name("grain.md")


@dataclass(frozen=True, kw_only=True)
class Distance:
    """How far face and background are apart, as shares: mean over brightnesses of |variance ratio - 1|; half the sum of
    absolute differences of the two normalised spectra (0 equal, 1 disjoint); and the ratio of the variances."""

    variance: float
    spectrum: float
    ratio: float

    @property
    def within(self) -> bool:
        return self.variance <= 0.1 and self.spectrum <= 0.1


@dataclass(frozen=True, kw_only=True)
class Row:
    name: str
    level: float
    before: Distance
    off: Distance
    on: Distance
    chance: Distance
    kept: Distance


def blocks(x: NDArray[np.float32], places: NDArray[np.intp]) -> NDArray[np.float32]:
    step = np.arange(BLOCK)
    return x[places[:, 0, None, None] + step[:, None], places[:, 1, None, None] + step]


def flat_places(pixels: Pixels, area: NDArray[np.bool_]) -> NDArray[np.intp]:
    """First rows and columns of the flatter 40% of the blocks that lie in an area; from the picture before."""
    grey = gaussian_blur(luma(pixels), 3.0)
    slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    grid = np.mgrid[0 : grey.shape[0] - BLOCK + 1 : 4, 0 : grey.shape[1] - BLOCK + 1 : 4].reshape(2, -1).T
    light = blocks(grey, grid).mean(axis=(1, 2))
    whole = blocks(area.astype(np.float32), grid).min(axis=(1, 2)) > 0
    found = grid[whole & (light > 0.06) & (light < 0.92)]
    if not len(found):
        return found
    flatness = blocks(slope, found).mean(axis=(1, 2))
    return found[flatness <= np.quantile(flatness, 0.4)]


def distance(
    pixels: Pixels,
    light: NDArray[np.float32],
    face: NDArray[np.intp],
    back: NDArray[np.intp],
    against: Pixels | None = None,
) -> Distance | None:
    """Compared at the brightnesses that both show in at least `LEAST` blocks; `back` lies in `against`, if given."""
    window = np.outer(np.hanning(BLOCK), np.hanning(BLOCK)).astype(np.float32)
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(BLOCK), np.fft.fftfreq(BLOCK)))
    ring = np.clip(((radius - 0.06) / (0.5 - 0.06) * RINGS).astype(int), 0, RINGS - 1)

    def figures(
        x: Pixels, places: NDArray[np.intp]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        own = blocks(luma(x) - gaussian_blur(luma(x), 3.0), places)
        power = np.abs(np.fft.fft2((own - own.mean(axis=(1, 2), keepdims=True)) * window)) ** 2
        rings = np.stack([power[:, ring == r].sum(axis=1) for r in range(RINGS)], axis=1)
        shade = (blocks(light, places).mean(axis=(1, 2)) * 10).astype(np.int64)
        return shade, own.var(axis=(1, 2)).astype(np.float64), rings

    (a, va, pa), (b, vb, pb) = figures(pixels, face), figures(pixels if against is None else against, back)
    common = [s for s in np.unique(a) if (a == s).sum() >= LEAST and (b == s).sum() >= LEAST]
    if not common:
        return None
    ratios = np.array([np.median(va[a == s]) / max(np.median(vb[b == s]), 1e-12) for s in common])
    weights = np.array([min((a == s).sum(), (b == s).sum()) for s in common], dtype=np.float64)

    def spectrum(power: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
        # Blocks with lines or specks in them would count for all others.
        kept = power[variance <= 2 * np.median(variance)].mean(axis=0)
        return kept / kept.sum()

    in_a, in_b = np.isin(a, common), np.isin(b, common)
    apart = np.abs(spectrum(pa[in_a], va[in_a]) - spectrum(pb[in_b], vb[in_b])).sum() / 2
    mean = float((ratios * weights).sum() / weights.sum())
    return Distance(
        variance=float((np.abs(ratios - 1) * weights).sum() / weights.sum()), spectrum=float(apart), ratio=mean
    )


def areas(item: FaceProjection, size: Size) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Skin that was restored, and what lies outside the paste-back mask."""
    skin = item.masks["cheek"] + item.masks["forehead"] + item.masks["nose"]
    pair = np.zeros((2, size.height, size.width), np.float32)
    for whole, values in zip(pair, (skin * item.mask, item.mask), strict=True):
        laid, box = unwarp(values.astype(np.float32), item.alignment)
        whole[box.to_slices()] = laid
    return pair[0] > 0.7, pair[1] <= 0.0


def look(restorer: Restorer, name: str, image: Image, sheets: Path | None) -> Row | str:
    """The figures of a picture's largest face, or why there are none."""
    faces = restorer.find_faces(image)
    if not faces:
        return "no face"
    item = restorer.project(image, max(faces, key=lambda face: face.box.area), SETTINGS)
    if item.alignment.native_side < 100:
        return "face under 100 px"
    if item.grain is None or item.grain.grain.level < 1.5:
        return "no measurable grain"
    off = restorer.compose(image, [item], replace(SETTINGS, keep_grain=False)).image.pixels
    on = restorer.compose(image, [item], SETTINGS).image.pixels
    skin, around = areas(item, image.size)
    light = gaussian_blur(luma(image.pixels), 3.0)
    face, back = flat_places(image.pixels, skin), flat_places(image.pixels, around)
    if min(len(face), len(back)) < LEAST:
        return "no flat part in face or background"
    # Brightness as it is before: the same blocks are compared three times.
    found = [distance(pixels, light, face, back) for pixels in (image.pixels, off, on)]
    chance = distance(image.pixels, light, back[::2], back[1::2])
    kept = distance(on, light, face, face, against=image.pixels)
    if found[0] is None or found[1] is None or found[2] is None or chance is None or kept is None:
        return "face and background have no brightness in common"
    if not 0.5 <= found[0].ratio <= 2.0:
        return "a background that was retouched, or printed, or is cloth (its variance over twice or under half the face's)"
    if sheets is not None:
        sheets.mkdir(parents=True, exist_ok=True)
        rows, columns = item.alignment.box.to_slices()
        cuts = [resize(np.ascontiguousarray(p[rows, columns]), _twice(item), "linear") for p in (image.pixels, off, on)]
        write_image(
            Image(pixels=np.ascontiguousarray(np.clip(np.hstack(cuts), 0, 1))), sheets / f"{Path(name).stem}.png"
        )
    return Row(
        name=name,
        level=item.grain.grain.level,
        before=found[0],
        off=found[1],
        on=found[2],
        chance=chance,
        kept=kept,
    )


def _twice(item: FaceProjection) -> Size:
    return Size(int(item.alignment.box.width) * 2, int(item.alignment.box.height) * 2)


def synthetic(clean: Pixels, kind: str, seed: int) -> Pixels:
    """A portrait with grain: "colour film", "grey film" or "sensor"."""
    rng = np.random.default_rng(seed)

    def field(blur: float) -> NDArray[np.float32]:
        x = rng.standard_normal(clean.shape[:2], dtype=np.float32)
        x = gaussian_blur(x, blur) if blur else x
        return x / x.std()

    if kind == "grey film":
        clean = np.repeat(luma(clean)[:, :, None], 3, axis=2)
        grain = (
            np.repeat(field(1.0)[:, :, None], 3, axis=2) * np.sqrt(np.clip(clean * (1 - clean), 0.02, 0.25)) * 2 * 11
        )
    elif kind == "colour film":
        shared = field(0.7)
        layers = [0.6 * shared + 0.8 * field(blur) for blur in (0.6, 0.7, 0.9)]
        grain = np.stack(layers, axis=-1) * np.sqrt(np.clip(clean * (1 - clean), 0.02, 0.25)) * 2 * 9
    else:
        # Photon noise grows with the light (in linear light; after the sRGB curve it falls), read noise does not.
        grain = np.stack([field(0.0) for _ in range(3)], axis=-1) * (4 + 5 * np.sqrt(np.clip(1 - clean, 0, 1)))
    return np.clip(clean + grain * np.float32(1 / 255), 0, 1).astype(np.float32)


def table(rows: list[Row]) -> list[str]:
    lines = [
        "| picture | grain | variance: input | off | on | ratio off | on | spectrum: input | off | on | by chance | kept |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        lines.append(  # noqa: PERF401
            f"| {row.name} | {row.level:.1f} | {row.before.variance:.2f} | {row.off.variance:.2f} | {row.on.variance:.2f} "
            f"| {row.off.ratio:.2f} | {row.on.ratio:.2f} "
            f"| {row.before.spectrum:.2f} | {row.off.spectrum:.2f} | {row.on.spectrum:.2f} "
            f"| {row.chance.variance:.2f}, {row.chance.spectrum:.2f} | {row.kept.ratio:.2f}, {row.kept.spectrum:.2f} |"
        )

    def median(values: list[float]) -> str:
        return f"{np.median(values):.2f}"

    lines.append(
        f"| **median** | {np.median([r.level for r in rows]):.1f} | {median([r.before.variance for r in rows])} "
        f"| {median([r.off.variance for r in rows])} | {median([r.on.variance for r in rows])} "
        f"| {median([r.off.ratio for r in rows])} | {median([r.on.ratio for r in rows])} "
        f"| {median([r.before.spectrum for r in rows])} "
        f"| {median([r.off.spectrum for r in rows])} | {median([r.on.spectrum for r in rows])} "
        f"| {median([r.chance.variance for r in rows])}, {median([r.chance.spectrum for r in rows])} "
        f"| {median([r.kept.ratio for r in rows])}, {median([r.kept.spectrum for r in rows])} |"
    )
    count = len(rows)
    lines += [
        "",
        f"Both within 10%: input {sum(r.before.within for r in rows)} of {count}, "
        f"off {sum(r.off.within for r in rows)}, on {sum(r.on.within for r in rows)}. "
        f"Spectrum alone: input {sum(r.before.spectrum <= 0.1 for r in rows)}, "
        f"off {sum(r.off.spectrum <= 0.1 for r in rows)}, on {sum(r.on.spectrum <= 0.1 for r in rows)}. "
        f"Variance alone: input {sum(r.before.variance <= 0.1 for r in rows)}, "
        f"off {sum(r.off.variance <= 0.1 for r in rows)}, on {sum(r.on.variance <= 0.1 for r in rows)}. "
        f"Kept, both within 10%: {sum(r.kept.within for r in rows)} of {count}; "
        f"within 20%: {sum(max(r.kept.variance, r.kept.spectrum) <= 0.2 for r in rows)}.",
        "",
    ]
    return lines


def left_out(refused: Counter[str]) -> list[str]:
    """A paragraph on the pictures that could not be compared, and why."""
    if not refused:
        return []
    return [
        "Left out before these were complete: " + "; ".join(f"{n} with {why}" for why, n in refused.items()) + ".",
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="old photographs")
    parser.add_argument("--portraits", type=Path, help="clean portraits (val-*.tar or pictures) for synthetic grain")
    parser.add_argument("--sheets", type=Path, help="write input, off and on side by side at 200% here")
    flags = parser.parse_args()
    restorer = Restorer()
    real: list[Row] = []
    refused = Counter[str]()
    for path in sorted(p for p in flags.folder.iterdir() if p.suffix.lower() in {".jpg", ".png", ".tif"}):
        if len(real) == PICTURES:
            break
        try:
            row = look(restorer, path.name, read_image(path), flags.sheets)
        except LikenessError as error:
            row = str(error)
        if isinstance(row, Row):
            real.append(row)
            print(row, flush=True)
        else:
            refused[row] += 1
    out = ["# Grain of face and background", "", NOTE, "", f"## {len(real)} old photographs", ""]
    out += table(real) if real else []
    out += left_out(refused)
    if flags.portraits is not None:
        portraits = Portraits.read(flags.portraits, 512, split="val")
        for kind in ("colour film", "grey film", "sensor"):
            rows: list[Row] = []
            refused = Counter[str]()
            for index in range(0, len(portraits.names), STRIDE):
                # A slight blur takes the portraits' own noise.
                picture = synthetic(gaussian_blur(portraits.pixels(index), 1.0), kind, index)
                row = look(restorer, f"{kind.replace(' ', '-')}-{index}.png", Image(pixels=picture), flags.sheets)
                if isinstance(row, str):
                    refused[row] += 1
                    continue
                rows.append(row)
                print(row, flush=True)
                if len(rows) == PORTRAITS:
                    break
            out += [f"## {kind.capitalize()}, synthetic", "", *(table(rows) if rows else []), *left_out(refused)]
    TABLE.write_text("\n".join(out).rstrip() + "\n", encoding="utf-8")


NOTE = """\
Written by `python benchmarks/grain.py OLD_PHOTOS --portraits PORTRAITS`; preset `film-scan`, with `keep_grain` off and on.
Flat 16 x 16 blocks of restored skin (cheeks, forehead, nose) against flat blocks outside the paste-back mask, the same
blocks in the input and both results. *Grain*: measured strength, levels of 255. *Variance*: mean over the brightnesses that
both show of |variance on skin / variance in the background - 1|; *ratio*: that quotient's mean. *Spectrum*: half the sum of
absolute differences of the two normalised spectra in six rings. *By chance*: both figures between two halves of the
background. The *input's* own distance is the floor: skin has pores, backgrounds may have cloth, and focus differs. *Kept*:
the restored skin, grain on, against the same skin in the input: ratio of the variances, and distance of the spectra."""


if __name__ == "__main__":
    main()
