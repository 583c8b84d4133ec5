"""Muon: momentum whose update is made orthogonal, for the weights that are matrices.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024). A gradient from a few pictures has a few
large directions; Adam follows those, Muon moves along all of them alike, and so learns more from each picture.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

__all__ = ["Muon", "TurningMuon", "orthogonalise"]

_RMS = 0.2
"""Root mean square of an update at rate 1: what Adam's updates have, so that one learning rate serves both (Liu et al.,
"Muon is scalable for LLM training", 2025, section 2.2)."""


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, made orthogonal; each parameter is read as a matrix of outputs by everything else.

    Args:
        parameters: weights of two or more dimensions; leading dimensions of size one are ignored.
        lr: learning rate on Adam's scale.
        momentum: 0 to 1.
        dtype: of the products; processors without bfloat16 are many times faster in float32.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.95,
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        super().__init__(list(parameters), {"lr": lr, "momentum": momentum})
        self._dtype = dtype

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                momentum = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                ahead = torch.lerp(parameter.grad, momentum, group["momentum"])
                update = orthogonalise(ahead.reshape(_rows(parameter), -1), self._dtype)
                self._apply(parameter, update, group["lr"])

    def _apply(self, parameter: nn.Parameter, update: Tensor, rate: float) -> None:
        """Move a parameter against an orthogonal update, a matrix."""
        scaled = update * (_RMS * max(update.shape) ** 0.5)
        parameter.add_(scaled.reshape(parameter.shape), alpha=-rate)


class TurningMuon(Muon):
    """Muon for weights whose norms are held: a step turns every one as far, and ``lr`` is that as a share of its norm."""

    def _apply(self, parameter: nn.Parameter, update: Tensor, rate: float) -> None:
        state = self.state[parameter]
        if "norm" not in state:
            state["norm"] = parameter.norm()
        parameter.add_(update.reshape(parameter.shape), alpha=-rate * float(state["norm"] / (update.norm() + 1e-9)))
        parameter.mul_(state["norm"] / parameter.norm())


def _rows(parameter: Tensor) -> int:
    return next(size for size in parameter.shape if size > 1)


def orthogonalise(matrix: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """The nearest matrix with all singular values near 1, by five Newton-Schulz steps (Jordan et al., 2024)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.to(dtype)
    x = x / (x.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)
