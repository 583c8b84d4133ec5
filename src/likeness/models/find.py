"""Weights that other programs have put on this machine: where they lie, and used there, without a copy."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from likeness.core.home import expanded
from likeness.errors import CheckpointError
from likeness.messages.notice import Notice
from likeness.models.formats import spec_for_task
from likeness.models.spec import Spec

__all__ = ["MODELSCOPE", "PLACES", "FoundFile", "Place", "find_weights", "modelscope_file"]

MODELSCOPE = "modelscope:"
"""What stands before the id of a model in ModelScope's cache, where a model is named."""

_SUFFIXES = (".pth", ".pt", ".safetensors", ".onnx")
_DEPTH = 5
"""How many levels of folders are looked into, the place itself with them: ModelScope's enlarger lies at the fifth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a program keeps weights.

    Attributes:
        program: its name.
        folders: relative to the folder in which the program is installed, or absolute, with ``~`` for the user's home.
        installed: folders of the user's home in which the program is usually installed; none where ``folders`` are absolute.
        variable: an environment variable that names the folder instead of ``folders``, and where below it to look.
    """

    program: str
    folders: tuple[str, ...]
    installed: tuple[str, ...] = ()
    variable: tuple[str, tuple[str, ...]] | None = None


PLACES: tuple[Place, ...] = (
    # Most of its versions have no folder hub where the variable says the place.
    Place(program="ModelScope", folders=("~/.cache/modelscope/hub",), variable=("MODELSCOPE_CACHE", ("hub", ""))),
    Place(
        program="torch hub", folders=("~/.cache/torch/hub/checkpoints",), variable=("TORCH_HOME", ("hub/checkpoints",))
    ),
    Place(program="GFPGAN", folders=("gfpgan/weights", "experiments/pretrained_models"), installed=("~/GFPGAN", ".")),
    Place(program="CodeFormer", folders=("weights/CodeFormer",), installed=("~/CodeFormer", ".")),
    Place(program="GPEN", folders=("weights",), installed=("~/GPEN",)),
    Place(
        program="stable-diffusion-webui",
        folders=("models/GFPGAN", "models/Codeformer", "models/ESRGAN", "models/RealESRGAN"),
        installed=("~/stable-diffusion-webui", "~/stable-diffusion-webui-forge"),
    ),
    Place(
        program="ComfyUI",
        folders=(
            "models/facerestore_models",
            "models/upscale_models",
            "models/inpaint",
            "models/lama",
            "models/ddcolor",
        ),
        installed=("~/ComfyUI", "~/comfy/ComfyUI"),
    ),
    Place(
        program="FaceFusion", folders=(".assets/models",), installed=("~/facefusion", "~/pinokio/api/facefusion.git")
    ),
)
"""Where `find_weights` looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file with weights.

    Attributes:
        path: where it lies.
        program: whose it is.
        spec: the network in it; None where Likeness cannot run it.
        reason: why not; "" where it can.
    """

    path: Path
    program: str
    spec: Spec | None
    reason: str = ""


def find_weights(folders: Sequence[Path] = ()) -> tuple[FoundFile, ...]:
    """Every file with weights in the places of `PLACES`, each once; only descriptions are read, and nothing is run.

    Args:
        folders: where such programs are installed as well, or folders with weights.
    """
    found: dict[Path, FoundFile] = {}
    for program, folder in _looked_into(folders):
        for path in _files(folder):
            real = path.resolve()
            if real not in found:
                found[real] = _described(path, program)
    return tuple(found.values())


def modelscope_file(name: str) -> Path:
    """The file of a model in ModelScope's cache.

    Args:
        name: ``modelscope:iic/cv_gpen_image-portrait-enhancement``, for ``pytorch_model.pt`` there, or with the name of
            another file behind it: ``modelscope:iic/cv_gpen_image-portrait-enhancement-hires/pytorch_model-2048.pt``.

    Raises:
        CheckpointError: if there is none; the message says where it was looked for.
    """
    identifier = name.removeprefix(MODELSCOPE).strip("/")
    parts = [part for part in identifier.split("/") if part not in ("", ".", "..")]
    if len(parts) < 2:
        raise CheckpointError(Notice("model.modelscope-id", {"name": name}))
    owner, model, *inner = parts
    file = "/".join(inner) or "pytorch_model.pt"
    # The organisation was renamed from damo to iic, and the cache got a folder more; older downloads stay where they are.
    owners = ("iic", "damo") if owner in ("iic", "damo") else (owner,)
    hubs = [folder for program, folder in _looked_into(()) if program == "ModelScope"]
    places = [hub / between / one / model / file for hub in hubs for between in ("models", "") for one in owners]
    for path in places:
        if path.is_file():
            return path
    looked = ", ".join(map(str, places))
    raise CheckpointError(Notice("model.not-in-modelscope", {"name": "/".join(parts), "places": looked}))


def _looked_into(folders: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """Programs and folders, those that need not be there too."""
    for place in PLACES:
        if place.variable is not None and (given := os.environ.get(place.variable[0])):
            for below in place.variable[1]:
                yield place.program, expanded(given) / below
            continue
        for base in place.installed or ("",):
            for folder in place.folders:
                yield place.program, expanded(Path(base) / folder)
    for given in folders:
        inside = [given / folder for place in PLACES if place.installed for folder in place.folders]
        known = [folder for folder in inside if folder.is_dir()]
        for folder in known or [given]:
            yield str(given), folder


def _files(folder: Path, depth: int = _DEPTH) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:  # not there, or not ours to read
        return
    for entry in entries:
        if entry.is_dir():
            if depth > 1:
                yield from _files(entry, depth - 1)
        elif entry.suffix in _SUFFIXES and entry.is_file():
            yield entry


def _described(path: Path, program: str) -> FoundFile:
    try:
        return FoundFile(path=path, program=program, spec=spec_for_task(path, None))
    except CheckpointError as error:
        return FoundFile(path=path, program=program, spec=None, reason=str(error))
