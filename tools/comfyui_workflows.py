"""The example workflows of the ComfyUI nodes, out of what the nodes declare.

    python tools/comfyui_workflows.py

writes ``src/likeness/integrations/comfyui/example_workflows/*.json`` in the form that ComfyUI's canvas opens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from likeness.integrations.comfyui.nodes import NODE_CLASS_MAPPINGS

__all__ = ["FOLDER", "WORKFLOWS", "canvas"]

FOLDER = Path(__file__).resolve().parents[1] / "src/likeness/integrations/comfyui/example_workflows"

_BUILT_IN: Mapping[str, tuple[dict[str, Any], tuple[tuple[str, str], ...]]] = {
    "LoadImage": ({"image": (["portrait.jpg"], {})}, (("IMAGE", "IMAGE"), ("MASK", "MASK"))),
    "SaveImage": ({"images": ("IMAGE", {}), "filename_prefix": ("STRING", {"default": "likeness"})}, ()),
    "PreviewImage": ({"images": ("IMAGE", {})}, ()),
    "MaskPreview": ({"mask": ("MASK", {})}, ()),
    "PreviewAny": ({"source": ("*", {})}, ()),
}
"""Inputs and outputs of ComfyUI's own nodes."""


@dataclass(frozen=True)
class Node:
    """One node of a workflow: its type, its place on the canvas, and what is set: a value, or (node, output)."""

    kind: str
    place: tuple[int, int]
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> dict[str, Any]:
        """Every input as it is declared."""
        if self.kind in _BUILT_IN:
            return _BUILT_IN[self.kind][0]
        declared = NODE_CLASS_MAPPINGS[self.kind].INPUT_TYPES()
        return {**declared["required"], **declared.get("optional", {})}

    @property
    def outputs(self) -> tuple[tuple[str, str], ...]:
        """Names and types."""
        if self.kind in _BUILT_IN:
            return _BUILT_IN[self.kind][1]
        cls = NODE_CLASS_MAPPINGS[self.kind]
        return tuple(zip(cls.RETURN_NAMES, cls.RETURN_TYPES, strict=True))

    def is_widget(self, name: str) -> bool:
        """Whether an input has a widget, rather than a socket only."""
        kind = self.inputs[name][0]
        return isinstance(kind, list) or kind in ("STRING", "INT", "FLOAT", "BOOLEAN")

    def value(self, name: str) -> Any:
        """What the widget of an input shows."""
        kind, told = self.inputs[name]
        if name in self.given:
            return self.given[name]
        return told.get("default", kind[0] if isinstance(kind, list) else None)


WORKFLOWS: Mapping[str, Mapping[str, Node]] = {
    "restore-a-portrait": {
        "photograph": Node("LoadImage", (0, 0)),
        "network": Node("LikenessLoadRestorer", (0, 380)),
        "preset": Node("LikenessPreset", (0, 560), {"preset": "natural"}),
        "restore": Node(
            "LikenessRestoreFaces",
            (360, 0),
            {
                "restorer": ("network", "restorer"),
                "image": ("photograph", "IMAGE"),
                "controls": ("preset", "controls"),
                "upscale": "auto",
            },
        ),
        "save": Node("SaveImage", (760, 0), {"images": ("restore", "image")}),
        "area": Node("MaskPreview", (760, 320), {"mask": ("restore", "mask")}),
        "report": Node("PreviewAny", (760, 620), {"source": ("restore", "report")}),
    },
    "gentle-on-hair-with-evidence": {
        "photograph": Node("LoadImage", (0, 0)),
        "check": Node("LikenessPreflight", (0, 380), {"image": ("photograph", "IMAGE"), "stop": True}),
        "network": Node("LikenessLoadRestorer", (360, 560)),
        "controls": Node("LikenessControls", (360, 0), {"latent_step_decay": 0.05, "keep_grain": True}),
        "regions": Node("LikenessRegions", (720, 0), {"controls": ("controls", "controls"), "hair": 0.5, "eye": 1.3}),
        "restore": Node(
            "LikenessRestoreFaces",
            (1080, 0),
            {
                "restorer": ("network", "restorer"),
                "image": ("check", "image"),
                "controls": ("regions", "controls"),
                "faces": "largest",
            },
        ),
        "evidence": Node(
            "LikenessFaceEvidence", (1440, 0), {"before": ("photograph", "IMAGE"), "after": ("restore", "image")}
        ),
        "save": Node("SaveImage", (1800, 0), {"images": ("restore", "image")}),
        "crops": Node("PreviewImage", (1800, 320), {"images": ("evidence", "crops")}),
        "sentences": Node("PreviewAny", (1800, 620), {"source": ("evidence", "sentences")}),
    },
}
"""The workflows by the names of their files, node by node."""


def canvas(nodes: Mapping[str, Node]) -> dict[str, Any]:
    """A workflow as ComfyUI's canvas keeps it."""
    numbers = {name: number for number, name in enumerate(nodes, 1)}
    links: list[list[Any]] = []
    drawn: list[dict[str, Any]] = []
    for name, node in nodes.items():
        sockets: list[dict[str, Any]] = []
        for key, (kind, _) in node.inputs.items():
            if node.is_widget(key):
                continue
            link = None
            if key in node.given:
                source, output = node.given[key]
                names = [one for one, _ in nodes[source].outputs]
                link = len(links) + 1
                shown = nodes[source].outputs[names.index(output)][1]
                links.append([link, numbers[source], names.index(output), numbers[name], len(sockets), shown])
            sockets.append({"name": key, "type": kind, "link": link})
        drawn.append(
            {
                "id": numbers[name],
                "type": node.kind,
                "pos": list(node.place),
                "size": [320, 60 + 26 * len(node.inputs)],
                "flags": {},
                "order": numbers[name] - 1,
                "mode": 0,
                "inputs": sockets,
                "outputs": [{"name": one, "type": kind, "links": []} for one, kind in node.outputs],
                "properties": {"Node name for S&R": node.kind},
                "widgets_values": [node.value(key) for key in node.inputs if node.is_widget(key)],
            }
        )
    for link, source, output, *_ in links:
        drawn[source - 1]["outputs"][output]["links"].append(link)
    return {
        "last_node_id": len(drawn),
        "last_link_id": len(links),
        "nodes": drawn,
        "links": links,
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def main() -> None:
    for name, nodes in WORKFLOWS.items():
        (FOLDER / f"{name}.json").write_text(f"{json.dumps(canvas(nodes), indent=1)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
