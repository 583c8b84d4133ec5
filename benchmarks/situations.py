"""Standard against the preset in each situation: `python benchmarks/situations.py PORTRAITS` (sharp, aligned portraits).

Writes situations.json (the figures), docs/situations.md (the page, from the figures alone) and docs/images/situations/ (of
the sample portrait). `--page` writes the page again from the figures that are there. A run that was stopped goes on: what is
judged already is kept in situations.partial.json as long as weights, presets, situations and portraits are the same.

Method: portraits spread evenly over the validation split are put into each situation (`likeness.evaluation.situations`, the
place in the list is the seed); each is restored with `standard` and with the preset and judged beside its original. Presets
are compared picture by picture: a difference counts if it is over twice its standard error.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from likeness import PRESETS, Controls, Image, Restorer, read_image, write_image
from likeness.core.files import write_bytes_atomically
from likeness.degradations import RECIPES
from likeness.errors import NoFaceError
from likeness.evaluation.judge import Judge
from likeness.evaluation.situations import SITUATIONS, Case, Outcome, Situation, judge_case, make_case
from likeness.faces.align import align, warp
from likeness.faces.detect import MediaPipeDetector
from likeness.imaging.image import Pixels
from likeness.imaging.portraits import Portraits
from likeness.models.catalog import DEFAULT_MODEL
from likeness.models.store import Store

__all__ = ["DATA", "PAGE", "figures_of", "main", "page_of"]

HERE = Path(__file__).resolve().parent
DATA = HERE / "situations.json"
PAGE = HERE.parent / "docs" / "situations.md"
PICTURES = HERE.parent / "docs" / "images" / "situations"
SAMPLE = HERE.parent / "examples" / "original" / "astronaut.jpg"

PARTIAL = HERE / "situations.partial.json"

Record = Mapping[str, Any]
Rows = dict[str, dict[str, "float | None"]]
"""Of one case: by picture (as it came, or a preset's), by figure."""

_SCORES = ("psnr", "identity", "skin", "hair", "eye", "plastic")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Standard against the preset in each situation; writes the page.")
    parser.add_argument("portraits", nargs="?", type=Path, help="portraits: pictures, or tar shards <split>-*.tar")
    parser.add_argument("--count", type=int, default=24, help="how many portraits (24)")
    parser.add_argument("--split", default="val", help="which shards (val)")
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"a model's name or file ({DEFAULT_MODEL})")
    parser.add_argument("--page", action="store_true", help="only write the page again from situations.json")
    options = parser.parse_args(argv)
    if not options.page:
        if options.portraits is None:
            parser.error("say which portraits, or --page")
        if options.count < 3:
            parser.error("--count must be at least 3: differences need a standard error")
        restorer = Restorer(options.model)
        portraits = _spread(options.portraits, options.split, options.count)
        weights = _fingerprint(options.model)
        kept = Kept(PARTIAL, weights, [name for name, _ in portraits])
        figures = figures_of(restorer, portraits, kept=kept, report=lambda line: print(line, flush=True))
        figures = {"model": options.model, "weights": weights, **figures}
        draw_pictures(restorer)
        write_bytes_atomically((json.dumps(figures, indent=1, allow_nan=False) + "\n").encode(), DATA)
        PARTIAL.unlink(missing_ok=True)
    write_bytes_atomically(page_of(json.loads(DATA.read_text(encoding="utf-8"))).encode(), PAGE)
    print(f"{PAGE} is written")


def _spread(folder: Path, split: str, count: int) -> list[tuple[str, Pixels]]:
    found = Portraits.read(folder, 512, split=split)
    places = np.unique(np.linspace(0, len(found.names) - 1, min(count, len(found.names))).round().astype(int))
    return [(found.names[i], found.pixels(i)) for i in places]


def _fingerprint(model: str) -> str:
    """The first digits of a checksum over the weights: what the figures belong to."""
    digest = hashlib.sha256()
    for name, value in sorted(Store().load(model).state.items()):
        digest.update(name.encode() + np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()[:12]


class Kept:
    """Figures of the cases that are judged already, in a file, so that a run that was stopped goes on."""

    def __init__(self, path: Path, weights: str, portraits: Sequence[str]) -> None:
        recipes = {situation.recipe: repr(RECIPES[situation.recipe]) for situation in SITUATIONS}
        described = repr((weights, list(portraits), SITUATIONS, sorted(PRESETS.items()), recipes))
        self._path, self._key = path, hashlib.sha256(described.encode()).hexdigest()
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        self._cases: dict[str, Rows] = content["cases"] if content.get("key") == self._key else {}

    def get(self, name: str) -> Rows | None:
        return self._cases.get(name)

    def put(self, name: str, rows: Rows) -> None:
        self._cases[name] = rows
        write_bytes_atomically(json.dumps({"key": self._key, "cases": self._cases}).encode(), self._path)


def figures_of(
    restorer: Restorer,
    portraits: Sequence[tuple[str, Pixels]],
    *,
    kept: Kept | None = None,
    report: Callable[[str], object],
) -> dict[str, Any]:
    """Everything that the page says, as JSON can hold it: means, and the paired differences with their standard errors.

    Raises:
        NoFaceError: if no portrait shows a face.
    """
    judge, detector = Judge(), MediaPipeDetector()
    found: list[dict[str, Any]] = []
    for situation in SITUATIONS:
        cases: list[Rows] = []
        for seed, (name, portrait) in enumerate(portraits):
            place = f"{situation.name}/{name}"
            rows = None if kept is None else kept.get(place)
            if rows is None:
                try:
                    rows = _judged(restorer, judge, make_case(name, portrait, situation, seed, detector=detector))
                except NoFaceError:
                    rows = {}
                if kept is not None:
                    kept.put(place, rows)
            if rows:
                cases.append(rows)
        if not cases:
            raise NoFaceError("no face was found in any portrait: check the folder")
        columns = {row: [case[row] for case in cases] for row in cases[0]}
        found.append(
            {
                "name": situation.name,
                "pictures": len(cases),
                "rows": {row: _means(values) for row, values in columns.items()},
                "against standard": {
                    row: _differences(columns[row], columns["standard"]) for row in _presets(situation)
                },
            }
        )
        report(f"{situation.name}: {len(cases)} portraits")
    used = ("standard", *dict.fromkeys(name for situation in SITUATIONS for name in _presets(situation)))
    return {
        "portraits": len(portraits),
        "presets": {name: asdict(PRESETS[name]) for name in used},
        "situations": found,
    }


def _presets(situation: Situation) -> tuple[str, ...]:
    """The presets that are set against standard."""
    return (situation.preset,) if situation.offered is None else (situation.preset, situation.offered)


def _judged(restorer: Restorer, judge: Judge, case: Case) -> Rows:
    """The figures of what arrived and of each preset's result."""
    reference = judge.reference(case.original)
    pictures = {"degraded": case.degraded}
    pictures.update(
        {name: _restored(restorer, case.degraded, PRESETS[name]) for name in ("standard", *_presets(case.situation))}
    )
    return {name: _values(judge_case(judge, case, reference, pixels)) for name, pixels in pictures.items()}


def _restored(restorer: Restorer, degraded: Pixels, controls: Controls) -> Pixels:
    return restorer.restore(Image(pixels=degraded), controls, aligned=True).image.pixels


def _values(outcome: Outcome) -> dict[str, float | None]:
    values = {name: float(getattr(outcome.score, name)) for name in _SCORES}
    values.update({"change": outcome.change, **{f"mended {part}": share for part, share in outcome.mended.items()}})
    # JSON has no NaN: a figure that a picture does not have is null.
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _means(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """The mean of each figure over the pictures that have it."""
    found: dict[str, float | None] = {}
    for name in rows[0]:
        values = [value for row in rows if (value := row[name]) is not None]
        found[name] = round(float(np.mean(values)), 5) if values else None
    return found


def _differences(
    rows: Sequence[Mapping[str, float | None]], base: Sequence[Mapping[str, float | None]]
) -> dict[str, list[float]]:
    """Mean of the paired differences and its standard error, by figure; a figure without two pairs is left out."""
    found: dict[str, list[float]] = {}
    for name in rows[0]:
        pairs = [(a[name], b[name]) for a, b in zip(rows, base, strict=True)]
        deltas = np.array([a - b for a, b in pairs if a is not None and b is not None])
        if len(deltas) > 1:
            error = float(deltas.std(ddof=1) / np.sqrt(len(deltas)))
            found[name] = [round(float(deltas.mean()), 5), round(error, 5)]
    return found


# The page ------------------------------------------------------------------------------------------------------------

_HEAD = """# Situations

What the presets do where they are meant to be used: portraits put into six situations, restored with `standard` and with the
preset, and judged beside the sharp original. Everything below is written by `python benchmarks/situations.py PORTRAITS` from
its figures ([situations.json](../benchmarks/situations.json)); nothing is picked by hand.

Measured with `{model}` (weights {weights}) on {portraits} validation portraits. The situations are synthetic and seeded
(`likeness.evaluation.situations`): they are made to look like the real thing, but no real camera, scanner or image generator
was used. The original has the situation's own light and colour, as restoration by itself leaves both alone. The flags
against yellowing, scratches and fringes ([repair.md](repair.md)) are off here.

How to read the figures:

- PSNR in dB; identity: distance of dlib's face embedding to the original's, persons differ by 0.6; smaller is closer.
- skin, hair, eye: energy of the finest octave over the original's: 1 is as much texture. Noise counts as texture,
  so that a noisy input's figures are no praise.
- plastic: share of the skin with under half of the original's fine texture; smaller is better.
- eye mended, ear mended: share of the damage that is gone: 1 is the original back, 0 as it came, below 0 worse.
- change: mean absolute change on the face, in levels of 255: how much restoration did.
- A difference is called one where it is over twice its standard error over the portraits, else "as close".
"""

_COLUMNS = (
    ("PSNR", "psnr", 2), ("identity", "identity", 3), ("skin", "skin", 2), ("hair", "hair", 2), ("eye", "eye", 2),
    ("plastic", "plastic", 2), ("change", "change", 1), ("eye mended", "mended eye", 2), ("ear mended", "mended ear", 2),
)  # fmt: skip


def page_of(figures: Record) -> str:
    """The whole page from the figures of `main`."""
    parts = [_HEAD.format(**{name: figures[name] for name in ("model", "weights", "portraits")})]
    stories = {situation.name: situation for situation in SITUATIONS}
    for found in figures["situations"]:
        situation = stories[found["name"]]
        file = f"images/situations/{_slug(situation)}.jpg"
        parts.append(
            "\n".join(
                [
                    f"## {situation.name.capitalize()}",
                    "",
                    f"{situation.story[0].upper()}{situation.story[1:]}.",
                    "",
                    f"![{situation.name}: before, standard, preset, original]({file})",
                    "",
                    _table(found["rows"]),
                    "",
                    *(_wrapped(_verdict(name, found, figures["presets"])) for name in found["against standard"]),
                    *([_wrapped(_mending(found["rows"]))] if "mended eye" in found["rows"]["degraded"] else []),
                ]
            ).rstrip("\n")
            + "\n"
        )
    parts.append(_PICTURES)
    return "\n".join(parts)


_PICTURES = """## The pictures

NASA's portrait of Eileen Collins (public domain, `examples/original`), enlarged: its original is a little soft, too.
Left to right: before, `standard`, the preset, a preset offered beside it where there is one, and the original.
"""


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, 125, break_long_words=False, break_on_hyphens=False) + "\n"


def _table(rows: Mapping[str, Record]) -> str:
    columns = [column for column in _COLUMNS if column[1] in rows["degraded"]]
    lines = [f"| | {' | '.join(head for head, _, _ in columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for name, row in rows.items():
        label = "as it came" if name == "degraded" else f"`{name}`"
        cells = [
            "" if row[key] is None else f"{round(row[key], digits) + 0.0:.{digits}f}" for _, key, digits in columns
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _verdict(name: str, found: Record, presets: Mapping[str, Record]) -> str:
    """What the preset does against standard, and whether either helps against doing nothing; all of it from the figures."""
    differences, rows = found["against standard"][name], found["rows"]
    base, own, came = rows["standard"], rows[name], rows["degraded"]
    share = own["change"] / max(base["change"], 1e-9)
    said = [
        f"changes {abs(1 - share):.0%} {'less' if share < 1 else 'more'}",
        _compared(
            differences["identity"], "closer to the person", "further from the person", "as close to the person", 3
        ),
        _compared(
            differences["psnr"], "further from the original", "closer to the original", "as close to the original", 2
        ),
    ]
    if "plastic" in differences:
        said.append(_compared(differences["plastic"], "less plastic", "more plastic", "as plastic", 2))
    closest = min(("degraded", "standard", name), key=lambda row: rows[row]["identity"])
    nearest = {"degraded": "the input itself", "standard": "`standard`", name: f"`{name}`"}[closest]
    grain = presets[name]["keep_grain"]
    little = max(own["change"], base["change"]) < 1
    return (
        f"{'Both do next to nothing here: under one level of 255 on the face. ' if little else ''}"
        f"Against `standard`, `{name}` {said[0]} and is {', '.join(said[1:-1])} and {said[-1]}. On average {nearest} is "
        f"closest to the person (as it came {came['identity']:.3f}, `standard` {base['identity']:.3f}, "
        f"`{name}` {own['identity']:.3f})."
        f"{' It lays the grain back on purpose, which PSNR and identity count as error.' if grain else ''}"
    )


def _compared(difference: Sequence[float], lower: str, higher: str, equal: str, digits: int) -> str:
    mean, error = difference
    if abs(mean) <= 2 * error or mean == 0:
        return equal
    return f"{lower if mean < 0 else higher} (by {abs(mean):.{digits}f})"


def _mending(rows: Mapping[str, Record]) -> str:
    """Whether anything was really mended: a mended share of 1 is the original back, 0 the damage as it came."""
    said: list[str] = []
    for part in ("eye", "ear"):
        name = max((row for row in rows if row != "degraded"), key=lambda row: rows[row][f"mended {part}"])
        best = rows[name][f"mended {part}"]
        if best >= 0.5:
            judged = f"the {part} is largely mended by `{name}` ({best:.0%} of the damage gone)"
        elif best >= 0.15:
            judged = f"the {part} is mended in part at best (`{name}`: {best:.0%} of the damage gone)"
        else:
            judged = f"no preset mends the {part} (the best, `{name}`: {max(best, 0):.0%} of the damage gone)"
        said.append(judged)
    return f"With these weights {said[0]}, and {said[1]}."


# The pictures --------------------------------------------------------------------------------------------------------


def draw_pictures(restorer: Restorer) -> None:
    """One strip a situation of the sample portrait: before, standard, the preset (or presets), the original."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    detector = MediaPipeDetector()
    image = read_image(SAMPLE)
    face = max(detector.detect(image), key=lambda found: found.box.area)
    crop = warp(image.pixels, align(face.five_points, image.size, 512))
    for situation in SITUATIONS:
        case = make_case("sample", crop, situation, 4, detector=detector)
        tiles = {"before": case.degraded}
        tiles.update(
            {name: _restored(restorer, case.degraded, PRESETS[name]) for name in ("standard", *_presets(situation))}
        )
        write_image(_strip({**tiles, "original": case.original}), PICTURES / f"{_slug(situation)}.jpg", quality=85)


def _strip(tiles: Mapping[str, Pixels]) -> Image:
    """The face of each, 300 px wide at its own size, under its name."""
    width, height, caption, gap = 300, 330, 24, 4
    strip = PillowImage.new("RGB", (len(tiles) * (width + gap) - gap, height + caption), (38, 38, 38))
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(size=15)
    for place, (name, pixels) in enumerate(tiles.items()):
        left = place * (width + gap)
        draw.text((left + 4, caption / 2), name, fill=(230, 230, 230), font=font, anchor="lm")
        tile = Image(pixels=pixels[120 : 120 + height, 80 : 80 + width]).to_uint8()
        strip.paste(PillowImage.fromarray(tile), (left, caption))
    return Image.from_uint8(np.asarray(strip))


def _slug(situation: Situation) -> str:
    return situation.name.replace(" ", "-")


if __name__ == "__main__":
    main()
