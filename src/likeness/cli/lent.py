"""What other photographs lent, as the line of a result tells it."""

from __future__ import annotations

from likeness.evidence.lenders import regions_by_name, regions_told
from likeness.restore.outcome import Restoration

__all__ = ["lent_told"]


def lent_told(restoration: Restoration, *, most: int) -> str:
    """Which photograph lent which face what, or that those that fit had nothing to lend; "" where none fits.

    Args:
        restoration: what was done.
        most: so many faces are named.
    """
    served = [
        (face, face.references)
        for face in restoration.restored
        if face.references is not None and (face.own_controls or restoration.controls).reference_strength > 0
    ]
    helped = [(face, references) for face, references in served if references.gifts]
    if not helped:
        idle = sorted({match.name for _, references in served for match in references.matches if match.serves})
        more = f" and {len(idle) - most} more" if len(idle) > most else ""
        fit = "fits, but has" if len(idle) == 1 else "fit, but have"
        return f"; {', '.join(idle[:most])}{more} {fit} no detail that the face lacks" if idle else ""
    parts: list[str] = []
    for face, references in helped[:most]:
        regions = regions_by_name((gift.name, gift.region) for gift in references.gifts)
        told = " and ".join(f"{name} ({regions_told(own)})" for name, own in regions.items())
        whose = f"face {face.index + 1} " if len(restoration.faces) > 1 else ""
        parts.append(f"{whose}with detail of {told}")
    more = f" and {len(helped) - most} more" if len(helped) > most else ""
    return f", {', '.join(parts)}{more}"
