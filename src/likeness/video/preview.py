"""A few frames of a video before and after, so that settings can be chosen before hours of work."""

from __future__ import annotations

import numpy as np

from likeness.errors import VideoError
from likeness.imaging.filters import resize
from likeness.imaging.image import Image, Pixels, Size
from likeness.messages.notice import Notice
from likeness.video.clip import Clip, Limits
from likeness.video.frames import Frame, read_frames
from likeness.video.options import VideoOptions
from likeness.video.session import Session

__all__ = ["frame_strip", "preview"]

_GAP = 8
_GREY = 0.25
"""Neutral, so that it does not tint the judgement."""


def preview(clip: Clip, options: VideoOptions, session: Session, *, count: int, limits: Limits | None = None) -> Image:
    """Frames spread evenly over a video, each above the same frame restored.

    Args:
        clip: the video.
        options: how, and which part of it.
        session: what restores frames.
        count: how many, from 1 on; fewer where the video does not say how long it is.
        limits: of what is decoded.

    Returns:
        an 8-bit picture: ``count`` columns, before above after.

    Raises:
        VideoError: if a frame cannot be decoded.
    """
    end = clip.seconds if options.end is None else min(options.end, clip.seconds or options.end)
    span = 0.0 if end is None else max(end - options.begin, 0.0)
    columns: list[tuple[Pixels, Pixels]] = []
    for number in range(count if span else 1):
        frame = _frame_at(clip, options.begin + span * (number + 0.5) / count if span else options.begin, limits)
        before = frame.pixels()
        after = session.restore(Image(pixels=before, grey=clip.colours.layout.grey)).pixels
        size = Size(after.shape[1], after.shape[0])
        columns.append((before if before.shape == after.shape else resize(before, size, "cubic"), after))
    return Image(pixels=frame_strip(columns))


def frame_strip(columns: list[tuple[Pixels, ...]]) -> Pixels:
    """Pictures of one size side by side, those of a column one above the other."""
    height, width = columns[0][0].shape[:2]
    rows = len(columns[0])
    sheet = np.full(
        (rows * height + (rows + 1) * _GAP, len(columns) * (width + _GAP) + _GAP, 3), _GREY, dtype=np.float32
    )
    for across, column in enumerate(columns):
        left = _GAP + across * (width + _GAP)
        for down, pixels in enumerate(column):
            top = _GAP + down * (height + _GAP)
            sheet[top : top + height, left : left + width] = np.clip(pixels, 0.0, 1.0)
    return sheet


def _frame_at(clip: Clip, seconds: float, limits: Limits | None) -> Frame:
    frames = read_frames(clip, begin=seconds, limits=limits)
    found = next(frames, None)
    frames.close()
    if found is None and seconds > 0:  # the last frame began before
        found = next(read_frames(clip, begin=max(seconds - 2.0 / float(clip.rate), 0.0), limits=limits), None)
    if found is None:
        raise VideoError(Notice("video.no-frame", {"file": str(clip.path)}))
    return found
