"""PyAV, which brings FFmpeg's libraries: whether it is installed, and its errors in our words."""

from __future__ import annotations

import importlib.util

from likeness.errors import MissingExtraError
from likeness.messages.notice import Notice

__all__ = ["require_av"]


def require_av() -> None:
    """Make sure that ``import av`` works; called before it, in functions, as importing Likeness needs no PyAV.

    Raises:
        MissingExtraError: if it is not installed.
    """
    if importlib.util.find_spec("av") is None:
        raise MissingExtraError(Notice("video.no-av"))
