"""Findings about a picture: their codes, their levels, and the limits behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

from likeness.core.numbers import is_finite
from likeness.core.spelling import known_and_meant
from likeness.errors import ConfigError
from likeness.messages.notice import Notice

__all__ = ["CODES", "Finding", "Level", "Limits", "picture_status"]

Level: TypeAlias = Literal["refuse", "warn", "note"]
"""refuse: not worth the work as it is; warn: a person should look, before or after; note: good to know."""

CODES: dict[str, Level] = {
    "unreadable": "refuse",
    "raw": "refuse",
    "size-small": "refuse",
    "no-face": "refuse",
    "several-faces": "note",
    "sideways": "warn",
    "face-small": "warn",
    "blur": "warn",
    "face-cut": "warn",
    "face-unclear": "warn",
    "face-turned": "warn",
    "face-tilted": "warn",
    "eyes-closed": "warn",
    "face-dark": "warn",
    "face-bright": "warn",
    "backlit": "warn",
    "glare-forehead": "warn",
    "glare-nose": "warn",
    "glare-spectacles": "warn",
    "drawing": "warn",
    "background-busy": "note",
    "file-damaged": "warn",
    "several-pages": "warn",
    "animated": "note",
    "gain-map": "note",
    "hdr": "warn",
    "cmyk": "warn",
    "profile-damaged": "warn",
    "profile-missing": "warn",
    "wide-gamut": "note",
    "grey": "note",
}
"""Every code with its level, unless `Limits.refuse` raises it; in the order in which findings are told."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is the matter with a picture or a face.

    Attributes:
        code: one of `CODES`; codes do not change their meaning.
        level: how grave.
        message: what is the matter and what to do about it, in a sentence or two; a `Notice` where it is to be said in more
            than English.
        face: the face's place among the faces that were given, None if it concerns the picture.
        figure: what was measured, None where there is nothing to measure.
        limit: what it was held against, in the same unit.
        unit: "px", "degrees", "stops", "share" (0 to 1), "ratio", "count", or "".
    """

    code: str
    level: Level
    message: str
    face: int | None = None
    figure: float | None = None
    limit: float | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f'there is no finding "{self.code}"')

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; figures rounded to four digits after the point."""
        return {
            "code": self.code,
            "level": self.level,
            "face": self.face,
            "figure": None if self.figure is None else round(self.figure, 4),
            "limit": self.limit,
            "unit": self.unit,
            "message": self.message,
            "notice": Notice.of(self.message).to_dict(),
        }

    @staticmethod
    def of(record: Mapping[str, Any]) -> Finding:
        """From what `to_dict` made; what an older version made has no notice."""
        values = dict(record)
        message = Notice.of(values.pop("message"), values.pop("notice", None))
        return Finding(**values, message=message)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From where on something is the matter. docs/check.md says on which pictures each was set, and what it finds there.

    Attributes:
        min_side: short side of the picture, px. 150: a rule of the trade, not measured here.
        min_face: width of a face's box, px. 48: somewhat over the 40 from which the README promises nothing.
        min_held: how many pixels across a face holds in the direction that holds least, its blur, noise and compression
            apart (`likeness.faces.effective_resolution`). 40: of 309 restored faces that were labelled by eye 55 of the 65
            bad ones held less, and none of the 151 good ones. Only of faces that have half as many pixels again: the
            others are small.
        max_outside: share of the face's outline outside the picture. 0.08: a judgement, not measured.
        max_yaw: turn to a side, degrees. 30: a rule of the trade; good portraits measured up to 28.
        max_pitch: nodding, degrees. 25: a judgement; good portraits measured up to 16.
        min_eye: eye aspect ratio, mean of both eyes. 0.14: laughing and narrow eyes measured 0.146 and more, closed ones
            0.135 and less (Soukupova and Cech 2016 put closed eyes under 0.2, with another landmark model).
        min_eye_face: width of the narrowest face whose eyes and glare are judged, px: under it the mesh guesses.
        min_white: luma of the face's white, in [0, 1]. 0.42: correctly lit dark skins measured 0.49 and more.
        max_clipped: share of the skin in which a colour ends at the top of its range. 0.3.
        max_background: brightness of the surroundings over the face's white, stops. 2: dark skin before a studio's light
            grey measured up to 1.7.
        max_forehead_glare, max_nose_glare, max_eye_glare: share of the region that is glare. 0.03, 0.04 and 0.02.
        max_edges: share of edges in the surroundings. 0.35.
        max_drawing: `likeness.faces.drawing.drawing_score`. 0.62.
        max_gamut: volume of the profile's colours over sRGB's. 1.15: camera and scanner profiles close to sRGB pass.
        refuse: codes that are refused over and above those of `CODES`.
        ignore: codes that are not told; "unreadable" and "raw" always are.

    Raises:
        ConfigError: for a value that is not finite or negative, and for an unknown code.
    """

    min_side: float = 150
    min_face: float = 48
    min_held: float = 40
    max_outside: float = 0.08
    max_yaw: float = 30
    max_pitch: float = 25
    min_eye: float = 0.14
    min_eye_face: float = 60
    min_white: float = 0.42
    max_clipped: float = 0.3
    max_background: float = 2
    max_forehead_glare: float = 0.03
    max_nose_glare: float = 0.04
    max_eye_glare: float = 0.02
    max_edges: float = 0.35
    max_drawing: float = 0.62
    max_gamut: float = 1.15
    refuse: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("refuse", "ignore"):
                if not isinstance(value, frozenset) or not all(isinstance(code, str) for code in value):
                    raise ConfigError(Notice("findings.set", {"name": field.name, "kind": type(value).__name__}))
                for code in sorted(value - set(CODES)):
                    raise ConfigError(Notice("findings.unknown", {"code": code, **known_and_meant(code, CODES)}))
            elif isinstance(value, bool) or not isinstance(value, (int, float)) or not is_finite(value) or value < 0:
                raise ConfigError(Notice("option.not-negative", {"name": field.name, "value": value}))

    def level(self, code: str) -> Level:
        """The level of a code under these limits."""
        return "refuse" if code in self.refuse else CODES[code]


def picture_status(findings: Sequence[Finding]) -> Literal["refuse", "warn", "fine"]:
    """What the findings of a picture come to: the gravest level, notes aside."""
    levels = {finding.level for finding in findings}
    return "refuse" if "refuse" in levels else "warn" if "warn" in levels else "fine"
