"""Folders as people have them."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from types import FrameType

import pytest
from machine import as_nobody

from likeness.core.opening import open_file
from likeness.errors import ImageReadError
from likeness.imaging.files import read_image
from likeness.imaging.folders import list_folder, match_files, pictures_in, split_pattern
from likeness.imaging.names import as_spelt, result_names, same_on_disk

posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes, links and permissions as POSIX has them")


def written(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"a picture")
    return folder


@pytest.fixture(autouse=True)
def nothing_hangs() -> Generator[None]:
    """A pipe that is waited for ends the test, not the day."""
    if sys.platform == "win32":
        yield
        return

    def late(_: int, __: FrameType | None) -> None:
        raise TimeoutError("it waits for something")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def open_to_all() -> Generator[Path]:
    """A folder that another user can look into, which pytest's own cannot be."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


def test_bins_and_thumbnails_are_left_alone_and_counted(tmp_path: Path) -> None:
    left = (
        "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",
        "sub/@eaDir/b.jpg/SYNOPHOTO_THUMB_M.jpg",
        "#recycle/old.jpg",
        "@Recycle/older.jpg",
        "$RECYCLE.BIN/S-1-5/$R1.jpg",
        "RECYCLER/x.jpg",
        "System Volume Information/x.jpg",
        ".Trash-1000/files/gone.jpg",
        ".Trashes/501/gone.png",
        ".thumbnails/normal/1.png",
        ".@__thumb/default_a.jpg",
        "__MACOSX/._a.jpg",
        ".AppleDouble/a.jpg",
        "lost+found/1.jpg",
        "._a.jpg",
        ".hidden.jpg",
    )
    written(tmp_path, "a.jpg", "sub/b.jpg", "sub/deep/c.tif", "notes.txt", "Thumbs.db", ".DS_Store", *left)
    listing = list_folder(tmp_path)
    assert listing.files == ("Thumbs.db", "a.jpg", "notes.txt", "sub/b.jpg", "sub/deep/c.tif")
    assert list(listing.remarks) == ["hidden"]
    assert listing.remarks["hidden"].startswith(f"{tmp_path}: {len(left)} pictures were left alone in bins, thumbnail")
    assert "and 13 more" in listing.remarks["hidden"]
    assert list_folder(tmp_path / "@eaDir").files == ("a.jpg/SYNOPHOTO_THUMB_XL.jpg",), "named itself it is meant"


@posix
def test_pipes_sockets_links_and_circles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "a.jpg", "sub/b.jpg")
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    os.mkfifo("pipe.jpg")
    os.mkfifo("no-picture")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jpg")
    Path("circle.jpg").symlink_to("circle.jpg")
    Path("lost.jpg").symlink_to("nowhere.jpg")
    Path("again.jpg").symlink_to("a.jpg")
    Path("sub/up").symlink_to("..")
    Path("sub/self").symlink_to("self")
    listing = list_folder(tmp_path)
    assert listing.files == ("a.jpg", "again.jpg", "sub/b.jpg")
    assert set(listing.remarks) == {"special", "links"}
    for words in ("circle.jpg is a link that leads nowhere", "lost.jpg is a link", "pipe.jpg is a named pipe"):
        assert words in listing.remarks["special"]
    assert "and 1 more" in listing.remarks["special"], "the socket"
    assert "sub/up" in listing.remarks["links"]
    # Two stars would go round in them.
    assert match_files(tmp_path, "**/*.jpg").files == ("a.jpg", "again.jpg", "sub/b.jpg")
    assert match_files(tmp_path, "*.jpg").files == ("a.jpg", "again.jpg")
    for name, words in (("pipe.jpg", "named pipe"), ("socket.jpg", "socket"), ("/dev/zero", "device")):
        with pytest.raises(ImageReadError, match=words):
            read_image(Path(name))


@posix
def test_a_pipe_of_a_shell_is_read(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"bytes")
    os.close(writing)
    with open_file(Path(f"/dev/fd/{reading}")) as stream:
        assert stream.read() == b"bytes"
    os.close(reading)
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)


@posix
def test_one_folder_that_cannot_be_read_does_not_stop_the_others(
    open_to_all: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(open_to_all, "a.jpg", "closed/b.jpg", "open/c.jpg")
    (open_to_all / "closed").chmod(0)
    with as_nobody():
        listing = list_folder(open_to_all)
        with caplog.at_level(logging.WARNING, "likeness"):
            assert pictures_in(open_to_all) == ["a.jpg", "open/c.jpg"]
        assert match_files(open_to_all, "**/*.jpg").files == ("a.jpg", "open/c.jpg")
        with pytest.raises(PermissionError):
            list_folder(open_to_all / "closed")
    assert listing.files == ("a.jpg", "open/c.jpg")
    assert "closed (Permission denied)" in listing.remarks["unreadable"]
    assert "closed" in caplog.text


def test_results_have_names_that_no_disk_takes_for_one() -> None:
    assert result_names(["IMG_1.HEIC", "IMG_1.JPG", "IMG_1.png"]) == ["IMG_1.HEIC.jpg", "IMG_1.JPG", "IMG_1.png"]
    assert result_names(["wave.gif", "wave.png"]) == ["wave.gif.png", "wave.png"]
    assert result_names(["a.heic", "a.HEIF", "a.hif"]) == ["a.jpg", "a.HEIF.jpg", "a.hif.jpg"]
    assert result_names(["IMG.jpg", "img.jpg", "img-2.jpg"]) == ["IMG.jpg", "img-3.jpg", "img-2.jpg"]
    assert result_names(["Ann/1.jpg", "ann/1.jpg"]) == ["Ann/1.jpg", "ann/1-2.jpg"]
    assert result_names(["a.heic"], taken=["A.JPG", "a.heic.jpg"]) == ["a.heic-2.jpg"]
    assert result_names(["a.heic", "a.jpg/b.png"]) == ["a.heic.jpg", "a.jpg/b.png"], "a folder has that name"
    composed, apart = "caf\u00e9.jpg", "cafe\u0301.jpg"
    first, second = result_names([composed, apart])
    assert (first, same_on_disk(second)) == (composed, same_on_disk("caf\u00e9-2.jpg"))
    names = [
        f"{stem}{suffix}" for stem in ("a", "A", "\u00e4", "a\u0308") for suffix in (".jpg", ".JPG", ".heic", ".gif")
    ]
    assert len({same_on_disk(name) for name in result_names(names)}) == len(names)
    assert result_names(names) == result_names(names)


def test_a_name_is_found_in_the_other_spelling(tmp_path: Path) -> None:
    composed, apart = "Andr\u00e9", "Andre\u0301"
    written(tmp_path, f"{apart}/{composed}.jpg")
    assert as_spelt(tmp_path / composed / f"{apart}.jpg") == tmp_path / apart / f"{composed}.jpg"
    assert as_spelt(tmp_path / composed / "other.jpg") == tmp_path / composed / "other.jpg"
    assert as_spelt(Path("no such folder/x.jpg")) == Path("no such folder/x.jpg")


def test_patterns(tmp_path: Path) -> None:
    written(tmp_path, "a.jpg", "19/b.jpg", "19/x/c.jpg", "20/d.jpg", "19/@eaDir/b.jpg/t.jpg", "19/#recycle/e.jpg")
    assert split_pattern("scans/19*/**/*.jpg") == ("scans", "19*/**/*.jpg")
    assert split_pattern("/*.jpg") == ("/", "*.jpg")
    assert split_pattern("*.jpg") == (".", "*.jpg")
    for pattern, names in (
        ("**/*.jpg", ("19/b.jpg", "19/x/c.jpg", "20/d.jpg", "a.jpg")),
        ("1*/**/*.jpg", ("19/b.jpg", "19/x/c.jpg")),
        ("19/**", ("19/b.jpg", "19/x/c.jpg")),
        ("**/x/*", ("19/x/c.jpg",)),
        ("*/*.jpg", ("19/b.jpg", "20/d.jpg")),
        ("19/*/*.jpg", ("19/x/c.jpg",)),
        ("19/#recycle/*.jpg", ("19/#recycle/e.jpg",)),
        ("*.png", ()),
    ):
        assert match_files(tmp_path, pattern).files == names, pattern
