"""One call for one picture."""

from __future__ import annotations

import threading

from likeness.imaging.accepting import ImageInput
from likeness.restore.controls import Controls
from likeness.restore.outcome import Restoration
from likeness.restore.pipeline import Restorer

__all__ = ["restore_image"]

_lock = threading.Lock()
_kept: list[Restorer] = []


def restore_image(image: ImageInput, controls: Controls | str | None = None) -> Restoration:
    """Restore the faces of a picture with the packaged network, which is loaded at the first call and kept.

    Everything else that can be chosen is at `Restorer` and `Restorer.restore`.

    Args:
        image: a path, the bytes of a file, one of Pillow's pictures, an array (`Image.from_array`) or an `Image`.
        controls: how; the name of a preset, such as "natural"; "standard" if None.

    Raises:
        ImageReadError, ImageTooLargeError: if the picture's file cannot be read.
        NoFaceError: if there is no face.
        ControlError: if there is no such preset.
    """
    with _lock:
        if not _kept:
            _kept.append(Restorer())
    return _kept[0].restore(image, controls)
