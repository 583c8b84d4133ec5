"""What a request asks for where a video is restored: the fields of pictures as far as they apply, and a video's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from likeness.errors import ConfigError
from likeness.messages.notice import Notice
from likeness.reference.references import References
from likeness.restore.kinds import Choice, Number, Option, Words
from likeness.server.api.requests import FIELDS, RestoreRequest, field_schema, field_values, fits
from likeness.video.encoders import CODECS
from likeness.video.options import MOST_EVERY, PICTURES_ONLY, VideoOptions
from likeness.video.person import Person

__all__ = ["VIDEO_FIELDS", "VideoRequest", "video_values"]

_OWN = (
    Option(
        key="codec",
        group="files",
        effect="file",
        kind=Choice(values=CODECS),
        label=Words("Codec", "编码"),
        help=Words("the result's codec (the video's own, else h264)", "结果的编码（默认同原视频，否则为 h264）"),
    ),
    Option(
        key="crf",
        group="files",
        effect="file",
        kind=Number(low=0.0, high=63.0, step=1.0),
        label=Words("Quality", "质量"),
        help=Words("constant quality as the encoder counts it, lower is better", "恒定质量，按编码器的标度，越低越好"),
    ),
    Option(
        key="every",
        group="faces",
        kind=Number(low=1, high=MOST_EVERY, whole=True),
        default=VideoOptions.every,
        label=Words("Network every N frames", "网络隔帧"),
        help=Words(
            "the network looks at every Nth frame of a face, and whenever it changes",
            "网络对每张人脸每隔若干帧查看一次，变化时立即查看",
        ),
    ),
    Option(
        key="begin",
        group="files",
        kind=Number(low=0.0),
        default=0.0,
        label=Words("From", "起点"),
        help=Words("where the part that is restored begins, seconds", "修复片段的起点，秒"),
    ),
    Option(
        key="end",
        group="files",
        kind=Number(low=0.0),
        label=Words("To", "终点"),
        help=Words("where it ends (the video's end), seconds", "片段的终点，秒（默认到结尾）"),
    ),
)
_OWN_KEYS = frozenset(row.key for row in _OWN)

VIDEO_FIELDS: dict[str, dict[str, Any]] = {
    **{name: schema for name, schema in FIELDS.items() if name not in (*PICTURES_ONLY, "format", "evidence")},
    **{row.key: field_schema(row) for row in _OWN},
}
"""Fields of a form that restores a video, by name: their JSON schema."""


@dataclass(frozen=True, kw_only=True)
class VideoRequest:
    """How a video is to be restored.

    Attributes:
        values: the fields as they were given, ready for JSON; `VideoRequest.of` makes the same request of them again.
        picture: what of them pictures have, too.
    """

    values: Mapping[str, Any]
    picture: RestoreRequest

    @staticmethod
    def of(values: Mapping[str, Any]) -> VideoRequest:
        """From values by field name.

        Raises:
            ConfigError: for an unknown field, or a value of the wrong kind.
            ControlError: for a value outside its range.
        """
        for name, value in values.items():
            if name not in VIDEO_FIELDS:
                # A name is a client's text: it is not repeated.
                raise ConfigError(Notice("form.unknown-field", {"known": ", ".join(VIDEO_FIELDS)}))
            if name in _OWN_KEYS and not fits(VIDEO_FIELDS[name], value):
                meaning = VIDEO_FIELDS[name]["description"]
                raise ConfigError(Notice("form.unusable", {"name": name, "meaning": meaning}))
        picture = RestoreRequest.of({name: value for name, value in values.items() if name not in _OWN_KEYS})
        if picture.by_hand is not None:
            raise ConfigError(Notice("video.auto-preset"))
        request = VideoRequest(values=dict(values), picture=picture)
        request.options(most_pixels=None)
        return request

    def options(
        self,
        *,
        most_pixels: int | None,
        most_faces: int | None = None,
        person: Person | None = None,
        references: References | None = None,
    ) -> VideoOptions:
        """The options that this comes to.

        Args:
            most_pixels: of a result's frame; None for no limit of ours.
            most_faces: restored in one frame.
            person: the one who is restored; None for all that are selected.
            references: other photographs of the people; None for none.

        Raises:
            ConfigError: for values that cannot be used together.
        """
        picture = self.picture if most_pixels is None else self.picture.within(most_pixels)
        own = {name: value for name, value in self.values.items() if name in _OWN_KEYS}
        if "every" in own:
            own["every"] = int(own["every"])
        return VideoOptions(
            controls=picture.controls,
            selection=replace(picture.selection, most=most_faces),
            enlargement=picture.enlargement,
            person=person,
            references=references,
            **own,
        )


def video_values(fields: Mapping[str, str]) -> dict[str, Any]:
    """Values from a form's text (`field_values`)."""
    return field_values(fields, texts=("codec",))
