"""Likeness as a node pack for ComfyUI: link or copy this folder into ComfyUI's ``custom_nodes`` (docs/comfyui.md)."""

from __future__ import annotations

# Absolute, as ComfyUI imports this folder under a name of its own.
from likeness.integrations.comfyui.nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
