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
from likeness.models.conversion import convert_module
from likeness.models.spec import Spec

if TYPE_CHECKING:
    import openvino
    import torch

__all__ = [
    "CODEFORMER",
    "RESTOREFORMER",
    "Answer",
    "CodeFormerConfig",
    "RestoreFormerConfig",
    "run_by_spandrel",
]

_SIDE = 512
"""Side of the faces that all of them take, px."""

_LONGEST_REASON = 200
"""Most characters of why spandrel could not take weights."""

Answer = Callable[["torch.nn.Module", "torch.Tensor"], "torch.Tensor"]
"""Calls a network of spandrel's with a batch of images, and gives the batch that it answers with."""


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
            # Both choose entries of a codebook: bfloat16 left 34 and 32 dB of what networks of random weights drew.
            precision="f32",
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
    *,
    convertible: bool,
) -> Architecture[_Restorer]:
    """A row of the table.

    Args:
        config: of the network.
        telling: names of tensors that it alone has.
        load: makes spandrel's loader.
        arguments: of the network's call, by its numbers.
        convertible: whether OpenVINO can take its trace.
    """

    def detect(names: Collection[str]) -> bool:
        return all(name in names for name in telling)

    def configure(shapes: Shapes) -> _Restorer:
        for name in telling:
            shapes[name]  # a KeyError names the first that is missing
        return config()

    def module(state: State, numbers: _Restorer, dtype: torch.dtype, device: torch.device) -> torch.nn.Module:
        given = arguments(numbers)

        def answer(network: torch.nn.Module, faces: torch.Tensor) -> torch.Tensor:
            return network(faces, **given)[0]  # a tuple, the image first

        return run_by_spandrel(state, lambda tensors: load().load(tensors).model, config.title, answer, dtype, device)

    def graph(state: State, numbers: _Restorer) -> openvino.Model:
        try:
            import torch
        except ImportError:
            raise MissingExtraError(Notice("model.needs-restorers", {"network": config.title})) from None
        return convert_module(module(state, numbers, torch.float32, torch.device("cpu")), (1, 3, _SIDE, _SIDE))

    return Architecture(
        name=config.name,
        title=config.title,
        config=config,
        detect=detect,
        configure=configure,
        shapes=None,
        module=module,
        graph=None,
        converted=graph if convertible else None,
    )


def run_by_spandrel(
    state: State,
    made: Callable[[dict[str, torch.Tensor]], Any],
    title: str,
    answer: Answer,
    dtype: torch.dtype,
    device: torch.device,
    exact: Collection[str] = (),
) -> torch.nn.Module:
    """A network of spandrel's from one batch of images to another, float32 outside.

    Args:
        state: its weights.
        made: makes spandrel's module of these, and imports spandrel for that.
        title: what to call it in a sentence.
        answer: calls it.
        dtype, device: where and how it is to run.
        exact: names of classes of its parts that compute in float32 in any case.

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
    # It builds by the shapes that it finds, and whatever that ends in says that they are none of such a network's.
    except (RuntimeError, LookupError, ValueError, TypeError, ArithmeticError, AssertionError) as error:
        said = str(error).strip() or type(error).__name__
        reason = said.splitlines()[-1].strip()[:_LONGEST_REASON]  # one that lists tensors may list all of them
        raise CheckpointFormatError(Notice("model.damaged-restorer", {"network": title, "reason": reason})) from error
    # None of them takes float16 (spandrel's own word); bfloat16 has float32's range.
    taken = torch.bfloat16 if dtype == torch.float16 else dtype
    network = network.eval().requires_grad_(False).to(device, taken)
    if taken != torch.float32:
        for part in network.modules():
            if type(part).__name__ in exact:
                _keep_exact(part, taken)
    return _wrapped(network, taken, answer)


def _wrapped(network: torch.nn.Module, dtype: torch.dtype, answer: Answer) -> torch.nn.Module:
    """The network from one batch of images to another, float32 outside."""
    import torch

    class Images(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return answer(self.network, images.to(dtype)).float()

    return Images()


def _keep_exact(part: torch.nn.Module, dtype: torch.dtype) -> None:
    """Let one part of a network compute in float32, though the others hand it on and take it in ``dtype``."""

    def exactly(_part: torch.nn.Module, given: tuple[torch.Tensor | None, ...]) -> tuple[torch.Tensor | None, ...]:
        return tuple(None if one is None else one.float() for one in given)

    def handed_on(_part: torch.nn.Module, _given: object, answer: torch.Tensor) -> torch.Tensor:
        return answer.to(dtype)

    part.float().register_forward_pre_hook(exactly)
    part.register_forward_hook(handed_on)


RESTOREFORMER = _architecture(
    RestoreFormerConfig,
    ("quantize.embedding.weight", "encoder.conv_in.weight", "quant_conv.weight", "decoder.conv_out.weight"),
    _restoreformer,
    lambda _: {},
    convertible=True,
)
CODEFORMER = _architecture(
    CodeFormerConfig,
    ("position_emb", "idx_pred_layer.1.weight", "quantize.embedding.weight", "encoder.blocks.0.weight"),
    _codeformer,
    lambda numbers: {"weight": cast("CodeFormerConfig", numbers).fidelity},
    convertible=False,  # it computes with a tensor where the trace needs a number
)
