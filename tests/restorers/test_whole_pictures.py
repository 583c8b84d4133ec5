"""Networks for whole pictures: real files with random weights, held to spandrel's classes (``make test-restorers``)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("spandrel", reason="the extra restorers is not installed: make test-restorers")
pytest.importorskip("spandrel_extra_arches")
import torch
from random_networks import ddcolor, lama

from likeness.batch.redraw import Redrawer
from likeness.cli import main
from likeness.errors import CheckpointFormatError, ConfigError, NoFaceError
from likeness.imaging.colour import LUMA, srgb_to_linear
from likeness.imaging.decoding.pool import DecoderPool
from likeness.imaging.files import read_image, write_image
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Size
from likeness.models.formats import read_spec
from likeness.models.store import Store
from likeness.repair.repairs import Repairs
from likeness.restore.enlargement import Enlargement
from likeness.restore.pipeline import Restorer
from likeness.restore.tasks.picture import answer_of
from likeness.restore.tasks.picture_colouring import with_chroma
from likeness.runtimes.load import load_runtime

_DATA = Path(__file__).resolve().parents[1] / "data"
_Map = NDArray[np.float32]


@pytest.fixture(scope="module")
def photograph() -> Image:
    """A portrait of 200 x 176 px with a face of 38 px."""
    return Image(pixels=resize(read_image(_DATA / "astronaut.jpg").pixels, Size(200, 176), "area"))


@pytest.fixture(scope="module")
def grey(photograph: Image) -> Image:
    light = (photograph.pixels @ LUMA.astype(np.float32))[..., None]
    # 16 bits, transparent in part.
    alpha = np.linspace(0, 1, 200, dtype=np.float32)[None].repeat(176, axis=0)
    return Image(pixels=np.repeat(light, 3, axis=2), grey=True, alpha=alpha, bit_depth=16)


@pytest.fixture(scope="module")
def holes() -> _Map:
    """A hole below, a soft-edged one at the border, and one on the face's cheek."""
    mask = np.zeros((176, 200), np.float32)
    mask[130:160, 20:60] = 1
    mask[0:20, 170:200] = 1
    mask[20:24, 170:200] = 0.5
    mask[40:50, 76:86] = 1
    return mask


@pytest.fixture(scope="module")
def colouriser(photograph: Image, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    torch.manual_seed(3)
    network = ddcolor(torch.from_numpy(photograph.pixels[:128, :128].transpose(2, 0, 1)[None].copy()))
    path = tmp_path_factory.mktemp("ddcolor") / "ddcolor.pth"
    torch.save({"params": network.state_dict()}, path)
    return path, network


class _Trainer(torch.nn.Module):
    """LaMa as its training program saves it in TorchScript: in two modules more, and without spandrel's blending."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.model = torch.nn.Module()
        self.model.generator = network.model

    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        generator: Any = self.model.generator
        return mask * generator(image * (1 - mask), mask) + (1 - mask) * image


@pytest.fixture(scope="module")
def filler(photograph: Image, holes: _Map, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    torch.manual_seed(3)
    given = (
        torch.from_numpy(photograph.pixels.transpose(2, 0, 1)[None].copy()),
        torch.from_numpy((holes > 0)[None, None] * 1.0),
    )
    network = lama(given[0], given[1].float())
    path = tmp_path_factory.mktemp("lama") / "lama.pth"
    torch.save(network.state_dict(), path)
    return path, network


def _decibels(expected: _Map, answer: _Map) -> float:
    return float(20 * np.log10(np.ptp(expected) / np.sqrt(np.mean(np.square(answer - expected)))))


def _luminance(pixels: _Map) -> _Map:
    return srgb_to_linear(pixels) @ LUMA.astype(np.float32)


# The networks


def test_ddcolor_is_spandrels_function_in_float32_and_in_half(colouriser: tuple[Path, Any], photograph: Image) -> None:
    path, network = colouriser
    spec = read_spec(path)
    assert (spec.architecture, spec.purpose, spec.for_faces, spec.authors.side) == ("ddcolor", "colourise", False, 512)
    asked = np.ascontiguousarray(photograph.pixels[:160, :192].transpose(2, 0, 1)[None])
    with torch.no_grad():
        expected = network(torch.from_numpy(asked)).numpy()
    assert np.ptp(expected) > 0.1
    answer = load_runtime(Store(), path, device="cpu", precision="f32").run(asked)
    # a* and b* reach tens: of the largest, as for the other networks.
    np.testing.assert_allclose(answer, expected, atol=1e-4 * max(1.0, float(np.abs(expected).max())))
    half = np.ascontiguousarray(asked[..., :64, :64])
    with torch.no_grad():
        expected = network(torch.from_numpy(half)).numpy()
    assert _decibels(expected, load_runtime(Store(), path, device="cpu", precision="bf16").run(half)) > 40


def test_lama_is_spandrels_function(filler: tuple[Path, Any], photograph: Image, holes: _Map) -> None:
    path, network = filler
    spec = read_spec(path)
    assert (spec.architecture, spec.purpose, spec.precision, spec.inputs) == ("lama", "inpaint", "f32", 4)
    asked = np.dstack([photograph.pixels, holes > 0]).astype(np.float32).transpose(2, 0, 1)[None]
    with torch.no_grad():
        expected = network(torch.from_numpy(asked[:, :3].copy()), torch.from_numpy(asked[:, 3:].copy())).numpy()
    runtime = load_runtime(Store(), path, device="cpu")
    np.testing.assert_allclose(runtime.run(np.ascontiguousarray(asked)), expected, atol=1e-4)
    # Its Fourier transforms stay in float32; 40 dB of the picture, though not of the holes alone, is why auto is f32.
    half = load_runtime(Store(), path, device="cpu", precision="bf16").run(np.ascontiguousarray(asked))
    assert _decibels(expected, half) > 40


def test_a_torchscript_file_gives_its_tensors_and_runs_none_of_its_program(
    filler: tuple[Path, Any], photograph: Image, holes: _Map, tmp_path: Path
) -> None:
    path, network = filler
    given = (
        torch.from_numpy(photograph.pixels.transpose(2, 0, 1)[None].copy()),
        torch.from_numpy((holes > 0)[None, None] * 1.0),
    )
    script: Any = torch.jit.trace(_Trainer(network), (given[0], given[1].float()), check_trace=False)
    torch.jit.save(script, tmp_path / "big-lama-of-mine.pt")
    asked = np.ascontiguousarray(np.concatenate([given[0].numpy(), given[1].float().numpy()], axis=1))
    expected = load_runtime(Store(), path, device="cpu").run(asked)
    answer = load_runtime(Store(), tmp_path / "big-lama-of-mine.pt", device="cpu").run(asked)
    assert np.array_equal(answer, expected)
    with torch.no_grad():
        np.testing.assert_allclose(answer, script(given[0], given[1].float()).numpy(), atol=1e-4)
    torch.jit.save(torch.jit.freeze(script.eval()), tmp_path / "frozen.pt")
    with pytest.raises(CheckpointFormatError, match="holds no state dict"):
        read_spec(tmp_path / "frozen.pt")


# Whole pictures


def test_a_grey_picture_gets_the_networks_colours_and_keeps_its_lightness(
    colouriser: tuple[Path, Any], grey: Image, tmp_path: Path
) -> None:
    path, network = colouriser
    with Restorer(path, device="cpu", precision="f32") as restorer:
        write_image(grey, tmp_path / "grey.png")
        before = read_image(tmp_path / "grey.png")
        out = restorer.restore(before)
    assert out.picture is not None
    assert (out.picture.purpose, out.picture.warnings, out.faces) == ("colourise", (), ())
    write_image(out.image, tmp_path / "coloured.png")
    after = read_image(tmp_path / "coloured.png")
    assert (after.grey, after.bit_depth) == (False, 16)
    assert before.alpha is not None
    assert after.alpha is not None
    np.testing.assert_array_equal(after.alpha, before.alpha)
    assert np.ptp(after.pixels, axis=2).mean() > 0.01
    # At 16 bits, pixel by pixel.
    np.testing.assert_allclose(_luminance(after.pixels), _luminance(before.pixels), atol=5e-5)
    # Its authors' way, computed independently: squared to 512, the class itself, interpolated, OpenCV's CIELAB.
    small = cv2.resize(before.pixels, (512, 512), interpolation=cv2.INTER_LINEAR)
    with torch.no_grad():
        chroma = network(torch.from_numpy(small.transpose(2, 0, 1)[None].copy())).numpy()[0].transpose(1, 2, 0)
    lab = np.dstack([cv2.cvtColor(before.pixels, cv2.COLOR_RGB2LAB)[..., :1], cv2.resize(chroma, (200, 176))])
    expected = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    within = ((expected > 0.01) & (expected < 0.99)).all(axis=2)
    assert within.mean() > 0.5
    assert np.abs(out.image.pixels - expected)[within].max() < 2 / 255  # OpenCV's CIELAB is a table


def test_colours_that_cannot_be_shown_are_made_paler_and_not_darker() -> None:
    generator = np.random.default_rng(1)
    grey = np.repeat(generator.random((40, 50, 1), dtype=np.float32), 3, axis=2)
    for strength in (0.0, 20.0, 500.0):
        chroma = (strength * generator.standard_normal((40, 50, 2))).astype(np.float32)
        coloured = with_chroma(grey, chroma)
        assert coloured.min() >= 0
        assert coloured.max() <= 1
        np.testing.assert_allclose(_luminance(coloured), _luminance(grey), atol=2e-6)
        if strength == 0:
            np.testing.assert_allclose(coloured, grey, atol=1e-6)


def test_a_picture_with_colours_is_told_of(colouriser: tuple[Path, Any], photograph: Image, grey: Image) -> None:
    sepia = Image(pixels=np.clip(grey.pixels * np.array([1.0, 0.85, 0.62], np.float32), 0, 1))
    with Restorer(colouriser[0], device="cpu") as restorer:
        told = restorer.restore(photograph).picture
        assert told is not None
        assert [warning.code for warning in told.warnings] == ["picture.had-colours"]
        toned = restorer.restore(sepia).picture
        assert toned is not None
        assert toned.warnings == ()


def test_only_the_holes_change_and_those_in_faces_are_left_to_faces(
    filler: tuple[Path, Any], photograph: Image, holes: _Map
) -> None:
    path, network = filler
    with Restorer(path, device="cpu") as restorer:
        out = restorer.restore(photograph, damage=holes)
        filled = restorer.repair(photograph, Repairs(), holes).image
    assert out.picture is not None
    assert [warning.code for warning in out.picture.warnings] == ["picture.hole-in-face"]
    same = (out.image.pixels == photograph.pixels).all(axis=2)
    assert same[holes == 0].all()
    # The cheek is as it was without the network.
    np.testing.assert_allclose(out.image.pixels[43:47, 79:83], filled.pixels[43:47, 79:83], atol=1e-6)
    # Elsewhere: the class itself, on the picture continued to multiples of 8 (which it is already).
    given = torch.from_numpy(filled.pixels.transpose(2, 0, 1)[None].copy())
    with torch.no_grad():
        expected = (
            network(given, torch.from_numpy((holes > 0)[None, None] * np.float32(1))).numpy()[0].transpose(1, 2, 0)
        )
    np.testing.assert_allclose(out.image.pixels[130:160, 20:60], expected[130:160, 20:60], atol=1e-4)
    assert np.abs(expected - filled.pixels)[130:160, 20:60].max() > 0.05
    halfway = filled.pixels + 0.5 * (expected - filled.pixels)
    np.testing.assert_allclose(out.image.pixels[20:24, 170:], halfway[20:24, 170:], atol=1e-4)


def test_a_large_picture_goes_through_it_in_windows_around_its_holes(
    filler: tuple[Path, Any], photograph: Image
) -> None:
    large = Image(pixels=np.ascontiguousarray(np.tile(photograph.pixels, (5, 6, 1))[:, :, :]))
    holes = np.zeros((880, 1200), np.float32)
    holes[400:440, 300:330] = 1
    holes[850:880, 1100:1200] = 1
    shown: list[tuple[int, ...]] = []
    with Restorer(filler[0], device="cpu") as restorer:
        run = restorer.runtime.run
        restorer.runtime.run = lambda images: (shown.append(images.shape[2:]), run(images))[1]  # pyright: ignore
        out = restorer.restore(large, damage=holes)
    assert len(shown) == 2
    assert max(max(sides) for sides in shown) < 400
    assert (out.image.pixels == large.pixels).all(axis=2)[holes == 0].all()
    assert (out.image.pixels != large.pixels).any(axis=2)[holes > 0].mean() > 0.9


def test_nothing_to_fill_is_said(filler: tuple[Path, Any], tiny_model: Path, photograph: Image) -> None:
    with Restorer(filler[0], device="cpu") as restorer:
        with pytest.raises(NoFaceError, match="damage mask"):
            restorer.restore(photograph)
        with pytest.raises(ConfigError, match="does not restore faces"):
            restorer.need_faces()
    with Restorer(tiny_model, picture_model=filler[0], device="cpu") as both:
        out = both.restore(photograph)
    assert out.picture is not None
    assert [warning.code for warning in out.picture.warnings] == ["picture.no-hole"]
    assert len(out.restored) == 1


def test_sides_of_any_length_are_taken(filler: tuple[Path, Any]) -> None:
    runtime = load_runtime(Store(), filler[0], device="cpu")
    for height, width in ((1, 1), (17, 33), (8, 100)):
        answer = answer_of(runtime, np.full((height, width, 4), 0.5, np.float32))
        assert answer.shape == (height, width, 3)
    with pytest.raises(ValueError, match="multiples of 8"):
        runtime.run(np.zeros((1, 4, 17, 33), np.float32))


# With a network for faces, and from the command line


def test_faces_are_restored_in_the_coloured_picture(
    colouriser: tuple[Path, Any], tiny_model: Path, grey: Image
) -> None:
    opaque = replace(grey, alpha=None)
    with Restorer(tiny_model, picture_model=colouriser[0], device="cpu", precision="f32") as restorer:
        both = restorer.restore(opaque, enlargement=Enlargement(upscale=2.0, background="lanczos"))
    assert len(both.restored) == 1
    assert both.picture is not None
    assert both.image.size.width == 400
    assert np.ptp(both.image.pixels, axis=2).mean() > 0.01
    with pytest.raises(ConfigError, match="works on whole pictures itself"):
        Restorer(colouriser[0], picture_model=colouriser[0], device="cpu")
    with pytest.raises(CheckpointFormatError, match="which is for faces"):
        Restorer(picture_model=tiny_model, device="cpu")


def test_the_command_line_colours_and_fills(
    colouriser: tuple[Path, Any],
    filler: tuple[Path, Any],
    photograph: Image,
    holes: _Map,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_image(photograph, tmp_path / "a.png")
    write_image(Image(pixels=np.repeat(holes[..., None], 3, axis=2)), tmp_path / "mask.png")
    common = ["restore", str(tmp_path / "a.png"), "--device", "cpu", "--report", str(tmp_path / "report.json")]
    assert main([*common, "--model", str(colouriser[0]), "--task", "colourise", "-o", str(tmp_path / "c.png")]) == 0
    said = capsys.readouterr()
    assert "coloured" in said.out + said.err
    assert "has colours already" in said.err
    picture = json.loads((tmp_path / "report.json").read_text())["pictures"][0]
    assert (picture["status"], picture["picture"]["task"]) == ("restored", "colourise")
    fill = ["--model", str(filler[0]), "--task", "inpaint", "--damage-mask", str(tmp_path / "mask.png"), "--overwrite"]
    assert main([*common, *fill, "-o", str(tmp_path / "f.png")]) == 0
    after = read_image(tmp_path / "f.png")
    assert (after.pixels == photograph_of(tmp_path).pixels).all(axis=2)[holes == 0].all()
    assert main([*common, *fill, "--task", "colourise", "-o", str(tmp_path / "g.png")]) == 2
    assert "is an inpainter" in capsys.readouterr().err


def photograph_of(folder: Path) -> Image:
    return read_image(folder / "a.png")


def test_a_batch_colours_whole_pictures_and_restores_their_faces(
    colouriser: tuple[Path, Any],
    tiny_model: Path,
    grey: Image,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    opaque = replace(grey, alpha=None, bit_depth=8)
    write_image(opaque, folder / "face.png")
    write_image(replace(opaque, pixels=np.ascontiguousarray(opaque.pixels[120:])), folder / "suit.png")
    flags = ["batch", str(folder), str(out), "--device", "cpu", "--precision", "f32", "--min-size", "32"]
    both = [*flags, "--model", str(tiny_model), "--picture-model", str(colouriser[0])]
    assert main([*both, "--preset", "natural"]) in (0, 3)
    said = capsys.readouterr().err
    assert "coloured, 1 face restored" in said
    assert "suit.png -> final/suit.png: coloured (" in said  # no face, and not left alone for that
    outcomes = {picture["source"].rpartition("/")[2]: picture for picture in _summary(out)["pictures"]}
    assert {name: one["outcome"]["picture"]["task"] for name, one in outcomes.items()} == {
        "face.png": "colourise",
        "suit.png": "colourise",
    }
    # As one by one; the guard did not take the colours for harm.
    assert outcomes["face.png"]["state"] == "final"
    with Restorer(tiny_model, picture_model=colouriser[0], device="cpu", precision="f32") as restorer:
        alone = restorer.restore(read_image(folder / "face.png"), "natural", on_bad="lower")
    write_image(alone.image, tmp_path / "alone.png")
    assert np.array_equal(read_image(out / "final" / "face.png").pixels, read_image(tmp_path / "alone.png").pixels)
    # Again it is known; with other controls no network is asked again; without the network it is another result.
    assert main([*both, "--preset", "natural"]) in (0, 3)
    assert "0 new, 2 known" in capsys.readouterr().err
    kept = _kept(out)
    assert main([*both, "--preset", "natural", "--strength", "0.5"]) in (0, 3)
    assert "2 to be done again" in capsys.readouterr().err
    assert _kept(out) == kept
    assert main([*flags, "--model", str(tiny_model), "--preset", "natural"]) == 3
    said = capsys.readouterr().err
    assert "2 to be done again" in said
    assert "suit.png was left alone: no face was found" in said


def _summary(out: Path) -> dict[str, Any]:
    return json.loads((out / "summary.json").read_text(encoding="utf-8"))


def _kept(out: Path) -> set[str]:
    return {path.name for path in (out / ".projections").rglob("*.f32")}


def test_a_batch_fills_holes_of_whole_pictures(
    filler: tuple[Path, Any], tiny_model: Path, photograph: Image, holes: _Map, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    write_image(photograph, tmp_path / "in" / "a.png")
    write_image(Image(pixels=np.repeat(holes[..., None], 3, axis=2)), tmp_path / "mask.png")
    flags = ["--picture-model", str(filler[0]), "--damage-mask", str(tmp_path / "mask.png"), "--device", "cpu"]
    out = tmp_path / "out"
    assert main(["batch", str(tmp_path / "in"), str(out), "--model", str(tiny_model), "--strength", "0", *flags]) in (
        0,
        3,
    )
    (picture,) = _summary(out)["pictures"]
    assert picture["outcome"]["picture"]["task"] == "inpaint"
    assert any("face" in warning for warning in picture["outcome"]["warnings"])  # the hole in the cheek
    after = read_image(out / picture["outcome"]["output"])
    assert (after.pixels == read_image(tmp_path / "in" / "a.png").pixels).all(axis=2)[holes == 0].all()


def test_a_print_of_a_batch_is_drawn_by_both_of_its_networks(
    colouriser: tuple[Path, Any], tiny_model: Path, grey: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "home"))
    (tmp_path / "in").mkdir()
    write_image(replace(grey, alpha=None, bit_depth=8), tmp_path / "in" / "face.png")
    out = tmp_path / "out"
    assert main(["models", "import", str(tiny_model), "--name", "tiny"]) == 0
    assert main(["models", "import", str(colouriser[0]), "--name", "colours"]) == 0
    networks = ["--model", "tiny", "--picture-model", "colours"]
    assert main(["batch", str(tmp_path / "in"), str(out), *networks, "--device", "cpu", "--precision", "f32"]) == 0
    with DecoderPool() as decoder:
        redrawn = Redrawer(out / "journal.sqlite", decoder).redraw(out / "final" / "face.png", Size(200, 176), 2.0)
    assert redrawn.why == ""
    assert redrawn.image is not None
    small = resize(redrawn.image.pixels, Size(200, 176), "area")
    np.testing.assert_allclose(
        small.mean((0, 1)), read_image(out / "final" / "face.png").pixels.mean((0, 1)), atol=0.02
    )
    assert np.ptp(small, axis=2).mean() > 0.01
