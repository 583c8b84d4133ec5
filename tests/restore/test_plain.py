"""The preset ``plain``: a network exactly as its own authors run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.faces.align import TEMPLATES, align, warp
from likeness.imaging.filters import gaussian_blur
from likeness.imaging.image import Image, Size
from likeness.models.catalog import CATALOG
from likeness.models.formats import ModelInfo, read_spec, write_checkpoint
from likeness.models.gpen.config import GpenConfig
from likeness.models.spec import Authors
from likeness.restore.controls import PRESETS, Controls
from likeness.restore.enlargement import Enlargement
from likeness.restore.pipeline import Restorer
from likeness.runtimes.base import Batch, WrappedRuntime

pytest.importorskip("torch")
import torch

State = dict[str, NDArray[np.float32]]

_SIZE = 128
_CONFIG = GpenConfig(size=_SIZE, channel_multiplier=1, narrow=0.0625)


@pytest.fixture(scope="module")
def published(random_state: Callable[[GpenConfig, int], State], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as GPEN's authors publish them: the bare state dict, here with random weights."""
    state = random_state(_CONFIG, 3)
    for name in state:
        if name.endswith("conv.weight") and "to_rgb" in name:
            state[name] = state[name] * np.float32(0.1)  # so that most of the answer lies between black and white
    path = tmp_path_factory.mktemp("published") / "GPEN-BFR-96.pth"
    torch.save({name: torch.from_numpy(np.array(value, np.float32)) for name, value in state.items()}, path)
    return path


@pytest.fixture(scope="module")
def restorer(published: Path) -> Restorer:
    return Restorer(published, precision="f32")


def _independent(path: Path, faces: NDArray[np.float32]) -> NDArray[np.float32]:
    """GPEN in float32 from its description (Yang et al., CVPR 2021; Karras et al., StyleGAN2), modulation on the weights."""
    from torch.nn import functional as f

    w: Mapping[str, torch.Tensor] = torch.load(path, weights_only=True)

    def activate(x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return f.leaky_relu(x + bias.view(1, -1, *[1] * (x.ndim - 2)), 0.2) * 2**0.5

    def blur(x: torch.Tensor, kernel: torch.Tensor, before: int, after: int) -> torch.Tensor:
        channels = x.shape[1]
        padded = f.pad(x, (before, after, before, after))
        return f.conv2d(padded, kernel.flip(0, 1).expand(channels, 1, 4, 4), groups=channels)

    def modulated(x: torch.Tensor, key: str, latent: torch.Tensor, kind: str) -> torch.Tensor:
        kernel = w[f"{key}.weight"][0]
        style = latent @ w[f"{key}.modulation.weight"].T / 512**0.5 + w[f"{key}.modulation.bias"]
        kernel = kernel * style.view(1, -1, 1, 1) / (kernel.shape[1] * kernel.shape[2] ** 2) ** 0.5
        if kind != "rgb":
            kernel = kernel * torch.rsqrt(kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8)
        if kind == "up":
            x = f.conv_transpose2d(x, kernel.transpose(0, 1), stride=2)
            return blur(x, w[f"{key}.blur.kernel"], 1, 1)
        return f.conv2d(x, kernel, padding=kernel.shape[2] // 2)

    def styled(x: torch.Tensor, key: str, latent: torch.Tensor, seen: torch.Tensor, kind: str = "") -> torch.Tensor:
        x = modulated(x, f"{key}.conv", latent, kind)
        return activate(torch.cat([x, seen * w[f"{key}.noise.weight"]], 1), w[f"{key}.activate.bias"])

    def to_rgb(x: torch.Tensor, key: str, latent: torch.Tensor) -> torch.Tensor:
        return modulated(x, f"{key}.conv", latent, "rgb") + w[f"{key}.bias"]

    kernel = w["ecd0.0.0.weight"]
    x = activate(f.conv2d(torch.from_numpy(faces), kernel / kernel.shape[1] ** 0.5), w["ecd0.0.1.bias"])
    maps = {x.shape[2]: x}
    octave = 1
    while x.shape[2] > 4:
        kernel = w[f"ecd{octave}.0.1.weight"]
        x = f.conv2d(blur(x, w[f"ecd{octave}.0.0.kernel"], 2, 2), kernel / (kernel.shape[1] * 9) ** 0.5, stride=2)
        x = activate(x, w[f"ecd{octave}.0.2.bias"])
        maps[x.shape[2]] = x
        octave += 1
    flat, kernel = x.flatten(1), w["final_linear.0.weight"]
    latent = activate(flat @ kernel.T / flat.shape[1] ** 0.5, w["final_linear.0.bias"])
    latent = latent * torch.rsqrt(latent.square().mean(1, keepdim=True) + 1e-8)
    for layer in range(1, 9):
        weight, bias = w[f"generator.style.{layer}.weight"] * 0.01, w[f"generator.style.{layer}.bias"] * 0.01
        latent = activate(latent @ weight.T / 512**0.5, bias)
    x = styled(w["generator.input.input"], "generator.conv1", latent, maps[4])
    rgb = to_rgb(x, "generator.to_rgb1", latent)
    side, index = 8, 0
    while side <= _SIZE:
        x = styled(x, f"generator.convs.{2 * index}", latent, maps[side], "up")
        x = styled(x, f"generator.convs.{2 * index + 1}", latent, maps[side])
        doubled = torch.zeros(1, 3, side, side)
        doubled[:, :, ::2, ::2] = rgb
        key = f"generator.to_rgbs.{index}"
        rgb = blur(doubled, w[f"{key}.upsample.kernel"], 2, 1) + to_rgb(x, key, latent)
        side, index = 2 * side, index + 1
    return rgb.numpy()


def _crop(restorer: Restorer, image: Image, template: str) -> NDArray[np.float32]:
    (face,) = restorer.find_faces(image)
    return warp(image.pixels, align(face.five_points, image.size, _SIZE, template))


def test_the_crops_answer_is_the_networks(published: Path, restorer: Restorer, astronaut: Image) -> None:
    (outcome,) = restorer.restore(astronaut, "plain", verdicts=False).faces
    crop = _crop(restorer, astronaut, "gpen")
    assert outcome.before is not None
    assert np.array_equal(outcome.before.pixels, crop)
    expected = _independent(published, (crop * 2 - 1).transpose(2, 0, 1)[None])[0].transpose(1, 2, 0) / 2 + 0.5
    assert ((expected > 0) & (expected < 1)).mean() > 0.5  # or clipping would hide what the network says
    (projection,) = restorer.project_all(astronaut, restorer.find_faces(astronaut), Controls.as_published())
    np.testing.assert_allclose(projection.projection, np.clip(expected, 0, 1), atol=1e-4)
    # All of it, where the mask is whole.
    assert outcome.after is not None
    assert outcome.mask is not None
    whole = outcome.mask > 1 - 1e-6
    assert whole.mean() > 0.05
    np.testing.assert_allclose(outcome.after.pixels[whole], np.clip(expected, 0, 1)[whole], atol=1e-4)


def test_a_border_stays_and_the_mask_fades(restorer: Restorer, astronaut: Image) -> None:
    out = restorer.restore(astronaut, "plain", verdicts=False)
    mask = out.faces[0].mask
    assert mask is not None
    border = int(np.ceil(26 / 512 * _SIZE))
    assert max(edge.max() for edge in (mask[:2], mask[-2:], mask[:, :2], mask[:, -2:])) < 1e-3
    assert mask[border - 1].max() < 0.75  # half of the blurred edge lies to either side
    assert mask[_SIZE // 2, _SIZE // 2] == pytest.approx(1)
    changed = np.abs(out.image.pixels - astronaut.pixels).max(axis=2) > 1 / 255
    assert changed.any()
    assert not changed[out.area() == 0].any()


def _in_a_hat(image: Image, restorer: Restorer) -> tuple[Image, NDArray[np.float32]]:
    """The portrait in a red felt hat with a dark band, and how much of each pixel is hat."""
    (face,) = restorer.find_faces(image)
    eyes = face.five_points[:2]
    d = float(np.hypot(*(eyes[1] - eyes[0])))
    x, y = eyes.mean(axis=0)
    rows, columns = np.mgrid[: image.size.height, : image.size.width].astype(np.float32)
    brim = ((columns - x) / (2.1 * d)) ** 2 + ((rows - y + d) / (0.42 * d)) ** 2 < 1
    crown = ((columns - x) / (1.15 * d)) ** 2 + ((rows - y + 1.75 * d) / d) ** 2 < 1
    hat = gaussian_blur((brim | crown).astype(np.float32), 0.8)
    round_shade = 1 + 0.35 * np.sin((columns - x) / (1.2 * d) + 0.6)
    band = (np.abs(rows - y + 1.45 * d) < 0.14 * d) & (np.abs(columns - x) < 1.15 * d)
    felt = np.array([0.5, 0.1, 0.1]) * (round_shade * np.where(band, 0.4, 1))[:, :, None]
    felt = felt + np.random.default_rng(0).normal(0, 0.015, felt.shape)
    mixed = image.pixels + hat[:, :, None] * (np.clip(felt, 0, 1) - image.pixels)
    return Image(pixels=mixed.astype(np.float32)), hat


def test_hats_stay_as_they_are_and_hair_is_drawn(restorer: Restorer, astronaut: Image) -> None:
    """As GPEN's demo, which pastes by a parsing mask without hats."""
    portrait, hat = _in_a_hat(astronaut, restorer)
    share: dict[str, float] = {}
    for name, image in (("bare", astronaut), ("hat", portrait)):
        (outcome,) = restorer.restore(image, "plain", verdicts=False).faces
        assert outcome.mask is not None
        where = align(outcome.face.five_points, image.size, _SIZE, "gpen")
        covered = warp(np.repeat(hat[:, :, None], 3, axis=2), where)[:, :, 0]
        share[name] = float((outcome.mask * covered).sum() / covered.sum())
        assert outcome.mask[_SIZE // 2 : _SIZE * 3 // 4, _SIZE * 2 // 5 : _SIZE * 3 // 5].min() > 0.95
    assert share["bare"] > 0.4  # her hair lies there, and some of the wall
    assert share["hat"] < 0.1


def test_the_faces_lie_as_in_the_demo(restorer: Restorer, astronaut: Image) -> None:
    (face,) = restorer.find_faces(astronaut)
    alignment = align(face.five_points, astronaut.size, 512, "gpen")
    assert alignment.scale < 0.9 * align(face.five_points, astronaut.size, 512).scale
    assert alignment.resized(256).template == alignment.scaled(Size(100, 100)).template == "gpen"
    points = TEMPLATES["gpen"]
    assert 107 < np.hypot(*(points[1] - points[0])) < 109  # as in GPEN's published crops
    assert np.abs(align(points, Size(512, 512), 512, "gpen").to_crop(points) - points).max() < 1e-6


def test_the_step_is_relative_to_the_plain_one(restorer: Restorer, astronaut: Image) -> None:
    plain = Controls.as_published()
    faces = restorer.find_faces(astronaut)
    kept = restorer.project_all(astronaut, faces, plain)
    whole = restorer.compose(astronaut, kept, plain).faces[0]
    half = restorer.compose(astronaut, kept, replace(plain, latent_step_decay=0.04)).faces[0]
    eyes = plain.with_weights({"all": 0, "eye": 1})
    assert whole.gains["eye"] == pytest.approx(1, abs=1e-6)
    assert half.gains["eye"] == pytest.approx((1 - 0.96**30) / (1 - 0.9**30), abs=1e-3)
    assert restorer.compose(astronaut, kept, eyes).faces[0].gains["hair"] < 0.05
    assert kept[0].serves(eyes)
    assert not kept[0].serves(Controls())


def test_it_is_laid_on_an_enlarged_picture(restorer: Restorer, astronaut: Image) -> None:
    twice = Enlargement(upscale=2, background="lanczos")
    out = restorer.restore(astronaut, "plain", enlargement=twice, verdicts=False)
    assert out.image.size == Size(512, 512)
    once = restorer.restore(astronaut, "plain", verdicts=False).image.pixels
    small = out.image.pixels.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - once).mean() < 0.02


def test_verdicts_are_measured_in_the_usual_crop(restorer: Restorer, astronaut: Image) -> None:
    verdict = restorer.restore(astronaut, "plain").faces[0].verdict
    assert verdict is not None
    assert verdict.level == "bad"  # random weights draw no face


def test_an_enlarged_cut_out_is_judged_by_the_same_colours(restorer: Restorer, astronaut: Image) -> None:
    """What is hidden was black before and white after, as only the second picture said that it is transparent."""
    side = astronaut.size.width
    alpha = np.ones((side, side), np.float32)
    alpha[:, : side // 3] = 0
    cut_out = Image(pixels=astronaut.pixels * alpha[..., None], alpha=alpha)
    twice = Enlargement(upscale=2, background="lanczos")
    scene = restorer.restore(cut_out, "plain", enlargement=twice, keep_scenes=True).faces[0].scene
    assert scene is not None
    hidden = scene.before.max(axis=2) == 0
    assert hidden.mean() > 0.1
    assert np.median(scene.after[hidden]) < 0.1


def test_our_own_weights_are_run_by_their_own_template(tiny_model: Path, astronaut: Image) -> None:
    ours = Restorer(tiny_model, precision="f32")
    assert ours.runtime.spec.authors == Authors(template="ffhq", strength=1.0)
    (outcome,) = ours.restore(astronaut, "plain", verdicts=False).faces
    assert outcome.before is not None
    assert np.array_equal(outcome.before.pixels, _crop(ours, astronaut, "ffhq"))


def test_the_answer_of_the_selfie_network_is_laid_on_by_four_fifths(restorer: Restorer, astronaut: Image) -> None:
    class Fifth(WrappedRuntime):
        @property
        def spec(self):
            return replace(super().spec, authors=Authors(template="gpen", strength=0.8))

        def run(self, faces: Batch) -> Batch:
            return faces * np.float32(0) + np.float32(1)

    white = Restorer(runtime=Fifth(restorer.runtime))
    (outcome,) = white.restore(astronaut, "plain", verdicts=False).faces
    assert outcome.before is not None
    assert outcome.after is not None
    assert outcome.mask is not None
    whole = outcome.mask > 1 - 1e-6
    np.testing.assert_allclose(outcome.after.pixels[whole], 0.2 * outcome.before.pixels[whole] + 0.8, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in CATALOG if name.startswith("GPEN")])
def test_every_published_model_names_its_authors_way(name: str) -> None:
    spec = CATALOG[name].spec
    assert spec is not None
    assert spec.authors == Authors(template="gpen", strength=0.8 if name.startswith("GPEN-BFR-2048") else 1.0)
    assert spec.authors.template in TEMPLATES
    assert PRESETS["plain"].plain


def test_a_file_of_ours_keeps_what_it_says(
    random_state: Callable[[GpenConfig, int], State], published: Path, tmp_path: Path
) -> None:
    spec = read_spec(published)
    assert spec.authors == Authors(template="gpen")
    state = random_state(_CONFIG, 3)
    write_checkpoint(tmp_path / "imported.safetensors", state, spec, ModelInfo(name="imported"))
    assert read_spec(tmp_path / "imported.safetensors").authors == Authors(template="gpen")
    write_checkpoint(tmp_path / "own.safetensors", state, _CONFIG.spec, ModelInfo(name="own"))
    assert read_spec(tmp_path / "own.safetensors").authors == Authors()
