"""Rims of spectacles are drawn even and closed, along the photograph's edges, and dark lenses stay as they are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.faces.outlines import EYE_OUTLINES
from likeness.faces.regions import REGIONS, RegionMasks
from likeness.imaging.filters import gaussian_blur, to_channels
from likeness.imaging.image import Pixels
from likeness.restore.dark_lenses import are_eyes_hidden
from likeness.restore.rims import along_rims

SIDE = 512
BLUR = 3.0 / SIDE
EYES = ((193, 240), (319, 240))
MIDDLES, HALF = ((188, 251), (324, 251)), (50, 36)
ANGLES = np.linspace(0, 2 * np.pi, 720, endpoint=False)
LOWER = (np.sin(ANGLES) > 0.45) & (np.abs(np.cos(ANGLES)) < 0.85)
Map = NDArray[np.float32]


@pytest.fixture
def points() -> Map:
    """A mesh of which the eyes are where a face's are."""
    found = np.zeros((478, 2), np.float32)
    angles = np.linspace(0, 2 * np.pi, len(EYE_OUTLINES[0]), endpoint=False)
    for outline, (x, y) in zip(EYE_OUTLINES, EYES, strict=True):
        found[list(outline)] = np.stack([x - 27 * np.cos(angles), y + 8 * np.sin(angles)], axis=1)
    return found


def _line(lens: int, off: float | NDArray[np.float64] = 0.0) -> NDArray[np.float64]:
    x, y = MIDDLES[lens]
    return np.stack([x + (HALF[0] + off) * np.cos(ANGLES), y + (HALF[1] + off) * np.sin(ANGLES)], axis=1)


def _rims(drawn: NDArray[np.bool_], off: float | NDArray[np.float64] = 0.0, width: int = 3) -> Map:
    """Two rims, where ``drawn``."""
    canvas = np.zeros((SIDE, SIDE), np.float32)
    for lens in (0, 1):
        line = np.round(_line(lens, off) * 16).astype(np.int32)
        for start in range(0, len(ANGLES), 4):
            if drawn[start]:
                piece = line.take(range(start, start + 5), axis=0, mode="wrap")
                cv2.polylines(canvas, [piece], False, (1.0,), width, cv2.LINE_AA, 4)
    return canvas


def _skin(dark: Map) -> Pixels:
    return (np.array([0.75, 0.6, 0.5], np.float32) * (1 - 0.7 * to_channels(dark))).astype(np.float32)


def _masks(glasses: Map) -> RegionMasks:
    masks = {region: np.zeros_like(glasses) for region in REGIONS}
    return RegionMasks(masks=masks | {"glasses": glasses, "other": 1 - glasses}, side=SIDE, seen=True)


def _depths(pixels: Pixels, lens: int) -> NDArray[np.float64]:
    """How dark the rim is at every place, of the darkest within 2 px."""
    found = []
    for off in np.arange(-2, 2.1, 0.5):
        x, y = _line(lens, float(off)).astype(np.float32).T
        found.append(cv2.remap(pixels.mean(axis=2), x[None], y[None], cv2.INTER_LINEAR)[0])
    return (float(_skin(np.zeros((1, 1), np.float32)).mean()) - np.min(found, axis=0)).astype(np.float64)


def test_gaps_are_closed_and_waves_straightened(points: Map) -> None:
    whole = np.ones(len(ANGLES), bool)
    gaps = whole.copy()
    for start in (60, 200, 330, 600):
        gaps[start : start + 32] = False
    crop = gaussian_blur(_skin(_rims(whole)), BLUR * SIDE)
    answer = _skin(_rims(gaps, off=1.5 * np.sin(ANGLES * 24)))
    found = along_rims(answer, crop, _masks(_rims(whole, width=6)), BLUR, points)
    for lens in (0, 1):
        before, after = _depths(answer, lens), _depths(found, lens)
        assert before[~gaps].min() < 0.02
        assert after.min() > 0.4 * np.median(before)
        assert np.median(after) > 0.85 * np.median(before)
        assert after.std() < 0.5 * before.std()


def test_a_rim_that_neither_photograph_nor_answer_has_is_not_drawn(points: Map) -> None:
    upper = ~LOWER
    crop, answer = gaussian_blur(_skin(_rims(upper)), BLUR * SIDE), _skin(_rims(upper))
    found = along_rims(answer, crop, _masks(_rims(upper, width=6)), BLUR, points)
    middle = np.roll(LOWER, 26) & np.roll(LOWER, -26)  # it ends within 11 px
    for lens in (0, 1):
        assert _depths(found, lens)[middle].max() < 0.03


def test_nothing_but_the_rim_is_touched(points: Map) -> None:
    whole = np.ones(len(ANGLES), bool)
    crop, answer = gaussian_blur(_skin(_rims(whole)), BLUR * SIDE), _skin(_rims(whole, off=np.sin(ANGLES * 24)))
    found = along_rims(answer, crop, _masks(_rims(whole, width=6)), BLUR, points)
    beside = cv2.dilate(_rims(whole), np.ones((33, 33), np.uint8)) == 0
    assert np.array_equal(found[beside], answer[beside])


def test_broad_frames_are_made_even(points: Map) -> None:
    whole = np.ones(len(ANGLES), bool)
    frame, noise = _rims(whole, width=14), np.random.default_rng(3).normal(0, 0.06, (SIDE, SIDE)).astype(np.float32)
    sand = _skin(frame) + to_channels(noise * frame)
    found = along_rims(np.clip(sand, 0, 1), gaussian_blur(_skin(frame), BLUR * SIDE), _masks(frame), BLUR, points)
    inner = cv2.erode(frame, np.ones((5, 5), np.uint8)) > 0.9
    assert found[inner].std() < 0.6 * np.clip(sand, 0, 1)[inner].std()


def test_rims_of_a_sharp_photograph_are_left(points: Map) -> None:
    whole = np.ones(len(ANGLES), bool)
    answer = _skin(_rims(whole, off=np.sin(ANGLES * 24)))
    assert np.array_equal(along_rims(answer, _skin(_rims(whole)), _masks(_rims(whole)), 0.5 / SIDE, points), answer)


def test_nothing_changes_without_spectacles(points: Map) -> None:
    answer = _skin(_rims(np.ones(len(ANGLES), bool)))
    assert along_rims(answer, answer, _masks(np.zeros((SIDE, SIDE), np.float32)), BLUR, points) is answer


def test_a_mesh_without_eyes_ends_in_no_error() -> None:
    whole = np.ones(len(ANGLES), bool)
    answer = _skin(_rims(whole))
    found = along_rims(answer, answer, _masks(_rims(whole)), BLUR, np.zeros((478, 2), np.float32))
    assert np.isfinite(found).all()


def test_an_eye_beyond_the_border_of_an_aligned_crop_leaves_no_pixel_undefined(points: Map) -> None:
    lens = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(lens, (MIDDLES[1][0] - 280, MIDDLES[1][1]), HALF, 0, 0, 360, (1.0,), -1, cv2.LINE_AA)
    crop = _skin(lens)
    for blur in (0.0, BLUR):
        assert np.isfinite(along_rims(crop, crop, _masks(lens), blur, points - np.array([280, 0], np.float32))).all()


def test_a_dark_lens_gets_no_eye(points: Map) -> None:
    lens = np.zeros((SIDE, SIDE), np.float32)
    for middle in MIDDLES:
        cv2.ellipse(lens, middle, HALF, 0, 0, 360, (1.0,), -1, cv2.LINE_AA)
    crop, answer = _skin(lens), _skin(lens)
    cv2.circle(answer, EYES[0], 12, (0.9, 0.9, 0.9), -1)
    for blur in (0.0, BLUR):
        found = along_rims(answer, crop, _masks(lens), blur, points)
        inner = cv2.erode(lens, np.ones((31, 31), np.uint8)) > 0
        assert np.abs(found - crop)[inner].max() < 1e-3
        assert are_eyes_hidden(crop, _masks(lens).masks["glasses"], points, blur)
    clear = np.zeros((SIDE, SIDE), np.float32)
    assert not are_eyes_hidden(_skin(clear), _masks(clear).masks["glasses"], points, BLUR)


def test_a_single_lens_is_a_socket_in_the_shade(points: Map) -> None:
    """Nobody wears one dark lens; in a profile there is one alone, and it is believed."""
    lens = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(lens, MIDDLES[0], HALF, 0, 0, 360, (1.0,), -1, cv2.LINE_AA)
    answer = _skin(0.6 * lens)
    crop = gaussian_blur(answer, BLUR * SIDE)
    cv2.circle(answer, EYES[0], 12, (0.1, 0.1, 0.1), -1)
    (x, y) = EYES[0]
    eye = (slice(y - 8, y + 9), slice(x - 8, x + 9))
    assert np.abs(along_rims(answer, crop, _masks(lens), BLUR, points) - answer)[eye].max() < 0.03
    profile = points.copy()
    for outline in EYE_OUTLINES:
        profile[list(outline)] = points[list(EYE_OUTLINES[0])]
    # Nor is the aligned crop's usual place of eyes of any help there: lenses are as light as cheeks.
    assert np.abs(along_rims(answer, crop, _masks(lens), BLUR, profile) - crop)[eye].max() < 0.03


def _sunglasses(under: float) -> tuple[Pixels, Pixels]:
    """A blurred wearer of lenses under which skin is as light as that, and an answer with eyes."""
    lens = np.zeros((SIDE, SIDE), np.float32)
    for middle in MIDDLES:
        cv2.ellipse(lens, middle, HALF, 0, 0, 360, (1.0,), -1, cv2.LINE_AA)
    answer = (_skin(np.zeros_like(lens)) * (1 - to_channels(lens) * (1 - under))).astype(np.float32)
    crop = gaussian_blur(answer, BLUR * SIDE)
    for eye in EYES:
        cv2.circle(answer, eye, 12, (0.9, 0.9, 0.9), -1)
        cv2.circle(answer, eye, 6, (0.05, 0.05, 0.05), -1)
    return crop, answer


def test_sunglasses_of_which_only_the_rims_are_told_get_no_eyes(points: Map) -> None:
    crop, answer = _sunglasses(under=0.25)
    told = _masks(_rims(np.ones(len(ANGLES), bool), width=6))
    for mesh in (points, points + np.float32(40)):  # the mesh guesses where eyes are that it cannot see
        found = along_rims(answer, crop, told, BLUR, mesh)
        for x, y in EYES:
            eye = (slice(y - 10, y + 11), slice(x - 10, x + 11))
            assert np.abs(found - crop)[eye].max() < 0.05


def test_bright_mirrors_get_no_eyes(points: Map) -> None:
    lens = np.zeros((SIDE, SIDE), np.float32)
    for middle in MIDDLES:
        cv2.ellipse(lens, middle, HALF, 0, 0, 360, (1.0,), -1, cv2.LINE_AA)
    sky = np.array([0.65, 0.75, 0.85], np.float32)
    plain = _skin(np.zeros_like(lens))
    answer = (plain + to_channels(lens) * (sky - plain)).astype(np.float32)
    crop = gaussian_blur(answer, BLUR * SIDE)
    for eye in EYES:
        cv2.circle(answer, eye, 6, (0.05, 0.05, 0.05), -1)
    for share, kept in ((0.4, True), (0.1, False)):  # told by half, or a reflection on a lens that can be seen through
        found = along_rims(
            answer, crop, _masks(np.maximum(_rims(np.ones(len(ANGLES), bool)), share * lens)), BLUR, points
        )
        for x, y in EYES:
            assert (float(np.abs(found - crop)[y, x].max()) < 0.03) == kept


def test_eyes_behind_tinted_lenses_in_the_shade_stay(points: Map) -> None:
    crop, answer = _sunglasses(under=0.6)
    found = along_rims(answer, crop, _masks(_rims(np.ones(len(ANGLES), bool), width=6)), BLUR, points)
    for x, y in EYES:
        eye = (slice(y - 6, y + 7), slice(x - 20, x + 21))
        assert np.abs(found - answer)[eye].max() < 0.03


def test_an_eye_in_a_dark_socket_stays(points: Map) -> None:
    socket = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(socket, EYES[0], (40, 14), 0, 0, 360, (0.55,), -1, cv2.LINE_AA)
    answer = _skin(_rims(np.ones(len(ANGLES), bool)))
    cv2.circle(answer, EYES[0], 9, (0.1, 0.1, 0.1), -1)
    found = along_rims(answer, gaussian_blur(answer, BLUR * SIDE), _masks(socket), BLUR, points)
    (x, y) = EYES[0]
    eye = (slice(y - 9, y + 10), slice(x - 22, x + 23))
    assert np.abs(found - answer)[eye].max() < 0.01
