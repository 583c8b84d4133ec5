from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from likeness.cli import main
from likeness.errors import ConfigError, ImageReadError
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import Face
from likeness.imaging.files import read_image, write_image
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image
from likeness.reference.albums import Corrections, read_corrections, write_corrections
from likeness.reference.matching import FaceMatcher
from likeness.reference.people import (
    Album,
    AlbumReferences,
    known_album,
    read_album,
    scan_album,
    write_album,
)
from likeness.reference.people_page import people_page
from likeness.restore.pipeline import Restorer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, astronaut: Image) -> Path:
    """One person sharp and blurred, in two folders, beside a picture of nobody and a broken file."""
    place = tmp_path_factory.mktemp("album")
    (place / "1969").mkdir()
    write_image(astronaut, place / "1969" / "sharp.png")
    write_image(astronaut.with_pixels(gaussian_blur(astronaut.pixels, 1.2)), place / "blurred.png")
    write_image(Image(pixels=np.full((64, 64, 3), 0.5, np.float32)), place / "grey.png")
    (place / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return place


@pytest.fixture(scope="module")
def album(folder: Path, matcher: FaceMatcher) -> Album:
    return scan_album(folder, MediaPipeDetector(), matcher)


def test_faces_are_found_once_and_kept(folder: Path, album: Album, matcher: FaceMatcher, tmp_path: Path) -> None:
    assert list(album.faces) == ["blurred.png#0", "1969/sharp.png#0"]
    assert set(album.files) == {"blurred.png", "broken.png", "grey.png", "1969/sharp.png"}
    assert album.faces["1969/sharp.png#0"].pixels > album.faces["blurred.png#0"].pixels
    write_album(tmp_path / "people.json", album, album.persons())
    kept = read_album(tmp_path / "people.json")
    for key, face in album.faces.items():
        assert float(face.embedding @ kept.faces[key].embedding) > 0.9999
    read: list[str] = []
    again = scan_album(folder, MediaPipeDetector(), matcher, known=kept, told=read.append)
    assert (list(again.faces), read) == (list(album.faces), [])
    changed = Album(folder=folder, files={**kept.files, "blurred.png": "another"}, faces=kept.faces)
    scan_album(folder, MediaPipeDetector(), matcher, known=changed, told=read.append)
    assert read == ["blurred.png"]


def test_what_is_no_album_is_refused(folder: Path, matcher: FaceMatcher, tmp_path: Path) -> None:
    for number, text in enumerate(("", "[]", '{"schema": 2, "folder": "a", "files": {}}')):
        path = tmp_path / f"{number}.json"
        path.write_text(text)
        with pytest.raises(ConfigError, match="is no album"):
            read_album(path)
    with pytest.raises(ConfigError, match=r"cannot be read as an album \(No such file or directory\)"):
        read_album(tmp_path / "nowhere.json")
    with pytest.raises(ImageReadError, match="is no folder"):
        scan_album(folder / "grey.png", MediaPipeDetector(), matcher)


def test_an_album_of_an_earlier_matcher_is_made_anew_and_serves_nobody(
    album: Album, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "people.json"
    assert known_album(path) is None
    write_album(path, album, album.persons())
    known = known_album(path)
    assert known is not None
    assert known.files == album.files
    assert not caplog.records
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"schema": content["schema"] - 1}))
    assert known_album(path) is None
    assert "all photographs are read again" in caplog.text
    with pytest.raises(ConfigError, match="of another version"):
        read_album(path)
    path.write_text(json.dumps(content | {"schema": content["schema"] + 1}))
    with pytest.raises(ConfigError, match="of another version"):
        known_album(path)


def test_a_face_is_served_by_its_person_as_corrected(
    folder: Path, album: Album, tiny_model: Path, matcher: FaceMatcher
) -> None:
    blurred, sharp = "blurred.png#0", "1969/sharp.png#0"
    restorer = Restorer(tiny_model, precision="f32")
    image = read_image(folder / "blurred.png")

    def names(corrections: Corrections) -> set[str]:
        source = AlbumReferences(album, corrections, matcher=matcher)
        (face,) = restorer.restore(image, references=source).faces
        assert face.references is not None
        return {match.name for match in face.references.matches if match.serves}

    assert names(Corrections()) == {"1969/sharp.png"}
    assert names(Corrections(merge=((blurred, sharp),))) == {"1969/sharp.png"}
    assert names(Corrections(split=((blurred, sharp),))) == set()
    assert names(Corrections(never=frozenset({sharp}))) == set()


def test_a_photograph_that_has_changed_serves_with_the_same_persons_face_or_not_at_all(
    astronaut: Image, tiny_model: Path, matcher: FaceMatcher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was the astronaut's first face may be another person's in the new file."""
    stranger = read_image(Path(__file__).resolve().parents[2] / "examples" / "spectacles.jpg")
    write_image(astronaut, tmp_path / "sharp.png")
    album = scan_album(tmp_path, MediaPipeDetector(), matcher)
    restorer = Restorer(tiny_model, precision="f32")
    image = astronaut.with_pixels(gaussian_blur(astronaut.pixels, 1.2))

    def served() -> list[str]:
        (face,) = restorer.restore(image, references=AlbumReferences(album, matcher=matcher)).faces
        assert face.references is not None
        return [match.name for match in face.references.matches if match.serves]

    assert served() == ["sharp.png"]
    write_image(stranger, tmp_path / "sharp.png")
    assert served() == []
    assert "no longer shows that face" in caplog.text
    # Beside a stranger, who comes first: the number is the stranger's, the face is found all the same.
    both = np.zeros((max(stranger.size.height, 400), stranger.size.width + 256, 3), np.float32)
    both[: stranger.size.height, : stranger.size.width] = stranger.pixels
    both[100:356, stranger.size.width :] = astronaut.pixels
    write_image(Image(pixels=both), tmp_path / "sharp.png")
    source = AlbumReferences(album, matcher=matcher)
    lent = source._reference("sharp.png#0", 512, restorer.detector)  # pyright: ignore[reportPrivateUsage]
    assert lent is not None
    assert float(lent.embedding @ album.faces["sharp.png#0"].embedding) > 0.9
    caplog.clear()

    class Unclear(MediaPipeDetector):
        """No mesh is found any more."""

        def detect(self, image: Image) -> tuple[Face, ...]:
            return tuple(
                replace(face, landmarks=replace(face.landmarks, source="template")) for face in super().detect(image)
            )

    write_image(astronaut, tmp_path / "sharp.png")
    assert source._prepared("sharp.png#0", 512, Unclear()) is None  # pyright: ignore[reportPrivateUsage]
    assert "cannot serve any more" in caplog.text


def test_a_photograph_that_the_disk_holds_back_for_a_moment_serves_afterwards(
    folder: Path, album: Album, tiny_model: Path, matcher: FaceMatcher, caplog: pytest.LogCaptureFixture
) -> None:
    away = True

    def read(path: Path) -> Image:
        if away:
            raise ImageReadError("it broke off") from OSError(5, "Input/output error")
        return read_image(path)

    restorer, source = Restorer(tiny_model, precision="f32"), AlbumReferences(album, matcher=matcher, read=read)

    def served() -> int:
        (face,) = restorer.restore(folder / "blurred.png", references=source).faces
        assert face.references is not None
        return sum(match.serves for match in face.references.matches)

    assert (served(), served()) == (0, 0)
    told = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.getMessage() for record in told] == ["1969/sharp.png#0 cannot serve now: it broke off"]
    away = False
    assert served() == 1


def test_the_page_shows_every_face_and_no_name_ends_its_script(album: Album) -> None:
    corrections = Corrections(merge=(("</script><b>#0", "1969/sharp.png#0"),), never=frozenset({"blurred.png#0"}))
    page = people_page(album, album.persons(corrections), corrections)
    assert page.count("data:image/jpeg;base64,") == 2
    assert "</script><b>" not in page
    assert "class='never' title='blurred.png'" in page
    assert "data-key='blurred.png#0'" in page
    assert "http" not in page


def test_faces_that_are_alone_stand_together(album: Album) -> None:
    together, apart = Corrections(), Corrections(split=(("blurred.png#0", "1969/sharp.png#0"),))
    assert "Seen once" not in people_page(album, album.persons(together), together)
    page = people_page(album, album.persons(apart), apart)
    assert page.count("<section") == 1
    assert "<section data-once><h2>Seen once <small>2 faces, each of another person</small>" in page
    assert page.count("data:image/jpeg;base64,") == 2


def test_the_command_groups_a_folder_and_restore_takes_the_album(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["people", str(folder)]) == 0
    said = capsys.readouterr().err
    assert "faces: 2, in 4 photographs; persons: 1, of whom 1 more than once" in said
    out = tmp_path / f"people_{folder.name}"
    assert {path.name for path in out.iterdir()} == {"index.html", "people.json"}
    (out / "corrections.json").write_text(json.dumps({"split": [["blurred.png#0", "1969/sharp.png#0"]]}))
    assert main(["people", str(folder)]) == 0
    assert "persons: 2" in capsys.readouterr().err
    model = ["--model", str(tiny_model), "--device", "cpu"]
    run = ["restore", str(folder / "blurred.png"), "-o", "result.png", "--overwrite", *model]
    assert main([*run, "--album", str(out / "people.json")]) == 0
    assert "with detail" not in capsys.readouterr().err
    assert main([*run, "--album", str(folder)]) == 0
    assert "with detail of 1969/sharp.png" in capsys.readouterr().err
    assert main([*run, "--album", str(folder / "grey.png")]) == 2
    assert main([*run, "--album", str(folder), "--reference", str(folder)]) == 2
    assert "contradict each other" in capsys.readouterr().err
    assert main(["people", str(folder / "grey.png")]) == 1


def test_a_photograph_that_the_disk_holds_back_is_read_the_next_time(
    astronaut: Image, matcher: FaceMatcher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_image(astronaut, tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")

    def fails(path: Path) -> Image:
        if path.name == "a.png":
            raise ImageReadError("it broke off") from OSError(5, "Input/output error")
        return read_image(path)

    first = scan_album(tmp_path, MediaPipeDetector(), matcher, read=fails)
    assert set(first.files) == {"b.png"}
    assert "a.png could not be read (it broke off)" in caplog.text
    again = scan_album(tmp_path, MediaPipeDetector(), matcher, known=first)
    assert list(again.faces) == ["a.png#0", "b.png#0"]


def test_names_that_are_no_text_and_a_byte_order_mark_are_taken(album: Album, tmp_path: Path) -> None:
    face = replace(album.faces["blurred.png#0"], file="caf\udce9.png")
    odd = Album(folder=tmp_path, files={face.file: "0"}, faces={face.key: face})
    write_album(tmp_path / "people.json", odd, odd.persons())
    assert list(read_album(tmp_path / "people.json").faces) == [face.key]
    corrections = Corrections(never=frozenset({face.key}))
    path = tmp_path / "corrections.json"
    write_corrections(path, corrections)
    assert read_corrections(path) == corrections
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_corrections(path) == corrections


def test_a_page_of_somebody_else_is_not_replaced(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "index.html"
    page.write_text("my site")
    assert main(["people", str(folder), "-o", str(tmp_path)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert page.read_text() == "my site"
    assert list(tmp_path.iterdir()) == [page]
    assert main(["people", str(folder), "-o", str(tmp_path), "--overwrite"]) == 0
    page.unlink()
    assert main(["people", str(folder), "-o", str(tmp_path), "-q"]) == 0
    assert page.exists()
