"""What a file may cost in this process: refused before a decoder does it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from poison import huge_tile, many_passes, poison_heic, poison_heic_content, webp_of

from likeness.errors import ImageReadError, ImageTooLargeError
from likeness.imaging.files import read_image

_MEASURED = """\
import sys
from memory import forget_peak, peak_kilobytes
from likeness.imaging.files import read_image
from likeness.errors import ImageError
for module in ("tifffile", "pi_heif"):
    __import__(module)
forget_peak()
before = peak_kilobytes()
try:
    read_image(sys.argv[1])
except ImageError as error:
    print(peak_kilobytes() - before, error)
"""


def refused(data: bytes, folder: Path) -> tuple[int, str]:
    """By how many kilobytes a fresh process grows, and what it says."""
    file = folder / "file"
    file.write_bytes(data)
    ended = subprocess.run(
        [sys.executable, "-c", _MEASURED, file],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ended.stderr == ""
    kilobytes, _, sentence = ended.stdout.strip().partition(" ")
    return int(kilobytes), sentence


@pytest.mark.parametrize("data", [poison_heic(), poison_heic_content(), poison_heic(b"\xffxif")])
def test_an_item_whose_kind_is_no_text_is_refused_before_the_library_sees_it(data: bytes) -> None:
    with pytest.raises(ImageReadError, match=r"the picture is HEIC but .*the kind of an item is no text"):
        read_image(data)


def test_an_item_of_an_unknown_kind_is_no_matter() -> None:
    assert read_image(poison_heic(b"abcd")).size.width == 48


def test_tiles_far_larger_than_the_picture_are_refused_within_a_few_megabytes(tmp_path: Path) -> None:
    kilobytes, sentence = refused(huge_tile(), tmp_path)
    assert "is TIFF but cut short or damaged" in sentence
    assert "tiles" in sentence
    assert kilobytes < 50_000


def test_a_canvas_that_only_the_header_knows_costs_nothing(tmp_path: Path) -> None:
    kilobytes, sentence = refused(webp_of(16383, 16383), tmp_path)
    assert "16383x16383" in sentence
    assert kilobytes < 20_000
    with pytest.raises(ImageTooLargeError) as caught:
        read_image(webp_of(5000, 4000), max_pixels=19_999_999)
    assert caught.value.pixels == 20_000_000


def test_passes_are_counted_by_the_pixels_that_they_go_over() -> None:
    assert read_image(many_passes(1000, 90)).size.width == 1000
    bomb = many_passes(7500, 90)
    began = time.process_time()
    with pytest.raises(ImageReadError, match=r"is JPEG of more than 35 passes over 56\.2 megapixels"):
        read_image(bomb)
    assert time.process_time() - began < 0.5
    with pytest.raises(ImageReadError, match=r"more than 100 passes over 0\.0 megapixels"):
        read_image(many_passes(16, 101))
