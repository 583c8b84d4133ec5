"""What a request asks for where a video is restored: the fields of pictures as far as they apply, and a video's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from likeness.core.spelling import known_and_meant
from likeness.errors import ConfigError
from likeness.messages.notice import Notice
from likeness.reference.references import References
from likeness.server.api.requests import FIELDS, RestoreRequest, field_schema, field_values, fits
from likeness.video.options import PICTURES_ONLY, VIDEO_OPTIONS, VideoOptions
from likeness.video.person import Person

__all__ = ["VIDEO_FIELDS", "VideoRequest", "video_values"]

_OWN_KEYS = frozenset(row.key for row in VIDEO_OPTIONS)

VIDEO_FIELDS: dict[str, dict[str, Any]] = {
    **{name: schema for name, schema in FIELDS.items() if name not in (*PICTURES_ONLY, "format", "evidence")},
    **{row.key: field_schema(row) for row in VIDEO_OPTIONS},
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
                # A name is a client's text: it is not repeated, only what it may have meant.
                raise ConfigError(Notice("form.unknown-field", known_and_meant(name[:40], VIDEO_FIELDS)))
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
