"""What open pictures may take."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LiveLimits"]


@dataclass(frozen=True, kw_only=True)
class LiveLimits:
    """How much open pictures may take.

    Over a limit the picture not touched for longest of the client that has most is closed, but never the one just touched.

    Attributes:
        sessions: pictures open at a time.
        bytes: memory of all of them.
        pixels: of one picture; checked before it is decoded.
        faces: of one picture, in one request; the network's answers of no more are kept, either.
        idle_seconds: a picture not touched for so long is closed.
        view_pixels: of all views asked for at once.
        print_pixels: of a file for paper; making one takes 60 bytes a pixel.
    """

    sessions: int = 16
    bytes: int = 3 << 30
    pixels: int = 60_000_000
    faces: int = 100
    idle_seconds: float = 900.0
    view_pixels: int = 16_000_000
    print_pixels: int = 120_000_000

    def __post_init__(self) -> None:
        counts = (self.sessions, self.bytes, self.pixels, self.faces, self.view_pixels, self.print_pixels)
        if min(counts) < 1 or self.idle_seconds <= 0:
            raise ValueError("limits of open pictures must be positive")
