"""Everything that the result for one picture depends on, beside the picture and the network; kept in the journal as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeAlias, cast

from likeness.errors import ConfigError
from likeness.evidence.quality_gate import GuardLimits
from likeness.faces.findings import Limits
from likeness.imaging.files import DEFAULT_MAX_PIXELS
from likeness.messages.notice import Notice, notice_of
from likeness.models.spec import Purpose
from likeness.repair.repairs import Repairs
from likeness.restore.config import Settings
from likeness.restore.controls import Controls, RegionWeights
from likeness.restore.enlargement import Enlargement
from likeness.restore.face_controls import FaceControls
from likeness.restore.framing import Framing
from likeness.restore.picture_options import PictureOptions, parts_of
from likeness.restore.selection import Selection

__all__ = ["OnFinding", "WorkOptions"]

OnFinding: TypeAlias = Literal["flag", "fix", "skip"]
"""What happens to a picture with a warning of preflight: it is restored and the finding told; what can be done about it is
done; or it is left alone. What preflight refuses is always left alone."""


@dataclass(frozen=True, kw_only=True)
class WorkOptions(PictureOptions):
    """The options of one picture.

    Attributes:
        max_pixels: larger pictures are not read.
        damage_mask: a file of this machine, None for none; ``damage_digest`` is of its content.
        references: files and folders of this machine; ``references_digest`` is of their content.
        album: an album's file or a folder of this machine, None for none; ``album_digest`` is of its content.
        task: what the network is for, where the settings say it: a file with the tensors of several does each otherwise.
        fidelity: the network's own weight between fidelity and quality; None for its authors'.
        picture_model: name of the network for whole pictures that works before faces are restored, with a digest of its
            weights; "" for none.
        on_finding: see `OnFinding`.
        limits: of preflight.
        guard: the guard's limits; None for no guard.

    Raises:
        ConfigError, ControlError: for a value that cannot be used.
    """

    max_pixels: int = DEFAULT_MAX_PIXELS
    damage_mask: str | None = None
    damage_digest: str = ""
    references: tuple[str, ...] = ()
    references_digest: str = ""
    album: str | None = None
    album_digest: str = ""
    task: Purpose | None = None
    fidelity: float | None = None
    picture_model: str = ""
    on_finding: OnFinding = "flag"
    limits: Limits = field(default_factory=Limits)
    guard: GuardLimits | None = field(default_factory=GuardLimits)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_pixels < 1:
            raise ConfigError(Notice("option.max-pixels", {"max_pixels": self.max_pixels}))
        if self.on_finding not in ("flag", "fix", "skip"):
            raise ConfigError(Notice("batch.on-finding", {"on_finding": self.on_finding}))

    @staticmethod
    def of(
        settings: Settings,
        *,
        on_finding: OnFinding = "flag",
        limits: Limits | None = None,
        guard: GuardLimits | None = None,
        damage_digest: str = "",
        references_digest: str = "",
        album_digest: str = "",
        picture_model: str = "",
    ) -> WorkOptions:
        """From settings as people write them; what they leave open has its default."""
        if settings["copy_unrestored"]:
            raise ConfigError(Notice("batch.copy-unrestored"))
        album = settings["album"]
        if album is not None and settings["references"] is not None:
            raise ConfigError(Notice("batch.references-or-album"))
        mask = settings["damage_mask"]
        return WorkOptions(
            **parts_of(settings),
            max_pixels=settings["max_pixels"] or DEFAULT_MAX_PIXELS,
            damage_mask=None if mask is None else str(mask),
            damage_digest=damage_digest,
            references=tuple(map(str, settings["references"] or ())),
            references_digest=references_digest,
            album=None if album is None else str(album),
            album_digest=album_digest,
            task=settings["task"],
            fidelity=settings["fidelity"],
            picture_model=picture_model,
            on_finding=on_finding,
            limits=limits or Limits(),
            guard=guard,
        )

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; equal options give equal dictionaries.

        What options have been added to the first ones is in it only where it is not neutral, so that a journal's pictures
        are not done again for an option that nobody set.
        """
        which = self.selection.which
        limits = {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in _written(self.limits).items()
        }
        written = _written(self)
        if "by_hand" in written:
            written["by_hand"] = list(self.by_hand or ())
        if "references" in written:
            written["references"] = list(self.references)
        if "framing" in written:
            written["framing"] = _written(self.framing)
        if "face_controls" in written:
            written["face_controls"] = self.face_controls.to_numbered()
        if "enlargement" in written:
            written["enlargement"] = _written(self.enlargement)
        return {
            **written,
            "controls": {**_written(self.controls), "face_mask_weights": _written(self.controls.face_mask_weights)},
            "repairs": _written(self.repairs),
            "selection": {**_written(self.selection), "which": list(which) if isinstance(which, tuple) else which},
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
            raise ConfigError(Notice("batch.unknown-options", {"names": ", ".join(sorted(set(values) - known))}))
        taken = dict(values)
        try:
            for name, make in _PARTS.items():
                if taken.get(name) is not None:
                    taken[name] = make(dict(taken[name]))
            if taken.get("by_hand") is not None:
                taken["by_hand"] = tuple(taken["by_hand"])
            if "references" in taken:
                taken["references"] = tuple(taken["references"])
            return WorkOptions(**taken)
        except TypeError as error:
            raise ConfigError(Notice("batch.options-unusable", {"why": notice_of(error)})) from error


_FIRST = {
    "WorkOptions": "aligned quality bit_depth max_pixels damage_mask damage_digest on_finding",
    "Controls": "degradation_scale latent_step_decay face_mask_weights keep_grain grain_amount strength refine",
    "RegionWeights": "eye brow nose lip cheek forehead ear hair edge other",
    "Repairs": "scratches balance fringes",
    "Selection": "which min_size max_size most",
    "Enlargement": "",
    "Framing": "",
    "Limits": "min_side min_face max_outside max_yaw max_pitch min_eye min_eye_face min_white max_clipped max_background "
    "max_forehead_glare max_nose_glare max_eye_glare max_edges max_drawing max_gamut refuse ignore",
}
"""What journals have always held, also where it is neutral: a picture's key is made of it."""


def _written(part: object) -> dict[str, Any]:
    """A dataclass's fields: the first ones, and of later ones those that are not neutral."""
    first, neutral = _FIRST[type(part).__name__].split(), type(part)()
    values = {item.name: getattr(part, item.name) for item in fields(cast("Any", part))}
    return {name: value for name, value in values.items() if name in first or value != getattr(neutral, name)}


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
    "face_controls": FaceControls.numbered,
    "repairs": lambda values: Repairs(**values),
    "selection": _selection,
    "framing": lambda values: Framing(**values),
    "enlargement": lambda values: Enlargement(**values),
    "limits": _limits,
    "guard": lambda values: GuardLimits(**values),
}
"""How each part is made from its dictionary."""
