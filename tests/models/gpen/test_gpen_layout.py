from __future__ import annotations

import json
from pathlib import Path

import pytest

from likeness.errors import CheckpointFormatError
from likeness.models.gpen.config import GpenConfig
from likeness.models.gpen.layout import expected_shapes
from likeness.models.registry import as_published, check_shapes, recognise

PUBLISHED = {
    "GPEN-BFR-256": GpenConfig(size=256, channel_multiplier=1, narrow=0.5),
    "GPEN-BFR-512": GpenConfig(size=512, channel_multiplier=2, narrow=1),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_files_hold_exactly_this(shared: Path, name: str) -> None:
    listed = json.loads((shared / "golden" / "keys.json").read_text())[name]
    shapes = {key: tuple(shape) for key, shape in listed.items()}
    assert expected_shapes(PUBLISHED[name]) == shapes
    assert recognise(shapes, name).config == PUBLISHED[name]


@pytest.mark.parametrize("size", [64, 128, 1024, 2048])
@pytest.mark.parametrize(("multiplier", "narrow"), [(2, 1.0), (1, 0.5), (2, 0.25), (1.5, 0.5), (0.5, 1.0)])
def test_the_configuration_comes_back_from_the_shapes(size: int, multiplier: float, narrow: float) -> None:
    config = GpenConfig(size=size, channel_multiplier=multiplier, narrow=narrow)
    shapes = expected_shapes(config)
    assert recognise(shapes, "a file") == as_published(config)
    check_shapes(shapes, config.spec, "a file")


@pytest.mark.parametrize(
    ("name", "shape", "network"),
    [
        ("quantize.embedding.weight", (1024, 256), "CodeFormer"),
        ("stylegan_decoder.style_mlp.1.weight", (512, 512), "GFPGAN"),
        ("final_conv.0.weight", (512, 513, 3, 3), "discriminator"),
    ],
)
def test_other_networks_are_called_by_their_names(name: str, shape: tuple[int, ...], network: str) -> None:
    with pytest.raises(CheckpointFormatError, match=network) as caught:
        recognise({"some.bias": (3,), name: shape}, "codeformer.pth")
    assert str(caught.value).startswith("codeformer.pth holds ")


def test_an_unknown_network_is_told_by_its_first_tensor() -> None:
    with pytest.raises(
        CheckpointFormatError, match=r"x\.pth is not a checkpoint of any .*: its first tensor is layer1\.0"
    ):
        recognise({"layer1.0.conv1.weight": (64, 64, 3, 3)}, "x.pth")


def test_missing_unexpected_and_wrong_are_one_sentence_each() -> None:
    config = GpenConfig(size=64, narrow=0.0625)
    shapes = expected_shapes(config)
    less = {name: shape for name, shape in shapes.items() if not name.startswith("generator.style.4.")}
    with pytest.raises(CheckpointFormatError, match=r"style\.4\.weight and 1 more tensors are missing"):
        check_shapes(less, config.spec, "f.pth")
    with pytest.raises(CheckpointFormatError, match=r"generator\.noises\.0 is unexpected"):
        check_shapes({**shapes, "generator.noises.0": (1, 1, 4, 4)}, config.spec, "f.pth")
    with pytest.raises(CheckpointFormatError, match=r"final_linear\.0\.bias is 256 instead of 512"):
        check_shapes({**shapes, "final_linear.0.bias": (256,)}, config.spec, "f.pth")
    with pytest.raises(CheckpointFormatError, match=r"input\.input is 1 x 32 x 8 x 8 instead of 1 x 32 x 4 x 4"):
        check_shapes({**shapes, "generator.input.input": (1, 32, 8, 8)}, config.spec, "f.pth")
