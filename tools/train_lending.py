"""Learn the judge of lent detail that ships: `python tools/train_lending.py FOLDER... --out likeness-lend.safetensors`.

Each FOLDER holds FFHQ-aligned portraits (pictures, or shards train-*.tar). Needs the extras train and evaluate: dlib says
who is in two portraits, and has no other part in it (docs/reference.md).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from likeness.imaging.portraits import Portraits
from likeness.models.lending.weights import write_weights
from likeness.training.lending import LendingExamples, LendingLesson, learn_lending, weights_of
from likeness.training.lending_examples import LendingMaker
from likeness.training.sampling import read_left_out

NATIVE_SIDE = 450
"""Least side of a portrait in its photograph's own pixels that is degraded and restored; the others only lend."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--without", type=Path, help="a table, with a column file, of portraits that are not used")
    parser.add_argument("--examples", type=int, default=3_000)
    parser.add_argument("--views", type=int, default=21_000)
    parser.add_argument("--keep", type=Path, help="a .npz of the examples: read if it is there, else written")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.keep is not None and asked.keep.is_file():
        with np.load(asked.keep) as kept:
            examples = LendingExamples(pictures=kept["pictures"], sigmas=kept["sigmas"], gains=kept["gains"])
    else:
        examples = made(asked.folders, asked.without, asked.examples, asked.seed)
        if asked.keep is not None:
            np.savez(asked.keep, pictures=examples.pictures, sigmas=examples.sigmas, gains=examples.gains)

    def report(lesson: LendingLesson) -> None:
        gained = ", ".join(f"{share:.3f}" for share in lesson.gained)
        print(f"{lesson.seen} of {lesson.of}, {lesson.rate:.0f} a second, gained {gained}", flush=True)

    network = learn_lending(examples, views=asked.views, seed=asked.seed, report=report)
    write_weights(asked.out, weights_of(network, f"{len(examples.sigmas)} examples, {asked.views} views"))


def made(folders: list[Path], without: Path | None, count: int, seed: int) -> LendingExamples:
    left_out = read_left_out(without) if without else ()
    read = [Portraits.read(folder, 512, without=left_out) for folder in folders]
    names = tuple(name for one in read for name in one.names)
    portraits = Portraits(samples=np.concatenate([one.samples for one in read]), names=names)
    sharp = [Portraits.read(folder, 16, min_native_side=NATIVE_SIDE, without=left_out) for folder in folders]
    maker = LendingMaker(portraits, {name for one in sharp for name in one.names}, seed)

    def report(done: int) -> None:
        if done % 100 < 3:
            print(f"{done} of {count} examples", flush=True)

    return maker.make(count, report)


if __name__ == "__main__":
    main()
