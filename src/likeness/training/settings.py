"""Training settings from TOML: which network a file trains, and its values, checked."""

from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from likeness.core.spelling import known_and_meant
from likeness.core.tables import read_toml
from likeness.errors import ConfigError
from likeness.messages.notice import Notice
from likeness.training.config import TrainConfig
from likeness.training.enlarger.config import EnlargerTrainConfig

__all__ = ["read_settings"]

_TYPES: dict[str, Any] = {"str": str, "int": int, "float": (int, float), "bool": bool}


def read_settings(path: Path) -> TrainConfig | EnlargerTrainConfig:
    """Read a TOML file; relative paths in it are relative to the current directory.

    ``network = "enlarger"`` in it means an `EnlargerTrainConfig`; a file without the key trains a restorer.

    Raises:
        ConfigError: if it is missing, no TOML, or holds an unknown key or a value of the wrong type.
    """
    values = read_toml(path, what=Notice("training.configuration"))
    kind = EnlargerTrainConfig if "network" in values else TrainConfig
    known = {field.name: field for field in fields(kind)}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(
                Notice("config.unknown-key", {"path": str(path), "key": key, **known_and_meant(key, known)})
            )
        wanted = _TYPES[str(known[key].type)]
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise ConfigError(
                Notice(
                    "training.kind", {"path": str(path), "key": key, "type": str(known[key].type), "value": repr(value)}
                )
            )
    missing = [name for name, field in known.items() if field.default is MISSING and name not in values]
    if missing:
        raise ConfigError(Notice("training.must-be-set", {"path": str(path), "keys": " and ".join(missing)}))
    return kind(**values)
