"""Likeness as a node pack for ComfyUI: link or copy this folder into ComfyUI's ``custom_nodes`` (docs/comfyui.md)."""

from __future__ import annotations

import sys

if __name__ == "likeness":
    # Older ComfyUIs call a pack by its folder's name, and then it stands where the library of that name has to be found.
    del sys.modules[__name__]

# Absolute, as ComfyUI imports this folder under a name of its own.
from likeness.integrations.comfyui.nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
