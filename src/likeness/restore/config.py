"""Settings as people write them, and their files: TOML or JSON with the keys of the field reports, and ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from likeness.core.home import expanded
from likeness.core.tables import parse_toml
from likeness.errors import ConfigError
from likeness.repair.repairs import Repairs
from likeness.restore.controls import Controls

if TYPE_CHECKING:
    from likeness.restore.selection import Selection

__all__ = ["KEYS", "Settings", "parse_settings", "read_settings", "settings_from"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a configuration file, or the command line, says; None where it says nothing.

    Attributes:
        model: a model's name (``model`` in a file), or a checkpoint file (``model_path``, relative to the configuration
            file's folder).
        size, channel_multiplier: what the loaded model must be; checked, never assumed.
        preset: base of the controls.
        degradation_scale, latent_step_decay, face_mask_weights, keep_grain, grain_amount, strength, refine: laid over the
            preset; see `likeness.Controls`.
        mend_scratches, balance, defringe: amounts of the repairs, see `likeness.Repairs`; in a file also true or false.
        damage_mask: a picture that is white where the one picture to restore holds nothing; relative to the configuration
            file's folder.
        faces, min_face, max_face: see `likeness.Selection`; in a file ``faces`` may also be a number or a list of them.
        aligned, copy_unrestored, device, precision, threads, quality, bit_depth, max_pixels: as the flags of
            ``likeness restore``.
    """

    model: str | Path | None = None
    size: int | None = None
    channel_multiplier: float | None = None
    preset: str | None = None
    degradation_scale: float | None = None
    latent_step_decay: float | None = None
    face_mask_weights: Mapping[str, float] | None = None
    keep_grain: bool | None = None
    grain_amount: float | None = None
    strength: float | None = None
    refine: int | None = None
    mend_scratches: float | None = None
    balance: float | None = None
    defringe: float | None = None
    damage_mask: Path | None = None
    faces: str | None = None
    min_face: float | None = None
    max_face: float | None = None
    aligned: bool | None = None
    copy_unrestored: bool | None = None
    device: str | None = None
    precision: str | None = None
    threads: int | None = None
    quality: int | None = None
    bit_depth: int | None = None
    max_pixels: int | None = None

    def over(self, other: Settings) -> Settings:
        """``other`` with everything that is set here laid over it; weights region by region, ``all`` first."""
        merged = {
            field.name: getattr(other, field.name) if getattr(self, field.name) is None else getattr(self, field.name)
            for field in fields(Settings)
        }
        if self.face_mask_weights is not None and other.face_mask_weights is not None:
            kept = {} if "all" in self.face_mask_weights else other.face_mask_weights
            merged["face_mask_weights"] = {**kept, **self.face_mask_weights}
        return Settings(**merged)

    def controls(self) -> Controls:
        """The preset (``standard`` if none is set) with the controls that are set laid over it.

        Raises:
            ControlError: for an unknown preset or region, or a value outside its range.
        """
        own = {field.name: getattr(self, field.name) for field in fields(Controls) if field.name != "face_mask_weights"}
        controls = Controls.preset(self.preset or "standard")
        controls = replace(controls, **{name: value for name, value in own.items() if value is not None})
        return controls if self.face_mask_weights is None else controls.with_weights(self.face_mask_weights)

    def check_network(self, numbers: Mapping[str, float], model: str | Path) -> None:
        """Hold the numbers of the network that was loaded (`Spec.numbers`) against ``size`` and ``channel_multiplier``.

        Raises:
            ConfigError: if it is another one.
        """
        for name, wanted in (("size", self.size), ("channel_multiplier", self.channel_multiplier)):
            found = numbers.get(name)
            if wanted is not None and wanted != found:
                has = "none" if found is None else f"{found:g}"
                raise ConfigError(
                    f"the configuration says {name} = {wanted:g}, but the model {model} has {has}; correct it or leave it "
                    "out"
                )

    def repairs(self) -> Repairs:
        """The repairs that are set; off where nothing is.

        Raises:
            ControlError: for an amount outside 0 to 1.
        """
        return Repairs(scratches=self.mend_scratches or 0.0, balance=self.balance or 0.0, fringes=self.defringe or 0.0)

    def selection(self) -> Selection:
        """The faces that are chosen; all where nothing is said.

        Raises:
            ConfigError: for a choice that is none.
        """
        # Here and not at the top: it loads NumPy, which a command's --help can do without.
        from likeness.restore.selection import Selection

        return Selection.parse(self.faces or "all", min_size=self.min_face or 0.0, max_size=self.max_face)

    def check_ranges(self) -> None:
        """Refuse what neither `controls` nor `repairs` nor `selection` looks at.

        Raises:
            ConfigError: naming the setting.
        """
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise ConfigError(f"quality must be 1 to 100, not {self.quality}")
        if self.bit_depth not in (None, 8, 16):
            raise ConfigError(f"bit_depth must be 8 or 16, not {self.bit_depth}")
        for name, value in (("threads", self.threads), ("max_pixels", self.max_pixels)):
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, not {value}")


def read_settings(path: Path) -> Settings:
    """Read a configuration file; ``.toml`` or ``.json`` by its suffix.

    Ranges of the controls are checked by `Settings.controls`, the rest here.

    Raises:
        ConfigError: if the file is missing or damaged, or holds an unknown key or a value of the wrong type.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: the configuration file cannot be read ({error.strerror})") from error
    return parse_settings(data, name=str(path), folder=path.parent)


def parse_settings(data: bytes, *, name: str, folder: Path) -> Settings:
    """Settings from a file's bytes, TOML or JSON by the suffix of ``name``; files that it names are relative to ``folder``.

    Raises:
        ConfigError: as `read_settings`.
    """
    suffix = Path(name).suffix.lower()
    parsers: dict[str, Callable[[str], Any]] = {".toml": parse_toml, ".json": json.loads}
    parse = parsers.get(suffix)
    if parse is None:
        raise ConfigError(f"{name}: a configuration file ends in .toml or .json; rename it to what it is")
    try:
        # utf-8-sig: Windows editors put a byte order mark before the text.
        values = parse(data.decode("utf-8-sig"))
    except ValueError as error:  # the parsers' errors and UnicodeDecodeError are ValueErrors
        raise ConfigError(f"{name} is not {suffix[1:].upper()}: {error}") from error
    if not isinstance(values, Mapping):
        raise ConfigError(f"{name} must hold a table of settings at its top level")
    return settings_from(cast("Mapping[str, Any]", values), name=name, folder=folder)


def settings_from(values: Mapping[str, Any], *, name: str, folder: Path) -> Settings:
    """Settings from keys and values; ``name`` is what messages call their source.

    Raises:
        ConfigError: as `read_settings`.
    """
    settings: dict[str, Any] = {}
    for key, value in values.items():
        if key not in KEYS:
            raise ConfigError(f'{name}: unknown key "{key}"; known are {", ".join(KEYS)}')
        what, read = KEYS[key]
        taken = read(value)
        if taken is None:
            raise ConfigError(f"{name}: {key} must be {what}, not {json.dumps(value, default=str)}")
        if key == "model_path":
            key, taken = "model", _model_file(name, folder, Path(taken))
        if key == "damage_mask":
            taken = folder / expanded(taken)
        if key in settings:
            raise ConfigError(f"{name}: model and model_path name two models; keep one")
        settings[key] = taken
    return Settings(**settings)


def _model_file(name: str, folder: Path, named: Path) -> Path:
    found = folder / expanded(named)
    if not found.is_file():
        raise ConfigError(f'{name}: model_path names {found}, which is no file; use "model" for a model\'s name')
    return found


# Readers return None for a value of the wrong kind; no setting is None itself, as neither TOML nor we have null.


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _amount(value: Any) -> float | None:
    return float(value) if isinstance(value, bool) else _number(value)


def _weights(value: Any) -> dict[str, float] | None:
    if not isinstance(value, dict):
        return None
    weights = {str(key): _number(weight) for key, weight in cast("dict[object, object]", value).items()}
    numbers = {key: weight for key, weight in weights.items() if weight is not None}
    return numbers if len(numbers) == len(weights) else None


def _faces(value: Any) -> str | None:
    if isinstance(value, list):
        numbers = [_whole(number) for number in cast("list[object]", value)]
        return ",".join(map(str, numbers)) if numbers and None not in numbers else None
    number = _whole(value)
    return _text(value) if number is None else str(number)


def _one_of(*words: str) -> tuple[str, Callable[[Any], str | None]]:
    def read(value: Any) -> str | None:
        return value if value in words else None

    return " or ".join(f'"{word}"' for word in words), read


KEYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "model_path": ("the name of a checkpoint file", _text),
    "model": ("a model's name", _text),
    "size": ("a whole number", _whole),
    "channel_multiplier": ("a number", _number),
    "preset": ("a preset's name", _text),
    "degradation_scale": ("a number", _number),
    "latent_step_decay": ("a number", _number),
    "face_mask_weights": ("a table of regions and numbers, such as { eye = 1.3 }", _weights),
    "keep_grain": ("true or false", _flag),
    "grain_amount": ("a number", _number),
    "strength": ("a number", _number),
    "refine": ("a whole number", _whole),
    "mend_scratches": ("a number from 0 to 1, or true or false", _amount),
    "balance": ("a number from 0 to 1, or true or false", _amount),
    "defringe": ("a number from 0 to 1, or true or false", _amount),
    "damage_mask": ("the name of a picture file", _text),
    "faces": ('"all", "largest", "centre", a number or a list of numbers', _faces),
    "min_face": ("a number of pixels", _number),
    "max_face": ("a number of pixels", _number),
    "aligned": ("true or false", _flag),
    "copy_unrestored": ("true or false", _flag),
    "device": _one_of("auto", "cpu", "cuda"),
    "precision": _one_of("auto", "f32", "bf16"),
    "threads": ("a whole number", _whole),
    "quality": ("a whole number from 1 to 100", _whole),
    "bit_depth": ("8 or 16", _whole),
    "max_pixels": ("a whole number", _whole),
}
"""Every key of a file: what its value must be, and the function that takes it (None: it is not that)."""
