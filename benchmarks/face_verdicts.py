"""Do the verdicts on faces find the bad ones? `python benchmarks/face_verdicts.py` writes face_verdicts.md.

face_verdicts.csv holds restored faces that were looked at as they came out, without the picture before, 240 px wide on
sheets of twenty, and labelled good, doubtful or bad, with the worst fault; and what was measured of each. They were labelled
once, by one observer, before any verdict was known; 148 more later, by another, 288 px wide on sheets of 25: spectacles, and
faces half way between moderate and severe, where the first ones hardly have any. The pictures are validation portraits
degraded by recipes, and old photographs; they are not part of the project. Half of the persons ("set") gave the weights and
limits of `likeness.evidence.face_verdict`, the other half ("check") is only counted.

Only counted, too, are faces near the limits, severely degraded and half way there, 300 px wide on sheets of sixteen.
"near" were delivered by the verdict of before "mirrored" was among its figures, or called bad by a little (a risk of
0.1 at most), and who labelled them saw that verdict; one of them gave the cause to look. "mirrored" was chosen of some
40 figures by what it did within the half "set" and on these. "blind" (a risk of -3 to 0.3 then) were drawn and labelled
after that, by the same observer, who did not see their verdicts.

`python benchmarks/face_verdicts.py --measure PORTRAITS OLD_PHOTOS` restores the pictures again and measures them anew. Rows
of earlier weights keep their figures.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likeness import Controls, Image, NoFaceError, Restorer, read_image
from likeness.degradations import RECIPES, TRAINING, Recipe
from likeness.evidence.face_verdict import LIMITS, WEIGHTS, FaceVerdict, figures, judge
from likeness.evidence.scene import make_scene
from likeness.evidence.structure import Structure, measure_structure
from likeness.faces.effective_resolution import EffectiveResolution
from likeness.imaging.portraits import Portraits

__all__ = ["Row", "main", "read_rows"]

ROWS = Path(__file__).with_name("face_verdicts.csv")
TABLE = Path(__file__).with_name("face_verdicts.md")

SEVERAL = {
    **RECIPES,
    "heavy": Recipe(
        name="heavy", blur=(6.0, 14.0), anisotropic_p=0.4, down=(5.0, 10.0), noise=(3.0, 14.0), jpeg=(30, 70)
    ),
    "halfway": Recipe(
        name="halfway",
        blur=(2.5, 6.0),
        anisotropic_p=0.3,
        motion=(4.0, 14.0),
        motion_p=0.3,
        down=(2.5, 5.0),
        noise=(3.0, 12.0),
        jpeg=(40, 75),
    ),
    "motion": Recipe(
        name="motion",
        blur=(0.5, 3.0),
        motion=(16.0, 40.0),
        motion_p=1.0,
        down=(1.0, 3.0),
        noise=(2.0, 8.0),
        jpeg=(50, 90),
    ),
    "print": next(recipe for _, recipe in TRAINING if recipe.name == "train-print"),
}

SETTINGS = {
    "standard": Controls(),
    "natural": Controls.natural(),
    "ai-portrait": Controls.ai_portrait(),
    "film-scan": Controls.film_scan(),
    "low-light": Controls.low_light(),
    "early-digital": Controls.early_digital(),
    "strong": Controls(degradation_scale=1.2),
    "light": Controls(degradation_scale=0.3),
    "refine3": Controls(refine=3),
}

CALLS = ("good", "doubtful", "bad")
LEVELS = ("good", "look", "bad")
RIDGE = 3.0
"""Weight of the squared coefficients, as the labelled faces are few; chosen by cross-validation within the half "set"."""

_MEASURED = (
    "native", "pixels", "narrowest", "noise", "found", "iris", "round", "uneven", "moved", "teeth", "sand", "lips",
    "blotches", "changed", "mirrored",
)  # fmt: skip
# "changed" and "mirrored" came later: of the same faces, restored anew on 2026-11-30; the other figures are of those that
# were labelled.
_Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One labelled face.

    Attributes:
        given: where it came from: picture, recipe, seed, setting, size, weights, index of the face.
        half: "set", "check", "near" or "blind".
        call: the label, one of `CALLS`.
        fault: the worst that was seen, "" for a good face.
        found: what was measured.
    """

    given: dict[str, str]
    half: str
    call: str
    fault: str
    found: Structure

    @property
    def verdict(self) -> FaceVerdict:
        return judge(self.found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", nargs=2, type=Path, metavar=("PORTRAITS", "OLD_PHOTOS"))
    flags = parser.parse_args()
    rows = read_rows()
    if flags.measure:
        rows = measured_again(rows, *flags.measure)
        write_rows(rows)
    TABLE.write_text(report(rows), encoding="utf-8")


def read_rows() -> list[Row]:
    """The labelled faces."""
    with ROWS.open(encoding="utf-8", newline="") as lines:
        return [_row(record) for record in csv.DictReader(lines)]


def _row(record: dict[str, str]) -> Row:
    value = {name: float(record.pop(name) or "nan") for name in _MEASURED}
    held = EffectiveResolution(
        pixels=value["pixels"], narrowest=value["narrowest"], noise=value["noise"], native_side=value["native"]
    )
    rest = {
        name: value[name]
        for name in _MEASURED
        if name not in ("native", "pixels", "narrowest", "noise", "found", "teeth")
    }
    teeth = None if math.isnan(value["teeth"]) else value["teeth"]
    # All of these faces have a mesh, before or after: without one they would have moved by exactly nothing. Dark lenses were
    # weighed as eyes when these limits were set.
    found = Structure(held=held, found=value["found"] == 1, known=True, eyes_seen=True, teeth=teeth, **rest)
    half, call, fault = (record.pop(name) for name in ("half", "call", "fault"))
    return Row(given=record, half=half, call=call, fault=fault, found=found)


def write_rows(rows: Iterable[Row]) -> None:
    """The table, anew."""
    with ROWS.open("w", encoding="utf-8", newline="") as lines:
        writer: csv.DictWriter[str] | None = None
        for row in rows:
            own, held = row.found, row.found.held
            named = {
                "native": held.native_side,
                "pixels": held.pixels,
                "narrowest": held.narrowest,
                "noise": held.noise,
            }
            values = {name: named[name] if name in named else getattr(own, name) for name in _MEASURED}
            texts = {name: "" if value is None else f"{float(value):.4g}" for name, value in values.items()}
            record = {**row.given, "half": row.half, "call": row.call, "fault": row.fault, **texts}
            if writer is None:
                writer = csv.DictWriter(lines, list(record), lineterminator="\n")
                writer.writeheader()
            writer.writerow(record)


def measured_again(rows: list[Row], folder: Path, old: Path) -> list[Row]:
    """The rows with their figures measured anew, with the weights as they are."""
    portraits, restorer = Portraits.read(folder, 512, split="val"), Restorer()
    done: dict[tuple[str, ...], dict[int, Structure]] = {}
    result: list[Row] = []
    for row in rows:
        given = row.given
        source = tuple(given[name] for name in ("picture", "recipe", "seed", "setting", "small"))
        if given["weights"] == "now" and source not in done:
            done[source] = {}
            if given["recipe"]:
                pixels = SEVERAL[given["recipe"]].degrade(
                    portraits.pixels(portraits.names.index(given["picture"])),
                    int(given["seed"]),
                    keep_small=given["small"] == "1",
                )
                image = Image(pixels=pixels)
            else:
                image = read_image(old / given["picture"])
            try:
                restored = restorer.restore(image, SETTINGS[given["setting"]])
            except NoFaceError:
                print(f"{given['picture']}: the face is no longer found, and its figures are kept")
            else:
                for outcome in restored.restored:
                    scene = make_scene(image, restored.image, outcome.face)
                    done[source][outcome.index] = measure_structure(scene)
        found = done.get(source, {}).get(int(given["face"]), row.found)
        result.append(Row(given=given, half=row.half, call=row.call, fault=row.fault, found=found))
    return result


def fitted(rows: list[Row]) -> tuple[dict[str, tuple[float, float]], tuple[float, float]]:
    """Weights and limits from the half that sets them: ridge logistic regression of bad against good, by Newton's method;
    bad from half way between the good's 98th and the bad's 5th percentile on, to be looked at from the good's 90th."""
    told = [row for row in rows if row.half == "set" and row.call != "doubtful"]
    names = [name for name in WEIGHTS if name]
    x = np.array([[figures(row.found)[name] for name in names] for row in told])
    bad = np.array([row.call == "bad" for row in told], dtype=np.float64)
    middle, spread = x.mean(axis=0), x.std(axis=0)
    z = np.hstack([(x - middle) / spread, np.ones((len(x), 1))])
    penalty = np.array([*(RIDGE for _ in names), 1e-6])
    w: _Values = np.zeros(len(names) + 1)
    for _ in range(40):
        p = 1 / (1 + np.exp(-z @ w))
        slope = z.T @ (p - bad) + penalty * w
        w -= np.linalg.solve((z * (p * (1 - p))[:, None]).T @ z + np.diag(penalty), slope)
    odds = z @ w
    limit = (np.quantile(odds[bad == 0], 0.98) + np.quantile(odds[bad == 1], 0.05)) / 2
    weights = {name: (float(middle[i]), float(w[i] / spread[i])) for i, name in enumerate(names)}
    return {**weights, "": (0.0, float(w[-1]))}, (float(np.quantile(odds[bad == 0], 0.9)), float(limit))


def report(rows: list[Row]) -> str:
    """The page."""
    weights, limits = fitted(rows)
    lines = [
        "# Verdicts on faces, against labels given by eye",
        "",
        "Written by `python benchmarks/face_verdicts.py`, whose first lines say how the faces were made and labelled.",
        "",
        f"{len(rows)} faces of {len({row.given['person'] for row in rows})} persons; labelled by eye.",
        "",
    ]
    for half, title in (
        ("check", "The half that is only counted"),
        ("near", "Faces near the limits by which a figure was chosen"),
        ("blind", "Faces near the limits, labelled after that, only counted"),
        ("set", "The half that weights and limits are of"),
    ):
        lines += [f"## {title}", "", *_confusion([row for row in rows if row.half == half]), ""]
    lines += [
        "## By degradation, all",
        "",
        "| | faces | labelled bad | verdict bad | look |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for recipe in dict.fromkeys(row.given["recipe"] for row in sorted(rows, key=lambda row: row.given["recipe"])):
        own = [row for row in rows if row.given["recipe"] == recipe]
        level = Counter(row.verdict.level for row in own)
        called = sum(row.call == "bad" for row in own)
        lines.append(f"| {recipe or 'old photograph'} | {len(own)} | {called} | {level['bad']} | {level['look']} |")
    lines += [
        "",
        "## Reasons given for the bad, by the fault that was seen, all",
        "",
        "| fault | reasons |",
        "| --- | --- |",
    ]
    bad = [row for row in rows if row.call == "bad"]
    for fault in sorted({row.fault for row in bad}):
        count = Counter(row.verdict.reason or "none: called good" for row in bad if row.fault == fault)
        lines.append(f"| {fault} | {', '.join(f'{reason} {n}' for reason, n in count.most_common())} |")
    lines += ["", "## Bad faces that are not found", ""]
    lines += [
        f"- {row.given['picture']}, {row.given['recipe'] or 'old photograph'}, `{row.given['setting']}`: {row.fault}; "
        f'verdict {row.verdict.level} (half "{row.half}")'
        for row in bad
        if row.verdict.level != "bad"
    ]
    lines += ["", "## Weights and limits", "", "| figure | centre | weight | shipped |", "| --- | ---: | ---: | ---: |"]
    lines += [
        f"| {name or 'constant'} | {centre:.3f} | {weight:.3f} | {WEIGHTS[name][1]:.3f} |"
        for name, (centre, weight) in weights.items()
    ]
    lines += [
        "",
        f"Limits: look {limits[0]:.2f} (shipped {LIMITS[0]:.2f}), bad {limits[1]:.2f} (shipped {LIMITS[1]:.2f}).",
    ]
    return "\n".join(lines) + "\n"


def _confusion(rows: list[Row]) -> list[str]:
    lines = ["| labelled | faces | good | look | bad |", "| --- | ---: | ---: | ---: | ---: |"]
    share: dict[str, float] = {}
    for call in CALLS:
        level = Counter(row.verdict.level for row in rows if row.call == call)
        total = sum(level.values())
        share[call] = level["bad"] / max(total, 1)
        lines.append(f"| {call} | {total} | {' | '.join(str(level[name]) for name in LEVELS)} |")
    return [*lines, "", f"Bad found: {share['bad']:.0%}. Good called bad: {share['good']:.1%}."]


if __name__ == "__main__":
    main()
