"""Rims of spectacles are drawn along the photograph's edges, and dark lenses stay as they are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.faces.outlines import EYE_OUTLINES
from likeness.faces.regions import REGIONS, RegionMasks
from likeness.imaging.filters import gaussian_blur, to_channels
from likeness.imaging.image import Pixels
from likeness.restore.rims import along_rims

SIDE, CENTRE, RADIUS = 512, (256, 220), 60
BLUR = 4.0 / SIDE
NO_EYES = np.zeros((478, 2), np.float32)
Map = NDArray[np.float32]


def _masks(glasses: Map) -> RegionMasks:
    masks = {region: np.zeros_like(glasses) for region in REGIONS}
    return RegionMasks(masks=masks | {"glasses": glasses, "other": 1 - glasses}, side=SIDE, seen=True)


def _skin(rim: Map) -> Pixels:
    return (np.array([0.75, 0.6, 0.5], np.float32) * (1 - 0.85 * to_channels(rim))).astype(np.float32)


@pytest.fixture
def rim() -> Map:
    drawn = np.zeros((SIDE, SIDE), np.float32)
    cv2.circle(drawn, CENTRE, RADIUS, (1.0,), 6, cv2.LINE_AA)
    return drawn


@pytest.fixture
def wavy() -> Map:
    """The rim as a network draws it: in waves of 2 px, with gaps of 7 px."""
    drawn = np.zeros((SIDE, SIDE), np.float32)
    angles = np.linspace(0, 2 * np.pi, 721)
    radii = RADIUS + 2 * np.sin(angles * 30)
    points = np.stack([CENTRE[0] + radii * np.cos(angles), CENTRE[1] + radii * np.sin(angles)], axis=1)
    cv2.polylines(drawn, [np.round(points * 16).astype(np.int32)], True, (1.0,), 6, cv2.LINE_AA, 4)
    for angle in np.arange(0.2, 6, 0.9):
        at = round(CENTRE[0] + RADIUS * np.cos(angle)), round(CENTRE[1] + RADIUS * np.sin(angle))
        cv2.circle(drawn, at, 3, (0.3,), -1, cv2.LINE_AA)
    return drawn


def _uneven(pixels: Pixels) -> float:
    """How much the mean darkness of the rim differs from place to place along it."""
    angles = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    radii = np.arange(RADIUS - 2, RADIUS + 2.5)[:, None]
    x, y = ((CENTRE[axis] + radii * way(angles)).astype(np.float32) for axis, way in enumerate((np.cos, np.sin)))
    return float(cv2.remap(pixels.mean(axis=2), x, y, cv2.INTER_LINEAR).mean(axis=0).std())


def test_gaps_and_waves_of_a_blurred_rim_are_mended(rim: Map, wavy: Map) -> None:
    crop, answer = gaussian_blur(_skin(rim), BLUR * SIDE), _skin(wavy)
    found = along_rims(answer, crop, _masks(rim), BLUR, NO_EYES)
    assert _uneven(found) < 0.7 * _uneven(answer)
    on_rim, beside = rim > 0.9, cv2.dilate(rim, np.ones((31, 31), np.uint8)) == 0
    assert found[on_rim].mean() < answer[on_rim].mean() + 0.05  # no fainter
    assert np.array_equal(found[beside], answer[beside])


def test_rims_of_a_sharp_photograph_are_left(rim: Map, wavy: Map) -> None:
    answer = _skin(wavy)
    assert np.array_equal(along_rims(answer, _skin(rim), _masks(rim), 0.5 / SIDE, NO_EYES), answer)


def test_nothing_changes_without_spectacles(rim: Map, wavy: Map) -> None:
    answer = _skin(wavy)
    assert along_rims(answer, _skin(rim), _masks(np.zeros_like(rim)), BLUR, NO_EYES) is answer


def test_a_dark_lens_gets_no_eye() -> None:
    lens = np.zeros((SIDE, SIDE), np.float32)
    cv2.circle(lens, CENTRE, RADIUS, (1.0,), -1, cv2.LINE_AA)
    crop, answer = _skin(lens), _skin(lens)
    cv2.circle(answer, CENTRE, 15, (0.9, 0.9, 0.9), -1)
    for blur in (0.0, BLUR):
        found = along_rims(answer, crop, _masks(lens), blur, NO_EYES)
        inner = cv2.erode(lens, np.ones((41, 41), np.uint8)) > 0
        assert np.abs(found - crop)[inner].max() < 1e-3


def test_an_eye_in_a_dark_socket_stays(wavy: Map) -> None:
    socket = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(socket, CENTRE, (40, 14), 0, 0, 360, (0.55,), -1, cv2.LINE_AA)
    answer, points = _skin(wavy), NO_EYES.copy()
    cv2.circle(answer, CENTRE, 9, (0.1, 0.1, 0.1), -1)
    angles = np.linspace(0, 2 * np.pi, len(EYE_OUTLINES[0]), endpoint=False)
    points[list(EYE_OUTLINES[0])] = np.stack([CENTRE[0] + 22 * np.cos(angles), CENTRE[1] + 9 * np.sin(angles)], axis=1)
    found = along_rims(answer, gaussian_blur(answer, BLUR * SIDE), _masks(socket), BLUR, points)
    eye = (slice(CENTRE[1] - 9, CENTRE[1] + 10), slice(CENTRE[0] - 22, CENTRE[0] + 23))
    assert np.abs(found - answer)[eye].max() < 0.01
    assert not np.array_equal(found, answer)
