"""What becomes of a face that came out bad."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["OnBad"]

OnBad: TypeAlias = Literal["keep", "lower", "skip"]
"""It stays as it is; it is restored with the largest strength with which it is not bad, if there is one; or it is left as
the photograph has it. Whichever it is, its outcome says so."""
