"""The controls: how strongly a portrait is restored, where, and what is kept. With the presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace

from likeness.errors import ControlError

__all__ = ["PRESETS", "Controls", "RegionWeights"]


def _check(name: str, value: float, low: float, high: float, remark: str = "") -> None:
    given: object = value
    if isinstance(given, bool) or not isinstance(given, (int, float)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ControlError(f"{name} must be a number from {low:g} to {high:g}, not {type(given).__name__}")
    # The negation refuses NaN as well.
    if not low <= value <= high:
        raise ControlError(
            f"{name} must be between {low:g} and {high:g}{f' ({remark})' if remark else ''}, not {value:g}"
        )


@dataclass(frozen=True, kw_only=True)
class RegionWeights:
    """``face_mask_weights``: the priority of each region of the face, 0 to 2 each; 0 leaves a region as it is.

    Raises:
        ControlError: for a value outside 0 to 2.
    """

    eye: float = 1.0
    brow: float = 1.0
    nose: float = 1.0
    lip: float = 1.0
    cheek: float = 1.0
    forehead: float = 1.0
    ear: float = 1.0
    hair: float = 1.0
    edge: float = 1.0
    other: float = 1.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            _check(f"face weight {name}", value, 0.0, 2.0)

    @staticmethod
    def of(weights: Mapping[str, float]) -> RegionWeights:
        """From region names to weights; ``all`` sets every region that is not named itself.

        Raises:
            ControlError: for an unknown region or a value outside 0 to 2.
        """
        given: object = weights
        if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ControlError(f"face weights must be a dictionary of regions and numbers, not {type(given).__name__}")
        known = [region.name for region in fields(RegionWeights)]
        for name in weights:
            if name not in known and name != "all":
                raise ControlError(f'unknown face region "{name}"; the regions are {", ".join(known)}, and all')
        everywhere = weights.get("all", 1.0)
        return RegionWeights(**{name: weights.get(name, everywhere) for name in known})

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Controls:
    """What a retoucher sets. The defaults are the preset ``standard``.

    Attributes:
        degradation_scale: how strongly the picture is pre-degraded before the network sees it, 0.3 to 1.2, or 0 for not at
            all. Lower: the network invents less, and more of the original texture survives.
        latent_step_decay: step toward the manifold of sharp faces, 0.02 to 0.1 (values from 0.005 are taken with a
            warning). Smaller: more conservative, wrinkles stay.
        face_mask_weights: priority of each region.
        keep_grain: measure the photograph's grain and lay it back over the restored skin.
        grain_amount: how much of it, 0 to 2; 1 matches face and background.
        strength: the whole change's opacity, 0 to 1.
        refine: how many times the projection is computed again from the current estimate, 1 to 8.

    Raises:
        ControlError: for a value outside its range; the message holds the range.
    """

    degradation_scale: float = 1.0
    latent_step_decay: float = 0.1
    face_mask_weights: RegionWeights = field(default_factory=RegionWeights)
    keep_grain: bool = False
    grain_amount: float = 1.0
    strength: float = 1.0
    refine: int = 1

    def __post_init__(self) -> None:
        weights: object = self.face_mask_weights
        if not isinstance(weights, RegionWeights):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ControlError(
                f"face_mask_weights must be RegionWeights, not {type(weights).__name__}; RegionWeights.of takes a dictionary"
            )
        if not isinstance(self.keep_grain, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ControlError(f"keep_grain must be True or False, not {type(self.keep_grain).__name__}")
        if self.degradation_scale != 0 or isinstance(self.degradation_scale, bool):
            _check("degradation_scale", self.degradation_scale, 0.3, 1.2, "or 0 to turn it off")
        _check("latent_step_decay", self.latent_step_decay, 0.005, 0.1, "0.02 to 0.1 is the useful range")
        _check("grain_amount", self.grain_amount, 0.0, 2.0)
        _check("strength", self.strength, 0.0, 1.0)
        if isinstance(self.refine, bool) or not isinstance(self.refine, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ControlError(f"refine must be a whole number from 1 to 8, not {self.refine}")
        _check("refine", self.refine, 1, 8)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to tell the user about these values, one sentence each."""
        found: list[str] = []
        if self.degradation_scale > 1.1:
            found.append(
                f"degradation_scale {self.degradation_scale:g} is above 1.1: the network starts to invent moles and scars; "
                "look at the skin closely"
            )
        if self.latent_step_decay < 0.02:
            found.append(
                f"latent_step_decay {self.latent_step_decay:g} is below 0.02: the restoration does not converge and stays "
                "close to the input"
            )
        return tuple(found)

    def with_weights(self, weights: Mapping[str, float]) -> Controls:
        """These controls with some regions' weights changed; ``all`` sets every one first."""
        RegionWeights.of(weights)  # refuses what is no dictionary of weights
        current = {} if "all" in weights else self.face_mask_weights.to_dict()
        return replace(self, face_mask_weights=RegionWeights.of({**current, **weights}))

    @property
    def preset_name(self) -> str:
        """Name of the preset that these are, at any strength, grain amount and ``refine``; "" if they are none's."""
        for name, preset in PRESETS.items():
            if (
                replace(self, strength=preset.strength, grain_amount=preset.grain_amount, refine=preset.refine)
                == preset
            ):
                return name
        return ""

    @staticmethod
    def preset(name: str) -> Controls:
        """The preset called ``name``.

        Raises:
            ControlError: if there is none; the message lists them.
        """
        if not isinstance(name, str) or name not in PRESETS:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ControlError(f'unknown preset "{name}"; the presets are {", ".join(PRESETS)}')
        return PRESETS[name]

    @staticmethod
    def standard() -> Controls:
        """The network's plain behaviour."""
        return PRESETS["standard"]

    @staticmethod
    def natural() -> Controls:
        """Skin texture first."""
        return PRESETS["natural"]

    @staticmethod
    def early_digital() -> Controls:
        """Cameras of the 2000s, heavy JPEG."""
        return PRESETS["early-digital"]

    @staticmethod
    def ai_portrait() -> Controls:
        """Generated faces with broken eyes or ears."""
        return PRESETS["ai-portrait"]

    @staticmethod
    def film_scan() -> Controls:
        """Yellowed, scratched, grainy scans: the grain stays."""
        return PRESETS["film-scan"]

    @staticmethod
    def low_light() -> Controls:
        """Phone pictures in the dark: smear, fringes, motion."""
        return PRESETS["low-light"]


PRESETS: dict[str, Controls] = {
    "standard": Controls(),
    "natural": Controls(
        degradation_scale=0.7,
        latent_step_decay=0.04,
        face_mask_weights=RegionWeights(eye=1.3, lip=1.3, cheek=1.0, forehead=0.8, other=0.7),
    ),
    "early-digital": Controls(
        degradation_scale=0.7, latent_step_decay=0.04, face_mask_weights=RegionWeights(eye=1.3, lip=1.3)
    ),
    "ai-portrait": Controls(
        degradation_scale=1.0, latent_step_decay=0.02, face_mask_weights=RegionWeights(eye=1.5, ear=1.5)
    ),
    "film-scan": Controls(degradation_scale=0.5, latent_step_decay=0.05, keep_grain=True),
    "low-light": Controls(degradation_scale=0.9, latent_step_decay=0.03, face_mask_weights=RegionWeights(edge=0.7)),
}
"""From field reports (design, section 1)."""
