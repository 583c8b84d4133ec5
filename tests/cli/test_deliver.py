from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL.TiffImagePlugin import TiffImageFile
from profiles import ADOBE, gamma_curve, matrix_profile

from likeness import Enlargement, Restorer
from likeness.batch.journal import Journal, Task
from likeness.batch.results import deliver as deliver_result
from likeness.batch.results import withdraw
from likeness.batch.storage import Storage
from likeness.cli import main
from likeness.core.hashing import sha256_of_bytes
from likeness.faces.detect import MediaPipeDetector
from likeness.imaging.files import read_image
from likeness.reference.matching import FaceMatcher
from likeness.reference.people import AlbumReferences, scan_album

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "sub").mkdir(parents=True)
    shutil.copy(EXAMPLES / "portrait.jpg", "in/portrait.jpg")
    shutil.copy(EXAMPLES / "grey-film.png", "in/sub/grey.png")
    return tmp_path


def opened(path: str) -> PillowImage.Image:
    """In memory, so that no file stays open."""
    return PillowImage.open(io.BytesIO(Path(path).read_bytes()))


def names(place: str) -> list[str]:
    return sorted(path.relative_to(place).as_posix() for path in Path(place).rglob("*") if path.is_file())


def test_a_folder_gets_both_versions(capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in Path("in").rglob("*.*")}
    assert main(["deliver", "in", "out"]) == 0
    assert names("out") == ["print/portrait.tif", "print/sub/grey.tif", "web/portrait.jpg", "web/sub/grey.jpg"]
    assert {path: path.read_bytes() for path in Path("in").rglob("*.*")} == before
    web, paper = opened("out/web/portrait.jpg"), opened("out/print/portrait.tif")
    assert web.size == (581, 726)  # no larger than 1080 px as it is
    assert paper.size == (872, 1089)
    assert paper.info["dpi"] == (300, 300)
    assert paper.info["icc_profile"]
    err = capsys.readouterr().err
    assert "872x1089 px, 74 x 92 mm at 300 dpi, 1.50 times as large, sharpened, edges overshoot by 0." in err
    assert "2 of 2 pictures delivered to out" in err


def test_a_batch_is_delivered_from_what_the_network_drew(capsys: pytest.CaptureFixture[str]) -> None:
    original = Path("small/thumbnail.jpg")
    original.parent.mkdir()
    shutil.copy(EXAMPLES / "spectacles.jpg", original)
    assert main(["batch", "small", "made"]) == 0
    capsys.readouterr()
    flags = ["--web", "--web-size", "412"]
    assert main(["deliver", "made", "drawn", *flags]) == 0
    assert "restored again from its original, 2 times as large" in capsys.readouterr().err
    expected = Restorer().restore(original, "standard", enlargement=Enlargement(upscale=2)).image
    web = np.asarray(opened("drawn/web/thumbnail.jpg").convert("RGB")).astype(float)
    assert np.abs(web - expected.to_uint8()).mean() < 2

    # Where that cannot be done the finished file is what there is, and it is said why.
    assert main(["deliver", "made", "plain", *flags, "--as-finished"]) == 0
    assert opened("plain/web/thumbnail.jpg").size == (164, 206)
    assert "original" not in capsys.readouterr().err
    whole = original.read_bytes()
    original.write_bytes(whole + b"more")
    assert main(["deliver", "made", "changed", *flags]) == 0
    assert f"{original} is no longer the picture that the batch restored" in capsys.readouterr().err
    original.unlink()
    assert main(["deliver", "made", "gone", *flags]) == 0
    assert "could not be restored again from its original" in capsys.readouterr().err
    original.write_bytes(whole)
    finished = Path("made/final/thumbnail.jpg")
    finished.write_bytes(finished.read_bytes() + b"\0")
    assert main(["deliver", "made/final", "edited", *flags]) == 0
    assert "was changed after its batch" in capsys.readouterr().err
    for place in ("changed", "gone", "edited"):
        assert opened(f"{place}/web/thumbnail.jpg").size == (164, 206)


def test_a_batchs_other_photographs_serve_what_is_restored_again(capsys: pytest.CaptureFixture[str]) -> None:
    original, album = Path("poor/hopper.jpg"), Path("family")
    original.parent.mkdir()
    album.mkdir()
    shutil.copy(EXAMPLES / "spectacles.jpg", original)
    shutil.copy(EXAMPLES / "original" / "hopper.jpg", album / "sharp.jpg")
    assert main(["batch", "poor", "done", "--album", "family"]) == 0
    flags = ["--web", "--web-size", "412"]
    assert main(["deliver", "done", "drawn", *flags]) == 0
    assert "restored again from its original" in capsys.readouterr().err
    served = AlbumReferences(scan_album(album, MediaPipeDetector(), FaceMatcher()))
    restored = Restorer().restore(original, "standard", references=served, enlargement=Enlargement(upscale=2))
    assert restored.faces[0].references is not None
    assert restored.faces[0].references.gifts
    web = np.asarray(opened("drawn/web/hopper.jpg").convert("RGB")).astype(float)
    assert np.abs(web - restored.image.to_uint8()).mean() < 2
    # With other photographs it would be another result.
    (album / "sharp.jpg").unlink()
    shutil.copy(EXAMPLES / "original" / "astronaut.jpg", album / "sharp.jpg")
    assert main(["deliver", "done", "changed", *flags]) == 0
    assert "the other photographs that served poor/hopper.jpg are no longer" in capsys.readouterr().err


def test_formats_sizes_and_single_files() -> None:
    assert main(["deliver", "in/portrait.jpg", "w.webp", "--web", "--web-format", "webp", "--web-size", "200"]) == 0
    assert opened("w.webp").size == (160, 200)
    assert (
        main(["deliver", "in/portrait.jpg", "p.jpg", "--print", "--print-format", "jpg", "--print-size", "60x90mm"])
        == 0
    )
    assert opened("p.jpg").size == (709, 886)
    flags = ["--print", "--print-scale", "1", "--bit-depth", "16", "--dpi", "240"]
    assert main(["deliver", "in/portrait.jpg", "p.tif", *flags]) == 0
    assert read_image("p.tif").bit_depth == 16


def test_a_profile_from_a_file(folder: Path) -> None:
    profile = matrix_profile(ADOBE, gamma_curve(563 / 256))
    (folder / "lab.icc").write_bytes(profile)
    assert main(["deliver", "in/portrait.jpg", "p.tif", "--print", "--profile", "lab.icc"]) == 0
    assert opened("p.tif").info["icc_profile"] == profile
    assert main(["deliver", "p.tif", "s.tif", "--print", "--print-scale", "1", "--profile", "sRGB"]) == 0
    assert opened("s.tif").info["icc_profile"] != profile


def test_warmth_with_and_without_an_amount(capsys: pytest.CaptureFixture[str]) -> None:
    def saturation(*flags: str) -> float:
        assert main(["deliver", "in/portrait.jpg", "w.jpg", "--web", "--web-size", "726", "--overwrite", *flags]) == 0
        part = np.asarray(opened("w.jpg").convert("HSV"))[200:300, 250:330]
        return float(part[..., 1].mean())

    plain, warm, warmer = saturation(), saturation("--warmth"), saturation("--warmth", "0.4")
    assert plain * 1.08 < warm < warmer
    assert main(["deliver", "in/portrait.jpg", "w.jpg", "--web", "--warmth", "0.9"]) == 2
    assert "warmth must be between -0.5 and 0.5, not 0.9" in capsys.readouterr().err
    PillowImage.new("RGB", (200, 200), (120, 90, 80)).save("flat.png")
    assert main(["deliver", "flat.png", "f.jpg", "--web", "--warmth"]) == 0
    assert "no face was found, so there was nothing to finish" in capsys.readouterr().err


def test_one_bad_picture_does_not_stop_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    Path("in/broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    assert main(["deliver", "in", "out", "--web"]) == 1
    err = capsys.readouterr().err
    assert "in/broken.jpg" in err
    assert "2 of 3 pictures delivered" in err
    assert names("out") == ["web/portrait.jpg", "web/sub/grey.jpg"]


def test_too_few_pixels_for_the_paper(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deliver", "in/portrait.jpg", "out", "--print", "--print-size", "300x400"]) == 1
    assert "per inch, under the 100 that a print needs" in capsys.readouterr().err
    assert not Path("out").exists()
    assert main(["deliver", "in/portrait.jpg", "out", "--print", "--print-size", "90x120"]) == 0
    assert "look soft at reading distance" in capsys.readouterr().err
    assert main(["deliver", "in/portrait.jpg", "out", "--print", "--print-size", "300x400", "--overwrite"]) == 1
    assert "out/print/portrait.tif was there before this run, which wrote nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.jpg", "x.jpg", "--web"], "missing.jpg is no single picture"),
        (["in", "in"], "is the folder of the pictures"),
        (["in", "x.jpg", "--web"], "is no single picture"),
        (["in/portrait.jpg", "x.jpg"], "there are two versions"),
        (["in/portrait.jpg", "x.png", "--web"], "is no jpg file"),
        (["in/portrait.jpg", "no/x.jpg", "--web"], "does not exist; make it first"),
        (["in/portrait.jpg", "in/portrait.jpg", "--web"], "is an input and would be overwritten"),
        (["in/portrait.jpg", "out", "--print-size", "90", "--print-scale", "2"], "give one of them"),
        (["in/portrait.jpg", "out", "--print-size", "big"], "is no size in millimetres"),
        (["in/portrait.jpg", "out", "--profile", "none.icc"], "--profile none.icc cannot be read"),
        (["in/portrait.jpg", "out", "--profile", "in/portrait.jpg"], "cannot be used as an ICC profile"),
        (["in/portrait.jpg", "out", "--web-size", "3"], "16 px or more"),
        (["-", "out"], "reads and writes files"),
        (["empty", "out"], "holds no picture"),
    ],
)
def test_what_cannot_begin_is_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").mkdir()
    assert main(["deliver", *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert not Path("out").exists()


def test_two_pictures_of_one_name_keep_their_suffixes() -> None:
    shutil.copytree("in", "twice")
    shutil.copy("twice/portrait.jpg", "twice/portrait.jpeg")
    assert main(["deliver", "twice", "out", "--web"]) == 0
    assert {"portrait.jpg.jpg", "portrait.jpeg.jpg"} <= {path.name for path in Path("out/web").iterdir()}


def test_of_a_batch_only_what_is_final_is_delivered() -> None:
    for name in ("final/a.jpg", "review/b.jpg", "proofs/proof_a.jpg"):
        Path("batch", name).parent.mkdir(parents=True)
        shutil.copy("in/portrait.jpg", Path("batch", name))
    assert main(["deliver", "batch", "sent", "--web"]) == 0
    assert [path.as_posix() for path in Path("sent").rglob("*.jpg")] == ["sent/web/a.jpg"]


def test_what_an_earlier_run_left_is_not_delivered(capsys: pytest.CaptureFixture[str]) -> None:
    contents = {
        name: b"%d" % number for number, name in enumerate(("done.jpg", "waits.jpg", "failed.jpg", "by-hand.jpg"))
    }
    whole = Path("in/portrait.jpg").read_bytes()
    Path("batch/final").mkdir(parents=True)
    with Journal(Path("batch/journal.sqlite")) as journal:
        for name in contents:
            Path("batch/final", name).write_bytes(whole + contents[name])
        for moment in ("yesterday", "today"):
            for name in contents:
                content = "same" if name == "done.jpg" else moment
                journal.put([Task(target=name, source=f"in/{name}", content=content, model="m")])
            while item := journal.claim():
                data = whole + contents[item.target]
                written = {"output": f"final/{item.target}", "bytes": len(data), "digest": sha256_of_bytes(data)}
                written |= {"width": 581, "height": 726, "faces": []}
                if moment == "yesterday":
                    journal.finish(item, "final", outcome=written)
                elif item.target == "failed.jpg":
                    journal.fail(item, "its disk was away", retry=True, outcome={**written, "output": None})
                    break
                else:
                    held = item
        assert held.target == "waits.jpg"
    Path("batch/final/by-hand.jpg").write_bytes(whole + b"retouched")
    assert main(["deliver", "batch", "sent", "--web"]) == 1
    assert names("sent") == ["web/by-hand.jpg", "web/done.jpg"]
    said = capsys.readouterr().err
    assert "waits.jpg is left out: an earlier run made it, and its picture waits to be done again" in said
    assert "failed.jpg is left out: an earlier run made it, and its picture has failed since" in said
    assert "2 of 4 pictures delivered" in said
    assert main(["deliver", "batch/final/waits.jpg", "sent", "--web"]) == 0


def test_what_was_delivered_before_and_is_not_today_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    whole, output = Path("in/portrait.jpg").read_bytes(), Storage("batch")
    ends: dict[str, Literal["final", "review", "skipped", "failed"]] = {
        "anna/stays.jpg": "final",
        "anna/doubtful.jpg": "review",
        "anna/doubtful.png": "review",
        "anna/empty.jpg": "skipped",
        "anna/broken.jpg": "failed",
        "waits.jpg": "final",
    }
    with Journal(Path("batch/journal.sqlite")) as journal:

        def run(day: str, states: dict[str, Literal["final", "review", "skipped", "failed"]]) -> None:
            for name in states:
                journal.put([Task(target=name, source=f"in/{name}", content=day, model="m")])
            for _ in states:
                item = journal.claim()
                assert item is not None
                data = f"{day} {item.target}".encode()
                data, state = whole + data, states[item.target]
                written = {"output": f"{state}/{item.target}", "bytes": len(data), "digest": sha256_of_bytes(data)}
                written |= {"width": 581, "height": 726, "faces": []}
                if state in ("skipped", "failed"):
                    withdraw(output, item)
                    written = {}
                else:
                    deliver_result(output, item, state, data, written["digest"])
                if state == "failed":
                    journal.fail(item, "it cannot be read")
                else:
                    journal.finish(item, state, outcome=written)

        run("monday", dict.fromkeys(ends, "final"))
        assert main(["deliver", "batch", "sent", "--web"]) == 0
        assert len(names("sent")) == len(ends)
        run("tuesday", {name: state for name, state in ends.items() if name != "waits.jpg"})
        journal.put([Task(target="waits.jpg", source="in/waits.jpg", content="tuesday", model="m")])
    # A studio's own file, and one of another kind.
    shutil.copy("in/portrait.jpg", "sent/web/anna/price-list.jpg")
    shutil.copy("in/portrait.jpg", "sent/web/anna/empty.webp")
    before = {name: Path("sent", name).read_bytes() for name in names("sent")}
    capsys.readouterr()
    assert main(["deliver", "batch", "sent", "--web"]) == 1
    said = capsys.readouterr().err
    told = "{} was there before this run, which wrote nothing in its place: its picture {}"
    for name, became in (
        ("anna/doubtful.jpg.jpg", "waits in review"),
        ("anna/doubtful.png.jpg", "waits in review"),
        ("anna/empty.jpg", "was left alone"),
        ("anna/broken.jpg", "has failed since"),
        ("waits.jpg", "waits to be done again"),
    ):
        assert told.format(f"sent/web/{name}", became) in said
    assert said.count("was there before this run") == 5
    after = {name: Path("sent", name).read_bytes() for name in names("sent")}
    assert {name for name in after if before[name] != after[name]} <= {"web/anna/stays.jpg"}
    assert before.keys() == after.keys()
    # One client's folder is of the batch as well.
    assert main(["deliver", "batch/final/anna", "anna", "--web"]) == 0
    assert names("anna") == ["web/stays.jpg"]
    Path("anna/web/broken.jpg").write_bytes(b"of another day")
    assert main(["deliver", "batch/final/anna", "anna", "--web"]) == 0
    assert told.format("anna/web/broken.jpg", "has failed since") in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deliver", "--help"]) == 0
    assert "--min-ppi" in capsys.readouterr().out


def test_metadata_of_the_source_does_not_reach_the_web(folder: Path) -> None:
    exif = PillowImage.Exif()
    exif[0x013B] = "Ada Author"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    opened("in/portrait.jpg").save("tagged.jpg", exif=exif, comment=b"secret")
    assert main(["deliver", "tagged.jpg", "out"]) == 0
    web = (folder / "out/web/tagged.jpg").read_bytes()
    assert not PillowImage.open(io.BytesIO(web)).getexif()
    assert b"Ada" not in web
    assert b"secret" not in web
    paper = opened("out/print/tagged.tif")
    assert isinstance(paper, TiffImageFile)
    assert paper.tag_v2[0x013B] == "Ada Author"
    assert 0x8825 not in paper.tag_v2
