"""The layers of a StyleGAN2-type network, written from the papers.

Sources: Karras et al., "Progressive Growing of GANs" (2018), section 4.1, for the equalised learning rate; Karras et al.,
"Analyzing and Improving the Image Quality of StyleGAN" (2020), section 2.2, for modulation and demodulation.

Modulation is kept off the weights: input channels are scaled by the style, convolved with the same weights for every
sample, and the output channels scaled by the demodulation. That is the same function, as convolution is linear in both.
The activation's gain is folded into weights and biases: leaky ReLU is positively homogeneous.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn

from likeness.models.style_nodes import ACTIVATION_GAIN, EPSILON, LEAKY_SLOPE

__all__ = [
    "Bias",
    "Blur",
    "EncoderConv",
    "EqualLinear",
    "ModulatedConv",
    "PixelNorm",
    "SkipInjection",
    "blur_kernel",
]


def blur_kernel(gain: float = 1.0) -> Tensor:
    """The 4 x 4 binomial kernel [1, 3, 3, 1] x [1, 3, 3, 1], normalised to sum to ``gain``."""
    row = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kernel = torch.outer(row, row)
    return kernel * (gain / kernel.sum())


def _activate(x: Tensor) -> Tensor:
    """Leaky ReLU on samples that already carry the gain; in place, as no layer before it needs its own output."""
    return F.leaky_relu_(x, LEAKY_SLOPE)


class PixelNorm(nn.Module):
    """Divides each latent by its root mean square: N x C to N x C."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + EPSILON)


class Bias(nn.Module):
    """Holds the bias of an activation, where the published checkpoints keep it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))


class EqualLinear(nn.Module):
    """A linear layer with equalised learning rate: N x ``inputs`` to N x ``outputs``.

    ``lr_multiplier`` scales weight and bias at run time; ``activate`` adds leaky ReLU times sqrt(2).
    """

    def __init__(
        self, inputs: int, outputs: int, *, bias: float = 0.0, lr_multiplier: float = 1.0, activate: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.gain = lr_multiplier * (ACTIVATION_GAIN if activate else 1.0)
        self.scale = self.gain / math.sqrt(inputs)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        y = F.linear(x, self.weight * self.scale, self.bias * self.gain)
        return _activate(y) if self.activate else y


class EncoderConv(nn.Module):
    """A convolution with equalised learning rate, without padding, and its activation; its bias is a `Bias` beside it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.scale = 1.0 / math.sqrt(inputs * kernel * kernel)
        self.stride = stride

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        gain = self.scale * ACTIVATION_GAIN
        return _activate(F.conv2d(x, self.weight * gain, bias * ACTIVATION_GAIN, stride=self.stride))


class _SymmetricFilter(torch.autograd.Function):
    """Each channel filtered with one symmetric 4 x 4 kernel.

    The adjoint of a symmetric filter is the filter itself under the complementary padding. Saying so makes the backward
    pass as fast as the forward one; PyTorch's own, for a depthwise convolution on a CPU, is thirty times slower.
    """

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, kernel: Tensor, padding: int) -> Tensor:
        ctx.save_for_backward(kernel)
        ctx.padding = padding  # type: ignore[attr-defined]
        return _filter(x, kernel, padding)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (kernel,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return _filter(gradient.contiguous(memory_format=torch.channels_last), kernel, 3 - ctx.padding), None, None  # type: ignore[attr-defined]


def _filter(x: Tensor, kernel: Tensor, padding: int) -> Tensor:
    channels = x.shape[1]
    return F.conv2d(x, kernel.to(x.dtype).expand(channels, 1, 4, 4), padding=padding, groups=channels)


class Blur(nn.Module):
    """The binomial low-pass filter on N x C x H x W; ``padding`` on all sides.

    With ``up`` 2 it doubles the size first, with zeros between the samples, and pads (2, 1) as StyleGAN2 does.
    """

    kernel: Tensor

    def __init__(self, padding: int = 0, *, gain: float = 1.0, up: int = 1) -> None:
        super().__init__()
        self.register_buffer("kernel", blur_kernel(gain))
        self.padding = padding
        self.up = up

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype)
        if self.up == 2:
            # Zeros between the samples, padding (2, 1) and a symmetric kernel of four taps: a transposed convolution.
            return F.conv_transpose2d(x, kernel.expand(channels, 1, 4, 4), bias, stride=2, padding=1, groups=channels)
        y = _SymmetricFilter.apply(x, kernel, self.padding)
        assert isinstance(y, Tensor)
        return y if bias is None else y.add_(bias.to(y.dtype).view(1, -1, 1, 1))


class ModulatedConv(nn.Module):
    """A convolution whose input channels are scaled by a style, and whose output is demodulated.

    N x ``inputs`` x H x W and w (N x ``latent``) to N x ``outputs`` x H x W, or 2H x 2W with ``upsample``; ``gain`` and
    ``bias`` (``outputs``) are applied on the way, where they cost least.

    ``style_free`` drops the dependence on w: the style is the modulation's bias. It is for training: high resolutions
    cost most of their time in multiplying channels by styles, and need them least. `Gpen.free_styles` sets it together
    with zero modulation weights, so that the state dict computes the same function anywhere.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, latent: int, *, demodulate: bool = True, upsample: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, kernel, kernel))
        self.modulation = EqualLinear(latent, inputs, bias=1.0)
        self.scale = 1.0 / math.sqrt(inputs * kernel * kernel)
        self.demodulate = demodulate
        self.padding = kernel // 2
        self.blur = Blur(1, gain=4.0) if upsample else None
        self.style_free = False

    def forward(self, x: Tensor, w: Tensor, bias: Tensor, *, gain: float = 1.0) -> Tensor:
        weight = self.weight[0]
        if self.style_free:
            weight = weight * (self.modulation.bias * self.scale).view(1, -1, 1, 1)
            if self.demodulate:
                weight = weight * torch.rsqrt(weight.square().sum(dim=(1, 2, 3), keepdim=True) + EPSILON)
            return self._convolve(x, weight * gain, bias)
        style = self.modulation(w).float() * self.scale
        x = x * style.to(x.dtype)[:, :, None, None]
        if not self.demodulate:
            return self._convolve(x, weight * gain, bias)
        y = self._convolve(x, weight, None)
        norm = torch.rsqrt(style.square() @ weight.square().sum(dim=(2, 3)).t() + EPSILON) * gain
        return torch.addcmul(bias.to(y.dtype).view(1, -1, 1, 1), y, norm.to(y.dtype)[:, :, None, None])

    def _convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.blur is None:
            return F.conv2d(x, weight, bias, padding=self.padding)
        return self.blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), bias)


class SkipInjection(nn.Module):
    """Concatenates the encoder's map, times one learned scalar, behind the convolution's output, and activates both."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor, feature: Tensor, bias: Tensor) -> Tensor:
        scalar = (self.weight * ACTIVATION_GAIN).to(feature.dtype)
        injected = torch.addcmul(bias.to(feature.dtype).view(1, -1, 1, 1), feature, scalar)
        return _activate(torch.cat([x, injected.to(x.dtype)], dim=1))
