"""The tables of tasks by the purpose of a network: those on faces, and those on whole photographs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from likeness.models.registry import check_purpose
from likeness.models.spec import FACE_PURPOSES, Purpose, Spec
from likeness.restore.controls import Controls
from likeness.restore.tasks.colouring import Colouring
from likeness.restore.tasks.inpainting import Inpainting
from likeness.restore.tasks.picture import PictureTask
from likeness.restore.tasks.picture_colouring import PictureColouring
from likeness.restore.tasks.picture_filling import PictureFilling
from likeness.restore.tasks.plain import Plain
from likeness.restore.tasks.restoring import Restoring
from likeness.restore.tasks.task import Task

__all__ = ["PICTURE_TASKS", "TASKS", "task_of"]

TASKS: Mapping[Purpose, Task] = MappingProxyType(
    {"restore": Restoring(), "colourise": Colouring(), "inpaint": Inpainting()}
)
"""One for each of `FACE_PURPOSES`."""

PICTURE_TASKS: Mapping[Purpose, PictureTask] = MappingProxyType(
    {"colourise": PictureColouring(), "inpaint": PictureFilling()}
)
"""What networks for whole photographs are for."""


def task_of(spec: Spec, controls: Controls) -> Task:
    """What a network does to faces, under these controls.

    Raises:
        CheckpointFormatError: if it is not for faces.
    """
    check_purpose(spec, FACE_PURPOSES, spec.title)
    if spec.purpose == "restore":
        if controls.plain:
            return Plain(spec.authors)
        if spec.features and controls.features > 0:
            return Restoring(controls.features)
    return TASKS[spec.purpose]
