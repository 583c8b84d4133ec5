from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from likeness.errors import CheckpointFormatError
from likeness.models.esrgan.config import EsrganConfig, expected_shapes
from likeness.models.formats import read_checkpoint

SMALL = EsrganConfig(features=8, blocks=2, growth=4)
_SECOND = ((r"^body\.(\d+)\.rdb(\d)", r"RRDB_trunk.\1.RDB\2"), (r"^conv_body", "trunk_conv"), (r"^conv_up", "upconv"),
           (r"^conv_hr", "HRconv"))  # fmt: skip
_FIRST = ((r"^body\.(\d+)\.rdb(\d)\.conv(\d)", r"model.1.sub.\1.RDB\2.conv\3.0"), (r"^conv_first", "model.0"),
          (r"^conv_body", "model.1.sub.2"), (r"^conv_up1", "model.3"), (r"^conv_up2", "model.6"), (r"^conv_hr", "model.8"),
          (r"^conv_last", "model.10"))  # fmt: skip


@pytest.mark.parametrize("naming", [_SECOND, _FIRST], ids=["2019", "2018"])
def test_older_names_are_the_same_network(naming: tuple[tuple[str, str], ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    state = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in expected_shapes(SMALL).items()}

    def older(name: str) -> str:
        for pattern, old in naming:
            name = re.sub(pattern, old, name)
        return name

    named = {older(name): array for name, array in state.items()}
    assert not set(named) & {name for name in state if not name.startswith(("conv_first", "conv_last"))}
    save_file(named, tmp_path / "old.safetensors")
    checkpoint = read_checkpoint(tmp_path / "old.safetensors")
    assert checkpoint.spec == SMALL.spec
    assert checkpoint.state.keys() == state.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(checkpoint.state[name], array)

    save_file({**named, "conv_hr.bias": state["conv_hr.bias"]}, tmp_path / "both.safetensors")
    with pytest.raises(CheckpointFormatError, match="holds a tensor twice"):
        read_checkpoint(tmp_path / "both.safetensors")


def test_the_published_networks_have_the_published_sizes() -> None:
    """Numbers of weights, from the sizes of the published files: 4 bytes each, and little else."""
    for config, size in ((EsrganConfig(), 67_040_989), (EsrganConfig(scale=2), 67_061_725)):
        weights = sum(int(np.prod(shape)) for shape in expected_shapes(config).values())
        assert 0 < size - 4 * weights < 300_000


def test_a_first_convolution_of_another_network_is_told() -> None:
    shapes = {**expected_shapes(SMALL), "conv_first.weight": (8, 1, 3, 3)}
    with pytest.raises(ValueError, match="takes 1 channels, not one of 3, 12, 48"):
        EsrganConfig.from_shapes(shapes)
