"""How the page says what a picture is to look like."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from likeness.restore.controls import Controls, RegionWeights
from likeness.studio.captions import Language
from likeness.studio.finishing import Finishing

__all__ = ["FAR", "LiveArea", "LiveFace", "LiveFileLook", "LiveLook", "LiveViews", "Touch"]

_MOST_AREAS = 8

Touch: TypeAlias = Literal["warmth", "exposure", "clarity"]

FAR: dict[Touch, tuple[float, float]] = {"warmth": (-0.5, 0.5), "exposure": (-1.0, 1.0), "clarity": (0.0, 1.0)}
"""Ends of the finishing sliders: a layer holds what the picture becomes at the further one, less what it is."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class LiveArea(_Body):
    """A part of the picture, in its pixels, how wide it is to be shown, and whether it is wanted as it was as well."""

    left: float
    top: float
    right: float
    bottom: float
    width: int = Field(ge=1, le=8192)
    before: bool = False


class LiveLook(_Body):
    """Which faces, and how."""

    faces: list[int] = Field(default_factory=list, max_length=256)
    degradation_scale: float = 1.0
    latent_step_decay: float = 0.1
    face_mask_weights: dict[str, float] = Field(default_factory=dict)
    keep_grain: bool = False
    grain_amount: float = 1.0
    strength: float = 1.0
    refine: int = 1
    warmth: float = 0.0
    exposure: float = 0.0
    clarity: float = 0.0

    def controls(self) -> Controls:
        """The controls; raises ControlError for what is out of range."""
        return Controls(
            degradation_scale=self.degradation_scale,
            latent_step_decay=self.latent_step_decay,
            face_mask_weights=RegionWeights.of(self.face_mask_weights),
            keep_grain=self.keep_grain,
            grain_amount=self.grain_amount,
            strength=self.strength,
            refine=self.refine,
        )

    def finishing(self) -> Finishing:
        """The finishing touches; raises ControlError for what is out of range."""
        return Finishing(warmth=self.warmth, exposure=self.exposure, clarity=self.clarity)


class LiveViews(LiveLook):
    """A look, the parts of the picture to show of it, and the finishing touches that are to be previewed."""

    areas: list[LiveArea] = Field(min_length=1, max_length=_MOST_AREAS)
    layers: list[Touch] = Field(default_factory=list["Touch"], max_length=len(FAR))


class LiveFace(LiveLook):
    """A look, and the face to measure."""

    face: int = 0


class LiveFileLook(LiveLook):
    """A look, and how its file is made; sizes as in `likeness.studio.deliver`."""

    preset: str = "standard"
    language: Language = "en"
    side: int = 2048
    scale: float = 1.5
    millimetres: tuple[float, float] | None = None
