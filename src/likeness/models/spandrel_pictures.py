"""Networks for whole photographs, run by spandrel's modules in PyTorch: DDColor, which colours, and LaMa, which fills holes.

As with the restorers (`likeness.models.spandrel_adapter`) spandrel is part of the extra ``restorers``, and telling from a
file's tensors which of them it holds needs none of it. What goes in and comes out is that of the networks themselves; what
their authors do before and after is `likeness.restore.tasks`'s.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from likeness.messages.notice import Notice
from likeness.models.architecture import Architecture, Shapes, State
from likeness.models.spandrel_adapter import run_by_spandrel
from likeness.models.spec import Authors, Spec

if TYPE_CHECKING:
    import torch

__all__ = ["DDCOLOR", "LAMA", "DdcolorConfig", "LamaConfig"]

_DDCOLOR_SIDE = 512
"""To which DDColor's authors bring a photograph, px, both sides."""

_STAGE = "encoder.arch.stages.2."
_WIDTHS = (96, 128, 192)
_DEPTHS = (9, 27)


@dataclass(frozen=True, slots=True, kw_only=True)
class DdcolorConfig:
    """DDColor (Kang et al., "DDColor: Towards Photo-Realistic Image Colorization via Dual Decoders", 2023).

    Attributes:
        width: channels of its encoder's first stage (a ConvNeXt): 192 in the large one, 96 in the tiny one.
        depth: blocks of its encoder's third stage: 27, or 9 in the tiny one.
    """

    width: int = 192
    depth: int = 27

    def __post_init__(self) -> None:
        if self.width not in _WIDTHS or self.depth not in _DEPTHS:
            raise ValueError(
                f"width must be one of {_WIDTHS} and depth of {_DEPTHS}, not {str(self.width)[:20]} and "
                f"{str(self.depth)[:20]}"
            )

    @property
    def spec(self) -> Spec:
        """The network in the words that all architectures share."""
        return Spec(
            architecture="ddcolor",
            purpose="colourise",
            config=self,
            title=Notice("network.pictures", {"title": "DDColor"}),
            size=None,
            scale=1,
            value_range=(0.0, 1.0),
            template=None,
            precision="bf16",
            outputs=2,
            multiple=32,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LamaConfig:
    """LaMa of 18 blocks (Suvorov et al., "Resolution-robust Large Mask Inpainting with Fourier Convolutions", 2022)."""

    @property
    def spec(self) -> Spec:
        """The network in the words that all architectures share."""
        return Spec(
            architecture="lama",
            purpose="inpaint",
            config=self,
            title=Notice("network.pictures", {"title": "LaMa"}),
            size=None,
            scale=1,
            value_range=(0.0, 1.0),
            template=None,
            # Of holes that a network of random weights filled, bfloat16 left 37 dB.
            precision="f32",
            inputs=4,
            multiple=8,
        )


# DDColor


def _is_ddcolor(names: Collection[str]) -> bool:
    return "refine_net.0.0.weight_orig" in names and "encoder.arch.downsample_layers.0.0.weight" in names


def _ddcolor_of(shapes: Shapes) -> DdcolorConfig:
    outputs = shapes["refine_net.0.0.weight_orig"][0]
    if outputs != 2:
        raise ValueError(f"it answers with {str(outputs)[:20]} channels, not with a* and b*")
    blocks = {name.removeprefix(_STAGE).partition(".")[0] for name in shapes if name.startswith(_STAGE)}
    return DdcolorConfig(width=shapes["encoder.arch.stages.0.0.norm.weight"][0], depth=len(blocks))


def _ddcolor_module(state: State, _config: DdcolorConfig, dtype: torch.dtype, device: torch.device) -> torch.nn.Module:
    def made(tensors: dict[str, torch.Tensor]) -> Any:
        from spandrel_extra_arches.architectures.DDColor import DDColorArch  # pyright: ignore

        return cast("Any", DDColorArch)().load(tensors).model

    def answer(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
        return network(images)

    # Places are float32 to begin with, whatever the network is.
    return run_by_spandrel(state, made, "DDColor", answer, dtype, device, exact=("PositionEmbeddingSine",))


def _run_squared(_config: DdcolorConfig) -> Authors:
    return Authors(side=_DDCOLOR_SIDE)


DDCOLOR = Architecture(
    name="ddcolor",
    title="DDColor",
    config=DdcolorConfig,
    detect=_is_ddcolor,
    configure=_ddcolor_of,
    shapes=None,
    module=_ddcolor_module,
    graph=None,
    authors=_run_squared,
)


# LaMa

_FIRST = "model.model.1.bn_l.running_mean"
_BLOCKS = 18

_ELSEWHERE = re.compile(r"(?:.*\.)?generator\.model\.")
"""What stands before the names of the network's tensors where its whole training program was saved."""


def _lama_name(name: str) -> str:
    return _ELSEWHERE.sub("model.model.", name, count=1) if _ELSEWHERE.match(name) else name


def _is_lama(names: Collection[str]) -> bool:
    return any(_lama_name(name) == _FIRST for name in names)


def _lama_of(shapes: Shapes) -> LamaConfig:
    taken = shapes["model.model.1.ffc.convl2l.weight"][1]
    last = f"model.model.{_BLOCKS + 16}"
    given = shapes[f"{last}.weight"][0]
    if (taken, given) != (4, 3):
        raise ValueError(
            f"it takes {str(taken)[:20]} channels and gives {str(given)[:20]}, not RGB with a mask and RGB"
        )
    return LamaConfig()


def _lama_module(state: State, _config: LamaConfig, dtype: torch.dtype, device: torch.device) -> torch.nn.Module:
    def made(tensors: dict[str, torch.Tensor]) -> Any:
        from spandrel.architectures.LaMa import LaMaArch  # pyright: ignore

        return cast("Any", LaMaArch)().load(tensors).model

    def answer(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
        return network(images[:, :3], images[:, 3:])

    # What else was trained with it (discriminators, losses) has no part in filling.
    own = {name: array for name, array in state.items() if name.startswith("model.model.")}
    # PyTorch has Fourier transforms of bfloat16 nowhere.
    return run_by_spandrel(own, made, "LaMa", answer, dtype, device, exact=("FourierUnit",))


LAMA = Architecture(
    name="lama",
    title="LaMa",
    config=LamaConfig,
    detect=_is_lama,
    configure=_lama_of,
    shapes=None,
    module=_lama_module,
    graph=None,
    rename=_lama_name,
)
