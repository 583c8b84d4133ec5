"""Everything that the result for one picture depends on, beside the picture and the network; kept in the journal as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeAlias, cast

from likeness.errors import ConfigError
from likeness.evidence.quality_gate import GuardLimits
from likeness.faces.findings import Limits
from likeness.imaging.files import DEFAULT_MAX_PIXELS
from likeness.repair.repairs import Repairs
from likeness.restore.config import Settings
from likeness.restore.controls import Controls, RegionWeights
from likeness.restore.selection import Selection

__all__ = ["OnFinding", "WorkOptions"]

OnFinding: TypeAlias = Literal["flag", "fix", "skip"]
"""What happens to a picture with a warning of preflight: it is restored and the finding told; what can be done about it is
done; or it is left alone. What preflight refuses is always left alone."""


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """The options of one picture.

    Attributes:
        controls, repairs, selection, aligned: see `likeness.Restorer.restore`.
        quality, bit_depth: of the result, see `likeness.write_image`.
        max_pixels: larger pictures are not read.
        damage_mask: a file of this machine, None for none; ``damage_digest`` is of its content.
        on_finding: see `OnFinding`.
        limits: of preflight.
        guard: the guard's limits; None for no guard.

    Raises:
        ConfigError, ControlError: for a value that cannot be used.
    """

    controls: Controls = field(default_factory=Controls)
    repairs: Repairs = field(default_factory=Repairs)
    selection: Selection = field(default_factory=Selection)
    aligned: bool = False
    quality: int | None = None
    bit_depth: Literal[8, 16] | None = None
    max_pixels: int = DEFAULT_MAX_PIXELS
    damage_mask: str | None = None
    damage_digest: str = ""
    on_finding: OnFinding = "flag"
    limits: Limits = field(default_factory=Limits)
    guard: GuardLimits | None = field(default_factory=GuardLimits)

    def __post_init__(self) -> None:
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise ConfigError(f"quality must be 1 to 100, not {self.quality}")
        if self.bit_depth not in (None, 8, 16):
            raise ConfigError(f"bit_depth must be 8 or 16, not {self.bit_depth}")
        if self.max_pixels < 1:
            raise ConfigError(f"max_pixels must be at least 1, not {self.max_pixels}")
        if self.on_finding not in ("flag", "fix", "skip"):
            raise ConfigError(f'what happens on a finding must be flag, fix or skip, not "{self.on_finding}"')

    @staticmethod
    def of(
        settings: Settings,
        *,
        on_finding: OnFinding = "flag",
        limits: Limits | None = None,
        guard: GuardLimits | None = None,
        damage_digest: str = "",
    ) -> WorkOptions:
        """From settings as people write them; what they leave open has its default."""
        if settings.copy_unrestored:
            raise ConfigError(
                "copy_unrestored is for likeness restore: a batch keeps out of its output what it leaves alone"
            )
        return WorkOptions(
            controls=settings.controls(),
            repairs=settings.repairs(),
            selection=settings.selection(),
            aligned=bool(settings.aligned),
            quality=settings.quality,
            bit_depth=cast("Literal[8, 16] | None", settings.bit_depth),
            max_pixels=settings.max_pixels or DEFAULT_MAX_PIXELS,
            damage_mask=str(settings.damage_mask) if settings.damage_mask is not None else None,
            damage_digest=damage_digest,
            on_finding=on_finding,
            limits=limits or Limits(),
            guard=guard,
        )

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; equal options give equal dictionaries."""
        which = self.selection.which
        limits = {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in asdict(self.limits).items()
        }
        return {
            **{item.name: getattr(self, item.name) for item in fields(self)},
            "controls": asdict(self.controls),
            "repairs": asdict(self.repairs),
            "selection": {**asdict(self.selection), "which": list(which) if isinstance(which, tuple) else which},
            "limits": limits,
            "guard": None if self.guard is None else asdict(self.guard),
        }

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> WorkOptions:
        """The options that `to_dict` was called on.

        Raises:
            ConfigError, ControlError: for a key or a value that cannot be used.
        """
        known = {item.name for item in fields(WorkOptions)}
        if not known >= set(values):
            raise ConfigError(f"unknown options: {', '.join(sorted(set(values) - known))}")
        taken = dict(values)
        try:
            for name, make in _PARTS.items():
                if taken.get(name) is not None:
                    taken[name] = make(dict(taken[name]))
            return WorkOptions(**taken)
        except TypeError as error:
            raise ConfigError(f"the options cannot be used: {error}") from error


def _controls(values: dict[str, Any]) -> Controls:
    values["face_mask_weights"] = RegionWeights(**values.get("face_mask_weights", {}))
    return Controls(**values)


def _selection(values: dict[str, Any]) -> Selection:
    which = values.get("which", "all")
    values["which"] = tuple(cast("list[int]", which)) if isinstance(which, list) else which
    return Selection(**values)


def _limits(values: dict[str, Any]) -> Limits:
    for name in ("refuse", "ignore"):
        values[name] = frozenset(values.get(name, ()))
    return Limits(**values)


_PARTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "controls": _controls,
    "repairs": lambda values: Repairs(**values),
    "selection": _selection,
    "limits": _limits,
    "guard": lambda values: GuardLimits(**values),
}
"""How each part is made from its dictionary."""
