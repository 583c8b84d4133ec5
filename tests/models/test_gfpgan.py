"""GFPGAN's graph, held to a plain computation in PyTorch; ``make test-restorers`` holds it to spandrel's classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from likeness.errors import CheckpointFormatError, MissingExtraError
from likeness.imaging.files import read_image
from likeness.models.catalog import CATALOG
from likeness.models.formats import read_spec
from likeness.models.gfpgan.config import GfpganConfig, expected_shapes
from likeness.models.gfpgan.graph import Graph
from likeness.models.store import Store
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer
from likeness.runtimes.load import load_runtime
from likeness.runtimes.openvino_ import OpenVinoRuntime

State = dict[str, NDArray[np.float32]]

SMALL = GfpganConfig(size=64, narrow=0.125)


@pytest.fixture(scope="module")
def state() -> State:
    rng = np.random.default_rng(5)
    scales = {1: 0.1, 2: 0.05, 4: 0.15, 5: 0.3}
    return {
        name: (scales[len(shape)] * rng.standard_normal(shape)).astype(np.float32)
        for name, shape in expected_shapes(SMALL).items()
    }


@pytest.fixture(scope="module")
def path(state: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gfpgan") / "small.safetensors"
    save_file(state, path)
    return path


@pytest.fixture(scope="module")
def faces() -> NDArray[np.float32]:
    return np.random.default_rng(6).uniform(-1, 1, (2, 3, 64, 64)).astype(np.float32)


def _plain(state: Mapping[str, NDArray[np.float32]], faces: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network as the paper has it, with a convolution of its own for every face, in float32."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    weights = {name: torch.from_numpy(array) for name, array in state.items()}

    def layer(x: Any, key: str) -> Any:
        kernel = weights[f"{key}.weight"]
        return functional.conv2d(x, kernel, weights.get(f"{key}.bias"), padding=kernel.shape[-1] // 2)

    def resized(x: Any, factor: float) -> Any:
        return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)

    def lrelu(x: Any) -> Any:
        return functional.leaky_relu(x, 0.2)

    def block(x: Any, key: str, factor: float) -> Any:
        own = lrelu(layer(resized(lrelu(layer(x, f"{key}.conv1")), factor), f"{key}.conv2"))
        return own + layer(resized(x, factor), f"{key}.skip")

    def modulated(x: Any, style: Any, key: str, *, demodulate: bool) -> Any:
        key = f"stylegan_decoder.{key}.modulated_conv"
        scale = functional.linear(style, weights[f"{key}.modulation.weight"], weights[f"{key}.modulation.bias"])
        answers = []
        for face, own in zip(x, scale, strict=True):
            kernel = weights[f"{key}.weight"][0] * own.view(1, -1, 1, 1)
            if demodulate:
                kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
            answers.append(functional.conv2d(face[None], kernel, padding=kernel.shape[-1] // 2))
        return torch.cat(answers)

    def styled(x: Any, style: Any, key: str, noise: int) -> Any:
        own = f"stylegan_decoder.{key}"
        plane = weights[f"stylegan_decoder.noises.noise{noise}"] * weights[f"{own}.weight"]
        return lrelu(modulated(x, style, key, demodulate=True) * 2**0.5 + plane + weights[f"{own}.bias"])

    x, skips, octaves = lrelu(layer(torch.from_numpy(faces), "conv_body_first")), [], 4
    for index in range(octaves):
        x = block(x, f"conv_body_down.{index}", 0.5)
        skips.append(x)
    x = lrelu(layer(x, "final_conv"))
    styles = functional.linear(x.flatten(1), weights["final_linear.weight"], weights["final_linear.bias"])
    styles = styles.view(len(faces), -1, 512)
    conditions = []
    for index in range(octaves):
        x = block(x + skips.pop(), f"conv_body_up.{index}", 2)
        both = [f"condition_{kind}.{index}" for kind in ("scale", "shift")]
        conditions.append([layer(lrelu(layer(x, f"{key}.0")), f"{key}.2") for key in both])
    x = weights["stylegan_decoder.constant_input.weight"].expand(len(faces), -1, -1, -1)
    x = styled(x, styles[:, 0], "style_conv1", 0)
    rgb = modulated(x, styles[:, 1], "to_rgb1", demodulate=False) + weights["stylegan_decoder.to_rgb1.bias"]
    for index, (scale, shift) in enumerate(conditions):
        x = styled(resized(x, 2), styles[:, 2 * index + 1], f"style_convs.{2 * index}", 2 * index + 1)
        same, changed = x.chunk(2, 1)
        x = torch.cat([same, changed * scale + shift], 1)
        x = styled(x, styles[:, 2 * index + 2], f"style_convs.{2 * index + 1}", 2 * index + 2)
        own = f"to_rgbs.{index}"
        rgb = resized(rgb, 2) + modulated(x, styles[:, 2 * index + 3], own, demodulate=False)
        rgb = rgb + weights[f"stylegan_decoder.{own}.bias"]
    return rgb.numpy()


@pytest.mark.parametrize("in_weights_from", [8, 128])
def test_the_graph_is_the_papers_function(
    state: State, path: Path, faces: NDArray[np.float32], in_weights_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Graph, "style_in_weights_from", in_weights_from)
    monkeypatch.setenv("LIKENESS_CACHE", "off")
    runtime = load_runtime(Store(), path, device="cpu", precision="f32")
    assert isinstance(runtime, OpenVinoRuntime)
    expected = _plain(state, faces)
    limit = 1e-4 * max(1.0, float(np.abs(expected).max()))
    assert np.abs(expected[0] - expected[1]).max() > 100 * limit
    assert np.abs(runtime.run(faces) - expected).max() < limit


def test_a_file_tells_its_numbers(path: Path) -> None:
    spec = read_spec(path)
    assert (spec.config, spec.title) == (SMALL, "a GFPGAN network of size 64")
    published = CATALOG["GFPGANv1.4"].spec
    assert published == GfpganConfig().spec
    # 348,632,874 bytes are the published file's, with its table of contents.
    numbers = sum(int(np.prod(shape)) for shape in expected_shapes(GfpganConfig()).values())
    assert 0 < 348_632_874 - 4 * numbers < 300_000


def test_another_file_is_a_sentence(state: State, tmp_path: Path) -> None:
    for name, words in (
        ("final_linear.bias", r"is not a GFPGAN network of size 64: final_linear\.bias is missing"),
        ("conv_body_down.3.skip.weight", "holds GFPGAN in another form"),
    ):
        save_file({key: array for key, array in state.items() if key != name}, tmp_path / "less.safetensors")
        with pytest.raises(CheckpointFormatError, match=words):
            read_spec(tmp_path / "less.safetensors")
    for wrong in ({"size": 96}, {"size": 2048}, {"narrow": 0.0}):
        with pytest.raises(ValueError, match="must be"):
            GfpganConfig(**wrong)  # type: ignore[arg-type]


def test_in_pytorch_it_needs_the_extra(path: Path) -> None:
    try:
        import spandrel  # noqa: F401 # pyright: ignore
    except ImportError:
        pytest.importorskip("torch")
        with pytest.raises(MissingExtraError, match="restorers"):
            load_runtime(Store(), path, device="cpu", library="pytorch")


def test_a_photograph_goes_through_it_with_all_controls(path: Path) -> None:
    restorer = Restorer(path, device="cpu", precision="f32")
    image = read_image(Path(__file__).resolve().parents[1] / "data" / "astronaut.jpg")
    faces = restorer.find_faces(image)
    kept = restorer.project_all(image, faces, Controls())
    whole = restorer.compose(image, kept, Controls())
    eyes = restorer.compose(image, kept, Controls().with_weights({"all": 0, "eye": 1}))
    changed = [np.abs(out.image.pixels - image.pixels).mean() for out in (whole, eyes)]
    assert 0 < changed[1] < 0.5 * changed[0]
