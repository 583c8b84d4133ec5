from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from signals import saved, tiff, tiff_page

from likeness.cli import main, restore_script
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import Face
from likeness.imaging.files import read_image, write_image
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image, Size
from likeness.restore.pipeline import Restorer


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut_file: Path, astronaut: Image) -> Path:
    """The current directory: a portrait, a picture of two people, and a landscape without anyone."""
    shutil.copy(astronaut_file, tmp_path / "portrait.jpg")
    pair = np.concatenate([astronaut.pixels, astronaut.pixels[:, ::-1]], axis=1)
    write_image(Image(pixels=np.ascontiguousarray(pair)), tmp_path / "pair.png")
    write_image(landscape(), tmp_path / "landscape.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def landscape() -> Image:
    rows = np.linspace(0.9, 0.2, 120, dtype=np.float32)[:, None, None]
    return Image(
        pixels=np.ascontiguousarray(np.broadcast_to(rows * np.array([0.5, 0.7, 1.0], np.float32), (120, 160, 3)))
    )


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def model(tiny_model: Path) -> list[str]:
    return ["--model", str(tiny_model), "--device", "cpu"]


class TestOnePicture:
    def test_a_portrait_changes_on_the_face_only(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["restore", "pair.png", *model]) == 0
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "pair.png -> output_pair.png: 2 faces restored" in captured.err

        before, after = read_image(here / "pair.png"), read_image(here / "output_pair.png")
        changed = np.abs(before.pixels - after.pixels).max(axis=2) > 0
        # This network only softens, and where the picture holds its own detail that is not taken from it.
        assert changed[40:90, 85:140].mean() > 0.2
        assert not changed[180:].any()

    def test_a_result_is_enlarged_or_what_would_show_more_is_said(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = read_image(here / "pair.png").size
        for flags, factor in (([], 1), (["-s", "2"], 2), (["--upscale", "1.5", "--bg-upsampler", "none"], 1.5)):
            assert main(["restore", "pair.png", "--overwrite", "--max-output-pixels", "2M", *flags, *model]) == 0
            after = read_image(here / "output_pair.png").size
            assert (after.width, after.height) == (round(factor * before.width), round(factor * before.height))
            said = capsys.readouterr().err
            assert ("enlarged" in said) == (factor != 1)
        assert main(["restore", "landscape.png", "--copy-unrestored", "--long-side", "700", *model]) == 3
        assert read_image(here / "output_landscape.png").size.width == 700
        assert "enlarged, but not restored, in output_landscape.png" in capsys.readouterr().err
        assert main(["restore", "pair.png", "--overwrite", "-s", "8", "--max-output-pixels", "10k", *model]) == 2
        assert main(["restore", "pair.png", "--overwrite", "-s", "8", "--max-output-pixels", "10000", *model]) == 1
        assert "it cannot be enlarged" in capsys.readouterr().err

    def test_files_of_every_kind_are_right_after_enlarging(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What a file says of itself is true of the larger picture, and what is left out of it is said."""
        with PillowImage.open("portrait.jpg") as opened:
            portrait = opened.convert("RGB")
        width, height = portrait.size
        exif = PillowImage.Exif()
        exif[0x0112], exif[0x011A], exif[0x011B], exif[0x0128] = 6, 240.0, 240.0, 2  # lies on its side
        exif[0x0100], exif[0x0101], exif[0x8769] = height, width, {0xA002: height, 0xA003: width}
        portrait.rotate(90, expand=True).save("turned.jpg", exif=exif)
        portrait.save("film.gif", save_all=True, append_images=[portrait.rotate(5)])
        portrait.save("pages.tif", save_all=True, append_images=[portrait.rotate(5)], dpi=(300, 300))
        portrait.convert("CMYK").save("print.jpg", dpi=(150, 150))
        names = ["turned.jpg", "film.gif", "pages.tif", "print.jpg"]
        assert main(["restore", *names, "-o", "out/", "-s", "2", "--background", "lanczos", *model]) == 0
        err = capsys.readouterr().err
        assert "film.gif: it holds an animation or a film, of which only this one picture is taken" in err
        assert "pages.tif: it holds further pictures, which are left out" in err
        results = ("turned.jpg", "film.png", "pages.tif", "print.jpg")
        made = {name: PillowImage.open(io.BytesIO((here / "out" / name).read_bytes())) for name in results}
        for image in made.values():
            assert image.size == (2 * width, 2 * height)
            assert image.mode == "RGB"
            assert getattr(image, "n_frames", 1) == 1
        said = made["turned.jpg"].getexif()
        assert said[0x0112] == 1
        assert (said[0x0100], said[0x0101], said[0x011A]) == (2 * width, 2 * height, 480)
        assert said.get_ifd(0x8769) == {0xA002: 2 * width, 0xA003: 2 * height}
        # On paper they are as large as they were.
        assert made["pages.tif"].info["dpi"] == (600, 600)
        assert made["print.jpg"].info["dpi"] == (300, 300)

    def test_auto_says_what_it_chose_and_leaves_what_is_set(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        flags = ["--preset", "auto", "--strength", "0.5", "--report", "report.json"]
        assert main(["restore", "portrait.jpg", *flags, *model]) == 0
        report = json.loads((here / "report.json").read_text())
        chosen = report["pictures"][0]["chosen"]
        assert f"; {chosen['sentence']}" in capsys.readouterr().err
        assert (report["preset"], chosen["controls"]["strength"]) == ("auto", 0.5)
        assert chosen["reasons"]

    def test_another_photograph_serves_or_is_refused(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str], astronaut: Image
    ) -> None:
        write_image(astronaut.with_pixels(gaussian_blur(astronaut.pixels, 2.5)), here / "blurred.png")
        run = ["restore", "blurred.png", *model]
        assert main([*run, "-o", "without.png"]) == 0
        served = ["--reference", "portrait.jpg", "--trust-references", "--report", "r.json"]
        assert main([*run, "-o", "with.png", *served]) == 0
        assert "with detail of portrait.jpg (eyes, brows, nose and " in capsys.readouterr().err
        (face,) = json.loads((here / "r.json").read_text(encoding="utf-8"))["pictures"][0]["faces"]
        assert [match["serves"] for match in face["references"]["matches"]] == [True]
        assert {gift["name"] for gift in face["references"]["gifts"]} == {"portrait.jpg"}
        shown = ["--report", "r.json", "--html", "evidence.html"]
        assert main(["inspect", "blurred.png", "with.png", *shown]) == 0
        assert "detail of portrait.jpg (eyes, brows, nose and " in capsys.readouterr().out
        assert "<h3>From other photographs</h3>" in (here / "evidence.html").read_text(encoding="utf-8")
        assert main(["proof", "blurred.png", "with.png", "-o", "proof.html", "--report", "r.json"]) == 0
        page = (here / "proof.html").read_text(encoding="utf-8")
        assert page.count("portrait.jpg (eyes, brows, nose and ") == 2
        assert "<h2>Where detail came from</h2>" in page
        capsys.readouterr()
        assert main([*run, "-o", "none.png", *served, "--reference-strength", "0", "--overwrite"]) == 0
        assert "with detail" not in capsys.readouterr().err
        write_image(astronaut.with_pixels(gaussian_blur(astronaut.pixels, 6)), here / "soft.png")
        sharp = ["restore", "portrait.jpg", *model, "-o", "sharp.png", "--reference", "soft.png", "--trust-references"]
        assert main(sharp) == 0
        assert "; soft.png fits, but has no detail that the face lacks" in capsys.readouterr().err
        without, with_it, none = (read_image(here / f"{name}.png").pixels for name in ("without", "with", "none"))
        assert np.abs(with_it - without).max() > 0.02
        np.testing.assert_array_equal(none, without)
        capsys.readouterr()
        for name, sentence in (("landscape.png", "shows no face that could serve"), ("gone.jpg", "cannot be found")):
            assert main([*run, "-o", "refused.png", "--reference", name]) == 2
            assert sentence in capsys.readouterr().err
        assert not (here / "refused.png").exists()

    def test_every_product_is_written_and_reported(self, here: Path, model: list[str]) -> None:
        arguments = ["--compare", "--save-faces", "crops", "--report", "reports/r.json", "--preset", "natural"]
        assert main(["restore", "portrait.jpg", *arguments, "--strength", "0.5", *model]) == 0

        new = files(here) - {"portrait.jpg", "pair.png", "landscape.png"}
        assert new == {
            "output_portrait.jpg",
            "compare_portrait.jpg",
            "crops/portrait_face1_before.png",
            "crops/portrait_face1_after.png",
            "reports/r.json",
        }
        report = json.loads((here / "reports" / "r.json").read_text(encoding="utf-8"))
        assert report["preset"] == "natural"
        assert report["controls"]["latent_step_decay"] == 0.04
        assert report["controls"]["strength"] == 0.5
        assert report["model"]["size"] == 128
        (picture,) = report["pictures"]
        assert picture["status"] == "restored"
        assert picture["output"] == "output_portrait.jpg"
        assert picture["face_files"] == ["crops/portrait_face1_before.png", "crops/portrait_face1_after.png"]
        assert {"read", "detect", "project", "compose", "write", "compare"} <= set(picture["milliseconds"])
        (face,) = picture["faces"]
        assert face["region_gains"]["eye"] > face["region_gains"]["forehead"] > 0
        verdicts = {figure["verdict"] for figure in face["evidence"]["figures"]}
        assert verdicts <= {"good", "look", "bad", "none"}
        assert "good" in verdicts
        with PillowImage.open(here / "crops" / "portrait_face1_after.png") as crop:
            assert crop.size == (128, 128)

    def test_a_face_that_came_out_bad_is_told_and_fails_on_request(
        self, here: Path, astronaut: Image, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        blurred = astronaut.with_pixels(gaussian_blur(astronaut.pixels, 2.5))
        write_image(blurred, here / "blurred.png")
        assert main(["restore", "blurred.png", *model]) == 0
        assert "1 face restored; bad (the photograph holds only " in capsys.readouterr().err
        arguments = ["blurred.png", "portrait.jpg", "-o", "out", "--report", "r.json", "--fail-on"]
        assert main(["restore", *arguments, "bad", *model]) == 4
        assert "2 of 2 pictures restored (2 faces), 1 came out bad" in capsys.readouterr().err
        assert (here / "out" / "blurred.png").is_file()
        report = json.loads((here / "r.json").read_text(encoding="utf-8"))
        assert report["summary"]["verdicts"] == {"good": 1, "look": 0, "bad": 1}
        assert [picture["verdict"] for picture in report["pictures"]] == ["bad", "good"]
        assert main(["restore", "portrait.jpg", "--fail-on", "look", *model]) == 0
        assert main(["restore", "blurred.png", "landscape.png", "-o", "two", "--fail-on", "look", *model]) == 4

    def test_strength_0_returns_the_picture(self, here: Path, model: list[str]) -> None:
        assert main(["restore", "pair.png", "-o", "same.png", "--strength", "0", *model]) == 0
        assert np.array_equal(read_image(here / "pair.png").pixels, read_image(here / "same.png").pixels)

    def test_selection_and_its_aliases(self, model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["restore", "pair.png", "--faces", "2,8", "--report", "a.json", *model]) == 0
        err = capsys.readouterr().err
        assert "warning: pair.png: faces found in the picture: 2, numbered from 1; there is no face 8" in err
        assert "1 face restored, 1 left alone" in err
        statuses = [face["status"] for face in json.loads(Path("a.json").read_text())["pictures"][0]["faces"]]
        assert statuses == ["skipped", "restored"]

        aliases = ["--only_center_face", "--bg_upsampler", "none", "--upscale", "1", "--output_path", "b.png"]
        assert main(["restore", "--input_path", "pair.png", *aliases, *model]) == 0
        assert "pair.png -> b.png: 1 face restored, 1 left alone" in capsys.readouterr().err

    def test_one_face_has_settings_of_its_own(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["restore", "pair.png", "-o", "all.png", *model]) == 0
        assert (
            main(["restore", "pair.png", "-o", "one.png", "--face", "2:strength=0", "--report", "a.json", *model]) == 0
        )
        assert "2 faces restored, face 2 by settings of its own" in capsys.readouterr().err
        before, every, one = (read_image(here / name).pixels for name in ("pair.png", "all.png", "one.png"))
        assert np.array_equal(one[:, :200], every[:, :200])
        assert np.array_equal(one[:, -200:], before[:, -200:])
        assert not np.array_equal(every[:, -200:], before[:, -200:])
        faces = json.loads(Path("a.json").read_text())["pictures"][0]["faces"]
        assert [face["controls"] and face["controls"]["strength"] for face in faces] == [None, 0]

    def test_settings_of_a_face_that_is_not_there_or_means_nothing(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["restore", "pair.png", "-o", "one.png", "--face", "3:grain", *model]) == 1
        assert (
            "there is no face 3 to have settings of its own; faces found in the picture: 2" in capsys.readouterr().err
        )
        assert not (here / "one.png").exists()
        assert main(["restore", "pair.png", "--face", "2:strenght=0.5", *model]) == 2
        assert 'a face has no setting called "strenght" (did you mean "strength"?)' in capsys.readouterr().err

    def test_flags_between_inputs(self, here: Path, model: list[str]) -> None:
        assert main(["restore", "portrait.jpg", *model, "pair.png", "-o", "out"]) == 0
        assert files(here / "out") == {"portrait.jpg", "pair.png"}

    def test_a_value_that_the_field_reports_warn_about_warns_once(
        self, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["restore", "portrait.jpg", "pair.png", "--degradation-scale", "1.15", *model]) == 0
        assert capsys.readouterr().err.count("moles and scars") == 1

    def test_quiet_is_quiet(self, model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["restore", "portrait.jpg", "-q", "--degradation-scale", "1.15", *model]) == 0
        assert capsys.readouterr() == ("", "")

    def test_16_bits_and_the_format_of_the_result(self, here: Path, model: list[str]) -> None:
        assert main(["restore", "portrait.jpg", "-o", "deep.tif", "--bit-depth", "16", *model]) == 0
        assert read_image(here / "deep.tif").bit_depth == 16

    def test_an_aligned_crop_is_restored_as_a_whole(self, here: Path, model: list[str], astronaut: Image) -> None:
        crop = Image(pixels=np.ascontiguousarray(astronaut.pixels[18:98, 72:152]))
        write_image(crop, here / "crop.png")
        assert main(["restore", "crop.png", "--aligned", *model]) == 0
        assert np.abs(read_image(here / "output_crop.png").pixels - crop.pixels).max() > 0


class TestFiles:
    def test_what_a_file_holds_besides_is_told_and_reported(
        self, here: Path, model: list[str], astronaut: Image, capsys: pytest.CaptureFixture[str]
    ) -> None:
        page = tiff_page(astronaut.to_uint8())
        (here / "two.tif").write_bytes(tiff(page, page))
        assert main(["restore", "two.tif", "--report", "r.json", *model]) == 0
        assert "two.tif: it holds further pictures, which are left out" in capsys.readouterr().err
        record = json.loads((here / "r.json").read_text())["pictures"][0]
        assert record["notes"] == [{"code": "several-pages", "value": 2}]

    def test_a_raw_file_is_one_sentence(
        self, here: Path, model: list[str], astronaut: Image, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (here / "a.tif").write_bytes(tiff(tiff_page(astronaut.to_uint8(), t50706=(1, [1, 4, 0, 0]))))
        assert main(["restore", "a.tif", *model]) == 1
        err = capsys.readouterr().err.strip()
        assert "a camera's raw file" in err
        assert "\n" not in err

    def test_compressed_as_before_unless_told(self, here: Path, model: list[str], astronaut: Image) -> None:
        samples = astronaut.to_uint8()
        (here / "in").mkdir()
        (here / "in" / "a.jpg").write_bytes(saved(samples, "JPEG", quality=88, subsampling="4:2:2"))
        (here / "in" / "b.webp").write_bytes(saved(samples, "WebP", lossless=True))
        assert main(["restore", "in", "-o", "out/", *model]) == 0
        before, after = read_image(here / "in" / "a.jpg"), read_image(next((here / "out").glob("*a.jpg")))
        assert after.compression == before.compression
        webp = read_image(next((here / "out").glob("*b.webp")))
        assert np.array_equal(webp.to_uint8()[:16, :16], samples[:16, :16])
        assert main(["restore", "in/a.jpg", "-o", "low.jpg", "--quality", "60", *model]) == 0
        compression = read_image(here / "low.jpg").compression
        assert compression is not None
        assert compression.quality == 60


class TestRepairs:
    def test_bare_flags_take_no_picture_for_an_amount(self, here: Path, model: list[str]) -> None:
        arguments = ["--mend-scratches", "--balance", "0.5", "--defringe", "--descreen", "portrait.jpg"]
        assert main(["restore", *arguments, "--report", "r.json", *model]) == 0
        repairs = json.loads((here / "r.json").read_text())["pictures"][0]["repairs"]
        assert [repairs[name]["amount"] for name in ("scratches", "balance", "fringes", "screen")] == [1, 0.5, 1, 1]
        assert repairs["filled"] is None

    def test_of_a_scan_is_mended_what_is_surely_damage_and_said_what_is_left(
        self, here: Path, model: list[str], dusty_scan: PillowImage.Image, capsys: pytest.CaptureFixture[str]
    ) -> None:
        dusty_scan.save(here / "scan.png")
        scan = ["restore", "scan.png", "--overwrite", *model]
        film = ["--preset", "film-scan"]
        for flags, mended, offered in (
            (film, True, True),
            ([*film, "--mend-sensitivity", "0"], True, False),
            ([*film, "--mend-scratches", "0"], False, False),
            ([], False, False),
        ):
            assert main([*scan, *flags]) == 0
            said = capsys.readouterr().err
            assert ("mended" in said) == mended
            assert ("scan.png: less surely damage and left: " in said) == offered
            assert ("; --mend-sensitivity 0.5 mends that, too" in said) == offered

    def test_a_damage_mask_is_filled_told_and_reported(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        mask = np.zeros((256, 256), np.uint8)
        mask[50:64, 105:130] = 255
        PillowImage.fromarray(mask).save(here / "mask.png")
        arguments = ["--damage-mask", "mask.png", "-o", "out.png", "--report", "r.json"]
        assert main(["restore", "portrait.jpg", *arguments, *model]) == 0
        told = capsys.readouterr().err
        assert "of the face held no pixels and was filled from its surroundings" in told
        assert "0.5% of the picture filled" in told
        picture = json.loads((here / "r.json").read_text())["pictures"][0]
        assert picture["repairs"]["filled"]["area"] == pytest.approx(14 * 25 / 256**2, abs=1e-5)
        assert 0 < picture["faces"][0]["filled"] < 0.2

    def test_masks_that_cannot_be_used_are_refused(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["restore", "portrait.jpg", "pair.png", "--damage-mask", "landscape.png", *model]) == 2
        assert "is for one picture, and 2 are named" in capsys.readouterr().err
        assert main(["restore", "portrait.jpg", "--damage-mask", "missing.png", *model]) == 2
        assert "missing.png does not exist" in capsys.readouterr().err
        assert main(["restore", "portrait.jpg", "--damage-mask", "landscape.png", *model]) == 1
        assert "the damage mask is 160 x 120, the picture 256 x 256" in capsys.readouterr().err
        assert main(["restore", "portrait.jpg", "--balance", "2", *model]) == 2
        assert "repair balance must be between 0 and 1, not 2" in capsys.readouterr().err
        assert "output_portrait.jpg" not in files(here)

    def test_a_picture_without_a_face_is_repaired_when_it_is_to_be_copied(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        mask = np.zeros((120, 160), np.uint8)
        mask[40:60, 60:90] = 255
        PillowImage.fromarray(mask).save(here / "mask.png")
        arguments = ["--damage-mask", "mask.png", "--copy-unrestored", *model]
        assert main(["restore", "landscape.png", *arguments]) == 3
        assert "repaired, but not restored" in capsys.readouterr().err
        assert (here / "output_landscape.png").is_file()


class TestNoFace:
    def test_nothing_is_written(self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        before = files(here)
        assert main(["restore", "landscape.png", "--compare", *model]) == 3
        assert files(here) == before
        assert "landscape.png: no face was found in the picture; nothing was written" in capsys.readouterr().err

    def test_what_an_earlier_run_left_is_told(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        (here / "output_landscape.png").write_bytes(b"yesterday's")
        assert main(["restore", "landscape.png", "--overwrite", *model]) == 3
        assert (
            "output_landscape.png was there before this run, which wrote nothing in its place"
            in capsys.readouterr().err
        )
        assert (here / "output_landscape.png").read_bytes() == b"yesterday's"

    def test_copy_unrestored_copies_every_byte(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["restore", "landscape.png", "--copy-unrestored", "--report", "r.json", *model]) == 3
        assert (here / "output_landscape.png").read_bytes() == (here / "landscape.png").read_bytes()
        assert "copied as it is to output_landscape.png" in capsys.readouterr().err
        (picture,) = json.loads(Path("r.json").read_text())["pictures"]
        assert (picture["status"], picture["copied"], picture["faces"]) == ("no face", True, [])

    def test_copy_unrestored_keeps_the_promised_format(self, here: Path, model: list[str]) -> None:
        arguments = ["restore", "landscape.png", "-o", "l.webp", "--quality", "100", "--copy-unrestored"]
        assert main([*arguments, *model]) == 3
        with PillowImage.open(here / "l.webp") as copy:
            assert copy.format == "WEBP"
        assert np.array_equal(read_image(here / "l.webp").pixels, read_image(here / "landscape.png").pixels)

    def test_a_selection_that_leaves_none_says_why(self, model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["restore", "portrait.jpg", "--min-face", "200", *model]) == 3
        assert "narrower than 200 px" in capsys.readouterr().err


class TestSeveralPictures:
    def test_a_folder_in_gives_a_folder_out(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in ("album/我的 照片.jpg", "album/1998/portrait.jpg"):
            (here / name).parent.mkdir(exist_ok=True, parents=True)
            shutil.copy(here / "portrait.jpg", here / name)
        assert main(["restore", "album", *model]) == 0
        assert files(here / "output_album") == {"我的 照片.jpg", "1998/portrait.jpg"}
        err = capsys.readouterr().err
        assert "[1/2] album/我的 照片.jpg -> output_album/我的 照片.jpg: 1 face restored" in err
        assert "2 of 2 pictures restored (2 faces)" in err

    def test_bad_pictures_are_one_sentence_each_and_stop_nobody(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        album = here / "album"
        album.mkdir()
        whole = (here / "portrait.jpg").read_bytes()
        (album / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
        (album / "text.jpg").write_text("this is no picture", encoding="utf-8")
        (album / "empty.jpg").touch()
        PillowImage.new("1", (3000, 2000)).save(album / "vast.png")
        shutil.copy(here / "landscape.png", album)
        shutil.copy(here / "portrait.jpg", album)
        arguments = ["restore", "album", "lost.jpg", "-o", "out", "--max-pixels", "1M", "--report", "out.json"]

        assert main([*arguments, *model]) == 1

        err = capsys.readouterr().err
        assert files(here / "out") == {"portrait.jpg"}
        for sentence in (
            "error: [1/7] album/empty.jpg is empty (0 bytes)",
            "error: [2/7] album/landscape.png: no face was found",
            "error: [4/7] album/text.jpg is no picture",
            "error: [5/7] album/truncated.jpg",
            "error: [6/7] album/vast.png",
            "error: [7/7] lost.jpg does not exist",
            "1 of 7 pictures restored (1 face), 1 without a face to restore, 5 failed",
        ):
            assert sentence in err
        assert "--max-pixels" in err
        assert "Traceback" not in err
        report = json.loads(Path("out.json").read_text(encoding="utf-8"))
        assert report["summary"]["failed"] == 5
        assert [picture["status"] for picture in report["pictures"]].count("failed") == 5

    def test_without_a_failure_a_missing_face_decides(self, here: Path, model: list[str]) -> None:
        assert main(["restore", "portrait.jpg", "landscape.png", "-o", "out", *model]) == 3
        assert files(here / "out") == {"portrait.jpg"}

    def test_a_result_that_cannot_be_written_fails_alone(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        (here / "out" / "portrait.jpg").mkdir(parents=True)
        assert main(["restore", "portrait.jpg", "pair.png", "-o", "out", *model]) == 1
        assert "out/portrait.jpg cannot be written: there is a folder of that name" in capsys.readouterr().err
        assert files(here / "out") == {"pair.png"}


class _LosesOneFace(MediaPipeDetector):
    """The real detector, but the points of the last face it finds lie on a line, as no alignment can use them."""

    def detect(self, image: Image) -> tuple[Face, ...]:
        *found, last = sorted(super().detect(image), key=lambda face: face.box.left)
        line = np.stack([np.arange(5.0), np.arange(5.0)], axis=1)
        return (*found, replace(last, five_points=line))


class TestFailedFaces:
    @pytest.fixture(autouse=True)
    def one_face_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("likeness.restore.pipeline.Restorer", partial(Restorer, detector=_LosesOneFace()))

    def test_a_face_that_fails_does_not_cost_the_other_and_is_told(
        self, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["restore", "pair.png", "--report", "r.json", *model]) == 1
        err = capsys.readouterr().err
        assert "error: pair.png, face 2: could not be restored (" in err
        assert err.count("lie on a line") == 1
        assert "pair.png -> output_pair.png: 1 face restored, 1 failed" in err
        (picture,) = json.loads(Path("r.json").read_text())["pictures"]
        assert picture["status"] == "partly restored"
        assert [face["status"] for face in picture["faces"]] == ["restored", "failed"]
        assert picture["faces"][1]["native_side"] is None

    def test_a_picture_whose_only_face_fails_has_failed(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["restore", "portrait.jpg", *model]) == 1
        assert not (here / "output_portrait.jpg").exists()
        assert "no face could be restored" in capsys.readouterr().err


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ([], "name at least one picture"),
            (["portrait.jpg", "--degradation-scale", "3"], "between 0.3 and 1.2"),
            (["portrait.jpg", "--degradation-scale", "nan"], "between 0.3 and 1.2"),
            (["portrait.jpg", "--latent-step-decay", "0.2"], "between 0.005 and 0.1"),
            (["portrait.jpg", "--strength", "strong"], "error: --strength takes a number, not 'strong'; see"),
            (["portrait.jpg", "--strength"], "error: --strength needs a value; see"),
            (["portrait.jpg", "--face-weight", "eye"], "write it as eye=1.3; see likeness restore --help"),
            (["portrait.jpg", "--face-weight", "eye=3"], "face weight eye must be between 0 and 2, not 3"),
            (["portrait.jpg", "--face-weight", "tooth=1"], 'unknown face region "tooth"; the regions are eye'),
            (["portrait.jpg", "--preset", "glamour"], "the presets are standard, natural"),
            (["portrait.jpg", "--faces", "biggest"], "faces must be all, largest, centre or numbers"),
            (["portrait.jpg", "--faces", "all", "--only-center-face"], "contradict"),
            (["portrait.jpg", "--upscale", "0.5"], "upscale must be auto or between 1 and 8, not 0.5"),
            (["portrait.jpg", "--upscale", "2", "--long-side", "900"], "leave one out"),
            (["portrait.jpg", "--quality", "0"], "quality must be 1 to 100"),
            (["portrait.jpg", "--max-pixels", "many"], "write it as 200000000 or 200M"),
            (["portrait.jpg", "--threads", "0"], "threads must be at least 1"),
            (["portrait.jpg", "--model", "nobody"], "no model or file nobody"),
            (["portrait.jpg", "--model", "landscape.png"], "landscape.png"),
            (["portrait.jpg", "-o", "portrait.jpg"], "would be overwritten"),
            (["portrait.jpg", "--config", "lost.toml"], "lost.toml"),
            (["portrait.jpg", "--enhance"], "there is no flag --enhance"),
            (["portrait.jpg", "-v", "-q"], "-q/--quiet and -v/--verbose exclude each other"),
        ],
    )
    def test_come_before_any_work_with_status_2(
        self, here: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = files(here)
        assert main(["restore", *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        assert sentence in captured.err
        assert files(here) == before

    def test_cuda_without_a_device(self, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
        import torch

        if torch.cuda.is_available():
            pytest.skip("this machine has a CUDA device")
        assert main(["restore", "portrait.jpg", "--model", str(tiny_model), "--device", "cuda"]) == 2
        assert "no CUDA device was found: use --device cpu" in capsys.readouterr().err


class TestConfiguration:
    def test_file_and_flags_work_together(self, here: Path, tiny_model: Path) -> None:
        shutil.copy(tiny_model, here / "studio.safetensors")
        (here / "studio.toml").write_text(
            'model_path = "studio.safetensors"\nsize = 128\nchannel_multiplier = 1\npreset = "film-scan"\n'
            "latent_step_decay = 0.03\nquality = 80\n[face_mask_weights]\neye = 1.4\n",
            encoding="utf-8",
        )
        arguments = ["portrait.jpg", "--config", "studio.toml", "--face-weight", "lip=0", "--report", "r.json"]
        assert main(["restore", *arguments, "--grain-amount", "0.5"]) == 0
        controls = json.loads(Path("r.json").read_text())["controls"]
        assert controls["degradation_scale"] == 0.5
        assert controls["latent_step_decay"] == 0.03
        assert controls["keep_grain"] is True
        assert controls["grain_amount"] == 0.5
        assert (controls["face_mask_weights"]["eye"], controls["face_mask_weights"]["lip"]) == (1.4, 0.0)

    @pytest.mark.parametrize(("key", "value"), [("size", 512), ("channel_multiplier", 2)])
    def test_another_network_than_the_configuration_says_is_refused(
        self, here: Path, model: list[str], key: str, value: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (here / "studio.json").write_text(json.dumps({key: value}), encoding="utf-8")
        assert main(["restore", "portrait.jpg", "--config", "studio.json", *model]) == 2
        assert f"the configuration says {key} = {value}, but the model" in capsys.readouterr().err
        assert not (here / "output_portrait.jpg").exists()

    def test_a_value_out_of_range_is_told_with_its_file(self, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (here / "studio.toml").write_text("degradation_scale = 7\n", encoding="utf-8")
        assert main(["restore", "portrait.jpg", "--config", "studio.toml", "--degradation-scale", "1"]) == 2
        assert "error: studio.toml: degradation_scale must be between" in capsys.readouterr().err


class TestStreams:
    def command(self, model: list[str], *arguments: str) -> list[str]:
        return [sys.executable, "-m", "likeness", "restore", *arguments, *model]

    def test_a_picture_in_and_a_picture_out(self, here: Path, model: list[str]) -> None:
        with (here / "portrait.jpg").open("rb") as stdin:
            done = subprocess.run(self.command(model, "-", "-v"), stdin=stdin, capture_output=True, check=True)
        (here / "out").write_bytes(done.stdout)
        with PillowImage.open(here / "out") as result:
            result.load()
            assert (result.format, result.size) == ("JPEG", (256, 256))
        assert b"standard input -> standard output: 1 face restored" in done.stderr

    def test_faces_counted_from_0_are_told_once(
        self, here: Path, model: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        picture = str(here / "portrait.jpg")
        assert main(["restore", picture, "-o", "first.png", "--faces", "0", *model]) == 0
        assert capsys.readouterr().err.count("counted from 0") == 1
        assert main(["restore", picture, "-o", "none.png", "--faces", "2", *model]) == 3
        assert "faces found: 1; none was restored: not among the faces selected" in capsys.readouterr().err

    def test_no_face_and_no_picture(self, here: Path, model: list[str]) -> None:
        done = subprocess.run(
            self.command(model, "-", "--copy-unrestored"),
            input=(here / "landscape.png").read_bytes(),
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (3, (here / "landscape.png").read_bytes())

        done = subprocess.run(self.command(model, "-"), input=b"", capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.startswith(b"error: standard input is empty (0 bytes)")

    @pytest.mark.long
    def test_ctrl_c_leaves_whole_pictures_and_a_report(self, here: Path, model: list[str]) -> None:
        album = here / "album"
        album.mkdir()
        for number in range(400):
            os.link(here / "pair.png", album / f"{number:03}.png")
        started = subprocess.Popen(
            self.command(model, "album", "-o", "out", "--report", "r.json"),
            stderr=subprocess.PIPE,
            text=True,
            # A shell's background jobs ignore the signal, and so would a suite that runs as one.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert started.stderr is not None
        while "[2/400]" not in started.stderr.readline():
            assert started.poll() is None
        started.send_signal(signal.SIGINT)
        _, rest = started.communicate(timeout=60)

        assert started.returncode == 130
        assert "Traceback" not in rest
        assert "of 400 pictures were done; what was written is complete" in rest
        written = sorted((here / "out").iterdir())
        assert 2 <= len(written) < 400
        for path in written:
            assert path.suffix == ".png"
            assert read_image(path).size == Size(512, 256)
        report = json.loads(Path("r.json").read_text())
        assert report["interrupted"] is True
        # The signal may fall between a picture's being written and its being recorded.
        assert len(written) - 1 <= report["summary"]["pictures"] <= len(written)


class TestScript:
    def test_without_an_input_the_sample_is_restored(
        self, here: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        sample = here / "examples" / "portrait.jpg"
        sample.parent.mkdir()
        shutil.copy(here / "portrait.jpg", sample)
        (here / "studio.json").write_text(json.dumps({"model_path": str(tiny_model)}), encoding="utf-8")
        assert restore_script(sample, prog="inference_gpen.py", argv=["--config", "studio.json"]) == 0
        assert (here / "output_portrait.jpg").is_file()
        assert "1 face restored" in capsys.readouterr().err

    def test_inference_gpen_restores_what_is_named(self, here: Path, model: list[str]) -> None:
        script = Path(__file__).resolve().parents[2] / "inference_gpen.py"
        shutil.copy(here / "portrait.jpg", here / "customer_photo.jpg")
        arguments = ["--input", "./customer_photo.jpg", "--degradation-scale", "0.7", *model]
        done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert (here / "output_customer_photo.jpg").is_file()

        done = subprocess.run(
            [sys.executable, str(script), "--strength", "2"], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (2, "error: strength must be between 0 and 1, not 2\n")
