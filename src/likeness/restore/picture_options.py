"""What the result for a picture depends on, beside the picture and the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from likeness.errors import ConfigError
from likeness.imaging.arguments import finite_number, of_type
from likeness.messages.notice import Notice
from likeness.repair.repairs import Repairs
from likeness.restore.automatic import Automatic
from likeness.restore.config import Settings
from likeness.restore.controls import AUTO, Controls, RegionWeights
from likeness.restore.enlargement import Enlargement
from likeness.restore.face_controls import FaceControls
from likeness.restore.framing import Framing
from likeness.restore.kinds import Option
from likeness.restore.on_bad import OnBad
from likeness.restore.options import OPTIONS
from likeness.restore.selection import Selection

__all__ = ["PictureOptions", "parts_of"]


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """How a picture is restored and written. The command line, a batch, the server and the client add to it what is theirs.

    Attributes:
        framing: how it is turned, straightened and cut.
        controls, face_controls, repairs, selection, aligned, enlargement: see `likeness.Restorer.restore`.
        by_hand: if controls are chosen for each picture (preset "auto"), the names of those that are as ``controls`` has
            them; None if all are.
        trust_references: whether other photographs serve whatever the matcher says of them.
        provenance: whether the result's XMP says that a network has drawn in it.
        quality: 1 to 100, for JPEG, WebP and AVIF; as the picture's file if None.
        bit_depth: of PNG and TIFF; the picture's own if None.
        on_bad: see `likeness.Restorer.restore`; if None, "lower" in batches and jobs, which nobody watches, and else "keep".

    Raises:
        ConfigError: for a value that cannot be used.
    """

    controls: Controls = field(default_factory=Controls)
    by_hand: tuple[str, ...] | None = None
    face_controls: FaceControls = field(default_factory=FaceControls)
    repairs: Repairs = field(default_factory=Repairs)
    framing: Framing = field(default_factory=Framing)
    selection: Selection = field(default_factory=Selection)
    aligned: bool = False
    enlargement: Enlargement = field(default_factory=Enlargement)
    trust_references: bool = False
    provenance: bool = True
    quality: int | None = None
    bit_depth: Literal[8, 16] | None = None
    on_bad: OnBad | None = None

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            of_type(name, getattr(self, name), kind)
        if self.quality is not None and not 1 <= finite_number("quality", self.quality) <= 100:
            raise ConfigError(Notice("option.quality", {"quality": self.quality}))
        if self.bit_depth is not None and finite_number("bit_depth", self.bit_depth) not in (8, 16):
            raise ConfigError(Notice("option.bit-depth", {"bit_depth": self.bit_depth}))
        if self.on_bad not in (None, *get_args(OnBad)):
            raise ConfigError(
                Notice("option.on-bad", {"known": ", ".join(get_args(OnBad)), "on_bad": repr(self.on_bad)})
            )

    @property
    def asked(self) -> Controls | Automatic:
        """What `likeness.Restorer.restore` is to be given as controls."""
        return self.controls if self.by_hand is None else Automatic(own=self.controls, by_hand=self.by_hand)

    def to_settings(self, preset: str | None = None) -> Settings:
        """Settings that come to these options: what differs from the defaults, or from what a preset sets."""
        values: dict[str, Any] = {} if preset is None else {"preset": preset}
        base = PictureOptions(**parts_of(Settings(values)))
        for row in OPTIONS:
            if row.part == "face_controls":
                # Faces count from 1 where they are written.
                if self.face_controls.changes:
                    values[row.key] = self.face_controls.to_numbered()
            elif row.part:
                value, usual = (_held(options, row) for options in (self, base))
                by_hand = row.part == "controls" and row.field_name in (self.by_hand or ())
                if value != usual or by_hand:
                    values[row.key] = _written(value, usual)
        if self.by_hand is not None:
            values["preset"] = AUTO
        return Settings(values)


_KINDS = {
    "controls": Controls,
    "face_controls": FaceControls,
    "repairs": Repairs,
    "framing": Framing,
    "selection": Selection,
    "aligned": bool,
    "enlargement": Enlargement,
    "trust_references": bool,
    "provenance": bool,
}


def parts_of(settings: Settings) -> dict[str, Any]:
    """The fields of `PictureOptions` that settings come to, by name.

    Raises:
        ConfigError, ControlError: for a value that cannot be used.
    """
    chosen = settings.part("selection")
    of_faces = settings.part("face_controls")
    return {
        "controls": settings.controls(),
        "by_hand": settings.by_hand(),
        "face_controls": FaceControls.numbered(of_faces.get("changes", {})),
        "repairs": settings.repairs(),
        "framing": Framing(**settings.part("framing")),
        "selection": Selection.parse(chosen.pop("which", "all"), **chosen),
        "enlargement": Enlargement(**settings.part("enlargement")),
        **settings.part("picture"),
    }


def _held(options: PictureOptions, row: Option) -> Any:
    """What options hold of a row."""
    return getattr(options if row.part == "picture" else getattr(options, row.part), row.field_name)


def _written(value: Any, usual: Any) -> Any:
    """A field's value as settings have it; of the regions' weights those that are not as usual."""
    if isinstance(value, RegionWeights):
        before = usual.to_dict()
        return {region: weight for region, weight in value.to_dict().items() if weight != before[region]}
    # Faces, which count from 1 where they are written.
    return ",".join(str(index + 1) for index in value) if isinstance(value, tuple) else value
