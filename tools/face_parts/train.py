"""Learn the networks of parts that ship: `python tools/face_parts/train.py FOLDER ... --out src/likeness/faces/models`.

Each FOLDER holds FFHQ-aligned portraits (pictures, or shards train-*.tar) with names that stand in ``labels.npz``: what is
where in 415 of them, 256 x 256 uint8 each (`likeness.faces.parts.PARTS`, 255 for what is not told). The labels were made by
colour models seeded by the mesh and the person mask (213), or by an earlier network (the others), looked at, and corrected
by hand. On 171 wearers of spectacles the rims were laid by curves fitted to the lines about their eyes, and looked at; on
the others they are not told. More frames are drawn (``synthesis.py``). Needs PyTorch.

With --from FILE learning goes on from that network. With --state FILE a run that --minutes ends goes on when it is
called again.
"""

from __future__ import annotations

import argparse
import math
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

_WEIGHTS = (1.0, 1.0, 1.1, 1.5, 2.5, 1.0, 1.0, 1.6)
"""What a place of each part counts."""

_RATE, _RATE_ON = 2.5e-3, 1.2e-3
"""Learning rates of a new network and of one that learns on."""

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
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", required=True, type=Path, help="the folder that gets the .xml and .bin")
    parser.add_argument("--from", dest="begin", type=Path, help="the .xml to learn on from")
    parser.add_argument("--name", choices=("parts", "spectacles"), default="parts", help="what the network is for")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--state", type=Path, help="the file from which a stopped run goes on")
    asked = parser.parse_args()
    torch.manual_seed(asked.seed)
    run = Run(asked.begin)
    if asked.state is not None and asked.state.is_file():
        run.restore(torch.load(asked.state))
    until = time.monotonic() + 60 * asked.minutes
    learn(run, _labelled(asked.folders), asked.steps, np.random.RandomState(asked.seed + run.step), until)
    if asked.state is not None:
        torch.save(run.state(), asked.state)
    export(run.averaged(), asked.out / f"{asked.name}.xml")


class Run:
    """A network on its way: its weights, their running mean, and what the optimiser knows."""

    def __init__(self, begin: Path | None) -> None:
        self.network, self.rate, self.step = Parts(), _RATE, 0
        if begin is not None:
            take(self.network, begin)
            self.rate = _RATE_ON
        self.optimiser = torch.optim.AdamW(self.network.parameters(), self.rate, weight_decay=1e-3, betas=(0.9, 0.98))
        self.frozen = begin is not None
        self.average = {name: value.clone() for name, value in self.network.state_dict().items()}

    def state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average,
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average, self.step = state["average"], state["step"]

    def averaged(self) -> Parts:
        network = Parts()
        network.load_state_dict(self.average)
        return network.eval()


def take(network: Parts, path: Path) -> None:
    """Take the weights of an exported graph. Its normalisation was folded into scales and biases: as such it stays."""
    graph = load_openvino().Core().read_model(path)
    kernels: list[torch.Tensor] = []
    shifts: list[torch.Tensor] = []
    scales: list[torch.Tensor] = []
    for operation in graph.get_ordered_ops():
        into = {"Convolution": kernels, "Add": shifts, "Multiply": scales}.get(operation.get_type_name())
        for port in operation.inputs() if into is not None else ():
            source = port.get_source_output().get_node()
            if source.get_type_name() == "Convert":
                constant = source.inputs()[0].get_source_output().get_node()
                into.append(torch.from_numpy(np.array(constant.data, np.float32)))
    n = network
    convolutions = (n.a1[0], n.a2[0], n.ab, n.b1, n.b2[0], n.bc, n.c1, n.c2[0], n.out)
    norms = (n.a1[1], n.a2[1], n.bn[0], n.b2[1], n.cn[0], n.c2[1])
    # Graphs do not say which branch they tell first: a kernel's place is known by its shape, and shapes differ.
    for convolution in convolutions:
        (kernel,) = (one for one in kernels if one.shape == convolution.weight.shape)
        convolution.weight.data.copy_(kernel)
    for number, norm in enumerate(norms):
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
        norm.bias.data.copy_(shifts[number].flatten())
    for norm, scale in zip((n.bn[0], n.cn[0]), scales, strict=True):
        norm.weight.data.copy_(scale.flatten())
    n.out.bias.data.copy_(shifts[-1].flatten())


def learn(run: Run, labelled: list[_Labelled], steps: int, random: np.random.RandomState, until: float) -> None:
    """So many steps of AdamW in all, or as many of them as there is time for."""
    network, optimiser = run.network, run.optimiser
    weights = torch.tensor(_WEIGHTS)
    kept: list[_Example] = []
    began, loss = time.monotonic(), torch.zeros(())
    for step in range(run.step, steps):
        if time.monotonic() > until:
            break
        network.train()
        if run.frozen:
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        progress = step / steps
        fall = 1.0 if progress < 0.35 else 0.5 * (1 + math.cos(math.pi * (progress - 0.35) / 0.65)) + 1e-3
        for group in optimiser.param_groups:
            group["lr"] = run.rate * min(1.0, (step + 1) / 60) * fall
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
            if value.dtype.is_floating_point:
                run.average[name].mul_(share).add_(value, alpha=1 - share)
            else:
                run.average[name] = value.clone()
        run.step = step + 1
        if step % 100 == 0:
            print(f"{step} of {steps} steps, {time.monotonic() - began:.0f} s, loss {loss.item():.3f}", flush=True)


def export(network: Parts, path: Path) -> None:
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
    openvino.save_model(graph, path, compress_to_fp16=True)


def _labelled(folders: list[Path]) -> list[_Labelled]:
    """Pictures, labels and meshes at 256 px."""
    data = np.load(Path(__file__).with_name("labels.npz"))
    labels = dict(zip((str(name) for name in data["names"]), data["labels"], strict=True))
    detector = MediaPipeDetector()
    sets = [Portraits.read(folder, 512) for folder in folders]
    found: list[_Labelled] = []
    for portraits, number, name in ((one, number, name) for one in sets for number, name in enumerate(one.names)):
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
    person = face_network("person").run({"samples": picture[None]}, ["mask", *PERSON_MAPS])
    maps = [one[0] for one in person[1:]] + [evidence_of_place(picture, points, person[0][0, 0])]
    wanted = cv2.resize(label, (PARTS_SIDE // 2, PARTS_SIDE // 2), interpolation=cv2.INTER_NEAREST)
    return [one.astype(np.float16) for one in maps], np.asarray(wanted, np.uint8)


if __name__ == "__main__":
    main()
