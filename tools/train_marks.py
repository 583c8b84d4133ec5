"""Learn the finder of marks that ships: `python tools/train_marks.py FOLDER... --out likeness-marks.safetensors`.

Each FOLDER holds sharp, undamaged photographs (pictures, or shards train-*.tar or general-0*.tar). Needs the extra train.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.imaging.shards import picture_files
from likeness.models.marks.weights import write_weights
from likeness.training.marks import MarksLesson, learn_marks, weights_of

LEAST = 300
"""Shortest side of a photograph that is learnt from, px."""
OFTEN = {"train-*.tar": 1, "general-0*.tar": 4}
"""How often photographs of these shards are drawn: there are many portraits, and few of rooms, streets and trees."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--examples", type=int, default=40_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--state", type=Path, help="a file to go on from when it was stopped (default: none is kept)")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    photographs: list[NDArray[np.uint8]] = []
    for folder in asked.folders:
        for shards, often in OFTEN.items():
            for _, data in picture_files(folder, shards):
                picture = PillowImage.open(io.BytesIO(data)).convert("RGB")
                if min(picture.size) >= LEAST:
                    photographs += [np.asarray(picture)] * often
    print(f"{len(photographs)} photographs", flush=True)

    def report(lesson: MarksLesson) -> None:
        print(f"{lesson.seen} of {lesson.of}, {lesson.rate:.1f} a second, loss {lesson.loss:.4f}", flush=True)

    network = learn_marks(photographs, examples=asked.examples, seed=asked.seed, state=asked.state, report=report)
    write_weights(asked.out, weights_of(network, f"{len(photographs)} photographs, {asked.examples} examples"))


if __name__ == "__main__":
    main()
