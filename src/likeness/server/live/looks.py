"""How the page says what a picture is to look like."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from likeness.restore.controls import Controls, RegionWeights
from likeness.studio.captions import Language
from likeness.studio.finishing import Finishing

__all__ = ["FAR", "LiveArea", "LiveFace", "LiveFileLook", "LiveLook", "LiveViews", "Touch"]

_MOST_AREAS = 8
_MOST_FACES = 256
_LAST_FACE = 99_999

_Named = TypeVar("_Named", int, str)


def _once(names: list[_Named]) -> list[_Named]:
    """A list in which nothing comes twice: each name is work and bytes of the answer."""
    if len(set(names)) < len(names):
        raise ValueError("something is named twice; name each once")
    return names


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

    faces: Annotated[list[Annotated[int, Field(ge=0, le=_LAST_FACE)]], AfterValidator(_once)] = Field(
        default_factory=list, max_length=_MOST_FACES
    )
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
    layers: Annotated[list[Touch], AfterValidator(_once)] = Field(default_factory=list["Touch"], max_length=len(FAR))


class LiveFace(LiveLook):
    """A look, and the face to measure."""

    face: int = Field(default=0, ge=0, le=_LAST_FACE)


class LiveFileLook(LiveLook):
    """A look, and how its file is made; sizes as in `likeness.studio.deliver`."""

    preset: str = "standard"
    language: Language = "en"
    side: int = 2048
    scale: float = 1.5
    millimetres: tuple[float, float] | None = None
