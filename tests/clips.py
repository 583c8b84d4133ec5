"""Small videos for tests, and what is in a video."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.imaging.image import Image

av = pytest.importorskip("av", reason="PyAV is not installed (the extra [video])")

Samples = NDArray[np.uint8]
TICK = Fraction(1, 1000)


def plain_frames(count: int, width: int = 96, height: int = 64) -> list[Samples]:
    """Frames without a face: a soft pattern that moves."""
    down, across = np.mgrid[0:height, 0:width]
    return [
        np.stack([100 + 50 * np.sin((across + 3 * n + c * 9) / 15) + down / 2 for c in range(3)], axis=-1).astype(
            np.uint8
        )
        for n in range(count)
    ]


def moving_frames(portrait: Image, count: int) -> list[Samples]:
    """Frames, 192 x 144, of a face that goes to the right and turns a little."""
    frames: list[Samples] = []
    # Reduced as it is it would alias, which is flicker of its own.
    soft = cv2.GaussianBlur(portrait.pixels, (0, 0), 1.0)
    for number in range(count):
        matrix = cv2.getRotationMatrix2D((128.0, 128.0), 1.0 * number, 0.55)
        matrix[:, 2] += (-34.0 + 1.5 * number, -58.0)
        laid = cv2.warpAffine(soft, matrix, (192, 144), borderMode=cv2.BORDER_REFLECT)
        frames.append(np.rint(np.clip(laid, 0, 1) * 255).astype(np.uint8))
    return frames


def write_clip(
    path: Path,
    frames: Sequence[Samples],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,
    turn: int = 0,
    sound: str | None = None,
    subtitles: bool = False,
    chapters: bool = False,
    options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
    interlaced: bool = False,
) -> Path:
    """A video of RGB frames at ``times``, ms; 40 ms apart if None."""
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.time_base = TICK
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        if interlaced:
            stream.codec_context.flags |= av.codec.context.Flags.interlaced_dct
        if turn:
            stream.set_display_rotation(turn)
        audio: Any = out.add_stream(sound, rate=44100) if sound else None
        words: Any = out.add_mux_stream("subrip") if subtitles else None
        if chapters:
            out.set_chapters([{"id": 1, "start": 0, "end": 100, "time_base": TICK, "metadata": {"title": "Arrival"}}])
        for number, samples in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(samples), format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = (times[number] if times else 40 * number), TICK
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
        if audio:
            rng = np.random.default_rng(0)
            for number in range(8):
                tone = rng.normal(0, 0.1, (2, 1024)).astype(np.float32)
                packed = (
                    tone if audio.codec_context.format.name == "fltp" else (tone.T.reshape(1, -1) * 32767).astype("i2")
                )
                block = av.AudioFrame.from_ndarray(packed, format=audio.codec_context.format.name, layout="stereo")
                block.sample_rate, block.pts, block.time_base = 44100, 1024 * number, Fraction(1, 44100)
                out.mux(audio.encode(block))
            out.mux(audio.encode())
        if words:
            packet = av.Packet(b"She arrives.")
            packet.pts = packet.dts = 20
            packet.duration, packet.time_base, packet.stream = 100, TICK, words
            out.mux(packet)
    return path


def decoded(path: Path) -> list[Any]:
    """All frames of a video, as FFmpeg gives them."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
    """Times and bytes of the packets of a kind of stream."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        found = [p for p in container.demux(stream) if p.dts is not None and p.size]
        return [(round(float((p.pts or 0) * p.time_base), 3), bytes(p)) for p in found]
