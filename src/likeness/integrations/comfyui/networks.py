"""Which networks a node may be set to, and which files they are: those of Likeness, and those in ComfyUI's folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from likeness.integrations.comfyui.host import model_files
from likeness.models.store import Store

__all__ = ["Purpose", "network", "network_names"]

Purpose: TypeAlias = Literal["restore", "enlarge"]

_FOLDERS: Mapping[Purpose, str] = {"restore": "facerestore_models", "enlarge": "upscale_models"}
"""Among ComfyUI's models. The first is that of other packs of nodes that restore faces."""


def network_names(purpose: Purpose) -> list[str]:
    """The networks on this machine; that a file of ComfyUI's is none that Likeness runs is told when it is loaded."""
    own = [model.name for model in Store().list() if model.purpose == purpose and model.path is not None]
    return [*own, *model_files(_FOLDERS[purpose])]


def network(purpose: Purpose, name: str) -> str | Path:
    """The network of a name as Likeness takes it: the file if it is one of ComfyUI's, else the name."""
    return model_files(_FOLDERS[purpose]).get(name, name)
