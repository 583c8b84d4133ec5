from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PillowImage

from likeness.batch.journal import Journal, Task
from likeness.cli import main
from likeness.imaging.files import read_image, write_image
from likeness.studio.answers import asked_in

SAMPLE = Path(__file__).resolve().parents[2] / "examples" / "portrait.jpg"


@pytest.fixture(scope="module")
def softened() -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(np.asarray(read_image(SAMPLE).pixels), (0, 0), 1.0), np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, softened: NDArray[np.float32]) -> Path:
    """`in/` with two pictures, `out/` with the result of one, as restore writes it."""
    monkeypatch.chdir(tmp_path)
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    shutil.copy(SAMPLE, "in/ada.jpg")
    write_image(read_image(SAMPLE).with_pixels(softened), "out/output_ada.jpg")
    return tmp_path


def test_two_files_become_a_sheet_and_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proof", "in/ada.jpg", "out/output_ada.jpg", "--studio", "Studio Lumen", "--watermark", "PROOF"]) == 0
    assert "-> proof_ada.jpg, proof_ada.html" in capsys.readouterr().err
    assert read_image("proof_ada.jpg").size.width > 1600
    page = Path("proof_ada.html").read_text(encoding="utf-8")
    assert "Studio Lumen" in page
    assert "Portrait restoration: 1 face." in page
    assert "proportions within" in page
    assert "Before" in page


def test_the_report_says_what_was_done() -> None:
    evidence = {"figures": [{"name": "identity", "before": None, "after": 0.11}]}
    face = {"status": "restored", "native_side": 300, "evidence": evidence}
    record = {"input": "in/ada.jpg", "output": "out/output_ada.jpg", "faces": [face], "repairs": None}
    report = {"preset": "film-scan", "controls": {"strength": 0.5, "keep_grain": True}, "pictures": [record]}
    Path("report.json").write_text(json.dumps(report), encoding="utf-8")
    arguments = ["proof", "in/ada.jpg", "out/output_ada.jpg", "-o", "p.html", "--report", "report.json"]
    assert main([*arguments, "--language", "zh"]) == 0
    page = Path("p.html").read_text(encoding="utf-8")
    assert "采用“胶片扫描”预设修复，强度 50%，1 张面孔，保留胶片颗粒。" in page
    assert "身份差异 0.11" in page
    assert "修复前" in page
    assert main([*arguments, "--caption-done", "Spots removed by hand", "--caption-kept", "", "--overwrite"]) == 0
    page = Path("p.html").read_text(encoding="utf-8")
    assert "Spots removed by hand" in page
    assert "identity" not in page


def test_folders_tell_what_they_could_not_match(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proof", "in", "out", "-o", "proofs", "--sheet-only", "--format", "png"]) == 0
    assert sorted(path.name for path in Path("proofs").iterdir()) == ["proof_ada.png"], "one proof needs no index"
    shutil.copy(SAMPLE, "in/lonely.jpg")
    shutil.copy(SAMPLE, "out/stray.jpg")
    assert main(["proof", "in", "out", "-o", "proofs", "--page-only"]) == 1
    err = capsys.readouterr().err
    assert "in/lonely.jpg has no result in out" in err
    assert "out/stray.jpg has no picture in in" in err
    assert "1 of 1 proofs written, 2 pictures without a counterpart" in err
    assert Path("proofs/proof_ada.html").is_file()


def test_one_bad_pair_does_not_stop_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(SAMPLE, "in/bad.jpg")
    Path("out/bad.jpg").write_bytes(b"\xff\xd8\xff nothing")
    shutil.copy(SAMPLE, "in/odd.jpg")
    PillowImage.new("RGB", (100, 300)).save("out/odd.jpg")
    assert main(["proof", "in", "out", "-o", "proofs/", "--page-only"]) == 1
    err = capsys.readouterr().err
    assert "out/bad.jpg" in err
    assert "in/odd.jpg: before is 581x726 and after 100x300" in err
    assert "1 of 3 proofs written" in err
    told = [line for line in err.splitlines() if "in/" in line]
    assert [line.partition("in/")[2][:3] for line in told if "out/bad" not in line] == ["ada", "odd"], "in their order"
    assert sorted(path.name for path in Path("proofs").iterdir()) == ["index.html", "proof_ada.html"]
    assert Path("proofs/index.html").read_text(encoding="utf-8").count("class='card'") == 1


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, astronaut_file: Path) -> Path:
    """`in/` with two pictures of one name but for the suffix, and one too small; `list.csv`; and their batch in `out/`."""
    home = tmp_path_factory.mktemp("day")
    (home / "in").mkdir()
    shutil.copy(astronaut_file, home / "in" / "ann.jpg")
    image = read_image(astronaut_file)
    write_image(image, home / "in" / "ann.png")
    write_image(image.with_pixels(np.ascontiguousarray(image.pixels[:90, :90])), home / "in" / "tiny.png")
    (home / "list.csv").write_text("file,client,language\nin/ann.jpg,Ann,zh\nin/ann.png,Ann,\nin/tiny.png,Bo,\n")
    arguments = [
        str(home / "in"),
        str(home / "out"),
        "--model",
        str(tiny_model),
        "--preset",
        "natural",
        "--threads",
        "1",
    ]
    assert main(["batch", *arguments]) == 3
    return home


def test_a_batch_is_understood_without_flags(
    day: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(day)
    assert main(["proof", "in", "out", "--page-only"]) == 0
    err = capsys.readouterr().err
    assert "2 of 2 proofs written" in err
    assert "without a proof: 1 left alone; out/summary.html says why" in err
    assert "all proofs on one page: out/proofs/index.html" in err
    page = Path("out/proofs/proof_ann.jpg.html").read_text(encoding="utf-8")
    assert "Restored with the preset &quot;natural&quot; at 100% strength, 1 face." in page
    assert "proportions within" in page
    index = Path("out/proofs/index.html").read_text(encoding="utf-8")
    assert index.count("data:image/jpeg;base64,") == 4
    assert "href='proof_ann.png.html'" in index
    # The list, the summary and the journal lead to the same.
    said = ("--caption-kept", "kept", "--overwrite")
    for arguments in (
        (str(day / "list.csv"), "out"),
        ("in/ann.jpg", "out/final/ann.jpg", "--report", "out/summary.json"),
        ("in/ann.jpg", "out/final/ann.jpg", "--report", "out"),
        ("in/ann.jpg", "out/final/ann.jpg"),
    ):
        assert main(["proof", *arguments, "-o", "again/", "--page-only", "--max-faces", "0", *said]) == 0
        name = "proof_ann.jpg.html" if arguments[1] == "out" else "proof_ann.html"
        assert "the preset &quot;natural&quot;" in Path("again", name).read_text(encoding="utf-8")


def test_what_an_earlier_run_left_has_no_proof(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    later = tmp_path / "later"
    shutil.copytree(day / "out", later)
    monkeypatch.chdir(day)
    with Journal(later / "journal.sqlite") as journal:
        (item,) = (one for one in journal.items() if one.target == "ann.png")
        journal.put([Task(target=item.target, source=item.source, content="another", model=item.model)])
    command = ["proof", "in", str(later), "-o", "later/", "--page-only", "--caption-kept", "kept", "--overwrite"]
    assert main(command) == 0
    assert "without a proof: 1 not done yet, 1 left alone; " in capsys.readouterr().err
    assert not list(Path("later").glob("proof_ann.png*"))
    # What somebody laid there is no earlier run's.
    write_image(read_image(day / "in" / "ann.png"), later / "final" / "ann.png")
    assert main(command) == 0
    assert "without a proof: 1 left alone; " in capsys.readouterr().err


def test_a_small_face_is_shown_as_it_will_be_delivered(capsys: pytest.CaptureFixture[str]) -> None:
    Path("few").mkdir()
    shutil.copy(SAMPLE.with_name("spectacles.jpg"), "few/one.jpg")  # 164x206
    assert main(["batch", "few", "made"]) == 0
    call = ["proof", "few", "made", "--sheet-only", "--format", "png", "--caption-kept", ""]
    assert main([*call, "-o", "drawn.png"]) == 0
    assert "made/final/one.jpg: restored again from its original, 2." in capsys.readouterr().err
    assert main([*call, "-o", "plain.png", "--as-finished"]) == 0
    assert "restored again" not in capsys.readouterr().err
    drawn, plain = (np.asarray(read_image(name).pixels) for name in ("drawn.png", "plain.png"))
    assert drawn.shape == plain.shape
    # The same sheet, but for what the client sees of the result: finer there, and nowhere else.
    changed = np.abs(drawn - plain).max(axis=2) > 0.02
    assert changed[:, : changed.shape[1] // 4].sum() == 0
    assert changed.mean() > 0.01

    def fineness(pixels: NDArray[np.float32]) -> float:
        return float(np.abs(cv2.Laplacian(pixels, cv2.CV_32F))[changed].mean())

    assert fineness(drawn) > 1.5 * fineness(plain)
    Path("few/one.jpg").unlink()
    shutil.copy(SAMPLE, "few/one.jpg")
    assert main([*call, "-o", "changed.png"]) == 0
    assert "few/one.jpg is no longer the picture that the batch restored" in capsys.readouterr().err


def test_each_client_has_a_folder_and_a_page_that_asks(day: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("clients.csv").write_text(
        "file,email,client\nann.jpg,a@example.com,Ann / Co.\nann.png,a@example.com,Ann / Co.\n"
    )
    call = ["proof", str(day / "in"), str(day / "out"), "-o", "proofs/", "--page-only", "--clients", "clients.csv"]
    assert main([*call, "--reply", "studio@example.com"]) == 0
    assert "all proofs of Ann / Co. on one page: proofs/Ann - Co/index.html" in capsys.readouterr().err
    page = Path("proofs/Ann - Co/index.html").read_text(encoding="utf-8")
    assert asked_in(page) == {"ann.jpg": "Ann / Co.", "ann.png": "Ann / Co."}
    assert "of the picture untouched" in page
    assert "studio@example.com" in page
    single = Path("proofs/Ann - Co/proof_ann.png.html").read_text(encoding="utf-8")
    assert asked_in(single) == {"ann.png": "Ann / Co."}
    assert "href='index.html'" in single
    assert main([*call, "--no-answers", "--overwrite"]) == 0
    assert asked_in(Path("proofs/Ann - Co/index.html").read_text(encoding="utf-8")) == {}
    assert main([*call, "--reply", "nobody"]) == 2
    # Pages of several clients are not served to a network, where one would see the other's.
    shutil.copytree("proofs/Ann - Co", "proofs/Bo")
    assert main([*call[:3], "-o", "proofs/", "--page-only", "--client", "Ann", "--overwrite"]) == 0
    capsys.readouterr()
    call = [*call[:3], "-o", "proofs/Bo/", "--page-only", "--client", "Bo", "--overwrite"]
    assert main(call) == 0
    assert main(["acceptance", "ask", "proofs", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "several clients" in capsys.readouterr().err
    assert main(["acceptance", "ask", str(day / "in"), "--port", "0"]) == 2
    assert "holds no page of proofs that asks" in capsys.readouterr().err


def test_an_index_replaces_no_page_of_another(day: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("proofs")
    folder.mkdir()
    (folder / "index.html").write_text("<title>Our studio</title>")
    call = ["proof", str(day / "in"), str(day / "out"), "-o", "proofs", "--page-only", "--max-faces", "0"]
    assert main([*call, "--caption-kept", ""]) == 0
    assert "proofs/index.html is a page of your own, and stays" in capsys.readouterr().err
    assert (folder / "index.html").read_text() == "<title>Our studio</title>"


def test_the_index_leaves_out_what_came_out_bad(day: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["proof", str(day / "in"), str(day / "out" / "final"), "-o", "proofs", "--page-only", "--max-faces", "0"]
    call.append("--overwrite")
    results = sorted((day / "out" / "final").glob("*.*"))
    verdicts = ["bad", *["good"] * (len(results) - 1)]
    pictures = [
        {"input": "", "output": str(path), "preset": "", "controls": {}, "faces": [{"verdict": {"level": level}}]}
        for path, level in zip(results, verdicts, strict=True)
    ]
    Path("r.json").write_text(json.dumps({"pictures": pictures}))
    index = Path("proofs") / "index.html"
    for flags, shown in (([], False), (["--include-bad"], True)):
        main([*call, "--report", "r.json", "--caption-done", "", "--caption-kept", "", *flags])
        assert (results[0].name in index.read_text()) == shown
        assert ("the index leaves it out" in capsys.readouterr().err) != shown


def test_characters_that_no_font_has_are_refused_before_any_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from likeness.studio import fonts

    monkeypatch.setattr(fonts, "_folders", list)
    assert main(["proof", "in/ada.jpg", "out/output_ada.jpg", "--studio", "龘 Studio"]) == 2
    assert "no font on this system has the characters “龘”" in capsys.readouterr().err
    assert not Path("proof_ada.html").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["in/missing.jpg", "out"], "in/missing.jpg does not exist"),
        (["in", "out", "--report", "none.json"], "--report none.json cannot be read"),
        (["in", "out", "--size", "99"], "320 to 1600 px"),
        (["in", "out", "--font", "none.ttf"], "--font none.ttf does not exist"),
        (["in/ada.jpg", "out", "-o", "x.pdf"], "a proof is a picture"),
        (["in/ada.jpg", "out", "-o", "no/x.jpg"], "does not exist; make it first"),
        (["in/ada.jpg", "out", "-o", "in/ada.jpg"], "would be overwritten"),
        (["in", "out", "--language", "fr"], '"fr" is not one of '),
    ],
)
def test_what_cannot_begin_is_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["proof", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proof", "--help"]) == 0
    assert "--watermark" in capsys.readouterr().out
