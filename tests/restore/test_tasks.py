"""Colouring and inpainting through the whole pipeline, by small real networks whose files say what they are for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.errors import ArgumentError, CheckpointFormatError, NoFaceError
from likeness.faces.face import Face
from likeness.imaging.colour import luma
from likeness.imaging.files import read_image, write_image
from likeness.imaging.image import Image
from likeness.models.formats import ModelInfo, read_checkpoint, write_checkpoint
from likeness.models.spec import FACE_PURPOSES, Purpose
from likeness.repair.repairs import Repairs
from likeness.restore.controls import Controls
from likeness.restore.enlargement import Enlargement
from likeness.restore.pipeline import Restorer
from likeness.restore.selection import Selection
from likeness.restore.tasks.registry import TASKS

_Tinting = dict[Purpose, Restorer]

_TINT = np.array([0.2, 0.0, -0.2], np.float32)
"""What the networks here add to the picture that they are given, of 1."""


@pytest.fixture(scope="module")
def tinting(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> _Tinting:
    """A network of each purpose that tints what it is given, in a file that says what it is for."""
    tiny = read_checkpoint(tiny_model)
    octaves = [int(name.split(".")[2]) for name in tiny.state if name.startswith("generator.to_rgbs.")]
    name = f"generator.to_rgbs.{max(octaves)}.bias"
    bias = tiny.state[name] + 2 * _TINT.reshape(1, 3, 1, 1)
    folder = tmp_path_factory.mktemp("tinting")

    def restorer(purpose: Purpose) -> Restorer:
        path = folder / f"{purpose}.safetensors"
        spec = replace(tiny.spec, purpose=purpose)
        write_checkpoint(path, {**tiny.state, name: bias}, spec, ModelInfo(name=purpose), dtype="float32")
        return Restorer(path, precision="f32")

    return {purpose: restorer(purpose) for purpose in FACE_PURPOSES}


@pytest.fixture(scope="module")
def couple(astronaut: Image) -> Image:
    """The portrait and its mirror image side by side."""
    return Image(pixels=np.ascontiguousarray(np.hstack([astronaut.pixels, astronaut.pixels[:, ::-1]])))


@pytest.fixture(scope="module")
def grey(astronaut: Image) -> Image:
    light = luma(astronaut.pixels)
    return Image(pixels=np.repeat(light[:, :, None], 3, axis=2), grey=True)


@pytest.fixture(scope="module")
def hole(couple: Image, tinting: _Tinting) -> NDArray[np.float32]:
    """A hole in the cheek of the first face, half of it soft."""
    face = tinting["inpaint"].find_faces(couple)[0]
    rows, columns = np.mgrid[: couple.size.height, : couple.size.width]
    centre, width = face.box.centre, face.box.width
    distance = np.hypot(columns - centre.x - 0.15 * width, rows - centre.y - 0.1 * width) / (0.15 * width)
    return np.clip(2 * (1 - distance), 0, 1).astype(np.float32)


def test_there_is_a_task_for_everything_that_is_done_to_faces() -> None:
    assert set(TASKS) == set(FACE_PURPOSES)


def test_black_and_white_gets_colours_and_keeps_its_lightness(tinting: _Tinting, grey: Image, tmp_path: Path) -> None:
    out = tinting["colourise"].restore(grey)
    assert not out.image.grey
    assert out.faces[0].before is not None
    assert out.faces[0].before.grey
    face = out.faces[0].face.box.clipped(grey.size)
    middle = out.image.pixels[int(face.centre.y), int(face.centre.x)]
    lightness = luma(grey.pixels)[int(face.centre.y), int(face.centre.x)]
    tint = _TINT - luma(_TINT)
    np.testing.assert_allclose(middle - lightness, 0.958 * tint, atol=0.02)  # 30 steps of 0.1
    inside = (out.image.pixels > 0).all(axis=2) & (out.image.pixels < 1).all(axis=2)
    assert np.abs(luma(out.image.pixels) - luma(grey.pixels))[inside].max() < 1e-5
    assert np.array_equal(out.image.pixels[:8], grey.pixels[:8])
    write_image(out.image, tmp_path / "coloured.png")
    assert np.array_equal(read_image(tmp_path / "coloured.png").to_uint8(), out.image.to_uint8())
    half = tinting["colourise"].restore(grey, Controls(strength=0.5)).image.pixels
    np.testing.assert_allclose(half[inside], ((out.image.pixels + grey.pixels) / 2)[inside], atol=1e-6)
    # The same network as a restorer leaves black and white alone.
    assert np.ptp(tinting["restore"].restore(grey).image.pixels, axis=2).max() == 0


def test_an_aligned_crop_gets_colours_all_over_also_enlarged(tinting: _Tinting, grey: Image) -> None:
    out = tinting["colourise"].restore(grey, aligned=True)
    assert (np.ptp(out.image.pixels, axis=2) > 0).mean() > 0.95
    twice = tinting["colourise"].restore(grey, aligned=True, enlargement=Enlargement(upscale=2, background="lanczos"))
    assert not twice.image.grey
    small = twice.image.pixels.reshape(grey.size.height, 2, grey.size.width, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - out.image.pixels).mean() < 0.01


def test_colours_of_a_photograph_are_replaced(tinting: _Tinting, astronaut: Image) -> None:
    out = tinting["colourise"].restore(astronaut, aligned=True).image.pixels
    grey = np.repeat(luma(astronaut.pixels)[:, :, None], 3, axis=2)
    expected = tinting["colourise"].restore(Image(pixels=grey), aligned=True).image.pixels
    # 0.958 of the way from its own colours, but for those finer than the network's pixels.
    left = np.abs(out - expected - (1 - 0.958) * (astronaut.pixels - grey)).mean()
    assert left < 0.1 * np.abs(astronaut.pixels - grey).mean()


def test_an_inpainter_draws_in_holes_alone(tinting: _Tinting, couple: Image, hole: NDArray[np.float32]) -> None:
    restorer = tinting["inpaint"]
    out = restorer.restore(couple, damage=hole)
    assert [face.status for face in out.faces] == ["restored", "skipped"]
    assert "damage mask" in str(out.faces[1].reason)
    assert not out.faces[0].warnings
    assert out.faces[0].filled > 0.01
    outside = hole == 0
    assert np.array_equal(out.image.pixels[outside], couple.pixels[outside])
    # The network gets the hole white and returns it tinted; 30 steps of 0.1 lead there.
    assert out.repaired is not None
    filled = out.repaired.image.pixels[hole == 1]
    drawn = np.clip(1 + _TINT, 0, 1)
    np.testing.assert_allclose(out.image.pixels[hole == 1], filled + 0.958 * (drawn - filled), atol=0.05)
    # As a restorer the same network changes the face around the hole, and nothing in it.
    restored = tinting["restore"].restore(couple, damage=hole)
    assert np.array_equal(restored.image.pixels[hole > 0], out.repaired.image.pixels[hole > 0])


@pytest.mark.parametrize("controls", [Controls(keep_grain=True), Controls(refine=2)], ids=["grain", "two windows"])
def test_an_inpainter_leaves_the_rest_with_every_control(
    tinting: _Tinting, couple: Image, hole: NDArray[np.float32], controls: Controls
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.03, couple.pixels.shape[:2])[:, :, None]
    grainy = Image(pixels=np.clip(couple.pixels + noise, 0, 1).astype(np.float32))
    out = tinting["inpaint"].restore(grainy, controls, damage=hole)
    assert np.array_equal(out.image.pixels[hole == 0], grainy.pixels[hole == 0])
    assert not np.array_equal(out.image.pixels[hole == 1], grainy.pixels[hole == 1])


def test_an_inpainter_on_an_enlarged_picture(tinting: _Tinting, couple: Image, hole: NDArray[np.float32]) -> None:
    twice = Enlargement(upscale=2, background="lanczos")
    out = tinting["inpaint"].restore(couple, damage=hole, enlargement=twice).image.pixels
    assert out.shape[:2] == (2 * couple.size.height, 2 * couple.size.width)
    filled = tinting["inpaint"].repair(couple, Repairs(), hole).image
    plain = tinting["inpaint"].enlarge(filled, twice).pixels
    far = hole.copy()
    far[:, 1:] = np.maximum(far[:, 1:], hole[:, :-1])
    far[:, :-1] = np.maximum(far[:, :-1], hole[:, 1:])
    far[1:] = np.maximum(far[1:], far[:-1])
    far[:-1] = np.maximum(far[:-1], far[1:])
    outside = far.repeat(2, axis=0).repeat(2, axis=1) == 0
    assert np.array_equal(out[outside], plain[outside])
    assert np.abs(out - plain)[hole.repeat(2, axis=0).repeat(2, axis=1) == 1].mean() > 0.1


def test_without_a_hole_there_is_nothing_to_fill(tinting: _Tinting, couple: Image, hole: NDArray[np.float32]) -> None:
    restorer = tinting["inpaint"]
    with pytest.raises(NoFaceError, match="needs a damage mask"):
        restorer.restore(couple)
    with pytest.raises(NoFaceError, match="needs a damage mask"):
        restorer.restore(couple, damage=hole, selection=Selection(which=(1,)))
    with pytest.raises(ValueError, match="needs a damage mask"):
        restorer.project(couple, restorer.find_faces(couple)[0], Controls())


def test_an_enlarger_restores_no_face(tiny_model: Path, tmp_path: Path) -> None:
    tiny = read_checkpoint(tiny_model)
    path = tmp_path / "enlarger.safetensors"
    write_checkpoint(path, tiny.state, replace(tiny.spec, purpose="enlarge"), ModelInfo(name="a"))
    with pytest.raises(CheckpointFormatError, match="an enlarger, not a restorer or a colouriser or an inpainter"):
        Restorer(path)


class _Blind:
    """A detector that must not be asked."""

    def detect(self, image: Image) -> tuple[Face, ...]:
        raise AssertionError(f"detection ran on {image.size}")


def test_faces_that_are_known_are_not_looked_for(tinting: _Tinting, couple: Image) -> None:
    found = tinting["restore"].find_faces(couple)
    expected = tinting["restore"].restore(couple)
    blind = Restorer(runtime=tinting["restore"].runtime, detector=_Blind())
    out = blind.restore(couple, faces=found)
    assert np.array_equal(out.image.pixels, expected.image.pixels)
    backwards = found[::-1]
    turned = blind.restore(couple, faces=backwards, selection=Selection(which=(0,)))
    assert [outcome.face for outcome in turned.faces] == list(backwards)
    assert [outcome.status for outcome in turned.faces] == ["restored", "skipped"]
    blind.restore(couple, faces=found, repairs=Repairs(scratches=1.0))
    with pytest.raises(NoFaceError):
        blind.restore(couple, faces=[])
    with pytest.raises(ArgumentError, match="leave out faces"):
        blind.restore(couple, faces=found, aligned=True)
    with pytest.raises(ArgumentError):
        blind.restore(couple, faces=[couple])  # type: ignore[list-item]


def test_the_seed_decides_what_is_random(tinting: _Tinting, couple: Image, hole: NDArray[np.float32]) -> None:
    noise = np.random.default_rng(0).normal(0, 0.03, couple.pixels.shape[:2])[:, :, None]
    grainy = Image(pixels=np.clip(couple.pixels + noise, 0, 1).astype(np.float32))
    restorer = tinting["restore"]
    faces = restorer.find_faces(grainy)

    def made(seed: int | None) -> NDArray[np.float32]:
        out = restorer.restore(grainy, Controls(keep_grain=True), faces=faces, damage=hole, seed=seed)
        return out.image.pixels

    first, again, other, picture = made(1), made(1), made(2), made(None)
    assert np.array_equal(first, again)
    assert not np.array_equal(first[hole == 0], other[hole == 0])
    assert not np.array_equal(first[hole == 1], other[hole == 1])
    assert not np.array_equal(first, picture)
    # Nothing else depends on it.
    plain = [restorer.restore(couple, faces=faces, seed=seed).image.pixels for seed in (None, 1)]
    assert np.array_equal(plain[0], plain[1])
    for bad in (-1, 1.5, True, "a"):
        with pytest.raises(ArgumentError, match="seed must be a whole number"):
            restorer.restore(couple, seed=bad)  # type: ignore[arg-type]
