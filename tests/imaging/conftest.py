"""Colour profiles written by hand: none may be shipped, and Pillow can only make sRGB ones."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from profiles import ADOBE, D50, gamma_curve, matrix_profile, profile, s15

_SRGB_D50 = np.array([[0.436066, 0.385147, 0.143066], [0.222488, 0.716873, 0.060608], [0.013916, 0.097076, 0.714096]])


def _lab(rgb: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] to CIE L*a*b* under D50."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _SRGB_D50.T / D50
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def _srgb(lab: np.ndarray) -> np.ndarray:
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, (116 * f - 16) * 27 / 24389) * D50
    linear = np.clip(xyz @ np.linalg.inv(_SRGB_D50).T, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def _lut16(inputs: int, nodes: int, values: np.ndarray) -> bytes:
    """lut16Type (ICC.1:2022, 10.10) without curves; values in [0, 1]."""
    ramp = struct.pack(">2H", 0, 65535)
    cube = (values.reshape(-1, 3) * 65535 + 0.5).astype(">u2").tobytes()
    head = struct.pack(">BBBx", inputs, 3, nodes) + s15(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return b"mft2" + bytes(4) + head + struct.pack(">HH", 2, 2) + ramp * inputs + cube + ramp * 3


def _lab16(lab: np.ndarray) -> np.ndarray:
    """L*a*b* in the 16-bit encoding of lut16Type, as fractions of 65535: 0xFF00 is 100, 0x8000 is 0."""
    code = np.stack([lab[..., 0] * 652.8, (lab[..., 1] + 128) * 256, (lab[..., 2] + 128) * 256], axis=-1)
    return np.clip(code, 0, 65535) / 65535


def _grid(inputs: int, nodes: int) -> np.ndarray:
    axis = np.linspace(0, 1, nodes)
    return np.stack(np.meshgrid(*[axis] * inputs, indexing="ij"), axis=-1)


@pytest.fixture(scope="session")
def adobe_profile() -> bytes:
    """Adobe RGB (1998): other primaries, gamma 563/256."""
    return matrix_profile(ADOBE, gamma_curve(563 / 256))


@pytest.fixture(scope="session")
def srgb_like_profile() -> bytes:
    """sRGB under another name and by other bytes: its primaries, its curve in parametric form."""
    curve = b"para" + bytes(4) + struct.pack(">Hxx", 3) + s15(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return matrix_profile(tuple(tuple(row) for row in _SRGB_D50.T), curve)


@pytest.fixture(scope="session")
def grey_profile() -> bytes:
    """Grey with gamma 1.8, as old Macintosh scans have it."""
    return profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": gamma_curve(1.8)})


@pytest.fixture(scope="session")
def table_profile() -> bytes:
    """An RGB profile made of tables both ways; its red is sRGB's blue and the other way round."""
    to_lab = _lab16(_lab(_grid(3, 17)[..., ::-1]))
    lab = _grid(3, 33) * [65535 / 652.8, 65535 / 256, 65535 / 256] - [0, 128, 128]
    return profile(
        b"prtr", b"RGB ", b"Lab ", {b"A2B0": _lut16(3, 17, to_lab), b"B2A0": _lut16(3, 33, _srgb(lab)[..., ::-1])}
    )


@pytest.fixture(scope="session")
def one_tone_profile() -> bytes:
    """An RGB profile whose table has the same grey at every node."""
    return profile(b"scnr", b"RGB ", b"Lab ", {b"A2B0": _lut16(3, 2, np.full((8, 3), 0.5))})


@pytest.fixture(scope="session")
def scanner_profile() -> bytes:
    """The same, but with no way back from colour to samples."""
    return profile(b"scnr", b"RGB ", b"Lab ", {b"A2B0": _lut16(3, 17, _lab16(_lab(_grid(3, 17)[..., ::-1])))})


@pytest.fixture(scope="session")
def cmyk_profile() -> bytes:
    """A press with inks as they are: cyan prints as (0, 158, 224), not as (0, 255, 255)."""
    inks = np.array([[0, 158, 224], [229, 0, 125], [255, 236, 0], [29, 29, 27]]) / 255
    coverage = _grid(4, 9)[..., None]
    return profile(
        b"prtr", b"CMYK", b"Lab ", {b"A2B0": _lut16(4, 9, _lab16(_lab(np.prod(1 - coverage * (1 - inks), axis=-2))))}
    )
