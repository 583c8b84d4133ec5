"""What a program hears while pictures are restored, and gets of many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from likeness.errors import LikenessError
from likeness.imaging.accepting import ImageInput
from likeness.messages.notice import Notice
from likeness.restore.outcome import Restoration

__all__ = ["Mapped", "OnProgress", "Progress", "tell_nobody"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the work on one picture is.

    Attributes:
        step: what begins or goes on: "repair", "detect", "picture" (a network for whole pictures works), "project" (the
            network looks at the faces), "enlarge" or "compose" (the faces are laid back); "done" at the end.
        done: for how many faces the network has answered.
        total: how many faces are restored; 0 before they are found.
    """

    step: Literal["repair", "detect", "picture", "project", "enlarge", "compose", "done"]
    done: int = 0
    total: int = 0


OnProgress: TypeAlias = Callable[[Progress], object]
"""Called in the thread that restores, when a step begins and after each face; what it raises ends the work."""


def tell_nobody(progress: Progress) -> None:
    """Where nobody listens."""
    del progress


@dataclass(frozen=True, kw_only=True, eq=False)
class Mapped:
    """What became of one of many pictures (`likeness.Restorer.map`).

    Attributes:
        source: what was given.
        restoration: what became of it; None if it could not be restored.
        error: why not; None if it was restored.
    """

    source: ImageInput
    restoration: Restoration | None = None
    error: LikenessError | None = None

    def result(self) -> Restoration:
        """The restoration.

        Raises:
            LikenessError: the error, if there was one.
        """
        if self.restoration is None:
            raise self.error or LikenessError(Notice("restore.not-restored"))
        return self.restoration

    def __repr__(self) -> str:
        source = (
            self.source if isinstance(self.source, str) else getattr(self.source, "name", type(self.source).__name__)
        )
        return f"Mapped({source}: {self.error or self.restoration!r})"
