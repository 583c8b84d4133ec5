"""Reading from and writing to real places: paths, streams, folders, and everything that goes wrong there."""

from __future__ import annotations

import io
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from machine import as_nobody
from memory import forget_peak, peak_kilobytes
from PIL import Image as PillowImage

from likeness.errors import ArgumentError, ConfigError, ImageReadError, ImageTooLargeError, ImageWriteError
from likeness.imaging import files
from likeness.imaging.files import (
    SUFFIXES_READ,
    SUFFIXES_WRITE,
    encode_image,
    is_picture,
    output_suffix,
    read_image,
    write_image,
)
from likeness.imaging.image import Image, Size

SAMPLES = np.random.default_rng(2).integers(0, 256, (30, 40, 3), dtype=np.uint8)
NAMES = ["portrait.png", "my client photo.png", "奶奶的照片.png", "Großmutter, 1931 (Kopie).png"]


@pytest.fixture
def image() -> Image:
    return Image.from_uint8(SAMPLES)


# --- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_written_and_read(tmp_path: Path, image: Image, name: str) -> None:
    write_image(image, tmp_path / name)
    for source in (tmp_path / name, str(tmp_path / name)):
        assert np.array_equal(read_image(source).to_uint8(), SAMPLES)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_bytes_and_streams(image: Image) -> None:
    data = files.encode_image(image, "PNG")
    assert np.array_equal(read_image(data).pixels, image.pixels)
    assert np.array_equal(read_image(io.BytesIO(data)).pixels, image.pixels)


def test_a_stream_that_was_read_already_is_not_called_empty(image: Image) -> None:
    stream = io.BytesIO(encode_image(image, "PNG"))
    read_image(stream)
    with pytest.raises(ImageReadError, match=r"the picture stands at its end.*seek\(0\)"):
        read_image(stream)
    with pytest.raises(ImageReadError, match="is empty"):
        read_image(io.BytesIO())


def test_standard_input(image: Image) -> None:
    """A real pipe: it cannot be rewound, and it hands over what it has."""
    code = (
        "import sys; from likeness.imaging.files import read_image, encode_image;"
        "sys.stdout.buffer.write(encode_image(read_image(sys.stdin.buffer), 'PNG'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=files.encode_image(image, "TIFF"), capture_output=True, check=True
    )
    assert np.array_equal(read_image(done.stdout).pixels, image.pixels)


def test_a_named_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageReadError, match="named pipe, not a file"):
        read_image(tmp_path / "pipe.png")


def test_the_content_decides_not_the_name(tmp_path: Path, image: Image) -> None:
    path = tmp_path / "really a png.jpg"
    path.write_bytes(files.encode_image(image, "PNG"))
    assert np.array_equal(read_image(path).pixels, image.pixels)


def test_other_code_may_set_pillows_own_limit(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our limit is the one that counts, and Pillow's stays as it was found. No warning either (they are errors here)."""
    monkeypatch.setattr(PillowImage, "MAX_IMAGE_PIXELS", 900)
    for kind in ("PNG", "JPEG", "TIFF", "BMP", "AVIF"):
        assert read_image(files.encode_image(image, kind)).size == Size(40, 30)
    assert PillowImage.MAX_IMAGE_PIXELS == 900


def test_reading_does_not_register_heic_with_pillow() -> None:
    code = (
        "import sys; from likeness.imaging.files import read_image; read_image(sys.argv[1]);"
        "from PIL import Image; Image.init(); assert 'HEIF' not in Image.OPEN"
    )
    sample = Path(__file__).resolve().parents[1] / "data" / "quadrants-turned.heic"
    subprocess.run([sys.executable, "-c", code, str(sample)], check=True)


def test_importing_is_cheap() -> None:
    code = (
        "import sys, likeness.imaging.files; print([m for m in ('pi_heif', 'tifffile', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- bad input: one clear sentence each -------------------------------------------------------------------------------


def _sentence(caught: pytest.ExceptionInfo[Exception], *parts: str) -> None:
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in parts), message


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError) as caught:
        read_image(tmp_path / "没有.jpg")
    _sentence(caught, "没有.jpg", "does not exist")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError) as caught:
        read_image(tmp_path)
    _sentence(caught, str(tmp_path), "is a folder")


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ImageReadError) as caught:
        read_image(tmp_path / "empty.jpg")
    _sentence(caught, "empty.jpg", "0 bytes")


@pytest.mark.parametrize(
    "text", ["Dear grandmother,\nhere is the picture.", "奶奶的照片在这里，请看一看，谢谢您。", "BMW"]
)
def test_text_file_named_jpg(tmp_path: Path, text: str) -> None:
    (tmp_path / "note.jpg").write_text(text, encoding="utf-8")
    with pytest.raises(ImageReadError) as caught:
        read_image(tmp_path / "note.jpg")
    _sentence(caught, "note.jpg", "no picture", "text file", "HEIC")


def test_other_binary_file(tmp_path: Path) -> None:
    (tmp_path / "archive.png").write_bytes(b"PK\x03\x04" + bytes(range(256)))
    with pytest.raises(ImageReadError) as caught:
        read_image(tmp_path / "archive.png")
    _sentence(caught, "archive.png", "no picture", "not known here")


def test_truncated_file(tmp_path: Path, image: Image) -> None:
    data = files.encode_image(image, "JPEG")
    (tmp_path / "half.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageReadError) as caught:
        read_image(tmp_path / "half.jpg")
    _sentence(caught, "half.jpg", "cut short or damaged", "copy or download it again")


def test_no_permission(tmp_path: Path, image: Image) -> None:
    path = tmp_path / "private.png"
    write_image(image, path)
    path.chmod(0)
    with as_nobody(), pytest.raises(ImageReadError) as caught:
        read_image(path)
    _sentence(caught, "private.png", "may not be read")


def test_a_name_with_a_null_character() -> None:
    with pytest.raises(ImageReadError, match="no file name"):
        read_image("a\0b.jpg")


def _bomb(kind: str, width: int, height: int) -> bytes:
    """A small file that says it is huge."""
    stream = io.BytesIO()
    PillowImage.new("1" if kind in ("PNG", "TIFF") else "RGB", (width, height)).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_bomb_is_refused_before_it_is_decoded(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(_bomb(kind, 12000, 10000))
    assert path.stat().st_size < 20_000_000
    forget_peak()
    before = peak_kilobytes()
    with pytest.raises(ImageTooLargeError) as caught:
        read_image(path)
    _sentence(caught, "bomb.png", "12000x10000", "120,000,000", "100,000,000", "--max-pixels 120000000", "max_pixels=")
    assert peak_kilobytes() - before < 60_000  # kB; decoded it would be 1.4 GB


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "AVIF"])
def test_the_limit_can_be_set(kind: str) -> None:
    data = _bomb(kind, 40, 30)
    with pytest.raises(ImageTooLargeError, match="40x30 = 1,200 pixels"):
        read_image(data, max_pixels=1199)
    assert read_image(data, max_pixels=1200).size == Size(40, 30)
    with pytest.raises(ConfigError, match="at least 1"):
        read_image(data, max_pixels=0)


# --- writing ----------------------------------------------------------------------------------------------------------


def test_names_with_other_suffixes_need_a_format(tmp_path: Path, image: Image) -> None:
    write_image(image, tmp_path / "picture.tmp", file_format="png")
    assert (tmp_path / "picture.tmp").read_bytes().startswith(b"\x89PNG")
    for name in ("picture.xyz", "picture", "picture.heic"):
        with pytest.raises(ImageWriteError) as caught:
            write_image(image, tmp_path / name)
        _sentence(caught, name, "use one of .jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["picture.tmp"]


def test_suffixes_in_capitals(tmp_path: Path, image: Image) -> None:
    write_image(image, tmp_path / "IMG_0001.JPG")
    assert (tmp_path / "IMG_0001.JPG").read_bytes().startswith(b"\xff\xd8")


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path: Path, image: Image, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_image(image, tmp_path / "a.png")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o666 & ~mask


def test_missing_folder(tmp_path: Path, image: Image) -> None:
    with pytest.raises(ImageWriteError) as caught:
        write_image(image, tmp_path / "results" / "a.png")
    _sentence(caught, "a.png", "results does not exist")
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be(tmp_path: Path, image: Image) -> None:
    (tmp_path / "results").touch()
    with pytest.raises(ImageWriteError) as caught:
        write_image(image, tmp_path / "results" / "a.png")
    _sentence(caught, "a.png", "is no folder")


def test_a_folder_of_that_name(tmp_path: Path, image: Image) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(ImageWriteError) as caught:
        write_image(image, tmp_path / "a.png")
    _sentence(caught, "a.png", "there is a folder of that name")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_no_permission_to_write(tmp_path: Path, image: Image) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    with as_nobody(), pytest.raises(ImageWriteError) as caught:
        write_image(image, folder / "a.png")
    _sentence(caught, "a.png", "no permission to write")
    assert list(folder.iterdir()) == []


def test_a_disk_that_fails_half_way_leaves_nothing(tmp_path: Path, image: Image) -> None:
    """A real failing write: the process may write files of 1000 bytes, the picture needs more."""
    target = tmp_path / "a.png"
    target.write_bytes(b"the result of yesterday")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(ImageWriteError) as caught:
            write_image(image, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    _sentence(caught, "a.png", "cannot be written")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert target.read_bytes() == b"the result of yesterday"


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_at_the_last_step_leaves_nothing(
    tmp_path: Path, image: Image, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(Path, "replace", fail)
    expected = ImageWriteError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        write_image(image, tmp_path / "a.png")
    if isinstance(failure, OSError):
        assert "the disk is full" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_cannot_be_encoded_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ImageWriteError) as caught:
        write_image(Image(pixels=np.zeros((1, 65501, 3), np.float32)), tmp_path / "a.jpg")
    _sentence(caught, "a.jpg", "65500")
    with pytest.raises(ArgumentError, match="nan"):
        write_image(Image(pixels=np.full((4, 4, 3), np.nan, np.float32)), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_very_long_name(tmp_path: Path, image: Image) -> None:
    """Names may have 255 bytes: the temporary file's must not be longer than the target's."""
    name = "照" * 83 + ".png"
    assert len(name.encode()) == 253
    write_image(image, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with pytest.raises(ImageWriteError) as caught:
        write_image(image, tmp_path / ("照" * 90 + ".png"))
    _sentence(caught, "too long")
    assert [path.name for path in tmp_path.iterdir()] == [name]


# --- names ------------------------------------------------------------------------------------------------------------


def test_is_picture() -> None:
    assert all(is_picture(name) for name in ("a.jpg", "B.HEIC", "照片.png", Path("x/y.tiff"), "a.b.webp"))
    assert not any(is_picture(name) for name in ("a.txt", "jpg", ".jpg", "a.mp4", "._IMG_1.jpg", "Thumbs.db"))


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.jpg", ".jpg"),
        ("IMG_1.JPG", ".JPG"),
        ("a.png", ".png"),
        ("a.heic", ".jpg"),
        ("a.HIF", ".jpg"),
        ("a.gif", ".png"),
        ("a.avif", ".avif"),
        ("no suffix", ".png"),
    ],
)
def test_output_suffix(name: str, suffix: str) -> None:
    assert output_suffix(name) == suffix


def test_every_picture_has_a_suffix_to_be_written_with() -> None:
    assert all(output_suffix(f"a{suffix}").lower() in SUFFIXES_WRITE for suffix in SUFFIXES_READ)


@pytest.mark.parametrize("head", [b"\0\0\0\x20ftypisom", b"\x1a\x45\xdf\xa3", b"RIFF\0\0\0\0AVI LIST"])
def test_a_video_is_told_as_one(head: bytes) -> None:
    with pytest.raises(ImageReadError, match="it looks like a video, which likeness video takes"):
        read_image(head + bytes(100))
