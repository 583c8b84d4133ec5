from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import Face
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image
from likeness.repair.marks import MarkCounts, Marks, find_marks
from likeness.repair.repair import face_guards
from likeness.runtimes.marks import MarkShares, marks_runtime

_Map = NDArray[np.float32]


def told(*strokes: tuple[tuple[int, int], tuple[int, int], int, float], missing: _Map | None = None) -> MarkShares:
    """What a network would tell of 200 x 160 px: lines from a point to another, of a width, and how likely each is."""
    thin = np.full((200, 160), 0.02, np.float32)
    for first, last, width, share in strokes:
        cv2.line(thin, first, last, (share,), width)
    gone = np.zeros_like(thin) if missing is None else missing
    return MarkShares(thin=thin, missing=gone, wide=np.zeros_like(thin))


GREY = np.full((200, 160, 3), 0.5, np.float32)
UNEVEN = GREY + np.random.default_rng(0).normal(0, 0.03, (200, 160, 1)).astype(np.float32)
SCRATCH = ((20, 20), (24, 180), 2, 0.98)
SPECK = ((100, 60), (101, 60), 4, 0.98)
FAINT = ((60, 120), (140, 130), 2, 0.35)


def test_marks_are_counted_by_what_they_are() -> None:
    marks = find_marks(UNEVEN, shares=told(SCRATCH, SPECK, FAINT))
    assert (marks.scratches, marks.specks, marks.pieces) == (1, 1, 0)
    assert marks.mask[100, 22]
    assert marks.mask[60, 100]
    assert not marks.mask[125, 100]
    assert marks.area == pytest.approx(float(marks.mask.mean()))


def test_sensitivity_takes_in_what_is_less_likely() -> None:
    likely = (*FAINT[:2], 2, 0.6)
    faint = ((60, 150), (140, 160), 2, 0.35)
    shares = told(SCRATCH, likely, faint)
    assert [find_marks(UNEVEN, shares=shares, sensitivity=s).scratches for s in (0.0, 0.5, 1.0)] == [1, 2, 3]


def test_a_mark_on_even_ground_is_surer_than_one_between_light_and_dark() -> None:
    edge = GREY.copy()
    edge[:, 22:] = 0.1
    likely = (*SCRATCH[:3], 0.5)
    assert find_marks(GREY, shares=told(likely)).scratches == 1
    assert find_marks(edge, shares=told(likely)).scratches == 0


def test_a_long_mark_over_light_and_dark_surely_is_a_scratch_and_a_seam_is_not() -> None:
    across = GREY.copy()
    across[70:130] = 0.8
    across[130:] = 0.2
    seam = GREY.copy()
    seam[:, 22:] = 0.35
    likely = (*SCRATCH[:3], 0.8)
    short = ((20, 60), (22, 80), 2, 0.8)
    assert find_marks(across, shares=told(likely), sensitivity=0).scratches == 1
    assert find_marks(across, shares=told(short), sensitivity=0).scratches == 0
    assert find_marks(seam, shares=told(likely), sensitivity=0).scratches == 0


def test_what_is_found_beyond_a_lower_sensitivity() -> None:
    shares = told(SCRATCH, (*FAINT[:2], 2, 0.6))
    sure, usual = (find_marks(UNEVEN, shares=shares, sensitivity=s) for s in (0.0, 0.5))
    assert usual.beyond(sure) == MarkCounts(scratches=1, specks=0, pieces=0)
    assert sure.beyond(usual) == MarkCounts(scratches=0, specks=0, pieces=0)


def test_a_mark_goes_on_where_damage_is_a_quarter_as_likely() -> None:
    faint_end = ((24, 180), (24, 199), 2, 0.3)
    marks = find_marks(GREY, shares=told(SCRATCH, faint_end))
    assert marks.scratches == 1
    assert marks.mask[190, 22:26].any()


def test_at_the_highest_sensitivity_a_mark_goes_on_farther() -> None:
    fainter_end = ((24, 180), (24, 199), 2, 0.12)
    usual, most = (find_marks(GREY, shares=told(SCRATCH, fainter_end), sensitivity=s) for s in (0.5, 1.0))
    assert (usual.scratches, most.scratches) == (1, 1)
    assert not usual.mask[190, 22:26].any()
    assert most.mask[190, 22:26].any()


def test_a_wide_corner_is_gone_where_it_shows_paper_that_the_other_side_has_not() -> None:
    wide = np.zeros((200, 160), np.float32)
    cv2.fillPoly(wide, [np.array([[0, 120], [70, 199], [0, 199]])], (0.99,))
    shares = replace(told(), wide=wide)
    paper, oval, coat, folded = (GREY.copy() for _ in range(4))
    paper[wide > 0] = 0.9
    oval[(wide + wide[:, ::-1]) > 0] = 0.9
    coat[wide > 0] = 0.1
    folded[wide > 0] = np.linspace(0.7, 1.0, int((wide > 0).sum()))[:, None]
    assert [find_marks(x, shares=shares).pieces for x in (paper, oval, coat, folded)] == [1, 0, 0, 0]
    grown = cv2.dilate(wide, np.ones((3, 3), np.uint8)) > 0
    assert (find_marks(paper, shares=shares).missing == grown).all()
    inner = cv2.erode(wide, np.ones((3, 3), np.uint8))
    assert (find_marks(paper, shares=replace(told(), wide=inner)).missing == grown).all()
    shirt = np.zeros((200, 160), np.float32)
    shirt[120:, 30:60] = 0.99
    assert find_marks(np.where(shirt[..., None] > 0, GREY + 0.4, GREY), shares=replace(told(), wide=shirt)).pieces == 0


def test_specks_in_kept_places_stay_and_a_long_scratch_does_not() -> None:
    keep = np.zeros((200, 160), np.float32)
    keep[40:110, 10:120] = 1
    marks = find_marks(GREY, keep, shares=told(SCRATCH, SPECK))
    assert (marks.scratches, marks.specks) == (1, 0)
    assert marks.mask[70, 21], "a scratch that comes from far outside crosses the eye as well"
    keep[:] = 1
    assert find_marks(GREY, keep, shares=told(SCRATCH, SPECK)).area == 0


@pytest.mark.parametrize(("value", "specks"), [(0.1, 0), (0.9, 1)])
def test_dark_specks_on_skin_stay_and_light_ones_go(value: float, specks: int) -> None:
    pixels = GREY.copy()
    cv2.line(pixels, (100, 60), (101, 60), (value,) * 3, 4)
    skin = np.ones((200, 160), np.float32)
    assert find_marks(pixels, None, skin, shares=told(SPECK)).specks == specks
    certain = (*SPECK[:3], 0.99)
    assert find_marks(pixels, None, skin, shares=told(certain)).specks == 1, "no mole looks so much like dust"
    assert find_marks(pixels, shares=told(SPECK)).specks == 1


def test_missing_pieces_lie_at_the_border() -> None:
    missing = np.zeros((200, 160), np.float32)
    cv2.fillPoly(missing, [np.array([(0, 0), (40, 0), (0, 50)])], (0.99,))
    cv2.circle(missing, (90, 120), 20, (0.99,), -1)
    # The rim of the piece is no scratch of its own.
    rim = ((40, 0), (0, 50), 3, 0.95)
    marks = find_marks(GREY, shares=told(rim, missing=missing))
    assert marks.pieces == 1
    assert marks.missing[5, 5]
    assert not marks.missing[120, 90]
    assert not (marks.mask & marks.missing).any()
    assert marks.whole[5, 5]


def test_painted_marks_are_added_and_rubbed_out() -> None:
    add, rub = np.zeros((200, 160), np.bool_), np.zeros((200, 160), np.bool_)
    add[150:160, 100:110] = True
    rub[:100] = True
    marks = find_marks(GREY, shares=told(SCRATCH)).edited(add, rub)
    assert marks.mask[155, 105]
    assert not marks.mask[:100].any()
    assert marks.mask[170, 20:26].any()
    assert Marks.none((4, 5)).whole.shape == (4, 5)


@pytest.fixture(scope="module")
def faces(astronaut: Image) -> tuple[Face, ...]:
    return tuple(MediaPipeDetector().detect(astronaut))


@pytest.fixture(scope="module")
def scene() -> _Map:
    """A plain ground with soft forms, an edge, and a little grain: 400 x 320."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:400, :320].astype(np.float32)
    grey = 0.45 + 0.1 * np.sin(x / 40) + 0.1 * np.cos(y / 55)
    grey[:, 200:] -= 0.2
    grey = gaussian_blur(grey, 1.0) + rng.normal(0, 0.01, grey.shape).astype(np.float32)
    return np.repeat(np.clip(grey, 0, 1)[:, :, None], 3, axis=2).astype(np.float32)


@pytest.mark.parametrize("value", [0.95, 0.05])
def test_the_network_finds_a_scratch_where_it_is_and_nowhere_else(scene: _Map, value: float) -> None:
    layer = np.zeros(scene.shape[:2], np.float32)
    cv2.line(layer, (90, 30), (110, 330), (1.0,), 1, cv2.LINE_AA)
    damaged = scene + layer[:, :, None] * (np.float32(value) - scene)
    marks = find_marks(damaged, sensitivity=0.8)
    assert marks.scratches >= 1
    assert marks.mask[layer > 0.3].mean() > 0.8
    near = cv2.dilate((layer > 0).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert not marks.whole[~near].any()


def test_the_network_finds_dust_and_leaves_a_clean_picture_alone(scene: _Map) -> None:
    assert find_marks(scene).area == 0
    dusty = scene.copy()
    places = ((60, 60, 0.95), (250, 100, 0.95), (150, 300, 0.02), (40, 350, 0.9))
    for x, y, value in places:
        cv2.circle(dusty, (x, y), 2, (value,) * 3, -1, cv2.LINE_AA)
    marks = find_marks(dusty)
    assert marks.specks == 4
    assert all(marks.mask[y, x] for x, y, _ in places)
    assert marks.area < 0.003


def test_a_portrait_is_nearly_left_alone(astronaut: Image, faces: tuple[Face, ...]) -> None:
    assert find_marks(astronaut.pixels, *face_guards(faces, astronaut)).area < 0.03


def test_catch_lights_are_no_dust_at_any_sensitivity(astronaut: Image, faces: tuple[Face, ...]) -> None:
    keep, skin = face_guards(faces, astronaut)
    assert keep is not None
    bright = astronaut.pixels.copy()
    places = np.round(faces[0].five_points[:3]).astype(int).tolist()  # and on the tip of the nose
    for x, y in places:
        cv2.circle(bright, (x + 1, y - 1), 1, (1.0, 1.0, 1.0), -1)
    for sensitivity in (0.5, 1.0):
        mask = find_marks(bright, keep, skin, sensitivity=sensitivity).whole
        for x, y in places:
            assert not mask[y - 3 : y + 3, x - 2 : x + 4].any()


def test_a_gleam_along_a_rim_is_no_scratch(astronaut: Image, faces: tuple[Face, ...]) -> None:
    eyes = np.array(faces[0].five_points[:2])
    radius = round(0.38 * float(np.hypot(*(eyes[1] - eyes[0]))) * 16)
    worn, rim = astronaut.pixels.copy(), np.zeros(astronaut.pixels.shape[:2], np.float32)
    left, right = (eye.tolist() for eye in np.round(eyes * 16).astype(int))
    for eye in (left, right):
        cv2.circle(worn, eye, radius, (0.05,) * 3, 3, cv2.LINE_AA, 4)
        cv2.circle(rim, eye, radius, (1.0,), 5, cv2.LINE_AA, 4)
    cv2.line(worn, (left[0] + radius, left[1]), (right[0] - radius, right[1]), (0.05,) * 3, 3, cv2.LINE_AA, 4)
    for eye in (left, right):
        cv2.ellipse(worn, eye, (radius, radius), 0, 40, 140, (1.0,) * 3, 1, cv2.LINE_AA, 4)
    bare, seen = (face_guards(faces, image) for image in (astronaut, astronaut.with_pixels(worn)))
    gleam = np.zeros_like(rim)
    for eye in (left, right):
        cv2.ellipse(gleam, eye, (radius, radius), 0, 40, 140, (0.99,), 2, cv2.LINE_8, 4)
    shares = MarkShares(thin=gleam, missing=np.zeros_like(gleam), wide=np.zeros_like(gleam))
    marked = [int(find_marks(worn, *guards, shares=shares).mask[rim > 0.5].sum()) for guards in (bare, seen)]
    assert marked[0] > 0
    assert marked[1] == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 3)])
def test_a_picture_of_a_pixels_width_can_be_looked_at(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).random((*size, 3)).astype(np.float32)
    assert find_marks(pixels).mask.shape == size


def test_a_large_picture_gets_a_mask_of_its_own_size(astronaut: Image) -> None:
    large = np.repeat(np.repeat(astronaut.pixels, 8, axis=0), 8, axis=1)
    cv2.line(large, (1300, 30), (1330, 1900), (0.98,) * 3, 5, cv2.LINE_AA)
    marks = find_marks(large)
    assert marks.mask.shape == (2048, 2048)
    assert marks_runtime().look(large).thin.shape == (1600, 1600)
    assert marks.mask[300:600, 1295:1315].any(axis=1).mean() > 0.5


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    script = Path(__file__).parents[2] / "benchmarks" / "damage.py"
    spec = importlib.util.spec_from_file_location("damage_benchmark", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_most_of_known_damage_is_found_on_old_photographs(benchmark: ModuleType, shared: Path) -> None:
    """The fast form of benchmarks/damage.py: four photographs of the half that is reported."""
    shown = benchmark.drawn_over(benchmark.pictures(shared / "oldphotos", "sound", "reported")[:4], 1)
    made = benchmark.score(shown, benchmark.network(), MediaPipeDetector())
    assert made.mean_recall > 0.35
    assert made.precision > 0.65
