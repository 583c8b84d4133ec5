"""What a video's result depends on, beside the video and the network."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from likeness.errors import ConfigError
from likeness.imaging.arguments import finite_number, of_type
from likeness.messages.notice import Notice
from likeness.reference.references import References
from likeness.restore.controls import Controls
from likeness.restore.enlargement import Enlargement
from likeness.restore.kinds import Choice, Number, Option, Words
from likeness.restore.selection import Selection
from likeness.video.encoders import CODECS
from likeness.video.person import Person

__all__ = ["MOST_EVERY", "PICTURES_ONLY", "VIDEO_OPTIONS", "VideoOptions", "parse_seconds"]

MOST_EVERY = 30
"""Over a second of a film: longer nothing is believed that the network does not look at."""

PICTURES_ONLY = (
    "face_controls",
    "mend_scratches",
    "mend_sensitivity",
    "balance",
    "defringe",
    "descreen",
    "damage_mask",
    "turn",
    "straighten",
    "crop",
    "picture_model",
    "aligned",
    "album",
    "provenance",
    "copy_unrestored",
    "quality",
    "on_bad",
    "bit_depth",
)
"""Options that are of pictures alone."""

VIDEO_OPTIONS: tuple[Option, ...] = (
    Option(
        key="codec",
        group="files",
        effect="file",
        kind=Choice(values=CODECS),
        label=Words("Codec", "编码"),
        unset="the video's own, else h264",
        metavar="NAME",
        help=Words("the result's codec", "结果的编码（默认同原视频，否则为 h264）"),
    ),
    Option(
        key="crf",
        metavar="X",
        group="files",
        effect="file",
        kind=Number(low=0.0, high=63.0, step=1.0),
        label=Words("Quality", "质量"),
        help=Words("constant quality as the encoder counts it, lower is better", "恒定质量，按编码器的标度，越低越好"),
    ),
    Option(
        key="every",
        metavar="N",
        group="faces",
        kind=Number(low=1, high=MOST_EVERY, whole=True),
        default=4,
        label=Words("Network every N frames", "网络隔帧"),
        help=Words(
            "the network looks at every Nth frame of a face, and whenever it changes; between them what it drew moves as "
            "the face does",
            "网络对每张人脸每隔若干帧查看一次，变化时立即查看；其间所绘内容随人脸移动",
        ),
    ),
    Option(
        key="begin",
        group="files",
        kind=Number(low=0.0),
        default=0.0,
        label=Words("From", "起点"),
        unit="seconds",
        flag="--from",
        metavar="TIME",
        help=Words("where the part that is restored begins", "修复片段的起点"),
    ),
    Option(
        key="end",
        group="files",
        kind=Number(low=0.0),
        label=Words("To", "终点"),
        unit="seconds",
        unset="the video's end",
        flag="--to",
        metavar="TIME",
        help=Words("where it ends", "片段的终点（默认到结尾）"),
    ),
)
"""What a video has of its own, in the order in which it is listed: flags, and fields of requests, come from here."""

_USUAL = {row.key: row.default for row in VIDEO_OPTIONS}

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)")


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """How a video is restored and written.

    Attributes:
        controls, selection, enlargement: see `likeness.Restorer.restore`; faces are numbered as they appear.
        person: only this person's face is restored, where they are in the picture; None for all that are selected.
        references: other photographs of the people, which lend their detail to the faces that they fit; None for none.
        every: the network looks at a face in each such frame, and whenever it has changed; between them what it drew moves
            as the face does. 1 to 30; 1 is slower and less steady.
        codec: one of `likeness.video.encoders.CODECS`; None for the video's own, or h264 where that is not written.
        crf: the encoder's constant quality, lower is better and larger; None for its usual one, which hardly shows.
        bit_rate: bits a second instead of it.
        begin, end: the part that is restored, s from the video's start; to its end if ``end`` is None.

    Raises:
        ConfigError: for a value that cannot be used.
    """

    controls: Controls = field(default_factory=Controls)
    selection: Selection = field(default_factory=Selection)
    enlargement: Enlargement = field(default_factory=Enlargement)
    person: Person | None = None
    references: References | None = None
    every: int = _USUAL["every"]
    codec: str | None = None
    crf: float | None = None
    bit_rate: int | None = None
    begin: float = _USUAL["begin"]
    end: float | None = None

    def __post_init__(self) -> None:
        of_type("controls", self.controls, Controls)
        of_type("selection", self.selection, Selection)
        of_type("enlargement", self.enlargement, Enlargement)
        if self.person is not None:
            of_type("person", self.person, Person)
        if self.references is not None:
            of_type("references", self.references, References)
        if self.enlargement.upscale == "auto":
            # Frames of one video are all of one size.
            raise ConfigError(Notice("video.auto"))
        if not 1 <= of_type("every", self.every, int) <= MOST_EVERY:
            raise ConfigError(Notice("video.every", {"value": self.every, "most": MOST_EVERY}))
        if self.bit_rate is not None and finite_number("bit_rate", self.bit_rate) < 1:
            raise ConfigError(Notice("video.bitrate", {"value": str(self.bit_rate)}))
        begin, end = finite_number("begin", self.begin), self.end
        if begin < 0 or (end is not None and finite_number("end", end) <= begin):
            raise ConfigError(Notice("video.part", {"begin": begin, "end": "" if end is None else f"{end:g}"}))

    def identity(self) -> dict[str, Any]:
        """All of it as JSON has it: two runs with the same are one job.

        Raises:
            ImageReadError: if one of the references cannot be read.
        """
        told = {name: repr(getattr(self, name)) for name in self.__dataclass_fields__ if name != "references"}
        return told if self.references is None else {**told, "references": repr(self.references.identity())}


def parse_seconds(text: str) -> float:
    """Seconds, from "83.5", "1:23.5" or "0:01:23.5".

    Raises:
        ConfigError: for anything else.
    """
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ConfigError(Notice("video.time", {"text": text[:40]}))
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds
