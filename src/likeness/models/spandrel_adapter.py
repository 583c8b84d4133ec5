"""Restorers of others, run by spandrel's modules in PyTorch: RestoreFormer, CodeFormer, and GFPGAN where it is to run there.

spandrel (and spandrel-extra-arches, for CodeFormer) is part of the extra ``restorers``. Telling from a file's tensors which
of them it holds needs none of that. spandrel's own call of these networks takes [0, 1], but for GFPGAN and CodeFormer it
hands that on as it is, whereas both were trained on [-1, 1] (Wang et al., "GFP-GAN", 2021; Zhou et al., "CodeFormer", 2022);
so the modules are called directly, in that range.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from likeness.errors import CheckpointFormatError, MissingExtraError
from likeness.messages.notice import Notice
from likeness.models.architecture import Architecture, Shapes, State
from likeness.models.spec import Spec

if TYPE_CHECKING:
    import torch

__all__ = [
    "CODEFORMER",
    "RESTOREFORMER",
    "CodeFormerConfig",
    "RestoreFormerConfig",
    "run_by_spandrel",
]

_SIDE = 512
"""Side of the faces that all of them take, px."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Restorer:
    """What these networks have in common; spandrel reads their numbers from the tensors."""

    name: ClassVar[str]
    title: ClassVar[str]

    size: int = _SIDE

    def __post_init__(self) -> None:
        if self.size != _SIDE:
            raise ValueError(f"size must be {_SIDE}, not {self.size}")

    @property
    def spec(self) -> Spec:
        """The network in the words that all architectures share."""
        return Spec(
            architecture=self.name,
            purpose="restore",
            config=self,
            title=Notice("network.restorer", {"title": self.title, "size": self.size}),
            size=self.size,
            scale=1,
            value_range=(-1.0, 1.0),
            template="ffhq",
            precision="bf16",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreFormerConfig(_Restorer):
    """RestoreFormer (Wang et al., 2022)."""

    name: ClassVar[str] = "restoreformer"
    title: ClassVar[str] = "RestoreFormer"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFormerConfig(_Restorer):
    """CodeFormer.

    Attributes:
        fidelity: its own weight w (Zhou et al., 2022, section 3.3), 0 to 1: how much of the photograph's own features join
            what its codebook draws. 0.5 as in its authors' demo.
    """

    name: ClassVar[str] = "codeformer"
    title: ClassVar[str] = "CodeFormer"

    fidelity: float = 0.5

    def __post_init__(self) -> None:
        _Restorer.__post_init__(self)  # super() without arguments knows no class with slots
        if not 0 <= self.fidelity <= 1:
            raise ValueError(f"fidelity must be between 0 and 1, not {self.fidelity}")


def _restoreformer() -> Any:
    from spandrel.architectures.RestoreFormer import RestoreFormerArch  # pyright: ignore

    return cast("Any", RestoreFormerArch)()


def _codeformer() -> Any:
    from spandrel_extra_arches.architectures.CodeFormer import CodeFormerArch  # pyright: ignore

    return cast("Any", CodeFormerArch)()


def _architecture(
    config: type[_Restorer],
    telling: Sequence[str],
    load: Callable[[], Any],
    arguments: Callable[[_Restorer], dict[str, object]],
) -> Architecture[_Restorer]:
    """A row of the table.

    Args:
        config: of the network.
        telling: names of tensors that it alone has.
        load: makes spandrel's loader.
        arguments: of the network's call, by its numbers.
    """

    def detect(names: Collection[str]) -> bool:
        return all(name in names for name in telling)

    def configure(shapes: Shapes) -> _Restorer:
        for name in telling:
            shapes[name]  # a KeyError names the first that is missing
        return config()

    def module(state: State, numbers: _Restorer, dtype: torch.dtype, device: torch.device) -> torch.nn.Module:
        return run_by_spandrel(
            state, lambda tensors: load().load(tensors).model, config.title, arguments(numbers), dtype, device
        )

    return Architecture(
        name=config.name,
        title=config.title,
        config=config,
        detect=detect,
        configure=configure,
        shapes=None,
        module=module,
        graph=None,
    )


def run_by_spandrel(
    state: State,
    made: Callable[[dict[str, torch.Tensor]], Any],
    title: str,
    arguments: dict[str, object],
    dtype: torch.dtype,
    device: torch.device,
) -> torch.nn.Module:
    """A network of spandrel's from one batch of faces to another, float32 outside.

    Args:
        state: its weights.
        made: makes spandrel's module of these, and imports spandrel for that.
        title: what to call it in a sentence.
        arguments: of its call.
        dtype, device: where and how it is to run.

    Raises:
        MissingExtraError: if spandrel is not installed.
        CheckpointFormatError: if the weights are not all of such a network's.
    """
    import torch

    tensors = {name: torch.from_numpy(np.array(array, np.float32)) for name, array in state.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of torch, about what spandrel does when it is imported
            network = made(tensors)
    except ImportError:
        raise MissingExtraError(Notice("model.needs-restorers", {"network": title})) from None
    except (RuntimeError, KeyError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise CheckpointFormatError(Notice("model.damaged-restorer", {"network": title, "reason": reason})) from error
    # None of them takes float16 (spandrel's own word); bfloat16 has float32's range.
    taken = torch.bfloat16 if dtype == torch.float16 else dtype
    return _wrapped(network.eval().requires_grad_(False).to(device, taken), taken, arguments)


def _wrapped(network: torch.nn.Module, dtype: torch.dtype, arguments: dict[str, object]) -> torch.nn.Module:
    """The network from one batch of faces to another, float32 outside; it answers with a tuple, the image first."""
    import torch

    class Face(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, faces: torch.Tensor) -> torch.Tensor:
            return self.network(faces.to(dtype), **arguments)[0].float()

    return Face()


RESTOREFORMER = _architecture(
    RestoreFormerConfig,
    ("quantize.embedding.weight", "encoder.conv_in.weight", "quant_conv.weight", "decoder.conv_out.weight"),
    _restoreformer,
    lambda _: {},
)
CODEFORMER = _architecture(
    CodeFormerConfig,
    ("position_emb", "idx_pred_layer.1.weight", "quantize.embedding.weight", "encoder.blocks.0.weight"),
    _codeformer,
    lambda numbers: {"weight": cast("CodeFormerConfig", numbers).fidelity},
)
