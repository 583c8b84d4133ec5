"""Learn the networks that ship and draw faces anew: `python tools/train_features.py FOLDER... --keep WORK --out FILE`.

Each FOLDER holds FFHQ-aligned portraits (pictures, or shards train-*.tar). Examples are made first, with likeness-512, and
kept in the folder WORK, where learning is kept, too: a run that was stopped goes on. Examples that lie there are taken as
they are, so another set of portraits or another seed needs another folder. Runs with --part, one for each network, may
share WORK, and two of them the making of examples; one more without --part then writes FILE. Needs the extra train.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.core.files import make_folder, write_bytes_atomically
from likeness.imaging.portraits import Portraits
from likeness.models.features.architecture import WINDOWS
from likeness.models.features.weights import read_weights, write_weights
from likeness.models.store import Store
from likeness.runtimes.load import load_runtime
from likeness.training.features import FeaturesLesson, learn_features, weights_of
from likeness.training.features_examples import FeaturesMaker
from likeness.training.sampling import read_left_out

NATIVE_SIDE = 256
"""Least side of a portrait in its photograph's own pixels: the networks draw at half of 512."""
PIECE = 250
"""Examples of a file."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--keep", required=True, type=Path, help="the folder of examples and of where learning stands")
    parser.add_argument("--out", type=Path, help="the weights of all networks; needed without --part")
    parser.add_argument("--part", choices=tuple(WINDOWS), help="learn and keep this one only (default: learn all)")
    parser.add_argument("--without", type=Path, help="a table, with a column file, of portraits that are not used")
    parser.add_argument("--start", type=Path, help="weights to begin with; without any, learning begins from nothing")
    parser.add_argument("--examples", type=int, default=12_000)
    parser.add_argument("--windows", type=int, default=160_000)
    parser.add_argument("--mixed", action="store_true", help="multiply in bfloat16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if asked.part is None and asked.out is None:
        parser.error("--out is needed where --part is not given")
    torch.set_num_threads(asked.threads)
    make_folder(asked.keep)
    make(asked)

    def report(part: str, lesson: FeaturesLesson) -> None:
        print(f"{part}: {lesson.seen} of {lesson.of}, {lesson.rate:.1f} a second, loss {lesson.loss:.4f}", flush=True)

    examples = kept(asked.keep, asked.examples)
    networks = {
        part: learn_features(
            examples,
            part,
            windows=asked.windows,
            start=read_weights(asked.start) if asked.start else None,
            mixed=asked.mixed,
            seed=asked.seed,
            state=asked.keep / f"{part}.pt",
            report=partial(report, part),
        )
        for part in WINDOWS
        if asked.part in (None, part)
    }
    if asked.part is None:
        write_weights(
            asked.out, weights_of(networks, f"{asked.examples} examples, {asked.windows} windows of each part")
        )


def make(asked: argparse.Namespace) -> None:
    """Make the examples that are not there yet; of two runs that share them one begins at the end."""
    pieces = [range(first, min(first + PIECE, asked.examples)) for first in range(0, asked.examples, PIECE)]
    if asked.part == tuple(WINDOWS)[-1]:
        pieces.reverse()
    maker: FeaturesMaker | None = None
    for piece in pieces:
        file = file_of(asked.keep, piece)
        if file.is_file():
            continue
        if maker is None:
            maker = make_maker(asked)
        content = io.BytesIO()
        np.save(content, np.stack([maker.example(number) for number in piece]))
        write_bytes_atomically(content.getvalue(), file)
        print(f"examples {piece.start} to {piece.stop} of {asked.examples}", flush=True)


def make_maker(asked: argparse.Namespace) -> FeaturesMaker:
    """What makes them, from all folders."""
    left_out = read_left_out(asked.without) if asked.without else ()
    read = [Portraits.read(folder, 512, min_native_side=NATIVE_SIDE, without=left_out) for folder in asked.folders]
    portraits = Portraits(
        samples=np.concatenate([one.samples for one in read]), names=tuple(name for one in read for name in one.names)
    )
    runtime = load_runtime(Store(), "likeness-512", device="cpu", threads=asked.threads)
    return FeaturesMaker(portraits=portraits, runtime=runtime, seed=asked.seed)


def kept(folder: Path, count: int) -> list[NDArray[np.uint8]]:
    """The examples, where they lie."""

    def each() -> Iterator[NDArray[np.uint8]]:
        for first in range(0, count, PIECE):
            yield from np.load(file_of(folder, range(first, min(first + PIECE, count))), mmap_mode="r")

    return list(each())


def file_of(folder: Path, piece: range) -> Path:
    return folder / f"{piece.start:06}-{piece.stop:06}.npy"


if __name__ == "__main__":
    main()
