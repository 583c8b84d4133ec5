"""Settings as people write them, and their files: TOML or JSON with the keys of the table of options."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from likeness.core.home import expanded
from likeness.core.tables import keys_once, parse_toml
from likeness.errors import ConfigError, ControlError
from likeness.messages.notice import Notice, notice_of, reason_of
from likeness.repair.repairs import Repairs
from likeness.restore.by_face import ByFace
from likeness.restore.controls import AUTO, PRESET_REPAIRS, Controls
from likeness.restore.kinds import Text, Weights
from likeness.restore.numbering import counted_from_1
from likeness.restore.options import OPTIONS, row_of

__all__ = ["Settings", "parse_settings", "read_settings", "settings_from"]

_LONGEST_GIVEN = 200
"""Characters of a value that a message repeats."""

_EITHER_OR = (("upscale", "long_side"), ("references", "album"))
"""Options that say the same thing in different ways."""


@dataclass(frozen=True)
class Settings:
    """What a configuration file, the command line, a list or a request says, by the keys of the table of options.

    ``model`` is a model's name, or the path of a checkpoint; ``face_mask_weights`` and ``faces`` are as they were written,
    but numbers of faces count from 1 (`counted_from_1`).

    Attributes:
        values: what is said; None says nothing.

    Raises:
        ConfigError: for a key that is none.
    """

    values: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        said = {row_of(key).key: value for key, value in self.values.items() if value is not None}
        if isinstance(faces := said.get("faces"), str):
            # Here, where they are read once: what is made of settings is made of them many times.
            said["faces"] = counted_from_1(faces)
        object.__setattr__(self, "values", said)

    def __getitem__(self, key: str) -> Any:
        """What is said, else None."""
        return self.values.get(row_of(key).key)

    def over(self, other: Settings) -> Settings:
        """``other`` with everything that is set here laid over it; weights region by region, ``all`` first, and what
        single faces have face by face. What says the same thing in another way gives way, too."""
        merged = {**other.values, **self.values}
        for ways in _EITHER_OR:
            if any(key in self.values for key in ways):
                merged = {key: value for key, value in merged.items() if key not in ways or key in self.values}
        for row in OPTIONS:
            own, under = self[row.key], other[row.key]
            if own is None or under is None:
                continue
            if isinstance(row.kind, Weights):
                merged[row.key] = {**({} if "all" in own else under), **own}
            elif isinstance(row.kind, ByFace):
                merged[row.key] = row.kind.joined([under, own])
        return Settings(merged)

    def part(self, name: str) -> dict[str, Any]:
        """What is said of one part of `PictureOptions`, by the names of its fields."""
        return {row.field_name: self.values[row.key] for row in OPTIONS if row.part == name and row.key in self.values}

    def controls(self) -> Controls:
        """The preset (``standard`` if none is set, or "auto") with the controls that are set laid over it.

        Raises:
            ControlError: for an unknown preset or region, or a value outside its range.
        """
        preset = self["preset"]
        base = Controls.standard() if preset in (None, AUTO) else Controls.preset(preset, others=(AUTO,))
        return base.with_changes(self.part("controls"))

    def by_hand(self) -> tuple[str, ...] | None:
        """Names of the controls that are set, where the others are chosen for each picture (preset "auto"); else None."""
        return tuple(sorted(self.part("controls"))) if self["preset"] == AUTO else None

    def repairs(self) -> Repairs:
        """The preset's repairs, mostly none, with those that are set laid over them.

        Raises:
            ControlError: for an amount outside 0 to 1.
        """
        return replace(PRESET_REPAIRS.get(str(self["preset"]), Repairs()), **self.part("repairs"))

    def check_network(self, numbers: Mapping[str, float], model: str | Path) -> None:
        """Hold the numbers of the network that was loaded (`Spec.numbers`) against ``size`` and ``channel_multiplier``.

        Raises:
            ConfigError: if it is another one.
        """
        for name in ("size", "channel_multiplier"):
            wanted, found = self[name], numbers.get(name)
            if wanted is not None and wanted != found:
                has = "none" if found is None else f"{found:g}"
                raise ConfigError(
                    Notice("config.contradicts", {"name": name, "wanted": wanted, "model": str(model), "has": has})
                )

    def check_run(self) -> None:
        """Refuse what cannot be used of the options that a whole run has one of.

        Raises:
            ConfigError: naming the setting.
        """
        for row in OPTIONS:
            value = self[row.key]
            if row.effect == "run" and value is not None and not isinstance(value, Path):
                refusal = row.kind.refusal(value, row.key)
                if refusal is not None:
                    raise ConfigError(refusal)


def read_settings(path: Path) -> Settings:
    """Read a configuration file; ``.toml`` or ``.json`` by its suffix.

    Ranges of the controls are checked by `Settings.controls`, the rest here.

    Raises:
        ConfigError: if the file is missing or damaged, or holds an unknown key or a value of the wrong type.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(Notice("config.unread", {"path": str(path), "why": reason_of(error)})) from error
    return parse_settings(data, name=str(path), folder=path.parent)


def parse_settings(data: bytes, *, name: str, folder: Path) -> Settings:
    """Settings from a file's bytes, TOML or JSON by the suffix of ``name``; files that it names are relative to ``folder``.

    Raises:
        ConfigError: as `read_settings`.
    """
    suffix = Path(name).suffix.lower()
    parsers: dict[str, Callable[[str], Any]] = {
        ".toml": parse_toml,
        ".json": partial(json.loads, object_pairs_hook=keys_once),
    }
    parse = parsers.get(suffix)
    if parse is None:
        raise ConfigError(Notice("config.suffix", {"name": name}))
    try:
        # utf-8-sig: Windows editors put a byte order mark before the text.
        values = parse(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(Notice("config.not-utf8", {"name": name})) from error
    except ValueError as error:  # what the parsers raise
        raise ConfigError(
            Notice("config.not-format", {"name": name, "format": suffix[1:].upper(), "why": notice_of(error)})
        ) from error
    if not isinstance(values, Mapping):
        raise ConfigError(Notice("config.no-table", {"name": name}))
    return settings_from(cast("Mapping[str, Any]", values), name=name, folder=folder)


def settings_from(values: Mapping[str, Any], *, name: str, folder: Path) -> Settings:
    """Settings from keys and values; ``name`` is what messages call their source.

    Raises:
        ConfigError: as `read_settings`.
    """
    settings: dict[str, Any] = {}
    for key, value in values.items():
        try:
            row = row_of(key)
        except ConfigError as error:
            raise ConfigError(Notice("file.named", {"file": name, "reason": notice_of(error)})) from None
        try:
            taken = row.kind.read(value)
        except ControlError as error:
            raise ConfigError(Notice("file.named", {"file": name, "reason": notice_of(error)})) from error
        if taken is None:
            raise ConfigError(
                Notice(
                    "config.refused",
                    {"name": name, "key": key, "wanted": row.kind.wanted, "value": _given(value)},
                )
            )
        if key == "model_path":
            key, taken = "model", _model_file(name, folder, Path(taken))
        elif isinstance(row.kind, Text) and row.kind.file:
            taken = tuple(folder / expanded(one) for one in taken) if row.kind.several else folder / expanded(taken)
        if key in settings:
            raise ConfigError(Notice("config.two-models", {"name": name}))
        settings[key] = taken
    return Settings(settings)


def _given(value: Any) -> str:
    """A value as a message repeats it: as JSON, and not without end."""
    text = json.dumps(value, default=str)
    return text if len(text) <= _LONGEST_GIVEN else f"{text[: _LONGEST_GIVEN - 1]}…"


def _model_file(name: str, folder: Path, named: Path) -> Path:
    found = folder / expanded(named)
    if not found.is_file():
        raise ConfigError(Notice("config.no-model-file", {"name": name, "found": str(found)}))
    return found
