"""Many mixed pictures in one run of `likeness batch`: is every file accounted for, how fast is it, does memory stay flat?

`python benchmarks/soak.py` makes 600 pictures from examples/ (every format that is read, from 60 px to some 40 megapixels,
one in twenty broken), restores them, and writes soak.md and soak.svg. Memory is what the kernel says the process holds
(VmRSS), asked twice a second, so it runs on Linux.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness import read_image
from likeness.batch.journal import Item, Journal
from likeness.imaging.encode import encode_image
from likeness.imaging.image import Image

ROOT = Path(__file__).resolve().parents[1]
TABLE, CURVE = (Path(__file__).with_name(name) for name in ("soak.md", "soak.svg"))
SAMPLES = ("portrait.jpg", "backlit.jpg", "early-digital.jpg", "grey-film.png", "low-light.jpg", "messenger.webp")
FORMATS = ("jpg", "png", "webp", "tif", "bmp", "gif", "avif", "png16", "tif16", "cmyk", "turned", "heic")

STATES = ("final", "review", "skipped", "failed")

Pixels = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A picture of the soak: what it is, and what may become of it."""

    name: str
    kind: str
    expected: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The process at one moment: seconds since its start, megabytes, pictures done."""

    seconds: float
    megabytes: float
    done: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=600)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where inputs and results stay; a temporary one by default")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = flags.folder or Path(temporary)
        inbox, out = folder / "in", folder / "out"
        inbox.mkdir(parents=True, exist_ok=True)
        made = make(inbox, flags.pictures)
        samples, seconds, status = run(inbox, out, flags.workers)
        text = report(made, inbox, out, samples, seconds, status, flags.workers)
    TABLE.write_text(text, encoding="utf-8")
    CURVE.write_text(curve(samples), encoding="utf-8")
    print(text)


def make(inbox: Path, count: int) -> list[Made]:
    """The pictures, the same ones every time."""
    chance = np.random.default_rng(6)
    sources = [read_image(ROOT / "examples" / name).pixels for name in SAMPLES]
    heic = [path.read_bytes() for path in sorted((ROOT / "tests" / "data").glob("*.heic"))]
    made: list[Made] = []
    for number in range(count):
        kind = (
            "broken" if number % 20 == 7 else "tiny" if number % 20 == 13 else "huge" if number % 40 == 22 else "usual"
        )
        file_format = FORMATS[number % len(FORMATS)]
        pixels = varied(sources[number % len(sources)], chance, kind)
        if kind == "broken":
            name, data = broken(number, pixels)
        elif file_format == "heic" and kind == "usual":
            # There is no free encoder: the two test files, without a face, and different bytes each time.
            kind, name, data = "no face", f"{number:04d}.heic", heic[number % len(heic)] + b"\0" * number
        else:
            name, data = encoded(number, pixels, "jpg" if file_format == "heic" else file_format)
        expected = {"broken": {"failed"}, "tiny": {"skipped"}, "no face": {"skipped"}}.get(kind, {"final", "review"})
        place = inbox / f"client-{number % 7}" / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(data)
        made.append(Made(name=f"client-{number % 7}/{name}", kind=kind, expected=frozenset(expected)))
    return made


def varied(pixels: Pixels, chance: np.random.Generator, kind: str) -> Pixels:
    """Mirrored, lighter or darker, a little larger or smaller: no two are the same."""
    x = pixels[:, ::-1] if chance.random() < 0.5 else pixels
    x = np.clip(x * chance.uniform(0.9, 1.08), 0, 1)
    height, width = x.shape[:2]
    sides = {"tiny": (60, 149), "huge": (5000, 7000)}.get(kind, (400, 1800))
    scale = chance.uniform(*sides) / (min(height, width) if kind == "tiny" else max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.clip(np.asarray(cv2.resize(x, size, interpolation=method)), 0, 1).astype(np.float32)


def encoded(number: int, pixels: Pixels, file_format: str) -> tuple[str, bytes]:
    image, stem = Image(pixels=pixels), f"{number:04d}"
    if file_format in ("png16", "tif16"):
        suffix = file_format[:3]
        return f"{stem}-16.{suffix}", encode_image(image, {"png": "PNG", "tif": "TIFF"}[suffix], bit_depth=16)
    if file_format in ("cmyk", "turned", "gif"):
        pillow, stream = PillowImage.fromarray(image.to_uint8()), io.BytesIO()
        if file_format == "cmyk":
            pillow.convert("CMYK").save(stream, "JPEG", quality=92)
        elif file_format == "gif":
            pillow.save(stream, "GIF")
        else:
            exif = PillowImage.Exif()
            exif[0x0112] = 6
            pillow.rotate(90, expand=True).save(stream, "JPEG", quality=92, exif=exif)
        return f"{stem}-{file_format}.{'gif' if file_format == 'gif' else 'jpg'}", stream.getvalue()
    names = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tif": "TIFF", "bmp": "BMP", "avif": "AVIF"}
    return f"{stem}.{file_format}", encode_image(image, names[file_format], quality=90)


def broken(number: int, pixels: Pixels) -> tuple[str, bytes]:
    whole = encode_image(Image(pixels=pixels), "JPEG", quality=90)
    ways: tuple[tuple[str, Callable[[], bytes]], ...] = (
        ("cut.jpg", lambda: whole[: len(whole) // 3]),
        ("empty.jpg", lambda: b""),
        ("text.jpg", lambda: b"<html>404 not found</html>"),
        ("head.png", lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 200),
        ("noise.webp", lambda: np.random.default_rng(number).bytes(5000)),
    )
    name, data = ways[number // 20 % len(ways)]
    return f"{number:04d}-{name}", data()


def run(inbox: Path, out: Path, workers: int) -> tuple[list[Sample], float, int]:
    """The command, watched from outside; no projections are kept, so that every picture goes through the network."""
    command = [sys.executable, "-m", "likeness", "batch", str(inbox), str(out), "-q", "--keep-projections", "0"]
    began = time.perf_counter()
    process = subprocess.Popen([*command, "--workers", str(workers)], stderr=subprocess.DEVNULL)
    samples: list[Sample] = []
    while process.poll() is None:
        megabytes = resident(process.pid)
        if megabytes:
            samples.append(
                Sample(seconds=time.perf_counter() - began, megabytes=megabytes, done=finished(out / "journal.sqlite"))
            )
        time.sleep(0.5)
    return samples, time.perf_counter() - began, process.returncode


def resident(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def finished(path: Path) -> int:
    if not path.exists():
        return 0
    with Journal(path) as journal:
        counts = journal.counts()
    return sum(counts.values()) - counts["queued"] - counts["running"]


def report(
    made: list[Made], inbox: Path, out: Path, samples: list[Sample], seconds: float, status: int, workers: int
) -> str:
    with Journal(out / "journal.sqlite") as journal:
        items = {str(Path(item.source).relative_to(inbox)): item for item in journal.items()}
    wrong = [
        f"{one.name} ({one.kind}): {items[one.name].state}" for one in made if items[one.name].state not in one.expected
    ]
    results = {path for folder in ("final", "review") for path in (out / folder).rglob("*") if path.is_file()}
    promised = {out / item.outcome["output"] for item in items.values() if item.state in ("final", "review")}
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))["summary"]
    network = [s for s in samples if s.done > 0]
    thirds = [network[i * len(network) // 3 : (i + 1) * len(network) // 3] for i in range(3)]
    medians = [median(s.megabytes for s in third) for third in thirds]
    peak = max(samples, key=lambda s: s.megabytes)
    lines = [
        "# Soak",
        "",
        f"`python benchmarks/soak.py --pictures {len(made)} --workers {workers}`: one run of `likeness batch` over pictures",
        "made from examples/, of every format that is read, the shortest side 60 px, the largest picture "
        f"{max(areas(items)) / 1e6:.0f} megapixels, one in twenty",
        f"broken; no projections kept. {os.cpu_count()} processors.",
        "",
        "| kind | pictures | " + " | ".join(STATES) + " |",
        "| --- | ---: |" + " ---: |" * len(STATES),
    ]
    kinds = Counter(one.kind for one in made)
    for kind, count in kinds.items():
        states = Counter(items[one.name].state for one in made if one.kind == kind)
        lines.append(f"| {kind} | {count} | " + " | ".join(str(states[state]) for state in STATES) + " |")
    lines += [
        "",
        f"- Exit status {status}; {len(items)} of {len(made)} pictures stand in the journal, {summary['pictures']} in the",
        f"  summary; {len(wrong)} in a state that was not expected{': ' + '; '.join(wrong) if wrong else ''}.",
        f"- {len(results & promised)} of {len(promised)} promised results are there, {len(results - promised)} others.",
        f"- {seconds:.0f} s in all, {len(made) / seconds:.2f} pictures a second, "
        f"{sum(areas(items)) / seconds / 1e6:.1f} megapixels a second.",
        f"- Memory: median {medians[0]:.0f}, {medians[1]:.0f} and {medians[2]:.0f} MB in the first, second and last third",
        f"  of the run; peak {peak.megabytes:.0f} MB after {peak.done} pictures.",
        "",
        "![Memory over the run](soak.svg)",
        "",
    ]
    return "\n".join(lines)


def areas(items: dict[str, Item]) -> list[int]:
    """Pixels of each picture that could be read."""
    outcomes = [item.outcome for item in items.values()]
    return [(outcome.get("width") or 0) * (outcome.get("height") or 0) for outcome in outcomes]


def curve(samples: list[Sample]) -> str:
    """Memory against time, and pictures done, as SVG."""
    width, height, left, bottom, top = 900, 320, 60, 40, 30
    end, most = samples[-1].seconds, max(s.megabytes for s in samples) * 1.1
    done = max(1, samples[-1].done)

    def x(seconds: float) -> float:
        return left + seconds / end * (width - 2 * left)

    def y(share: float) -> float:
        return height - bottom - share * (height - bottom - top)

    memory = " ".join(f"{x(s.seconds):.1f},{y(s.megabytes / most):.1f}" for s in samples)
    counted = " ".join(f"{x(s.seconds):.1f},{y(s.done / done):.1f}" for s in samples)
    step = 10 ** np.floor(np.log10(most / 2))
    step = step * (5 if most / step > 20 else 2 if most / step > 8 else 1)
    grid = "".join(
        f'<line x1="{left}" x2="{width - left}" y1="{y(m / most):.1f}" y2="{y(m / most):.1f}" stroke="#ddd"/>'
        f'<text x="{left - 8}" y="{y(m / most) + 4:.1f}" text-anchor="end">{m:.0f}</text>'
        for m in np.arange(0, most, step)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>{grid}'
        f'<polyline points="{counted}" fill="none" stroke="#999" stroke-width="1.5" stroke-dasharray="4 3"/>'
        f'<polyline points="{memory}" fill="none" stroke="#1a6b3c" stroke-width="1.5"/>'
        f'<text x="{left}" y="18" fill="#1a6b3c">memory held, MB</text>'
        f'<text x="{width - left}" y="18" text-anchor="end" fill="#666">pictures done, {done} at the end (dashed)</text>'
        f'<text x="{left}" y="{height - 14}">0</text>'
        f'<text x="{width - left}" y="{height - 14}" text-anchor="end">{end:.0f} s</text></svg>\n'
    )


if __name__ == "__main__":
    main()
