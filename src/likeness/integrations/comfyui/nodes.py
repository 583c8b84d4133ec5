"""The nodes. What a node takes is made from the table of options; ComfyUI reads the upper-case names of its classes.

See https://docs.comfy.org/custom-nodes/backend/server_overview for what ComfyUI expects of a node.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from likeness.core.hashing import sha256_of_bytes
from likeness.errors import ConfigError, ImageReadError
from likeness.evidence.inspection import Inspector
from likeness.faces.detect import MediaPipeDetector
from likeness.faces.face import reading_order
from likeness.faces.findings import CODES, Limits, picture_status
from likeness.faces.preflight import preflight
from likeness.imaging.image import Image, Pixels
from likeness.integrations.comfyui.host import COMFYUIS, chosen_device, each, stopping
from likeness.integrations.comfyui.networks import network, network_names
from likeness.integrations.comfyui.restoring import restored, same_for_all
from likeness.integrations.comfyui.tensors import images_of, mask_batch, masks_of, picture_batch, pixel_batch
from likeness.integrations.comfyui.widgets import (
    Input,
    input_of,
    inputs_of,
    region_inputs,
    region_settings,
    settings_of,
)
from likeness.messages.notice import Notice
from likeness.models.catalog import DEFAULT_MODEL
from likeness.reference.references import References, reference_files
from likeness.restore.config import Settings
from likeness.restore.controls import Controls
from likeness.restore.enlargement import BACKGROUNDS
from likeness.restore.kinds import Choice, Weights, rows_of
from likeness.restore.options import OPTIONS, row_of
from likeness.restore.picture_options import PictureOptions, parts_of
from likeness.restore.pipeline import Restorer

if TYPE_CHECKING:
    import torch

__all__ = [
    "NODE_CLASS_MAPPINGS",
    "NODE_DISPLAY_NAME_MAPPINGS",
    "FaceEvidence",
    "LoadRestorer",
    "MakeReferences",
    "Preflight",
    "Preset",
    "Regions",
    "RestoreFaces",
    "SetControls",
]

_CATEGORY = "Likeness"
_RESTORER, _CONTROLS, _REFERENCES = "LIKENESS_RESTORER", "LIKENESS_CONTROLS", "LIKENESS_REFERENCES"
"""Types of our own; a link joins equal ones only."""

_CONTROL_KEYS = tuple(row.key for row in rows_of(Controls) if not isinstance(row.kind, Weights))
_PICTURE_KEYS = tuple(
    row.key
    for row in OPTIONS
    if row.part in ("repairs", "selection", "enlargement", "picture")
    and row.effect in ("face", "picture")
    and "request" in row.given
    and row.key != "trust_references"  # of the node that makes references
)
_LIMITS = {
    "min_side": "least short side of the picture, px",
    "min_face": "least width of a face, px",
    "max_yaw": "most turn of a face to a side, degrees",
}


class LoadRestorer:
    """The network, kept for every node that is joined to it."""

    CATEGORY: ClassVar = _CATEGORY
    DESCRIPTION: ClassVar = "Load a face-restoring network."
    FUNCTION: ClassVar = "load"
    RETURN_TYPES: ClassVar = (_RESTORER,)
    RETURN_NAMES: ClassVar = ("restorer",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Input]]:  # noqa: N802 (ComfyUI's name)
        devices = row_of("device").kind
        assert isinstance(devices, Choice)
        told = {"tooltip": f"{COMFYUIS}: the one that it works on itself", "default": COMFYUIS}
        return {
            "required": {
                "model": (network_names("restore"), {"default": DEFAULT_MODEL, "tooltip": row_of("model").sentence}),
                "device": ([COMFYUIS, *map(str, devices.values)], told),
                **inputs_of(("runtime", "precision")),
            }
        }

    def load(self, model: str, device: str, runtime: Any, precision: Any) -> tuple[Restorer]:
        """The node's work."""
        named = network("restore", model)
        return (Restorer(named, device=chosen_device(device), runtime=runtime, precision=precision),)


class Preset:
    """A preset's controls."""

    CATEGORY: ClassVar = _CATEGORY
    DESCRIPTION: ClassVar = "The controls of a preset."
    FUNCTION: ClassVar = "make"
    RETURN_TYPES: ClassVar = (_CONTROLS,)
    RETURN_NAMES: ClassVar = ("controls",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Input]]:  # noqa: N802
        return {"required": inputs_of(("preset",))}

    def make(self, preset: str) -> tuple[Settings]:
        """The node's work."""
        return (settings_of({"preset": preset}),)


class SetControls:
    """Every control but the regions'."""

    CATEGORY: ClassVar = _CATEGORY
    DESCRIPTION: ClassVar = "How much is restored and what is kept, control by control."
    FUNCTION: ClassVar = "make"
    RETURN_TYPES: ClassVar = (_CONTROLS,)
    RETURN_NAMES: ClassVar = ("controls",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Input]]:  # noqa: N802
        return {"required": inputs_of(_CONTROL_KEYS)}

    def make(self, **values: Any) -> tuple[Settings]:  # by the keys of the table
        """The node's work."""
        settings = settings_of(values)
        settings.controls()  # so that a value out of range is told of by this node
        return (settings,)


class Regions:
    """Weights of the face's regions, laid over other controls."""

    CATEGORY: ClassVar = _CATEGORY
    DESCRIPTION: ClassVar = (
        "How much each region of the face is restored: 0 leaves it as it is, 1 as the controls say, 2 more."
    )
    FUNCTION: ClassVar = "make"
    RETURN_TYPES: ClassVar = (_CONTROLS,)
    RETURN_NAMES: ClassVar = ("controls",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:  # noqa: N802
        return {"required": region_inputs(), "optional": {"controls": (_CONTROLS, {})}}

    def make(self, controls: Settings | None = None, **weights: float) -> tuple[Settings]:  # by regions
        """The node's work."""
        settings = region_settings(weights).over(controls or Settings())
        settings.controls()
        return (settings,)


class MakeReferences:
    """Other photographs of the same persons."""

    CATEGORY: ClassVar = _CATEGORY
    DESCRIPTION: ClassVar = "Other photographs of the same persons, which lend their detail to the faces that they fit."
    FUNCTION: ClassVar = "make"
    RETURN_TYPES: ClassVar = (_REFERENCES,)
    RETURN_NAMES: ClassVar = ("references",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:  # noqa: N802
        return {
            "required": {
                "folder": (
                    "STRING",
                    {"default": "", "tooltip": "an album: a folder of photographs, on ComfyUI's machine"},
                ),
                **inputs_of(("trust_references",)),
            },
            "optional": {"photographs": ("IMAGE", {})},
        }

    @classmethod
    def IS_CHANGED(cls, folder: str, **_others: Any) -> str:  # noqa: N802
        """What becomes another text once other photographs lie in the folder: ComfyUI works anew then."""
        if not folder:
            return ""
        try:
            files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in reference_files(folder)]
        except (ImageReadError, OSError):
            return ""  # the work itself says what is wrong
        return sha256_of_bytes(repr(files).encode())

    def make(self, folder: str, trust_references: bool, photographs: torch.Tensor | None = None) -> tuple[References]:
        """The node's work.

        Raises:
            LikenessError: if there is neither a photograph nor a folder with one.
        """
        images = [] if photographs is None else images_of(photographs)
        return (References([*images, *([folder] if folder else [])], trusted=trust_references),)


class RestoreFaces:
    """The faces of every picture restored."""

    CATEGORY: ClassVar = _CATEGORY
    DESCRIPTION: ClassVar = (
        "Restore the faces of pictures and lay them back; everything else stays as it is, unless enlarged."
    )
    FUNCTION: ClassVar = "restore"
    RETURN_TYPES: ClassVar = ("IMAGE", "MASK", "STRING")
    RETURN_NAMES: ClassVar = ("image", "mask", "report")
    OUTPUT_TOOLTIPS: ClassVar = (
        "the restored pictures, in their order",
        "where restored faces were laid on",
        "what was done to each face, as JSON",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:  # noqa: N802
        return {
            "required": {
                "restorer": (_RESTORER, {}),
                "image": ("IMAGE", {}),
                **inputs_of([key for key in _PICTURE_KEYS if key != "background"]),
                "background": input_of(row_of("background"), choices=(*BACKGROUNDS, *network_names("enlarge"))),
                **inputs_of(("copy_unrestored",)),
            },
            "optional": {
                "controls": (
                    _CONTROLS,
                    {"tooltip": "a preset's or one's own; without any those of the preset standard"},
                ),
                "references": (_REFERENCES, {}),
                "damage": ("MASK", {"tooltip": row_of("damage_mask").sentence}),
            },
        }

    def restore(
        self,
        restorer: Restorer,
        image: torch.Tensor,
        copy_unrestored: bool,
        controls: Settings | None = None,
        references: References | None = None,
        damage: torch.Tensor | None = None,
        **values: Any,  # by the keys of the table
    ) -> tuple[torch.Tensor, torch.Tensor, str]:
        """The node's work.

        Raises:
            LikenessError: if a picture cannot be restored, such as one without a face unless ``copy_unrestored``.
        """
        values["background"] = str(network("enlarge", values["background"]))
        options = PictureOptions(**parts_of(settings_of(values).over(controls or Settings())))
        images = images_of(image)
        damages = [None] * len(images) if damage is None else masks_of(damage, images)
        with stopping():
            options = same_for_all(restorer, images, options)
            done = [
                restored(restorer, one, mask, references, options, copy_unrestored, number, tell)
                for number, ((one, mask), tell) in enumerate(each(list(zip(images, damages, strict=True))))
            ]
        report = [record.to_dict() for _, _, record in done]
        return (
            picture_batch([picture for picture, _, _ in done]),
            mask_batch([area for _, area, _ in done]),
            json.dumps(report, ensure_ascii=False, indent=1),
        )


class FaceEvidence:
    """What a restoration did to each face, in figures."""

    CATEGORY: ClassVar = _CATEGORY
    DESCRIPTION: ClassVar = "Measure what a restoration, by any nodes, did to each face."
    FUNCTION: ClassVar = "measure"
    RETURN_TYPES: ClassVar = ("STRING", "STRING", "IMAGE", "STRING")
    RETURN_NAMES: ClassVar = ("verdict", "sentences", "crops", "report")
    OUTPUT_TOOLTIPS: ClassVar = (
        "the heaviest verdict of all pictures: none, good, look or bad",
        "what a person should know, a line each",
        "before and after, side by side, a picture for each face",
        "every figure, as JSON",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:  # noqa: N802
        return {"required": {"before": ("IMAGE", {}), "after": ("IMAGE", {})}}

    def measure(self, before: torch.Tensor, after: torch.Tensor) -> tuple[str, str, torch.Tensor, str]:
        """The node's work.

        Raises:
            ConfigError: if there are not as many pictures after as before.
            LikenessError: if a pair does not fit, or shows no face.
        """
        pairs = list(zip(*_paired(images_of(before), images_of(after)), strict=True))
        inspector = Inspector()
        with stopping():
            found = [inspector.inspect(was, became) for (was, became), _ in each(pairs)]
        verdicts = ("none", "good", "look", "bad")
        heaviest = max((one.verdict for one in found), key=verdicts.index)
        sentences = [
            f"picture {number}, face {face.index + 1}: {figure.sentence}"
            for number, one in enumerate(found)
            for face in one.faces
            for figure in face.figures
            if figure.verdict in ("look", "bad")
        ]
        crops: list[Pixels] = [np.hstack([face.before, face.after]) for one in found for face in one.faces]
        report = [one.to_dict() for one in found]
        return heaviest, "\n".join(sentences), pixel_batch(crops), json.dumps(report, ensure_ascii=False, indent=1)


class Preflight:
    """What is the matter with pictures, before any work."""

    CATEGORY: ClassVar = _CATEGORY
    DESCRIPTION: ClassVar = "Say what is the matter with pictures before any work: size, pose, eyes, light, drawings."
    FUNCTION: ClassVar = "look"
    RETURN_TYPES: ClassVar = ("IMAGE", "BOOLEAN", "STRING", "STRING")
    RETURN_NAMES: ClassVar = ("image", "fine", "sentences", "report")
    OUTPUT_TOOLTIPS: ClassVar = (
        "the pictures as they came",
        "whether none is refused",
        "what is the matter, a line each",
        "every finding, as JSON",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:  # noqa: N802
        usual = asdict(Limits())
        codes = ", ".join(CODES)
        return {
            "required": {
                "image": ("IMAGE", {}),
                **{
                    name: ("FLOAT", {"default": float(usual[name]), "min": 0.0, "max": 10_000.0, "tooltip": words})
                    for name, words in _LIMITS.items()
                },
                "refuse": ("STRING", {"default": "", "tooltip": f"findings to refuse as well, with commas: {codes}"}),
                "ignore": ("STRING", {"default": "", "tooltip": "findings to leave out, with commas"}),
                "stop": ("BOOLEAN", {"default": False, "tooltip": "end the workflow if a picture is refused"}),
            }
        }

    def look(
        self, image: torch.Tensor, refuse: str, ignore: str, stop: bool, **limits: float
    ) -> tuple[torch.Tensor, bool, str, str]:
        """The node's work.

        Raises:
            ConfigError: for an unknown finding; if ``stop`` and a picture is refused.
        """
        wanted = Limits(refuse=_codes(refuse), ignore=_codes(ignore), **limits)
        detector = MediaPipeDetector()
        with stopping():
            found = [preflight(one, reading_order(detector.detect(one)), wanted) for one, _ in each(images_of(image))]
        lines = [
            f"picture {number}: {finding.message}" for number, findings in enumerate(found) for finding in findings
        ]
        statuses = [picture_status(findings) for findings in found]
        if stop and "refuse" in statuses:
            number = statuses.index("refuse")
            reason = next(finding.message for finding in found[number] if finding.level == "refuse")
            raise ConfigError(Notice("comfyui.refused", {"number": number, "reason": Notice.of(reason)}))
        report = [
            {"status": status, "findings": [finding.to_dict() for finding in findings]}
            for status, findings in zip(statuses, found, strict=True)
        ]
        return image, "refuse" not in statuses, "\n".join(lines), json.dumps(report, ensure_ascii=False, indent=1)


def _paired(before: list[Image], after: list[Image]) -> tuple[list[Image], list[Image]]:
    if len(before) != len(after):
        raise ConfigError(Notice("comfyui.not-pairs", {"before": len(before), "after": len(after)}))
    return before, after


def _codes(text: str) -> frozenset[str]:
    return frozenset(code.strip() for code in text.split(",") if code.strip())


NODE_CLASS_MAPPINGS = {
    "LikenessLoadRestorer": LoadRestorer,
    "LikenessPreset": Preset,
    "LikenessControls": SetControls,
    "LikenessRegions": Regions,
    "LikenessReferences": MakeReferences,
    "LikenessRestoreFaces": RestoreFaces,
    "LikenessFaceEvidence": FaceEvidence,
    "LikenessPreflight": Preflight,
}
"""The nodes by the names that workflows keep; these never change."""

NODE_DISPLAY_NAME_MAPPINGS = {
    "LikenessLoadRestorer": "Load Restorer (Likeness)",
    "LikenessPreset": "Preset (Likeness)",
    "LikenessControls": "Controls (Likeness)",
    "LikenessRegions": "Face Regions (Likeness)",
    "LikenessReferences": "References (Likeness)",
    "LikenessRestoreFaces": "Restore Faces (Likeness)",
    "LikenessFaceEvidence": "Face Evidence (Likeness)",
    "LikenessPreflight": "Preflight (Likeness)",
}
"""What they are called on the canvas."""
