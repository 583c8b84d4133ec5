"""The other photographs that ``likeness restore`` is given. Imported only where there are any, as they need a good deal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from likeness.cli.console import Console
from likeness.cli.table import counted
from likeness.imaging.image import Image
from likeness.reference.matching import FaceMatcher
from likeness.reference.people import NamedAlbum
from likeness.reference.references import References, photographs_at
from likeness.restore.outcome import ReferenceSource
from likeness.restore.pipeline import Restorer

__all__ = ["album_at", "references_at"]


def references_at(
    places: Sequence[str], *, trusted: bool, read: Callable[[Path], Image], console: Console
) -> Callable[[Restorer], ReferenceSource]:
    """Read photographs; what finds the faces in them.

    Raises:
        LikenessError: if one cannot be read.
    """
    photographs = [found for place in places for found in photographs_at(place, read)]
    references = References(photographs, trusted=trusted, matcher=FaceMatcher())

    def ready(restorer: Restorer) -> ReferenceSource:
        began = time.perf_counter()
        count = len(references.prepare(restorer.detector, restorer.runtime.spec.side))
        console.detail(f"references: {counted(count, 'face')}, ready in {time.perf_counter() - began:.1f} s")
        return references

    return ready


def album_at(path: Path, *, read: Callable[[Path], Image], console: Console) -> Callable[[Restorer], ReferenceSource]:
    """Open an album of named persons; what finds the faces in it.

    Raises:
        LikenessError: if it cannot be read.
    """
    album = NamedAlbum.at(path)

    def ready(restorer: Restorer) -> ReferenceSource:
        began = time.perf_counter()
        found = album.references(restorer.detector, FaceMatcher(), read=read, told=console.detail)
        console.detail(f"album: {counted(found.count, 'face')}, ready in {time.perf_counter() - began:.1f} s")
        return found

    return ready
