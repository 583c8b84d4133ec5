"""Which encoder writes a codec, by what the installed FFmpeg has, and how it is told the quality that is wanted."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.errors import ConfigError, VideoError
from likeness.imaging.image import Size
from likeness.messages.notice import Notice
from likeness.video.clip import Clip
from likeness.video.library import require_av
from likeness.video.planes import Colours, Layout

if TYPE_CHECKING:
    from av.codec import Codec
    from av.video.codeccontext import VideoCodecContext

__all__ = ["CODECS", "Encoding", "encoding_for", "lossless", "priority_kept"]


@dataclass(frozen=True, kw_only=True)
class _Encoder:
    """An encoder: FFmpeg's name, its usual constant quality and its worst, and what else it is told.

    Attributes:
        crf: the usual quality; None where it knows a bitrate only, or nothing of the kind.
        worst: the end of its scale.
        bitrate: whether it can be given a bitrate.
        odd: whether frames may have odd sides in 4:2:0.
    """

    name: str
    crf: float | None = None
    worst: float = 51.0
    bitrate: bool = True
    odd: bool = False
    options: Mapping[str, str] = field(default_factory=dict[str, str])


_ENCODERS: dict[str, tuple[_Encoder, ...]] = {
    "h264": (
        _Encoder(name="libx264", crf=17.0, options={"preset": "medium"}),
        _Encoder(name="libopenh264"),
        _Encoder(name="h264_videotoolbox"),
        _Encoder(name="h264_mf"),
    ),
    "hevc": (
        _Encoder(name="libx265", crf=19.0, options={"x265-params": "log-level=error"}),
        _Encoder(name="hevc_videotoolbox"),
        _Encoder(name="hevc_mf"),
    ),
    "av1": (
        _Encoder(name="libsvtav1", crf=24.0, worst=63.0, options={"preset": "7"}),
        _Encoder(name="libaom-av1", crf=22.0, worst=63.0, odd=True, options={"cpu-used": "6", "row-mt": "1"}),
    ),
    "vp9": (_Encoder(name="libvpx-vp9", crf=22.0, worst=63.0, odd=True, options={"row-mt": "1", "cpu-used": "3"}),),
    "prores": (_Encoder(name="prores_ks", bitrate=False),),
    "ffv1": (_Encoder(name="ffv1", bitrate=False, odd=True, options={"level": "3", "slicecrc": "1"}),),
}

CODECS = tuple(_ENCODERS)
"""Codecs that can be written where the installed FFmpeg has an encoder."""

_USUAL = ("h264", "hevc", "vp9", "av1", "prores", "ffv1")
"""What is written where a codec cannot be kept: the first that the file can hold."""

_PLAYED = frozenset({"h264", "hevc", "av1", "vp9"})
"""Codecs that many players know in 4:2:0 only, which recordings of a screen are therefore written in."""

_BITS_A_PIXEL = 0.15
"""Bitrate of an encoder that knows nothing else, by pixels a second."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How frames are encoded: the same for every segment of a video, so that segments can be put together.

    Attributes:
        codec: as named here, such as "h264".
        encoder: FFmpeg's name of the encoder.
        options: what the encoder is told.
        bit_rate: bits a second; None for a constant quality.
        size: of a frame as it is stored.
        colours: what its samples mean.
        tags: codes of matrix, range, transfer and primaries that are written.
        time_base, rate, pixel_shape: as `Clip`.
    """

    codec: str
    encoder: str
    options: Mapping[str, str]
    bit_rate: int | None
    size: Size
    colours: Colours
    tags: Mapping[str, int]
    time_base: Fraction
    rate: Fraction
    pixel_shape: Fraction | None

    def prepare(self, context: VideoCodecContext) -> None:
        """Give a codec context that is not yet open all that is said here."""
        from av.codec.context import Flags

        context.width, context.height = self.size.width, self.size.height
        context.pix_fmt = self.colours.layout.name
        context.time_base = self.time_base
        context.framerate = self.rate
        context.options = dict(self.options)
        # Parameters go to the file's header, as the segments' frames all share it.
        context.flags |= Flags.global_header | Flags.closed_gop
        if self.bit_rate is not None:
            context.bit_rate = self.bit_rate
        if self.pixel_shape is not None:
            context.sample_aspect_ratio = self.pixel_shape
        context.colorspace, context.color_range = self.tags["colorspace"], self.tags["color_range"]
        context.color_trc, context.color_primaries = self.tags["color_trc"], self.tags["color_primaries"]


def lossless(codec: str) -> bool:
    """Whether a codec gives back the very samples."""
    return codec == "ffv1"


def encoding_for(
    clip: Clip,
    size: Size,
    holds: frozenset[str],
    *,
    codec: str | None = None,
    crf: float | None = None,
    bit_rate: int | None = None,
) -> Encoding:
    """How a clip's result is encoded.

    Args:
        clip: the video.
        size: of a result's frame as it is stored.
        holds: codecs that the file can hold.
        codec: one of `CODECS`; None for the clip's own, or where that cannot be, the first that can.
        crf: the encoder's constant quality, lower is better; None for its usual one.
        bit_rate: bits a second instead of it.

    Raises:
        ConfigError: for values that the encoder cannot take.
        VideoError: if no installed encoder can do it.
    """
    require_av()
    if codec is not None and codec not in _ENCODERS:
        raise ConfigError(Notice("video.no-codec", {"codec": codec, "known": ", ".join(CODECS)}))
    if codec is not None and codec not in holds:
        raise ConfigError(Notice("video.codec-unheld", {"codec": codec}))
    if crf is not None and bit_rate is not None:
        raise ConfigError(Notice("video.crf-and-bitrate"))
    wanted = (codec,) if codec else (clip.codec, *_USUAL)
    for name in wanted:
        found = _installed(name) if name in holds else None
        if found is not None:
            return _encoding(clip, size, name, *found, crf=crf, bit_rate=bit_rate)
    raise VideoError(Notice("video.no-encoder", {"codec": codec or clip.codec}))


def _installed(codec: str) -> tuple[_Encoder, Codec] | None:
    import av

    for encoder in _ENCODERS.get(codec, ()):
        if encoder.name in av.codecs_available:
            return encoder, av.Codec(encoder.name, "w")
    return None


def _encoding(
    clip: Clip, size: Size, codec: str, encoder: _Encoder, made: Codec, *, crf: float | None, bit_rate: int | None
) -> Encoding:
    options = dict(encoder.options)
    if crf is not None and encoder.crf is None:
        raise ConfigError(Notice("video.no-crf", {"encoder": encoder.name}))
    if crf is not None and not 0 <= crf <= encoder.worst:
        raise ConfigError(Notice("video.crf", {"crf": crf, "worst": encoder.worst, "encoder": encoder.name}))
    if bit_rate is not None and not encoder.bitrate:
        raise ConfigError(Notice("video.no-bitrate", {"encoder": encoder.name}))
    if bit_rate is None and encoder.crf is not None:
        options["crf"] = f"{encoder.crf if crf is None else crf:g}"
        if codec == "vp9":
            options["b"] = "0"  # else its default bitrate is a limit
    elif bit_rate is None and encoder.bitrate:
        bit_rate = round(size.pixels * float(clip.rate) * _BITS_A_PIXEL)
    source = clip.colours.layout
    if clip.rgb and codec in _PLAYED:
        source = Layout.stand_in(clip.pixel_format, source.bits, (2, 2))
    layout = _layout(source, [name.name for name in made.video_formats or ()])
    if codec == "prores":
        options["profile"] = "4444" if layout.across == 1 else "hq"
    colours = Colours(
        layout=layout,
        matrix=clip.colours.used_matrix if size != clip.size else clip.colours.matrix,
        full=clip.colours.full,
        centred=clip.colours.centred,
        height=size.height if size != clip.size else clip.colours.height,
    )
    # A video that does not name its matrix is guessed by its height, which an enlarged one does not have any more.
    tags = {**clip.tags, "colorspace": colours.matrix, "color_range": 2 if colours.full else 1}
    return Encoding(
        codec=codec,
        encoder=encoder.name,
        options=options,
        bit_rate=bit_rate,
        size=size if encoder.odd or codec == "ffv1" else layout.fits(size),
        colours=colours,
        tags=tags,
        time_base=clip.time_base,
        rate=clip.rate,
        pixel_shape=clip.pixel_shape,
    )


def _layout(source: Layout, formats: list[str]) -> Layout:
    """Of the layouts that an encoder takes the source's own, else the nearest: not fewer bits or colours if it can be."""
    taken = [layout for name in formats if (layout := Layout.of(name)) is not None]
    if not taken:
        taken = [source]

    def far(layout: Layout) -> tuple[bool, ...]:
        return (
            layout.name != source.name,
            layout.grey != source.grey,
            layout.bits < source.bits,
            layout.across > source.across or layout.down > source.down,
            (layout.across, layout.down) != (source.across, source.down) and not source.grey,
            layout.bits != source.bits,
            layout.bits > 10,
        )

    return min(taken, key=far)


@contextmanager
def priority_kept() -> Generator[None]:
    """Give threads back the scheduling that they had.

    SVT-AV1, opened by root, gives its own threads and the one that opens it real-time priority (SCHED_FIFO, 99): they would
    keep everything else on the machine from running.
    """
    if not hasattr(os, "sched_getscheduler"):  # not Linux
        yield
        return
    before = _scheduling()
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for thread, now in _scheduling().items():
            if now != before.get(thread, policy):
                with suppress(OSError):  # it has ended meanwhile
                    os.sched_setscheduler(thread, policy, parameters)


def _scheduling() -> dict[int, int]:
    """The policy of each thread of this process."""
    found: dict[int, int] = {}
    for entry in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            found[int(entry.name)] = os.sched_getscheduler(int(entry.name))
    return found
