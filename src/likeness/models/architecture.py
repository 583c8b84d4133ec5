"""What an architecture has to bring: how its files are known, and the network they hold as module and as graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from likeness.models.spec import Authors, Purpose, Spec

if TYPE_CHECKING:
    import openvino
    import torch

__all__ = [
    "Architecture",
    "Config",
    "ConfigT",
    "GraphBuilder",
    "Shapes",
    "State",
    "for_inference",
    "run_by_template",
    "same_name",
]

Shapes = Mapping[str, tuple[int, ...]]
"""Tensor shapes by name."""

State = Mapping[str, NDArray[np.float32]]
"""Weights by name."""


class Config(Protocol):
    """The numbers of one network: a frozen dataclass of numbers and switches, which refuses others with ValueError.

    It is also made from what a file says of itself, so no number may be so large that shapes made of it exhaust anything.
    """

    @property
    def spec(self) -> Spec: ...


ConfigT = TypeVar("ConfigT", bound=Config)
_Built = TypeVar("_Built", bound=Config, contravariant=True)


def same_name(name: str) -> str:
    """The name of a tensor, where there was never another."""
    return name


def run_by_template(_config: object) -> Authors:
    """How the authors of a network run it, where they do as its template says, and lay all of its answer on."""
    return Authors()


class GraphBuilder(Protocol[_Built]):
    """Makes a network's OpenVINO graph from its weights and numbers."""

    def __call__(self, state: State, config: _Built, *, any_batch: bool = False) -> openvino.Model:
        """A graph with one input and one output, of one image or of any number of equal ones."""
        ...


def for_inference(network: torch.nn.Module, state: State, dtype: torch.dtype, device: torch.device) -> torch.nn.Module:
    """A network in PyTorch with these weights, ready to answer; it learns no more."""
    import torch

    network.requires_grad_(False)
    network.load_state_dict({key: torch.from_numpy(np.array(value, np.float32)) for key, value in state.items()})
    return network.eval().to(device, dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture(Generic[ConfigT]):
    """One architecture: a folder of this package, and a row of `likeness.models.registry`.

    Attributes:
        name: in files, reports and caches; small letters.
        title: its name in sentences.
        config: the type of its numbers.
        detect: whether tensors of these names are its, as far as one can tell from names.
        configure: reads the numbers from the shapes, under today's names; raises KeyError, IndexError, ValueError or
            ArithmeticError if they are not its.
        shapes: every tensor that a network of these numbers has; None where only ``module`` finds out whether they are all.
        module: the network in PyTorch, for inference, from weights, numbers, type of the convolutions and device; float32 in
            and out. It imports torch when it is called.
        graph: the same as an OpenVINO graph, which is also what is written as ONNX, or None if there is none.
        converted: where there is none, what OpenVINO makes of the module in PyTorch, for its own runtime alone and of one
            image; it needs what the module needs. None if it can make nothing of it.
        rename: today's name of a tensor that older files call otherwise.
        authors: how those who published such networks run one of these numbers.
        shared_by: the tasks for which networks of the very same tensors are passed on; none where there is only one, so that
            tensors tell the task.
    """

    name: str
    title: str
    config: type[ConfigT]
    detect: Callable[[Collection[str]], bool]
    configure: Callable[[Shapes], ConfigT]
    shapes: Callable[[ConfigT], Shapes] | None
    module: Callable[[State, ConfigT, torch.dtype, torch.device], torch.nn.Module]
    graph: GraphBuilder[ConfigT] | None
    converted: Callable[[State, ConfigT], openvino.Model] | None = None
    rename: Callable[[str], str] = same_name
    authors: Callable[[ConfigT], Authors] = run_by_template
    shared_by: tuple[Purpose, ...] = ()
