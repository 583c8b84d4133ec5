"""Colour spaces that files name by numbers instead of an ICC profile: CICP (nclx boxes, cICP chunks), gAMA and cHRM.

Spaces of ordinary range become a small ICC profile, so that from there on they are treated as any other profile: converted
to sRGB for the work, and written back with the file's own samples. PQ and HLG are converted for good.

Sources: ITU-T H.273 (2023), tables 2 and 3; SMPTE RP 177-1993 (primaries to XYZ); ICC.1:2022; ITU-R BT.2100-2 (PQ and HLG);
ITU-R BT.2408-7 (white at 203 cd/m2).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from likeness.imaging.colour import linear_to_srgb
from likeness.imaging.samples import Samples, row_strips

__all__ = ["SRGB_PRIMARIES", "ColourSignal", "Primaries", "cicp_signal", "hdr_to_srgb", "signal_profile"]

Primaries: TypeAlias = "tuple[float, float, float, float, float, float, float, float]"
"""Chromaticities x, y of red, green, blue and white."""

_D65 = (0.3127, 0.329)
_C = (0.31, 0.316)
SRGB_PRIMARIES: Primaries = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, *_D65)
_PRIMARIES: dict[int, Primaries] = {
    1: SRGB_PRIMARIES,
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C),
    5: (0.64, 0.33, 0.29, 0.6, 0.15, 0.06, *_D65),
    6: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *_D65),
    7: (0.63, 0.34, 0.31, 0.595, 0.155, 0.07, *_D65),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C),
    9: (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, *_D65),
    11: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.314, 0.351),
    12: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, *_D65),
    22: (0.63, 0.34, 0.295, 0.605, 0.155, 0.077, *_D65),
}

_Transfer: TypeAlias = 'float | Literal["srgb", "bt709", "smpte240", "pq", "hlg"]'
_TRANSFERS: dict[int, _Transfer] = {
    1: "bt709",
    4: 2.2,
    5: 2.8,
    6: "bt709",
    7: "smpte240",
    8: 1.0,
    11: "bt709",
    12: "bt709",
    13: "srgb",
    14: "bt709",
    15: "bt709",
    16: "pq",
    18: "hlg",
}
_UNSPECIFIED = 2
_VIDEO = (1, 5, 6)  # primaries of BT.709 and BT.601

# Parameters g, a, b, c, d of (a x + b)^g from d on, and c x below (ICC.1:2022, 10.18, function 3).
_CURVES = {
    "srgb": (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    "bt709": (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081),
    "smpte240": (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4.0, 0.0912),
}
_WHITE_NITS = 203.0
_HLG_PEAK_NITS = 1000.0
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True, kw_only=True)
class ColourSignal:
    """A colour space by its primaries and its transfer function.

    Attributes:
        primaries: chromaticities of red, green, blue and white.
        transfer: from samples to light: a power (1.0 is linear), or the name of a function.

    Raises:
        ValueError: if no colours can be made from these primaries, or with this power.
    """

    primaries: Primaries = SRGB_PRIMARIES
    transfer: _Transfer = "srgb"

    def __post_init__(self) -> None:
        if isinstance(self.transfer, (int, float)) and not 0.2 <= self.transfer <= 5:
            raise ValueError(f"the file names a gamma of {self.transfer:g}, which no picture has")
        if not all(-1 <= value <= 1.5 for value in self.primaries) or min(self.primaries[1::2]) <= -0.5:
            raise ValueError("the file names primaries that are no colours")
        x, y = self.primaries[6:]
        if not (0.1 <= x <= 0.6 and 0.1 <= y <= 0.6):
            raise ValueError("the file names a white that is none")
        matrix = _to_xyz(self.primaries)
        if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-3 or np.abs(matrix).max() > 5:
            raise ValueError("the file names primaries that lie on one line")

    @property
    def is_hdr(self) -> bool:
        return self.transfer in ("pq", "hlg")


def cicp_signal(primaries: int, transfer: int) -> ColourSignal | None:
    """The colour space of H.273's code points; None for sRGB, and where the file leaves it open.

    BT.709's and BT.601's own transfer functions are taken as sRGB's: still pictures that say so come from the tools of
    video, whose screens show them much as sRGB does. With wider primaries they are what H.273 says.

    Raises:
        ValueError: for a code point that is not read.
    """
    primaries = 1 if primaries == _UNSPECIFIED else primaries
    transfer = (13 if primaries in _VIDEO else 1) if transfer == _UNSPECIFIED else transfer
    if primaries not in _PRIMARIES or transfer not in _TRANSFERS:
        raise ValueError(f"the file names a colour space that is not read (primaries {primaries}, transfer {transfer})")
    curve = _TRANSFERS[transfer]
    if primaries in _VIDEO and curve in ("srgb", "bt709"):
        return None
    return ColourSignal(primaries=_PRIMARIES[primaries], transfer=curve)


@lru_cache(maxsize=16)
def signal_profile(signal: ColourSignal, *, grey: bool = False) -> bytes:
    """An ICC profile (version 4, matrix and curves; one curve for grey) of a colour space, the same every time.

    Raises:
        ValueError: for PQ and HLG, which a matrix and curves cannot hold.
    """
    if signal.is_hdr:
        raise ValueError("PQ and HLG need more than a matrix and curves")
    if isinstance(signal.transfer, (int, float)):
        curve = b"para" + struct.pack(">4xHxx", 0) + _s15(signal.transfer)
    else:
        curve = b"para" + struct.pack(">4xHxx", 3) + _s15(*_CURVES[signal.transfer])
    x, y = signal.primaries[6:]
    adaptation = _adaptation(_xyz(x, y), _D50)
    tags = {
        b"desc": _text("colours as the original file named them"),
        b"cprt": _text("CC0"),
        b"wtpt": b"XYZ \0\0\0\0" + _s15(*_D50),
        b"chad": b"sf32\0\0\0\0" + _s15(*adaptation.ravel()),
    }
    if grey:
        tags[b"kTRC"] = curve
    else:
        columns = (adaptation @ _to_xyz(signal.primaries)).T
        tags.update({name: b"XYZ \0\0\0\0" + _s15(*column) for name, column in zip(_COLUMNS, columns, strict=True)})
        tags.update(dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))
    return _packed(tags, b"GRAY" if grey else b"RGB ")


def hdr_to_srgb(samples: Samples, signal: ColourSignal) -> NDArray[np.float32]:
    """PQ or HLG samples to sRGB: 203 cd/m2 become white, and what is brighter or outside sRGB is cut.

    HLG is shown as on a screen of 1000 cd/m2, whose white (75% of the signal) is 203 cd/m2 as well.

    Args:
        samples: height x width (x 3), uint8 or uint16.

    Returns:
        float32 of the shape of ``samples``, in [0, 1].
    """
    codes = np.linspace(0.0, 1.0, 256 if samples.dtype == np.uint8 else 65536)
    light = (_pq(codes) if signal.transfer == "pq" else _hlg(codes)).astype(np.float32)
    to_xyz = _to_xyz(signal.primaries)
    matrix = np.linalg.inv(_to_xyz(SRGB_PRIMARIES)) @ to_xyz
    result = np.empty(samples.shape, np.float32)
    for rows in row_strips(samples):
        linear = light[samples[rows]]
        if signal.transfer == "hlg":
            scene = linear if linear.ndim == 2 else linear @ to_xyz[1].astype(np.float32)
            shown = np.maximum(scene, 0) ** np.float32(0.2) * np.float32(_HLG_PEAK_NITS / _WHITE_NITS)
            linear = linear * (shown if linear.ndim == 2 else shown[..., None])
        if linear.ndim == 3:
            linear = linear @ matrix.T.astype(np.float32)
        result[rows] = np.clip(linear_to_srgb(np.clip(linear, 0.0, 1.0)), 0.0, 1.0)
    return result


def _pq(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light over white (BT.2100-2, table 4)."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = codes ** (1 / m2)
    return (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) * 10000 / _WHITE_NITS


def _hlg(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light of the scene in [0, 1] (BT.2100-2, table 5)."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(codes <= 0.5, codes**2 / 3, (np.exp((codes - c) / a) + b) / 12)


def _to_xyz(primaries: Primaries) -> NDArray[np.float64]:
    """3 x 3, linear RGB to XYZ with Y of white 1 (SMPTE RP 177, 3.3)."""
    columns = np.stack([_xyz(*primaries[place : place + 2], whole=False) for place in (0, 2, 4)], axis=1)
    if abs(np.linalg.det(columns)) < 1e-6:
        raise ValueError("the file names primaries that lie on one line")
    return columns * np.linalg.solve(columns, _xyz(*primaries[6:]))


def _xyz(x: float, y: float, *, whole: bool = True) -> NDArray[np.float64]:
    """XYZ of a chromaticity: of luminance 1, or of sum 1."""
    found = np.array([x, y, 1 - x - y])
    return found / y if whole else found


def _adaptation(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """3 x 3, from colours under one white to those under another (ICC.1:2022, annex E: linear Bradford)."""
    scale = (_BRADFORD @ target) / (_BRADFORD @ source)
    return np.linalg.inv(_BRADFORD) @ (scale[:, None] * _BRADFORD)


# --- the profile's bytes ----------------------------------------------------------------------------------------------

_COLUMNS = (b"rXYZ", b"gXYZ", b"bXYZ")


def _s15(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(float(value) * 65536) for value in values))


def _text(text: str) -> bytes:
    """multiLocalizedUnicodeType (ICC.1:2022, 10.15)."""
    return b"mluc" + struct.pack(">4xII2s2sII", 1, 12, b"en", b"US", 2 * len(text), 28) + text.encode("utf-16-be")


def _packed(tags: dict[bytes, bytes], space: bytes) -> bytes:
    """Header, table and data of a profile (ICC.1:2022, 7); tags of the same content share it."""
    start = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    places: dict[bytes, int] = {}
    for name, content in tags.items():
        if content not in places:
            places[content] = start + len(data)
            data += content + bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, places[content], len(content))
    date = struct.pack(">6H", 2022, 5, 1, 0, 0, 0)
    head = struct.pack(">I4sI4s4s4s", start + len(data), bytes(4), 0x04400000, b"mntr", space, b"XYZ ") + date
    head += b"acsp" + bytes(28) + _s15(*_D50)
    return head + bytes(128 - len(head)) + table + data
