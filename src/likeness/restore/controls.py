"""The controls: how strongly a portrait is restored, where, and what is kept. With the presets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from likeness.core.spelling import did_you_mean, known_and_meant
from likeness.errors import ArgumentError, ControlError
from likeness.messages.notice import Notice
from likeness.repair.repairs import Repairs
from likeness.restore.kinds import Number, Switch, Weights, Words, option, rows_of

__all__ = ["AUTO", "BESIDE_PRESETS", "PRESETS", "PRESET_REPAIRS", "Controls", "RegionWeights"]

AUTO = "auto"
"""What stands in a preset's place where controls are chosen for each photograph (`likeness.restore.automatic`)."""


_WEIGHT = Number(low=0.0, high=2.0, step=0.05)

_REGIONS = {
    "eye": Words("Eyes", "眼睛"),
    "brow": Words("Brows", "眉毛"),
    "nose": Words("Nose", "鼻子"),
    "lip": Words("Lips", "嘴唇"),
    "cheek": Words("Cheeks", "脸颊"),
    "forehead": Words("Forehead", "额头"),
    "ear": Words("Ears", "耳朵"),
    "hair": Words("Hair", "头发"),
    "beard": Words("Beard", "胡须"),
    "glasses": Words("Spectacles", "眼镜"),
    "neck": Words("Neck", "颈部"),
    "edge": Words("Contour", "轮廓"),
    "occluder": Words("In front of the face", "遮挡物"),
    "other": Words("Rest", "其余"),
}


@dataclass(frozen=True, kw_only=True)
class RegionWeights:
    """``face_mask_weights``: the priority of each region of the face, 0 to 2 each; 0 leaves a region as it is.

    What lies in front of a face (``occluder``) is none of it: a network would draw a face there, so it stays as it is unless
    its weight is given.

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
    beard: float = 1.0
    glasses: float = 1.0
    neck: float = 1.0
    edge: float = 1.0
    occluder: float = 0.0
    other: float = 1.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if (refusal := _WEIGHT.refusal(value, f"face weight {name}")) is not None:
                raise ControlError(refusal)

    @staticmethod
    def of(weights: Mapping[str, float]) -> RegionWeights:
        """From region names to weights; ``all`` sets every region of the face that is not named
        itself.

        Raises:
            ControlError: for an unknown region or a value outside 0 to 2.
        """
        given: object = weights
        if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ControlError(Notice("control.weights-kind", {"kind": type(given).__name__}))
        known = [region.name for region in fields(RegionWeights)]
        for name in weights:
            if name not in known and name != "all":
                meant = did_you_mean(str(name), [*known, "all"])
                values = {"name": str(name), "meant": meant, "known": ", ".join(known)}
                raise ControlError(Notice("control.unknown-region", values))
        named = dict(weights)
        everywhere = named.pop("all", None)
        if everywhere is not None:
            named = {name: everywhere for name in known if name != "occluder"} | named
        return RegionWeights(**named)

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    def __repr__(self) -> str:
        return _short(self)


@dataclass(frozen=True, kw_only=True)
class Controls:
    """What a retoucher sets. The defaults are the preset ``standard``.

    >>> Controls(latent_step_decay=0.04).with_weights({"eye": 1.3})
    Controls(latent_step_decay=0.04, face_mask_weights=RegionWeights(eye=1.3))

    Each field is a row of the table of options (`likeness.restore.options`) and says its range and what it does; a control
    is added here, and is then known to the command line, files, lists, requests, the page and the documents.

    Raises:
        ControlError: for a value outside its range; the message holds the range.
    """

    strength: float = option(
        Number(low=0.0, high=1.0),
        default=1.0,
        label=Words("Strength", "增强强度"),
        text=Words("opacity of the whole change", "整体变化的不透明度，0 即原图"),
    )
    degradation_scale: float = option(
        Number(low=0.3, high=1.2, off=True, step=0.05),
        default=1.0,
        label=Words("Redrawing", "重绘程度"),
        text=Words(
            "texture that the network draws itself; lower keeps more of the photograph's own",
            "由网络补画的纹理，越低越忠于原图",
        ),
        projects=True,
        short="degradation",
    )
    latent_step_decay: float = option(
        Number(low=0.005, high=0.1, useful=(0.02, 0.1), step=0.001),
        default=0.1,
        label=Words("Retouching", "精修程度"),
        text=Words(
            "how far toward the sharp face it goes; smaller keeps wrinkles", "向清晰人脸靠近的幅度，越小越保留皱纹"
        ),
        short="step",
    )
    face_mask_weights: RegionWeights = option(
        Weights(each=_WEIGHT, regions=_REGIONS),
        default=RegionWeights(),
        label=Words("Regions", "区域"),
        text=Words(
            "how much each region follows; 0 leaves it as it is, all sets the whole face",
            "各区域跟随的程度，0 保持原样，all 设置整张脸",
        ),
        place="regions",
        flag="--face-weight",
    )
    keep_grain: bool = option(
        Switch(),
        default=False,
        label=Words("Keep the grain", "保留颗粒"),
        text=Words("the photograph's own grain, back on restored skin", "把照片自身的颗粒铺回修复后的皮肤"),
        place="grain",
        short="grain",
    )
    grain_amount: float = option(
        Number(low=0.0, high=2.0, step=0.05),
        default=1.0,
        label=Words("Amount", "颗粒量"),
        text=Words("how much grain, where it is kept; 1 gives back what was taken", "保留颗粒时的用量，1 为原有的量"),
        place="grain",
    )
    features: float = option(
        Number(low=0.0, high=1.0),
        default=1.0,
        label=Words("Lost features", "丢失的五官"),
        text=Words(
            "how far a face is drawn anew where the photograph is too blurred to show it; a guess",
            "照片过于模糊时，面部重新绘制的程度（属于推测）",
        ),
        place="advanced",
        projects=True,
    )
    refine: int = option(
        Number(low=1, high=8, whole=True, step=1),
        default=1,
        label=Words("Rounds", "迭代轮数"),
        text=Words("how often the network looks at a face", "让网络计算几次"),
        place="advanced",
        projects=True,
    )
    plain: bool = option(
        Switch(),
        default=False,
        label=Words("Plain network", "原样网络"),
        text=Words(
            "the network as its authors run it: their alignment, its whole answer, hair and neck laid on as well",
            "按网络作者的做法：用其对齐方式，完整采用网络的结果，头发与颈部一并贴回",
        ),
        place="advanced",
        projects=True,
    )
    reference_strength: float = option(
        Number(low=0.0, high=1.0),
        default=1.0,
        label=Words("References", "参考照片"),
        text=Words(
            "how much other photographs of the person may give, where there are any",
            "有本人的其他照片时，它们可以提供多少细节",
        ),
        group="references",
        place="references",
        short="references",
    )

    def __post_init__(self) -> None:
        weights: object = self.face_mask_weights
        if not isinstance(weights, RegionWeights):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ControlError(Notice("control.weights", {"kind": type(weights).__name__}))
        for row in rows_of(Controls):
            if not isinstance(row.kind, Weights):
                row.check(getattr(self, row.key))

    def __repr__(self) -> str:
        return _short(self)

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """What to tell the user about these values, one sentence each."""
        found: list[Notice] = []
        if self.degradation_scale > 1.1:
            found.append(Notice("control.degradation-high", {"value": self.degradation_scale}))
        if self.latent_step_decay < 0.02:
            found.append(Notice("control.step-small", {"value": self.latent_step_decay}))
        if self.refine > 1:
            found.append(Notice("control.refine", {"value": self.refine}))
        return tuple(found)

    def with_changes(self, changes: Mapping[str, Any]) -> Controls:
        """These controls with some set to other values, by their names; of the regions' weights those that are named.

        Raises:
            ControlError: for a value outside its range, or an unknown region.
        """
        others = {key: value for key, value in changes.items() if key != "face_mask_weights"}
        return replace(self, **others).with_weights(changes.get("face_mask_weights", {}))

    def with_preset(self, name: str) -> Controls:
        """What a preset sets, with what none does as it is here.

        Raises:
            ControlError: if there is no such preset.
        """
        return replace(Controls.preset(name), **{key: getattr(self, key) for key in BESIDE_PRESETS})

    def with_weights(self, weights: Mapping[str, float]) -> Controls:
        """These controls with some regions' weights changed; ``all`` sets every one first."""
        RegionWeights.of(weights)  # refuses what is no dictionary of weights
        current = {} if "all" in weights else self.face_mask_weights.to_dict()
        return replace(self, face_mask_weights=RegionWeights.of({**current, **weights}))

    @property
    def preset_name(self) -> str:
        """Name of the preset that these are, whatever `BESIDE_PRESETS` are set to; "" if they are none's."""
        return next((name for name in PRESETS if self.with_preset(name) == self), "")

    @staticmethod
    def preset(name: str, *, others: Sequence[str] = ()) -> Controls:
        """The preset called ``name``.

        Args:
            name: which.
            others: what else the caller takes in its place, such as `AUTO`; told with the presets where there is none.

        Raises:
            ControlError: if there is none; the message lists them.
        """
        if not isinstance(name, str) or name not in PRESETS:  # pyright: ignore[reportUnnecessaryIsInstance]
            known = (*PRESETS, *others)
            values = {"name": str(name), **known_and_meant(str(name), known)}
            raise ControlError(Notice("control.unknown-preset", values))
        return PRESETS[name]

    @staticmethod
    def of(given: Controls | str | None) -> Controls:
        """These controls, the preset of that name, or `standard` for None.

        Raises:
            ControlError: if there is no such preset.
            ArgumentError: if it is something else.

        >>> Controls.of("natural").latent_step_decay
        0.04
        """
        if given is None:
            return Controls.standard()
        if isinstance(given, str):
            return Controls.preset(given)
        if not isinstance(given, Controls):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"controls must be Controls or the name of a preset, not {type(given).__name__}")
        return given

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

    @staticmethod
    def as_published() -> Controls:
        """The preset ``plain``: any network as its own authors show it."""
        return PRESETS["plain"]


def _short(values: RegionWeights | Controls) -> str:
    """What differs from the defaults, as it would be written."""
    told = [
        f"{item.name}={value!r}" for item in fields(values) if (value := getattr(values, item.name)) != item.default
    ]
    return f"{type(values).__name__}({', '.join(told)})"


BESIDE_PRESETS = ("strength", "grain_amount", "features", "refine", "reference_strength")
"""Controls that do not make a preset another one."""

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
    "plain": Controls(degradation_scale=0, plain=True),
}
"""From field reports (design, section 1); the last shows any network as its authors do."""

PRESET_REPAIRS: dict[str, Repairs] = {"film-scan": Repairs(scratches=1.0, sensitivity=0.0, balance=0.8, screen=1.0)}
"""What a preset repairs in the whole picture unless it is told otherwise: who names the one for yellowed scans has said what
is the matter. A fifth of a print's tint stays, as it may have been meant. Only what surely is a scratch or dust is mended
unasked: at a sensitivity of 0.3 seams of lapels and rims of spectacles were taken for some now and then."""
