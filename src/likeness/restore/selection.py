"""Which of the faces in a picture are restored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from likeness.errors import ConfigError, ControlError, NoFaceError
from likeness.faces.face import Face
from likeness.imaging.arguments import finite_number
from likeness.imaging.image import Size
from likeness.messages.notice import Notice
from likeness.restore.numbering import counted_from_1

__all__ = ["Selection", "none_selected"]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which faces, in reading order (`Restorer.find_faces`).

    Attributes:
        which: "all", "largest", "centre" (the one nearest the picture's centre), or a tuple of indices, which count from 0
            as `FaceOutcome.index` does. Where people type numbers they count from 1 (`parse`).
        min_size: faces whose box is narrower are left alone, px.
        max_size: faces whose box is wider are left alone, px; None for no limit.
        most: how many faces may be selected; None for no limit. What the network returned for each takes 30 MB.
    """

    which: Literal["all", "largest", "centre"] | tuple[int, ...] = "all"
    min_size: float = 0.0
    max_size: float | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        which: object = self.which
        if isinstance(which, tuple):
            numbers = cast("tuple[object, ...]", which)
            if not numbers or not all(type(number) is int and number >= 0 for number in numbers):
                raise ConfigError(Notice("selection.numbers"))
        elif which not in ("all", "largest", "centre"):
            raise ConfigError(Notice("selection.which", {"which": repr(str(which)[:40])}))
        finite_number("min_size", self.min_size)
        if self.max_size is not None:
            finite_number("max_size", self.max_size)
        if self.min_size < 0 or (self.max_size is not None and self.max_size < self.min_size):
            raise ConfigError(Notice("selection.nothing", {"low": self.min_size, "high": str(self.max_size)}))

    @staticmethod
    def parse(text: str, *, min_size: float = 0.0, max_size: float | None = None) -> Selection:
        """From "all", "largest", "centre" (or "center"), or numbers from 1 on, such as "1,3".

        Numbers with a 0 among them count from 0, as they did once; the log says so.

        Raises:
            ConfigError: for anything else.

        >>> Selection.parse("1,3").which
        (0, 2)
        """
        given: object = text
        if not isinstance(given, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError(Notice("selection.kind", {"kind": type(given).__name__}))
        word = text.strip().lower()
        names: dict[str, Literal["all", "largest", "centre"]] = {
            "all": "all",
            "largest": "largest",
            "centre": "centre",
            "center": "centre",
        }
        if word in names:
            return Selection(which=names[word], min_size=min_size, max_size=max_size)
        try:
            numbers = tuple(int(part) - 1 for part in counted_from_1(word).split(","))
        except ValueError:
            raise ConfigError(Notice("selection.faces", {"text": text})) from None
        return Selection(which=numbers, min_size=min_size, max_size=max_size)

    def missing(self, count: int) -> tuple[Notice, ...]:
        """A warning, if numbers were asked for that a picture with so many faces does not have; else none."""
        which = self.which if isinstance(self.which, tuple) else ()
        numbers = ", ".join(str(index + 1) for index in which if index >= count)
        return (Notice("selection.missing", {"count": count, "numbers": numbers}),) if numbers else ()

    def refusals(self, faces: Sequence[Face], size: Size) -> list[Notice | None]:
        """Per face None if it is selected, else why not, in a few words.

        Raises:
            ControlError: if more are selected than may be.
        """
        reasons = self._reasons(faces, size)
        selected = reasons.count(None)
        if self.most is not None and selected > self.most:
            raise ControlError(Notice("outcome.too-many-faces", {"count": selected, "most": self.most}))
        return reasons

    def _reasons(self, faces: Sequence[Face], size: Size) -> list[Notice | None]:
        reasons: list[Notice | None] = []
        for face in faces:
            if face.box.width < self.min_size:
                reasons.append(Notice("outcome.narrow", {"limit": self.min_size}))
            elif self.max_size is not None and face.box.width > self.max_size:
                reasons.append(Notice("outcome.wide", {"limit": self.max_size}))
            else:
                reasons.append(None)
        candidates = [index for index, reason in enumerate(reasons) if reason is None]
        if self.which == "all" or not candidates:
            return reasons
        if self.which == "largest":
            chosen = {max(candidates, key=lambda i: faces[i].box.area)}
        elif self.which == "centre":
            middle = (size.width / 2, size.height / 2)
            chosen = {min(candidates, key=lambda i: math.dist((faces[i].box.centre.x, faces[i].box.centre.y), middle))}
        else:
            chosen = set(self.which)
        left = Notice("outcome.not-selected")
        return [reason if reason or index in chosen else left for index, reason in enumerate(reasons)]


def none_selected(reasons: Sequence[Notice | None]) -> NoFaceError:
    """Why every face was left alone."""
    told = sorted({reason for reason in reasons if reason})
    return NoFaceError(Notice("no-face.selected", {"count": len(reasons), "reasons": told}))
