"""Enlarged results: the whole picture larger, the faces as finely as the network drew them, everything else as it was."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from counting import Counting
from PIL import Image as PillowImage
from profiles import ADOBE, SRGB, gamma_curve, matrix_profile, profile
from safetensors.numpy import save_file

from likeness.errors import CheckpointError, ControlError, ImageTooLargeError
from likeness.faces.align import warp
from likeness.imaging.colour import luma, srgb_to_linear
from likeness.imaging.decoded import Decoded
from likeness.imaging.encode import encode_image
from likeness.imaging.exif import dots_per_inch, exif_from_resolution
from likeness.imaging.files import read_image
from likeness.imaging.filters import gaussian_blur, resize
from likeness.imaging.image import Box, Image, Pixels, Size
from likeness.imaging.metadata_fields import Metadata
from likeness.imaging.origin import Note
from likeness.imaging.samples import to_samples
from likeness.models.esrgan.config import EsrganConfig
from likeness.models.esrgan.config import expected_shapes as esrgan_shapes
from likeness.models.srvgg.config import SrvggConfig, expected_shapes
from likeness.models.store import Store
from likeness.restore import background
from likeness.restore.background import Enlargers, enlarge_image, enlarge_pixels
from likeness.restore.controls import Controls
from likeness.restore.enlargement import Enlargement
from likeness.restore.outcome import FaceProjection
from likeness.restore.pipeline import Restorer
from likeness.runtimes.base import Batch
from likeness.runtimes.enlarging import Enlarger, TiledEnlarger
from likeness.runtimes.openvino_ import OpenVinoRuntime
from likeness.studio.finishing import Finishing, areas_of, finish


def _striped(answer: Batch) -> Batch:
    """Something of the network's own: fine stripes."""
    stripes = np.where(np.arange(answer.shape[3]) % 4 < 2, np.float32(0.2), np.float32(-0.2))
    return answer + stripes


@pytest.fixture(scope="module")
def runtime(tiny_model: Path) -> Counting:
    return Counting(Restorer(tiny_model, precision="f32").runtime, _striped)


@pytest.fixture(scope="module")
def restorer(runtime: Counting) -> Restorer:
    return Restorer(runtime=runtime)


@pytest.fixture(scope="module")
def small(astronaut: Image) -> Image:
    """The portrait at 120 px, as it goes round as an avatar."""
    return Image(pixels=resize(astronaut.pixels, Size(120, 120), "area"))


@pytest.fixture(scope="module")
def enlargers(tmp_path_factory: pytest.TempPathFactory) -> Enlargers:
    return Enlargers(Store(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def faithful(enlargers: Enlargers) -> Enlarger:
    found = enlargers.get("faithful")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def projection(restorer: Restorer, small: Image) -> FaceProjection:
    return restorer.project(small, restorer.find_faces(small)[0], Controls())


def _energy(pixels: Pixels) -> float:
    light = luma(pixels)
    return float(np.square(light - gaussian_blur(light, 2.0)).mean())


def test_one_is_no_enlargement_to_the_last_bit(restorer: Restorer, small: Image) -> None:
    plain = restorer.restore(small)
    for wanted in (Enlargement(upscale=1), Enlargement(long_side=100, background="clean")):
        same = restorer.restore(small, enlargement=wanted)
        assert np.array_equal(same.image.pixels, plain.image.pixels)
        assert same.upscale == 1
    assert plain.suggested_upscale is not None


@pytest.mark.parametrize(("factor", "side"), [(1.5, 180), (2, 240), (3, 360), (4, 480), (5.5, 660)])
@pytest.mark.parametrize("way", ["faithful", "lanczos"])
def test_every_factor_and_nothing_moves(
    restorer: Restorer, small: Image, projection: FaceProjection, factor: float, side: int, way: str
) -> None:
    canvas = restorer.canvas(small, [projection], Enlargement(upscale=factor, background=way))
    assert canvas.image.size == Size(side, side)
    again = resize(canvas.image.pixels, small.size, "area")
    assert np.abs(again - small.pixels).mean() < 3 / 255
    shifted = np.roll(again, 1, axis=1)
    assert np.abs(again - small.pixels).mean() < 0.3 * np.abs(shifted - small.pixels).mean()


@pytest.mark.parametrize("size", [Size(90, 60), Size(120, 80), Size(180, 121), Size(240, 160), Size(480, 320)])
def test_a_flat_picture_stays_flat(faithful: Enlarger, size: Size) -> None:
    flat = np.full((40, 60, 3), 0.5, np.float32)
    for enlarger in (faithful, None):
        enlarged = enlarge_pixels(flat, size, enlarger)
        assert enlarged.shape == (size.height, size.width, 3)
        assert np.abs(enlarged - 0.5).max() < 0.5 / 255


@pytest.mark.parametrize("size", [Size(180, 180), Size(361, 360), Size(700, 700)])
def test_strips_do_not_show(faithful: Enlarger, small: Image, size: Size, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = enlarge_pixels(small.pixels, size, faithful)
    monkeypatch.setattr(background, "_STRIP", 40_000)
    strips = enlarge_pixels(small.pixels, size, faithful)
    assert np.abs(strips - whole).max() < 0.1 / 255


def test_a_strip_is_all_that_is_held_besides_the_result(faithful: Enlarger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_STRIP", 160_000)
    peaks: list[float] = []
    for height in (200, 600):
        picture = np.random.default_rng(0).random((height, 100, 3), np.float32)
        enlarge_pixels(picture[:50], Size(300, 150), faithful)  # compiled
        tracemalloc.start()
        enlarge_pixels(picture, Size(300, 3 * height), faithful)
        peaks.append(tracemalloc.get_traced_memory()[1] - 300 * 3 * height * 12)
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_the_face_is_as_fine_as_the_network_drew_it(
    restorer: Restorer, small: Image, projection: FaceProjection, faithful: Enlarger
) -> None:
    """Stripes two pixels wide at the network's size are there at 4x, and gone where the small result is enlarged."""
    controls = Controls(degradation_scale=0)
    out = restorer.restore(small, controls, enlargement=Enlargement(upscale=4, match_sharpness=False))
    late = enlarge_pixels(restorer.restore(small, controls).image.pixels, Size(480, 480), faithful)
    alignment = projection.alignment.scaled(Size(480, 480))
    fine, coarse, drawn = (
        np.fft.rfft(luma(x)[48:80, 48:80], axis=1)[:, 8]
        for x in (warp(out.image.pixels, alignment), warp(late, alignment), out.restored[0].after.pixels)  # type: ignore[union-attr]
    )
    assert np.abs(fine).mean() > 0.6 * np.abs(drawn).mean()
    assert np.abs(fine).mean() > 3 * np.abs(coarse).mean()


def test_outside_the_face_the_canvas_is_the_enlarged_picture(
    restorer: Restorer, small: Image, projection: FaceProjection
) -> None:
    canvas = restorer.canvas(small, [projection], Enlargement(upscale=4))
    out = restorer.compose(small, [projection], Controls(), canvas=canvas)
    change = np.abs(out.image.pixels - canvas.image.pixels).max(axis=2)
    assert change.max() > 0.05
    assert (change[:8] == 0).all()
    assert (change[-8:] == 0).all()
    none = restorer.compose(small, [projection], Controls(strength=0.0), canvas=canvas)
    assert np.array_equal(none.image.pixels, canvas.image.pixels)


def test_a_face_larger_than_the_network_is_enlarged_with_the_background(
    restorer: Restorer, small: Image, projection: FaceProjection
) -> None:
    native = projection.alignment.native_side
    assert 4 * native > 1.1 * 128  # the network of these tests has 128 px
    canvas = restorer.canvas(small, [projection], Enlargement(upscale=4))
    assert canvas.answer(projection).shape[0] == 256
    assert restorer.canvas(small, [projection], Enlargement(upscale=2)).answer(projection) is projection.projection
    assert restorer.canvas(small, [projection], Enlargement(upscale=8)).answer(projection).shape[0] == 512
    # Stripes of the answer: as sharp as the network made them larger, not as an interpolation would.
    plain = resize(projection.projection, Size(256, 256), "cubic")
    assert _energy(canvas.answer(projection)) > 1.05 * _energy(plain)


def test_sliders_run_no_network(
    restorer: Restorer, runtime: Counting, small: Image, projection: FaceProjection, monkeypatch: pytest.MonkeyPatch
) -> None:
    controls = Controls()
    canvas = restorer.canvas(small, [projection], Enlargement(upscale=2))
    calls = runtime.calls
    monkeypatch.setattr("likeness.compute.network.Network.run", None)
    first = restorer.compose(small, [projection], controls, canvas=canvas)
    second = restorer.compose(small, [projection], replace(controls, strength=0.5), canvas=canvas)
    assert runtime.calls == calls
    assert first.upscale == 2
    base = canvas.image.pixels
    whole, half = (np.abs(x.image.pixels - base).sum() for x in (first, second))
    assert half == pytest.approx(whole / 2, rel=0.05)
    # Nothing has to run for a canvas that serves, either.
    again = restorer.canvas(small, [projection], Enlargement(upscale=2), kept=canvas)
    assert again.image is canvas.image


def test_a_result_is_what_its_parts_make(restorer: Restorer, small: Image) -> None:
    controls = Controls(refine=2)
    out = restorer.restore(small, controls, enlargement=Enlargement(upscale=3))
    items = restorer.project_all(small, restorer.find_faces(small), controls)
    canvas = restorer.canvas(small, items, Enlargement(upscale=3))
    assert np.array_equal(restorer.compose(small, items, controls, canvas=canvas).image.pixels, out.image.pixels)
    assert out.image.size == Size(360, 360)
    assert out.upscale == 3
    other = restorer.project_all(small, restorer.find_faces(small), controls)
    if canvas.answers:
        with pytest.raises(ValueError, match="without face 0"):
            restorer.compose(small, other, controls, canvas=canvas)


def test_auto(restorer: Restorer, projection: FaceProjection, small: Image, astronaut: Image) -> None:
    expected = next(k for k in (1, 2, 3, 4) if k * projection.alignment.native_side > 0.9 * 128 or k == 4)
    out = restorer.restore(small, enlargement=Enlargement(upscale="auto"))
    assert (out.upscale, out.image.size) == (expected, Size(120 * expected, 120 * expected))
    assert out.upscale > restorer.restore(astronaut, enlargement=Enlargement(upscale="auto")).upscale


def test_repairs_come_first(restorer: Restorer, small: Image) -> None:
    damage = np.zeros((120, 120), np.float32)
    damage[5:20, 5:20] = 1
    spoilt = small.pixels.copy()
    spoilt[5:20, 5:20] = (1.0, 0.0, 1.0)
    out = restorer.restore(Image(pixels=spoilt), damage=damage, enlargement=Enlargement(upscale=2))
    assert out.repaired is not None
    assert out.repaired.image.size == Size(120, 120)
    corner = out.image.pixels[10:40, 10:40]
    assert float((corner[..., 0] - corner[..., 1]).max()) < 0.3


@pytest.mark.parametrize("background_", ["faithful", "lanczos"])
def test_grey_alpha_and_depth_stay(restorer: Restorer, small: Image, background_: str) -> None:
    light = np.repeat(luma(small.pixels)[:, :, None], 3, axis=2)
    alpha = np.ones((120, 120), np.float32)
    alpha[:, :30] = 0
    image = Image(pixels=light, alpha=alpha, grey=True, bit_depth=16)
    out = restorer.restore(image, enlargement=Enlargement(upscale=2, background=background_)).image
    assert out.grey
    assert np.array_equal(out.pixels[..., 0], out.pixels[..., 1])
    assert np.array_equal(out.pixels[..., 0], out.pixels[..., 2])
    assert out.bit_depth == 16
    assert len(np.unique(out.pixels[..., 0])) > 20_000
    assert out.alpha is not None
    assert out.alpha.shape == (240, 240)
    assert (out.alpha[:, :56] == 0).all()
    assert (out.alpha[:, 64:] == 1).all()
    png = cv2.imdecode(np.frombuffer(encode_image(out, "PNG"), np.uint8), cv2.IMREAD_UNCHANGED)
    assert png.dtype == np.uint16


def test_a_print_keeps_its_size(small: Image, faithful: Enlarger, tmp_path: Path) -> None:
    image = replace(
        small,
        exif=exif_from_resolution(240.0, 240.0),
        metadata=Metadata(resolution=(96.0, 72.0)),
        notes=(Note(code="several-pages", value=3),),
    )
    larger = enlarge_image(image, Size(360, 360), faithful)
    assert larger.metadata.resolution == (288.0, 216.0)
    assert dots_per_inch(larger.exif) == pytest.approx((720.0, 720.0))
    assert larger.notes == image.notes
    assert enlarge_image(small, Size(360, 360), faithful).metadata.resolution is None
    path = tmp_path / "print.jpg"
    path.write_bytes(encode_image(larger, "JPEG"))
    read = read_image(path)
    assert read.metadata.resolution == pytest.approx((288.0, 216.0))


def test_black_and_white_in_a_colour_space_of_its_own_stays_so(
    faithful: Enlarger, astronaut: Image, tmp_path: Path
) -> None:
    """A scan of three equal channels in Adobe RGB got colours of up to 6 levels, or 27 with "clean"."""
    grey = PillowImage.fromarray(astronaut.to_uint8()[:96, 80:160]).convert("L").convert("RGB")
    path = tmp_path / "scan.jpg"
    grey.save(path, quality=80, icc_profile=matrix_profile(ADOBE, gamma_curve(563 / 256)))
    image = read_image(path)
    assert image.native is not None
    larger = enlarge_image(image, image.size.times(2), faithful)
    assert np.ptp(larger.pixels, axis=2).max() < 1e-6
    assert larger.native is not None
    assert not np.ptp(larger.native, axis=2).any()


def test_channels_that_differ_are_no_black_and_white(small: Image) -> None:
    """A profile may make black and white of them; made alike, they would come out with a tone."""
    native = np.repeat(small.to_uint8()[..., :1], 3, axis=2)
    native[..., 2] //= 2
    adobe = matrix_profile(ADOBE, gamma_curve(563 / 256))
    image = Image(pixels=np.repeat(small.pixels[..., :1], 3, axis=2), native=native, icc_profile=adobe)
    larger = enlarge_image(image, image.size.times(2), None).native
    assert larger is not None
    assert np.ptp(larger, axis=2).max() > 50


@pytest.mark.parametrize("background_", ["faithful", "lanczos"])
def test_a_factor_that_adds_no_pixel_changes_none(faithful: Enlarger, background_: str) -> None:
    grey = Image(pixels=np.repeat(np.random.default_rng(5).random((30, 40, 1), dtype=np.float32), 3, axis=2), grey=True)
    same = enlarge_image(grey, grey.size.times(1.01), faithful if background_ == "faithful" else None)
    assert np.array_equal(same.pixels, grey.pixels)


def test_colours_outside_srgb_stay(faithful: Enlarger, tmp_path: Path) -> None:
    """Adobe RGB's green is no colour of sRGB; enlarged there, as the pixels are held, it would be cut."""
    samples = np.zeros((40, 60, 3), np.uint8)
    samples[:, :30] = (20, 240, 30)
    samples[:, 30:] = (120, 130, 110)
    adobe = matrix_profile(ADOBE, gamma_curve(563 / 256))
    path = tmp_path / "wide.png"
    PillowImage.fromarray(samples).save(path, icc_profile=adobe)
    larger = enlarge_image(read_image(path), Size(120, 80), faithful)
    written = cv2.imdecode(np.frombuffer(encode_image(larger, "PNG"), np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert larger.icc_profile == adobe
    for column, colour in ((10, samples[0, 0]), (100, samples[0, 59])):
        assert np.abs(written[20:60, column : column + 10].astype(int) - colour).max() <= 2


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("way", ["faithful", "lanczos"])
def test_linear_light_is_enlarged_as_the_picture_that_it_shows(
    enlargers: Enlargers, small: Image, way: str, grey: bool
) -> None:
    """A file of linear samples with a profile that says so, as renderers and raw converters write them: enlarged as they
    are, they got dark rims, and networks were shown a picture much too dark."""
    pixels = np.repeat(luma(small.pixels)[:, :, None], 3, axis=2) if grey else small.pixels
    linear = to_samples(srgb_to_linear(pixels), 16)
    curve = gamma_curve(1.0)
    made = profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": curve}) if grey else matrix_profile(SRGB, curve)
    image = Image.from_decoded(Decoded(samples=linear[..., 0] if grey else linear, icc_profile=made), "linear")
    assert np.abs(image.pixels - pixels).max() < 0.3 / 255
    wanted = Image(pixels=pixels, grey=grey, bit_depth=16)
    enlarger = enlargers.get(way, deep=True)
    larger, expected = (enlarge_image(x, Size(240, 240), enlarger) for x in (image, wanted))
    # But for colours just outside sRGB, which its own space would cut too.
    assert np.abs(larger.pixels - expected.pixels).mean() < 0.02 / 255
    assert np.abs(larger.pixels - expected.pixels).max() < 1 / 255
    assert larger.native is not None
    assert larger.native.dtype == np.uint16
    assert np.abs(larger.native - 65535.0 * srgb_to_linear(expected.pixels)).mean() < 10


@pytest.mark.parametrize("factor", [2, 4])
def test_a_network_of_a_file_enlarges_in_tiles(
    enlargers: Enlargers, small: Image, factor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compact network without weights repeats its input's pixels: what comes of it is known, tiles and all."""
    config = SrvggConfig(features=4, convolutions=1, scale=4)
    path = tmp_path / "repeats.safetensors"
    save_file({name: np.zeros(shape, np.float32) for name, shape in expected_shapes(config).items()}, path)
    enlarger = enlargers.get(path)
    assert isinstance(enlarger, TiledEnlarger)
    monkeypatch.setattr(enlarger, "_tile", 50)
    enlarged = enlarge_pixels(small.pixels, Size(120 * factor, 120 * factor), enlarger)
    repeated = small.pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    # Twice as large is four times and averaged down, which blunts the steps.
    assert np.abs(enlarged - repeated).mean() < (0.5 if factor == 4 else 6) / 255


def test_tiles_of_a_network_of_a_file_are_one_picture(small: Image) -> None:
    """With an ESRGAN network, which folds squares of pixels and whose answer depends on many around them."""
    config, rng = EsrganConfig(features=8, blocks=3, growth=4, scale=2), np.random.default_rng(0)
    state = {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in esrgan_shapes(config).items()}
    state["conv_last.bias"] += np.float32(0.5)
    runtime = OpenVinoRuntime(state, config.spec, precision="f32")
    pixels = small.pixels[:100]
    tiled, whole = (TiledEnlarger(runtime, tile=tile).enlarge(pixels, 2) for tile in (35, 1000))
    assert whole.std() > 0.02
    assert 255 * np.abs(tiled - whole).max() < 0.05


def test_an_enlarger_that_answers_without_numbers_is_told(small: Image) -> None:
    config = SrvggConfig(features=4, convolutions=1, scale=2)
    state = {name: np.full(shape, np.nan, np.float32) for name, shape in expected_shapes(config).items()}
    with pytest.raises(CheckpointError, match="no numbers"):
        TiledEnlarger(OpenVinoRuntime(state, config.spec, precision="f32")).enlarge(small.pixels[:32, :32], 2)


def test_too_large_is_refused_before_any_work(restorer: Restorer, runtime: Counting, small: Image) -> None:
    calls = runtime.calls
    wanted = Enlargement(upscale=4, max_output_pixels=100_000)
    with pytest.raises(ImageTooLargeError, match=r"2\.63 is the largest factor that fits"):
        restorer.restore(small, enlargement=wanted)
    with pytest.raises(CheckpointError):
        restorer.restore(small, enlargement=Enlargement(upscale=2, background="no-such-network"))
    assert runtime.calls == calls


def test_a_restorer_does_not_enlarge(small: Image, tiny_model: Path, restorer: Restorer) -> None:
    with pytest.raises((CheckpointError, ControlError), match="a restorer, not an enlarger"):
        restorer.restore(small, enlargement=Enlargement(upscale=2, background=tiny_model))


def test_the_face_gets_the_grain_that_the_background_has(astronaut: Image) -> None:
    restorer = Restorer(precision="f32")
    noise = gaussian_blur(np.random.default_rng(4).standard_normal((256, 256)).astype(np.float32), 0.7)[:, :, None]
    even = gaussian_blur(astronaut.pixels, 1.0) * 0.6 + 0.2
    grainy = Image(pixels=np.clip(even + noise / noise.std() * (8 / 255), 0, 1).astype(np.float32))
    items = restorer.project_all(grainy, restorer.find_faces(grainy), Controls())
    plain, grain = Controls(), Controls(keep_grain=True)
    canvas = restorer.canvas(grainy, items, Enlargement(upscale=2, match_sharpness=False))
    bare, laid = (restorer.compose(grainy, items, c, canvas=canvas).image.pixels for c in (plain, grain))
    added, box = laid - bare, items[0].face.box
    where = Box(2 * box.left, 2 * box.top, 2 * box.right, 2 * box.bottom)
    inside = added[where.to_slices()][..., 1]
    at_one = restorer.compose(grainy, items, grain).image.pixels - restorer.compose(grainy, items, plain).image.pixels
    small = at_one[box.to_slices()][..., 1]
    assert small.std() * 255 > 1.5
    # As strong as in a result that is not enlarged, but for what interpolation takes, and twice as coarse.
    assert 0.7 * small.std() < inside.std() < 1.1 * small.std()
    apart_one, apart_two = (
        np.corrcoef(x[:, :-n].ravel(), x[:, n:].ravel())[0, 1] for x, n in ((small, 1), (inside, 2))
    )
    assert apart_two == pytest.approx(apart_one, abs=0.15)
    assert (added[:4] == 0).all()
    # A background without grain wants a face without, and that is said.
    clean = restorer.canvas(grainy, items, Enlargement(upscale=2, background="clean"))
    bare, asked = (restorer.compose(grainy, items, c, canvas=clean) for c in (plain, grain))
    assert np.array_equal(bare.image.pixels, asked.image.pixels)
    told = [[warning.code for warning in result.faces[0].warnings] for result in (bare, asked)]
    assert [("outcome.grain-cleaned" in codes) for codes in told] == [False, True]


def test_finishing_goes_where_the_face_is_on_the_canvas(
    restorer: Restorer, small: Image, projection: FaceProjection
) -> None:
    canvas = restorer.canvas(small, [projection], Enlargement(upscale=3))
    finishing = Finishing(exposure=0.5)
    one = finish(small, areas_of([projection]), finishing).pixels - small.pixels
    three = finish(canvas.image, areas_of([projection], canvas.plan.size), finishing).pixels - canvas.image.pixels
    assert np.abs(resize(three, small.size, "area") - one).max() < 0.25 * np.abs(one).max()
