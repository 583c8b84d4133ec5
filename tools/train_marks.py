"""Learn the finder of marks that ships: `python tools/train_marks.py FOLDER... --out likeness-marks.safetensors`.

Each FOLDER holds sharp, undamaged photographs (pictures, or shards train-*.tar or general-0*.tar); --old names one of old
photographs, of which marks_labels.csv says which are learnt from, and where they are damaged. Needs the extra train.
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
from likeness.models.marks.weights import read_weights, write_weights
from likeness.training.marks import MarksLesson, learn_marks, weights_of
from likeness.training.old_photographs import read_old_photographs

LEAST = 300
"""Shortest side of a photograph that is learnt from, px."""
OFTEN = {"train-*.tar": 1, "general-0*.tar": 4}
"""How often photographs of these shards are drawn: there are many portraits, and few of rooms, streets and trees."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--examples", type=int, default=40_000)
    parser.add_argument("--old", type=Path, help="a folder of old photographs (default: none are learnt from)")
    parser.add_argument("--labels", type=Path, default=Path(__file__).parent / "marks_labels.csv")
    parser.add_argument("--start", type=Path, help="weights to begin with (default: random ones)")
    parser.add_argument("--rate", type=float, default=3e-3, help="the highest learning rate")
    parser.add_argument("--widths", default="16,24,40,64", help="channels at each level")
    parser.add_argument("--mixed", action="store_true", help="multiply in bfloat16")
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

    old = [] if asked.old is None else read_old_photographs(asked.old, asked.labels)
    network = learn_marks(
        photographs,
        examples=asked.examples,
        old=old,
        start=None if asked.start is None else read_weights(asked.start),
        rate=asked.rate,
        widths=tuple(int(width) for width in asked.widths.split(",")),
        mixed=asked.mixed,
        seed=asked.seed,
        state=asked.state,
        report=report,
    )
    source = f"{len(photographs)} photographs and {len(old)} old ones, {asked.examples} examples"
    write_weights(asked.out, weights_of(network, source))


if __name__ == "__main__":
    main()
