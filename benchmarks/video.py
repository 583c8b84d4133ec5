"""How steady a restored video is, how sharp, and how fast: `python benchmarks/video.py PORTRAITS` writes video.md.

Clips are made of portraits by a motion that is known. A portrait is moved, turned and enlarged slowly over a frame of
640 x 480, softened, given new noise and JPEG in each frame, and blurred along its motion in some. As the motion is known,
frames are warped back exactly, and what still differs from one to the next is flicker (RMS within the face, in levels of
255, over R, G and B). Sharpness is the RMS of what is finer than 1.5 px. Both are told of the face, and of the portrait's
hair as far as it is in every frame. Identity is the distance of dlib's embedding to
the portrait's, its spread the deviation over the frames of a clip. Seconds are of the processor, for one frame, all cores
together.

`--reference` makes clips of persons of whom there is a second photograph, hands that over, and writes video_reference.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.cli.timing import machine_facts
from likeness.imaging.files import write_image
from likeness.imaging.image import Image, Pixels
from likeness.imaging.portraits import Portraits
from likeness.metrics import IdentityModel
from likeness.reference.references import References
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer
from likeness.video.options import VideoOptions
from likeness.video.preview import frame_strip
from likeness.video.session import FrameByFrame, Session, SteadySession

_WIDTH, _HEIGHT, _SIDE = 640, 480, 512
_SOFT, _NOISE, _QUALITY = 1.6, 3.0 / 255.0, 80
_BLURRED_EVERY, _BLUR = 8, 9
_BEFORE_REDUCING = 1.0
_SURELY = 0.8

TABLE = Path(__file__).with_name("video.md")
WITH_REFERENCES = Path(__file__).with_name("video_reference.md")
_ALONE = "frame by frame"
_WITH = "steady, with another photograph"
_SAME_PERSON = 0.42
"""dlib's distance under which two portraits, each the other's nearest, show one person."""
_Matrix = NDArray[np.float64]


def motion(count: int) -> list[_Matrix]:
    """From a portrait to each frame, 2 x 3: slow turns, shifts and changes of size, none in step with another."""
    found: list[_Matrix] = []
    for n in range(count):
        matrix = cv2.getRotationMatrix2D((255.5, 255.5), 6.0 * np.sin(n / 9), 0.62 * (1 + 0.05 * np.sin(n / 13)))
        matrix[:, 2] += (_WIDTH / 2 - 255.5 + 60 * np.sin(n / 11), _HEIGHT / 2 - 255.5 + 18 * np.sin(n / 5))
        found.append(np.asarray(matrix, np.float64))
    return found


def clip(portrait: Pixels, matrices: Sequence[_Matrix], seed: int) -> list[Pixels]:
    rng = np.random.default_rng(seed)
    frames: list[Pixels] = []
    # Reduced without it, the portrait's own detail would alias, which is flicker that no film has.
    portrait = np.asarray(cv2.GaussianBlur(portrait, (0, 0), _BEFORE_REDUCING), np.float32)
    for n, matrix in enumerate(matrices):
        x = cv2.warpAffine(portrait, matrix, (_WIDTH, _HEIGHT), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        x = cv2.GaussianBlur(x, (0, 0), _SOFT)
        if n % _BLURRED_EVERY == _BLURRED_EVERY - 1:
            x = cv2.blur(x, (_BLUR, 1))
        x = np.clip(x + rng.normal(0, _NOISE, x.shape), 0, 1)
        samples = cv2.cvtColor(np.rint(x * 255).astype(np.uint8), cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", samples, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        decoded = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        frames.append(decoded.astype(np.float32) / np.float32(255))
    return frames


def back(frame: Pixels, matrix: _Matrix) -> Pixels:
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(frame, matrix, (_SIDE, _SIDE), flags=flags), np.float32)


def face_of() -> NDArray[np.float32]:
    face = np.zeros((_SIDE, _SIDE), np.float32)
    cv2.ellipse(face, (256, 290), (125, 165), 0, 0, 360, (1.0,), -1)
    return face


def hair_of(portrait: Pixels, matrices: Sequence[_Matrix], restorer: Restorer) -> NDArray[np.float32]:
    """1 where a portrait has hair that is in every frame."""
    image = Image(pixels=portrait)
    seen = restorer.project(image, restorer.find_faces(image)[0], Controls())
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(
        seen.masks["hair"], np.asarray(seen.alignment.matrix, np.float64), (_SIDE, _SIDE), flags=flags
    )
    whole = np.ones((_HEIGHT, _WIDTH, 3), np.float32)
    inside = np.minimum.reduce([back(whole, matrix)[..., 0] for matrix in matrices])
    return ((np.asarray(laid) > _SURELY) & (inside > _SURELY)).astype(np.float32)


def flicker(frames: Sequence[Pixels], matrices: Sequence[_Matrix], where: NDArray[np.float32]) -> float:
    moved = [back(frame, matrix) for frame, matrix in zip(frames, matrices, strict=True)]
    squares = [np.square(b - a).mean(axis=-1) for a, b in pairwise(moved)]
    return 255 * float(np.sqrt(np.mean([(x * where).sum() / where.sum() for x in squares])))


def sharpness(frames: Sequence[Pixels], matrices: Sequence[_Matrix], where: NDArray[np.float32]) -> float:
    found: list[float] = []
    for frame, matrix in zip(frames, matrices, strict=True):
        fine = back(frame - np.asarray(cv2.GaussianBlur(frame, (0, 0), 1.5), np.float32), matrix).mean(axis=-1)
        found.append(float((np.square(fine) * where).sum() / where.sum()))
    return 255 * float(np.sqrt(np.mean(found)))


def jitter(frames: Sequence[Pixels], matrices: Sequence[_Matrix], restorer: Restorer) -> float:
    """RMS by which the eyes, nose and mouth corners that a detector finds in a frame, brought back, differ from those of the
    frame before; px of the portrait."""
    found: list[_Matrix] = []
    for frame, matrix in zip(frames, matrices, strict=True):
        faces = restorer.find_faces(Image(pixels=frame))
        if faces:
            inverse = cv2.invertAffineTransform(matrix)
            found.append(np.asarray(faces[0].five_points @ inverse[:, :2].T + inverse[:, 2], np.float64))
    return float(np.sqrt(np.mean([np.square(b - a).sum(axis=1).mean() for a, b in pairwise(found)])))


def identities(frames: Sequence[Pixels], matrices: Sequence[_Matrix], portrait: Pixels) -> NDArray[np.float64]:
    """dlib's distance of each frame, brought back, to the portrait."""
    model = IdentityModel()
    moved = (np.clip(back(frame, matrix), 0.0, 1.0) for frame, matrix in zip(frames, matrices, strict=True))
    return np.array([model.distance(x, portrait) for x in moved])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="FFHQ-aligned portraits, split in train and val")
    parser.add_argument("--portraits", type=int, default=3)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--every", type=int, nargs="*", default=[1, VideoOptions.every])
    parser.add_argument("--without", default="london", help="leave out portraits whose names begin with this")
    parser.add_argument("--strip", type=Path, help="write an eye in each frame of the first clip, in each way")
    parser.add_argument("--reference", action="store_true", help="clips of persons with a second photograph, with that")
    given = parser.parse_args()
    restorer = Restorer()
    found = (
        pairs(given.folder, given.portraits)
        if given.reference
        else portraits(given.folder, given.portraits, given.without)
    )
    matrices = motion(given.frames)
    ways: dict[str, Callable[[], Session]] = {_ALONE: lambda: FrameByFrame(restorer, VideoOptions())}
    for every in given.every:
        ways[f"steady, network every {every}"] = lambda every=every: SteadySession(restorer, VideoOptions(every=every))
    if given.reference:
        ways[_WITH] = lambda: SteadySession(restorer, with_reference)
    figures: dict[str, list[list[float]]] = {way: [] for way in ("input", *ways)}
    for number, (name, portrait, other) in enumerate(found):
        if other is not None:
            with_reference = VideoOptions(references=References([Image(pixels=other)], trusted=True))
        face, hair = face_of(), hair_of(portrait, matrices, restorer)
        results: dict[str, list[Pixels]] = {"input": clip(portrait, matrices, number)}
        for way in figures:
            began = time.process_time()
            if way != "input":
                session = ways[way]()
                results[way] = [session.restore(Image(pixels=frame)).pixels for frame in results["input"]]
            seconds = (time.process_time() - began) / given.frames
            frames = results[way]
            known = identities(frames, matrices, portrait)
            row = [measure(frames, matrices, where) for where in (face, hair) for measure in (flicker, sharpness)]
            jitters = jitter(frames, matrices, restorer)
            figures[way].append([*row, jitters, float(known.mean()), float(known.std()), seconds])
            print(name, way, [round(x, 3) for x in figures[way][-1]], flush=True)
        if given.strip is not None and number == 0:
            shown = results.values()
            eye = [tuple(back(way[n], matrix)[205:275, 150:236] for way in shown) for n, matrix in enumerate(matrices)]
            write_image(Image(pixels=frame_strip(eye)), given.strip)
    (WITH_REFERENCES if given.reference else TABLE).write_text(page(figures, given), encoding="utf-8")


def page(figures: Mapping[str, list[list[float]]], given: argparse.Namespace) -> str:
    """The table: means over the clips."""
    means = {way: np.mean(rows, axis=0) for way, rows in figures.items()}
    alone = means[_ALONE]
    lines = [
        "# Steadiness of restored video",
        "",
        f"Written by `benchmarks/video.py`, which says how: {given.portraits} clips of {given.frames} frames, 640 x 480.",
        "",
        *(f"- {key}: {value}" for key, value in machine_facts().items()),
        "",
        "| | flicker | times steadier | sharpness | of frame by frame | flicker of hair | times steadier | its sharpness"
        " | of frame by frame | jitter, px | identity | its spread | s a frame |",
        "| --- |" + " ---: |" * 12,
    ]
    for way, (*steady, tremble, known, spread, seconds) in means.items():
        taken = "" if way == "input" else f"{seconds:.2f}"
        measured: list[str] = []
        for number in (0, 2):
            shake, fine = steady[number : number + 2]
            against = (alone[number] / shake, fine / alone[number + 1])
            steadier, kept = ("" if way == "input" else f"{share:.2f}" for share in against)
            measured += [f"{shake:.2f}", steadier, f"{fine:.2f}", kept]
        cells = (
            way,
            *measured,
            f"{tremble:.2f}",
            f"{known:.3f}",
            f"{spread:.3f}",
            taken,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def portraits(folder: Path, count: int, without: str) -> list[tuple[str, Pixels, None]]:
    """Evenly out of those for validation."""
    known = Portraits.read(folder, _SIDE, split="val")
    wanted = [number for number, name in enumerate(known.names) if not name.startswith(without)]
    chosen = wanted[:: max(1, len(wanted) // count)][:count]
    return [(known.names[number], known.pixels(number), None) for number in chosen]


def pairs(folder: Path, count: int) -> list[tuple[str, Pixels, Pixels]]:
    """Evenly out of the persons who are among those for validation twice: each with the second photograph."""
    known, model = Portraits.read(folder, _SIDE, split="val"), IdentityModel()
    who = np.stack([model.embed(known.pixels(number)) for number in range(len(known.names))])
    distances = np.linalg.norm(who[:, None] - who, axis=2) + 9 * np.eye(len(who))
    nearest = distances.argmin(axis=1)
    both = [
        (one, int(other))
        for one, other in enumerate(nearest)
        if one < other and nearest[other] == one and distances[one, other] < _SAME_PERSON
    ]
    chosen = both[:: max(1, len(both) // count)][:count]
    return [(known.names[one], known.pixels(one), known.pixels(other)) for one, other in chosen]


if __name__ == "__main__":
    main()
