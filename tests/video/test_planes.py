from __future__ import annotations

import numpy as np
import pytest
from clips import av
from numpy.typing import NDArray

from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Size
from likeness.video.planes import Colours, Layout


def colours(name: str, matrix: int = 5, full: bool = False, centred: bool = False, height: int = 64) -> Colours:
    layout = Layout.of(name)
    assert layout is not None
    return Colours(layout=layout, matrix=matrix, full=full, centred=centred, height=height)


def picture(height: int = 64, width: int = 96, soft: float = 3.0) -> NDArray[np.float32]:
    noise = np.random.default_rng(3).uniform(0, 1, (height, width, 3)).astype(np.float32)
    x = gaussian_blur(noise, soft)
    return np.clip((x - x.mean()) * 4 + 0.5, 0.05, 0.95).astype(np.float32)


@pytest.mark.parametrize("name", ["yuv444p", "yuv444p10le", "yuv444p12le", "yuv444p16le"])
@pytest.mark.parametrize(("matrix", "full"), [(1, False), (5, True), (9, False), (7, False)])
def test_samples_of_a_picture_give_it_back(name: str, matrix: int, full: bool) -> None:
    how = colours(name, matrix, full)
    back = how.to_rgb(how.from_rgb(picture()))
    assert np.abs(back - picture()).max() < 1.75 / (1 << how.layout.bits)  # half a step of luma and of each colour


@pytest.mark.parametrize(("code", "matrix"), [(1, "ITU709"), (5, "ITU601")])
@pytest.mark.parametrize("full", [False, True])
def test_matrices_and_ranges_are_those_of_ffmpeg(code: int, matrix: str, full: bool) -> None:
    samples = np.rint(picture() * 255).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(samples, format="rgb24").reformat(
        format="yuv444p", dst_colorspace=matrix, dst_color_range="JPEG" if full else "MPEG"
    )
    planes = tuple(np.asarray(memoryview(p)).reshape(-1, p.line_size)[:, : p.width] for p in frame.planes)
    ours = colours("yuv444p", code, full).from_rgb(samples.astype(np.float32) / 255)
    for one, other in zip(ours, planes, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


@pytest.mark.parametrize("name", ["yuv420p", "yuv422p10le", "yuv411p", "gray"])
@pytest.mark.parametrize("size", [(64, 96), (47, 63)])
def test_no_change_leaves_every_sample(name: str, size: tuple[int, int]) -> None:
    how = colours(name)
    rng = np.random.default_rng(1)
    planes = how.from_rgb(rng.uniform(0, 1, (*size, 3)).astype(np.float32))
    change = np.zeros((*size, 3), np.float32)
    change[10:20, 12:24] = 0.1
    changed = how.with_change(planes, change)
    for part, (before, after) in enumerate(zip(planes, changed, strict=True)):
        assert before.shape == after.shape
        assert before.dtype == after.dtype
        down, across = (how.layout.down, how.layout.across) if part else (1, 1)
        touched = np.zeros(before.shape, bool)
        touched[10 // down - 1 : 20 // down + 1, 12 // across - 1 : 24 // across + 1] = True
        assert np.array_equal(before[~touched], after[~touched])
    assert (changed[0][12:18, 14:22] > planes[0][12:18, 14:22]).all()


@pytest.mark.parametrize("centred", [False, True])
def test_a_change_is_that_of_the_picture(centred: bool) -> None:
    how = colours("yuv420p", centred=centred)
    before, after = picture(soft=6.0), np.clip(picture(soft=6.0)[::-1] * 0.9, 0, 1)
    planes = how.with_change(how.from_rgb(before), after - before)
    assert np.abs(how.to_rgb(planes) - after).mean() < 0.004
    straight = how.from_rgb(after)
    assert max(np.abs(a.astype(int) - b).max() for a, b in zip(planes, straight, strict=True)) <= 1


def test_chroma_lies_where_it_is_said_to() -> None:
    """A vertical edge in colour alone comes back where it was: half a pixel off would show in its middle column."""
    edge = np.full((16, 32, 3), 0.4, np.float32)
    edge[:, 16:, 2] = 0.6
    for centred in (False, True):
        how = colours("yuv420p", centred=centred)
        blue = how.to_rgb(how.from_rgb(edge))[8, :, 2]
        middle = np.interp(0.5, (blue - blue.min()) / (blue.max() - blue.min()), np.arange(32))
        assert abs(middle - 15.5) < 0.3


def test_a_matrix_that_is_not_named_goes_by_the_height() -> None:
    assert colours("yuv420p", 2, height=480).used_matrix == 5
    assert colours("yuv420p", 2, height=1080).used_matrix == 1
    assert colours("yuv420p", 9, height=480).used_matrix == 9


def test_formats_that_are_converted_first() -> None:
    for name in ("rgb24", "nv12", "yuva420p", "pal8", "yuv420p10be", "yuyv422", "p010le"):
        assert Layout.of(name) is None
    assert Layout.stand_in("nv12", 8, (2, 2)).name == "yuv420p"
    assert Layout.stand_in("rgb48le", 16, (1, 1)).name == "yuv444p16le"
    full = Layout.of("yuvj420p")
    assert full is not None
    assert full.name == "yuv420p"
    assert full.fits(Size(63, 47)) == Size(62, 46)
