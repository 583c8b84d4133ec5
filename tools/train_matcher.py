"""Learn the embedding that ships: `python tools/train_matcher.py FOLDER... --out likeness-embed.safetensors`.

Each FOLDER holds FFHQ-aligned portraits (pictures, or shards train-*.tar). Needs the extras train and evaluate: dlib says
which portraits show one person, and has no other part in it (docs/reference.md).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from likeness.faces.detect import MediaPipeDetector
from likeness.imaging.image import Image
from likeness.imaging.portraits import Portraits
from likeness.models.embedding.weights import write_weights
from likeness.training.identity import Lesson, person_labels
from likeness.training.matcher import folded, learn_matcher


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--views", type=int, default=76_800)
    parser.add_argument("--state", type=Path, help="a file to go on from when it was stopped (default: none is kept)")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    read = [Portraits.read(folder, 512) for folder in asked.folders]
    portraits = Portraits(
        samples=np.concatenate([one.samples for one in read]), names=tuple(name for one in read for name in one.names)
    )
    detector = MediaPipeDetector()
    meshes, kept = [], []
    for number in range(len(portraits.names)):
        found = [f for f in detector.detect(Image(pixels=portraits.pixels(number))) if f.landmarks.source == "mesh"]
        if found:
            meshes.append(max(found, key=lambda face: face.box.area).landmarks.points)
            kept.append(number)
    portraits = Portraits(samples=portraits.samples[kept], names=tuple(portraits.names[number] for number in kept))
    labels = person_labels(portraits)
    print(f"{len(kept)} portraits of {labels.max() + 1} persons", flush=True)

    def report(lesson: Lesson) -> None:
        print(f"{lesson.views} of {lesson.of} views, {lesson.rate:.0f} a second, {lesson.right:.1%} found", flush=True)

    network = learn_matcher(
        portraits, labels, np.stack(meshes), views=asked.views, seed=asked.seed, state=asked.state, report=report
    )
    source = f"learnt from {len(kept)} portraits of {labels.max() + 1} persons, {asked.views} views"
    write_weights(asked.out, folded(network, source))


if __name__ == "__main__":
    main()
