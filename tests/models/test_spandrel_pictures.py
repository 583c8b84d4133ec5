"""Networks for whole pictures as far as the base install knows them: told by their tensors, and what they need is said."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from likeness.errors import CheckpointFormatError, MissingExtraError
from likeness.models.formats import read_spec
from likeness.models.store import Store
from likeness.runtimes.load import load_runtime

Shapes = dict[str, tuple[int, ...]]


def _ddcolor(width: int, depth: int, outputs: int = 2) -> Shapes:
    blocks = {f"encoder.arch.stages.2.{block}.norm.weight": (4 * width,) for block in range(depth)}
    return {
        "refine_net.0.0.weight_orig": (outputs, 103, 1, 1),
        "encoder.arch.downsample_layers.0.0.weight": (width, 3, 4, 4),
        "encoder.arch.stages.0.0.norm.weight": (width,),
        **blocks,
    }


def _lama(taken: int = 4, prefix: str = "model.model.") -> Shapes:
    names: Shapes = {
        "1.bn_l.running_mean": (64,),
        "1.ffc.convl2l.weight": (64, taken, 7, 7),
        "34.weight": (3, 64, 7, 7),
    }
    return {f"{prefix}{name}": shape for name, shape in names.items()}


def _file(path: Path, shapes: Shapes) -> Path:
    save_file({name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, path)
    return path


def test_they_are_told_by_their_tensors(tmp_path: Path) -> None:
    tiny = read_spec(_file(tmp_path / "tiny.safetensors", _ddcolor(96, 9)))
    assert (tiny.architecture, tiny.purpose, tiny.numbers) == ("ddcolor", "colourise", {"width": 96, "depth": 9})
    assert (tiny.for_faces, tiny.size, tiny.outputs, tiny.authors.side) == (False, None, 2, 512)
    assert read_spec(_file(tmp_path / "large.safetensors", _ddcolor(192, 27))).numbers == {"width": 192, "depth": 27}
    for prefix in ("model.model.", "generator.model.", "model.generator.model."):
        spec = read_spec(_file(tmp_path / "lama.safetensors", _lama(prefix=prefix)))
        assert (spec.architecture, spec.purpose, spec.inputs, spec.for_faces) == ("lama", "inpaint", 4, False)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (_ddcolor(96, 9, outputs=3), "answers with 3 channels"),
        (_ddcolor(64, 9), "width must be one of"),
        (_lama(taken=3), "takes 3 channels"),
    ],
)
def test_others_of_their_kind_are_refused_in_a_sentence(shapes: Shapes, words: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointFormatError, match=words) as caught:
        read_spec(_file(tmp_path / "other.safetensors", shapes))
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(importlib.util.find_spec("spandrel") is not None, reason="the extra restorers is installed")
@pytest.mark.parametrize("shapes", [_ddcolor(96, 9), _lama()])
def test_without_the_extra_it_is_named(shapes: Shapes, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = _file(tmp_path / "network.safetensors", shapes)
    with pytest.raises(MissingExtraError, match=r"likeness\[restorers\]"):
        load_runtime(Store(), path, device="cpu")
