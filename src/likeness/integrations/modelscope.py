"""A bridge for programs written for ModelScope's ``pipeline``: the same call, Likeness behind it.

Like ModelScope's portrait enhancement it takes and gives BGR, makes the picture twice as large, and enlarges a picture
without a face all the same. New programs use `likeness.Restorer`, which has the controls, the outcomes and the verdicts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likeness.errors import ArgumentError, NoFaceError
from likeness.imaging.accepting import ImageInput
from likeness.imaging.image import Image
from likeness.messages.notice import Notice
from likeness.models.catalog import DEFAULT_MODEL
from likeness.restore.controls import Controls
from likeness.restore.enlargement import Enlargement
from likeness.restore.pipeline import Restorer

__all__ = ["PortraitEnhancement", "pipeline"]

_TASK = "image-portrait-enhancement"


class PortraitEnhancement:
    """What `pipeline` makes: called with a picture, it gives ``{"output_img": ...}``. Safe to use from several threads."""

    def __init__(self, restorer: Restorer, controls: Controls) -> None:
        self._restorer, self._controls = restorer, controls

    def __call__(self, input: ImageInput) -> dict[str, NDArray[np.uint8]]:  # noqa: A002 - ModelScope's name for it
        """Restore one picture.

        Args:
            input: as `Restorer.restore` takes it; an array is H x W x 3 BGR or H x W grey, uint8 in 0 to 255.

        Returns:
            ``output_img``: 2 H x 2 W x 3, BGR, uint8 in 0 to 255.

        Raises:
            ArgumentError: for an array that is none of these.
            ImageReadError, ImageTooLargeError: if the file cannot be read or taken.
        """
        picture = input
        if isinstance(picture, np.ndarray):
            if picture.dtype != np.uint8:
                raise ArgumentError(Notice("bridge.not-uint8", {"type": str(picture.dtype)}))
            picture = Image.from_array(picture[..., ::-1] if picture.ndim == 3 else picture)
        twice = Enlargement(upscale=2)
        try:
            image = self._restorer.restore(picture, self._controls, enlargement=twice, verdicts=False).image
        except NoFaceError:
            image = self._restorer.enlarge(picture, twice)
        return {"output_img": np.ascontiguousarray(image.to_uint8()[..., ::-1])}


def pipeline(task: str, model: str | Path = DEFAULT_MODEL, *, preset: str = "standard") -> PortraitEnhancement:
    """ModelScope's way to its portrait enhancement, with Likeness behind it.

    Args:
        task: "image-portrait-enhancement", the only one here.
        model: as `likeness.Restorer` takes it: a model's name, a file, or "modelscope:" and an id, which uses the file in
            ModelScope's own cache.
        preset: what is done (`likeness presets`); "plain" is nearest to ModelScope's.

    Raises:
        ArgumentError: for another task.
        ControlError: if there is no such preset.
        CheckpointError: if the model cannot be had.
    """
    if task != _TASK:
        raise ArgumentError(Notice("bridge.other-task", {"task": str(task), "known": _TASK}))
    controls = Controls.preset(preset)
    return PortraitEnhancement(Restorer(model), controls)
