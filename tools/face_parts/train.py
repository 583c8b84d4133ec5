"""Learn the network of parts that ships: `python tools/face_parts/train.py FOLDER --out src/likeness/faces/models`.

FOLDER holds FFHQ-aligned portraits (pictures, or shards train-*.tar) with the names that stand in ``labels.npz``: what is
where in 281 of them, 256 x 256 uint8 each (`likeness.faces.parts.PARTS`, 255 for what is not told). The labels were made by
colour models seeded by the mesh and the person mask (213), or by an earlier network (68), looked at, and corrected by hand.
Spectacles of real wearers are not told: frames are learnt from drawn ones (``synthesis.py``). Needs PyTorch.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parent))
from synthesis import UNTOLD, example

from likeness.compute.library import load_openvino
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.networks import face_network
from likeness.faces.parts import PARTS, PARTS_SIDE, PERSON_MAPS, evidence_of_place
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Pixels, Size
from likeness.imaging.portraits import Portraits

_BATCH, _KEPT, _FRESH = 8, 900, 1
"""Pictures of a step, pictures that are kept to be shown again, and how many of a step are new."""

_WEIGHTS = (1.0, 1.0, 1.1, 1.5, 2.5, 1.3, 1.0, 2.0)
"""What a place of each part counts."""

_MAPS = (160, 120, 88, 23)
_Example = tuple[list[NDArray[np.float16]], NDArray[np.uint8]]
_Labelled = tuple[Pixels, NDArray[np.uint8], NDArray[np.float64]]


class Parts(nn.Module):
    """From the person network's maps at 16, 32 and 64 px and the evidence of place to logits, N x 8 x 128 x 128."""

    def __init__(self) -> None:
        super().__init__()

        def normalised(channels: int) -> nn.Sequential:
            return nn.Sequential(nn.BatchNorm2d(channels, momentum=0.03), nn.ReLU())

        def convolution(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(outputs, momentum=0.03),
                nn.ReLU(),
            )

        self.a1, self.a2 = convolution(_MAPS[0], 64, 1), convolution(64, 64, 3)
        self.ab = nn.Conv2d(64, 48, 1, bias=False)
        self.b1, self.bn, self.b2 = nn.Conv2d(_MAPS[1] + 7, 48, 1, bias=False), normalised(48), convolution(48, 48, 3)
        self.bc = nn.Conv2d(48, 32, 1, bias=False)
        self.c1 = nn.Conv2d(_MAPS[2] + _MAPS[3], 32, 1, bias=False)
        self.cn, self.c2, self.out = normalised(32), convolution(32, 32, 3), nn.Conv2d(32, 4 * len(PARTS), 1)
        self.drop = nn.Dropout2d(0.08)

    def forward(
        self, coarse: torch.Tensor, middle: torch.Tensor, fine: torch.Tensor, place: torch.Tensor
    ) -> torch.Tensor:
        def doubled(x: torch.Tensor) -> torch.Tensor:
            return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

        x = self.a2(self.a1(self.drop(coarse)))
        where = functional.avg_pool2d(torch.cat([place[:, 12:16], place[:, 20:23]], 1), 2)
        x = self.b2(self.bn(doubled(self.ab(x)) + self.b1(torch.cat([self.drop(middle), where], 1))))
        x = self.c2(self.cn(doubled(self.bc(x)) + self.c1(torch.cat([self.drop(fine), place], 1))))
        return functional.pixel_shuffle(self.out(x), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", required=True, type=Path, help="the folder that gets parts.xml and parts.bin")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.manual_seed(asked.seed)
    network = learn(_labelled(asked.folder), asked.steps, np.random.RandomState(asked.seed))
    export(network, asked.out)


def learn(labelled: list[_Labelled], steps: int, random: np.random.RandomState) -> Parts:
    """A network after so many steps of AdamW, averaged over the last of them."""
    network = Parts()
    optimiser = torch.optim.AdamW(network.parameters(), 2.5e-3, weight_decay=1e-3, betas=(0.9, 0.98))
    weights = torch.tensor(_WEIGHTS)
    kept: list[_Example] = []
    average: dict[str, torch.Tensor] = {}
    began, loss = time.monotonic(), torch.zeros(())
    for step in range(steps):
        progress = step / steps
        fall = 1.0 if progress < 0.35 else 0.5 * (1 + np.cos(np.pi * (progress - 0.35) / 0.65)) + 1e-3
        for group in optimiser.param_groups:
            group["lr"] = 2.5e-3 * min(1.0, (step + 1) / 60) * fall
        batch = [_seen(labelled, random) for _ in range(_FRESH if len(kept) > 60 else _BATCH)]
        for one in batch:
            if len(kept) < _KEPT:
                kept.append(one)
            else:
                kept[random.randint(_KEPT)] = one
        batch += [kept[random.randint(len(kept))] for _ in range(_BATCH - len(batch))]
        inputs = [torch.from_numpy(np.stack([maps[k] for maps, _ in batch])).float() for k in range(len(_MAPS))]
        wanted = torch.from_numpy(np.stack([label for _, label in batch])).long()
        loss = functional.cross_entropy(network(*inputs), wanted, weights, ignore_index=UNTOLD)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        share = min(0.995, step / (step + 20.0))
        for name, value in network.state_dict().items():
            if name in average and value.dtype.is_floating_point:
                average[name].mul_(share).add_(value, alpha=1 - share)
            else:
                average[name] = value.clone()
        if step % 100 == 0:
            print(f"{step} of {steps} steps, {time.monotonic() - began:.0f} s, loss {loss.item():.3f}", flush=True)
    network.load_state_dict(average)
    return network.eval()


def export(network: Parts, folder: Path) -> None:
    """Write the network as an OpenVINO graph, float16, that ends in shares."""
    openvino = load_openvino()

    class Shares(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            # A child, or tracing takes its parameters for constants and refuses those that have gradients.
            self.network = network

        def forward(self, coarse: Any, middle: Any, fine: Any, place: Any) -> torch.Tensor:
            return torch.softmax(self.network(coarse, middle, fine, place), 1)

    names, sides = (*PERSON_MAPS, "place"), (16, 32, 64, 64)
    shapes = [[1, channels, side, side] for channels, side in zip(_MAPS, sides, strict=True)]
    graph = openvino.convert_model(
        Shares().eval(),
        example_input=tuple(torch.zeros(shape) for shape in shapes),
        input=list(zip(names, shapes, strict=True)),
    )
    for port, name in zip(graph.inputs, names, strict=True):
        port.get_tensor().set_names({name})
    graph.outputs[0].get_tensor().set_names({"shares"})
    openvino.save_model(graph, folder / "parts.xml", compress_to_fp16=True)


def _labelled(folder: Path) -> list[_Labelled]:
    """Pictures, labels and meshes at 256 px."""
    data = np.load(Path(__file__).with_name("labels.npz"))
    labels = dict(zip((str(name) for name in data["names"]), data["labels"], strict=True))
    portraits, detector = Portraits.read(folder, 512), MediaPipeDetector()
    found: list[_Labelled] = []
    for number, name in enumerate(portraits.names):
        if name not in labels:
            continue
        pixels = portraits.pixels(number)
        faces = [face for face in detector.detect(Image(pixels=pixels)) if face.landmarks.source == "mesh"]
        points = max(faces, key=lambda face: face.box.area).landmarks.points
        small = resize(pixels, Size(PARTS_SIDE, PARTS_SIDE), "area")
        found.append((small, labels[name], (points.astype(np.float64) + 0.5) / 2 - 0.5))
    print(f"{len(found)} of {len(labels)} labelled portraits", flush=True)
    return found


def _seen(labelled: list[_Labelled], random: np.random.RandomState) -> _Example:
    """A new example: what the network is given, and the label at 128 px."""
    picture, label, points = labelled[random.randint(len(labelled))]
    other = labelled[random.randint(len(labelled))][0]
    picture, label, points = example(picture, label, points, other, random)
    person = face_network("person").run({"samples": picture.transpose(2, 0, 1)[None]}, ["mask", *PERSON_MAPS])
    maps = [one[0] for one in person[1:]] + [evidence_of_place(picture, points, person[0][0, 0])]
    wanted = cv2.resize(label, (PARTS_SIDE // 2, PARTS_SIDE // 2), interpolation=cv2.INTER_NEAREST)
    return [one.astype(np.float16) for one in maps], np.asarray(wanted, np.uint8)


if __name__ == "__main__":
    main()
