"""Each figure finds the fault it is for, on a real portrait, and leaves a faithful picture alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.evidence.eyes import EYES
from likeness.evidence.figures import FaceEvidence, Figure
from likeness.evidence.scene import Scene, make_scene
from likeness.faces.detect import MediaPipeDetector
from likeness.imaging.image import Image

Picture = NDArray[np.float32]
Judge = Callable[[Picture], FaceEvidence]
FAULTS = ("look", "bad")


@pytest.fixture(scope="module")
def scene(woman: Picture) -> Scene:
    image = Image(pixels=woman)
    return make_scene(image, image, MediaPipeDetector().detect(image)[0])


def blur(x: Picture, sigma: float) -> Picture:
    return np.asarray(cv2.GaussianBlur(x, (0, 0), sigma), np.float32)


def within(changed: Picture, x: Picture, where: NDArray[np.float32]) -> Picture:
    """Changed where the mask is 1. The portrait is aligned, so that a mask of the crop fits the picture to a few pixels."""
    return x + where[:, :, None] * (changed - x)


def told(figure: Figure) -> float:
    """The per cent that a sentence says are left."""
    return float(re.findall(r"(\d+)% of the", figure.sentence)[0])


def test_an_identical_picture_is_good_all_over(judge: Judge, woman: Picture) -> None:
    evidence = judge(woman)
    assert {figure.name for figure in evidence.figures if figure.verdict not in ("good", "none")} == set()
    assert evidence.count("none") <= 1
    for figure in evidence.figures:
        assert figure.before is None or figure.after == pytest.approx(figure.before, rel=1e-6)
        if figure.before is None and figure.after is not None:
            assert figure.after == pytest.approx(0, abs=0.02)
    assert evidence.verdict == "good"


def test_faint_noise_and_fine_jpeg_are_no_faults(judge: Judge, woman: Picture) -> None:
    noise = np.random.default_rng(0).normal(0, 2 / 255, woman.shape).astype(np.float32)
    _, coded = cv2.imencode(".jpg", np.round(woman * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])
    for faint in (woman + noise, cv2.imdecode(coded, cv2.IMREAD_COLOR).astype(np.float32) / 255):
        evidence = judge(faint)
        assert {figure.name: figure.sentence for figure in evidence.figures if figure.verdict in FAULTS} == {}


def test_saw_teeth_in_the_hair(judge: Judge, woman: Picture) -> None:
    small = cv2.resize(woman, (85, 85), interpolation=cv2.INTER_AREA)
    stairs = cv2.resize(small, (512, 512), interpolation=cv2.INTER_NEAREST)
    figure = judge(stairs)["hair_jaggedness"]
    assert figure.verdict == "bad", figure
    assert figure.after > figure.before + 0.2


def test_a_smeared_and_a_cut_out_hair_edge(judge: Judge, woman: Picture) -> None:
    assert judge(blur(woman, 5.0))["hair_width"].verdict == "bad"
    # Dark hair against a bright wall: a threshold makes a cut-out of the head.
    hard = np.where(blur(woman, 1.0).mean(axis=2, keepdims=True) > 0.45, np.float32(0.85), np.float32(0.1))
    figure = judge(np.repeat(hard, 3, axis=2))["hair_width"]
    assert figure.verdict == "bad", figure
    assert figure.after < 3


def test_flattened_highlights(judge: Judge, woman: Picture, scene: Scene) -> None:
    bright = (scene.masks["forehead"] + scene.masks["nose"]).clip(0, 1)
    figure = judge(within(blur(woman, 4.0), woman, bright))["highlights"]
    assert figure.verdict in FAULTS, figure
    assert told(figure) == round(100 * figure.after / figure.before) < 50
    burnt = judge(within(woman + np.float32(0.45), woman, bright))["highlights"]
    assert burnt.verdict == "bad"
    assert "burnt" in burnt.sentence


def test_a_flat_iris(judge: Judge, woman: Picture, scene: Scene) -> None:
    rings = np.zeros((512, 512), np.float32)
    for eye in EYES:
        x, y = scene.points[eye.iris[0]]
        cv2.circle(rings, (round(float(x)), round(float(y))), 14, (1.0,), -1)
    flat = within(blur(woman, 6.0), woman, blur(rings, 1.0))
    figure = judge(flat)["iris"]
    assert figure.verdict == "bad", figure
    assert len(figure.boxes) == 2
    assert told(figure) == round(100 * figure.after / figure.before)
    assert judge(within(blur(woman, 6.0), woman, 1 - blur(rings, 1.0)))["iris"].verdict == "good"


def test_waxed_skin(judge: Judge, woman: Picture) -> None:
    waxed = woman
    for _ in range(3):
        waxed = cv2.bilateralFilter(waxed, 9, 0.12, 6)
    evidence = judge(waxed)
    figure = evidence["skin_texture"]
    assert figure.verdict in FAULTS, figure
    assert told(figure) == round(100 * figure.after / figure.before)
    assert evidence["plastic_skin"].verdict == "bad", evidence["plastic_skin"]


def test_noise_that_went_is_no_loss_of_texture(inspector: object, woman: Picture) -> None:
    """A grainy picture of smooth skin has nothing to lose; the figures say so instead of calling the result plastic."""
    from likeness.evidence.inspection import Inspector

    assert isinstance(inspector, Inspector)
    smooth = blur(woman, 2.5)
    grainy = np.clip(smooth + np.random.default_rng(1).normal(0, 6 / 255, woman.shape), 0, 1).astype(np.float32)
    face = MediaPipeDetector().detect(Image(pixels=woman))[0]
    evidence = inspector.inspect_face(Image(pixels=grainy), Image(pixels=smooth), face)
    assert evidence["skin_texture"].verdict == "look", evidence["skin_texture"]
    assert "only noise" in evidence["skin_texture"].sentence
    assert evidence["plastic_skin"].verdict == "none"


def test_another_person(judge: Judge, stranger: Picture) -> None:
    pytest.importorskip("dlib", reason="identity figures need the extra evaluate")
    figure = judge(stranger)["identity"]
    assert figure.verdict == "bad"
    assert figure.after > 0.5


@pytest.mark.parametrize("factor", [1.03, 0.97])
def test_a_stretched_face(judge: Judge, woman: Picture, factor: float) -> None:
    matrix = np.array([[factor, 0, 256 * (1 - factor)], [0, 1, 0]])
    wide = cv2.warpAffine(woman, matrix, (512, 512), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    figure = judge(wide)["stretch"]
    assert figure.verdict == "bad", figure
    assert figure.after == pytest.approx((factor - 1) * 100, abs=0.4)


def test_a_wider_mouth_and_a_drawn_lid_fold(judge: Judge, woman: Picture, scene: Scene) -> None:
    p = scene.points
    middle = (p[61] + p[291]) / 2
    y, x = np.mgrid[:512, :512].astype(np.float32)
    near = np.exp(-(((x - middle[0]) / 70) ** 2 + ((y - middle[1]) / 45) ** 2)).astype(np.float32)
    moved = cv2.remap(woman, x - (x - middle[0]) * 0.2 * near, y, cv2.INTER_CUBIC)
    figure = judge(moved)["mouth_width"]
    assert figure.verdict in FAULTS, figure
    assert figure.after > 1.05 * figure.before


def test_a_lid_fold_that_was_not_there(judge: Judge, woman: Picture, scene: Scene) -> None:
    drawn = woman.copy()
    for eye in EYES:
        lid = scene.points[list(eye.upper)]
        brow = scene.points[list(eye.brow)].mean(axis=0)
        line = lid + (brow - lid.mean(axis=0)) * 0.45
        shade = np.zeros((512, 512), np.float32)
        cv2.polylines(shade, [np.round(line).astype(np.int32)], False, (1.0,), 3, cv2.LINE_AA)
        drawn = drawn * (1 - np.float32(0.45) * blur(shade, 1.0)[:, :, None])
    figure = judge(drawn)["lid_fold"]
    assert figure.verdict in FAULTS, figure
    assert figure.after > figure.before + 5


def test_a_colour_cast(judge: Judge, woman: Picture) -> None:
    warm = woman * np.array([1.06, 1.0, 0.88], np.float32)
    evidence = judge(warm)
    assert evidence["colour_skin"].verdict in FAULTS
    assert "yellower" in evidence["colour_skin"].sentence
    assert evidence["colour_eyes"].verdict in FAULTS
    assert evidence["skin_texture"].verdict == "good"


def test_halos_of_an_unsharp_mask(judge: Judge, woman: Picture) -> None:
    figure = judge(woman + np.float32(2.0) * (woman - blur(woman, 3.0)))["overshoot"]
    assert figure.verdict == "bad", figure
    assert judge(blur(woman, 1.0))["overshoot"].verdict == "good"


def test_a_hard_seam_and_a_soft_one(judge: Judge, woman: Picture) -> None:
    ellipse = np.zeros((512, 512), np.float32)
    cv2.ellipse(ellipse, (256, 280), (140, 190), 0, 0, 360, (1.0,), -1)
    lighter = woman + np.float32(0.03)
    figure = judge(within(lighter, woman, ellipse))["seam"]
    assert figure.verdict == "bad", figure
    assert figure.after == pytest.approx(0.03 * 255, rel=0.35)
    assert judge(within(lighter, woman, blur(ellipse, 20.0)))["seam"].verdict == "good"
    square = np.zeros((512, 512), np.float32)
    square[110:440, 110:400] = 1
    assert judge(within(lighter, woman, square))["seam"].verdict in FAULTS
