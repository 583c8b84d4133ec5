"""Is `--preset auto` as near to the person as the best preset chosen by hand? `python benchmarks/automatic.py PORTRAITS`.

Writes automatic.md. Validation portraits are put into the situations of docs/situations.md, and the controls chosen for each
picture. Against them stands, in each situation, the preset with the smallest mean distance there (situations.json).
Where both set the same the results are the same, and no network runs. About two minutes on two quiet cores.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from likeness.core.files import write_bytes_atomically
from likeness.evaluation.situations import SITUATIONS, Case, make_case
from likeness.faces.detect import MediaPipeDetector
from likeness.imaging.image import Image, Pixels
from likeness.imaging.portraits import Portraits
from likeness.metrics import IdentityModel
from likeness.restore.automatic import Choice, choose
from likeness.restore.controls import PRESETS, Controls
from likeness.restore.pipeline import Restorer

__all__ = ["main"]

RESULTS = Path(__file__).with_name("automatic.md")
FIGURES = Path(__file__).with_name("situations.json")
PICTURES = 4


@dataclass(frozen=True, kw_only=True)
class Row:
    """One picture: what was chosen, and the distances to the person, of the choice and of the best fixed preset."""

    situation: str
    choice: Choice
    own: float
    best: float


def best_presets() -> dict[str, str]:
    """By situation the preset with the smallest mean identity distance."""
    found = json.loads(FIGURES.read_text(encoding="utf-8"))["situations"]
    return {
        one["name"]: min(
            (name for name in one["rows"] if name in PRESETS), key=lambda name: one["rows"][name]["identity"]
        )
        for one in found
    }


def measured(restorer: Restorer, identity: IdentityModel, case: Case, best: Controls) -> Row:
    image = Image(pixels=case.degraded)
    faces = restorer.find_faces(image)
    choice = choose(image, faces)
    own = hand = 0.0
    if choice.controls != best:
        place = identity.locate(case.original)
        person = identity.embed(case.original, place)

        def distance(controls: Controls) -> float:
            result: Pixels = restorer.restore(image, controls, aligned=True, verdicts=False).image.pixels
            return float(np.linalg.norm(identity.embed(result, place) - person))

        own, hand = distance(choice.controls), distance(best)
    return Row(situation=case.situation.name, choice=choice, own=own, best=hand)


def report(rows: list[Row], best: dict[str, str]) -> str:
    lines = [
        "| situation | best by hand | pictures | chosen | signs | at least as near | mean difference |",
        "| --- | --- | ---: | --- | --- | ---: | ---: |",
    ]
    for situation in SITUATIONS:
        own = [row for row in rows if row.situation == situation.name]
        chosen = Counter(row.choice.preset or "own" for row in own)
        signs = Counter(reason.code.removeprefix("auto.") for row in own for reason in row.choice.reasons)
        near = sum(row.own <= row.best for row in own)
        mean = float(np.mean([row.own - row.best for row in own]))
        cells = [
            situation.name, f"`{best[situation.name]}`", str(len(own)), _counted(chosen), _counted(signs),
            f"{near} of {len(own)}", f"{mean:+.4f}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    near = sum(row.own <= row.best for row in rows)
    return f"""# `--preset auto` against the best preset chosen by hand

Written by `python benchmarks/automatic.py PORTRAITS`, whose first lines say what is compared.

{chr(10).join(lines)}

At least as near to the person in {near} of {len(rows)} pictures ({near / len(rows):.0%}).
"""


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in found.most_common())


def main() -> None:
    restorer, identity, detector = Restorer(), IdentityModel(), MediaPipeDetector()
    portraits = Portraits.read(Path(sys.argv[1]), 512, split="val")
    chosen = np.linspace(0, len(portraits.names) - 1, PICTURES).round().astype(int).tolist()
    best = best_presets()
    rows: list[Row] = []
    for situation in SITUATIONS:
        for seed, place in enumerate(chosen):
            case = make_case(portraits.names[place], portraits.pixels(place), situation, seed, detector=detector)
            rows.append(measured(restorer, identity, case, PRESETS[best[situation.name]]))
        print(situation.name, flush=True)
    write_bytes_atomically(report(rows, best).encode(), RESULTS)
    print(RESULTS)


if __name__ == "__main__":
    main()
