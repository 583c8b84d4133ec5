"""Everything that reads the file of a video: here, or in a process apart (`likeness.video.apart`)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Protocol

from likeness.video.clip import Clip, Limits, open_clip
from likeness.video.container import rehearse, write_container
from likeness.video.encoders import Encoding
from likeness.video.frames import Frame, read_frames
from likeness.video.segments import Segment, read_segment

__all__ = ["HERE", "VideoFiles"]


class VideoFiles(Protocol):
    """Reads videos. Its methods raise what the functions of these names raise."""

    def open(self, path: Path, limits: Limits) -> Clip:
        """See `likeness.video.clip.open_clip`."""
        ...

    def rehearse(self, clip: Clip, target: Path, encoding: Encoding) -> None:
        """See `likeness.video.container.rehearse`."""
        ...

    def frames(self, clip: Clip, *, begin: float, end: float | None, limits: Limits | None) -> Generator[Frame]:
        """See `likeness.video.frames.read_frames`."""
        ...

    def write(
        self,
        clip: Clip,
        target: Path,
        path: Path,
        encoding: Encoding,
        segments: Sequence[Segment],
        *,
        begin: float,
        end: float | None,
    ) -> None:
        """Put finished segments together: see `likeness.video.container.write_container`."""
        ...


class _Here:
    """In this process."""

    def open(self, path: Path, limits: Limits) -> Clip:
        return open_clip(path, limits)

    def rehearse(self, clip: Clip, target: Path, encoding: Encoding) -> None:
        rehearse(clip, target, encoding)

    def frames(self, clip: Clip, *, begin: float, end: float | None, limits: Limits | None) -> Generator[Frame]:
        return read_frames(clip, begin=begin, end=end, limits=limits)

    def write(
        self,
        clip: Clip,
        target: Path,
        path: Path,
        encoding: Encoding,
        segments: Sequence[Segment],
        *,
        begin: float,
        end: float | None,
    ) -> None:
        packets = (packet for segment in segments for packet in read_segment(segment))
        write_container(clip, target, path, encoding, packets, begin=begin, end=end)


HERE: VideoFiles = _Here()
"""In this process: for files that whoever runs it trusts."""
