"""Colours that files name without a profile: cICP and nclx, gAMA and cHRM, and what goes before what."""

from __future__ import annotations

import contextlib
import io
import logging
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageCms
from profiles import ADOBE, gamma_curve, matrix_profile
from signals import TO_2020, TO_P3, bt709, codes, hlg, moved, png_chunk, pq, saved, srgb, with_chunks

from likeness.imaging.colour_signal import ColourSignal, cicp_signal, signal_profile
from likeness.imaging.encode import encode_image
from likeness.imaging.files import read_image
from likeness.imaging.heif_file import read_heif
from likeness.imaging.icc import gamut_volume, is_srgb_profile, profile_cicp
from likeness.imaging.image import Image
from likeness.imaging.origin import Note

LUMA_2020 = (0.2627, 0.678, 0.0593)
PORTRAIT = Path(__file__).resolve().parents[2] / "examples" / "portrait.jpg"


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """The sRGB samples that every file here means."""
    return read_image(PORTRAIT).to_uint8()[::2, ::2]


def _error(image: Image, truth: np.ndarray) -> float:
    return float(np.abs(image.pixels * 255 - truth).mean())


def _cicp(primaries: int, transfer: int, full: int = 1) -> bytes:
    return png_chunk(b"cICP", bytes([primaries, transfer, 0, full]))


_CHRM = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
_CHRM_P3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


def _chrm(values: tuple[int, ...]) -> bytes:
    return png_chunk(b"cHRM", struct.pack(">8I", *values))


def _gama(value: int) -> bytes:
    return png_chunk(b"gAMA", struct.pack(">I", value))


@pytest.mark.parametrize(
    ("matrix", "curve", "chunks"),
    [
        (TO_P3, srgb, (_cicp(12, 13),)),
        (TO_2020, srgb, (_cicp(9, 13),)),
        (TO_2020, bt709, (_cicp(9, 14),)),
        (TO_2020, bt709, (_cicp(9, 1),)),
        (None, lambda x: x ** (1 / 2.8), (_cicp(5, 5),)),
        (None, lambda x: x, (_gama(100000),)),
        (None, lambda x: x ** (1 / 1.8), (_gama(55556), _chrm(_CHRM))),
        (TO_P3, srgb, (_chrm(_CHRM_P3),)),
        (TO_P3, lambda x: x ** (1 / 2.2), (_chrm(_CHRM_P3), _gama(45455))),
    ],
)
def test_what_the_chunks_say_is_converted_and_kept(
    truth: np.ndarray, matrix: Any, curve: Any, chunks: tuple[bytes, ...]
) -> None:
    file = codes(curve(moved(truth, matrix)))
    image = read_image(with_chunks(saved(file, "PNG"), *chunks))
    assert _error(image, truth) < 0.8  # linear light has few steps for shadows
    # Written back: the file's own samples, in a profile that says what the chunk said, to this reader and to others.
    assert image.icc_profile is not None
    data = encode_image(image, "PNG")
    opened = PillowImage.open(io.BytesIO(data))
    assert np.array_equal(np.asarray(opened), file)
    again = read_image(data)
    assert np.array_equal(again.pixels, image.pixels)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(opened.info["icc_profile"]))
    elsewhere = ImageCms.profileToProfile(opened, profile, ImageCms.createProfile("sRGB"), renderingIntent=1)
    assert np.abs(np.asarray(elsewhere, np.float64) - truth).mean() < 0.8


def test_16_bits_and_grey(truth: np.ndarray) -> None:
    grey = truth[..., 1]
    linear = codes(moved(grey, None), 65535)
    stream = io.BytesIO()
    PillowImage.fromarray(linear).save(stream, "PNG")
    image = read_image(with_chunks(stream.getvalue(), _gama(100000)))
    assert (image.grey, image.bit_depth) == (True, 16)
    assert np.abs(image.pixels[..., 0] * 255 - grey).max() < 0.5
    assert np.array_equal(np.asarray(PillowImage.open(io.BytesIO(encode_image(image, "PNG")))), linear)


@pytest.mark.parametrize("chunks", [(_gama(45455),), (_gama(45455), _chrm(_CHRM)), (_cicp(1, 13),), (_cicp(1, 1),), ()])
def test_what_says_srgb_changes_nothing(truth: np.ndarray, chunks: tuple[bytes, ...]) -> None:
    image = read_image(with_chunks(saved(truth, "PNG"), *chunks))
    assert image.icc_profile is None
    assert image.native is None
    assert np.array_equal(image.to_uint8(), truth)


def test_which_chunk_goes_first(truth: np.ndarray) -> None:
    adobe = matrix_profile(ADOBE, gamma_curve(563 / 256))
    plain = saved(truth, "PNG")
    profiled = saved(truth, "PNG", icc_profile=adobe)
    by_profile = read_image(profiled)
    by_cicp = read_image(with_chunks(plain, _cicp(12, 13)))
    assert read_image(with_chunks(profiled, _cicp(12, 13))).icc_profile == by_cicp.icc_profile  # cICP over iCCP
    found = read_image(with_chunks(profiled, _gama(100000), png_chunk(b"sRGB", b"\0")))  # iCCP over sRGB and gAMA
    assert np.array_equal(found.pixels, by_profile.pixels)
    found = read_image(with_chunks(plain, _gama(100000), png_chunk(b"sRGB", b"\0")))  # sRGB over gAMA
    assert np.array_equal(found.to_uint8(), truth)


def test_narrow_range(truth: np.ndarray) -> None:
    file = (truth.astype(np.float64) * 219 / 255 + 16 + 0.5).astype(np.uint8)
    assert _error(read_image(with_chunks(saved(file, "PNG"), _cicp(1, 13, full=0))), truth) < 0.6


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
@pytest.mark.parametrize("top", [255, 65535])
def test_hdr_white_is_203_nits(truth: np.ndarray, transfer: str, top: int, caplog: pytest.LogCaptureFixture) -> None:
    linear = moved(truth, TO_2020)
    file = codes(pq(linear) if transfer == "pq" else hlg(linear, LUMA_2020), top)
    if top == 255:
        data = saved(file, "PNG")
    else:
        data = encode_image(Image(pixels=file.astype(np.float32) / np.float32(65535), bit_depth=16), "PNG")
    with caplog.at_level(logging.WARNING, "likeness"):
        image = read_image(with_chunks(data, _cicp(9, 16 if transfer == "pq" else 18)))
    assert _error(image, truth) < (1.2 if top == 255 else 0.2)
    assert image.notes == (Note(code="hdr", value=transfer.upper()),)
    assert "HDR" in caplog.text
    assert image.icc_profile is None


def test_hdr_by_the_profile_s_own_code_points(truth: np.ndarray) -> None:
    """Profiles of HDR pictures name their curve beside an approximation of it."""
    wide = signal_profile(ColourSignal(primaries=(0.708, 0.292, 0.17, 0.797, 0.131, 0.046, 0.3127, 0.329)))
    count = struct.unpack_from(">I", wide, 128)[0]
    # One more entry in the table moves all that it points to.
    table = bytearray(wide[132 : 132 + 12 * count])
    for place in range(0, len(table), 12):
        struct.pack_into(">I", table, place + 4, struct.unpack_from(">I", table, place + 4)[0] + 12)
    tag = b"cicp\0\0\0\0" + bytes([9, 16, 0, 1])
    entry = b"cicp" + struct.pack(">II", len(wide) + 12, len(tag))
    profile = wide[:128] + struct.pack(">I", count + 1) + bytes(table) + entry + wide[132 + 12 * count :] + tag
    assert profile_cicp(profile) == (9, 16)
    assert profile_cicp(wide) is None
    image = read_image(saved(codes(pq(moved(truth, TO_2020))), "PNG", icc_profile=profile))
    assert _error(image, truth) < 1.2
    assert [note.code for note in image.notes] == ["hdr"]


@pytest.mark.parametrize(
    ("chunk", "sentence"),
    [
        (_cicp(77, 13), "primaries 77"),
        (_cicp(1, 200), "transfer 200"),
        (_gama(1), "gamma"),
        (_chrm((31270, 32900, 30000, 30000, 30000, 30000, 30000, 30000)), "one line"),
        (_chrm((0,) * 8), "white"),
    ],
)
def test_colours_that_are_none_are_told(truth: np.ndarray, chunk: bytes, sentence: str) -> None:
    image = read_image(with_chunks(saved(truth, "PNG"), chunk))
    assert sentence in image.profile_fault
    assert np.array_equal(image.to_uint8(), truth)


def test_the_made_profiles() -> None:
    assert is_srgb_profile(signal_profile(ColourSignal()))
    p3 = cicp_signal(12, 13)
    assert p3 is not None
    assert gamut_volume(signal_profile(p3)) == pytest.approx(1.39, abs=0.01)
    assert cicp_signal(2, 2) is None
    with pytest.raises(ValueError, match="PQ"):
        signal_profile(ColourSignal(transfer="pq"))


def _avif_with(box: bytes) -> bytes:
    """An AVIF file whose colour box is another one of the same length."""
    noisy = np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    data = saved(noisy, "AVIF", quality=95, subsampling="4:4:4")
    place = data.index(b"colrnclx") + 8
    return data[:place] + box + data[place + len(box) :]


def test_avif_by_its_box() -> None:
    plain = read_image(_avif_with(struct.pack(">HH", 1, 13)))
    assert plain.icc_profile is None
    wide = read_image(_avif_with(struct.pack(">HH", 12, 13)))
    assert wide.icc_profile == signal_profile(
        ColourSignal(primaries=(0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329))
    )
    assert np.array_equal(wide.native, plain.to_uint8())  # pyright: ignore[reportArgumentType]
    again = read_image(encode_image(wide, "PNG"))
    assert np.array_equal(again.pixels, wide.pixels)


def test_damaged_boxes_end_the_reading_only() -> None:
    data = _avif_with(struct.pack(">HH", 12, 13))
    random = np.random.default_rng(5)
    for _ in range(300):
        broken = bytearray(data[:400])
        for place in random.integers(0, 400, 6):
            broken[place] = random.integers(0, 256)
        boxes = read_heif(io.BytesIO(bytes(broken)))
        assert boxes.notes is not None
        with contextlib.suppress(ValueError):
            assert boxes.signal is None or boxes.signal.primaries


@pytest.mark.parametrize(
    ("name", "most"),
    [("nclx-p3.avif", 2.2), ("cicp-p3.png", 1), ("nclx-pq.hif", 5), ("cicp-pq.png", 2), ("gama-1.png", 2)],
)
def test_the_cases(shared: Path, name: str, most: float) -> None:
    cases = shared / "cases"
    truth = read_image(cases / "colour-reference.png").to_uint8()
    assert _error(read_image(cases / name), truth) < most
