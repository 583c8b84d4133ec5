"""How the page says what a picture is to look like."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from typing_extensions import Self

from likeness.messages.notice import Language
from likeness.restore.config import Settings
from likeness.restore.controls import Controls
from likeness.restore.face_controls import ControlsByFace, FaceControls
from likeness.restore.framing import Framing
from likeness.restore.kinds import rows_of
from likeness.restore.options import OPTIONS
from likeness.server.api.restoring import MOST_REFERENCES
from likeness.server.live.mending import Mending, Stroke
from likeness.server.live.references import Wanted
from likeness.studio.deliver import PrintOptions, WebOptions
from likeness.studio.finishing import Finishing

__all__ = [
    "FAR",
    "SLIDERS",
    "LiveArea",
    "LiveFace",
    "LiveFields",
    "LiveFileLook",
    "LiveLook",
    "LiveSizedLook",
    "LiveStroke",
    "LiveViews",
    "Touch",
]

_MOST_AREAS = 8
_MOST_FACES = 256
_LAST_FACE = 99_999
_MOST_STROKES = 400
_MOST_POINTS = 1000

_Named = TypeVar("_Named", int, str)


def _once(names: list[_Named]) -> list[_Named]:
    """A list in which nothing comes twice: each name is work and bytes of the answer."""
    if len(set(names)) < len(names):
        raise ValueError("something is named twice; name each once")
    return names


Touch: TypeAlias = Literal["warmth", "exposure", "clarity"]

SLIDERS = {
    row.key: row
    for row in (
        *rows_of(Finishing),
        *rows_of(Controls),
        *(row for row in OPTIONS if row.part in ("framing", "repairs")),
    )
}
"""The options that the page has something to move for, by key."""

FAR: dict[Touch, tuple[float, float]] = {
    touch: (SLIDERS[touch].kind.shown()["low"], SLIDERS[touch].kind.shown()["high"]) for touch in get_args(Touch)
}
"""Ends of the finishing sliders: a layer holds what the picture becomes at the further one, less what it is."""


_Id: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A digest (SHA-256) of a photograph's file."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class LiveArea(_Body):
    """A part of the picture, in its pixels, how wide it is to be shown, and whether it is wanted as it was as well."""

    left: float
    top: float
    right: float
    bottom: float
    width: int = Field(ge=1, le=8192)
    before: bool = False


class LiveStroke(_Body):
    """A stroke of the brush (`likeness.server.live.mending.Stroke`)."""

    rub: bool = False
    radius: float = Field(gt=0, le=2000)
    points: list[tuple[float, float]] = Field(min_length=1, max_length=_MOST_POINTS)


class LiveLook(_Body):
    """Which faces, and how.

    That is the options that the page has sliders for, by their keys; what single faces have of their ``own``, by index; what
    the brush has painted; and which other photographs serve the faces (`likeness.server.live.references.Wanted`).
    """

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    __pydantic_extra__: dict[str, bool | int | float | str | dict[str, float] | None]  # pyright: ignore[reportIncompatibleVariableOverride]

    faces: Annotated[list[Annotated[int, Field(ge=0, le=_LAST_FACE)]], AfterValidator(_once)] = Field(
        default_factory=list, max_length=_MOST_FACES
    )
    references: Annotated[list[_Id], AfterValidator(_once)] = Field(default_factory=list, max_length=MOST_REFERENCES)
    trusted: Annotated[list[_Id], AfterValidator(_once)] = Field(default_factory=list, max_length=MOST_REFERENCES)
    own: dict[Annotated[int, Field(ge=0, le=_LAST_FACE)], dict[str, bool | int | float | dict[str, float]]] = Field(
        default_factory=dict[int, dict[str, "bool | int | float | dict[str, float]"]], max_length=_MOST_FACES
    )
    strokes: list[LiveStroke] = Field(default_factory=list["LiveStroke"], max_length=_MOST_STROKES)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if unknown := set(self.__pydantic_extra__) - set(SLIDERS):
            raise ValueError(f"there is no option {min(unknown)[:40]!r}")
        return self

    def controls(self) -> Controls:
        """The controls that the faces share; raises ControlError for what is out of range."""
        return Settings(self._part("controls")).controls()

    def by_face(self) -> ControlsByFace:
        """Each face's controls; raises ControlError for what is out of range."""
        return self.face_controls().over(self.controls())

    def face_controls(self) -> FaceControls:
        """What single faces have of their own; raises ControlError for what is out of range."""
        return FaceControls(changes=self.own)

    def finishing(self) -> Finishing:
        """The finishing touches; raises ControlError for what is out of range."""
        return Finishing(**self._part("finishing"))

    def mending(self) -> Mending:
        """What is repaired before the faces are restored; raises ControlError for what is out of range."""
        strokes = tuple(Stroke(rub=one.rub, radius=one.radius, points=tuple(one.points)) for one in self.strokes)
        return Mending(repairs=Settings(self._part("repairs")).repairs(), strokes=strokes)

    def framing(self) -> Framing:
        """How the picture is turned, straightened and cut; raises ControlError for what cannot be."""
        return Framing(**self._part("framing"))

    def wanted(self) -> Wanted:
        """The other photographs."""
        return Wanted(ids=tuple(self.references), trusted=frozenset(self.trusted).intersection(self.references))

    def _part(self, name: str) -> dict[str, Any]:
        return {key: value for key, value in self.__pydantic_extra__.items() if SLIDERS[key].part == name}


class LiveSizedLook(LiveLook):
    """A look, and how many times as large as the photograph the result is (`likeness.Enlargement.upscale`)."""

    upscale: Annotated[int, Field(ge=1, le=4)] | Literal["auto"] = 1


class LiveFields(LiveSizedLook):
    """A look, and the faces whose fields are wanted; None for all of it."""

    only: Annotated[list[Annotated[int, Field(ge=0, le=_LAST_FACE)]], AfterValidator(_once)] | None = None


class LiveViews(LiveSizedLook):
    """A look, the parts of the picture to show of it, and the finishing touches that are to be previewed."""

    areas: list[LiveArea] = Field(min_length=1, max_length=_MOST_AREAS)
    layers: Annotated[list[Touch], AfterValidator(_once)] = Field(default_factory=list["Touch"], max_length=len(FAR))


class LiveFace(LiveLook):
    """A look, and the face to measure."""

    face: int = Field(default=0, ge=0, le=_LAST_FACE)


class LiveFileLook(LiveLook):
    """A look, and how its file is made.

    ``upscale`` is as in `likeness.Enlargement`, of the file for the screen and the lossless one; the other sizes are as in
    `likeness.studio.deliver`.
    """

    preset: str = "standard"
    language: Language = "en"
    upscale: float | Literal["auto"] = 1.0
    side: int = WebOptions.side
    scale: float = PrintOptions.scale
    millimetres: tuple[float, float] | None = None
