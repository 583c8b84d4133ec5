"""The process that reads a video of a stranger's for its owner, and ends with it; see `likeness.video.apart`."""

from __future__ import annotations

import pickle
import resource
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias

from likeness.errors import LikenessError
from likeness.imaging.decoding.child import confine, limit_memory, limit_processor_time
from likeness.imaging.decoding.wire import Channel
from likeness.messages.notice import catalogue
from likeness.video.clip import Clip
from likeness.video.files import HERE
from likeness.video.segments import segments_in

__all__ = ["main"]


def main(end: int, lifeline: int) -> None:
    """Do one piece of work; ``end`` and ``lifeline`` as in `likeness.imaging.decoding.child.main`."""
    confine(lifeline, writes=True)
    channel = Channel(socket.socket(fileno=end))
    catalogue("en")
    channel.send(("ready",))
    message, _ = channel.receive()
    # What the owner sends is trusted; what this process sends is not.
    name, room, seconds, written, values = pickle.loads(message)
    resource.setrlimit(resource.RLIMIT_FSIZE, (written, written))
    limit_memory(room)
    limit_processor_time(seconds)
    try:
        for answer in _WORK[name](**values):
            channel.send(answer)
            limit_processor_time(seconds)
        channel.send(("done",))
    except LikenessError as error:
        channel.send(("error", type(error).__name__, str(error), error.notice.to_dict()))
    except MemoryError:
        channel.send(("memory",))


_Answers: TypeAlias = Iterable[tuple[Any, ...]]


def _open(**values: Any) -> _Answers:
    clip = HERE.open(**values)
    return [("clip", {field.name: getattr(clip, field.name) for field in fields(Clip) if field.name != "path"})]


def _frames(**values: Any) -> _Answers:
    for frame in HERE.frames(**values):
        planes = [(plane.tobytes(), plane.shape, plane.dtype.str) for plane in frame.planes]
        yield "frame", frame.index, frame.pts, frame.duration, planes


def _write(*, folder: Path, **values: Any) -> _Answers:
    HERE.write(segments=segments_in(folder), **values)
    return ()


def _rehearse(**values: Any) -> _Answers:
    HERE.rehearse(**values)
    return ()


_WORK: Mapping[str, Callable[..., _Answers]] = {
    "open": _open,
    "frames": _frames,
    "rehearse": _rehearse,
    "write": _write,
}
