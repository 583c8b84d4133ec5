"""What the judge of lent detail looks like, as numbers. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from likeness.models.unet.architecture import UnetConfig

__all__ = ["BANDS", "PLANES", "SIDE", "LendingConfig"]

SIDE = 256
"""Side of what the network is given, px; its answer has half of it."""
PLANES = ("shown", "restored", "laid", "change", "valid", "down", "across", "sigma")
"""What it is given (`likeness.runtimes.lending`)."""
BANDS = ("fine", "coarse")
"""What it judges: two parts of the detail, each for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LendingConfig(UnetConfig):
    """Configuration of a judge of lent detail."""

    what = "a judge of lent detail"
    inputs = len(PLANES)
    outputs = len(BANDS)
