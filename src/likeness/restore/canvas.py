"""How much larger a result is than its photograph: what was asked for, what comes of it, and what is too large.

All of it is known before any work, from the photograph's size and, for "auto", its faces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from likeness.errors import ConfigError, ImageTooLargeError
from likeness.faces.align import align
from likeness.faces.face import Face
from likeness.imaging.image import Size
from likeness.messages.notice import Notice
from likeness.restore.enlargement import MOST, Enlargement

__all__ = ["SHOWN", "SMALL_FACE", "CanvasPlan", "plan_canvas", "suggested_upscale"]

SMALL_FACE = 200.0
"""Width of a face in pixels under which most of what the network draws is averaged away in a result that is not enlarged."""

_AUTO = (1.0, 2.0, 3.0, 4.0)
SHOWN = 0.9
"""Share of the network's side at which a face shows what it drew."""


@dataclass(frozen=True, kw_only=True)
class CanvasPlan:
    """What comes of an `Enlargement`.

    Attributes:
        upscale: by how much width and height grow; 1 if not at all.
        size: of the result.
    """

    upscale: float
    size: Size


def plan_canvas(
    size: Size,
    faces: Sequence[Face],
    enlargement: Enlargement,
    *,
    side: int = 512,
) -> CanvasPlan:
    """How large a picture of this size becomes. Nothing is computed on pixels.

    Args:
        size: of the photograph.
        faces: those that will be restored; only "auto" looks at them.
        enlargement: what was asked for.
        side: of the restoring network (`Spec.side`), px.

    Raises:
        ImageTooLargeError: if the result would be too large; the message names the largest factor that fits.
        ConfigError: if ``long_side`` would take a factor over 8.
    """
    if enlargement.upscale == "auto":
        wanted = next((k for k in _AUTO if _least_side(faces, size) * k >= SHOWN * side), _AUTO[-1])
        fitting = [k for k in _AUTO if k <= wanted and _fits(size.times(k), enlargement)]
        upscale = max(fitting, default=1.0)
        return CanvasPlan(upscale=upscale, size=size.times(upscale))
    if enlargement.long_side is not None:
        return _to_long_side(size, enlargement)
    return _checked(size, float(enlargement.upscale), size.times(enlargement.upscale), enlargement)


def suggested_upscale(
    size: Size, faces: Sequence[Face], reached: float, enlargement: Enlargement, *, side: int
) -> float | None:
    """The factor of "auto" where a face is still small in a result ``reached`` times the photograph; None where none is, or
    it would be no larger."""
    if not any(face.box.width * reached < SMALL_FACE for face in faces):
        return None
    auto = replace(enlargement, upscale="auto", long_side=None)
    upscale = plan_canvas(size, faces, auto, side=side).upscale
    return upscale if upscale > reached else None


def _to_long_side(size: Size, enlargement: Enlargement) -> CanvasPlan:
    wanted, long = int(enlargement.long_side or 0), max(size.width, size.height)
    if wanted <= long:
        return CanvasPlan(upscale=1.0, size=size)
    upscale = wanted / long
    if upscale > MOST:
        most = {"factor": MOST, "long_side_fits": int(MOST * long)}
        raise ConfigError(
            Notice("enlarge.long-side", {"long_side": wanted, "size": str(size), "upscale": upscale, **most})
        )
    return _checked(size, upscale, size.times(upscale), enlargement)


def _checked(size: Size, upscale: float, result: Size, enlargement: Enlargement) -> CanvasPlan:
    largest_side = enlargement.largest_side
    # What is not enlarged was taken when it was read.
    if upscale == 1 or _fits(result, enlargement):
        return CanvasPlan(upscale=upscale, size=result)
    most = math.sqrt(enlargement.max_output_pixels / size.pixels)
    most = min(most, *([] if largest_side is None else [largest_side / max(size.width, size.height)]), MOST)
    hundredths = math.floor(most * 100)
    while hundredths > 100 and not _fits(size.times(hundredths / 100), enlargement):
        hundredths -= 1  # sides are rounded to whole pixels
    advice = Notice("enlarge.fits", {"factor": hundredths / 100}) if hundredths > 100 else Notice("enlarge.never-fits")
    if largest_side is None or result.pixels > enlargement.max_output_pixels:
        limit = Notice("enlarge.most-pixels", {"pixels": enlargement.max_output_pixels})
    else:
        limit = Notice("enlarge.largest-side", {"side": largest_side})
    sizes = {"upscale": upscale, "size": str(size), "result": str(result), "pixels": result.pixels}
    raise ImageTooLargeError(
        Notice("enlarge.too-large", {**sizes, "limit": limit, "advice": advice}), pixels=result.pixels
    )


def _fits(result: Size, enlargement: Enlargement) -> bool:
    most = enlargement.largest_side
    short_enough = most is None or max(result.width, result.height) <= most
    return result.pixels <= enlargement.max_output_pixels and short_enough


def _least_side(faces: Sequence[Face], size: Size) -> float:
    """Side in the picture's pixels of the smallest face's crop; infinite if there is none."""
    return min((_native_side(face, size) for face in faces), default=math.inf)


def _native_side(face: Face, size: Size) -> float:
    try:
        return align(face.five_points, size, 512).native_side
    except ValueError:  # a face that cannot be aligned is not restored either
        return math.inf
