"""Controls of single faces: what each has of its own, laid over what all of a picture's faces share.

In a group photograph the old man keeps his grain, and the blurred child gets more. `FaceControls.over` is the one place
where that becomes the controls of each face.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast

from likeness.errors import ArgumentError, ControlError
from likeness.imaging.arguments import of_type
from likeness.messages.notice import Notice, notice_of
from likeness.restore.by_face import ByFace, Changes
from likeness.restore.controls import Controls, RegionWeights
from likeness.restore.kinds import rows_of
from likeness.restore.options import row_of

__all__ = ["ControlsByFace", "FaceControls", "GivenFaceControls"]


@dataclass(frozen=True)
class ControlsByFace:
    """What each face of a picture is restored with.

    Attributes:
        shared: by the faces that have none of their own.
        own: by index, of those that have.
        strengths: by index, of those that get another strength than they were to get, as they would have come out bad.
    """

    shared: Controls
    own: Mapping[int, Controls] = field(default_factory=dict[int, Controls])
    strengths: Mapping[int, float] = field(default_factory=dict[int, float])

    @staticmethod
    def of(controls: Controls | ControlsByFace) -> ControlsByFace:
        """These; one set of controls is every face's."""
        if isinstance(controls, ControlsByFace):
            return controls
        return ControlsByFace(of_type("controls", controls, Controls, hint="Controls.preset takes the name of one"))

    def __getitem__(self, index: int) -> Controls:
        """The face's."""
        controls = self.own.get(index, self.shared)
        return controls if index not in self.strengths else replace(controls, strength=self.strengths[index])

    def each(self, change: Callable[[Controls], Controls]) -> ControlsByFace:
        """The same change made to those of every face."""
        return replace(self, shared=change(self.shared), own={index: change(own) for index, own in self.own.items()})


GivenFaceControls: TypeAlias = "FaceControls | Mapping[int, Controls | Mapping[str, Any] | str]"
"""By a face's index: controls, the name of a preset, or what is different from the shared ones by name."""


@dataclass(frozen=True, kw_only=True)
class FaceControls:
    """What single faces have of their own.

    >>> own = FaceControls.of({1: {"strength": 0.5}, 2: "natural"})
    >>> own.over(Controls(keep_grain=True))[1]
    Controls(strength=0.5, keep_grain=True)

    Attributes:
        changes: by a face's index (from 0, in reading order), what is not as the shared controls have it, by the names of
            `likeness.Controls`; of the regions those that are named. ``preset`` stands for all that one sets.

    Raises:
        ControlError: for a name or a value that cannot be used.
    """

    changes: Mapping[int, Changes] = field(default_factory=dict[int, Changes])

    def __post_init__(self) -> None:
        checked: dict[int, Changes] = {}
        for index, changes in self.changes.items():
            if isinstance(index, bool) or not isinstance(index, int) or index < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ArgumentError(f"face_controls must have faces' indices, which count from 0, not {index!r}")
            try:
                own = _kind().checked(changes)
            except ControlError as error:
                why = {"number": str(index + 1), "why": notice_of(error)}
                raise ControlError(Notice("face-controls.face", why)) from error
            if own:
                checked[index] = own
        object.__setattr__(self, "changes", checked)

    @staticmethod
    def of(given: GivenFaceControls | None) -> FaceControls:
        """From what a caller says.

        Raises:
            ControlError: for a preset, a name or a value that cannot be used.
            ArgumentError: if it is something else.
        """
        if isinstance(given, FaceControls):
            return given
        if given is None:
            return FaceControls()
        if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            kind = type(given).__name__
            raise ArgumentError(f"face_controls must be a dictionary, controls by the face's index, not {kind}")
        return FaceControls(changes={index: _changes(one) for index, one in given.items()})

    @staticmethod
    def numbered(table: Mapping[str, Changes]) -> FaceControls:
        """From a table by number, as settings hold it: the first face is "1"."""
        return FaceControls(changes={int(number) - 1: changes for number, changes in table.items()})

    def to_numbered(self) -> dict[str, Changes]:
        """The table of `numbered`, ready for JSON."""
        return {str(index + 1): dict(changes) for index, changes in self.changes.items()}

    def over(self, shared: Controls) -> ControlsByFace:
        """The controls of each face."""
        own: dict[int, Controls] = {}
        for index, changes in self.changes.items():
            others = {key: value for key, value in changes.items() if key != "preset"}
            base = shared.with_preset(changes["preset"]) if "preset" in changes else shared
            made = base.with_changes(others)
            if made != shared:
                own[index] = made
        return ControlsByFace(shared, own)

    def check(self, faces: int) -> None:
        """Refuse settings of a face that is not there.

        Raises:
            ControlError: naming the face.
        """
        for index in self.changes:
            if index >= faces:
                raise ControlError(Notice("face-controls.no-such-face", {"number": index + 1, "count": faces}))


def _kind() -> ByFace:
    kind = row_of("face_controls").kind
    assert isinstance(kind, ByFace)
    return kind


def _changes(given: object) -> Changes:
    if isinstance(given, Controls):
        values = {row.key: getattr(given, row.key) for row in rows_of(Controls)}
        return {**values, "face_mask_weights": given.face_mask_weights.to_dict()}
    if isinstance(given, str):
        return {"preset": given}
    if not isinstance(given, Mapping):
        raise ArgumentError(
            f"each of face_controls must be Controls, a preset's name, or a dictionary, not {type(given).__name__}"
        )
    named = cast("Mapping[str, Any]", given)
    return {name: value.to_dict() if isinstance(value, RegionWeights) else value for name, value in named.items()}
