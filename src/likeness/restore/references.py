"""What other photographs of a person give to a face, as far as restoring has to know it; `likeness.reference` makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from likeness.imaging.image import Pixels
from likeness.messages.notice import Notice

__all__ = ["FaceReferences", "Gift", "ReferenceMatch"]


@dataclass(frozen=True, kw_only=True)
class ReferenceMatch:
    """A face of another photograph beside a face of this one.

    Attributes:
        name: of the photograph.
        likeness: cosine of the two faces' embeddings, -1 to 1.
        verdict: what that says: the same person, another one, or neither for sure.
        serves: whether the one lends its detail to the other.
    """

    name: str
    likeness: float
    verdict: Literal["same", "doubt", "other"]
    serves: bool


@dataclass(frozen=True, kw_only=True)
class Gift:
    """How much of one region came from one photograph: ``share``, the mean of m there, in [0, 1]."""

    region: str
    name: str
    share: float


class FaceReferences(Protocol):
    """What the references give to one face; kept with its projection, so that their strength is arithmetic."""

    @property
    def matches(self) -> Sequence[ReferenceMatch]:
        """The references that were looked at for this face, the most alike first."""
        ...

    @property
    def gifts(self) -> Sequence[Gift]:
        """Which region got how much from which photograph, at full strength; empty where none serves."""
        ...

    @property
    def warnings(self) -> Sequence[Notice]:
        """What a user should know of them."""
        ...

    @property
    def nbytes(self) -> int:
        """Memory of what is kept."""
        ...

    def fused(self, target: Pixels, strength: float) -> Pixels:
        """Where relaxation leads with them.

        Args:
            target: S x S x 3 of any S, where it leads without: `FaceProjection.target`, or `PlacedFace.target`.
            strength: how much they may give, in [0, 1]; 0 returns ``target`` itself.
        """
        ...

    def to_dict(self) -> dict[str, Any]:
        """Matches, gifts and lenders (`likeness.evidence.lenders.Lender`), ready for JSON."""
        ...
