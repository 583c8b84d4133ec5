"""Learn `glance`, which tells which windows the far detector need not look at:

    python tools/train_glance.py SHARED --keep FOLDER

SHARED holds `portraits/train-*.tar`, `portraits-more/train-*.tar` and `general/general-0*.tar`. Windows are made of them:
parts of photographs at any size, and faces of 10 to 130 px laid on such parts; blurred, noisy, grey, dark, pale, turned, and
coded anew. What the far detector says of a window is what is learnt, so nothing is labelled by hand: a place of 16 px counts
as a face where the detector's score reaches 0.38 there. The windows are kept in FOLDER, as one takes 20 ms to make and be
looked at. The one in the package was learnt in three sittings of 2,600, 1,800 and 900 steps on 17,000 windows, each from the
state of the last and at a lower rate; in one it was not tried. Writes the OpenVINO graph; needs the extra train.
"""

from __future__ import annotations

import argparse
import tarfile
import time
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from likeness.compute.library import load_openvino
from likeness.faces.blaze import WINDOW
from likeness.faces.networks import face_network

_Samples = NDArray[np.uint8]

CELL = 16
"""Side of the places that are told apart, px."""
FACE, NO_FACE = -0.5, -1.5
"""Logits of the detector from which a place counts as a face, and under which it and its neighbours count as none."""
MISSED = 6.0
"""How many times as much a face that is missed weighs as a place that is looked at for nothing."""
MODELS = Path(__file__).resolve().parents[1] / "src" / "likeness" / "faces" / "models"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--keep", type=Path, required=True, help="folder of the windows: read if they are there")
    parser.add_argument("--windows", type=int, default=17_000)
    parser.add_argument("--steps", type=int, default=5_400, help="of 32 windows each (5400)")
    parser.add_argument("--seed", type=int, default=11, help="of the windows and their order (11)")
    parser.add_argument(
        "--state", type=Path, help="what was learnt so far: gone on from if it is there, and kept there"
    )
    parser.add_argument("--out", type=Path, default=MODELS / "glance.xml")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    windows, told = asked.keep / "windows.npy", asked.keep / "told.npy"
    if not told.is_file():
        asked.keep.mkdir(parents=True, exist_ok=True)
        make(asked.shared, windows, told, asked.windows, asked.seed)
    learner = learnt(
        np.load(windows, mmap_mode="r"), np.load(told).astype(np.float32), asked.steps, asked.state, asked.seed
    )
    export(learner, asked.out)


def make(shared: Path, windows: Path, told: Path, count: int, seed: int) -> None:
    """Write windows, N x 256 x 256 x 3, and the detector's highest logit in each place, N x 16 x 16."""
    faces = [*packed(shared / "portraits", "train-*.tar"), *packed(shared / "portraits-more", "train-*.tar")]
    maker = Maker(faces, packed(shared / "general", "general-0*.tar"), seed)
    samples = np.lib.format.open_memmap(windows, "w+", np.uint8, (count, WINDOW, WINDOW, 3))
    places = WINDOW // CELL
    answers = np.zeros((count, places, places), np.float16)
    for number in range(count):
        samples[number] = maker.window()
        batch = samples[number][None].astype(np.float32) * np.float32(2 / 255) - np.float32(1)
        (scores,) = face_network("far").run({"samples": batch}, ["scores"])
        answers[number] = scores[0, 0].reshape(places, CELL // 4, places, CELL // 4).max(axis=(1, 3))
        if number % 1000 == 0:
            print(f"{number} of {count} windows", flush=True)
    np.save(told, answers)


def packed(folder: Path, pattern: str) -> list[bytes]:
    """The pictures of some shards, as files."""
    found: list[bytes] = []
    for shard in sorted(folder.glob(pattern)):
        with tarfile.open(shard) as archive:
            files = [archive.extractfile(member) for member in archive if member.name.endswith((".jpg", ".png"))]
            found += [file.read() for file in files if file is not None]
    return found


class Maker:
    """Makes windows as photographs hold them, and worse ones."""

    def __init__(self, faces: list[bytes], scenes: list[bytes], seed: int) -> None:
        self._faces, self._scenes = faces, scenes
        self._random = np.random.default_rng(seed)

    def window(self) -> _Samples:
        kind = self._random.random()
        if kind < 0.4:
            return self._spoilt(self._collage())
        if kind < 0.7:
            least = 0.06 if self._random.random() < 0.3 else 0.25
            return self._spoilt(self._part(self._one_of(self._faces), least, 2.5))
        return self._spoilt(self._part(self._one_of(self._scenes), 0.2, 1.6))

    def _one_of(self, files: list[bytes], *, half: bool = False) -> _Samples:
        file = np.frombuffer(files[self._random.integers(len(files))], np.uint8)
        decoded = cv2.imdecode(file, cv2.IMREAD_REDUCED_COLOR_2 if half else cv2.IMREAD_COLOR)
        return np.ascontiguousarray(cast("_Samples", decoded)[..., ::-1])

    def _part(self, picture: _Samples, least: float, most: float) -> _Samples:
        """A window of a picture at some scale; grey beyond it, and the picture then in a corner or in the middle."""
        random = self._random
        scale = float(np.exp(random.uniform(np.log(least), np.log(most))))
        size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
        scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        canvas = np.full((WINDOW, WINDOW, 3), 128, np.uint8)
        from_there, to_there = [], []
        for side in scaled.shape[:2]:
            spare = WINDOW - side
            start = 0 if spare >= 0 else int(random.integers(0, 1 - spare))
            place = spare // 2 if spare > 0 and random.random() < 0.5 else 0
            from_there.append(slice(start, start + WINDOW))
            to_there.append(slice(place, place + min(side, WINDOW)))
        canvas[tuple(to_there)] = scaled[tuple(from_there)]
        return canvas

    def _backdrop(self) -> _Samples:
        random = self._random
        kind = random.random()
        if kind < 0.6:
            return self._part(self._one_of(self._scenes), 0.35, 1.2)
        if kind < 0.8:
            return self._part(self._one_of(self._faces), 0.6, 1.6)
        one, other = random.integers(0, 256, (2, 3))
        ramp = np.linspace(0, 1, WINDOW).reshape((-1, 1, 1) if random.random() < 0.5 else (1, -1, 1))
        return np.broadcast_to(one + (other - one) * ramp, (WINDOW, WINDOW, 3)).astype(np.uint8)

    def _collage(self) -> _Samples:
        """Some faces of like size on a backdrop."""
        random, canvas = self._random, self._backdrop().astype(np.float32)
        width = float(np.exp(random.uniform(np.log(10), np.log(130))))
        for _ in range(1 + int(random.integers(0, 1 + int(min(9, (180 / width) ** 1.3))))):
            face, mask = self._face(width * float(np.exp(random.normal(0, 0.15))))
            canvas = canvas * (1 - mask) + np.clip(face, 0, 255) * mask
        return np.clip(canvas, 0, 255).astype(np.uint8)

    def _face(self, width: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A face somewhere on a window, mostly about upright, and where it is laid."""
        random, face = self._random, self._one_of(self._faces, half=True)
        scale = width / 115.0  # of the 256 px of an aligned portrait
        angle = random.normal(0, 12) if random.random() < 0.85 else random.uniform(-180, 180)
        if random.random() < 0.5:
            face = np.ascontiguousarray(face[:, ::-1])
        stretch = float(np.exp(random.normal(0, 0.05)))
        matrix = cv2.getRotationMatrix2D((128, 140), angle, 1.0)
        matrix[:, 2] -= (128, 140)
        matrix = np.diag([scale * stretch, scale / stretch]) @ matrix
        matrix[:, 2] += random.uniform(-10, WINDOW + 10, 2)
        if scale < 0.6:
            face = cv2.GaussianBlur(face, (0, 0), 0.45 / scale)
        mask = np.zeros(face.shape[:2], np.float32)
        if random.random() < 0.7:
            radii = (int(random.uniform(60, 95)), int(random.uniform(80, 120)))
            cv2.ellipse(mask, (128, int(random.uniform(125, 140))), radii, 0, 0, 360, (1,), -1)
        else:
            mask[2:-2, 2:-2] = 1
        mask = cv2.GaussianBlur(mask, (0, 0), random.uniform(1, 5))
        laid = cv2.warpAffine(face, matrix, (WINDOW, WINDOW)).astype(np.float32)
        seen = cv2.warpAffine(mask, matrix, (WINDOW, WINDOW))[..., None]
        if random.random() < 0.1:
            seen = seen * random.uniform(0.3, 0.9)
        return laid * np.exp(random.normal(0, 0.25)) + random.normal(0, 15), seen

    def _spoilt(self, window: _Samples) -> _Samples:
        random = self._random

        def by_chance(share: float) -> bool:
            return bool(random.random() < share)

        if by_chance(0.25):
            window = cast("_Samples", cv2.GaussianBlur(window, (0, 0), np.exp(random.uniform(np.log(0.4), np.log(3)))))
        if by_chance(0.2):
            window = np.rot90(window, int(random.integers(1, 4)))
        x: Any = (window[:, ::-1] if by_chance(0.5) else window).astype(np.float32)
        if by_chance(0.3):
            x = np.repeat((x @ np.array([0.3, 0.59, 0.11], np.float32))[..., None], 3, 2)
            if by_chance(0.4):
                x = x * np.array([1.05, 0.95, 0.78], np.float32) + random.uniform(0, 12)
        if by_chance(0.6):
            x = 255 * np.clip(x / 255, 0, 1) ** np.exp(random.normal(0, 0.4))
        if by_chance(0.4):
            x = (x - 128) * np.exp(random.uniform(np.log(0.25), np.log(1.3))) + 128 + random.normal(0, 30)
        if by_chance(0.3):
            x = x * random.uniform(0.8, 1.2, 3)
        if by_chance(0.3):
            channels = 3 if by_chance(0.7) else 1
            x = x + random.normal(0, np.exp(random.uniform(0, np.log(35))), (WINDOW, WINDOW, channels))
        samples = np.clip(x, 0, 255).astype(np.uint8)
        if by_chance(0.3):
            _, coded = cv2.imencode(".jpg", samples, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(12, 85))])
            samples = cast("_Samples", cv2.imdecode(coded, cv2.IMREAD_COLOR))
        return samples


def network() -> nn.Sequential:
    """Samples N x 3 x 256 x 256 in [-1, 1] to logits N x 1 x 16 x 16. A place sees 148 px of its surroundings."""

    def block(taken: int, given: int, step: int = 1) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(taken, taken, 3, step, 1, groups=taken), nn.Conv2d(taken, given, 1), nn.ReLU())

    return nn.Sequential(
        nn.Conv2d(3, 16, 4, 4),
        nn.ReLU(),
        block(16, 32, 2),
        block(32, 32),
        block(32, 32),
        block(32, 64, 2),
        block(64, 64),
        block(64, 64),
        block(64, 64),
        nn.Conv2d(64, 1, 1),
    )


def learnt(windows: _Samples, told: NDArray[np.float32], steps: int, state: Path | None, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    learner = cast("Any", network()).to(memory_format=torch.channels_last)
    if state is not None and state.is_file():
        learner.load_state_dict(torch.load(state, weights_only=True))
    optimizer = torch.optim.AdamW(learner.parameters(), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps, pct_start=0.1)
    began, losses = time.monotonic(), 0.0
    for step in range(steps):
        chosen = np.sort(random.integers(0, len(told), 32))
        flip = slice(None, None, -1 if random.random() < 0.5 else 1)
        samples = torch.from_numpy(np.ascontiguousarray(windows[chosen][:, :, flip])).permute(0, 3, 1, 2)
        batch = samples.float() * (2 / 255) - 1
        if random.random() < 0.5:
            batch = batch * float(np.exp(random.normal(0, 0.2))) + float(random.normal(0, 0.15))
        answer = torch.from_numpy(np.ascontiguousarray(told[chosen][:, :, flip]))[:, None]
        face = (answer > FACE).float()
        none = (nn.functional.max_pool2d(answer, 3, 1, 1) <= NO_FACE).float()
        weight = MISSED * face + none  # what is neither is not asked
        losses_here = nn.functional.binary_cross_entropy_with_logits(learner(batch), face, reduction="none")
        loss = (losses_here * weight).sum() / weight.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses += loss.item()
        if (step + 1) % 500 == 0:
            print(f"{step + 1} of {steps} steps, {time.monotonic() - began:.0f} s, loss {losses / 500:.4f}", flush=True)
            losses = 0.0
            if state is not None:
                torch.save(learner.state_dict(), state)
    if state is not None:
        torch.save(learner.state_dict(), state)
    return learner


def export(learner: nn.Sequential, path: Path) -> None:
    openvino = load_openvino()
    example = torch.zeros(1, 3, WINDOW, WINDOW)
    graph = openvino.convert_model(
        learner.eval().to(memory_format=torch.contiguous_format), example_input=example, input=[1, 3, WINDOW, WINDOW]
    )
    graph.inputs[0].get_tensor().set_names({"samples"})
    graph.outputs[0].get_tensor().set_names({"places"})
    openvino.save_model(graph, path, compress_to_fp16=True)


if __name__ == "__main__":
    main()
