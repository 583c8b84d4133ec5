"""PyAV, which brings FFmpeg's libraries: whether it is installed, and its errors in our words."""

from __future__ import annotations

import importlib.util

from likeness.errors import MissingExtraError
from likeness.messages.notice import Notice

__all__ = ["has_av", "require_av"]


def has_av() -> bool:
    """Whether it is installed."""
    return importlib.util.find_spec("av") is not None


def require_av() -> None:
    """Make sure that ``import av`` works; called before it, in functions, as importing Likeness needs no PyAV.

    Raises:
        MissingExtraError: if it is not installed.
    """
    if not has_av():
        raise MissingExtraError(Notice("video.no-av"))
