from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from likeness.cli import edit, main
from likeness.cli.edited import EditedFile
from likeness.cli.ledger import stamp_of
from likeness.compute.cancellation import WorkCancelled
from likeness.errors import ImageWriteError
from likeness.imaging.files import read_image
from likeness.imaging.image import Image
from likeness.imaging.origin import Note


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    PillowImage.fromarray(np.full((40, 30, 3), 90, np.uint8)).save(path)
    return path


def _opened(url: str) -> bool:
    raise AssertionError(f"{url} was opened")


def edited_file(source: Path, target: Path, *, overwrite: bool = False) -> EditedFile:
    return EditedFile(
        read_image(source), source.name, target, before=stamp_of(target), overwrite=overwrite, on_end=lambda _: None
    )


@pytest.mark.parametrize(
    "line",
    [
        ["none.jpg"],
        ["photo.png", "--model", "nosuch"],
        ["photo.png", "-o", "photo.png", "--overwrite"],
        ["photo.png", "-o", "link.png", "--overwrite"],
        ["photo.png", "-o", "gone/after.png"],
        ["photo.png", "-o", "after"],
        ["broken.jpg", "--in-place"],
    ],
    ids=" ".join,
)
def test_what_cannot_begin_ends_with_2(
    line: list[str], photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(photo.parent)
    Path("link.png").symlink_to(photo)
    Path("broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    held = photo.read_bytes()
    monkeypatch.setattr(edit, "open_page", _opened)
    assert main(["edit", *line]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert photo.read_bytes() == held


def test_in_place_neither_colours_nor_protection_are_lost(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = photo.with_name("print.tif")
    PillowImage.new("CMYK", (30, 40), (10, 20, 30, 0)).save(printed)
    bright = replace(read_image(photo), notes=(Note(code="hdr", value="PQ"),))
    held = printed.read_bytes()
    assert main(["edit", "--in-place", str(printed)]) == 2
    assert "holds CMYK" in capsys.readouterr().err
    assert printed.read_bytes() == held
    photo.chmod(0o444)
    assert main(["edit", "--in-place", str(photo)]) == 2
    assert "write-protected" in capsys.readouterr().err
    photo.chmod(0o644)

    def read(_: Path) -> Image:
        return bright

    monkeypatch.setattr("likeness.imaging.files.read_image", read)
    assert main(["edit", "--in-place", str(photo)]) == 2
    assert "holds HDR" in capsys.readouterr().err


def test_what_another_program_wrote_meanwhile_is_not_replaced(photo: Path) -> None:
    after = Image.from_array(np.zeros((40, 30, 3), np.uint8))
    for target in (photo, photo.with_name("photo-likeness.png")):
        editing = edited_file(photo, target)
        target.write_bytes(b"somebody's work")
        with pytest.raises(ImageWriteError, match="another program"):
            editing.save(after)
        assert target.read_bytes() == b"somebody's work"
        assert not editing.saved
        target.rename(target.with_suffix(".theirs"))
        editing.save(after)
        assert editing.saved
        assert read_image(target).pixels.max() == 0
    target.write_bytes(b"own")
    replacing = edited_file(photo, target, overwrite=True)
    os.utime(target, ns=(0, 0))
    replacing.save(after)
    assert read_image(target).pixels.max() == 0


def test_a_link_stays_one(photo: Path) -> None:
    link = photo.with_name("link.png")
    link.symlink_to(photo)
    assert edit.target_in_place(link, read_image(link)) == photo.resolve()


def test_the_end_waits_for_what_is_written_and_lets_nothing_follow(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, free = threading.Event(), threading.Event()

    def slow(_: Image, target: Path) -> None:
        begun.set()
        assert free.wait(10)
        target.write_bytes(b"whole")

    monkeypatch.setattr("likeness.server.live.editing.write_image", slow)
    editing = edited_file(photo, photo)
    work = threading.Thread(target=editing.save, args=(editing.image,))
    work.start()
    assert begun.wait(10)
    threading.Timer(0.1, free.set).start()
    editing.close()
    assert editing.saved
    work.join()
    with pytest.raises(WorkCancelled):
        editing.save(editing.image)
    assert stamp_of(photo.with_name("gone")) is None
