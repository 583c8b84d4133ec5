"""Sets of portraits: what cannot be one is told by its name, and before any work on the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as PillowImage

from likeness.errors import ConfigError, ImageReadError
from likeness.imaging.portraits import Portraits
from likeness.imaging.shards import read_photographs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        PillowImage.new("RGB", (16, 16), (200, 160, 140)).save(tmp_path / name)
    return tmp_path


def test_a_portrait_that_is_not_square_is_refused_and_not_squeezed(folder: Path) -> None:
    assert Portraits.read(folder, 8).names == ("a.png", "b.png")
    PillowImage.new("RGB", (16, 20)).save(folder / "b.png")
    with pytest.raises(ImageReadError, match=r"b\.png is 16x20; portraits must be square"):
        Portraits.read(folder, 8)


def test_a_damaged_picture_or_shard_is_told_by_its_name(folder: Path) -> None:
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:40])
    for read in (lambda: Portraits.read(folder, 8), lambda: read_photographs(folder, "general-*.tar")):
        with pytest.raises(ImageReadError, match=r"b\.png cannot be read"):
            read()
    (folder / "train-0.tar").write_bytes(b"no archive")
    with pytest.raises(ImageReadError, match=r"train-0\.tar cannot be read"):
        Portraits.read(folder, 8)


def test_the_table_of_native_sides(folder: Path) -> None:
    table = folder / "portraits.csv"
    table.write_bytes(b"\xef\xbb\xbffile;native_side_px\r\na.png;300\r\nb.png;700\r\n")  # as spreadsheets write it
    assert Portraits.read(folder, 8, min_native_side=450).names == ("b.png",)
    table.write_text("file,native_side_px\na.png,large\n")
    with pytest.raises(ConfigError, match=r'line 2: native_side_px must be a whole number, not "large"'):
        Portraits.read(folder, 8)
    table.write_text("name,side\na.png,300\n")
    with pytest.raises(ConfigError, match='needs the columns "file" and "native_side_px"'):
        Portraits.read(folder, 8)
