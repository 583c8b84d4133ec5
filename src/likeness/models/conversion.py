"""From a PyTorch module to an OpenVINO graph, by OpenVINO's own converter."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from likeness.compute.library import load_openvino

if TYPE_CHECKING:
    import openvino
    import torch

__all__ = ["convert_module"]


def convert_module(module: torch.nn.Module, shape: tuple[int, int, int, int]) -> openvino.Model:
    """A module's graph for images of one shape, from a trace of it.

    Args:
        module: on the processor, from a batch of images to another, whose steps do not hang on what the images show.
        shape: N, C, H and W.
    """
    import torch

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the trace takes for constant is so for images of one shape
        traced = torch.jit.trace(module, torch.zeros(shape), check_trace=False)
        return load_openvino().convert_model(traced, input=[list(shape)])
