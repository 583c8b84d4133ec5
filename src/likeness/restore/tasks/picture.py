"""Whole photographs through a network: what all such tasks have in common, and their table.

The one mechanism for everything that is done to a photograph as a whole and not to single faces: a network is given the
photograph, or parts of it, and a task says what goes in and what its answer means. It runs after repairs and before faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from likeness.faces.face import Face
from likeness.imaging.image import Image
from likeness.messages.notice import Notice
from likeness.models.spec import Purpose
from likeness.runtimes.base import Runtime, check_answer

__all__ = ["PictureChange", "PictureTask", "SeenPicture", "answer_of"]

_Map = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenPicture:
    """A photograph, as such a task gets it.

    Attributes:
        image: the photograph, repaired, holes filled from their surroundings.
        holes: H x W in [0, 1], 1 where it held nothing; None if nowhere.
        faces: its faces.
    """

    image: Image
    holes: _Map | None
    faces: Sequence[Face]


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureChange:
    """What a network did to a whole photograph.

    Attributes:
        purpose: what it is for.
        image: the photograph afterwards.
        area: share of it that was changed, in [0, 1].
        warnings: what the user should know about it.
    """

    purpose: Purpose
    image: Image
    area: float
    warnings: tuple[Notice, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For the report."""
        return {
            "task": self.purpose,
            "area": round(self.area, 6),
            "warnings": list(self.warnings),
            "notices": [warning.to_dict() for warning in self.warnings],
        }


class PictureTask(Protocol):
    """One of these for each purpose of a network for whole photographs; `likeness.restore.tasks.registry` is their table."""

    def apply(self, seen: SeenPicture, runtime: Runtime, /) -> PictureChange:
        """Let the network do its work.

        Raises:
            NoFaceError: if there is nothing for it to do.
        """
        ...


def answer_of(runtime: Runtime, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a network for any width and height answers.

    Args:
        runtime: the network.
        samples: H x W x `Spec.inputs`, [0, 1]; continued by its mirror image to sides that the network takes.

    Returns:
        H x W x `Spec.outputs`; [0, 1] where these are RGB.

    Raises:
        CheckpointError: if it answers with what is no number.
    """
    spec = runtime.spec
    low, high = (np.float32(end) for end in spec.value_range)
    height, width = samples.shape[:2]
    # Twice the multiple at the least: a network that halves its maps mirrors the smallest of them once more.
    more = [max(-(-side // spec.multiple), 2) * spec.multiple - side for side in (height, width)]
    surrounded = np.pad(samples, ((0, more[0]), (0, more[1]), (0, 0)), mode="symmetric")
    asked = np.ascontiguousarray(surrounded.transpose(2, 0, 1)[None] * (high - low) + low)
    answer = runtime.run(asked)[0].transpose(1, 2, 0)[:height, :width]
    check_answer(answer, spec)
    if spec.outputs == 3:
        answer = np.clip((answer - low) / (high - low), 0, 1)
    return np.ascontiguousarray(answer, np.float32)
