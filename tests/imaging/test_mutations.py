"""Damaged metadata: whatever it says, pixels are read and written, and what we write we read.

Each file's seed is its number; `python -m pytest -m long` goes through 100,000 of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from memory import peak_kilobytes
from mutations import KINDS, mutated

from likeness.errors import ImageReadError, ImageTooLargeError, ImageWriteError
from likeness.imaging.encode import encode_image, find_format
from likeness.imaging.files import read_image

_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF")
_QUICK, _LONG = 3_000, 100_000
_SECONDS = 1.0
_PARTS = 20
"""Of the long run; each in a process of its own, whose end by a signal would be a crash."""


def _run(seeds: range, kind: str, *, every_format: bool) -> Counter[str]:
    """Read each file, write what was read, and read that again."""
    classes: Counter[str] = Counter()
    for seed in seeds:
        data, whole = mutated(seed, kind)
        began = time.process_time()
        try:
            image = read_image(data)
        except (ImageReadError, ImageTooLargeError) as error:
            if whole:
                pytest.fail(f"{kind} {seed}: metadata kept the pixels from being read ({error})")
            classes["refused"] += 1
            continue
        for file_format in _FORMATS if every_format else _FORMATS[seed % len(_FORMATS) :][:1]:
            if max(image.size.width, image.size.height) > find_format(file_format).largest_side:
                with pytest.raises(ImageWriteError, match="whose sides end at"):
                    encode_image(image, file_format)
                continue
            again = read_image(encode_image(image, file_format))
            assert again.size == image.size, f"{kind} {seed}: {file_format}"
        seconds = time.process_time() - began
        assert seconds < _SECONDS * (len(_FORMATS) if every_format else 1), f"{kind} {seed}: {seconds:.1f} s"
        classes["read"] += 1
    return classes


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_metadata_never_decides_about_pixels(kind: str) -> None:
    count = -(-_QUICK // len(KINDS))
    classes = _run(range(count), kind, every_format=False)
    assert classes["read"] + classes["refused"] == count
    assert classes["read"] > 0.7 * count  # or the files would be too damaged to tell anything


@pytest.mark.long
@pytest.mark.parametrize("part", range(_PARTS))
def test_many_more(part: int) -> None:
    size = _LONG // _PARTS // len(KINDS) + 1
    # pytest runs with warnings as errors; so does this.
    done = subprocess.run(
        [sys.executable, "-W", "error", __file__, str(_QUICK + part * size), str(size)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(done.stdout)
    assert figures["read"] + figures["refused"] == size * len(KINDS)
    assert figures["megabytes"] < 300


def _main() -> None:
    import logging

    logging.disable()
    first, size = int(sys.argv[1]), int(sys.argv[2])
    classes: Counter[str] = Counter()
    for kind in KINDS:
        classes.update(_run(range(first, first + size), kind, every_format=True))
    sys.stdout.write(json.dumps({**classes, "megabytes": peak_kilobytes() // 1024}))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    _main()
